//! What is known of the client that acts, beside who is signed in.

use std::net::IpAddr;

use secrecy::SecretString;

use super::model::AccountId;
use crate::audit::By;

/// Headers may be of any length; nobody needs to see more of them.
const LONGEST_USER_AGENT: usize = 400;

#[derive(Debug, Clone, Default)]
pub struct Client {
    /// What limits are counted by: an address, or its network.
    pub limit_key: String,
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// Of the request, for whatever is done because of it.
    pub correlation_id: String,
    pub cookies: Cookies,
    /// How the request shows that its cookies were not sent behind somebody's back.
    pub csrf: CsrfProof,
}

/// The cookies of ours that came.
#[derive(Debug, Clone, Default)]
pub struct Cookies {
    pub refresh: Option<SecretString>,
    pub device: Option<SecretString>,
}

#[derive(Debug, Clone, Default)]
pub struct CsrfProof {
    /// What the header `X-CSRF-Token` and the cookie say, if they say the same.
    pub token: Option<SecretString>,
    /// Whether the request says that it comes from a page that may call.
    pub origin_is_allowed: bool,
}

impl Client {
    /// As much of a header as is worth keeping, without what would break a line.
    pub fn user_agent_of(header: &str) -> Option<String> {
        let kept: String = header
            .chars()
            .filter(|letter| !letter.is_control())
            .take(LONGEST_USER_AGENT)
            .collect();
        let kept = kept.trim();
        (!kept.is_empty()).then(|| kept.to_owned())
    }

    pub fn shown_address(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// For the trail: this client, and whose account acts, where that is known.
    pub fn by(&self, account: impl Into<Option<AccountId>>) -> By {
        By {
            actor: account.into().map(|account| account.0),
            address: self.address,
            user_agent: self.user_agent.clone(),
            correlation_id: Some(self.correlation_id.clone()).filter(|id| !id.is_empty()),
        }
    }
}
