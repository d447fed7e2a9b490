//! The jobs of accounts: mails, and forgetting what is of no use any more.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Accounts;
use super::model::{AccountId, SessionId};
use crate::jobs::{Job, Registry};

/// A mail to whoever an account, a session or an address belongs to by the time that it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum AccountMail {
    /// The link that confirms an address; or, where somebody uses it already, that they do.
    Verification { token: Uuid, email_key: String },
    Welcome { account: AccountId },
    PasswordReset { token: Uuid },
    PasswordChanged { account: AccountId, at: DateTime<Utc> },
    /// To the new address: the link that makes it the account's.
    AddressChange { token: Uuid },
    /// To the old one: that it was asked for, and the link that takes it back.
    AddressChangeTold { token: Uuid, new_email: String },
    NewDevice { session: SessionId },
    Locked { email_key: String, until: DateTime<Utc> },
    SessionLimit { session: SessionId },
    TokenReused { session: SessionId },
}

impl Job for AccountMail {
    const KIND: &'static str = "accounts.mail";
}

/// Adds the jobs of accounts to the list.
pub fn register_jobs(_registry: &mut Registry, _accounts: &Arc<Accounts>) {}
