//! An upload is completed: its parts become a file, which a job then reads back.
//!
//! Joining comes first and may be done again, so whoever is killed in between, or loses the answer, completes it once more.

use super::fault::DirectFault;
use super::model::{DirectStatus, DirectUpload, DirectUploadId, LASTS};
use super::verify::VerifyDirect;
use crate::accounts::{self, Account, Client};
use crate::app::App;
use crate::audit::{self, Event};
use crate::db::Tx;
use crate::media::store;
use crate::storage::{CamePart, NotJoined};

/// Characters of an ETag; S3's have 32, and ours 64.
const LONGEST_ETAG: usize = 200;

/// Completes an upload of the account with the ETags that its parts were answered with. One that was completed is answered
/// as it is by now.
pub async fn complete_direct(
    app: &App,
    account: &Account,
    id: Option<DirectUploadId>,
    etags: &[String],
    client: &Client,
) -> Result<DirectUpload, DirectFault> {
    let id = id.ok_or(DirectFault::Unknown)?;
    let upload = store::direct_of(&app.db, account.id, id).await?;
    let upload = upload.ok_or(DirectFault::Unknown)?;
    match upload.status(app.clock.now()) {
        DirectStatus::Open => {
            let parts = came(&upload, etags)?;
            let (key, handle) = (upload.key(), upload.handle());
            let joined = app.storage.join_parts(&key, &handle, &parts).await;
            joined.map_err(|fault| match fault {
                NotJoined::Incomplete => DirectFault::Incomplete,
                NotJoined::Storage(error) => error.into(),
            })?;
        }
        // Whoever verified it may have been killed, as often as it is tried.
        DirectStatus::Verifying => {}
        DirectStatus::Ready => return Ok(upload),
        DirectStatus::Failed | DirectStatus::Expired => return Err(not_now(&upload)),
    }
    let mut tx = app.db.begin().await?;
    match write(&mut tx, app, account, id, client).await {
        Ok(upload) => {
            tx.commit().await?;
            Ok(upload)
        }
        Err(fault) => {
            tx.rollback().await;
            Err(fault)
        }
    }
}

/// Of two that complete it at once, the second finds it completed.
async fn write(
    tx: &mut Tx<'_>,
    app: &App,
    account: &Account,
    id: DirectUploadId,
    client: &Client,
) -> Result<DirectUpload, DirectFault> {
    let account = accounts::hold_artist(tx, account.id).await?;
    let now = app.clock.now();
    let completed = store::direct_came(tx, account.id, id, now, now + LASTS).await?;
    if completed {
        let event = Event::new("upload.completed", &client.by(account.id), now).about(id);
        audit::record(tx, event).await?;
    }
    let upload = store::direct_now(tx, account.id, id).await?;
    let upload = upload.ok_or(DirectFault::Unknown)?;
    match upload.status(now) {
        DirectStatus::Verifying => VerifyDirect::enqueue(tx, id, client).await?,
        DirectStatus::Ready => {}
        DirectStatus::Open | DirectStatus::Failed | DirectStatus::Expired => {
            return Err(not_now(&upload));
        }
    }
    Ok(upload)
}

/// The parts as their sender knows them.
fn came(upload: &DirectUpload, etags: &[String]) -> Result<Vec<CamePart>, DirectFault> {
    let lengths = upload.lengths();
    if etags.len() != lengths.len() {
        return Err(DirectFault::Etags {
            parts: lengths.len(),
            etags: etags.len(),
        });
    }
    let parts = lengths.iter().zip(etags).map(|(length, etag)| {
        let etag = plain(etag).ok_or(DirectFault::Incomplete)?;
        Ok(CamePart {
            length: *length,
            etag: etag.to_owned(),
        })
    });
    parts.collect()
}

/// Without the quotes that it has in its header, which some clients take away.
fn plain(etag: &str) -> Option<&str> {
    let etag = etag.trim();
    let quoted = etag
        .strip_prefix('"')
        .and_then(|etag| etag.strip_suffix('"'));
    let etag = quoted.unwrap_or(etag);
    let is_plain = (1..=LONGEST_ETAG).contains(&etag.len())
        && etag
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'"');
    is_plain.then_some(etag)
}

/// Why it can't be completed any more.
pub fn not_now(upload: &DirectUpload) -> DirectFault {
    match upload.failure {
        Some(failure) => DirectFault::Failed(failure),
        None => DirectFault::NotNow("This upload has expired; begin another."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_is_read_with_its_quotes_and_without() {
        for text in ["abc-1", "\"abc-1\"", " \"abc-1\" "] {
            assert_eq!(plain(text), Some("abc-1"), "{text}");
        }
        let long = "a".repeat(LONGEST_ETAG + 1);
        for text in [
            "", "\"\"", "\"", "a\"b", "W/\"a\"", "é", "a b", "a\nb", &long,
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }
}
