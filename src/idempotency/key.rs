//! What a client names a request by.

use sha2::{Digest, Sha256};

const LONGEST: usize = 255;

/// As it is kept: by its hash, since it may say anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    #[error("Idempotency-Key: a request has one.")]
    Several,
    #[error(
        "Idempotency-Key: 1 to 255 visible ASCII characters are expected, in quotes or without, and no quotes or \
         backslashes among them; such as a UUID."
    )]
    Unreadable,
}

impl Key {
    /// Reads the header; none where it did not come. The quotes are those of the IETF's draft, which has the header as a
    /// string; most clients write none. They are no part of the key.
    pub fn read<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Option<Result<Self, KeyFault>> {
        let mut values = values.into_iter();
        let only = values.next()?;
        if values.next().is_some() {
            return Some(Err(KeyFault::Several));
        }
        Some(Self::parse(only).ok_or(KeyFault::Unreadable))
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let quoted = value
            .strip_prefix(b"\"")
            .and_then(|rest| rest.strip_suffix(b"\""));
        let key = quoted.unwrap_or(value);
        let may_be = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        let is_key = (1..=LONGEST).contains(&key.len()) && key.iter().all(may_be);
        is_key.then(|| Self(Sha256::digest(key).into()))
    }

    pub fn hash(&self) -> &[u8; 32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Result<Key, KeyFault> {
        Key::read([value.as_bytes()]).unwrap()
    }

    #[test]
    fn a_key_is_the_same_with_quotes_and_without() {
        for key in ["1", "8e03978e-40d5-43dd-bc93-6894a57f9324", "a;b=c,d'~!"] {
            assert_eq!(read(key), read(&format!("\"{key}\"")), "{key}");
        }
        assert_ne!(read("a"), read("A"));
        assert!(read(&"k".repeat(LONGEST)).is_ok());
        assert!(read(&format!("\"{}\"", "k".repeat(LONGEST))).is_ok());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let too_long = "k".repeat(LONGEST + 1);
        for value in [
            "",
            "\"\"",
            "\"",
            "a b",
            "a\tb",
            "\"a",
            "a\"",
            "a\"b",
            "\"a\"b\"",
            "a\\b",
            "\"a\\\"b\"",
            "ä",
            "\"a\";b",
            &too_long,
        ] {
            assert_eq!(read(value), Err(KeyFault::Unreadable), "{value}");
        }
    }

    #[test]
    fn a_request_has_one() {
        assert_eq!(Key::read([]), None);
        let twice = [b"a".as_slice(), b"a"];
        assert_eq!(Key::read(twice), Some(Err(KeyFault::Several)));
    }
}
