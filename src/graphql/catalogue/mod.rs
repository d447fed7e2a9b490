//! The catalogue as clients see it.

mod album;
mod artist;
mod genre;
mod mistakes;
mod mutations;
mod query;
mod track;

pub use album::Album;
pub use artist::Artist;
pub use mistakes::CatalogueError;
pub use mutations::CatalogueMutation;
pub use query::CatalogueQuery;
pub use track::Track;

use super::page::SortDirection;
