use async_graphql::{Enum, SimpleObject};

use crate::catalogue::{self, Fault};
use crate::graphql::error::ApiError;

#[derive(SimpleObject)]
pub struct CatalogueError {
    code: CatalogueErrorCode,
    pub(in crate::graphql) message: String,
    pub(in crate::graphql) path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalogue::MistakeCode")]
pub enum CatalogueErrorCode {
    ChecksumMismatch,
    Duplicate,
    Empty,
    InvalidIsrc,
    InvalidState,
    NameTaken,
    NotFound,
    Required,
    TooLarge,
    TooLong,
    /// The bytes are not of a kind that is taken, whatever the name says.
    UnsupportedMedia,
    UploadIncomplete,
}

impl From<catalogue::Mistake> for CatalogueError {
    fn from(mistake: catalogue::Mistake) -> Self {
        Self {
            code: mistake.code.into(),
            message: mistake.message.into_owned(),
            path: mistake
                .field
                .split('.')
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }
}

/// Why a mutation did nothing: what a person can mend, or what stops the operation.
pub enum Undone {
    Mistakes(Vec<CatalogueError>),
    Stopped(ApiError),
}

impl From<Fault> for Undone {
    fn from(fault: Fault) -> Self {
        Self::Stopped(match fault {
            Fault::Mistakes(mistakes) => {
                let mistakes = mistakes.into_iter().map(CatalogueError::from);
                return Self::Mistakes(mistakes.collect());
            }
            Fault::BadInput(message) => ApiError::BadRequest(message),
            Fault::Refused(refused) => refused.into(),
            Fault::Account(fault) => fault.into(),
            Fault::File(fault) => fault.into(),
            Fault::Database(error) => error.into(),
            Fault::Internal(cause) => ApiError::internal(cause),
        })
    }
}

impl From<ApiError> for Undone {
    fn from(error: ApiError) -> Self {
        Self::Stopped(error)
    }
}

/// What a payload tells: what was done, or what a person can mend; all else stops the operation.
pub fn told<T>(done: Result<T, Undone>) -> Result<(Option<T>, Vec<CatalogueError>), ApiError> {
    match done {
        Ok(done) => Ok((Some(done), Vec::new())),
        Err(Undone::Mistakes(mistakes)) => Ok((None, mistakes)),
        Err(Undone::Stopped(error)) => Err(error),
    }
}
