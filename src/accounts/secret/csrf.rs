//! CSRF tokens: what a page of ours can read and send, and another's can't. Each is bound to a session, so that one that
//! was planted, of an attacker's own session, is worth nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::ExposeSecret;

use super::read;
use crate::accounts::SessionId;
use crate::keys::Keys;

const LENGTH: usize = 32;

/// Not a value but what can be done with its text, which lives in a cookie and a header.
pub enum Csrf {}

impl Csrf {
    /// The same for as long as the session and the first key last: several tabs share the cookie, and each sends what it
    /// was told last.
    pub fn mint(keys: &Keys, session: SessionId) -> String {
        URL_SAFE_NO_PAD.encode(keys.csrf().mac(&[session.0.as_bytes()]))
    }

    /// Whether we made it for this session.
    pub fn verify(keys: &Keys, session: SessionId, text: &str) -> bool {
        let Some(mac) = read::<LENGTH>("", text) else {
            return false;
        };
        keys.csrf()
            .verify(&[session.0.as_bytes()], mac.expose_secret())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::keys::tests::ring;

    const MINE: SessionId = SessionId(Uuid::from_u128(1));
    const OTHER: SessionId = SessionId(Uuid::from_u128(2));

    #[test]
    fn a_token_is_good_for_its_session_alone() {
        let keys = ring("a");
        let token = Csrf::mint(&keys, MINE);
        assert_eq!(token, Csrf::mint(&keys, MINE));
        assert!(Csrf::verify(&keys, MINE, &token));
        assert!(!Csrf::verify(&keys, OTHER, &token));
    }

    #[test]
    fn an_altered_one_is_refused() {
        let keys = ring("a");
        let token = Csrf::mint(&keys, MINE);
        // The last letter holds two bits that mean nothing.
        for at in 0..token.len() - 1 {
            let other = if token.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            let mut altered = token.clone();
            altered.replace_range(at..=at, other);
            assert!(!Csrf::verify(&keys, MINE, &altered), "{altered}");
        }
        for wrong in ["", &token[1..], &format!("{token}AAAA")] {
            assert!(!Csrf::verify(&keys, MINE, wrong));
        }
    }

    #[test]
    fn keys_may_come_and_go() {
        let token = Csrf::mint(&ring("a"), MINE);
        assert!(Csrf::verify(&ring("ba"), MINE, &token));
        assert!(!Csrf::verify(&ring("b"), MINE, &token));
    }
}
