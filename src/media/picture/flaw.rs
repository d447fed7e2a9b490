//! Why a picture can't be used, in the words for whoever sent it.

use std::io;

use image::ImageError;

use super::{LONGEST_SIDE, MOST_PIXELS};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it has {width} × {height} pixels; at most {} million are taken.", MOST_PIXELS / 1_000_000)]
    TooManyPixels { width: u32, height: u32 },
    #[error("it has {width} × {height} pixels; no side may have more than {LONGEST_SIDE}.")]
    TooLong { width: u32, height: u32 },
    #[error("it ends in the middle.")]
    Truncated,
    #[error("to read it would take too much memory.")]
    TooCostly,
    #[error("it is damaged, or made in a way that can't be read.")]
    Unreadable,
}

impl From<ImageError> for Flaw {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::IoError(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Truncated
            }
            ImageError::Limits(_) => Self::TooCostly,
            _ => Self::Unreadable,
        }
    }
}
