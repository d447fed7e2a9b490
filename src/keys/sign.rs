//! Signatures that others can check, by a public key. Each purpose has keys of its own, derived from those of the ring
//! like all others. What access tokens are signed with is not among them: nobody but those who make tokens signs by it.

use std::fmt;

use biscuit_auth::{Algorithm, KeyPair, PrivateKey};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::mac::derived;
use crate::config::KeyRing;

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// What somebody is handed as a proof.
    Receipt,
    /// The head of the audit trail.
    Audit,
}

impl Purpose {
    pub const ALL: [Self; 2] = [Self::Receipt, Self::Audit];

    /// As it stands beside the public key.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Audit => "audit",
        }
    }

    /// Goes into the derivation, so it never changes.
    fn label(self) -> &'static str {
        match self {
            Self::Receipt => "empulse/receipt/1",
            Self::Audit => "empulse/audit/1",
        }
    }
}

/// An Ed25519 signature, and by whose public key it can be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    pub key_id: String,
    pub bytes: [u8; 64],
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    #[error("no signature could be made")]
    NotMade,
    /// Nobody can say whether it is right.
    #[error("it was signed by the key {0}, which is not among the signing keys")]
    UnknownKey(String),
    #[error("the signature is not of this")]
    Wrong,
}

/// The keys of one purpose, one from each of the ring, in its order.
pub(super) struct SignatureKeys(Vec<SignatureKey>);

struct SignatureKey {
    id: String,
    pair: KeyPair,
}

impl SignatureKeys {
    pub(super) fn derived(ring: &KeyRing, purpose: Purpose) -> anyhow::Result<Self> {
        let keys = ring.iter().map(|key| {
            let seed = derived(key.expose(), purpose.label());
            let private = PrivateKey::from_bytes(seed.expose_secret(), Algorithm::Ed25519)?;
            Ok(SignatureKey {
                id: key.id.clone(),
                pair: KeyPair::from(&private),
            })
        });
        Ok(Self(keys.collect::<anyhow::Result<_>>()?))
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Signature, SignatureFault> {
        // A ring is never empty.
        let key = self.0.first().ok_or(SignatureFault::NotMade)?;
        Ok(Signature {
            key_id: key.id.clone(),
            bytes: key.sign(message)?,
        })
    }

    pub(super) fn verify(
        &self,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureFault> {
        let key = self.0.iter().find(|key| key.id == signature.key_id);
        let key = key.ok_or_else(|| SignatureFault::UnknownKey(signature.key_id.clone()))?;
        // There is one Ed25519 signature of a message, so whoever holds the key can make it once more.
        let made = key.sign(message)?;
        match bool::from(made.ct_eq(&signature.bytes)) {
            true => Ok(()),
            false => Err(SignatureFault::Wrong),
        }
    }

    pub(super) fn public(&self) -> impl Iterator<Item = (&str, biscuit_auth::PublicKey)> {
        self.0.iter().map(|key| (&*key.id, key.pair.public()))
    }
}

impl SignatureKey {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignatureFault> {
        let signature = self.pair.sign(message);
        let signature = signature.map_err(|_| SignatureFault::NotMade)?;
        let bytes = signature.to_bytes().try_into();
        bytes.map_err(|_| SignatureFault::NotMade)
    }
}

impl fmt::Debug for SignatureKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "SignatureKeys({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::super::tests::ring;
    use super::*;

    #[test]
    fn whoever_has_the_public_key_can_check_it() {
        let keys = ring("ab");
        for purpose in Purpose::ALL {
            let signature = keys.sign(purpose, b"said").unwrap();
            assert_eq!(signature.key_id, "key-a");
            let public = keys.public_keys().into_iter().find(|key| {
                key.purpose == purpose.as_str() && key.id == signature.key_id && key.signs
            });
            let public = UnparsedPublicKey::new(&ED25519, public.unwrap().bytes);
            public.verify(b"said", &signature.bytes).unwrap();
            public.verify(b"else", &signature.bytes).unwrap_err();
        }
    }

    #[test]
    fn a_signature_is_of_one_message_and_one_purpose() {
        let keys = ring("a");
        let signature = keys.sign(Purpose::Audit, b"said").unwrap();
        let verify = |purpose, message: &[u8]| keys.verify(purpose, message, &signature);
        assert_eq!(verify(Purpose::Audit, b"said"), Ok(()));
        assert_eq!(verify(Purpose::Audit, b"else"), Err(SignatureFault::Wrong));
        assert_eq!(
            verify(Purpose::Receipt, b"said"),
            Err(SignatureFault::Wrong)
        );
        for at in 0..64 {
            let mut altered = signature.clone();
            altered.bytes[at] ^= 1;
            assert_eq!(
                keys.verify(Purpose::Audit, b"said", &altered),
                Err(SignatureFault::Wrong)
            );
        }
    }

    #[test]
    fn keys_may_come_and_go() {
        let old = ring("a").sign(Purpose::Audit, b"said").unwrap();
        let both = ring("ba");
        assert_eq!(both.verify(Purpose::Audit, b"said", &old), Ok(()));
        assert_eq!(both.sign(Purpose::Audit, b"said").unwrap().key_id, "key-b");
        assert_eq!(
            ring("b").verify(Purpose::Audit, b"said", &old),
            Err(SignatureFault::UnknownKey("key-a".into()))
        );
    }
}
