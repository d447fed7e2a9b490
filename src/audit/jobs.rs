//! What is done for the trail every hour. The chain's head is signed and put where the database's owner does
//! not reach, under a name of its own.

use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::erase::{erase_late, erase_nobodys};
use super::heads::{Head, HeadFault, SignedHead, hex};
use super::verify::FoundHead;
use super::{linker, store};
use crate::app::App;
use crate::jobs::{Failure, Job, Registry};
use crate::storage::{ContentType, Facts, Key, KeyError, Storage, StorageError};

const EVERY_HOUR: Duration = Duration::from_secs(60 * 60);
const FOLDER: [&str; 2] = ["audit", "heads"];
/// More than any has.
const LARGEST: u64 = 4_096;
/// Heads that are fetched at once.
const AT_ONCE: usize = 16;

/// Signs the head as it is when this runs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SignHead {}

impl Job for SignHead {
    const KIND: &'static str = "audit.sign_head";
}

/// Erases what came late of those who are erased, and what is of nobody once it is old.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct EraseLate {}

impl Job for EraseLate {
    const KIND: &'static str = "audit.erase_late";
}

/// Adds the jobs of the trail to the list.
pub fn register_jobs(registry: &mut Registry, app: &Arc<App>) {
    let signing = Arc::clone(app);
    registry.on(move |_: SignHead, _| {
        let app = Arc::clone(&signing);
        async move { sign_head(&app).await }
    });
    let erasing = Arc::clone(app);
    registry.on(move |_: EraseLate, _| {
        let app = Arc::clone(&erasing);
        async move {
            erase_late(&app.db, app.clock.now()).await?;
            erase_nobodys(&app.db, app.clock.now()).await?;
            Ok(())
        }
    });
    registry.every("audit.erase_late", EVERY_HOUR, EraseLate::default);
    registry.every("audit.sign_head", EVERY_HOUR, SignHead::default);
}

async fn sign_head(app: &App) -> Result<(), Failure> {
    linker::link(&app.db).await?;
    let Some((sequence, hash)) = store::head(&app.db).await? else {
        return Ok(());
    };
    let head = Head {
        sequence,
        hash: hex(&hash),
        count: sequence,
        signed_at: app.clock.now(),
    };
    let key = place_of(&head).map_err(Failure::lasting)?;
    let signed = SignedHead::sign(&app.keys, &head).and_then(|signed| signed.to_bytes());
    let signed = signed.map_err(Failure::lasting)?;
    let facts = Facts::of(ContentType::JSON);
    let kept = app.storage.put(&key, signed, &facts).await;
    kept.map_err(Failure::passing)?;
    tracing::info!(sequence, %key, "signed the head of the audit trail");
    Ok(())
}

/// In the order of their making. None is ever written twice: another try gets another name.
fn place_of(head: &Head) -> Result<Key, KeyError> {
    let day = head.signed_at.format("%Y-%m-%d").to_string();
    let name = format!(
        "{}-{:020}-{}.json",
        head.signed_at.format("%H%M%S"),
        head.sequence,
        Uuid::now_v7().simple()
    );
    Key::new([FOLDER[0], FOLDER[1], &day, &name])
}

/// All heads that there are.
pub async fn found_heads(storage: &Storage) -> Result<Vec<FoundHead>, StorageError> {
    let folder = Key::new(FOLDER).map_err(|error| StorageError::Refused(error.to_string()))?;
    storage
        .list(&folder)
        .map_ok(|found| async move {
            let signed = match fetch(storage, &found.key).await {
                Ok(bytes) => SignedHead::read(&bytes),
                // It is there, and is no head of ours.
                Err(StorageError::TooLarge { .. }) => Err(HeadFault::Unread),
                Err(error) => return Err(error),
            };
            Ok(FoundHead {
                place: found.key.to_string(),
                signed,
            })
        })
        .try_buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

async fn fetch(storage: &Storage, key: &Key) -> Result<bytes::Bytes, StorageError> {
    storage.get(key).await?.into_bytes(LARGEST).await
}
