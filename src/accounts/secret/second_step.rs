//! What a sign-in goes on with whose password was right, and that waits for its second factor.

use std::fmt;

use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::{SecretHash, hash, random, read, written};

const PREFIX: &str = "ems_";

/// Whether there is such a sign-in, the database tells.
pub struct SecondStep(SecretBox<[u8; 32]>);

impl SecondStep {
    pub fn random() -> Self {
        Self(random())
    }

    /// What a client shows; none for what has not the form.
    pub fn parse(text: &str) -> Option<Self> {
        read(PREFIX, text).map(Self)
    }

    /// What the client gets.
    pub fn text(&self) -> SecretString {
        written(PREFIX, self.0.expose_secret())
    }

    /// How the database knows it.
    pub fn hash(&self) -> SecretHash {
        hash(PREFIX, &[self.0.expose_secret()])
    }
}

impl fmt::Debug for SecondStep {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SecondStep")
    }
}

#[cfg(test)]
mod tests {
    use super::super::Device;
    use super::*;

    #[test]
    fn a_token_is_known_again_and_is_taken_for_no_other() {
        let step = SecondStep::random();
        let text = step.text();
        let text = text.expose_secret();
        assert_eq!(SecondStep::parse(text).unwrap().hash(), step.hash());
        assert_ne!(SecondStep::random().hash(), step.hash());
        assert!(Device::parse(text).is_none());
        for wrong in ["", "ems_", &text[4..], &text.replace("ems_", "emd_")] {
            assert!(SecondStep::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{step:?}"), "SecondStep");
    }
}
