//! What is done for which kind of job, and what is done every so often.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use serde_json::Value;

use super::enqueue::New;
use super::{Attempt, Failure, Job, Lane};
use crate::db::Error;

type Handler = Arc<dyn Fn(Value, Attempt) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync>;

/// A kind of job, as the runner sees it.
pub(super) struct Kind {
    pub attempts: u32,
    pub limit: Duration,
    pub is_kept: bool,
    pub lane: Lane,
    pub handler: Handler,
}

pub(super) struct Schedule {
    pub name: &'static str,
    pub interval: Duration,
    pub make: Box<dyn Fn() -> Result<New, Error> + Send + Sync>,
}

/// All that a runner can do.
#[derive(Default)]
pub struct Registry {
    pub(super) kinds: HashMap<&'static str, Kind>,
    pub(super) schedules: Vec<Schedule>,
}

impl Registry {
    /// Says what is done for a job of the type `J`. What the handler needs, it captures.
    pub fn on<J, H, F>(&mut self, handler: H) -> &mut Self
    where
        J: Job,
        H: Fn(J, Attempt) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let handler: Handler =
            Arc::new(
                move |payload, attempt| match serde_json::from_value(payload) {
                    Ok(job) => handler(job, attempt).boxed(),
                    Err(error) => {
                        let unread = format!("its payload can't be read: {error}");
                        std::future::ready(Err(Failure::Final(unread))).boxed()
                    }
                },
            );
        let kind = Kind {
            attempts: J::ATTEMPTS.max(1),
            limit: J::LIMIT,
            is_kept: J::IS_KEPT,
            lane: J::LANE,
            handler,
        };
        let known = self.kinds.insert(J::KIND, kind);
        debug_assert!(known.is_none(), "two handlers for {}", J::KIND);
        self
    }

    /// Asks for a job once in each slot of so long, over all instances. Slots are counted from 1970, so they begin on the
    /// hour where the interval is one. A slot is left out while the job of the last one still waits or runs.
    pub fn every<J: Job>(
        &mut self,
        name: &'static str,
        interval: Duration,
        make: impl Fn() -> J + Send + Sync + 'static,
    ) -> &mut Self {
        self.schedules.push(Schedule {
            name,
            interval: interval.max(Duration::from_secs(1)),
            make: Box::new(move || Ok(New::of(&make())?.unique(format!("every:{name}")))),
        });
        self
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.kinds.keys().map(|kind| (*kind).to_owned()).collect()
    }

    pub(super) fn names_of(&self, lane: Lane) -> Vec<String> {
        let kinds = self.kinds.iter().filter(|(_, kind)| kind.lane == lane);
        kinds.map(|(name, _)| (*name).to_owned()).collect()
    }
}
