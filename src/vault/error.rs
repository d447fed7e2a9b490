//! Why a value is neither sealed nor opened. Told with the place and the key's id, and without anything secret.

use super::Place;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("{0} is not an encrypted value")]
    NotSealed(Place),
    #[error(
        "{place} was encrypted by the key {key_id}, which {origin} does not hold; put it back, behind the first"
    )]
    UnknownKey {
        place: Place,
        key_id: String,
        /// The setting or the file of the keys.
        origin: String,
    },
    #[error(
        "{place} can't be decrypted by the key {key_id}: the value was altered, or is another place's, \
         or another key had that id"
    )]
    Refused { place: Place, key_id: String },
    #[error("what is to stand in {0} is too long to be encrypted")]
    TooLong(Place),
}

impl VaultError {
    /// The key that the value says it is under.
    pub fn key_id(&self) -> Option<&str> {
        match self {
            Self::UnknownKey { key_id, .. } | Self::Refused { key_id, .. } => Some(key_id),
            Self::NotSealed(_) | Self::TooLong(_) => None,
        }
    }
}
