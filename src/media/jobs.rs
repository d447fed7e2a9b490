//! Looking after files: those that nobody has any more go, a day after they were let go of, and those that stay are read
//! back to see that they are still what came in.
//!
//! Rows decide. A file is deleted only once the database has said that it has no row; on any error of the database nothing
//! is. Parts of uploads that were broken off in a bucket are taken away by whoever began them, and after a kill two days later;
//! in a folder by the storage.

mod strays;

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::direct::{self, VerifyDirect};
use super::keys::{audio_key, image_key};
use super::model::{AudioId, ImageId, ImageSize};
use super::store::{self, Kind};
use crate::app::App;
use crate::jobs::{Failure, Job, Lane, Registry};
use crate::storage::{Key, StorageError};

/// So long a copy of the database that is brought back finds its files, and whoever took a file has time to use it.
const KEPT: TimeDelta = TimeDelta::days(1);
/// Within so long each file is read back.
const CHECKED_EVERY: TimeDelta = TimeDelta::days(30);
/// What can't be read back, or is damaged, is tried again after this.
const UNREAD_FOR: TimeDelta = TimeDelta::days(1);
/// So many in one run that can't be read or deleted, and it is no single file: the storage itself is away.
const MOST_FAILED: u32 = 100;
const AN_HOUR: Duration = Duration::from_secs(3600);
const A_DAY: Duration = Duration::from_secs(24 * 3600);
/// What a run of reading back takes at most for each kind of file, so that it is never the most of what the storage does.
const CHECKING: Duration = Duration::from_secs(10 * 60);
const SOME: u32 = 500;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sweep {}

impl Job for Sweep {
    const KIND: &'static str = "media.sweep";
    const LIMIT: Duration = Duration::from_secs(50 * 60);
    const LANE: Lane = Lane::Long;
}

/// Looks through all that is stored for files that have no row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SweepStrays {}

impl Job for SweepStrays {
    const KIND: &'static str = "media.strays";
    const LIMIT: Duration = Duration::from_secs(50 * 60);
    const LANE: Lane = Lane::Long;
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Scrub {}

impl Job for Scrub {
    const KIND: &'static str = "media.scrub";
    const LIMIT: Duration = Duration::from_secs(50 * 60);
    const LANE: Lane = Lane::Long;
}

/// Adds the jobs of files to the list.
pub fn register_jobs(registry: &mut Registry, app: &Arc<App>) {
    let sweeping = Arc::clone(app);
    registry.on(move |_: Sweep, _| {
        let app = Arc::clone(&sweeping);
        async move { sweep(&app).await }
    });
    registry.every("media.sweep", AN_HOUR, Sweep::default);
    let straying = Arc::clone(app);
    registry.on(move |_: SweepStrays, _| {
        let app = Arc::clone(&straying);
        async move { strays::sweep(&app).await }
    });
    registry.every("media.strays", A_DAY, SweepStrays::default);
    let scrubbing = Arc::clone(app);
    registry.on(move |_: Scrub, _| {
        let app = Arc::clone(&scrubbing);
        async move { scrub(&app).await }
    });
    registry.every("media.scrub", AN_HOUR, Scrub::default);
    let verifying = Arc::clone(app);
    registry.on(move |job: VerifyDirect, attempt| {
        let app = Arc::clone(&verifying);
        async move { direct::verify(&app, job, attempt).await }
    });
}

async fn sweep(app: &App) -> Result<(), Failure> {
    if !strays::is_our_storage(app).await? {
        return Ok(());
    }
    let mut failures = Failures::default();
    // First, as what it lets go of is swept by the others, which go on where it fails.
    let ended = direct::sweep(app).await;
    for kind in Kind::ALL {
        delete_unused(app, kind).await?;
        delete_gone(app, kind, &mut failures).await?;
    }
    failures.told()?;
    ended
}

/// Files with which something could not be done: the others go on, and the run has failed at its end.
#[derive(Default)]
struct Failures {
    count: u32,
    last: String,
}

impl Failures {
    /// Whether to go on with the next file.
    fn add(&mut self, what: &str, key: &Key, error: &StorageError) -> Result<(), Failure> {
        tracing::error!(key = key.as_str(), %error, "a file can't be {what}");
        self.count += 1;
        self.last = format!("{key} can't be {what}: {error}");
        match self.count < MOST_FAILED {
            true => Ok(()),
            false => Err(self.as_failure()),
        }
    }

    fn as_failure(&self) -> Failure {
        Failure::passing(format!("{} failed; the last: {}", self.count, self.last))
    }

    fn told(self) -> Result<(), Failure> {
        match self.count {
            0 => Ok(()),
            _ => Err(self.as_failure()),
        }
    }
}

/// Rows that nothing refers to; their files are gone with them, and follow a day later.
async fn delete_unused(app: &App, kind: Kind) -> Result<(), Failure> {
    let before = app.clock.now() - KEPT;
    let mut behind = Uuid::nil();
    while let Some((last, deleted)) =
        store::delete_unused(&app.db, kind, behind, before, SOME).await?
    {
        behind = last;
        if deleted > 0 {
            tracing::info!(?kind, deleted, "files that nobody used are let go of");
        }
    }
    Ok(())
}

async fn delete_gone(app: &App, kind: Kind, failures: &mut Failures) -> Result<(), Failure> {
    store::forget_those_back(&app.db, kind).await?;
    loop {
        let gone = store::gone(&app.db, kind, SOME).await?;
        let is_last = gone.len() < SOME as usize;
        for id in gone {
            match delete_all(app, &keys(kind, id)).await {
                // Last: who is killed in between begins anew.
                Ok(()) => store::forget_gone(&app.db, kind, id).await?,
                Err((key, error)) => {
                    let put_off = store::put_off_gone(&app.db, kind, id).await?;
                    failures.add("deleted", &key, &error)?;
                    put_off
                }
            };
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn delete_all(app: &App, keys: &[Key]) -> Result<(), (Key, StorageError)> {
    for key in keys {
        let deleted = app.storage.delete(key).await;
        deleted.map_err(|error| (key.clone(), error))?;
    }
    Ok(())
}

fn keys(kind: Kind, id: Uuid) -> Vec<Key> {
    match kind {
        Kind::Audio => vec![audio_key(AudioId(id))],
        Kind::Image => {
            let key = |size| image_key(ImageId(id), size);
            ImageSize::ALL.into_iter().map(key).collect()
        }
    }
}

/// Reads back some of what was not for the longest time. What can't be read now is left for another day, so that it holds up
/// no other.
async fn scrub(app: &App) -> Result<(), Failure> {
    // Where it is another's, or is not mounted, each file would be missing.
    if !strays::is_our_storage(app).await? {
        return Ok(());
    }
    let mut failures = Failures::default();
    for kind in Kind::ALL {
        let began = Instant::now();
        'kind: loop {
            let files = store::to_check(&app.db, kind, app.clock.now(), SOME).await?;
            let is_last = files.len() < SOME as usize;
            for (id, sha256) in files {
                if began.elapsed() > CHECKING {
                    tracing::info!(
                        ?kind,
                        "more files are to be read back than fit into one run"
                    );
                    break 'kind;
                }
                check(app, kind, id, &sha256, &mut failures).await?;
            }
            if is_last {
                break;
            }
        }
    }
    failures.told()
}

async fn check(
    app: &App,
    kind: Kind,
    id: Uuid,
    sha256: &[u8],
    failures: &mut Failures,
) -> Result<(), Failure> {
    let is_whole = is_whole(app, kind, id, sha256).await;
    let now = app.clock.now();
    match is_whole {
        Ok(is_whole) => {
            // What is damaged may have been brought back.
            let next = now + if is_whole { CHECKED_EVERY } else { UNREAD_FOR };
            store::was_checked(&app.db, kind, id, is_whole, now, next).await?;
            app.metrics
                .file_checked(if is_whole { "whole" } else { "damaged" });
            if !is_whole {
                tracing::error!(
                    ?kind, %id,
                    "a stored file is missing, or is not what came in; bring it back from a copy"
                );
            }
            Ok(())
        }
        Err((key, error)) => {
            store::was_not_checked(&app.db, kind, id, now + UNREAD_FOR).await?;
            app.metrics.file_checked("unread");
            failures.add("read back", &key, &error)
        }
    }
}

/// Whether it is there and what came in; of a picture, whether its smaller sizes are there too.
async fn is_whole(
    app: &App,
    kind: Kind,
    id: Uuid,
    sha256: &[u8],
) -> Result<bool, (Key, StorageError)> {
    let mut keys = keys(kind, id);
    // The original of a picture is the last.
    let Some(original) = keys.pop() else {
        return Ok(true);
    };
    for key in keys {
        match app.storage.head(&key).await {
            Ok(_) => {}
            Err(StorageError::NotFound) => return Ok(false),
            Err(error) => return Err((key, error)),
        }
    }
    match hash(app, &original).await {
        Ok(hash) => Ok(hash[..] == *sha256),
        Err(StorageError::NotFound) => Ok(false),
        Err(error) => Err((original, error)),
    }
}

async fn hash(app: &App, key: &Key) -> Result<[u8; 32], StorageError> {
    let mut hash = Sha256::new();
    let mut bytes = app.storage.get(key).await?.into_stream();
    while let Some(piece) = bytes.try_next().await? {
        hash.update(&piece);
    }
    Ok(hash.finalize().into())
}
