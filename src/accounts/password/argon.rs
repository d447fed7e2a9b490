//! Argon2id, as new passwords are hashed.

use argon2::password_hash::phc::{self, Output, ParamsString, Salt};
use argon2::{Algorithm, Argon2, Block, Error, Params, Version};
use subtle::ConstantTimeEq;

use super::pool::Memory;
use super::stored::{Argon2Hash, PasswordHash};

/// Bytes of a hash, and of its salt.
pub(super) const OUTPUT: usize = 32;
pub(super) const SALT: usize = 16;

/// 19 MiB, 2 passes, 1 lane.
pub(super) fn params() -> Params {
    Params::DEFAULT
}

pub(super) fn hash(
    password: &str,
    params: &Params,
    memory: &mut Memory,
) -> Result<PasswordHash, Error> {
    let salt: [u8; SALT] = rand::random();
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = [0; OUTPUT];
    derive(&argon, password, &salt, &mut output, memory)?;
    let text = phc::PasswordHash {
        algorithm: Algorithm::Argon2id.into(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(|_| Error::MemoryTooLittle)?,
        salt: Some(Salt::new(&salt).map_err(|_| Error::SaltTooShort)?),
        hash: Some(Output::new(&output).map_err(|_| Error::OutputTooShort)?),
    };
    Ok(PasswordHash::stored(text.to_string()))
}

pub(super) fn matches(
    password: &str,
    stored: &Argon2Hash,
    memory: &mut Memory,
) -> Result<bool, Error> {
    let argon = Argon2::new(stored.algorithm, stored.version, stored.params.clone());
    let mut output = vec![0; stored.output.len()];
    derive(&argon, password, &stored.salt, &mut output, memory)?;
    Ok(output.ct_eq(&stored.output).into())
}

/// The same work, for nothing.
pub(super) fn pretend(password: &str, params: &Params, memory: &mut Memory) -> Result<(), Error> {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let mut output = [0; OUTPUT];
    derive(&argon, password, &[0; SALT], &mut output, memory)?;
    std::hint::black_box(output);
    Ok(())
}

fn derive(
    argon: &Argon2<'_>,
    password: &str,
    salt: &[u8],
    output: &mut [u8],
    memory: &mut Memory,
) -> Result<(), Error> {
    let blocks = argon.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    argon.hash_password_into_with_memory(
        password.as_bytes(),
        salt,
        output,
        memory.get_mut(..blocks).ok_or(Error::OutOfMemory)?,
    )
}
