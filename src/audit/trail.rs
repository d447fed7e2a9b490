//! What the trail tells those who may read it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::event::{ADDRESS, AuditEventId, USER_AGENT};
use super::linker;
use super::store::{self, Shown};
use crate::db::keyset::{Slice, Window};
use crate::db::{Db, Error};

/// An event as it is read, with what is left of what is personal in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    pub id: AuditEventId,
    pub action: String,
    pub actor: Option<Uuid>,
    pub subject: Option<String>,
    pub correlation_id: Option<String>,
    pub address: Option<String>,
    /// With the personal facts among them.
    pub details: Map<String, Value>,
    pub hash: Vec<u8>,
    pub at: DateTime<Utc>,
}

/// Which events are wanted; nothing of it means all.
#[derive(Debug, Clone, Default)]
pub struct TrailFilter {
    /// Any of these.
    pub actions: Option<Vec<String>>,
    pub actor: Option<Uuid>,
    pub subject: Option<String>,
    pub after: Option<DateTime<Utc>>,
    pub before: Option<DateTime<Utc>>,
}

/// A page of the trail, newest first. What stood when it was asked for is in it.
pub async fn trail(
    db: &Db,
    filter: &TrailFilter,
    window: &Window,
) -> Result<Slice<Recorded>, Error> {
    linker::link(db).await?;
    let slice = window.slice(store::page(db, filter, window).await?);
    Ok(Slice {
        items: slice.items.into_iter().map(Recorded::from).collect(),
        has_next: slice.has_next,
        has_previous: slice.has_previous,
    })
}

pub async fn events_by_ids(db: &Db, ids: &[AuditEventId]) -> Result<Vec<Recorded>, Error> {
    linker::link(db).await?;
    let shown = store::by_ids(db, ids).await?;
    Ok(shown.into_iter().map(Recorded::from).collect())
}

impl From<Shown> for Recorded {
    fn from(shown: Shown) -> Self {
        let Shown {
            content,
            hash,
            origin,
            facts,
        } = shown;
        let mut details = members(Some(&content.details));
        details.extend(members(facts.as_deref()));
        let mut origin = members(origin.as_deref());
        let address = match origin.remove(ADDRESS) {
            Some(Value::String(address)) => Some(address),
            _ => None,
        };
        details.extend(
            origin
                .remove(USER_AGENT)
                .map(|agent| (USER_AGENT.to_owned(), agent)),
        );
        Self {
            id: content.id,
            action: content.action,
            actor: content.actor,
            subject: content.subject,
            correlation_id: content.correlation_id,
            address,
            details,
            hash,
            at: content.at,
        }
    }
}

/// What somebody has altered may be no object any more; the verification says so, and the rest is still to be read.
fn members(json: Option<&str>) -> Map<String, Value> {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}
