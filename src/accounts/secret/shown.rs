//! Secrets that a client shows again as it got them: 32 random bytes behind a prefix that says what they are for. Whether
//! there is such a one, the database tells.

use std::fmt;
use std::marker::PhantomData;

use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::{SecretHash, hash, random, read, written};

/// What a secret is for.
pub trait Purpose {
    const NAME: &'static str;
    const PREFIX: &'static str;
}

/// Of one purpose, and taken for no other.
pub struct Shown<P>(SecretBox<[u8; 32]>, PhantomData<P>);

/// What marks a device as one that signed in before.
pub type Device = Shown<OfDevice>;

/// What a sign-in goes on with whose password was right, and that waits for its second factor.
pub type SecondStep = Shown<OfSecondStep>;

pub struct OfDevice;

impl Purpose for OfDevice {
    const NAME: &'static str = "Device";
    const PREFIX: &'static str = "emd_";
}

pub struct OfSecondStep;

impl Purpose for OfSecondStep {
    const NAME: &'static str = "SecondStep";
    const PREFIX: &'static str = "ems_";
}

impl<P: Purpose> Shown<P> {
    pub fn random() -> Self {
        Self(random(), PhantomData)
    }

    /// None for what has not the form.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(read(P::PREFIX, text)?, PhantomData))
    }

    /// What the client gets.
    pub fn text(&self) -> SecretString {
        written(P::PREFIX, self.0.expose_secret())
    }

    /// How the database knows it.
    pub fn hash(&self) -> SecretHash {
        hash(P::PREFIX, &[self.0.expose_secret()])
    }
}

impl<P: Purpose> fmt::Debug for Shown<P> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(P::NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_known_again_and_taken_for_no_other<P: Purpose, Other: Purpose>() {
        let secret = Shown::<P>::random();
        let text = secret.text();
        let text = text.expose_secret();
        assert_eq!(Shown::<P>::parse(text).unwrap().hash(), secret.hash());
        assert_ne!(Shown::<P>::random().hash(), secret.hash());
        assert!(Shown::<Other>::parse(text).is_none());
        for wrong in [
            "",
            P::PREFIX,
            &text[4..],
            &text[..46],
            &format!("{text}A"),
            &text.replace(P::PREFIX, "emr_"),
        ] {
            assert!(Shown::<P>::parse(wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{secret:?}"), P::NAME);
    }

    #[test]
    fn a_device_is_known_again() {
        is_known_again_and_taken_for_no_other::<OfDevice, OfSecondStep>();
    }

    #[test]
    fn a_second_step_is_known_again() {
        is_known_again_and_taken_for_no_other::<OfSecondStep, OfDevice>();
    }
}
