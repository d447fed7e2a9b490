//! Access tokens: biscuits that name an account, what they were given out for (a session, or an API token) and an end, and
//! that their holder can narrow (`narrowed.rs`). An API token is one that we narrow ourselves, in its first block. What a token says is believed only of its first block, which we signed; an authorizer adds what we
//! know ourselves, the time and who we are, and nothing that could be meant as a right.

mod narrowed;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biscuit_auth::builder::{Fact, Term, bytes, fact, string};
use biscuit_auth::macros::{policy, rule};
use biscuit_auth::{Authorizer, AuthorizerBuilder, AuthorizerLimits, Biscuit, error};
use chrono::{DateTime, Utc};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::narrowed::{Narrowed, Touching};
use super::{AccountId, ApiTokenId, Grant, Role, Scope, SessionId};
use crate::keys::Keys;

/// Ours are some 400; the rest is for blocks of the holder's. What is longer is not looked at.
const LONGEST: usize = 4 << 10;

/// Tokens that are known to be good. One takes some 400 bytes.
const CACHED: u64 = 20_000;

/// No longer than a token lives, so that those that have ended make room.
const CACHED_FOR: Duration = Duration::from_secs(15 * 60);

/// biscuit's own limit of a millisecond is reached by a thread that has to wait for its turn. What blocks may hold
/// (`narrowed.rs`) is done in far less; the time is for the turn, which comes late on a busy machine.
const LIMITS: AuthorizerLimits = AuthorizerLimits {
    max_facts: 64,
    max_iterations: 4,
    max_time: Duration::from_millis(500),
};

/// Makes access tokens and tells whether one is to be believed.
pub struct AccessTokens {
    keys: Keys,
    audience: String,
    /// By the hash of their text, those without blocks of their holder's: what others say depends on who asks when.
    known: Cache<[u8; 32], Arc<Access>>,
    limits: AuthorizerLimits,
}

/// What a token is to say.
#[derive(Debug, Clone)]
pub struct Claims<'a> {
    pub account: AccountId,
    pub made_for: MadeFor<'a>,
    /// In whole seconds; what is over is cut off.
    pub expires_at: DateTime<Utc>,
}

/// What a token is made for.
#[derive(Debug, Clone, Copy)]
pub enum MadeFor<'a> {
    /// With roles, for those who read tokens elsewhere; here the account's row says it, as roles change before a token
    /// ends.
    Session(SessionId, &'a [Role]),
    /// With the scopes that it opens.
    ApiToken(ApiTokenId, &'a [Scope]),
}

/// What a token that is to be believed says. Whether what it was given out for goes on, it can't know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub account: AccountId,
    pub grant: Grant,
    pub expires_at: DateTime<Utc>,
    /// None: all that a session may. Else it was narrowed to these.
    pub scopes: Option<BTreeSet<Scope>>,
    /// Where it depends on what is touched: what decides then. Without that it opens its scopes for nothing in
    /// particular, perhaps none.
    pub touching: Option<Touching>,
    /// Where its holder narrowed it: what is judged anew when time has passed.
    pub brought: Option<Brought>,
    /// One of each block. Whoever takes back one takes back all that was made by narrowing it.
    pub revocation_ids: Vec<Vec<u8>>,
}

/// A token that its holder narrowed, and where it came from.
#[derive(Clone)]
pub struct Brought(Arc<(Biscuit, Option<IpAddr>)>);

/// Says nothing of the token: who reads it could use it.
impl fmt::Debug for Brought {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Brought")
    }
}

/// The same one, brought once.
impl PartialEq for Brought {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Brought {}

impl Access {
    /// The session that it opens all of; none where it opens less.
    pub fn session(&self) -> Option<SessionId> {
        match self.grant {
            Grant::Session(session) if self.scopes.is_none() => Some(session),
            _ => None,
        }
    }

    /// What it opens, as text: the same for two tokens only if they open the same.
    pub fn opened(&self) -> String {
        let Self {
            account: _,
            grant: _,
            expires_at: _,
            scopes,
            touching,
            brought: _,
            revocation_ids,
        } = self;
        let scopes = scopes.iter().flatten().map(|scope| scope.as_str());
        let scopes: Vec<_> = scopes.collect();
        match touching {
            None => format!("opens: {}", scopes.join(",")),
            // It depends on checks that nobody can compare; so it is like itself alone.
            Some(_) => format!("is: {revocation_ids:?}"),
        }
    }

    /// Whether it opens a scope for a thing, named by its id and those of all that it is part of; or for nothing in
    /// particular.
    pub fn opens(&self, scope: Scope, touched: &[String]) -> Result<bool, AccessFault> {
        match (&self.scopes, &self.touching) {
            (None, _) => Ok(true),
            (Some(_), Some(touching)) if !touched.is_empty() => touching.opens(scope, touched),
            (Some(scopes), _) => Ok(scopes.contains(&scope)),
        }
    }
}

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessFault {
    #[error("the access token is not valid")]
    Invalid,
    #[error("the access token has expired")]
    Expired,
    /// It may be good; there was no time to find out.
    #[error("the access token could not be checked in time")]
    Unavailable,
}

/// A token could not be made.
#[derive(Debug, thiserror::Error)]
#[error("an access token could not be made")]
pub struct NotMade(#[source] error::Token);

impl AccessTokens {
    /// For a service that is called by this name, the origin of its public URL.
    pub fn new(keys: Keys, audience: String) -> Self {
        Self {
            keys,
            audience,
            known: Cache::builder()
                .max_capacity(CACHED)
                .time_to_live(CACHED_FOR)
                .build(),
            limits: LIMITS,
        }
    }

    pub fn mint(&self, claims: &Claims<'_>) -> Result<String, NotMade> {
        self.built(claims).map_err(NotMade)
    }

    fn built(&self, claims: &Claims<'_>) -> Result<String, error::Token> {
        let key = self.keys.signing().ok_or(error::Token::InternalError)?;
        let mut block = Biscuit::builder()
            .root_key_id(key.number)
            .fact(fact("user", &[bytes(claims.account.0.as_bytes())]))?
            .fact(fact("audience", &[string(&self.audience)]))?
            .fact(fact("expires", &[date(claims.expires_at)?]))?;
        match claims.made_for {
            MadeFor::Session(id, roles) => {
                block = block.fact(fact("session", &[bytes(id.0.as_bytes())]))?;
                for role in roles {
                    block = block.fact(fact("role", &[string(role.as_str())]))?;
                }
            }
            MadeFor::ApiToken(id, scopes) => {
                block = block
                    .fact(fact("api_token", &[bytes(id.0.as_bytes())]))?
                    .check(narrowed::to_scopes(scopes))?;
            }
        }
        let token = block.build(&key.pair)?;
        Ok(URL_SAFE_NO_PAD.encode(token.to_vec()?))
    }

    /// Whether to believe it, at this time and from this address.
    pub fn verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
        address: Option<IpAddr>,
    ) -> Result<Arc<Access>, AccessFault> {
        if token.is_empty() || token.len() > LONGEST {
            return Err(AccessFault::Invalid);
        }
        let hash = Sha256::digest(token).into();
        if let Some(access) = self.known.get(&hash) {
            return if now < access.expires_at {
                Ok(access)
            } else {
                Err(AccessFault::Expired)
            };
        }
        let token = self.parse(token)?;
        let mut access = self.judge(&token, now, address)?;
        if token.block_count() > 1 {
            access.brought = Some(Brought(Arc::new((token, address))));
            return Ok(Arc::new(access));
        }
        let access = Arc::new(access);
        self.known.insert(hash, access.clone());
        Ok(access)
    }

    /// What a token opens at a later time that was believed before.
    pub fn verify_again(
        &self,
        access: &Arc<Access>,
        now: DateTime<Utc>,
    ) -> Result<Arc<Access>, AccessFault> {
        match &access.brought {
            Some(brought) => {
                let (token, address) = &*brought.0;
                let mut access = self.judge(token, now, *address)?;
                access.brought = Some(brought.clone());
                Ok(Arc::new(access))
            }
            None if now < access.expires_at => Ok(Arc::clone(access)),
            None => Err(AccessFault::Expired),
        }
    }

    /// The token, every block of which is signed as it should be.
    fn parse(&self, token: &str) -> Result<Biscuit, AccessFault> {
        let bytes = URL_SAFE_NO_PAD
            .decode(token)
            .map_err(|_| AccessFault::Invalid)?;
        let root = |number: Option<u32>| {
            number
                .and_then(|number| self.keys.numbered(number))
                .map(|key| key.public)
                .ok_or(error::Format::UnknownPublicKey)
        };
        let biscuit = Biscuit::from(&bytes, root).map_err(|_| AccessFault::Invalid)?;
        // Protocol buffers can be written in many ways. A token has one, so that what was altered is never let in.
        if biscuit.to_vec().ok().as_ref() != Some(&bytes) {
            return Err(AccessFault::Invalid);
        }
        Ok(biscuit)
    }

    fn judge(
        &self,
        token: &Biscuit,
        now: DateTime<Utc>,
        address: Option<IpAddr>,
    ) -> Result<Access, AccessFault> {
        let ambient = self.ambient(now).map_err(fault)?;
        let mut authorizer = ambient.clone().build(token).map_err(fault)?;
        let mut narrowed = match token.block_count() {
            1 => None,
            _ => Some(Narrowed::understood(token, &mut authorizer)?),
        };
        let (mut access, audience) = said(&mut authorizer).map_err(fault)??;
        if audience != self.audience {
            return Err(AccessFault::Invalid);
        }
        if now >= access.expires_at {
            return Err(AccessFault::Expired);
        }
        if narrowed.is_none() && matches!(access.grant, Grant::ApiToken(_)) {
            narrowed = Some(Narrowed::understood(token, &mut authorizer)?);
        }
        match narrowed {
            None => {
                authorizer.authorize().map_err(fault)?;
            }
            Some(narrowed) => {
                let (scopes, touching) = narrowed.opened(ambient, address)?;
                access.scopes = Some(scopes);
                access.touching = touching;
            }
        }
        access.revocation_ids = token.revocation_identifiers();
        Ok(access)
    }

    /// What we know ourselves, for the checks of whoever narrowed it.
    fn ambient(&self, now: DateTime<Utc>) -> Result<AuthorizerBuilder, error::Token> {
        AuthorizerBuilder::new()
            .set_limits(self.limits.clone())
            .fact(fact("time", &[date(now)?]))?
            .fact(fact("service", &[string(&self.audience)]))?
            .policy(policy!("allow if true"))
    }
}

/// What the first block says, and to whom. A query sees that block and our own facts, and no later block's.
fn said(
    authorizer: &mut Authorizer,
) -> Result<Result<(Access, String), AccessFault>, error::Token> {
    let mut facts: Vec<Fact> = authorizer.query(rule!(
        "session($u, $g, $a, $e) <- user($u), session($g), audience($a), expires($e)"
    ))?;
    if facts.is_empty() {
        facts = authorizer.query(rule!(
            "api_token($u, $g, $a, $e) <- user($u), api_token($g), audience($a), expires($e)"
        ))?;
    }
    // Two would be two of something that a token has one of.
    let Ok([fact]) = <[Fact; 1]>::try_from(facts) else {
        return Ok(Err(AccessFault::Invalid));
    };
    Ok(read(fact).ok_or(AccessFault::Invalid))
}

fn read(fact: Fact) -> Option<(Access, String)> {
    let grant: fn(Uuid) -> Grant = match fact.predicate.name.as_str() {
        "session" => |id| Grant::Session(SessionId(id)),
        _ => |id| Grant::ApiToken(ApiTokenId(id)),
    };
    let terms = <[Term; 4]>::try_from(fact.predicate.terms).ok()?;
    let [
        Term::Bytes(account),
        Term::Bytes(id),
        Term::Str(audience),
        Term::Date(expires_at),
    ] = terms
    else {
        return None;
    };
    let access = Access {
        account: AccountId(Uuid::from_slice(&account).ok()?),
        grant: grant(Uuid::from_slice(&id).ok()?),
        expires_at: DateTime::from_timestamp(i64::try_from(expires_at).ok()?, 0)?,
        scopes: None,
        touching: None,
        brought: None,
        revocation_ids: Vec::new(),
    };
    Some((access, audience))
}

/// A limit that was hit is no word on the token. All else is: also what can't be evaluated.
fn fault(error: error::Token) -> AccessFault {
    match error {
        error::Token::RunLimit(_) => AccessFault::Unavailable,
        _ => AccessFault::Invalid,
    }
}

/// A biscuit's dates are seconds since 1970.
fn date(time: DateTime<Utc>) -> Result<Term, error::Token> {
    u64::try_from(time.timestamp())
        .map(Term::Date)
        .map_err(|_| error::Token::ConversionError("a time before 1970".to_owned()))
}
