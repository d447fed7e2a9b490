//! Who asks, and what they may do.

use std::net::IpAddr;
use std::sync::Arc;

use super::Accounts;
use super::access::AccessFault;
use super::fault::Fault;
use super::model::{AccountId, Principal, Role, Scope, Tier};
use super::reads::accounts_of_sessions;
use crate::config::Environment;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Actor {
    /// Nobody who has signed in.
    Anonymous,
    SignedIn(Arc<Principal>),
}

/// Why somebody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nobody is signed in.
    Unauthenticated,
    /// Somebody is, and may not.
    Forbidden(&'static str),
}

impl Actor {
    /// The points that this caller's operations may cost in a minute.
    pub fn points_a_minute(&self) -> u64 {
        match self {
            Self::Anonymous => 3_000,
            Self::SignedIn(principal) => match principal.account.tier {
                Tier::Free => 10_000,
                Tier::Premium => 50_000,
            },
        }
    }

    pub fn account_id(&self) -> Option<AccountId> {
        match self {
            Self::Anonymous => None,
            Self::SignedIn(principal) => Some(principal.account.id),
        }
    }

    /// Somebody who is signed in by whatever token: what is the account's own to see with a scope.
    pub fn with_scope(&self, scope: Scope) -> Result<&Arc<Principal>, Refused> {
        let principal = self.signed_in()?;
        match &principal.scopes {
            Some(scopes) if !scopes.contains(&scope) => {
                Err(Refused::Forbidden("This token's scopes do not open this."))
            }
            _ => Ok(principal),
        }
    }

    /// Somebody who is signed in by a session's own token: what no narrowed token opens, such as credentials.
    pub fn in_session(&self) -> Result<&Arc<Principal>, Refused> {
        let principal = self.signed_in()?;
        match principal.scopes {
            None => Ok(principal),
            Some(_) => Err(Refused::Forbidden(
                "A narrowed token does not open this; sign in for it.",
            )),
        }
    }

    /// The same, and of one of these roles.
    pub fn with_role(&self, roles: &[Role]) -> Result<&Arc<Principal>, Refused> {
        let principal = self.in_session()?;
        if !roles.iter().any(|role| principal.account.has(*role)) {
            return Err(Refused::Forbidden("Your roles do not allow this."));
        }
        let needs_second_factor = |role: &Role| matches!(role, Role::Moderator | Role::Admin);
        if roles.iter().all(needs_second_factor) && !principal.may_administer {
            return Err(Refused::Forbidden(
                "Your role needs two-factor authentication for this: set it up, or sign in with it.",
            ));
        }
        Ok(principal)
    }

    /// The same, with an address that was confirmed.
    pub fn verified(&self) -> Result<&Arc<Principal>, Refused> {
        let principal = self.in_session()?;
        match principal.account.email_verified_at {
            Some(_) => Ok(principal),
            None => Err(Refused::Forbidden("Confirm your address for this.")),
        }
    }

    fn signed_in(&self) -> Result<&Arc<Principal>, Refused> {
        match self {
            Self::Anonymous => Err(Refused::Unauthenticated),
            Self::SignedIn(principal) => Ok(principal),
        }
    }
}

impl Accounts {
    /// Whom an access token is of. None where it is not believed, or its session is over: that is asked for anew by each
    /// request, so that it counts at once, on every instance.
    pub async fn authenticate(
        &self,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Arc<Principal>>, Fault> {
        let now = self.app.clock.now();
        let access = match self.access.verify(token, now, address) {
            Ok(access) => access,
            Err(AccessFault::Invalid | AccessFault::Expired) => return Ok(None),
            Err(AccessFault::Unavailable) => {
                return Err(Fault::Unavailable("a token took too long to judge".into()));
            }
        };
        let app = Arc::clone(&self.app);
        let read = async move |sessions| accounts_of_sessions(&app, sessions).await;
        let found = self.signed_in.load(access.session, read).await?;
        let needs_none = self.app.config.environment == Environment::Development;
        Ok(found
            .filter(|found| found.account.id == access.account)
            .map(|found| {
                let has_factor = found.account.two_factor_at.is_some() && found.has_second_factor;
                Arc::new(Principal {
                    may_administer: needs_none || has_factor,
                    account: found.account,
                    session: access.session,
                    scopes: access.scopes.clone(),
                })
            }))
    }
}
