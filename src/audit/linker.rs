//! Chains what was recorded.
//!
//! An action only writes its event down; which one comes before it is decided here, later by a moment, for many at once.
//! Were it decided in the action's own transaction, each would wait until the one before has committed. Here one
//! transaction at a time holds the chain, by a lock that is held by no action, and moves over what is committed:
//!
//! - The order is that in which events were written, among those that can be seen. What is committed late, because its
//!   transaction was long, comes later in the chain than its time says; what began after another was committed comes after
//!   it in any case. No number is used twice and none is left out, since numbers are given as events move.
//! - An event is in one of the two tables at any time. Who is killed in between has moved it or not.
//! - Every instance does it, for its own events at once and every few seconds for those of others that were killed. Who
//!   reads the trail, signs or verifies it, does it first.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::chain::{BEGINNING, Content};
use super::store::{self, Link};
use crate::db::{Db, Error, Topic, Tx};

/// Events that one transaction moves.
const BATCH: u32 = 1_000;
/// Where much happens, so long is waited for more that can be moved together.
const REST: Duration = Duration::from_millis(50);
/// Events of others, who were killed before they could chain them, are looked for this often.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// Before another try at a database that did not answer.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    /// So many were moved, and all that stood when it was begun is.
    Done(usize),
    /// Another is about it.
    Busy,
}

/// Chains all that stands by now, after whoever else is about it; how many events that were.
pub async fn link(db: &Db) -> Result<usize, Error> {
    match link_in_turn(db, true).await? {
        Tried::Done(moved) => Ok(moved),
        Tried::Busy => Ok(0),
    }
}

/// Chains what is recorded until it is asked to stop, and then once more.
pub async fn keep_chained(db: &Db, stop: CancellationToken) {
    let mut is_away = false;
    loop {
        let announced = db.announced(Topic::Audit);
        let rest = match link_in_turn(db, false).await {
            Ok(tried) => {
                if std::mem::take(&mut is_away) {
                    tracing::info!("the audit trail is chained again");
                }
                match tried {
                    Tried::Done(0) => Duration::ZERO,
                    Tried::Done(_) => REST,
                    // What was committed here may be what it did not see any more. Not all in step.
                    Tried::Busy => {
                        let rest = REST.mul_f64(rand::random_range(0.5..1.5));
                        match stop.run_until_cancelled(sleep(rest)).await {
                            Some(()) => continue,
                            None => break,
                        }
                    }
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut is_away, true) {
                    tracing::warn!(%error, "the audit trail can't be chained; its events wait");
                }
                TRY_AGAIN
            }
        };
        let again = LOOK_AGAIN.mul_f64(rand::random_range(0.8..1.2));
        tokio::select! {
            () = stop.cancelled() => break,
            () = async {
                sleep(rest).await;
                tokio::select! {
                    () = announced => {}
                    () = sleep(again) => {}
                }
            } => {}
        }
    }
    if let Err(error) = link(db).await {
        tracing::warn!(%error, "some events of the audit trail wait to be chained by another instance");
    }
}

async fn link_in_turn(db: &Db, waits: bool) -> Result<Tried, Error> {
    // Most looks find nothing; they need no lock, and no connection of their own.
    let Some(newest) = store::newest_pending(db).await? else {
        return Ok(Tried::Done(0));
    };
    let mut moved = 0;
    loop {
        let mut tx = db.begin().await?;
        if waits {
            store::hold_chain(&mut tx).await?;
        } else if !store::try_hold_chain(&mut tx).await? {
            tx.rollback().await;
            return Ok(Tried::Busy);
        }
        // A statement after the one that took the lock: so it sees what the one before had done.
        let waiting = store::pending(&mut tx, BATCH).await?;
        let (count, last) = (waiting.len(), waiting.last().map(|(position, _)| *position));
        move_over(&mut tx, waiting).await?;
        tx.commit().await?;
        moved += count;
        // What comes while this goes on is for the next; else it might never end.
        if count < BATCH as usize || last >= Some(newest) {
            return Ok(Tried::Done(moved));
        }
    }
}

async fn move_over(tx: &mut Tx<'_>, waiting: Vec<(i64, Content)>) -> Result<(), Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    let (mut sequence, mut previous) = match store::last(tx).await? {
        Some(last) => last,
        None => (0, BEGINNING.to_vec()),
    };
    let links: Vec<Link> = waiting
        .into_iter()
        .map(|(position, content)| {
            sequence += 1;
            let hash = content.hash(&previous).to_vec();
            let previous = std::mem::replace(&mut previous, hash.clone());
            Link {
                position,
                sequence,
                previous,
                hash,
            }
        })
        .collect();
    store::link(tx, &links).await?;
    Ok(())
}
