//! Passwords: which are taken, how they are kept, how they are compared.

mod argon;
mod breached;
mod fault;
mod pool;
mod stored;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::Context;
use argon2::Params;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use self::breached::Breached;
use self::pool::Pool;
use self::stored::Stored;
use super::email::EmailAddress;
use crate::config::Config;

pub use self::fault::PasswordFault;
pub use self::stored::PasswordHash;

/// Characters of a password, counted as Unicode does after composition (NFC): `ë` is one however it was typed, and so is
/// an emoji that is one code point.
pub const SHORTEST: usize = 12;
pub const LONGEST: usize = 128;

/// Composition makes one character of four at most, so nothing longer than this comes to be short enough.
const LONGEST_UNCOMPOSED: usize = 4 * LONGEST;

/// Names and addresses shorter than this, letters and digits counted, are in too many passwords by chance.
const TELLING: usize = 4;

/// Judges, hashes and compares passwords. The hashing is slow and takes 19 MiB by design, so only so many run at once.
#[derive(Clone)]
pub struct Passwords {
    pool: Pool,
    params: Params,
    breached: Arc<Breached>,
}

/// A password that may be set.
#[derive(Debug, Clone)]
pub struct NewPassword(SecretString);

/// What came of comparing.
#[derive(Debug)]
pub struct Verified {
    pub matches: bool,
    /// Where it matches and was kept in a weaker way than new ones are: what to keep instead.
    pub renewed: Option<PasswordHash>,
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many passwords are being hashed; later there may be a place.
    #[error("no place to hash a password in came free in time")]
    Busy,
    #[error("a password could not be hashed: {0}")]
    Failed(String),
}

impl Passwords {
    /// Reads the lists of breached passwords, which for a large file takes seconds.
    pub fn open(config: &Config) -> anyhow::Result<Self> {
        let breached = Breached::open(config.breached_passwords.as_deref())
            .context("EMPULSE_BREACHED_PASSWORDS")?;
        Ok(Self {
            pool: Pool::default(),
            params: argon::params(),
            breached: Arc::new(breached),
        })
    }

    /// Whether somebody of this address, as far as it is known, and name may have this password.
    pub fn check(
        &self,
        password: &str,
        email: Option<&EmailAddress>,
        name: &str,
    ) -> Result<NewPassword, PasswordFault> {
        if password.chars().nth(LONGEST_UNCOMPOSED).is_some() {
            return Err(PasswordFault::TooLong);
        }
        let password = NewPassword(password.nfc().collect::<String>().into());
        let text = password.0.expose_secret();
        let length = text.chars().count();
        if length < SHORTEST {
            return Err(PasswordFault::TooShort);
        }
        if length > LONGEST {
            return Err(PasswordFault::TooLong);
        }
        let letters = letters(text);
        if holds(&letters, name) {
            return Err(PasswordFault::HoldsName);
        }
        if let Some(email) = email {
            let (mailbox, _tag) = email.local().split_once('+').unwrap_or((email.local(), ""));
            if holds(&letters, mailbox) || holds(&letters, &email.as_written()) {
                return Err(PasswordFault::HoldsAddress);
            }
        }
        if self.breached.holds(text) {
            return Err(PasswordFault::Compromised);
        }
        Ok(password)
    }

    /// What to keep of a password.
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash, PasswordError> {
        let params = self.params.clone();
        self.pool
            .run(move |memory| argon::hash(password.0.expose_secret(), &params, memory))
            .await?
            .map_err(|error| PasswordError::Failed(error.to_string()))
    }

    /// Compares. `None`, where there is no account, takes as long as an account of today's parameters, and never matches;
    /// so does a hash that can't be read.
    pub async fn verify(
        &self,
        password: &str,
        against: Option<&PasswordHash>,
    ) -> Result<Verified, PasswordError> {
        let given = Given::new(password);
        let against = against.map(Stored::read);
        if let Some(Stored::Unreadable(why)) = against {
            tracing::error!(
                why,
                "a stored password hash can't be read, so nobody can sign in by it"
            );
        }
        let params = self.params.clone();
        self.pool
            .run(move |memory| compare(&given, against.as_ref(), &params, memory))
            .await?
            .map_err(|error| PasswordError::Failed(error.to_string()))
    }
}

/// A password as somebody typed it, cut to what can be right.
struct Given {
    raw: SecretString,
    composed: SecretString,
    too_long: bool,
}

impl Given {
    fn new(password: &str) -> Self {
        let raw: String = password.chars().take(LONGEST_UNCOMPOSED).collect();
        let composed: String = raw.nfc().take(LONGEST).collect();
        let too_long = raw.len() < password.len() || raw.nfc().nth(LONGEST).is_some();
        Self {
            raw: raw.into(),
            composed: composed.into(),
            too_long,
        }
    }
}

fn compare(
    given: &Given,
    against: Option<&Stored>,
    params: &Params,
    memory: &mut pool::Memory,
) -> Result<Verified, argon2::Error> {
    let composed = given.composed.expose_secret();
    let (matches, weaker) = match against {
        // Nothing that is set today is too long; the work is done all the same.
        Some(Stored::Argon2(stored)) => (
            argon::matches(composed, stored, memory)? && !given.too_long,
            stored.is_weaker_than(params),
        ),
        // The old system hashed what was sent, composed or not, and looked at the first 72 bytes of it.
        Some(Stored::Bcrypt(stored)) => {
            let raw = given.raw.expose_secret();
            let matches = stored.matches(raw) || (raw != composed && stored.matches(composed));
            (matches, !given.too_long)
        }
        Some(Stored::Unreadable(_)) | None => {
            argon::pretend(composed, params, memory)?;
            (false, false)
        }
    };
    let renewed = if matches && weaker {
        Some(argon::hash(composed, params, memory)?)
    } else {
        None
    };
    Ok(Verified { matches, renewed })
}

/// Letters and digits in lower case, so that `Ada-Lovelace` is found in `adalovelace1815`.
fn letters(text: &str) -> String {
    text.nfc()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn holds(password: &str, personal: &str) -> bool {
    let personal = letters(personal);
    personal.chars().count() >= TELLING && password.contains(&personal)
}
