//! People: who they are, how they show it, and how long that lasts. What the rest of the service needs to know of whoever
//! asks is an [`Actor`].
//!
//! What must hold: nobody gets a token but by a password, a refresh token that was not used, or a mailed link; a session
//! that ends, a role that changes, counts at the next request, on every instance, since each request reads them; and
//! nobody can tell an address with an account from one without.

mod access;
mod actions;
mod actor;
mod challenge;
mod characters;
mod client;
mod device_name;
mod email;
mod fault;
mod jobs;
mod keys;
mod lifetimes;
mod mailing;
mod mails;
mod model;
mod name;
mod password;
mod quotas;
mod reads;
mod secret;
mod store;
mod together;

use std::sync::Arc;

use crate::app::App;
use crate::config::Config;

pub use self::actions::{
    Credentials, Installation, ProfileChange, RefreshWith, Registration, SignIn, SignedIn,
};
pub use self::actor::{Actor, Refused};
pub use self::challenge::{Offer, Provider};
pub use self::client::{Client, Cookies, CsrfProof};
pub use self::email::{EmailAddress, EmailFault};
pub use self::fault::{Fault, Mistake, MistakeCode};
pub use self::jobs::register_jobs;
pub use self::keys::PublicKey;
pub use self::model::{
    Account, AccountId, MailPurpose, Principal, Role, Scope, Session, SessionId, Status, Tier,
    User, UserId,
};

pub use self::name::{DisplayName, NameFault};
pub use self::reads::{
    accounts_by_ids, locks_of, pending_addresses, session_of, sessions_of_accounts, users_by_ids,
};

/// Whether there are keys to make tokens with; how many.
pub fn check_keys(config: &Config) -> anyhow::Result<String> {
    let keys = keys::Keys::open(config)?.public_keys();
    let signing = keys.first().map_or("none", |key| &key.id);
    Ok(format!("{signing} signs, {} in all", keys.len()))
}

/// Whether the lists of breached passwords can be read.
pub fn check_passwords(config: &Config) -> anyhow::Result<&'static str> {
    password::Passwords::open(config)?;
    Ok("can be read")
}

/// The accounts of the service: what they are kept in, and what their secrets are made with.
pub struct Accounts {
    app: Arc<App>,
    passwords: password::Passwords,
    keys: keys::Keys,
    access: access::AccessTokens,
    /// Whom sessions sign in.
    signed_in: together::Together<SessionId, Arc<Account>>,
    challenges: challenge::Challenges,
}

impl Accounts {
    pub fn open(app: Arc<App>) -> anyhow::Result<Arc<Self>> {
        let config = &app.config;
        let keys = keys::Keys::open(config)?;
        let audience = config.public_url.origin().ascii_serialization();
        Ok(Arc::new(Self {
            passwords: password::Passwords::open(config)?,
            access: access::AccessTokens::new(keys.clone(), audience),
            signed_in: together::Together::default(),
            challenges: challenge::Challenges::open(config, keys.challenge().macs(&[]).collect())?,
            keys,
            app,
        }))
    }

    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// For the service's page of keys.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.keys.public_keys()
    }
}
