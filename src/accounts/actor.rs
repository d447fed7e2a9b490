//! Who asks, and what they may do.

use std::net::IpAddr;
use std::sync::Arc;

use super::Accounts;
use super::access::{Access, AccessFault};
use super::fault::Fault;
use super::model::{Account, AccountId, Grant, Principal, Role, Scope, SessionId, Tier};
use super::reads::{Holder, holders};
use crate::config::Environment;

/// Who asks.
#[derive(Debug, Clone)]
pub enum Actor {
    /// Nobody who has signed in.
    Anonymous,
    SignedIn(Arc<Principal>),
    /// Somebody by a token that opens less.
    Limited(Arc<Limited>),
}

/// Whoever holds an API token, or a token that was narrowed. Of the account, that opens what its scopes say.
#[derive(Debug, Clone)]
pub struct Limited {
    pub account: Arc<Account>,
    access: Arc<Access>,
}

/// Why somebody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nobody is signed in.
    Unauthenticated,
    /// Somebody is, and may not.
    Forbidden(&'static str),
    /// The same, where it stands on the trail already, with what it was about.
    OnRecord(&'static str),
    /// There was no time to find out.
    Unavailable(&'static str),
    /// Somebody is, and is not whom it is for: who looks after the service is to hear of it.
    NotOfRole(&'static str),
}

impl Actor {
    /// The points that this caller's operations may cost in a minute.
    pub fn points_a_minute(&self) -> u64 {
        match self.account().map(|account| account.tier) {
            None => 3_000,
            Some(Tier::Free) => 10_000,
            Some(Tier::Premium) => 50_000,
        }
    }

    pub fn account_id(&self) -> Option<AccountId> {
        self.account().map(|account| account.id)
    }

    /// All that decides what may be done and seen, as text: what was told to one must not be told to another who may less.
    /// Taken apart whole, so that nothing which comes later is forgotten. None for nobody.
    pub fn rights(&self) -> Option<String> {
        let (account, more) = match self {
            Self::Anonymous => return None,
            Self::SignedIn(principal) => {
                let Principal {
                    account,
                    // Somebody who signs in again is the same person.
                    session: _,
                    may_administer,
                } = &**principal;
                // Of others it says nothing: who takes away their second factor may do what they could before.
                let administers = account.roles.iter().copied().any(needs_second_factor);
                let administers = administers && *may_administer;
                (account, format!("administers: {administers}"))
            }
            Self::Limited(limited) => {
                let Limited { account, access } = &**limited;
                (account, access.opened())
            }
        };
        let mut roles: Vec<_> = account.roles.iter().map(|role| role.as_str()).collect();
        roles.sort_unstable();
        Some(format!("{}; {more}", roles.join(",")))
    }

    fn account(&self) -> Option<&Arc<Account>> {
        match self {
            Self::Anonymous => None,
            Self::SignedIn(principal) => Some(&principal.account),
            Self::Limited(limited) => Some(&limited.account),
        }
    }

    /// The account of whoever asks, by whatever token that opens a scope: for what is the account's own. What roles
    /// allow beyond that, `with_role` says.
    pub fn with_scope(&self, scope: Scope) -> Result<&Arc<Account>, Refused> {
        self.to_touch(scope, &[])
    }

    /// The same for what is about one thing, such as an album: `touched` are its id and those of all that it is part of. A
    /// token may open some things and not others. Where several are touched, each is asked about by itself.
    pub fn to_touch(&self, scope: Scope, touched: &[String]) -> Result<&Arc<Account>, Refused> {
        match self {
            Self::Anonymous => Err(Refused::Unauthenticated),
            Self::SignedIn(principal) => Ok(&principal.account),
            Self::Limited(limited) => match limited.access.opens(scope, touched) {
                Ok(true) => Ok(&limited.account),
                Err(AccessFault::Unavailable) => {
                    Err(Refused::Unavailable("a token took too long to judge"))
                }
                Ok(false) | Err(_) => {
                    Err(Refused::Forbidden("This token's scopes do not open this."))
                }
            },
        }
    }

    /// The same for what only artists do.
    pub fn as_artist(&self, scope: Scope, touched: &[String]) -> Result<&Arc<Account>, Refused> {
        let account = self.to_touch(scope, touched)?;
        match account.has(Role::Artist) {
            true => Ok(account),
            false => Err(Refused::Forbidden("Only artists may do this.")),
        }
    }

    /// Somebody who is signed in by a session's own token: what no API token and no narrowed one opens, such as
    /// credentials.
    pub fn in_session(&self) -> Result<&Arc<Principal>, Refused> {
        match self {
            Self::Anonymous => Err(Refused::Unauthenticated),
            Self::SignedIn(principal) => Ok(principal),
            Self::Limited(_) => Err(Refused::Forbidden(
                "Neither an API token nor a narrowed one opens this; sign in for it.",
            )),
        }
    }

    /// The same, and of one of these roles.
    pub fn with_role(&self, roles: &[Role]) -> Result<&Arc<Principal>, Refused> {
        let principal = self.in_session()?;
        let held = roles.iter().filter(|role| principal.account.has(**role));
        let held: Vec<Role> = held.copied().collect();
        if held.is_empty() {
            return Err(Refused::NotOfRole("Your roles do not allow this."));
        }
        if held.into_iter().all(needs_second_factor) && !principal.may_administer {
            return Err(Refused::NotOfRole(
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
}

/// None where it is not; what is not known is a fault.
fn believed(judged: Result<Arc<Access>, AccessFault>) -> Result<Option<Arc<Access>>, Fault> {
    match judged {
        Ok(access) => Ok(Some(access)),
        Err(AccessFault::Invalid | AccessFault::Expired) => Ok(None),
        Err(AccessFault::Unavailable) => {
            Err(Fault::Unavailable("a token took too long to judge".into()))
        }
    }
}

fn needs_second_factor(role: Role) -> bool {
    matches!(role, Role::Moderator | Role::Admin)
}

impl Accounts {
    /// Whose an access token is. None where it is not believed, or what it was given out for is over: that is asked for
    /// anew by each request, so that it counts at once, on every instance.
    pub async fn authenticate(
        &self,
        token: &str,
        address: Option<IpAddr>,
    ) -> Result<Option<Actor>, Fault> {
        let now = self.app.clock.now();
        let Some(access) = believed(self.access.verify(token, now, address))? else {
            return Ok(None);
        };
        let Some(holder) = self.holder(access.grant, access.account).await? else {
            return Ok(None);
        };
        if let Grant::ApiToken(token) = access.grant
            && !holder.is_noted
        {
            self.uses.note(&self.app, token);
        }
        Ok(Some(match access.session() {
            Some(session) => self.signed_in(session, holder),
            None => Actor::Limited(Arc::new(Limited {
                account: holder.account,
                access,
            })),
        }))
    }

    /// Who somebody is by now that was let in a while ago, for what goes on after its request. A session may outlive the
    /// token by which it was shown; what opens less than a session ends when it says. None where it is over.
    pub async fn renewed(&self, actor: &Actor) -> Result<Option<Actor>, Fault> {
        match actor {
            Actor::Anonymous => Ok(Some(Actor::Anonymous)),
            Actor::SignedIn(principal) => {
                let (session, account) = (principal.session, principal.account.id);
                let holder = self.holder(Grant::Session(session), account).await?;
                Ok(holder.map(|holder| self.signed_in(session, holder)))
            }
            Actor::Limited(limited) => {
                let now = self.app.clock.now();
                let Some(access) = believed(self.access.verify_again(&limited.access, now))? else {
                    return Ok(None);
                };
                let holder = self.holder(access.grant, access.account).await?;
                Ok(holder.map(|holder| {
                    Actor::Limited(Arc::new(Limited {
                        account: holder.account,
                        access,
                    }))
                }))
            }
        }
    }

    async fn holder(&self, grant: Grant, account: AccountId) -> Result<Option<Holder>, Fault> {
        let app = Arc::clone(&self.app);
        let read = async move |grants| holders(&app, grants).await;
        let holder = self.holders.load(grant, read).await?;
        Ok(holder.filter(|holder| holder.account.id == account))
    }

    fn signed_in(&self, session: SessionId, holder: Holder) -> Actor {
        let account = holder.account;
        let needs_none = self.app.config.environment == Environment::Development;
        let has_factor = account.two_factor_at.is_some() && holder.has_second_factor;
        Actor::SignedIn(Arc::new(Principal {
            account,
            session,
            may_administer: needs_none || has_factor,
        }))
    }
}

#[cfg(test)]
pub mod tests {
    use chrono::Utc;
    use uuid::Uuid;

    use super::*;
    use crate::accounts::model::Status;

    pub fn somebody(roles: &[Role], may_administer: bool) -> Actor {
        let now = Utc::now();
        let account = Account {
            id: AccountId(Uuid::nil()),
            email: "ana@example.org".into(),
            email_key: "ana@example.org".into(),
            display_name: "Ana".into(),
            roles: roles.to_vec(),
            tier: Tier::Free,
            status: Status::Active,
            email_verified_at: Some(now),
            two_factor_at: None,
            erase_at: None,
            avatar_id: None,
            created_at: now,
            updated_at: now,
        };
        Actor::SignedIn(Arc::new(Principal {
            account: Arc::new(account),
            session: SessionId(Uuid::nil()),
            may_administer,
        }))
    }

    #[test]
    fn a_role_that_needs_a_second_factor_counts_by_one_whatever_else_would_do() {
        use Role::{Admin, Artist, Listener, Moderator};
        for (roles, without, with) in [
            (&[Listener][..], false, false),
            (&[Listener, Admin], false, false),
            (&[Listener, Moderator], false, true),
            (&[Listener, Artist], true, true),
            (&[Listener, Artist, Moderator], true, true),
        ] {
            for (may_administer, expected) in [(false, without), (true, with)] {
                let actor = somebody(roles, may_administer);
                let let_in = actor.with_role(&[Artist, Moderator]).is_ok();
                assert_eq!(let_in, expected, "{roles:?} {may_administer}");
            }
        }
    }
}
