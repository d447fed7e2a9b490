//! Erasing what is personal. What happened stays in the chain; of whom, nobody can tell any more.

use std::fmt::Display;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::event::{By, Event};
use super::{record, record_all, store};
use crate::db::id::TypedId;
use crate::db::{Db, Error, Tx};

/// What is personal of somebody was erased. By this a part that was erased is told from one that was made away with.
pub const ERASED: &str = "personal.erased";
/// Says of an erasure that the account goes on, with what is personal of somebody else.
const GOES_ON: &str = "goesOn";
/// So much is deleted by one statement.
const AT_ONCE: u32 = 1_000;
/// What was on its way while an account was erased has come by then, and been looked for, whatever stood still.
const LATE: TimeDelta = TimeDelta::days(90);

/// What is personal of nobody who is known goes after this: tries to sign in by an address that nobody has, and what
/// administrators looked for.
pub const KEPT_OF_NOBODY: TimeDelta = TimeDelta::days(30);

/// Deletes what is personal in all events by or about an account, and records that it was. Says how much there was; with
/// nothing, nothing is recorded, so that it can be done again.
pub async fn erase_personal<I: TypedId + Display>(
    tx: &mut Tx<'_>,
    account: I,
    at: DateTime<Utc>,
) -> Result<usize, Error> {
    erase(tx, account.uuid(), account.to_string(), at).await
}

/// Records with what an account begins, which may have been begun by somebody else before: what is personal of them goes.
/// By the same statements whether or not there was anything, so that nobody can tell by a clock.
pub async fn begin_anew<I: TypedId + Display>(
    tx: &mut Tx<'_>,
    account: I,
    begins: Event,
    at: DateTime<Utc>,
) -> Result<(), Error> {
    let person = account.uuid();
    let erased = erase_parts(tx, person).await?;
    let told = (erased > 0).then(|| {
        let event = erasure(person, account.to_string(), erased, at);
        event.detail(GOES_ON, true)
    });
    record_all(tx, told.into_iter().chain([begins]).collect()).await
}

async fn erase(
    tx: &mut Tx<'_>,
    person: Uuid,
    called: String,
    at: DateTime<Utc>,
) -> Result<usize, Error> {
    let erased = erase_parts(tx, person).await?;
    if erased > 0 {
        record(tx, erasure(person, called, erased, at)).await?;
    }
    Ok(erased)
}

async fn erase_parts(tx: &mut Tx<'_>, person: Uuid) -> Result<usize, Error> {
    let mut erased = 0;
    loop {
        let some = store::erase(tx, person, AT_ONCE).await?;
        erased += some;
        if some < AT_ONCE as usize {
            return Ok(erased);
        }
    }
}

fn erasure(person: Uuid, called: String, parts: usize, at: DateTime<Utc>) -> Event {
    let event = Event::new(ERASED, &By::default(), at).called(called);
    event.concerning(person).detail("parts", parts)
}

/// Somebody may try to sign in to an account in the moment in which it is erased. What came of that is erased as well.
pub async fn erase_late(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    for (person, called) in store::erased_with_more(db, ERASED, GOES_ON, now - LATE).await? {
        let mut tx = db.begin().await?;
        erase(&mut tx, person, called, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// Deletes what is personal of nobody who is known and old enough, and records that it was.
pub async fn erase_nobodys(db: &Db, now: DateTime<Utc>) -> Result<(), Error> {
    let until = now - KEPT_OF_NOBODY;
    loop {
        let mut tx = db.begin().await?;
        let some = store::erase_nobodys(&mut tx, until, AT_ONCE).await?;
        if some > 0 {
            let event = Event::new(ERASED, &By::default(), now).detail("parts", some);
            record(&mut tx, event).await?;
        }
        tx.commit().await?;
        // Where the oldest are not old enough, none is.
        if some == 0 {
            return Ok(());
        }
    }
}
