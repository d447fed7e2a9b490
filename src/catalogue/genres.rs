//! The genres: reference data that a migration brings and every page of tracks names.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

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
pub struct KeptGenres {
    kept: RwLock<Option<(Instant, Arc<Genres>)>>,
    /// Makes one read of those who ask at the same time.
    reading: Cache<(), Arc<Genres>>,
}

impl Default for KeptGenres {
    fn default() -> Self {
        Self {
            kept: RwLock::default(),
            reading: Cache::builder()
                .max_capacity(1)
                .time_to_live(Duration::from_secs(1))
                .build(),
        }
    }
}

impl KeptGenres {
    /// Nearly always there, and each item of a list asks.
    pub fn peek(&self) -> Option<Arc<Genres>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref()
            .filter(|(since, _)| since.elapsed() < KEPT_FOR)
            .map(|(_, genres)| Arc::clone(genres))
    }

    /// A read that failed is not kept.
    pub async fn get(&self, db: &Db) -> Result<Arc<Genres>, Arc<Error>> {
        if let Some(genres) = self.peek() {
            return Ok(genres);
        }
        let read = async { Ok(Arc::new(Genres::new(store::genres(db).await?))) };
        let genres = self.reading.try_get_with((), read).await?;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((Instant::now(), Arc::clone(&genres)));
        Ok(genres)
    }
}
