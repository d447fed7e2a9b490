//! Why a file is not taken, in the words for whoever sent it.

use crate::accounts::{self, Mistake, MistakeCode, Refused};
use crate::db;
use crate::media::incoming::Broken;
use crate::media::picture::Flaw;
use crate::storage::StorageError;

#[derive(Debug, thiserror::Error)]
pub enum IntakeFault {
    #[error("This file is empty.")]
    Empty,
    #[error("This file is too large; at most {} are taken.", size(*.most))]
    TooLarge { most: u64 },
    /// What is kept for an account takes all that it may.
    #[error("There is no room left for this file: your music and pictures may take {} together.", size(*.most))]
    NoRoom { most: u64 },
    #[error("This is no file of a kind that is taken; those are {taken}.")]
    Unsupported { taken: &'static str },
    #[error("What came differs from what was sent: it has another SHA-256.")]
    ChecksumMismatch,
    #[error("This file did not come whole: {0}.")]
    Incomplete(Broken),
    #[error("This picture can't be used: {0}")]
    BrokenPicture(Flaw),
    /// There are as many pictures at once as can be looked at.
    #[error("Too many pictures come at once; try again in a moment.")]
    Busy,
    #[error("Files can't be stored at the moment.")]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] db::Error),
    /// Whoever sends it may not any more.
    #[error("{0:?}")]
    Refused(Refused),
}

impl IntakeFault {
    /// As accounts tell it, of a field of their input. They know of a file only whether it is one that is taken.
    pub fn of_account(self, field: &'static str) -> accounts::Fault {
        match self {
            Self::Empty
            | Self::TooLarge { .. }
            | Self::NoRoom { .. }
            | Self::Unsupported { .. }
            | Self::ChecksumMismatch
            | Self::BrokenPicture(_) => {
                let message = self.to_string();
                Mistake::new(MistakeCode::UnsupportedMedia, message)
                    .of(field)
                    .into()
            }
            Self::Busy | Self::Incomplete(Broken::NotTaken) => {
                accounts::Fault::Unavailable(self.to_string())
            }
            Self::Incomplete(_) => accounts::Fault::BadInput(format!("`{field}`: {self}")),
            Self::Storage(error) if error.may_pass() => {
                accounts::Fault::Unavailable(error.to_string())
            }
            Self::Storage(error) => accounts::Fault::Internal(error.to_string()),
            Self::Database(error) => error.into(),
            Self::Refused(refused) => refused.into(),
        }
    }
}

/// In the unit that it is written down in.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1_000_000_000, "GB"), (1 << 20, "MiB")];
    let unit = UNITS
        .iter()
        .find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match unit {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_as_they_were_promised() {
        for (bytes, told) in [
            (1 << 30, "1 GiB"),
            (20 << 20, "20 MiB"),
            (50_000_000_000, "50 GB"),
            (500_000_000_000, "500 GB"),
            (1234, "1234 bytes"),
            (0, "0 bytes"),
        ] {
            assert_eq!(size(bytes), told);
        }
    }
}
