use async_graphql::SimpleObject;

use crate::catalogue;
use crate::graphql::at_hand::{Asked, AtHand, Show, leaf};

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

impl AtHand for Genre {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "slug" => leaf(|genre: &Self| genre.slug.as_str().into()),
            "name" => leaf(|genre: &Self| genre.name.as_str().into()),
            _ => None,
        }
    }
}
