//! What marks a device as one that signed in before.

use std::fmt;

use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::{SecretHash, hash, random, read, written};

const PREFIX: &str = "emd_";

/// A device's secret. Whether it is one that we know, the database tells.
pub struct Device(SecretBox<[u8; 32]>);

impl Device {
    /// A new device's.
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

impl fmt::Debug for Device {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Device")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_again() {
        let device = Device::random();
        let text = device.text();
        let again = Device::parse(text.expose_secret()).unwrap();
        assert_eq!(again.hash(), device.hash());
        assert_ne!(again.hash(), Device::random().hash());
        assert_eq!(format!("{device:?}"), "Device");
    }

    #[test]
    fn what_has_not_the_form_is_none() {
        let text = Device::random().text();
        let text = text.expose_secret();
        for wrong in [
            "",
            "emd_",
            &text[4..],
            &text[..46],
            &format!("{text}A"),
            &text.replace("emd_", "emr_"),
        ] {
            assert!(Device::parse(wrong).is_none(), "{wrong}");
        }
    }
}
