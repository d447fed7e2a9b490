//! The catalogue as clients see it.

mod album;
mod artist;
mod genre;
mod query;
mod track;

pub use album::Album;
pub use artist::Artist;
pub use query::CatalogueQuery;
pub use track::Track;

use super::page::SortDirection;
