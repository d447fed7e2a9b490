use async_graphql::SimpleObject;

use crate::catalogue;

/// A kind of music.
#[derive(Clone, SimpleObject)]
pub struct Genre {
    /// Its name in addresses and filters.
    pub slug: String,
    /// Its name for a person.
    pub name: String,
}

impl From<&catalogue::Genre> for Genre {
    fn from(genre: &catalogue::Genre) -> Self {
        Self {
            slug: genre.slug.clone(),
            name: genre.name.clone(),
        }
    }
}
