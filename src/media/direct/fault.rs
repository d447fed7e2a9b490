//! Why a direct upload does not go on, in the words for whoever sent it.

use super::model::{DirectFailure, MOST_OPEN};
use crate::accounts::{self, Refused};
use crate::db;
use crate::media::checksum::NoChecksum;
use crate::media::intake::IntakeFault;
use crate::media::kind::AudioKind;
use crate::storage::StorageError;

#[derive(Debug, thiserror::Error)]
pub enum DirectFault {
    #[error("There is no such upload.")]
    Unknown,
    #[error("A file has a name.")]
    NoName,
    #[error("A file's name has at most {most} characters.")]
    LongName { most: usize },
    /// By what its sender says of it; what it is shows once it has come.
    #[error(
        "This is no type of music; those are `audio/…`, `application/ogg` and `application/octet-stream`."
    )]
    NoMusic,
    #[error(
        "You have {most} uploads open; complete one of them, or wait until one has expired.",
        most = MOST_OPEN
    )]
    TooMany,
    #[error(transparent)]
    BadChecksum(#[from] NoChecksum),
    /// In this field of what is said of it.
    #[error("{1}")]
    File(&'static str, IntakeFault),
    #[error(
        "Send the ETag of each part, in their order: this upload has {parts}, and {etags} came."
    )]
    Etags { parts: usize, etags: usize },
    #[error("Not all parts have come, or others than those with these ETags.")]
    Incomplete,
    #[error("{0}")]
    NotNow(&'static str),
    #[error("This upload is still being verified; try again in a moment.")]
    StillVerifying,
    #[error("{}", why(*.0))]
    Failed(DirectFailure),
    #[error("Files can't be stored at the moment.")]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] db::Error),
    #[error("{0:?}")]
    Account(accounts::Fault),
}

impl From<Refused> for DirectFault {
    fn from(refused: Refused) -> Self {
        Self::Account(refused.into())
    }
}

impl From<accounts::Fault> for DirectFault {
    fn from(fault: accounts::Fault) -> Self {
        Self::Account(fault)
    }
}

fn why(failure: DirectFailure) -> String {
    match failure {
        DirectFailure::Incomplete => {
            "This file did not come whole; begin another upload.".to_owned()
        }
        DirectFailure::Unsupported => IntakeFault::Unsupported {
            taken: AudioKind::TAKEN,
        }
        .to_string(),
        DirectFailure::ChecksumMismatch => IntakeFault::ChecksumMismatch.to_string(),
        DirectFailure::NoRoom => "There was no room left for this file.".to_owned(),
        DirectFailure::NotRead => {
            "This file could not be verified; begin another upload.".to_owned()
        }
    }
}
