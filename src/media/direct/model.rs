//! The rows and words of direct uploads.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::Queryable;

use crate::accounts::AccountId;
use crate::app::App;
use crate::media::keys::audio_key;
use crate::media::model::AudioId;
use crate::storage::{Handle, Key, StorageError};
use crate::{stored_enum, typed_id};

typed_id!(DirectUploadId, "direct_upload");

/// So long its parts may come, and so long it may be handed in once it was verified.
pub const LASTS: TimeDelta = TimeDelta::days(1);
/// Bytes of each part but the last: the largest file has 64.
pub const PART: i64 = 16 << 20;
/// Of an account, at once.
pub const MOST_OPEN: i64 = 10;

stored_enum!(
    /// How far an upload has come.
    DirectStatus {
        /// Its parts may come.
        Open = "OPEN",
        /// Its parts are a file, which is read back.
        Verifying = "VERIFYING",
        Ready = "READY",
        Failed = "FAILED",
        Expired = "EXPIRED",
    }
);

stored_enum!(
    /// Why what came can't be used.
    DirectFailure {
        Incomplete = "INCOMPLETE",
        Unsupported = "UNSUPPORTED",
        ChecksumMismatch = "CHECKSUM_MISMATCH",
        NoRoom = "NO_ROOM",
        /// Nobody could read it back.
        NotRead = "NOT_READ",
    }
);

#[derive(Debug, Clone, Queryable)]
pub struct DirectUpload {
    pub id: DirectUploadId,
    /// Whose it is; nobody's once they are erased.
    pub account_id: Option<AccountId>,
    /// As it was written; [`Self::status`] knows what time it is.
    pub(in crate::media) written: DirectStatus,
    pub(in crate::media) handle: String,
    pub byte_size: i64,
    pub part_size: i64,
    pub(in crate::media) sha256: Option<Vec<u8>>,
    pub(in crate::media) failure: Option<DirectFailure>,
    pub(in crate::media) claimed_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

/// The uploads of an account that may come or are read back.
#[derive(Debug, Clone, Copy)]
pub struct OpenUploads {
    pub count: i64,
    pub bytes: u64,
}

/// A part of an upload, and where it is to be sent.
#[derive(Debug, Clone)]
pub struct DirectPart {
    pub number: u32,
    pub byte_size: i64,
    pub url: url::Url,
}

impl DirectUpload {
    pub fn status(&self, now: DateTime<Utc>) -> DirectStatus {
        let may_expire = match self.written {
            DirectStatus::Open => true,
            DirectStatus::Ready => self.claimed_at.is_none(),
            DirectStatus::Verifying | DirectStatus::Failed | DirectStatus::Expired => false,
        };
        match may_expire && self.expires_at <= now {
            true => DirectStatus::Expired,
            false => self.written,
        }
    }

    /// Of the file that it becomes.
    pub(in crate::media) fn audio(&self) -> AudioId {
        AudioId(self.id.0)
    }

    pub(in crate::media) fn key(&self) -> Key {
        audio_key(self.audio())
    }

    pub(in crate::media) fn handle(&self) -> Handle {
        Handle(self.handle.clone())
    }

    /// How long each part is, in their order.
    pub(in crate::media) fn lengths(&self) -> Vec<u64> {
        let (whole, part) = (self.byte_size.unsigned_abs(), self.part_size.unsigned_abs());
        let begins = (0..whole).step_by(usize::try_from(part).unwrap_or(usize::MAX).max(1));
        begins.map(|begin| part.min(whole - begin)).collect()
    }

    /// Its parts with addresses that are signed anew; none where no part can come any more.
    pub async fn parts(&self, app: &App) -> Result<Vec<DirectPart>, StorageError> {
        if self.status(app.clock.now()) != DirectStatus::Open {
            return Ok(Vec::new());
        }
        let (key, handle, lengths) = (self.key(), self.handle(), self.lengths());
        let addresses = app
            .storage
            .part_addresses(&key, &handle, &lengths, self.expires_at);
        let parts = (1..).zip(&lengths).zip(addresses.await?);
        let parts = parts.map(|((number, length), url)| DirectPart {
            number,
            byte_size: i64::try_from(*length).unwrap_or(i64::MAX),
            url,
        });
        Ok(parts.collect())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn upload(byte_size: i64) -> DirectUpload {
        DirectUpload {
            id: DirectUploadId(Uuid::nil()),
            account_id: None,
            written: DirectStatus::Open,
            handle: String::new(),
            byte_size,
            part_size: PART,
            sha256: None,
            failure: None,
            claimed_at: None,
            expires_at: DateTime::UNIX_EPOCH + LASTS,
        }
    }

    #[test]
    fn parts_are_of_one_length_but_the_last() {
        let part = PART.unsigned_abs();
        for (size, lengths) in [
            (1, vec![1]),
            (PART - 1, vec![part - 1]),
            (PART, vec![part]),
            (PART + 1, vec![part, 1]),
            (3 * PART, vec![part; 3]),
        ] {
            assert_eq!(upload(size).lengths(), lengths, "{size}");
        }
        assert_eq!(upload(1 << 30).lengths(), vec![part; 64]);
    }

    #[test]
    fn what_can_expire_does_so_by_itself() {
        use DirectStatus::{Expired, Failed, Open, Ready, Verifying};
        let (before, after) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + LASTS);
        for (written, claimed_at, by_then) in [
            (Open, None, Expired),
            (Verifying, None, Verifying),
            (Ready, None, Expired),
            (Ready, Some(before), Ready),
            (Failed, None, Failed),
            (Expired, None, Expired),
        ] {
            let upload = DirectUpload {
                written,
                claimed_at,
                ..upload(1)
            };
            assert_eq!(upload.status(before), written);
            assert_eq!(upload.status(after), by_then, "{written:?}");
        }
    }
}
