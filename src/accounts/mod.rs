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
mod events;
mod fault;
mod jobs;
mod leaving;
mod lifetimes;
mod list;
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
mod two_factor;
mod uses;

use std::sync::Arc;

use crate::app::App;
use crate::config::Config;
use crate::keys::Keys;
use crate::vault::Sealed;

/// For whoever judges access tokens without the rest of the service.
pub use self::access::{Access, AccessFault, AccessTokens, Claims, MadeFor, NotMade};
pub use self::actions::{
    AccountChange, Admitted, AdmittedProfile, AskedApiToken, BegunFactor, BesideRoles, Completion,
    Credentials, Installation, MadeApiToken, ProfileChange, RefreshWith, Registration, SignIn,
    SignedIn, count_accounts, oversee_accounts, oversee_api_token, oversee_listed, oversee_session,
    oversee_trusted_device,
};
#[cfg(test)]
pub use self::actor::tests::somebody;
pub use self::actor::{Actor, Limited, Refused};
pub use self::challenge::{Offer, Provider};
pub use self::characters::{is_hidden, turns_text};
pub use self::client::{Client, Cookies, CsrfProof};
pub use self::email::{EmailAddress, EmailFault};
pub use self::fault::{Fault, Mistake, MistakeCode};
pub use self::jobs::register_jobs;
pub use self::leaving::{
    EXPORTS, ExportAddress, Goes, OTHER_TRACES, PERSONAL_TABLES, PersonalTable,
};
pub use self::list::{AccountFilter, AccountOrder, AccountOrderField, Listed, Term, TermFault};
pub use self::model::{
    Account, AccountId, ApiToken, ApiTokenId, Grant, MailPurpose, Principal, Role, Scope, Session,
    SessionId, Status, Tier, TrustedDevice, TrustedDeviceId, User, UserId,
};

pub use self::mailing::{Wanted, deliver};
pub use self::mails::{Addressee, Stationery, moment, said};
pub use self::name::{DisplayName, LONGEST_NAME, NameFault};
pub use self::quotas::{Uploading, charge_upload};
pub use self::reads::{
    accounts_by_ids, api_token_of, api_tokens_of_accounts, charge_public_change, hold_artist,
    hold_in_use, locks_of, pending_addresses, recovery_codes_left, session_of,
    sessions_of_accounts, shown_avatars, trusted_device_of, trusted_devices_of_accounts,
    users_by_ids,
};

/// The columns of accounts that are kept encrypted.
pub const SEALED: &[Sealed] = &[store::TOTP_SECRET];

/// Whether the lists of breached passwords can be read.
pub fn check_passwords(config: &Config) -> anyhow::Result<&'static str> {
    password::Passwords::open(config)?;
    Ok("can be read")
}

/// Whether challenges can be made and judged.
pub async fn check_challenge(config: &Config) -> anyhow::Result<String> {
    let secrets = Keys::open(config)?.challenge().macs(&[]).collect();
    challenge::Challenges::open(config, secrets)?.check().await
}

/// The accounts of the service: what they are kept in, and what their secrets are made with.
pub struct Accounts {
    app: Arc<App>,
    passwords: password::Passwords,
    keys: Keys,
    access: access::AccessTokens,
    /// Whose tokens are.
    holders: together::Together<Grant, reads::Holder>,
    /// When API tokens were used.
    uses: Arc<uses::Uses>,
    challenges: challenge::Challenges,
}

impl Accounts {
    pub fn open(app: Arc<App>) -> anyhow::Result<Arc<Self>> {
        let config = &app.config;
        let keys = app.keys.clone();
        let audience = config.public_url.origin().ascii_serialization();
        Ok(Arc::new(Self {
            passwords: password::Passwords::open(config)?,
            access: access::AccessTokens::new(keys.clone(), audience),
            holders: together::Together::default(),
            uses: Arc::default(),
            challenges: challenge::Challenges::open(config, keys.challenge().macs(&[]).collect())?,
            keys,
            app,
        }))
    }

    pub fn app(&self) -> &Arc<App> {
        &self.app
    }
}
