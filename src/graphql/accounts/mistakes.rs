use async_graphql::{Enum, SimpleObject};

use crate::accounts::{self, Fault};
use crate::graphql::error::ApiError;
use crate::graphql::scalars::DateTime;

#[derive(SimpleObject)]
pub struct AccountError {
    code: AccountErrorCode,
    pub(in crate::graphql) message: String,
    pub(in crate::graphql) path: Vec<String>,
    /// When to try again, where waiting helps.
    retry_at: Option<DateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "accounts::MistakeCode")]
pub enum AccountErrorCode {
    AccountLocked,
    AlreadyEnabled,
    ChallengeRequired,
    /// Wrong e-mail or password; which of them is not said.
    InvalidCredentials,
    InvalidCode,
    InvalidEmail,
    InvalidName,
    /// Unknown, used or expired.
    InvalidToken,
    NotEnabled,
    NotFound,
    /// Among the passwords known from breaches.
    PasswordCompromised,
    PasswordTooLong,
    PasswordTooShort,
    Suspended,
    Unverified,
    UnsupportedMedia,
}

impl From<accounts::Mistake> for AccountError {
    fn from(mistake: accounts::Mistake) -> Self {
        Self {
            code: mistake.code.into(),
            message: mistake.message.into_owned(),
            path: mistake.field.map(str::to_owned).into_iter().collect(),
            retry_at: mistake.retry_at.map(DateTime),
        }
    }
}

/// What an action came to, or what a person can mend; all else stops the operation.
pub fn mendable<T>(done: Result<T, Fault>) -> Result<Result<T, Vec<AccountError>>, ApiError> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(Fault::Mistakes(mistakes)) => {
            Ok(Err(mistakes.into_iter().map(AccountError::from).collect()))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// The same where nothing is told of success but that there were no mistakes.
pub fn mistakes(done: Result<(), Fault>) -> Result<Vec<AccountError>, ApiError> {
    Ok(mendable(done)?.err().unwrap_or_default())
}
