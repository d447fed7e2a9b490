//! Something that happened, and who did it.

use std::fmt::Display;
use std::net::IpAddr;

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::chain::Content;
use super::personal::{Part, Personal};
use crate::db::id::TypedId;
use crate::telemetry::redact;
use crate::typed_id;

typed_id!(AuditEventId, "audit");

/// What is kept of a text. As long as the longest that a person may write to explain something.
const LONGEST_TEXT: usize = 2_000;
const LONGEST_USER_AGENT: usize = 400;

/// What is kept of where an event came from.
pub(super) const ADDRESS: &str = "ipAddress";
pub(super) const USER_AGENT: &str = "userAgent";

/// Ids of people: an event about one of them holds what is personal of theirs.
const PEOPLE: [&str; 2] = ["account", "user"];

/// Who acts, and from where, as far as it is known. Nothing of it: the service itself, or whoever runs it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct By {
    /// An account, or the same person as a user: their ids have the same end.
    pub actor: Option<Uuid>,
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub correlation_id: Option<String>,
}

/// Something that happened. Built up, then [recorded](super::record).
#[derive(Debug, Clone)]
pub struct Event {
    id: AuditEventId,
    action: &'static str,
    by: By,
    at: DateTime<Utc>,
    subject: Option<String>,
    person: Option<Uuid>,
    details: Map<String, Value>,
    facts: Map<String, Value>,
}

impl Event {
    pub fn new(action: &'static str, by: &By, at: DateTime<Utc>) -> Self {
        Self {
            id: AuditEventId(Uuid::now_v7()),
            action,
            by: by.clone(),
            // As finely as the database keeps it, or its hash would be another when it is read.
            at: at.trunc_subsecs(6),
            subject: None,
            person: None,
            details: Map::new(),
            facts: Map::new(),
        }
    }

    /// By which it can be asked for, once it is recorded.
    pub fn id(&self) -> AuditEventId {
        self.id
    }

    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// What it is about. What is personal in an event about a person is theirs.
    #[must_use]
    pub fn about<I: TypedId + Display>(mut self, id: I) -> Self {
        self = self.called(id.to_string());
        match PEOPLE.contains(&I::PREFIX) {
            true => self.concerning(id.uuid()),
            false => self,
        }
    }

    pub(super) fn called(mut self, subject: String) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Whose account it concerns, where it is about something else of theirs.
    #[must_use]
    pub fn concerning(mut self, person: Uuid) -> Self {
        self.person = Some(person);
        self
    }

    /// A further fact. Never a secret, and nothing personal: it stands for ever. What looks like either is taken out.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = match redact::is_secret(name) {
            true => redact::REDACTED.into(),
            false => kept(value.into()),
        };
        self.details.insert(name.to_owned(), value);
        self
    }

    /// A further fact that is personal, such as an e-mail address: it goes when the account is erased that the event is
    /// about, and after a while where it is about none.
    #[must_use]
    pub fn personal(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts
            .insert(name.to_owned(), shortened(&value.into()).into());
        self
    }

    /// As it is written down: what is chained, and what is personal apart from that.
    pub(super) fn sealed(self) -> (Content, Vec<Personal>) {
        let By {
            actor,
            address,
            user_agent,
            correlation_id,
        } = self.by;
        let mut content = Content {
            id: self.id,
            action: self.action.to_owned(),
            actor,
            subject: self.subject,
            person: self.person,
            correlation_id: correlation_id.filter(|id| !id.is_empty()),
            details: Value::Object(self.details).to_string(),
            origin: None,
            facts: None,
            at: self.at,
        };
        let mut origin = Map::new();
        if let Some(address) = address {
            origin.insert(ADDRESS.into(), address.to_string().into());
        }
        if let Some(user_agent) = user_agent {
            let kept: String = without_nul(&user_agent).take(LONGEST_USER_AGENT).collect();
            origin.insert(USER_AGENT.into(), kept.into());
        }
        let origin = Personal::of(self.id, Part::Origin, content.owner_of_origin(), origin);
        let facts = Personal::of(self.id, Part::Facts, content.owner_of_facts(), self.facts);
        let commitment =
            |part: &Option<Personal>| part.as_ref().map(|part| part.commitment().to_vec());
        content.origin = commitment(&origin);
        content.facts = commitment(&facts);
        (content, origin.into_iter().chain(facts).collect())
    }
}

/// A value without what looks secret or like an address, and no longer than anybody reads.
fn kept(value: Value) -> Value {
    match value {
        Value::String(text) => redact::mask(&shortened(&text)).into_owned().into(),
        Value::Array(values) => values.into_iter().map(kept).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| match redact::is_secret(&name) {
                true => (name, redact::REDACTED.into()),
                false => (name, kept(value)),
            })
            .collect(),
        other => other,
    }
}

fn shortened(text: &str) -> String {
    without_nul(text).take(LONGEST_TEXT).collect()
}

/// PostgreSQL takes no such character.
fn without_nul(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|letter| *letter != '\0')
}
