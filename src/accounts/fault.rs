//! What can come of an action that does not succeed: mistakes that a person can mend, or that it could not be done.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::actor::Refused;
use super::password::PasswordError;
use crate::db;
use crate::stored_enum;

stored_enum!(
    /// What is wrong, for a program.
    MistakeCode {
        AccountLocked = "ACCOUNT_LOCKED",
        AlreadyEnabled = "ALREADY_ENABLED",
        ChallengeRequired = "CHALLENGE_REQUIRED",
        InvalidCredentials = "INVALID_CREDENTIALS",
        InvalidCode = "INVALID_CODE",
        InvalidEmail = "INVALID_EMAIL",
        InvalidName = "INVALID_NAME",
        InvalidToken = "INVALID_TOKEN",
        NotEnabled = "NOT_ENABLED",
        NotFound = "NOT_FOUND",
        PasswordCompromised = "PASSWORD_COMPROMISED",
        PasswordTooLong = "PASSWORD_TOO_LONG",
        PasswordTooShort = "PASSWORD_TOO_SHORT",
        Suspended = "SUSPENDED",
        Unverified = "UNVERIFIED",
        UnsupportedMedia = "UNSUPPORTED_MEDIA",
    }
);

/// What a person can mend, and in which part of the input.
#[derive(Debug, Clone)]
pub struct Mistake {
    pub code: MistakeCode,
    pub message: Cow<'static, str>,
    /// The field of the input; none where it is about the whole.
    pub field: Option<&'static str>,
    pub retry_at: Option<DateTime<Utc>>,
}

impl Mistake {
    pub fn new(code: MistakeCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            retry_at: None,
        }
    }

    #[must_use]
    pub fn of(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    #[must_use]
    pub fn until(mut self, time: DateTime<Utc>) -> Self {
        self.retry_at = Some(time);
        self
    }
}

/// Why an action did nothing.
#[derive(Debug)]
pub enum Fault {
    Mistakes(Vec<Mistake>),
    /// What was sent can't be meant, and there is no code of a mistake for it.
    BadInput(String),
    /// Asked for too often.
    Limited {
        limit: u64,
        remaining: u64,
        retry_after: Duration,
    },
    /// It is being done already.
    Conflict(&'static str),
    /// The cookie was used without what shows that its owner's own page did it.
    Csrf(&'static str),
    /// Whoever acts may not.
    Refused(Refused),
    /// Something that is needed does not answer. Nobody is let in for that.
    Unavailable(String),
    Database(Arc<db::Error>),
    Internal(String),
}

impl From<Mistake> for Fault {
    fn from(mistake: Mistake) -> Self {
        Self::Mistakes(vec![mistake])
    }
}

impl From<PasswordError> for Fault {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::Unavailable(error.to_string()),
            PasswordError::Failed(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<db::Error> for Fault {
    fn from(error: db::Error) -> Self {
        Arc::new(error).into()
    }
}

/// Of a read that several shared.
impl From<Arc<db::Error>> for Fault {
    fn from(error: Arc<db::Error>) -> Self {
        Self::Database(error)
    }
}
