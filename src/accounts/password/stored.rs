//! Hashes as they are kept: Argon2 in its PHC string, and bcrypt from the old system.

use std::fmt;

use argon2::password_hash::phc;
use argon2::{Algorithm, Params, Version};
use bcrypt::HashParts;

use super::argon;

/// What a hash that was kept may ask for at most, so that a row can't make a sign-in take all memory.
const MOST_MEMORY: u32 = 64 << 10;
const MOST_PASSES: u32 = 16;
const MOST_LANES: u32 = 16;
const MOST_BCRYPT: u32 = 14;

/// A hash's text, as the database has it. Not a secret of its own, yet nothing to show.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// What was kept, whatever it is.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PasswordHash")
    }
}

/// A hash that was kept, read.
pub(super) enum Stored {
    Argon2(Argon2Hash),
    Bcrypt(BcryptHash),
    Unreadable(&'static str),
}

pub(super) struct Argon2Hash {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) params: Params,
    pub(super) salt: Vec<u8>,
    pub(super) output: Vec<u8>,
}

pub(super) struct BcryptHash(String);

impl Stored {
    pub(super) fn read(hash: &PasswordHash) -> Self {
        let text = hash.as_str();
        let read = if ["$2a$", "$2b$", "$2y$"]
            .iter()
            .any(|start| text.starts_with(start))
        {
            bcrypt(text).map(Self::Bcrypt)
        } else {
            argon2(text).map(Self::Argon2)
        };
        read.unwrap_or_else(Self::Unreadable)
    }
}

fn bcrypt(text: &str) -> Result<BcryptHash, &'static str> {
    let parts: HashParts = text.parse().map_err(|_| "it is not a whole bcrypt hash")?;
    if !(4..=MOST_BCRYPT).contains(&parts.get_cost()) {
        return Err("its bcrypt cost is out of bounds");
    }
    Ok(BcryptHash(text.to_owned()))
}

fn argon2(text: &str) -> Result<Argon2Hash, &'static str> {
    let hash = phc::PasswordHash::new(text).map_err(|_| "it is neither a PHC string nor bcrypt")?;
    let algorithm = Algorithm::new(hash.algorithm).map_err(|_| "its algorithm is not Argon2")?;
    let version = match hash.version {
        Some(version) => Version::try_from(version).map_err(|_| "its version is not known")?,
        None => Version::V0x10,
    };
    let params = Params::try_from(&hash).map_err(|_| "its parameters can't be read")?;
    if params.m_cost() > MOST_MEMORY
        || params.t_cost() > MOST_PASSES
        || params.p_cost() > MOST_LANES
    {
        return Err("its parameters are out of bounds");
    }
    let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
        return Err("it lacks its salt or its hash");
    };
    let (salt, output) = (salt.to_vec(), output.as_bytes().to_vec());
    if salt.len() < argon2::MIN_SALT_LEN || output.len() < argon::SALT {
        return Err("its salt or hash is too short");
    }
    Ok(Argon2Hash {
        algorithm,
        version,
        params,
        salt,
        output,
    })
}

impl Argon2Hash {
    pub(super) fn is_weaker_than(&self, params: &Params) -> bool {
        self.algorithm != Algorithm::Argon2id
            || self.version != Version::V0x13
            || self.params.m_cost() < params.m_cost()
            || self.params.t_cost() < params.t_cost()
            || self.salt.len() < argon::SALT
            || self.output.len() < argon::OUTPUT
    }
}

impl BcryptHash {
    pub(super) fn matches(&self, password: &str) -> bool {
        bcrypt::verify(password, &self.0).unwrap_or(false)
    }
}
