//! Secrets that clients hold and the database knows by their hash. Each has a form of its own, so that none is taken
//! for another.

mod csrf;
mod mailed;
mod recovery;
mod refresh;
mod shown;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};

pub use self::csrf::Csrf;
pub use self::mailed::Mailed;
pub use self::recovery::RecoveryCode;
pub use self::refresh::RefreshToken;
pub use self::shown::{Device, SecondStep};

/// How the database knows a secret. Secrets are random and long, so that a fast hash does.
pub type SecretHash = [u8; 32];

fn random<const LENGTH: usize>() -> SecretBox<[u8; LENGTH]> {
    let mut bytes = Box::new([0; LENGTH]);
    rand::fill(&mut bytes[..]);
    bytes.into()
}

/// The hash of what stands behind a label; other kinds of secret have other labels.
fn hash(label: &str, parts: &[&[u8]]) -> SecretHash {
    let hash = Sha256::new().chain_update(label.as_bytes());
    let all = parts
        .iter()
        .fold(hash, |hash, part| hash.chain_update(part));
    all.finalize().into()
}

/// The bytes as text, behind a prefix that tells what it is.
fn written(prefix: &str, bytes: &[u8]) -> SecretString {
    // As long as it gets: a text that grows leaves copies behind.
    let mut text = String::with_capacity(prefix.len() + bytes.len().div_ceil(3) * 4);
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
    text.into()
}

/// The bytes of a text of this form; none for any other.
fn read<const LENGTH: usize>(prefix: &str, text: &str) -> Option<SecretBox<[u8; LENGTH]>> {
    let text = text.strip_prefix(prefix)?;
    if text.len() != (LENGTH * 4).div_ceil(3) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let bytes: SecretBox<[u8]> = bytes.into();
    SecretBox::try_init_with(|| bytes.expose_secret().try_into()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_one_way_only() {
        let text = written("emx_", &[7; 32]);
        let text = text.expose_secret();
        assert_eq!(text.len(), 4 + 43);
        assert_eq!(read::<32>("emx_", text).unwrap().expose_secret(), &[7; 32]);
        let other_last = format!("{}d", &text[..text.len() - 1]);
        for wrong in [
            "",
            "emx_",
            &text[..text.len() - 1],
            &format!("{text}="),
            &format!("{text}A"),
            &text.replace("emx_", "emy_"),
            &text[4..],
            &other_last,
            &text.replace("BwcH", "B+cH"),
        ] {
            assert!(read::<32>("emx_", wrong).is_none(), "{wrong}");
        }
    }
}
