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

use async_graphql::Enum;

use crate::db::keyset::Direction;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum SortDirection {
    Asc,
    Desc,
}

impl From<SortDirection> for Direction {
    fn from(direction: SortDirection) -> Self {
        match direction {
            SortDirection::Asc => Self::Ascending,
            SortDirection::Desc => Self::Descending,
        }
    }
}
