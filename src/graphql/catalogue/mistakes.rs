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
    NameTaken,
    NotFound,
    Required,
    TooLong,
}

impl From<catalogue::Mistake> for CatalogueError {
    fn from(mistake: catalogue::Mistake) -> Self {
        Self {
            code: mistake.code.into(),
            message: mistake.message.into_owned(),
            path: vec![mistake.field.to_owned()],
        }
    }
}

/// What an action came to, or what a person can mend; all else stops the operation.
pub fn mendable<T>(done: Result<T, Fault>) -> Result<Result<T, Vec<CatalogueError>>, ApiError> {
    match done {
        Ok(done) => Ok(Ok(done)),
        Err(Fault::Mistakes(mistakes)) => Ok(Err(mistakes
            .into_iter()
            .map(CatalogueError::from)
            .collect())),
        Err(Fault::BadInput(message)) => Err(ApiError::BadRequest(message)),
        Err(Fault::Refused(refused)) => Err(refused.into()),
        Err(Fault::Account(fault)) => Err(fault.into()),
        Err(Fault::Database(error)) => Err(error.into()),
    }
}
