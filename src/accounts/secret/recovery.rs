//! Recovery codes: what somebody has on paper who has lost their authenticator. Each counts once.

use std::fmt;

use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::{SecretHash, hash};
use crate::accounts::AccountId;

const PREFIX: &str = "recovery";
/// Crockford's base 32, which leaves out letters that are taken for digits.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 80 bits: nobody finds one by its hash.
const LENGTH: usize = 16;
/// Letters that are read together.
const GROUP: usize = 4;

/// Its letters, each of the alphabet.
pub struct RecoveryCode(SecretBox<[u8; LENGTH]>);

impl RecoveryCode {
    pub fn random() -> Self {
        // As many letters as five bits tell apart, so each is as likely.
        let letter = |byte: u8| ALPHABET[usize::from(byte % 32)];
        Self(SecretBox::init_with(|| {
            rand::random::<[u8; LENGTH]>().map(letter)
        }))
    }

    /// Of its letters alone, in either case; a nought and a one may be written as letters. None for what has not the form.
    pub fn parse(letters: &str) -> Option<Self> {
        let letters: &[u8; LENGTH] = letters.as_bytes().try_into().ok()?;
        let plain = |letter: &u8| match letter.to_ascii_lowercase() {
            b'o' => b'0',
            b'i' | b'l' => b'1',
            letter => letter,
        };
        if !letters
            .iter()
            .all(|letter| ALPHABET.contains(&plain(letter)))
        {
            return None;
        }
        Some(Self(SecretBox::init_with(|| {
            std::array::from_fn(|at| plain(&letters[at]))
        })))
    }

    /// As its owner is shown it: `7kq2-m9xa-0b1c-z5yt`.
    pub fn text(&self) -> SecretString {
        let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
        for (at, letter) in self.0.expose_secret().iter().enumerate() {
            if at > 0 && at % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(*letter));
        }
        text.into()
    }

    /// How the database knows it: another for each account.
    pub fn hash(&self, account: AccountId) -> SecretHash {
        hash(PREFIX, &[account.0.as_bytes(), self.0.expose_secret()])
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RecoveryCode")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const MINE: AccountId = AccountId(Uuid::from_u128(1));
    const OTHER: AccountId = AccountId(Uuid::from_u128(2));

    #[test]
    fn a_code_is_known_again() {
        let code = RecoveryCode::random();
        let text = code.text();
        let text = text.expose_secret();
        assert_eq!((text.len(), text.matches('-').count()), (19, 3), "{text}");
        let letters = text.replace('-', "");
        for letters in [&letters, &letters.to_uppercase()] {
            let again = RecoveryCode::parse(letters).unwrap();
            assert_eq!(again.hash(MINE), code.hash(MINE));
        }
        assert_ne!(code.hash(OTHER), code.hash(MINE));
        assert_ne!(RecoveryCode::random().hash(MINE), code.hash(MINE));
        assert_eq!(format!("{code:?}"), "RecoveryCode");
    }

    #[test]
    fn each_letter_of_the_alphabet_comes() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            seen.extend(RecoveryCode::random().0.expose_secret().iter().copied());
        }
        assert_eq!(seen.len(), 32);
    }

    #[test]
    fn what_has_not_the_form_is_none() {
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdefg",
            "0123456789abcdeu",
            "0123-456789abcde",
            "0123456789abcdé",
        ] {
            assert!(RecoveryCode::parse(wrong).is_none(), "{wrong}");
        }
    }
}
