//! Which places a job takes: what is soon done is not held up by what takes minutes.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::runner::Pace;

/// Jobs of one kind share the places of their lane with others that take about as long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Done within seconds.
    Short,
    /// Takes minutes, and waits for others most of the time.
    Long,
    /// Reads a file that somebody waits for: seconds, or minutes.
    Reading,
    /// Takes minutes of a core.
    Heavy,
}

impl Lane {
    pub const ALL: [Self; 4] = [Self::Short, Self::Long, Self::Reading, Self::Heavy];
}

/// The places of a runner.
pub(super) struct Places([(Lane, Arc<Semaphore>); Lane::ALL.len()]);

impl Places {
    pub fn new(pace: &Pace) -> Self {
        Self(Lane::ALL.map(|lane| {
            let places = pace.places(lane) as usize;
            (lane, Arc::new(Semaphore::new(places)))
        }))
    }

    pub fn free(&self, lane: Lane) -> usize {
        self.of(lane).map_or(0, |places| places.available_permits())
    }

    pub fn are_taken(&self) -> bool {
        Lane::ALL.into_iter().all(|lane| self.free(lane) == 0)
    }

    /// One of those that are free, for as long as it is held.
    pub fn take(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        self.of(lane)?.clone().try_acquire_owned().ok()
    }

    fn of(&self, lane: Lane) -> Option<&Arc<Semaphore>> {
        let known = self.0.iter().find(|(known, _)| *known == lane);
        known.map(|(_, places)| places)
    }
}
