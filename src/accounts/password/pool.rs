//! Places to hash in: one for each processor, each with memory of its own that is used again, so that hashing takes so
//! much memory and no more however many sign in at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use argon2::Block;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::PasswordError;

/// What Argon2 fills: blocks of 1 KiB. They hold nothing that a password could be told from without the same work again.
pub(super) type Memory = Vec<Block>;

/// How long somebody waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) struct Pool {
    places: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Memory>>>,
    patience: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new(processors, PATIENCE)
    }
}

impl Pool {
    pub(super) fn new(places: usize, patience: Duration) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            idle: Arc::default(),
            patience,
        }
    }

    /// Waits for a place, then works on a thread where work may take long. Who stops waiting gives up nothing but the
    /// wait; work that has begun keeps its place to its end, since nothing can stop it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let place = timeout(self.patience, self.places.clone().acquire_owned())
            .await
            .map_err(|_| PasswordError::Busy)?
            .map_err(|_| PasswordError::Busy)?;
        let idle = self.idle.clone();
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let mut memory = lock(&idle).pop().unwrap_or_default();
            let done = work(&mut memory);
            lock(&idle).push(memory);
            done
        })
        .await
        .map_err(|error| PasswordError::Failed(error.to_string()))
    }

    #[cfg(test)]
    pub(super) fn memories(&self) -> usize {
        lock(&self.idle).len()
    }
}

fn lock(idle: &Mutex<Vec<Memory>>) -> std::sync::MutexGuard<'_, Vec<Memory>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}
