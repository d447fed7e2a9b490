//! What can come of an action that does not succeed: mistakes that a person can mend, or that it could not be done.

use std::borrow::Cow;

use crate::accounts::{self, Refused};
use crate::db;
use crate::media::{Broken, DirectFailure, DirectFault, IntakeFault};
use crate::stored_enum;

stored_enum!(
    /// What is wrong, for a program.
    MistakeCode {
        ChecksumMismatch = "CHECKSUM_MISMATCH",
        Duplicate = "DUPLICATE",
        Empty = "EMPTY",
        InvalidIsrc = "INVALID_ISRC",
        InvalidState = "INVALID_STATE",
        NameTaken = "NAME_TAKEN",
        NotFound = "NOT_FOUND",
        Required = "REQUIRED",
        TooLarge = "TOO_LARGE",
        TooLong = "TOO_LONG",
        UnsupportedMedia = "UNSUPPORTED_MEDIA",
        UploadIncomplete = "UPLOAD_INCOMPLETE",
    }
);

/// What a person can mend, and in which part of the input.
#[derive(Debug, Clone)]
pub struct Mistake {
    pub code: MistakeCode,
    pub message: Cow<'static, str>,
    /// A path from the input, with dots between its parts; empty where all of it is meant.
    pub field: &'static str,
}

impl Mistake {
    pub fn new(
        code: MistakeCode,
        field: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            field,
        }
    }
}

/// Why an action did nothing.
#[derive(Debug)]
pub enum Fault {
    Mistakes(Vec<Mistake>),
    /// What was sent can't be meant, and there is no code of a mistake for it.
    BadInput(String),
    /// Whoever acts may not.
    Refused(Refused),
    /// What accounts have to say to it.
    Account(accounts::Fault),
    /// What keeps a file from being taken, where whoever sent it can't mend that.
    File(IntakeFault),
    Database(db::Error),
    Internal(String),
}

impl Fault {
    /// Of a file that stands in this field of the input.
    pub fn of_file(fault: IntakeFault, field: &'static str) -> Self {
        let code = match &fault {
            IntakeFault::Empty => MistakeCode::Empty,
            IntakeFault::TooLarge { .. } | IntakeFault::NoRoom { .. } => MistakeCode::TooLarge,
            IntakeFault::Unsupported { .. } | IntakeFault::BrokenPicture(_) => {
                MistakeCode::UnsupportedMedia
            }
            IntakeFault::ChecksumMismatch => MistakeCode::ChecksumMismatch,
            IntakeFault::Incomplete(Broken::Left | Broken::TooSlow | Broken::Malformed) => {
                MistakeCode::UploadIncomplete
            }
            IntakeFault::Incomplete(Broken::TooMuch | Broken::NotTaken)
            | IntakeFault::Busy
            | IntakeFault::Storage(_)
            | IntakeFault::Database(_)
            | IntakeFault::Refused(_) => return Self::File(fault),
        };
        Mistake::new(code, field, fault.to_string()).into()
    }

    /// Of a direct upload whose ID stands in this field of the input.
    pub fn of_direct(fault: DirectFault, field: &'static str) -> Self {
        let (code, field) = match fault {
            DirectFault::File(field, fault) => return Self::of_file(fault, field),
            DirectFault::Storage(error) => return Self::File(error.into()),
            DirectFault::Database(error) => return error.into(),
            DirectFault::Account(fault) => return fault.into(),
            // Passes, so no key keeps it as the answer.
            DirectFault::StillVerifying => {
                return accounts::Fault::Unavailable(fault.to_string()).into();
            }
            DirectFault::Unknown => (MistakeCode::NotFound, field),
            DirectFault::NoName => (MistakeCode::Required, "filename"),
            DirectFault::LongName { .. } => (MistakeCode::TooLong, "filename"),
            DirectFault::NoMusic => (MistakeCode::UnsupportedMedia, "contentType"),
            DirectFault::BadChecksum(_) => (MistakeCode::ChecksumMismatch, "sha256"),
            DirectFault::TooMany | DirectFault::NotNow(_) => (MistakeCode::InvalidState, field),
            DirectFault::Etags { .. } | DirectFault::Incomplete => {
                (MistakeCode::UploadIncomplete, "etags")
            }
            DirectFault::Failed(failure) => (of_failure(failure), field),
        };
        Mistake::new(code, field, fault.to_string()).into()
    }
}

fn of_failure(failure: DirectFailure) -> MistakeCode {
    match failure {
        DirectFailure::Incomplete | DirectFailure::NotRead => MistakeCode::UploadIncomplete,
        DirectFailure::Unsupported => MistakeCode::UnsupportedMedia,
        DirectFailure::ChecksumMismatch => MistakeCode::ChecksumMismatch,
        DirectFailure::NoRoom => MistakeCode::TooLarge,
    }
}

impl From<Mistake> for Fault {
    fn from(mistake: Mistake) -> Self {
        Self::Mistakes(vec![mistake])
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<accounts::Fault> for Fault {
    fn from(fault: accounts::Fault) -> Self {
        Self::Account(fault)
    }
}

impl From<db::Error> for Fault {
    fn from(error: db::Error) -> Self {
        Self::Database(error)
    }
}
