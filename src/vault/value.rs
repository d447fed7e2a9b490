//! How a sealed value is written:
//!
//! | bytes | hold |
//! | --- | --- |
//! | 1 | the version of this form, 1 |
//! | 1 | the length of the key's id |
//! | 1 to 32 | the key's id |
//! | 24 | the nonce, at random |
//! | as many as the text has | the text, by XChaCha20 |
//! | 16 | the tag, by Poly1305 |
//!
//! The id is written out, rather than a number for it, so that SQL and people can tell which keys are in use.

use std::str;

use crate::config::is_key_id;

pub const NONCE: usize = 24;
pub const TAG: usize = 16;
const VERSION: u8 = 1;

/// A value taken apart; nothing of it is known to be right.
pub struct Value<'v> {
    /// All that stands before the nonce.
    pub head: &'v [u8],
    pub key_id: &'v str,
    pub nonce: &'v [u8; NONCE],
    pub encrypted: &'v [u8],
    pub tag: &'v [u8; TAG],
}

impl<'v> Value<'v> {
    pub fn read(bytes: &'v [u8]) -> Option<Self> {
        let (&[version, length], rest) = bytes.split_first_chunk()?;
        let (key_id, rest) = rest.split_at_checked(length.into())?;
        let key_id = str::from_utf8(key_id).ok()?;
        if version != VERSION || !is_key_id(key_id) {
            return None;
        }
        let (nonce, rest) = rest.split_first_chunk()?;
        let (encrypted, tag) = rest.split_last_chunk()?;
        Some(Self {
            head: &bytes[..2 + key_id.len()],
            key_id,
            nonce,
            encrypted,
            tag,
        })
    }
}

/// What stands before the nonce. An id that a ring can hold has a length of one byte.
pub fn head(key_id: &str) -> Vec<u8> {
    [&[VERSION, key_id.len() as u8], key_id.as_bytes()].concat()
}
