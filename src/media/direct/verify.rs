//! What came of an upload is read back: whether it is all of it, what was promised, and music. Then it has a row like any
//! other file, if there is room for it by then. May be done any number of times, and be broken off anywhere.

use std::time::Duration;

use futures_util::TryStreamExt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::model::{DirectFailure, DirectStatus, DirectUpload, DirectUploadId, LASTS};
use crate::accounts::{self, Client};
use crate::app::App;
use crate::db::{Error, Tx};
use crate::jobs::{Attempt, Failure, Job, Lane, New};
use crate::media::intake::quota;
use crate::media::kind::{AudioKind, HEAD};
use crate::media::model::Audio;
use crate::media::store;
use crate::storage::StorageError;

/// Has an upload verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyDirect {
    upload: DirectUploadId,
}

impl Job for VerifyDirect {
    const KIND: &'static str = "media.verify_direct";
    // The largest file takes a slow bucket some minutes.
    const LIMIT: Duration = Duration::from_secs(60 * 60);
    const LANE: Lane = Lane::Reading;
    // A storage that is away for some hours costs nobody their upload.
    const ATTEMPTS: u32 = 20;
}

impl VerifyDirect {
    /// By which it is known whether it is still to be done.
    pub fn key(upload: DirectUploadId) -> String {
        upload.to_string()
    }

    /// Asks for it, where it is not asked for already.
    pub async fn enqueue(
        tx: &mut Tx<'_>,
        upload: DirectUploadId,
        client: &Client,
    ) -> Result<(), Error> {
        let new = New::of(&Self { upload })?
            .unique(Self::key(upload))
            .caused_by(client.correlation_id.as_str());
        new.enqueue(tx).await?;
        Ok(())
    }
}

/// What was found in the storage.
struct Read {
    kind: AudioKind,
    sha256: [u8; 32],
}

pub async fn verify(app: &App, job: VerifyDirect, attempt: Attempt) -> Result<(), Failure> {
    let Some(upload) = store::any_direct(&app.db, job.upload).await? else {
        return Ok(());
    };
    if upload.written != DirectStatus::Verifying {
        return Ok(());
    }
    let read = match read_back(app, &upload).await {
        Ok(Ok(read)) => read,
        Ok(Err(failure)) => return fail(app, &upload, failure).await,
        Err(error) if attempt.is_last => {
            fail(app, &upload, DirectFailure::NotRead).await?;
            // The job is given up with what kept it from its end, for whoever looks after the service.
            return Err(Failure::passing(error));
        }
        Err(error) => return Err(Failure::passing(error)),
    };
    let mut tx = app.db.begin().await?;
    match keep(&mut tx, app, &upload, read).await {
        Ok(Some(failure)) => {
            tx.rollback().await;
            fail(app, &upload, failure).await
        }
        Ok(None) => Ok(tx.commit().await?),
        Err(error) => {
            tx.rollback().await;
            Err(error.into())
        }
    }
}

async fn read_back(
    app: &App,
    upload: &DirectUpload,
) -> Result<Result<Read, DirectFailure>, StorageError> {
    // It was joined; where it is not found it may not be mounted here.
    let got = app.storage.get(&upload.key()).await?;
    if got.found.size != upload.byte_size.unsigned_abs() {
        return Ok(Err(DirectFailure::Incomplete));
    }
    let (mut head, mut hash) = (Vec::with_capacity(HEAD), Sha256::new());
    let mut kind = None;
    let mut bytes = got.into_stream();
    while let Some(piece) = bytes.try_next().await? {
        hash.update(&piece);
        if head.len() < HEAD {
            let more = piece.len().min(HEAD - head.len());
            head.extend_from_slice(&piece[..more]);
            // What is no music need not be read to its end.
            if head.len() == HEAD {
                kind = AudioKind::of(&head);
                if kind.is_none() {
                    return Ok(Err(DirectFailure::Unsupported));
                }
            }
        }
    }
    let Some(kind) = kind.or_else(|| AudioKind::of(&head)) else {
        return Ok(Err(DirectFailure::Unsupported));
    };
    let sha256: [u8; 32] = hash.finalize().into();
    let promised = upload.sha256.as_ref();
    Ok(
        match promised.is_some_and(|promised| **promised != sha256) {
            true => Err(DirectFailure::ChecksumMismatch),
            false => Ok(Read { kind, sha256 }),
        },
    )
}

/// Gives it its row; or says why it has none, where that will not change.
async fn keep(
    tx: &mut Tx<'_>,
    app: &App,
    upload: &DirectUpload,
    read: Read,
) -> Result<Option<DirectFailure>, Error> {
    let held = match upload.account_id {
        Some(account) => accounts::hold_in_use(tx, account).await?,
        None => None,
    };
    // Whoever left it will not hand it in.
    let Some(account) = held else {
        return Ok(Some(DirectFailure::NotRead));
    };
    let now = app.clock.now();
    if !store::direct_is_ready(tx, upload.id, now + LASTS).await? {
        return Ok(None);
    }
    let taken = store::taken_now(tx, account.id).await?;
    if taken.saturating_add(upload.byte_size.unsigned_abs()) > quota(account.tier) {
        return Ok(Some(DirectFailure::NoRoom));
    }
    let audio = Audio {
        id: upload.audio(),
        account_id: Some(account.id),
        content_type: read.kind.content_type().as_str().to_owned(),
        byte_size: upload.byte_size,
        sha256: read.sha256.to_vec(),
        received_at: now,
    };
    store::insert_audio(tx, &audio).await?;
    Ok(None)
}

/// Its file goes where it failed; what can't be deleted now is swept in a day.
async fn fail(app: &App, upload: &DirectUpload, failure: DirectFailure) -> Result<(), Failure> {
    if store::direct_failed(&app.db, upload.id, failure).await?
        && let Err(error) = app.storage.delete(&upload.key()).await
    {
        tracing::warn!(%error, "a file that can't be used stays for now; it is swept in a day");
    }
    Ok(())
}
