//! Refresh tokens. Each is used once and gives a child, which is computed from it: who asks again within the grace gets
//! the same child, though the database holds hashes alone. A tag tells whether we made a token at all, so that nobody
//! ends another's session by showing one that was made up.

use std::fmt;

use secrecy::{ExposeSecret, SecretBox, SecretString};
use subtle::{Choice, ConstantTimeEq};
use uuid::Uuid;

use super::{SecretHash, hash, random, read, written};
use crate::accounts::SessionId;
use crate::keys::Keys;

const PREFIX: &str = "emr_";

/// Session, generation and secret, in this order; the tag stands behind them.
const SESSION: usize = 16;
const GENERATION: usize = 4;
const SECRET: usize = 32;
const UNTAGGED: usize = SESSION + GENERATION + SECRET;
const TAG: usize = 16;
const LENGTH: usize = UNTAGGED + TAG;

/// A refresh token that we made: none comes to be of a text whose tag is wrong.
pub struct RefreshToken {
    session: SessionId,
    generation: i32,
    /// All but the tag.
    bytes: SecretBox<[u8; UNTAGGED]>,
}

impl RefreshToken {
    /// A new session's.
    pub fn first(session: SessionId) -> Self {
        Self::new(session, 0, random().expose_secret())
    }

    /// What a client shows; none for what is not ours, in the same time wherever it differs.
    pub fn parse(keys: &Keys, text: &str) -> Option<Self> {
        let bytes = read::<LENGTH>(PREFIX, text)?;
        let (untagged, tag) = bytes.expose_secret().split_at(UNTAGGED);
        let is_ours = keys
            .refresh_tag()
            .macs(&[untagged])
            .fold(Choice::from(0), |found, made| {
                found | made[..TAG].ct_eq(tag)
            });
        if !bool::from(is_ours) {
            return None;
        }
        let (session, rest) = untagged.split_at(SESSION);
        let (generation, secret) = rest.split_at(GENERATION);
        Some(Self::new(
            SessionId(Uuid::from_slice(session).ok()?),
            i32::from_be_bytes(generation.try_into().ok()?),
            secret.try_into().ok()?,
        ))
    }

    fn new(session: SessionId, generation: i32, secret: &[u8; SECRET]) -> Self {
        let mut bytes = Box::new([0; UNTAGGED]);
        bytes[..SESSION].copy_from_slice(session.0.as_bytes());
        bytes[SESSION..UNTAGGED - SECRET].copy_from_slice(&generation.to_be_bytes());
        bytes[UNTAGGED - SECRET..].copy_from_slice(secret);
        Self {
            session,
            generation,
            bytes: bytes.into(),
        }
    }

    pub fn session(&self) -> SessionId {
        self.session
    }

    /// How many came before it in its session.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// How the database knows it. The tag is left out, as another key makes another.
    pub fn hash(&self) -> SecretHash {
        hash(PREFIX, &[self.bytes.expose_secret()])
    }

    /// What the client gets.
    pub fn text(&self, keys: &Keys) -> SecretString {
        let tag = keys.refresh_tag().mac(&[self.bytes.expose_secret()]);
        let mut bytes = Box::new([0; LENGTH]);
        bytes[..UNTAGGED].copy_from_slice(self.bytes.expose_secret());
        bytes[UNTAGGED..].copy_from_slice(&tag[..TAG]);
        written(PREFIX, SecretBox::from(bytes).expose_secret())
    }

    /// The one that takes its place: always the same, as long as the same key comes first.
    pub fn child(&self, keys: &Keys) -> Self {
        self.with_secret(&keys.refresh().mac(&[self.bytes.expose_secret()]))
    }

    /// Its child whose hash this is, whichever key of the ring came first when it was made; none if it is another's.
    pub fn child_of_hash(&self, keys: &Keys, hash: &SecretHash) -> Option<Self> {
        keys.refresh()
            .macs(&[self.bytes.expose_secret()])
            .map(|secret| self.with_secret(&secret))
            .find(|child| child.hash().ct_eq(hash).into())
    }

    fn with_secret(&self, secret: &[u8; SECRET]) -> Self {
        Self::new(self.session, self.generation.saturating_add(1), secret)
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("RefreshToken")
            .field("session", &self.session)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::keys::tests::ring;

    const SESSION_ID: SessionId =
        SessionId(Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881));

    fn text(token: &RefreshToken, keys: &Keys) -> String {
        token.text(keys).expose_secret().to_owned()
    }

    #[test]
    fn a_token_reads_as_it_was_written() {
        let keys = ring("a");
        let token = RefreshToken::first(SESSION_ID).child(&keys);
        let text = text(&token, &keys);
        assert!(text.starts_with("emr_") && text.len() == 95, "{text}");
        let read = RefreshToken::parse(&keys, &text).unwrap();
        assert_eq!((read.session(), read.generation()), (SESSION_ID, 1));
        assert_eq!(read.hash(), token.hash());
        assert_ne!(
            RefreshToken::first(SESSION_ID).hash(),
            RefreshToken::first(SESSION_ID).hash()
        );
    }

    #[test]
    fn a_token_with_any_bit_altered_is_not_ours() {
        let keys = ring("a");
        let text = text(&RefreshToken::first(SESSION_ID), &keys);
        let bytes = URL_SAFE_NO_PAD.decode(&text[4..]).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let altered = format!("emr_{}", URL_SAFE_NO_PAD.encode(altered));
            assert!(RefreshToken::parse(&keys, &altered).is_none(), "bit {bit}");
        }
        for wrong in [
            "",
            "emr_",
            &text[4..],
            &text[..94],
            &format!("{text}A"),
            &"a".repeat(100_000),
        ] {
            assert!(RefreshToken::parse(&keys, wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_parent_has_one_child() {
        let keys = ring("a");
        let parent = RefreshToken::first(SESSION_ID);
        let child = parent.child(&keys);
        assert_eq!(child.hash(), parent.child(&keys).hash());
        assert_eq!(text(&child, &keys), text(&parent.child(&keys), &keys));
        assert_ne!(child.hash(), parent.hash());
        assert_ne!(child.hash(), child.child(&keys).hash());
        // Read again it has the same, or a client's second try would get another.
        let again = RefreshToken::parse(&keys, &text(&parent, &keys)).unwrap();
        assert_eq!(again.child(&keys).hash(), child.hash());
        // Without the key nobody can compute it.
        assert_ne!(parent.child(&ring("b")).hash(), child.hash());
    }

    #[test]
    fn keys_may_come_and_go() {
        let (before, during, after) = (ring("a"), ring("ba"), ring("b"));
        let parent = RefreshToken::first(SESSION_ID);
        let old = text(&parent, &before);
        let child = parent.child(&before);
        // The new key comes first: what the old one made is still ours, and a repeat finds the child that was given.
        let read = RefreshToken::parse(&during, &old).unwrap();
        assert_ne!(read.child(&during).hash(), child.hash());
        let found = read.child_of_hash(&during, &child.hash()).unwrap();
        assert_eq!((found.generation(), found.hash()), (1, child.hash()));
        assert!(read.child_of_hash(&during, &parent.hash()).is_none());
        assert!(RefreshToken::parse(&after, &text(&found, &during)).is_some());
        assert!(RefreshToken::parse(&after, &old).is_none());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let token = RefreshToken::first(SESSION_ID);
        let shown = format!("{token:?}");
        assert!(shown.ends_with("generation: 0, .. }"), "{shown}");
        assert!(!format!("{:?}", token.text(&ring("a"))).contains("emr_"));
    }
}
