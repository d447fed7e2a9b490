//! Keys that are derived from those of the ring, one for each use: what is made for one use says nothing in another,
//! and the compiler keeps them apart.

use std::fmt;
use std::marker::PhantomData;

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::config::KeyRing;

/// What a key is for.
pub trait Use {
    /// Goes into the derivation, so it never changes.
    const LABEL: &'static str;
}

macro_rules! uses {
    ($($name:ident = $label:literal),+ $(,)?) => {
        $(
            #[doc = concat!("`", $label, "`")]
            pub enum $name {}

            impl Use for $name {
                const LABEL: &'static str = $label;
            }
        )+
    };
}

uses! {
    RefreshUse = "empulse/refresh/1",
    RefreshTagUse = "empulse/refresh-tag/1",
    CsrfUse = "empulse/csrf/1",
    MailedUse = "empulse/mailed/1",
    ChallengeUse = "empulse/challenge/1",
    MediaUse = "empulse/media/1",
    IdempotencyUse = "empulse/idempotency/1",
}

/// One use's keys, one from each of the ring, in its order.
pub struct MacKeys<U>(Vec<MacKey<U>>);

/// A key of one use.
pub struct MacKey<U> {
    bytes: SecretBox<[u8; 32]>,
    of: PhantomData<fn() -> U>,
}

impl<U: Use> MacKeys<U> {
    pub(super) fn derived(ring: &KeyRing) -> Self {
        Self(
            ring.iter()
                .map(|key| MacKey::derived(key.expose()))
                .collect(),
        )
    }

    /// By the key that makes what is new.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // A ring is never empty; were it, nothing would equal what nobody knows.
        self.macs(parts).next().unwrap_or_else(rand::random)
    }

    /// By each key, the one that makes what is new first.
    pub fn macs(&self, parts: &[&[u8]]) -> impl Iterator<Item = [u8; 32]> {
        self.0.iter().map(move |key| key.mac(parts))
    }

    /// Whether one of the keys made it. Takes as long whichever it was, and wherever it differs.
    pub fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.macs(parts)
            .fold(Choice::from(0), |found, made| found | made[..].ct_eq(mac))
            .into()
    }
}

impl<U: Use> MacKey<U> {
    fn derived(key: &[u8; 32]) -> Self {
        Self {
            bytes: derived(key, U::LABEL),
            of: PhantomData,
        }
    }

    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        mac(self.bytes.expose_secret(), parts)
    }
}

impl<U> fmt::Debug for MacKeys<U> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "MacKeys({})", self.0.len())
    }
}

impl<U> fmt::Debug for MacKey<U> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MacKey")
    }
}

/// A key that is made from one of a ring, for what the label says.
pub fn derived(key: &[u8; 32], label: &str) -> SecretBox<[u8; 32]> {
    // The step of HKDF that expands; the one that extracts is for keys that are not uniform, and these are.
    SecretBox::init_with(|| mac(key, &[label.as_bytes()]))
}

/// HMAC-SHA256 over the parts, each behind its length, so that they can't be cut elsewhere.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC itself fills a key up to the hash's block with zeros; a whole block can't be of a wrong length.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::ring;
    use super::*;

    #[test]
    fn parts_can_not_be_cut_elsewhere() {
        let keys = ring("a");
        assert_ne!(
            keys.csrf().mac(&[b"ab", b"c"]),
            keys.csrf().mac(&[b"a", b"bc"])
        );
        assert_ne!(keys.csrf().mac(&[b"ab"]), keys.csrf().mac(&[b"ab", b""]));
    }

    #[test]
    fn any_key_of_the_ring_is_believed_and_no_other() {
        let made = ring("a").csrf().mac(&[b"said"]);
        assert!(ring("a").csrf().verify(&[b"said"], &made));
        assert!(ring("ba").csrf().verify(&[b"said"], &made));
        assert!(!ring("b").csrf().verify(&[b"said"], &made));
        assert!(!ring("a").csrf().verify(&[b"else"], &made));
        assert!(!ring("a").csrf().verify(&[b"said"], &made[..31]));
        assert!(!ring("a").csrf().verify(&[b"said"], b""));
    }

    #[test]
    fn it_is_hmac_as_others_compute_it() {
        // RFC 4231, test 2 has a shorter key; filled up with zeros it is the same one.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mut block = [0; 64];
        block[..32].copy_from_slice(&key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(b"what do ya want for nothing?");
        let bytes: [u8; 32] = mac.finalize().into_bytes().into();
        assert_eq!(bytes[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }
}
