//! What a request asks for, as far as two can be told to be the same.

use crate::keys::Keys;

/// A fingerprint of everything that a request asks for. It is made with a key of the service's: a request may hold a
/// password, which somebody who has read the database could find by trying if this were a bare hash.
///
/// One by each key of the ring, so that a key may come and go within the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input(Vec<[u8; 32]>);

impl Input {
    /// Of its parts, each as it is and in this order. Files are parts as well, by the SHA-256 of each, in the order in
    /// which they are named.
    pub fn of(keys: &Keys, parts: &[&[u8]]) -> Self {
        Self(keys.idempotency().macs(parts).collect())
    }

    /// As it is kept.
    pub fn newest(&self) -> Vec<u8> {
        self.0.first().map(|mac| mac.to_vec()).unwrap_or_default()
    }

    /// As it may have been kept.
    pub fn all(&self) -> Vec<Vec<u8>> {
        self.0.iter().map(|mac| mac.to_vec()).collect()
    }

    pub fn is(&self, kept: &[u8]) -> bool {
        self.0.iter().any(|mac| mac[..] == *kept)
    }
}
