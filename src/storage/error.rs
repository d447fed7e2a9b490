//! What can come of a call to the storage. The driver's own errors show addresses, and the bucket's answers show what was
//! signed; from both only what an operator needs is kept: a status and the bucket's code for it, or the system's words.

use std::error::Error;
use std::io;

use object_store::client::{HttpError, HttpErrorKind};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    #[error("there is no such file")]
    NotFound,
    /// A part was asked for that begins behind the file's end.
    #[error("the file ends before that")]
    OutOfRange,
    #[error("the file has {size} bytes, more than the {most} that are taken")]
    TooLarge { size: u64, most: u64 },
    /// May pass. What was to be written may stand or not.
    #[error("the storage is not available: {0}")]
    Unavailable(String),
    /// May pass. What was to be written may stand or not.
    #[error("the storage did not answer in time")]
    Timeout,
    /// Does not pass by itself: something is set up wrongly.
    #[error("the storage refuses: {0}")]
    Refused(String),
}

impl StorageError {
    /// Whether the same may go well a little later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Timeout)
    }

    /// As metrics name it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::OutOfRange => "out_of_range",
            Self::TooLarge { .. } => "too_large",
            Self::Unavailable(_) => "unavailable",
            Self::Timeout => "timeout",
            Self::Refused(_) => "refused",
        }
    }

    /// Of an answer that the driver did not read: its status, and the bucket's code for it.
    pub(super) fn of_answer(status: reqwest::StatusCode, code: &str) -> Self {
        Found::Status(format!("{status}: {code}")).into()
    }

    /// Where nothing but the place itself can be missing.
    pub(super) fn of_write(error: object_store::Error) -> Self {
        match Self::from(error) {
            Self::NotFound => Self::Refused("there is no such bucket or upload".into()),
            other => other,
        }
    }
}

impl From<object_store::Error> for StorageError {
    fn from(error: object_store::Error) -> Self {
        let found = Found::within(&error);
        match error {
            object_store::Error::NotFound { .. } => match found.into() {
                refused @ Self::Refused(_) => refused,
                _ => Self::NotFound,
            },
            object_store::Error::Generic { .. }
            | object_store::Error::AlreadyExists { .. }
            | object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => found.into(),
            _ => Self::Refused("this can't be done here".into()),
        }
    }
}

impl From<HttpError> for StorageError {
    fn from(error: HttpError) -> Self {
        Found::within(&error).into()
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        Found::System(error.kind(), error.to_string()).into()
    }
}

impl From<tokio::task::JoinError> for StorageError {
    fn from(_: tokio::task::JoinError) -> Self {
        Self::Unavailable("a part of it was given up".into())
    }
}

/// What went wrong, at the root of it.
enum Found {
    /// The bucket's answer: `403 Forbidden: SignatureDoesNotMatch`. Its body is only the code, see [`super::line`].
    Status(String),
    Line(HttpErrorKind, String),
    System(io::ErrorKind, String),
    Other(&'static str),
}

impl Found {
    fn within(error: &(dyn Error + 'static)) -> Self {
        let mut line = None;
        let mut cause = Some(error);
        while let Some(error) = cause {
            cause = error.source();
            let told = error.to_string();
            // The driver's type for it is its own; its words are held by tests.
            if let Some(said) = told.strip_prefix("Server returned non-2xx status code: ") {
                return Self::Status(said.trim_end_matches([':', ' ']).to_owned());
            }
            if told.starts_with("Server returned error response: ") {
                return Self::Other("an error stands within its answer");
            }
            if told.starts_with("Received redirect without LOCATION") {
                return Self::Status("301 to another region".into());
            }
            if let Some(error) = error.downcast_ref::<HttpError>() {
                line = Some(error.kind());
            }
            if line.is_none()
                && let Some(error) = error.downcast_ref::<io::Error>()
            {
                return Self::System(error.kind(), error.to_string());
            }
            if cause.is_none()
                && let Some(kind) = line
            {
                return Self::Line(kind, told);
            }
        }
        Self::Other("its answer can't be read")
    }
}

impl From<Found> for StorageError {
    fn from(found: Found) -> Self {
        match found {
            Found::Status(said) => match said.get(..3).and_then(|status| status.parse().ok()) {
                // The bucket itself is not there.
                Some(404) if said.contains("NoSuchBucket") => Self::Refused(said),
                Some(404) => Self::NotFound,
                Some(416) => Self::OutOfRange,
                Some(501) => Self::Refused(said),
                Some(408_u16 | 409 | 429 | 500..) | None => Self::Unavailable(said),
                Some(_) => Self::Refused(said),
            },
            Found::Line(HttpErrorKind::Timeout, _) => Self::Timeout,
            Found::Line(_, said) => Self::Unavailable(said),
            Found::System(kind, said) => match kind {
                io::ErrorKind::NotFound => Self::NotFound,
                io::ErrorKind::PermissionDenied
                | io::ErrorKind::ReadOnlyFilesystem
                | io::ErrorKind::NotADirectory => Self::Refused(said),
                _ => Self::Unavailable(said),
            },
            Found::Other(said) => Self::Unavailable(said.into()),
        }
    }
}

/// Why a stream was not stored whole; then nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum PutError<E> {
    /// It broke off by itself.
    #[error("what was to be stored broke off")]
    Source(#[source] E),
    #[error(transparent)]
    Storage(#[from] StorageError),
}
