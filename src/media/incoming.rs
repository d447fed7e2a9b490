//! A file as its client sends it, not yet looked at.

use std::future::ready;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};

/// What comes in. Its name and type are what its sender says, and prove nothing.
pub struct Incoming {
    pub file_name: Option<String>,
    pub content_type: Option<String>,
    /// Bytes that are announced before any comes, as far as that is known: none come where that is too much.
    pub announced: Option<u64>,
    /// Ends only once all of it has come; whatever keeps it from that is an error.
    pub bytes: BoxStream<'static, Result<Bytes, Broken>>,
}

impl Incoming {
    /// What is there already, all of it.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self {
            file_name: None,
            content_type: None,
            announced: Some(bytes.len() as u64),
            bytes: stream::once(ready(Ok(bytes.into()))).boxed(),
        }
    }
}

/// Why there is no more of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("its sender left")]
    Left,
    #[error("it came too slowly")]
    TooSlow,
    /// The request is larger than any may be.
    #[error("the request is too large")]
    TooMuch,
    /// What came is no multipart body.
    #[error("the body is not what it says")]
    Malformed,
    /// What came was not taken in time by whoever wanted it.
    #[error("the service did not take it in time")]
    NotTaken,
}
