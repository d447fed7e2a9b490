//! What can go wrong with the database, in the words that decide what happens next.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not answer, is starting or stopping, or has no connection left. Passes by itself.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// It answered too late.
    #[error("the database took longer than {0:?}")]
    Timeout(Duration),
    /// It said nothing at all.
    #[error("the database said nothing for {0:?}")]
    Silent(Duration),
    /// It refused the statement.
    #[error("the database refused a statement: {0}")]
    Refused(#[from] DieselError),
    /// Somebody else does this by now; nothing of it stands (see [`witnessed`](super::witnessed)).
    #[error("another has taken this over")]
    Overtaken,
}

/// Whether PostgreSQL's word is none that diesel knows: the last one of a server that stops is among those.
pub(super) fn is_of_no_kind(error: &DieselError) -> bool {
    matches!(
        error,
        DieselError::DatabaseError(
            DatabaseErrorKind::Unknown
                | DatabaseErrorKind::ClosedConnection
                | DatabaseErrorKind::UnableToSendCommand,
            _
        )
    )
}

impl Error {
    /// The constraint that a write would have broken.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Refused(DieselError::DatabaseError(_, info)) => info.constraint_name(),
            _ => None,
        }
    }

    /// Reads what happened. `waited` matters because diesel does not hand on PostgreSQL's code for a statement that was
    /// cancelled at its time limit.
    pub(super) fn read(
        error: DieselError,
        waited: Duration,
        limit: Duration,
        broken: bool,
    ) -> Self {
        match &error {
            DieselError::DatabaseError(
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
                info,
            ) => Self::Unavailable(info.message().to_owned()),
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, info) if broken => {
                Self::Unavailable(info.message().to_owned())
            }
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, _) if waited >= limit => {
                Self::Timeout(limit)
            }
            _ => Self::Refused(error),
        }
    }
}
