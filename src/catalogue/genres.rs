//! The genres: reference data that a migration brings and every page of tracks names.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::model::{Genre, GenreId};
use super::store;
use crate::db::{Db, Error};

/// As long as any public read may be kept.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);

/// All of them, by name, and found by number or slug.
pub struct Genres {
    all: Vec<Genre>,
    by_id: HashMap<GenreId, usize>,
    by_slug: HashMap<String, usize>,
}

impl Genres {
    fn new(all: Vec<Genre>) -> Self {
        let indexed = || all.iter().enumerate();
        Self {
            by_id: indexed().map(|(index, genre)| (genre.id, index)).collect(),
            by_slug: indexed()
                .map(|(index, genre)| (genre.slug.clone(), index))
                .collect(),
            all,
        }
    }

    pub fn all(&self) -> &[Genre] {
        &self.all
    }

    pub fn by_id(&self, id: GenreId) -> Option<&Genre> {
        self.by_id.get(&id).map(|index| &self.all[*index])
    }

    pub fn by_slug(&self, slug: &str) -> Option<&Genre> {
        self.by_slug.get(slug).map(|index| &self.all[*index])
    }
}

/// The genres as this instance read them a while ago. Kept in process: a request would rather not parse them, and only
/// a migration changes them.
pub struct KeptGenres(Cache<(), Arc<Genres>>);

impl Default for KeptGenres {
    fn default() -> Self {
        Self(
            Cache::builder()
                .max_capacity(1)
                .time_to_live(KEPT_FOR)
                .build(),
        )
    }
}

impl KeptGenres {
    /// Read once for all who ask at the same time; a read that failed is not kept.
    pub async fn get(&self, db: &Db) -> Result<Arc<Genres>, Arc<Error>> {
        self.0
            .try_get_with((), async {
                Ok(Arc::new(Genres::new(store::genres(db).await?)))
            })
            .await
    }
}
