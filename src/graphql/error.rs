//! What stops an operation, as clients are told: a closed list of codes, a message for a person, and nothing internal.
//!
//! What a person can mend comes in a payload's own `errors` instead.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{ErrorExtensionValues, ServerError};
use poem::http::StatusCode;

use super::document::Refusal;
use crate::accounts::{self, Fault};
use crate::db;
use crate::media::{Broken, IntakeFault};

/// Asked again sooner, a service that is coming back would only be held up.
const RETRY_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, thiserror::Error)]
pub enum ApiError {
    #[error("{0}")]
    BadRequest(String),
    #[error("{message}")]
    ParseFailed {
        message: String,
        line: usize,
        column: usize,
    },
    #[error("{0}")]
    ValidationFailed(String),
    #[error("{0}")]
    TooComplex(String),
    #[error("This service runs only operations that it knows; this one is not among them.")]
    NotTrusted,
    // Word for word what Apollo's clients look for.
    #[error("PersistedQueryNotFound")]
    PersistedQueryNotFound,
    #[error("By GET only queries are run; send a mutation by POST.")]
    OnlyQueries,
    #[error("{0}")]
    Unauthenticated(&'static str),
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    OnRecord(&'static str),
    #[error("{0}")]
    NotOfRole(&'static str),
    #[error("{0}")]
    Csrf(&'static str),
    #[error("{0}")]
    Conflict(&'static str),
    #[error("Too many requests. Try again in {} s.", seconds(*retry_after))]
    RateLimited {
        limit: u64,
        remaining: u64,
        retry_after: Duration,
    },
    #[error("{0}")]
    PayloadTooLarge(String),
    #[error("This took too long. Try again, or ask for less.")]
    Timeout,
    #[error("The service is not available at the moment. Try again in {} s.", seconds(*retry_after))]
    Unavailable {
        retry_after: Duration,
        reason: String,
    },
    #[error("Something went wrong on our side.")]
    Internal(Arc<str>),
}

impl ApiError {
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string().into())
    }

    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable {
            retry_after: RETRY_AFTER,
            reason: reason.into(),
        }
    }

    pub fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) | Self::OnlyQueries => "BAD_REQUEST",
            Self::ParseFailed { .. } => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed(_) => "GRAPHQL_VALIDATION_FAILED",
            Self::TooComplex(_) => "OPERATION_TOO_COMPLEX",
            Self::NotTrusted => "OPERATION_NOT_TRUSTED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::Forbidden(_) | Self::OnRecord(_) | Self::NotOfRole(_) => "FORBIDDEN",
            Self::Csrf(_) => "CSRF",
            Self::Conflict(_) => "CONFLICT",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::PayloadTooLarge(_) => "PAYLOAD_TOO_LARGE",
            Self::Timeout => "TIMEOUT",
            Self::Unavailable { .. } => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The status of a request that this refused whole.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::ParseFailed { .. } => StatusCode::BAD_REQUEST,
            Self::ValidationFailed(_) | Self::TooComplex(_) => StatusCode::UNPROCESSABLE_ENTITY,
            // Apollo's clients send the text after this one, whatever the status; others stop at an error's.
            Self::PersistedQueryNotFound => StatusCode::OK,
            Self::NotTrusted => StatusCode::FORBIDDEN,
            Self::OnlyQueries => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) | Self::OnRecord(_) | Self::NotOfRole(_) | Self::Csrf(_) => {
                StatusCode::FORBIDDEN
            }
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::PayloadTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Timeout | Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Seconds to wait, where waiting helps.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                Some(seconds(*retry_after))
            }
            _ => None,
        }
    }

    /// Whether the same may go otherwise a moment later, without anybody having changed anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::RateLimited { .. }
            | Self::Timeout
            | Self::Unavailable { .. }
            | Self::Conflict(_)
            | Self::Internal(_) => true,
            Self::BadRequest(_)
            | Self::ParseFailed { .. }
            | Self::ValidationFailed(_)
            | Self::TooComplex(_)
            | Self::NotTrusted
            | Self::PersistedQueryNotFound
            | Self::OnlyQueries
            | Self::Unauthenticated(_)
            | Self::Forbidden(_)
            | Self::OnRecord(_)
            | Self::NotOfRole(_)
            | Self::Csrf(_)
            | Self::PayloadTooLarge(_) => false,
        }
    }

    /// What operators need to know and clients must not.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Internal(cause) => Some(cause.to_string()),
            Self::Unavailable { reason, .. } => Some(reason.clone()),
            _ => None,
        }
    }

    pub fn extensions(&self) -> ErrorExtensionValues {
        let mut values = ErrorExtensionValues::default();
        values.set("code", self.code());
        if let Self::RateLimited {
            limit, remaining, ..
        } = self
        {
            values.set("limit", *limit);
            values.set("remaining", *remaining);
        }
        if let Some(seconds) = self.retry_after() {
            values.set("retryAfter", seconds);
        }
        values
    }
}

/// Whole seconds, never fewer than are needed.
fn seconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros().div_ceil(1_000_000))
        .unwrap_or(u64::MAX)
        .max(1)
}

impl From<ApiError> for ServerError {
    fn from(error: ApiError) -> Self {
        let mut answer = ServerError::new(error.to_string(), None);
        if let ApiError::ParseFailed { line, column, .. } = &error {
            answer.locations = vec![async_graphql::Pos {
                line: *line,
                column: *column,
            }];
        }
        answer.extensions = Some(error.extensions());
        answer.source = Some(Arc::new(error));
        answer
    }
}

impl From<db::Error> for ApiError {
    fn from(error: db::Error) -> Self {
        Arc::new(error).into()
    }
}

/// Of a read that several shared.
impl From<Arc<db::Error>> for ApiError {
    fn from(error: Arc<db::Error>) -> Self {
        match &*error {
            db::Error::Unavailable(reason) => Self::unavailable(reason.clone()),
            db::Error::Timeout(_) | db::Error::Silent(_) => Self::Timeout,
            db::Error::Refused(_) => Self::internal(error),
            db::Error::Overtaken => {
                Self::Conflict("This request was sent again, and is done by another now.")
            }
        }
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Limited {
                limit,
                remaining,
                retry_after,
            } => Self::RateLimited {
                limit,
                remaining,
                retry_after,
            },
            Fault::Conflict(message) => Self::Conflict(message),
            Fault::BadInput(message) => Self::BadRequest(message),
            Fault::Csrf(message) => Self::Csrf(message),
            Fault::Refused(refused) => refused.into(),
            Fault::Unavailable(reason) => Self::unavailable(reason),
            Fault::Database(error) => error.into(),
            Fault::Internal(cause) => Self::internal(cause),
            // Told in a payload, by all that can have any.
            Fault::Mistakes(mistakes) => {
                Self::internal(format!("mistakes that no payload tells of: {mistakes:?}"))
            }
        }
    }
}

impl From<accounts::Refused> for ApiError {
    fn from(refused: accounts::Refused) -> Self {
        match refused {
            accounts::Refused::Unauthenticated => Self::Unauthenticated("Sign in for this."),
            accounts::Refused::Forbidden(message) => Self::Forbidden(message),
            accounts::Refused::OnRecord(message) => Self::OnRecord(message),
            accounts::Refused::Unavailable(reason) => Self::unavailable(reason),
            accounts::Refused::NotOfRole(message) => Self::NotOfRole(message),
        }
    }
}

/// What no payload has a code for.
impl From<IntakeFault> for ApiError {
    fn from(fault: IntakeFault) -> Self {
        match fault {
            IntakeFault::Incomplete(Broken::TooMuch) => Self::PayloadTooLarge(fault.to_string()),
            IntakeFault::Busy | IntakeFault::Incomplete(Broken::NotTaken) => {
                Self::unavailable(fault.to_string())
            }
            IntakeFault::Storage(error) if error.may_pass() => Self::unavailable(error.to_string()),
            IntakeFault::Storage(error) => Self::internal(error),
            IntakeFault::Database(error) => error.into(),
            IntakeFault::Refused(refused) => refused.into(),
            IntakeFault::Empty
            | IntakeFault::TooLarge { .. }
            | IntakeFault::NoRoom { .. }
            | IntakeFault::Unsupported { .. }
            | IntakeFault::ChecksumMismatch
            | IntakeFault::BrokenPicture(_)
            | IntakeFault::Incomplete(Broken::Left | Broken::TooSlow | Broken::Malformed) => {
                Self::BadRequest(fault.to_string())
            }
        }
    }
}

/// Of a file, where no payload has a word for it.
impl From<Broken> for ApiError {
    fn from(broken: Broken) -> Self {
        let told = format!("A file did not come whole: {broken}.");
        match broken {
            Broken::TooMuch => Self::PayloadTooLarge(told),
            Broken::NotTaken => Self::unavailable(told),
            Broken::Left | Broken::TooSlow | Broken::Malformed => Self::BadRequest(told),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Parse {
                message,
                line,
                column,
            } => Self::ParseFailed {
                message,
                line,
                column,
            },
            Refusal::TooComplex(message) => Self::TooComplex(message),
            Refusal::Invalid(message) => Self::ValidationFailed(message),
            Refusal::BadRequest(message) => Self::BadRequest(message),
        }
    }
}

impl From<db::id::IdError> for ApiError {
    fn from(error: db::id::IdError) -> Self {
        Self::BadRequest(error.to_string())
    }
}

/// A nullable field that may fail. In async-graphql an error out of `Result<Option<T>>` nulls the parent; out of this
/// it nulls the field alone, as GraphQL has it.
pub type Nullable<T> = Option<Result<T, ApiError>>;

/// What a field came to, as a nullable field says it.
pub fn nullable<T>(found: Result<Option<T>, ApiError>) -> Nullable<T> {
    found.transpose()
}
