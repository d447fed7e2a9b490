//! Tokens in mails. They are computed from the id of their row, so that a mail that is written again says the same,
//! though the database holds hashes alone.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{SecretHash, hash, read, written};
use crate::accounts::MailPurpose;
use crate::keys::Keys;

/// Not a value but what can be done with its text, which lives in a mail.
pub enum Mailed {}

impl Mailed {
    /// The token of a new row, and the hash to keep there.
    pub fn derive(keys: &Keys, purpose: MailPurpose, id: Uuid) -> (SecretString, SecretHash) {
        told(
            &keys
                .mailed()
                .mac(&[purpose.as_str().as_bytes(), id.as_bytes()]),
        )
    }

    /// The token of a row that is there already, whichever key of the ring came first when it was made; none if that
    /// key has gone.
    pub fn of_hash(
        keys: &Keys,
        purpose: MailPurpose,
        id: Uuid,
        hash: &SecretHash,
    ) -> Option<SecretString> {
        keys.mailed()
            .macs(&[purpose.as_str().as_bytes(), id.as_bytes()])
            .map(|bytes| told(&bytes))
            .find(|(_, made)| made.ct_eq(hash).into())
            .map(|(text, _)| text)
    }

    /// What to look for in the database; none for what has not the form.
    pub fn hash_of(text: &str) -> Option<SecretHash> {
        Some(hash_of_bytes(read::<32>("", text)?.expose_secret()))
    }
}

fn told(bytes: &[u8; 32]) -> (SecretString, SecretHash) {
    (written("", bytes), hash_of_bytes(bytes))
}

fn hash_of_bytes(bytes: &[u8; 32]) -> SecretHash {
    hash("mailed", &[bytes])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::ring;

    const ID: Uuid = Uuid::from_u128(7);

    #[test]
    fn a_mail_written_again_says_the_same() {
        let keys = ring("a");
        let (text, hash) = Mailed::derive(&keys, MailPurpose::Verify, ID);
        let (again, _) = Mailed::derive(&keys, MailPurpose::Verify, ID);
        assert_eq!(text.expose_secret(), again.expose_secret());
        assert_eq!(text.expose_secret().len(), 43);
        assert_eq!(Mailed::hash_of(text.expose_secret()), Some(hash));
    }

    #[test]
    fn each_row_and_each_purpose_has_its_own() {
        let keys = ring("a");
        let mut hashes = vec![Mailed::derive(&keys, MailPurpose::Verify, Uuid::from_u128(8)).1];
        for purpose in MailPurpose::ALL {
            hashes.push(Mailed::derive(&keys, *purpose, ID).1);
        }
        let all = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), all);
    }

    #[test]
    fn what_has_not_the_form_has_no_hash() {
        let (text, hash) = Mailed::derive(&ring("a"), MailPurpose::Verify, ID);
        let text = text.expose_secret();
        for wrong in [
            "",
            &text[1..],
            &format!("{text}A"),
            &format!("{text}="),
            &format!(" {text}"),
        ] {
            assert_eq!(Mailed::hash_of(wrong), None, "{wrong}");
        }
        let first = if text.starts_with('A') { "B" } else { "A" };
        assert_ne!(
            Mailed::hash_of(&format!("{first}{}", &text[1..])),
            Some(hash)
        );
    }

    #[test]
    fn keys_may_come_and_go() {
        let (text, hash) = Mailed::derive(&ring("a"), MailPurpose::Verify, ID);
        let found = Mailed::of_hash(&ring("ba"), MailPurpose::Verify, ID, &hash).unwrap();
        assert_eq!(found.expose_secret(), text.expose_secret());
        for (keys, purpose) in [
            ("b", MailPurpose::Verify),
            ("ba", MailPurpose::ResetPassword),
        ] {
            assert!(Mailed::of_hash(&ring(keys), purpose, ID, &hash).is_none());
        }
    }
}
