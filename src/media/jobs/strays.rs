//! Files that have no row: those of whoever was killed before it was written, or before they were whole.
//!
//! A database that is not the storage's has no row for any of them, so it has to show first that it is: it has an id, and the
//! storage has it written down beside its files, with the number of times that they were looked through. An old copy of the
//! database knows of fewer.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use uuid::Uuid;

use super::{Failures, KEPT, SOME};
use crate::accounts;
use crate::app::App;
use crate::jobs::Failure;
use crate::media::keys::{AUDIO, IMAGE};
use crate::media::store::{self, Kind};
use crate::storage::{Found, Key};

/// So much may the clocks of database and storage differ.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(5);
/// Longer than any upload lasts.
const UNFINISHED_FOR: TimeDelta = TimeDelta::days(2);
/// Stands for a number of turns that no database knows of.
const CONTESTED: &str = "contested";

pub async fn sweep(app: &App) -> Result<(), Failure> {
    // First: a turn that passes in between is the database's, which is never behind what was read then.
    let mark = app.storage.owner().await.map_err(Failure::passing)?;
    let owner = store::owner(&app.db).await?;
    let (id, turn, made_at) = owner.ok_or_else(|| Failure::lasting("`files_owner` has no row"))?;
    let mut failures = Failures::default();
    match mark.as_deref().map(|mark| is_ours(mark, id, turn)) {
        Some(true) => {}
        // Nobody has looked yet. Where each file that is older than this database has a row in it, they are its own.
        None if turn == 0 && !has_strays(app, made_at - CLOCKS_APART).await? => {
            // Before a turn is counted: a database that has one has written that it is the storage's.
            set_owner(app, &format!("{id} 0")).await?;
        }
        _ => {
            // Two that go by one id share the storage: neither deletes anything more until somebody decides whose it is.
            if mark.as_deref().is_some_and(|mark| names(mark, id)) {
                set_owner(app, &format!("{id} {CONTESTED}")).await?;
            }
            tracing::error!(
                written = mark.as_deref().unwrap_or("nothing"),
                "files without a row stay: `_empulse/owner` in the storage does not name this database, or names it as \
                 newer than it is. If all that is stored is this database's, write `{id}` into that file"
            );
            return Ok(());
        }
    }
    // In this order: the storage has never heard of more turns than the database.
    if let Some((id, turn)) = store::count_turn(&app.db).await? {
        set_owner(app, &format!("{id} {turn}")).await?;
    }
    for kind in Kind::ALL {
        delete(app, kind, &mut failures).await?;
    }
    let mut dropped = Ok(());
    for folder in [AUDIO, IMAGE, accounts::EXPORTS] {
        // One bucket may list what another does not.
        dropped = dropped.and(drop_unfinished(app, folder).await);
    }
    failures.told()?;
    dropped
}

async fn set_owner(app: &App, owner: &str) -> Result<(), Failure> {
    let written = app.storage.set_owner(owner.to_owned());
    written.await.map_err(Failure::passing)
}

/// Whether files may go at all: not while the storage names another database or a later time of this one, or no longer names
/// any.
pub async fn is_our_storage(app: &App) -> Result<bool, Failure> {
    let mark = app.storage.owner().await.map_err(Failure::passing)?;
    let Some((id, turn, _)) = store::owner(&app.db).await? else {
        return Ok(false);
    };
    let is_so = match mark.as_deref() {
        Some(mark) => is_ours(mark, id, turn),
        None => turn == 0,
    };
    if !is_so {
        tracing::error!(
            written = mark.as_deref().unwrap_or("nothing"),
            "no file is deleted or read back: `_empulse/owner` in the storage does not name this database, or names a later \
             time of it"
        );
    }
    Ok(is_so)
}

/// By an id, and a number of turns where there is one: who writes it by hand knows of none.
fn is_ours(mark: &str, id: Uuid, turn: i64) -> bool {
    let heard_of = match mark.split_whitespace().nth(1) {
        Some(word) => word.parse().unwrap_or(i64::MAX),
        None => 0,
    };
    names(mark, id) && heard_of <= turn
}

fn names(mark: &str, id: Uuid) -> bool {
    let named = mark.split_whitespace().next();
    named.and_then(|word| Uuid::try_parse(word).ok()) == Some(id)
}

async fn has_strays(app: &App, before: DateTime<Utc>) -> Result<bool, Failure> {
    for kind in Kind::ALL {
        let mut pages = pages(app, kind)?;
        while let Some(mut found) = pages.try_next().await? {
            found.retain(|found| found.modified < before);
            if !without_a_row(app, kind, found).await?.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

async fn delete(app: &App, kind: Kind, failures: &mut Failures) -> Result<(), Failure> {
    let before = app.clock.now() - KEPT;
    let mut pages = pages(app, kind)?;
    while let Some(mut found) = pages.try_next().await? {
        found.retain(|found| found.modified < before);
        for stray in without_a_row(app, kind, found).await? {
            match app.storage.delete(&stray.key).await {
                Ok(()) => tracing::info!(
                    key = stray.key.as_str(),
                    "a file without a row is taken away"
                ),
                Err(error) => failures.add("deleted", &stray.key, &error)?,
            }
        }
    }
    Ok(())
}

/// What whoever was killed had begun to send to a bucket.
async fn drop_unfinished(app: &App, folder: &'static str) -> Result<(), Failure> {
    let before = app.clock.now() - UNFINISHED_FOR;
    let under = Key::new([folder]).map_err(Failure::lasting)?;
    match app.storage.drop_unfinished(&under, before).await {
        Ok(0) => {}
        Ok(dropped) => tracing::info!(
            folder,
            dropped,
            "files that were never whole are taken away"
        ),
        Err(error) if error.may_pass() => return Err(Failure::passing(error)),
        Err(error) => tracing::warn!(
            folder, %error,
            "what was begun in the bucket and never ended can't be listed or taken away; its own rule has to do that"
        ),
    }
    Ok(())
}

type Pages = BoxStream<'static, Result<Vec<Found>, Failure>>;

fn pages(app: &App, kind: Kind) -> Result<Pages, Failure> {
    let folder = match kind {
        Kind::Audio => AUDIO,
        Kind::Image => IMAGE,
    };
    let folder = Key::new([folder]).map_err(Failure::lasting)?;
    let pages = app.storage.list(&folder).try_chunks(SOME as usize);
    Ok(Box::pin(pages.map_err(|error| Failure::passing(error.1))))
}

/// Those of ours that have none, and had none that is still remembered.
async fn without_a_row(app: &App, kind: Kind, found: Vec<Found>) -> Result<Vec<Found>, Failure> {
    let mut ours: Vec<(Uuid, Found)> = found
        .into_iter()
        .filter_map(|found| Some((id_in(&found.key)?, found)))
        .collect();
    let ids: HashSet<Uuid> = ours.iter().map(|(id, _)| *id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let known = store::known(&app.db, kind, ids.into_iter().collect()).await?;
    let known: HashSet<Uuid> = known.into_iter().collect();
    ours.retain(|(id, _)| !known.contains(id));
    Ok(ours.into_iter().map(|(_, found)| found).collect())
}

/// Whose file it is, by its key; nobody's of ours where the key has none.
fn id_in(key: &Key) -> Option<Uuid> {
    let id = key.as_str().split('/').nth(1)?;
    Uuid::try_parse(id)
        .ok()
        .filter(|read| read.simple().to_string() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_ours_by_its_id_and_no_newer_than_we_are() {
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (mark, is_so) in [
            (format!("{id}"), true),
            (format!("{id} 7"), true),
            (format!("{id} 6"), true),
            (format!("{id} 8"), false),
            (format!("{id} {CONTESTED}"), false),
            (format!("{other}"), false),
            (format!("{other} 1"), false),
            (String::new(), false),
            ("yes".into(), false),
        ] {
            assert_eq!(is_ours(&mark, id, 7), is_so, "{mark:?}");
        }
    }
}
