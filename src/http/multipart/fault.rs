//! Why a body came to no good end.

use std::borrow::Cow;
use std::io;

use super::MOST_SHOWN;
use crate::graphql::ApiError;
use crate::http::body::{self, BodyError};
use crate::media::Broken;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    Left,
    TooSlow,
    TooMuch,
    Malformed(Cow<'static, str>),
}

impl Fault {
    pub fn malformed(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(why.into())
    }

    /// Of a read that failed.
    pub fn of(error: &io::Error) -> Self {
        match body::broken(error) {
            BodyError::Malformed => Self::malformed("its chunks are not those of HTTP"),
            _ => Self::Left,
        }
    }

    /// To whoever reads a file of it.
    pub fn broken(&self) -> Broken {
        match self {
            Self::Left => Broken::Left,
            Self::TooSlow => Broken::TooSlow,
            Self::TooMuch => Broken::TooMuch,
            Self::Malformed(_) => Broken::Malformed,
        }
    }

    /// To whoever waits for a file that did not begin.
    pub fn told(&self) -> ApiError {
        match self {
            Self::Left => ApiError::BadRequest(BodyError::Disconnected.to_string()),
            Self::TooSlow => ApiError::BadRequest(BodyError::TooSlow.to_string()),
            Self::TooMuch => too_much(),
            Self::Malformed(why) => {
                ApiError::BadRequest(format!("The multipart body can't be read: {why}."))
            }
        }
    }
}

pub fn too_much() -> ApiError {
    ApiError::PayloadTooLarge("The request is too large: files come to at most 2 GiB.".into())
}

/// What a client wrote, as far as it is told again.
pub fn shown(text: &str) -> String {
    text.chars().take(MOST_SHOWN).collect()
}
