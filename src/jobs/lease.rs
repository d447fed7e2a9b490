//! One try of one job, under its lease: works, proves that it lives, and records what came of it.

use std::time::Duration;

use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::registry::Kind;
use super::runner::Pace;
use super::store::{self, Taken};
use super::{Attempt, Failure};
use crate::db::{Db, Error};
use crate::telemetry::redact;

/// What is kept of an error.
const LONGEST_ERROR: usize = 1_000;
/// How long a handler that was stopped may take to have stopped, before its job may begin elsewhere.
const STOPS_WITHIN: Duration = Duration::from_secs(2);
/// Between two attempts to write down what came of it.
const RECORD_AGAIN: Duration = Duration::from_millis(500);

/// What came of a try.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// To be tried again after this.
    Rests(Duration, String),
    /// The same, and this was no try.
    PutOff(Duration, String),
    Dead(String),
    /// Another has it, or will.
    Lost,
    /// It was stopped for no fault of its own.
    GivenBack,
}

impl Outcome {
    pub fn label(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Rests(..) => "failed",
            Self::PutOff(..) => "put_off",
            Self::Dead(_) => "dead",
            Self::Lost => "lost",
            Self::GivenBack => "given_back",
        }
    }
}

/// Works on a job that was taken just now, and says what came of it, as it was recorded.
pub async fn work(
    db: &Db,
    kind: &Kind,
    pace: &Pace,
    taken: &Taken,
    taken_at: Instant,
    cut: &CancellationToken,
) -> Outcome {
    let outcome = if taken.attempts > kind.attempts {
        // Whoever had it never came to say so: it may be what ends them.
        Outcome::Dead(format!(
            "it was begun {} times and never seen to its end",
            kind.attempts
        ))
    } else {
        attempt(db, kind, pace, taken, taken_at, cut).await
    };
    let patience = match outcome {
        Outcome::GivenBack => STOPS_WITHIN,
        _ => pace.lease,
    };
    match record(db, kind, taken, &outcome, patience).await {
        true => outcome,
        false => Outcome::Lost,
    }
}

async fn attempt(
    db: &Db,
    kind: &Kind,
    pace: &Pace,
    taken: &Taken,
    taken_at: Instant,
    cut: &CancellationToken,
) -> Outcome {
    let is_last = taken.attempts >= kind.attempts;
    let attempt = Attempt {
        job: taken.id,
        number: taken.attempts,
        is_last,
    };
    // A task of its own, so that its panics are its own, and a handler that holds its thread does not hold the lease's.
    let handled = (kind.handler)(taken.payload.clone(), attempt);
    let mut task = Aborted(tokio::spawn(handled.in_current_span()));
    let failed = |failure: Failure| match failure {
        Failure::Passing(error) if !is_last => {
            Outcome::Rests(pace.back_off.after(taken.attempts), kept(&error))
        }
        Failure::Passing(error) | Failure::Final(error) => Outcome::Dead(kept(&error)),
        Failure::NotYet(rest, why) => Outcome::PutOff(rest, kept(&why)),
    };
    let outcome = tokio::select! {
        ended = &mut task.0 => return match ended {
            Ok(Ok(())) => Outcome::Done,
            Ok(Err(failure)) => failed(failure),
            Err(ended) if ended.is_panic() => failed(Failure::Passing(panicked(ended))),
            Err(_) => Outcome::GivenBack,
        },
        () = lose(db, pace, taken, taken_at) => Outcome::Lost,
        () = sleep(kind.limit) => {
            failed(Failure::Passing(format!("it was not done within {:?}", kind.limit)))
        }
        () = cut.cancelled() => Outcome::GivenBack,
    };
    task.0.abort();
    // What it had begun in the database is rolled back as it is dropped.
    let stopped = timeout(STOPS_WITHIN, &mut task.0).await;
    match (stopped, outcome) {
        // It came to its end in the same moment.
        (Ok(Ok(Ok(()))), Outcome::GivenBack | Outcome::Rests(..) | Outcome::Dead(_)) => {
            Outcome::Done
        }
        (_, outcome) => outcome,
    }
}

/// Extends the lease again and again; done when it is lost, or may be because the database has not been heard of.
async fn lose(db: &Db, pace: &Pace, taken: &Taken, taken_at: Instant) {
    let mut held_until = taken_at + pace.lease;
    loop {
        sleep(pace.lease / 3).await;
        let asked = Instant::now();
        let left = held_until.saturating_duration_since(asked);
        match timeout(left, store::keep(db, taken, pace.lease)).await {
            Ok(Ok(true)) => held_until = asked + pace.lease,
            Ok(Ok(false)) | Err(_) => return,
            Ok(Err(error)) => tracing::debug!(%error, "a job's lease could not be extended"),
        }
        if Instant::now() >= held_until {
            return;
        }
    }
}

/// Writes down what came of it; false where the job is not held any more, or nobody could be told.
async fn record(
    db: &Db,
    kind: &Kind,
    taken: &Taken,
    outcome: &Outcome,
    patience: Duration,
) -> bool {
    let until = Instant::now() + patience;
    loop {
        let recorded: Result<bool, Error> = match outcome {
            Outcome::Done => store::finish(db, taken).await,
            Outcome::Rests(rest, error) => store::rest(db, taken, *rest, error).await,
            Outcome::PutOff(rest, why) => store::put_off(db, taken, *rest, why).await,
            Outcome::Dead(error) if kind.is_kept => store::bury(db, taken, error).await,
            Outcome::Dead(_) => store::finish(db, taken).await,
            Outcome::GivenBack => store::give_back(db, taken).await,
            Outcome::Lost => return false,
        };
        match recorded {
            Ok(was_held) => return was_held,
            Err(error) if Instant::now() + RECORD_AGAIN >= until => {
                tracing::warn!(%error, job = %taken.id, "what came of a job could not be recorded; it will run again");
                return false;
            }
            Err(_) => sleep(RECORD_AGAIN).await,
        }
    }
}

/// As much of an error as is kept: nothing secret, and nothing that the database does not take.
fn kept(error: &str) -> String {
    let masked = redact::mask(error);
    masked
        .chars()
        .filter(|c| *c != '\0')
        .take(LONGEST_ERROR)
        .collect()
}

fn panicked(ended: JoinError) -> String {
    let payload = ended.into_panic();
    let said = payload
        .downcast_ref::<&'static str>()
        .map(|said| (*said).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned());
    format!("it panicked: {}", said.unwrap_or_default())
}

/// A handler that does not outlive who waits for it.
struct Aborted(JoinHandle<Result<(), Failure>>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_kept_without_addresses_and_without_end() {
        let error = kept(&format!("ana@example.org refused\0 {}", "x".repeat(5_000)));
        assert!(!error.contains("ana@"), "{error}");
        assert!(!error.contains('\0'));
        assert_eq!(error.chars().count(), LONGEST_ERROR);
    }
}
