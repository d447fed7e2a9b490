//! Tokens that their holder has narrowed, by appending blocks offline. A block holds checks, which all have to succeed;
//! there is nothing else that it could hold and that would be of use, so there is nothing by which it could widen.
//!
//! # What a check can ask
//!
//! | fact | says |
//! | --- | --- |
//! | `time(2030-01-02T03:04:05Z)` | now |
//! | `scope("PLAYLISTS_READ")` | what is to be opened: one of the API's scopes |
//! | `resource("album_01h455vb4pex5vsknk084sn02q")` | what is touched, by its id, and each thing that it is part of; not there where nothing in particular is |
//! | `ip("203.0.113.7")`, `ip("2001:db8::7")` | the client's address; not there if it is not known |
//! | `networks({"203.0.113.7/32", … "203.0.113.0/24", … "0.0.0.0/0"})` | every network which that address is in |
//! | `service("https://api.example.org")` | who we are |
//! | `user(hex:…)`, `audience(…)`, `expires(…)`, and `session(hex:…)` and `role(…)`, or `api_token(hex:…)` | what the token says; ids as their bytes |
//!
//! Such as:
//!
//! ```text
//! check if scope($s), ["PLAYLISTS_READ", "PLAYLISTS_WRITE"].contains($s);
//! check if resource("album_01h455vb4pex5vsknk084sn02q");
//! check if time($t), $t < 2030-01-02T03:04:05Z;
//! check if networks($n), $n.contains("203.0.113.0/24");
//! ```
//!
//! A token is good for the scopes for which all its checks succeed. It is never the whole session's, even if its blocks
//! are empty: to sign in elsewhere, to change a password, is for who holds the token that we gave. What is touched is
//! known only when it is; until then a check that asks for it fails. A token of which another check fails whatever is
//! touched is not believed at all.
//!
//! # What is refused
//!
//! All that could cost more than it says: evaluation looks at its clock between checks, not within one. Facts and rules
//! of a block's own, which joins multiply; more than three facts a check; `reject if`, which succeeds where a fact is not
//! there; regular expressions, arithmetic, loops over sets, `try_or`, external functions; `trusting`, and blocks that a
//! third party signed, which say who else's facts count where nobody else has any.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use biscuit_auth::builder::{Binary, Check, CheckKind, Fact, Op, Rule, Term, Unary, fact, string};
use biscuit_auth::macros::{check, rule};
use biscuit_auth::{Authorizer, AuthorizerBuilder, Biscuit, error};
use ipnet::IpNet;

use super::{AccessFault, fault};
use crate::accounts::Scope;

/// Blocks of the holder's.
const MOST_BLOCKS: usize = 8;

/// Checks of all blocks.
const MOST_CHECKS: usize = 40;

/// Facts that one way of a check looks for; each multiplies those before it.
const MOST_FACTS: usize = 3;

/// Facts beside the roles: four that a token of ours says, and two that we add before it is known what is to be opened.
const FACTS_OF_OURS: usize = 6;

/// The check by which we narrow a token to scopes, as its holder could.
pub fn to_scopes(scopes: &[Scope]) -> Check {
    let names = scopes.iter().map(|scope| string(scope.as_str()));
    let names = Term::Array(names.collect());
    check!("check if scope($s), {names}.contains($s)")
}

/// A token whose blocks hold only what we know the meaning and the cost of.
pub struct Narrowed<'a> {
    token: &'a Biscuit,
    facts: Vec<Fact>,
    checks: Vec<Check>,
}

/// A token that opens some things and not others, as it was brought.
#[derive(Clone)]
pub struct Touching(Arc<(Biscuit, AuthorizerBuilder)>);

impl<'a> Narrowed<'a> {
    /// Looks through the blocks before anything is run.
    pub fn understood(
        token: &'a Biscuit,
        authorizer: &mut Authorizer,
    ) -> Result<Self, AccessFault> {
        if token.block_count() > 1 + MOST_BLOCKS
            || token.external_public_keys().iter().any(Option::is_some)
        {
            return Err(AccessFault::Invalid);
        }
        let (facts, rules, checks, _) = authorizer.dump();
        if !rules.is_empty() || checks.len() > MOST_CHECKS || !checks.iter().all(is_understood) {
            return Err(AccessFault::Invalid);
        }
        // Facts don't tell whose they are, but a query sees none of a later block. So one of its own is one too many.
        let roles: Vec<Fact> = authorizer
            .query(rule!("found($r) <- role($r)"))
            .map_err(fault)?;
        if facts.len() != FACTS_OF_OURS + roles.len() {
            return Err(AccessFault::Invalid);
        }
        Ok(Self {
            token,
            facts,
            checks,
        })
    }

    /// What it opens, and what decides where that depends on what is touched. A token that opens nothing is not one to
    /// go on with.
    pub fn opened(
        &self,
        ambient: AuthorizerBuilder,
        address: Option<IpAddr>,
    ) -> Result<(BTreeSet<Scope>, Option<Touching>), AccessFault> {
        let ambient = self.with_address(ambient, address).map_err(fault)?;
        let scopes = opened(&ambient, |asked| asked.build(self.token))?;
        let depends = self.ask_for("resource");
        if scopes.is_empty() && !(depends && self.could_open_something(&ambient)?) {
            return Err(AccessFault::Invalid);
        }
        let touching = depends.then(|| Touching(Arc::new((self.token.clone(), ambient))));
        Ok((scopes, touching))
    }

    /// Whether all checks succeed but those that ask what is touched. There are no facts of later blocks, so all checks
    /// see the same, and can be asked apart from the token.
    fn could_open_something(&self, ambient: &AuthorizerBuilder) -> Result<bool, AccessFault> {
        let mut rest = ambient.clone();
        for fact in &self.facts {
            rest = rest.fact(fact.clone()).map_err(fault)?;
        }
        for check in self
            .checks
            .iter()
            .filter(|check| !asks_for(check, "resource"))
        {
            rest = rest.check(check.clone()).map_err(fault)?;
        }
        let scopes = opened(&rest, AuthorizerBuilder::build_unauthenticated)?;
        Ok(!scopes.is_empty())
    }

    fn ask_for(&self, name: &str) -> bool {
        self.checks.iter().any(|check| asks_for(check, name))
    }

    fn with_address(
        &self,
        ambient: AuthorizerBuilder,
        address: Option<IpAddr>,
    ) -> Result<AuthorizerBuilder, error::Token> {
        // One address is written in one way: an IPv4 one is not also an IPv6 one.
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return Ok(ambient);
        };
        let ambient = ambient.fact(fact("ip", &[string(&address.to_string())]))?;
        // There are many of them.
        if !self.ask_for("networks") {
            return Ok(ambient);
        }
        ambient.fact(fact("networks", &[Term::Set(networks(address))]))
    }
}

impl Touching {
    /// Whether it opens a scope for a thing, named by its id and those of all that it is part of.
    pub fn opens(&self, scope: Scope, touched: &[String]) -> Result<bool, AccessFault> {
        let (token, ambient) = &*self.0;
        let mut asked = asking(ambient, scope)?;
        for id in touched {
            asked = asked.fact(fact("resource", &[string(id)])).map_err(fault)?;
        }
        judged(asked.build(token))
    }
}

/// Says nothing of the token: who reads it could use it.
impl fmt::Debug for Touching {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Touching")
    }
}

/// The same one, brought once.
impl PartialEq for Touching {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Touching {}

fn asks_for(check: &Check, name: &str) -> bool {
    let mut asked = check.queries.iter().flat_map(|query| &query.body);
    asked.any(|fact| fact.name == name)
}

/// The scopes that are opened, each asked for by itself.
fn opened(
    ambient: &AuthorizerBuilder,
    build: impl Fn(AuthorizerBuilder) -> Result<Authorizer, error::Token>,
) -> Result<BTreeSet<Scope>, AccessFault> {
    let mut scopes = BTreeSet::new();
    for scope in Scope::ALL {
        if judged(build(asking(ambient, *scope)?))? {
            scopes.insert(*scope);
        }
    }
    Ok(scopes)
}

fn asking(ambient: &AuthorizerBuilder, scope: Scope) -> Result<AuthorizerBuilder, AccessFault> {
    let scope = fact("scope", &[string(scope.as_str())]);
    ambient.clone().fact(scope).map_err(fault)
}

fn judged(authorizer: Result<Authorizer, error::Token>) -> Result<bool, AccessFault> {
    match authorizer.and_then(|mut authorizer| authorizer.authorize()) {
        Ok(_) => Ok(true),
        Err(error::Token::FailedLogic(_)) => Ok(false),
        // A check that can't be evaluated for one scope is not one to trust for another.
        Err(error) => Err(fault(error)),
    }
}

fn networks(address: IpAddr) -> BTreeSet<Term> {
    let whole = IpNet::from(address);
    (0..=whole.max_prefix_len())
        .filter_map(|length| IpNet::new(address, length).ok())
        .map(|network| Term::Str(network.trunc().to_string()))
        .collect()
}

fn is_understood(check: &Check) -> bool {
    check.kind != CheckKind::Reject && check.queries.iter().all(is_way)
}

/// One of the ways, between `or`s, by which a check can succeed.
fn is_way(way: &Rule) -> bool {
    way.head.terms.is_empty()
        && way.body.len() <= MOST_FACTS
        && way.scopes.is_empty()
        && way
            .expressions
            .iter()
            .all(|one| one.ops.iter().all(is_step))
}

fn is_step(op: &Op) -> bool {
    match op {
        Op::Value(_) | Op::Unary(Unary::Negate | Unary::Parens) => true,
        Op::Unary(Unary::Length | Unary::TypeOf | Unary::Ffi(_)) => false,
        // `a && b` holds b as what is run if need be. With parameters it would be a loop's body.
        Op::Closure(parameters, ops) => parameters.is_empty() && ops.iter().all(is_step),
        Op::Binary(binary) => match binary {
            Binary::LessThan
            | Binary::GreaterThan
            | Binary::LessOrEqual
            | Binary::GreaterOrEqual
            | Binary::Equal
            | Binary::NotEqual
            | Binary::HeterogeneousEqual
            | Binary::HeterogeneousNotEqual
            | Binary::Contains
            | Binary::Prefix
            | Binary::Suffix
            | Binary::And
            | Binary::Or
            | Binary::LazyAnd
            | Binary::LazyOr => true,
            Binary::Regex
            | Binary::Add
            | Binary::Sub
            | Binary::Mul
            | Binary::Div
            | Binary::Intersection
            | Binary::Union
            | Binary::BitwiseAnd
            | Binary::BitwiseOr
            | Binary::BitwiseXor
            | Binary::All
            | Binary::Any
            | Binary::Get
            | Binary::Ffi(_)
            | Binary::TryOr => false,
        },
    }
}
