//! Signed heads: how far the chain went at some time, and by which hash, in words that are signed with a key that the
//! database has not. Whoever rewrites the trail, or cuts off its end, can't make them fit.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::keys::{Keys, Purpose, Signature, SignatureFault};

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Head {
    /// Of the last event.
    pub sequence: i64,
    pub hash: String,
    /// How many there were.
    pub count: i64,
    pub signed_at: DateTime<Utc>,
}

/// A head as it is kept: its text, byte for byte as it was signed, and by which key.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedHead {
    head: String,
    key_id: String,
    signature: String,
}

/// Why a head says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    #[error("it is no signed head")]
    Unread,
    #[error(transparent)]
    Signature(#[from] SignatureFault),
}

impl SignedHead {
    pub fn sign(keys: &Keys, head: &Head) -> Result<Self, HeadFault> {
        let head = serde_json::to_string(head).map_err(|_| HeadFault::Unread)?;
        let signature = keys.sign(Purpose::Audit, head.as_bytes())?;
        Ok(Self {
            head,
            key_id: signature.key_id,
            signature: BASE64_STANDARD.encode(signature.bytes),
        })
    }

    pub fn to_bytes(&self) -> Result<Vec<u8>, HeadFault> {
        serde_json::to_vec(self).map_err(|_| HeadFault::Unread)
    }

    pub fn read(bytes: &[u8]) -> Result<Self, HeadFault> {
        serde_json::from_slice(bytes).map_err(|_| HeadFault::Unread)
    }

    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// What it says, whoever says it.
    pub fn head(&self) -> Result<Head, HeadFault> {
        serde_json::from_str(&self.head).map_err(|_| HeadFault::Unread)
    }

    /// Whether one of our keys signed it.
    pub fn check(&self, keys: &Keys) -> Result<(), HeadFault> {
        let bytes = BASE64_STANDARD.decode(&self.signature).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        let signature = Signature {
            key_id: self.key_id.clone(),
            bytes: bytes.ok_or(HeadFault::Unread)?,
        };
        Ok(keys.verify(Purpose::Audit, self.head.as_bytes(), &signature)?)
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(half.into(), 16));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            sequence: 7,
            hash: hex(&[0xab; 32]),
            count: 7,
            signed_at: DateTime::from_timestamp(1_764_158_400, 0).unwrap(),
        }
    }

    #[test]
    fn a_head_is_read_as_it_was_signed_and_by_its_key_alone() {
        let keys = crate::keys::tests::ring("ab");
        let signed = SignedHead::sign(&keys, &head()).unwrap();
        let read = SignedHead::read(&signed.to_bytes().unwrap()).unwrap();
        assert_eq!(read.head().unwrap(), head());
        assert_eq!(read.check(&keys), Ok(()));
        assert_eq!(read.check(&crate::keys::tests::ring("ba")), Ok(()));
        let unknown = SignatureFault::UnknownKey("key-a".into());
        assert_eq!(
            read.check(&crate::keys::tests::ring("b")),
            Err(unknown.into())
        );
    }

    #[test]
    fn no_letter_of_it_can_be_altered() {
        let keys = crate::keys::tests::ring("a");
        let bytes = SignedHead::sign(&keys, &head())
            .unwrap()
            .to_bytes()
            .unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            let same = SignedHead::read(&altered)
                .ok()
                .is_some_and(|signed| signed.check(&keys).is_ok());
            assert!(!same, "{}", String::from_utf8_lossy(&altered));
        }
    }
}
