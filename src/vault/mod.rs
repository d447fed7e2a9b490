//! What is kept encrypted: secrets that the service has to read again, so that a hash would not do. A ring comes from
//! `EMPULSE_ENCRYPTION_KEYS` or from the data folder; its first key encrypts, and each of them decrypts.
//!
//! A value is bound to its place: moved to another row, column or table it is refused, as is one of which a bit was
//! altered. So whoever can write to the database, and has no key, neither reads a secret nor puts another one in its
//! place. An older value of the same place is one of that place still.

mod error;
mod place;
mod rotate;
mod store;
mod value;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::{AeadInOut, KeyInit, XChaCha20Poly1305};
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox, SecretSlice};

pub use self::error::VaultError;
pub use self::place::{Place, Sealed};
pub use self::rotate::{Progress, Rotation};
use self::value::Value;
use crate::config::{Config, Key, KeyRing};
use crate::db::{self, Db};
use crate::keys::{self, RingFile};

/// The ring of the data folder.
pub const RING: RingFile = RingFile {
    name: "encryption",
    setting: "EMPULSE_ENCRYPTION_KEYS",
    who_reads_it: "can decrypt what the database keeps encrypted",
    without_it: "what was encrypted can't be read any more",
};

/// Goes into the derivation of keys, so it never changes.
const LABEL: &str = "empulse/vault/1";

/// Encrypts and decrypts. Clones share the keys.
#[derive(Clone)]
pub struct Vault(Arc<Ring>);

struct Ring {
    first: SealingKey,
    older: Vec<SealingKey>,
    /// The setting or the file that the keys are from.
    origin: String,
}

struct SealingKey {
    id: String,
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// By the ring of the settings, or the data folder's, which is made where there is none.
    pub fn unlocked(config: &Config) -> anyhow::Result<Self> {
        let ring = config.encryption_keys.as_ref();
        let (ring, origin) = RING.open(ring, &config.data_dir)?;
        Ok(Self::of(&ring, origin))
    }

    fn of(ring: &KeyRing, origin: String) -> Self {
        Self(Arc::new(Ring {
            first: SealingKey::derived(ring.first()),
            older: ring.iter().skip(1).map(SealingKey::derived).collect(),
            origin,
        }))
    }

    /// Encrypts what is to stand in that place, by the first key of the ring.
    pub fn seal(&self, place: &Place, text: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = &self.0.first;
        let head = value::head(&key.id);
        let nonce: [u8; value::NONCE] = rand::random();
        // All that it will be: a text that moves leaves itself behind.
        let length = head.len() + nonce.len() + text.len() + value::TAG;
        let mut sealed = Vec::with_capacity(length);
        sealed.extend_from_slice(&head);
        sealed.extend_from_slice(&nonce);
        let text_at = sealed.len();
        sealed.extend_from_slice(text);
        let bound = place.bound(&head);
        let tag = key
            .encrypt(&nonce, &bound, &mut sealed[text_at..])
            .map_err(|_| VaultError::TooLong(*place))?;
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Decrypts what was sealed for that place, by whichever key of the ring it was.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Result<SecretSlice<u8>, VaultError> {
        let value = Value::read(sealed).ok_or(VaultError::NotSealed(*place))?;
        let key = self.keys().find(|key| key.id == value.key_id);
        let key = key.ok_or_else(|| VaultError::UnknownKey {
            place: *place,
            key_id: value.key_id.to_owned(),
            origin: self.0.origin.clone(),
        })?;
        // Becomes clear where it is wiped afterwards.
        let mut text = SecretBox::<[u8]>::new(value.encrypted.into());
        let bound = place.bound(value.head);
        key.decrypt(value.nonce, &bound, text.expose_secret_mut(), value.tag)
            .map_err(|_| VaultError::Refused {
                place: *place,
                key_id: key.id.clone(),
            })?;
        Ok(text)
    }

    /// The same text by the first key, and the key that it was under; none if that was the first already.
    fn renewed(
        &self,
        place: &Place,
        sealed: &[u8],
    ) -> Result<Option<(String, Vec<u8>)>, VaultError> {
        let value = Value::read(sealed).ok_or(VaultError::NotSealed(*place))?;
        if value.key_id == self.0.first.id {
            return Ok(None);
        }
        let text = self.open(place, sealed)?;
        let renewed = self.seal(place, text.expose_secret())?;
        Ok(Some((value.key_id.to_owned(), renewed)))
    }

    /// A key that something in these columns is under and that is not in the ring, as its value names it.
    pub async fn missing_key(
        &self,
        db: &Db,
        columns: &[Sealed],
    ) -> Result<Option<String>, db::Error> {
        for column in columns {
            let heads = self.ids().map(value::head).collect();
            if let Some(other) = store::beginning_otherwise(db, *column, heads).await? {
                let key_id = Value::read(&other).map(|value| value.key_id.to_owned());
                return Ok(Some(key_id.unwrap_or_else(|| "no key at all".to_owned())));
            }
        }
        Ok(None)
    }

    /// The setting or the file that the keys are from.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// In the ring's order: the first encrypts.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys().map(|key| &*key.id)
    }

    fn keys(&self) -> impl Iterator<Item = &SealingKey> {
        std::iter::once(&self.0.first).chain(&self.0.older)
    }
}

impl SealingKey {
    fn derived(key: &Key) -> Self {
        let derived = keys::derived(key.expose(), LABEL);
        Self {
            id: key.id.clone(),
            cipher: XChaCha20Poly1305::new(derived.expose_secret().into()),
        }
    }

    /// In its place; the tag.
    fn encrypt(
        &self,
        nonce: &[u8; value::NONCE],
        bound: &[u8],
        text: &mut [u8],
    ) -> Result<[u8; value::TAG], chacha20poly1305::Error> {
        let cipher = &self.cipher;
        let tag = cipher.encrypt_inout_detached(nonce.into(), bound, text.into())?;
        Ok(tag.into())
    }

    fn decrypt(
        &self,
        nonce: &[u8; value::NONCE],
        bound: &[u8],
        text: &mut [u8],
        tag: &[u8; value::TAG],
    ) -> Result<(), chacha20poly1305::Error> {
        let cipher = &self.cipher;
        cipher.decrypt_inout_detached(nonce.into(), bound, text.into(), tag.into())
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Vault ")?;
        out.debug_list().entries(self.ids()).finish()
    }
}
