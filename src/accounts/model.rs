//! The words of accounts.

use std::fmt;
use std::str::FromStr;

use crate::typed_id;

typed_id!(AccountId, "account");
typed_id!(SessionId, "session");

/// Declares an enum that is stored by its name in the API.
macro_rules! stored {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = Unknown;

            fn from_str(text: &str) -> Result<Self, Unknown> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(Unknown),
                }
            }
        }
    };
}

/// A word that is none of an enum's.
#[derive(Debug, thiserror::Error)]
#[error("a word that is not known")]
pub struct Unknown;

stored! {
    /// What an account may do; it can have several.
    Role { Listener = "LISTENER", Artist = "ARTIST", Moderator = "MODERATOR", Admin = "ADMIN" }
}

stored! {
    Tier { Free = "FREE", Premium = "PREMIUM" }
}

stored! {
    Status { Unverified = "UNVERIFIED", Active = "ACTIVE", Suspended = "SUSPENDED", Closed = "CLOSED" }
}

stored! {
    /// What a narrowed token opens.
    Scope {
        AccountRead = "ACCOUNT_READ",
        CatalogueWrite = "CATALOGUE_WRITE",
        PlaylistsRead = "PLAYLISTS_READ",
        PlaylistsWrite = "PLAYLISTS_WRITE",
        UploadsWrite = "UPLOADS_WRITE",
    }
}
