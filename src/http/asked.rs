//! The operations of a request's body.

use crate::graphql::{ApiError, Object, Request};

use super::values::{self, MOST_VALUES};

/// Bodies without files, and what comes before files.
pub const BODY_LIMIT: usize = 1_000_000;

/// What a request asked for, before it is known whether it may.
pub struct Asked {
    pub requests: Vec<Request>,
    pub is_batch: bool,
}

/// Reads one operation, or a list of them.
pub fn parse(bytes: &[u8]) -> Result<Asked, ApiError> {
    let wrong = |error: serde_json::Error| {
        ApiError::BadRequest(format!(
            "The body is not a GraphQL request in JSON, such as {{\"query\": \"{{ __typename }}\"}}: {error}."
        ))
    };
    if !values::are_few(bytes) {
        return Err(ApiError::TooComplex(format!(
            "The body holds more than {MOST_VALUES} values; variables and batches as large as that are not taken."
        )));
    }
    let is_batch = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let objects: Vec<Object<Request>> = match is_batch {
        true => serde_json::from_slice(bytes).map_err(wrong)?,
        false => vec![serde_json::from_slice(bytes).map_err(wrong)?],
    };
    let requests = objects.into_iter().map(|Object(request)| request).collect();
    Ok(Asked { requests, is_batch })
}
