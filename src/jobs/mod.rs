//! Work that goes on after an answer.
//!
//! A job is enqueued in the transaction of the action that wants it, so it is done if that stands and not otherwise.
//! [`Runner`]s of any number of instances take what is due, one each: they lease a job by a statement and hold no
//! transaction while it works, prove every few seconds that they live, and leave it to another when they do not. So a
//! job runs *at least* once; what must not be done twice is told apart by something that stays the same at each try,
//! such as an id in the payload.
//!
//! - What fails is tried again, later each time; what has failed too often, or can't be mended by trying, is dead: it
//!   stays in the table with its error.
//! - A payload is ids and little else, as JSON. Instances of two releases live side by side, so a field that is new has
//!   `#[serde(default)]`, and one that is gone is ignored. What can't be read is dead at once. A kind that this release
//!   does not know is left to those that do.
//! - What takes long has places of its own ([`Lane`]), so that nothing waits behind it that is soon done.
//! - Time is the database's, so that the machines' clocks need not agree.

mod back_off;
mod enqueue;
mod lane;
mod lease;
mod registry;
mod runner;
mod store;
mod wake;

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::back_off::BackOff;
pub use self::enqueue::{New, enqueue};
pub use self::lane::Lane;
pub use self::registry::Registry;
pub use self::runner::{Pace, Runner};
pub use self::store::{forget_about, forget_dead, is_wanted};
use crate::typed_id;

typed_id!(JobId, "job");

/// Something to be done; its fields are the payload.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Names it in the table and the metrics. As public as a column's name: jobs that wait are found by it.
    const KIND: &'static str;
    /// How often it is tried before it is given up.
    const ATTEMPTS: u32 = 10;
    /// How long one try may take.
    const LIMIT: Duration = Duration::from_secs(60);
    /// Whose places it takes.
    const LANE: Lane = Lane::Short;
    /// Whether it stays in the table, with its error, once it was given up. Not what nobody may keep for so long.
    const IS_KEPT: bool = true;
}

/// One try of a job.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    pub job: JobId,
    /// From 1.
    pub number: u32,
    /// Whether a failure now is the last.
    pub is_last: bool,
}

/// Why a try did not succeed. The words go into the table and the log, where addresses and secrets are masked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// May pass: tried again later.
    #[error("{0}")]
    Passing(String),
    /// Trying again is of no use.
    #[error("{0}")]
    Final(String),
    /// Nothing failed, it is too early: this was no try, and the next is so much later.
    #[error("{1}")]
    NotYet(Duration, String),
}

impl Failure {
    pub fn passing(error: impl Display) -> Self {
        Self::Passing(format!("{error:#}"))
    }

    pub fn lasting(error: impl Display) -> Self {
        Self::Final(format!("{error:#}"))
    }
}

impl From<crate::db::Error> for Failure {
    fn from(error: crate::db::Error) -> Self {
        Self::passing(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::passing(error)
    }
}
