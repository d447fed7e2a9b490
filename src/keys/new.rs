//! A key that was not there before, in the form that the settings have.

use anyhow::Context;
use rand::TryRng;
use rand::rngs::SysRng;
use secrecy::{ExposeSecret, SecretBox, SecretString};

/// `id:hex`, of 32 bytes that nobody can guess.
pub fn new_key(id: &str) -> anyhow::Result<SecretString> {
    let key = SecretBox::<[u8; 32]>::try_init_with(|| {
        let mut bytes = [0; 32];
        SysRng.try_fill_bytes(&mut bytes).map(|()| bytes)
    })
    .context("the system gives no random numbers")?;
    // Neither too short nor too long: a text that moves leaves itself behind.
    let mut text = String::with_capacity(id.len() + 1 + 64);
    text.push_str(id);
    text.push(':');
    for byte in key.expose_secret() {
        for digit in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(digit.into(), 16));
        }
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyRing;

    #[test]
    fn a_new_key_is_one_of_the_settings_and_never_the_same() {
        let texts = [new_key("2030-01").unwrap(), new_key("2030-01").unwrap()];
        let keys = texts.map(|text| {
            let ring: KeyRing = text.expose_secret().parse().unwrap();
            assert_eq!(ring.first().id, "2030-01");
            *ring.first().expose()
        });
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], [0; 32]);
    }
}
