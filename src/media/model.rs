//! The rows and words of files.

use chrono::{DateTime, Utc};

use crate::accounts::AccountId;
use crate::typed_id;

typed_id!(AudioId, "audio");
typed_id!(ImageId, "image");

/// A file of music as it came in.
#[derive(Debug, Clone)]
pub struct Audio {
    pub id: AudioId,
    /// Whose storage it takes; nobody's once they are erased.
    pub account_id: Option<AccountId>,
    /// By its first bytes.
    pub content_type: String,
    pub byte_size: i64,
    pub sha256: Vec<u8>,
    pub received_at: DateTime<Utc>,
}

/// A picture, which is kept in four sizes.
#[derive(Debug, Clone)]
pub struct Image {
    pub id: ImageId,
    /// Whose storage it takes; nobody's once they are erased.
    pub account_id: Option<AccountId>,
    /// Of all of its sizes.
    pub content_type: String,
    /// Of all of its sizes together.
    pub byte_size: i64,
    /// Of the original, as it is kept.
    pub sha256: Vec<u8>,
    /// Of the original.
    pub width: i32,
    pub height: i32,
    pub thumb_hash: Vec<u8>,
    pub received_at: DateTime<Utc>,
}

/// How large a picture is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageSize {
    Small,
    Medium,
    Large,
    Original,
}

impl ImageSize {
    pub const ALL: [Self; 4] = [Self::Small, Self::Medium, Self::Large, Self::Original];

    /// As keys have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Original => "original",
        }
    }

    /// Of a square; the original is as it is.
    pub fn side(self) -> Option<u32> {
        match self {
            Self::Small => Some(64),
            Self::Medium => Some(320),
            Self::Large => Some(1000),
            Self::Original => None,
        }
    }
}
