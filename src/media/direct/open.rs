//! An upload is opened: what can be wrong with the file is found before anything of it comes, as far as that is known.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::fault::DirectFault;
use super::model::{
    DirectStatus, DirectUpload, DirectUploadId, LASTS, MOST_OPEN, OpenUploads, PART,
};
use crate::accounts::{self, Account, Client, Uploading};
use crate::app::App;
use crate::audit::{self, Event};
use crate::db::Tx;
use crate::media::checksum::Checksum;
use crate::media::intake::{IntakeFault, LARGEST_AUDIO, quota};
use crate::media::store;
use crate::storage::ContentType;

const LONGEST_NAME: usize = 255;

/// What is said of a file, as it was sent. Its name and type prove nothing, and nothing is kept of them.
pub struct DirectForm {
    pub file_name: String,
    pub content_type: String,
    pub byte_size: i64,
    /// In hexadecimal digits.
    pub sha256: Option<String>,
}

/// Opens an upload, whose parts may then be sent for a day.
pub async fn open_direct(
    app: &App,
    account: &Account,
    form: DirectForm,
    client: &Client,
) -> Result<DirectUpload, DirectFault> {
    let size = form.check()?;
    let sha256 = form.sha256.as_deref().map(str::parse::<Checksum>);
    let sha256 = sha256.transpose()?;
    let now = app.clock.now();
    let open = store::open_directs(&app.db, account.id, now).await?;
    let taken = store::taken(&app.db, account.id).await?;
    fits(account, taken, open, size)?;
    accounts::charge_upload(app, account, Uploading::DirectUpload).await?;
    let mut upload = DirectUpload {
        id: DirectUploadId(Uuid::now_v7()),
        account_id: Some(account.id),
        written: DirectStatus::Open,
        handle: String::new(),
        byte_size: form.byte_size,
        part_size: PART,
        sha256: sha256.map(|Checksum(sha256)| sha256.to_vec()),
        failure: None,
        claimed_at: None,
        expires_at: now + LASTS,
    };
    let key = upload.key();
    upload.handle = app.storage.begin_parts(&key).await?.0;
    let by = client.by(account.id);
    let event = Event::new("upload.opened", &by, now)
        .about(upload.id)
        .detail("byteSize", upload.byte_size);
    match written(app, account, &upload, now, event).await {
        // Where the answer is lost it may stand or not: what was begun for it goes only where it does not.
        Ok(tx) => tx.commit().await?,
        Err(fault) => {
            if let Err(error) = app.storage.drop_parts(&key, &upload.handle()).await {
                tracing::warn!(%error, "an upload that was not opened stays in the storage for a while");
            }
            return Err(fault);
        }
    }
    Ok(upload)
}

async fn written<'a>(
    app: &'a App,
    account: &Account,
    upload: &DirectUpload,
    now: DateTime<Utc>,
    event: Event,
) -> Result<Tx<'a>, DirectFault> {
    let mut tx = app.db.begin().await?;
    match insert(&mut tx, account, upload, now, event).await {
        Ok(()) => Ok(tx),
        Err(fault) => {
            tx.rollback().await;
            Err(fault)
        }
    }
}

impl DirectForm {
    fn check(&self) -> Result<u64, DirectFault> {
        let length = self.file_name.trim().chars().count();
        if length == 0 {
            return Err(DirectFault::NoName);
        }
        if length > LONGEST_NAME {
            return Err(DirectFault::LongName { most: LONGEST_NAME });
        }
        if !may_be_music(&self.content_type) {
            return Err(DirectFault::NoMusic);
        }
        let fault = match u64::try_from(self.byte_size) {
            Ok(1..=LARGEST_AUDIO) => return Ok(self.byte_size.unsigned_abs()),
            Ok(0) | Err(_) => IntakeFault::Empty,
            Ok(_) => IntakeFault::TooLarge {
                most: LARGEST_AUDIO,
            },
        };
        Err(DirectFault::File("byteSize", fault))
    }
}

/// Some systems know no better than that it is bytes.
fn may_be_music(content_type: &str) -> bool {
    let Some(read) = ContentType::read(content_type.trim()) else {
        return false;
    };
    let essence = read.as_str().split(';').next().unwrap_or_default();
    let essence = essence.trim_end().to_ascii_lowercase();
    essence.starts_with("audio/")
        || matches!(&*essence, "application/ogg" | "application/octet-stream")
}

/// What is open has its room already, so that nobody sends a gigabyte for which there is none in the end.
fn fits(account: &Account, taken: u64, open: OpenUploads, size: u64) -> Result<(), DirectFault> {
    if open.count >= MOST_OPEN {
        return Err(DirectFault::TooMany);
    }
    let most = quota(account.tier);
    match taken.saturating_add(open.bytes).saturating_add(size) > most {
        true => Err(DirectFault::File("byteSize", IntakeFault::NoRoom { most })),
        false => Ok(()),
    }
}

/// Of two that are opened at once, one counts the other.
async fn insert(
    tx: &mut Tx<'_>,
    account: &Account,
    upload: &DirectUpload,
    now: DateTime<Utc>,
    event: Event,
) -> Result<(), DirectFault> {
    let account = accounts::hold_artist(tx, account.id).await?;
    let open = store::open_directs_now(tx, account.id, now).await?;
    let taken = store::taken_now(tx, account.id).await?;
    fits(&account, taken, open, upload.byte_size.unsigned_abs())?;
    store::insert_direct(tx, upload, now).await?;
    audit::record(tx, event).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_that_it_is_no_music_is_refused() {
        for right in [
            "audio/wav",
            "Audio/MPEG",
            " audio/ogg; codecs=opus ",
            "application/ogg",
            "application/octet-stream",
        ] {
            assert!(may_be_music(right), "{right}");
        }
        for wrong in [
            "",
            "audio",
            "audio/",
            "image/png",
            "video/mp4",
            "text/plain; a=audio/wav",
        ] {
            assert!(!may_be_music(wrong), "{wrong}");
        }
    }
}
