//! The keys that tokens and signatures are made with. A ring comes from `EMPULSE_SIGNING_KEYS` or from the data folder;
//! its first key makes what is new, and each of them is still believed, so that a key can be taken out of use without
//! signing anybody out: the new one is put before it, and the old one goes once nothing is left that it made.

mod file;
mod mac;
mod new;
mod sign;

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use biscuit_auth::{Algorithm, KeyPair, PrivateKey};
use sha2::{Digest, Sha256};

pub use self::file::RingFile;
pub use self::mac::{
    ChallengeUse, CsrfUse, IdempotencyUse, MacKeys, MailedUse, MediaUse, RefreshTagUse, RefreshUse,
    derived,
};
pub use self::new::new_key;
use self::sign::SignatureKeys;
pub use self::sign::{Purpose, Signature, SignatureFault};
use crate::config::{Config, KeyRing};

/// The ring of the data folder.
pub const RING: RingFile = RingFile {
    name: "signing",
    setting: "EMPULSE_SIGNING_KEYS",
    who_reads_it: "can sign in as anybody",
    without_it: "everybody has to sign in again",
};

/// The ring, and what is derived from each of its keys. Clones share it.
#[derive(Clone)]
pub struct Keys(Arc<Ring>);

struct Ring {
    signing: Vec<SigningKey>,
    refresh: MacKeys<RefreshUse>,
    refresh_tag: MacKeys<RefreshTagUse>,
    csrf: MacKeys<CsrfUse>,
    mailed: MacKeys<MailedUse>,
    challenge: MacKeys<ChallengeUse>,
    media: MacKeys<MediaUse>,
    idempotency: MacKeys<IdempotencyUse>,
    receipt: SignatureKeys,
    audit: SignatureKeys,
}

/// A key that access tokens are signed with.
pub struct SigningKey {
    id: String,
    /// What a biscuit has in place of the id.
    pub number: u32,
    pub pair: KeyPair,
    pub public: biscuit_auth::PublicKey,
}

/// What everybody may know of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub id: String,
    /// `access`, or one of [`Purpose`]; an id has a key for each.
    pub purpose: &'static str,
    /// What a biscuit has in place of the id.
    pub number: Option<u32>,
    /// Ed25519.
    pub bytes: [u8; 32],
    /// Whether what is new is signed with it, or only what is older was.
    pub signs: bool,
}

impl Keys {
    /// The ring of the settings, or the data folder's, which is made where there is none.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let (ring, origin) = RING.open(config.signing_keys.as_ref(), &config.data_dir)?;
        Self::of(&ring).context(origin)
    }

    pub fn of(ring: &KeyRing) -> anyhow::Result<Self> {
        let mut signing: Vec<SigningKey> = Vec::new();
        for key in ring.iter() {
            let private = PrivateKey::from_bytes(key.expose(), Algorithm::Ed25519)
                .with_context(|| format!("the key {} can't sign", key.id))?;
            let pair = KeyPair::from(&private);
            let number = number(&key.id);
            if let Some(other) = signing.iter().find(|other| other.number == number) {
                anyhow::bail!(
                    "the ids {} and {} come to the same number in tokens; give one of the keys another id",
                    other.id,
                    key.id
                );
            }
            signing.push(SigningKey {
                id: key.id.clone(),
                number,
                public: pair.public(),
                pair,
            });
        }
        Ok(Self(Arc::new(Ring {
            signing,
            refresh: MacKeys::derived(ring),
            refresh_tag: MacKeys::derived(ring),
            csrf: MacKeys::derived(ring),
            mailed: MacKeys::derived(ring),
            challenge: MacKeys::derived(ring),
            media: MacKeys::derived(ring),
            idempotency: MacKeys::derived(ring),
            receipt: SignatureKeys::derived(ring, Purpose::Receipt)?,
            audit: SignatureKeys::derived(ring, Purpose::Audit)?,
        })))
    }

    /// What a child of a refresh token comes from.
    pub fn refresh(&self) -> &MacKeys<RefreshUse> {
        &self.0.refresh
    }

    /// What tells a refresh token of ours from one that was made up.
    pub fn refresh_tag(&self) -> &MacKeys<RefreshTagUse> {
        &self.0.refresh_tag
    }

    pub fn csrf(&self) -> &MacKeys<CsrfUse> {
        &self.0.csrf
    }

    /// What tokens in mails come from.
    pub fn mailed(&self) -> &MacKeys<MailedUse> {
        &self.0.mailed
    }

    /// What signs our own challenges.
    pub fn challenge(&self) -> &MacKeys<ChallengeUse> {
        &self.0.challenge
    }

    /// What signs the addresses of stored files.
    pub fn media(&self) -> &MacKeys<MediaUse> {
        &self.0.media
    }

    /// What requests that are sent again are known by: they hold passwords, which a bare hash would give away.
    pub fn idempotency(&self) -> &MacKeys<IdempotencyUse> {
        &self.0.idempotency
    }

    /// By the first key of the ring.
    pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<Signature, SignatureFault> {
        self.signatures(purpose).sign(message)
    }

    /// Whether one of the ring's keys made it, for this purpose and of this message.
    pub fn verify(
        &self,
        purpose: Purpose,
        message: &[u8],
        signature: &Signature,
    ) -> Result<(), SignatureFault> {
        self.signatures(purpose).verify(message, signature)
    }

    fn signatures(&self, purpose: Purpose) -> &SignatureKeys {
        match purpose {
            Purpose::Receipt => &self.0.receipt,
            Purpose::Audit => &self.0.audit,
        }
    }

    /// In the ring's order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.signing.iter().map(|key| &*key.id)
    }

    /// For whoever checks elsewhere what we sign; the first of each purpose signs.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        let access = self.0.signing.iter().enumerate().filter_map(|(at, key)| {
            let number = Some(key.number);
            PublicKey::of("access", at, &key.id, number, key.public)
        });
        let signatures = Purpose::ALL.into_iter().flat_map(|purpose| {
            let keys = self.signatures(purpose).public().enumerate();
            keys.filter_map(move |(at, (id, key))| {
                PublicKey::of(purpose.as_str(), at, id, None, key)
            })
        });
        access.chain(signatures).collect()
    }

    /// The key that signs; every ring has one.
    pub fn signing(&self) -> Option<&SigningKey> {
        self.0.signing.first()
    }

    /// The key that a biscuit names.
    pub fn numbered(&self, number: u32) -> Option<&SigningKey> {
        self.0.signing.iter().find(|key| key.number == number)
    }
}

impl PublicKey {
    fn of(
        purpose: &'static str,
        at: usize,
        id: &str,
        number: Option<u32>,
        key: biscuit_auth::PublicKey,
    ) -> Option<Self> {
        Some(Self {
            id: id.to_owned(),
            purpose,
            number,
            bytes: key.to_bytes().try_into().ok()?,
            signs: at == 0,
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Keys ")?;
        out.debug_list().entries(self.ids()).finish()
    }
}

/// A biscuit names its key by a number. It comes from the id, so that instances agree without a table.
fn number(id: &str) -> u32 {
    let hash: [u8; 32] = Sha256::digest(id).into();
    let [a, b, c, d, ..] = hash;
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A ring of keys named by letters: the same letter is the same key.
    pub fn ring(letters: &str) -> Keys {
        Keys::of(&ring_text(letters).parse().unwrap()).unwrap()
    }

    pub fn ring_text(letters: &str) -> String {
        let keys = letters.chars().map(|letter| {
            format!(
                "key-{letter}:{}",
                format!("{:02x}", letter as u8).repeat(32)
            )
        });
        keys.collect::<Vec<_>>().join(",")
    }

    #[test]
    fn the_first_key_signs_and_all_are_public() {
        let keys = ring("ab");
        let public = keys.public_keys();
        let shown: Vec<_> = public
            .iter()
            .map(|key| (key.purpose, key.id.as_str(), key.signs))
            .collect();
        assert_eq!(
            shown,
            [
                ("access", "key-a", true),
                ("access", "key-b", false),
                ("receipt", "key-a", true),
                ("receipt", "key-b", false),
                ("audit", "key-a", true),
                ("audit", "key-b", false),
            ]
        );
        for (at, key) in public.iter().enumerate() {
            assert!(
                public[at + 1..]
                    .iter()
                    .all(|other| other.bytes != key.bytes)
            );
            assert_eq!(key.number.is_some(), key.purpose == "access");
        }
        assert_eq!(Some(keys.signing().unwrap().number), public[0].number);
        let other = ring("ba").public_keys();
        for purpose in [0, 2, 4] {
            assert_eq!(other[purpose + 1].bytes, public[purpose].bytes);
        }
    }

    #[test]
    fn each_use_has_a_key_of_its_own() {
        let keys = ring("a");
        let said = [b"the same".as_slice()];
        let macs = [
            keys.refresh().mac(&said),
            keys.refresh_tag().mac(&said),
            keys.csrf().mac(&said),
            keys.mailed().mac(&said),
            keys.challenge().mac(&said),
            keys.media().mac(&said),
            keys.idempotency().mac(&said),
        ];
        for (at, one) in macs.iter().enumerate() {
            assert!(!macs[at + 1..].contains(one), "{at} is another's");
        }
        assert_eq!(ring("ab").csrf().mac(&said), macs[2]);
        assert_ne!(ring("ba").csrf().mac(&said), macs[2]);
    }

    fn config(env: &[(&str, &str)]) -> Config {
        let args = ["empulse".into()].into_iter();
        let env = env.iter().map(|(name, value)| (name.into(), value.into()));
        crate::config::read(args, env).unwrap().config
    }

    #[test]
    fn the_settings_ring_comes_before_the_data_folders() {
        let folder = std::env::temp_dir().join(format!("empulse-ring-{}", std::process::id()));
        let data = folder.to_str().unwrap();
        let set = [
            ("EMPULSE_DATA_DIR", data),
            ("EMPULSE_SIGNING_KEYS", &ring_text("ab")),
        ];
        let keys = Keys::open(&config(&set)).unwrap();
        assert_eq!(keys.public_keys(), ring("ab").public_keys());
        assert!(!folder.exists());

        let made = Keys::open(&config(&set[..1])).unwrap();
        let again = Keys::open(&config(&set[..1])).unwrap();
        assert_eq!(made.public_keys(), again.public_keys());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn ids_that_come_to_one_number_are_refused() {
        // Found by trying; about 77,000 ids are enough for two that meet.
        let mut seen = std::collections::HashMap::new();
        let (one, other) = (0u32..)
            .find_map(|at| {
                let other = seen.insert(number(&format!("k{at}")), at)?;
                Some((other, at))
            })
            .unwrap();
        let zeros = "0".repeat(64);
        let ring = format!("k{one}:{zeros},k{other}:{zeros}").parse().unwrap();
        let error = Keys::of(&ring).unwrap_err().to_string();
        assert!(error.contains(&format!("k{one}")), "{error}");
        assert!(error.contains("another id"), "{error}");
    }

    #[test]
    fn nothing_secret_is_shown() {
        let keys = ring("ab");
        assert_eq!(format!("{keys:?}"), r#"Keys ["key-a", "key-b"]"#);
        let shown = format!(
            "{:?} {:?} {:?}",
            keys.csrf(),
            keys.challenge(),
            keys.0.audit
        );
        assert!(!shown.contains("61"), "{shown}");
    }
}
