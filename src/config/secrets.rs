//! Settings that hold secrets of their own form: key rings and the challenge's provider.

use std::str::FromStr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::parse::Parsed;

/// Keys by id. The first is the one to use; the others are for what was made before.
#[derive(Debug, Clone)]
pub struct KeyRing {
    first: Key,
    older: Vec<Key>,
}

#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    bytes: Arc<SecretBox<[u8; 32]>>,
}

impl KeyRing {
    pub fn first(&self) -> &Key {
        &self.first
    }

    pub fn get(&self, id: &str) -> Option<&Key> {
        self.iter().find(|key| key.id == id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.first).chain(&self.older)
    }
}

/// For rings that are kept elsewhere than in a setting. What is wrong is told without the text.
impl FromStr for KeyRing {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        key_ring(text).map_err(|wrong| wrong.why)
    }
}

impl Key {
    pub fn expose(&self) -> &[u8; 32] {
        self.bytes.expose_secret()
    }
}

pub(super) fn key_ring(text: &str) -> Parsed<KeyRing> {
    let mut keys = text.split(',').map(|part| key(part.trim()));
    let mut ring = KeyRing {
        first: keys.next().ok_or("holds no key")??,
        older: Vec::new(),
    };
    for key in keys {
        let key = key?;
        if ring.get(&key.id).is_some() {
            return Err("has two keys of one id".into());
        }
        ring.older.push(key);
    }
    Ok(ring)
}

fn key(text: &str) -> Parsed<Key> {
    let (id, hex) = text
        .split_once(':')
        .ok_or("has a key that is not written as id:hex")?;
    if !is_key_id(id) {
        return Err("has an id that is not 1 to 32 of a-z, 0-9 and -".into());
    }
    let bytes = SecretBox::try_init_with(|| {
        bytes(hex).ok_or("has a key that is not 32 bytes, 64 digits of hex")
    })?;
    Ok(Key {
        id: id.to_owned(),
        bytes: Arc::new(bytes),
    })
}

/// Whether a key can be called so.
pub fn is_key_id(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    // Looked at first, as the standard library's numbers may begin with a sign.
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

/// A part of S3's credentials; all of them stand in headers.
pub(super) fn aws(text: &str) -> Parsed<SecretString> {
    match text.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(text.into()),
        false => Err("holds other than printable characters".into()),
    }
}

/// Who tells people from robots.
#[derive(Debug, Clone)]
pub enum Challenge {
    /// Our own, without a third party.
    Altcha,
    Turnstile {
        site: String,
        secret: SecretString,
    },
    Hcaptcha {
        site: String,
        secret: SecretString,
    },
}

pub(super) fn challenge(text: &str) -> Parsed<Challenge> {
    let wrong = "is none of altcha, turnstile:SITE:SECRET and hcaptcha:SITE:SECRET";
    if text == "altcha" {
        return Ok(Challenge::Altcha);
    }
    let mut parts = text.splitn(3, ':');
    let (Some(provider), Some(site), Some(secret)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong.into());
    };
    if site.is_empty() || secret.is_empty() {
        return Err(wrong.into());
    }
    let (site, secret) = (site.to_owned(), SecretString::from(secret));
    match provider {
        "turnstile" => Ok(Challenge::Turnstile { site, secret }),
        "hcaptcha" => Ok(Challenge::Hcaptcha { site, secret }),
        _ => Err(wrong.into()),
    }
}
