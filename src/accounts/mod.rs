//! People. What the rest of the service needs to know of whoever asks is an [`Actor`].

mod access;
mod challenge;
mod email;
mod keys;
mod mails;
mod model;
mod name;
mod password;
mod secret;

pub use self::model::{AccountId, Role, Scope, SessionId, Status, Tier};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// Nobody who has signed in.
    Anonymous,
}

impl Actor {
    /// The points that this caller's operations may cost in a minute.
    pub fn points_a_minute(self) -> u64 {
        match self {
            Self::Anonymous => 3_000,
        }
    }
}
