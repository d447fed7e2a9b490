//! Asking for a job.

use std::time::Duration;

use diesel::result::Error as DieselError;
use serde_json::Value;
use uuid::Uuid;

use super::{Job, JobId, store};
use crate::db::{Error, Topic, Tx};

/// Asks for a job, to be done as soon as the transaction stands.
pub async fn enqueue(tx: &mut Tx<'_>, job: &impl Job) -> Result<JobId, Error> {
    let new = New::of(job)?;
    let id = new.id;
    new.enqueue(tx).await?;
    Ok(id)
}

/// A job that is to be asked for, where more is to be said of it than what it is.
pub struct New {
    pub(super) id: JobId,
    pub(super) kind: &'static str,
    pub(super) payload: Value,
    pub(super) unique_key: Option<String>,
    pub(super) rest: Duration,
    pub(super) correlation_id: Option<String>,
}

impl New {
    pub fn of<J: Job>(job: &J) -> Result<Self, Error> {
        let payload = serde_json::to_value(job)
            .map_err(|error| DieselError::SerializationError(Box::new(error)))?;
        Ok(Self::with_payload(J::KIND, payload))
    }

    pub(super) fn with_payload(kind: &'static str, payload: Value) -> Self {
        Self {
            id: JobId(Uuid::now_v7()),
            kind,
            payload,
            unique_key: None,
            rest: Duration::ZERO,
            correlation_id: None,
        }
    }

    /// Not asked for while another of this kind and key waits or runs.
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique_key = Some(key.into());
        self
    }

    /// Not before this has passed, by the database's clock.
    pub fn after(mut self, rest: Duration) -> Self {
        self.rest = rest;
        self
    }

    /// The request that wants it, for the log.
    pub fn caused_by(mut self, correlation_id: impl Into<String>) -> Self {
        self.correlation_id = Some(correlation_id.into());
        self
    }

    /// None where another is there already ([`Self::unique`]).
    pub async fn enqueue(self, tx: &mut Tx<'_>) -> Result<Option<JobId>, Error> {
        let made = store::insert(tx, self).await?;
        if made.is_some() {
            tx.announce(Topic::Jobs);
        }
        Ok(made)
    }
}
