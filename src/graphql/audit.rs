//! The audit trail, for administrators. Who reads it is on it.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, ScalarType};
use serde_json::{Map, json};

use super::accounts::{User, account};
use super::at_hand::{Asked, AtHand, Show, leaf};
use super::batch::Load;
use super::context::{Operation, operation, root};
use super::cursor::List;
use super::error::{ApiError, Nullable, nullable};
use super::page::{Listed, Page, PageArguments, connection};
use super::scalars::{DateTime, Json};
use crate::accounts::{AccountId, Principal, Role, UserId};
use crate::app::App;
use crate::audit::{self, AuditEventId, By, Event, TrailFilter};
use crate::db::id::{AnyId, TypedId};
use crate::db::keyset::{Position, SortValue};

/// More than anybody asks for at once.
const MOST_ACTIONS: usize = 100;
/// Letters, as the database has it.
const LONGEST_ACTION: usize = 80;

#[derive(Clone)]
pub struct AuditEvent(pub Arc<audit::Recorded>);

connection!(AuditEventConnection, AuditEventEdge, AuditEvent);

impl Listed for AuditEvent {
    fn position(&self, _: List) -> Position {
        Position {
            value: SortValue::Time(self.0.at),
            id: self.0.id.0,
        }
    }
}

/// Something that happened, on the trail of all that concerns security.
#[Object]
impl AuditEvent {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Such as `login.failed`, `tax_form.revealed`, `role.changed`.
    async fn action(&self) -> &str {
        &self.0.action
    }

    /// Null where nobody was signed in, and once the account is erased.
    async fn actor(&self, ctx: &Context<'_>) -> Nullable<User> {
        nullable(
            async {
                Ok(match self.0.actor {
                    Some(actor) => account(ctx, AccountId(actor))
                        .await?
                        .map(|account| account.as_user()),
                    None => None,
                })
            }
            .await,
        )
    }

    async fn subject_id(&self) -> Option<ID> {
        self.0.subject.clone().map(ID)
    }

    /// Null where it is not known, and once it is erased.
    async fn ip_address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    async fn correlation_id(&self) -> Option<&str> {
        self.0.correlation_id.as_deref()
    }

    /// Further facts, never secrets.
    async fn details(&self) -> Json {
        self.shown_details()
    }

    /// SHA-256 over this event and the hash of the one before it.
    async fn hash(&self) -> String {
        audit::hex(&self.0.hash)
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.at)
    }
}

impl AuditEvent {
    fn shown_details(&self) -> Json {
        Json(serde_json::Value::Object(self.0.details.clone()))
    }
}

impl AtHand for AuditEvent {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "id" => leaf(|event: &Self| event.0.id.to_string().into()),
            "action" => leaf(|event: &Self| event.0.action.as_str().into()),
            "subjectId" => leaf(|event: &Self| event.0.subject.as_deref().into()),
            "ipAddress" => leaf(|event: &Self| event.0.address.as_deref().into()),
            "correlationId" => leaf(|event: &Self| event.0.correlation_id.as_deref().into()),
            "details" => leaf(|event: &Self| event.shown_details().to_value()),
            "hash" => leaf(|event: &Self| audit::hex(&event.0.hash).into()),
            "createdAt" => leaf(|event: &Self| DateTime(event.0.at).to_value()),
            _ => None,
        }
    }
}

/// Which events of the trail; what is left out restricts nothing.
#[derive(InputObject)]
pub struct AuditFilter {
    /// Any of these; an empty list matches nothing.
    actions: Option<Vec<String>>,
    /// Who did it.
    actor_user_id: Option<ID>,
    /// What it was done to.
    subject_id: Option<ID>,
    created_after: Option<DateTime>,
    created_before: Option<DateTime>,
}

#[derive(Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// The trail of security-relevant events, for administrators.
    async fn audit_log(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        filter: Option<AuditFilter>,
    ) -> Nullable<AuditEventConnection> {
        nullable(
            root(ctx, "auditLog", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().with_role(&[Role::Admin])?;
                let list = List::AuditLog;
                let arguments = PageArguments {
                    first,
                    after,
                    ..PageArguments::default()
                };
                let window = arguments.window(list)?;
                let filter = filter.map(AuditFilter::read).transpose()?;
                let filter = filter.unwrap_or_default();
                let db = &operation.app.db;
                let slice = audit::trail(db, &filter, &window).await?;
                // Before any of it is shown, and not among it.
                let read = read_event(&by(operation, principal), operation.app.clock.now());
                let read = read
                    .detail("filter", told(&filter))
                    .detail("events", slice.items.len());
                audit::record_alone(db, read).await?;
                let page = Page::new(list, slice, |event| AuditEvent(event.into()));
                Ok(Some(AuditEventConnection(page)))
            })
            .await,
        )
    }
}

impl AuditFilter {
    fn read(self) -> Result<TrailFilter, ApiError> {
        let mut actions = self.actions;
        if let Some(actions) = &mut actions {
            if actions.len() > MOST_ACTIONS {
                return Err(ApiError::BadRequest(format!(
                    "filter.actions: {} are too many; at most {MOST_ACTIONS}.",
                    actions.len()
                )));
            }
            // No event has such a name, and the database takes none.
            actions.retain(|action| action.len() <= LONGEST_ACTION && !action.contains('\0'));
            actions.sort_unstable();
            actions.dedup();
        }
        Ok(TrailFilter {
            actions,
            actor: self
                .actor_user_id
                .map(|id| id.parse::<UserId>())
                .transpose()?
                .map(|id| id.0),
            subject: self.subject_id.map(|id| subject(&id)).transpose()?,
            after: self.created_after.map(|time| time.0),
            before: self.created_before.map(|time| time.0),
        })
    }
}

/// As events name it: an account and its user are the same person.
fn subject(id: &str) -> Result<String, ApiError> {
    let any = AnyId::parse(id)?;
    Ok(match any.prefix.as_str() {
        UserId::PREFIX => AccountId(any.uuid).to_string(),
        _ => id.to_owned(),
    })
}

/// What was looked for, for those who look at who looked.
fn told(filter: &TrailFilter) -> serde_json::Value {
    let mut told = Map::new();
    let mut tell = |name: &str, value: Option<serde_json::Value>| {
        told.extend(value.map(|value| (name.to_owned(), value)));
    };
    tell(
        "actions",
        filter.actions.as_ref().map(|actions| json!(actions)),
    );
    tell(
        "actorUserId",
        filter.actor.map(|actor| UserId(actor).to_string().into()),
    );
    tell("subjectId", filter.subject.clone().map(Into::into));
    tell("createdAfter", filter.after.map(|time| json!(time)));
    tell("createdBefore", filter.before.map(|time| json!(time)));
    told.into()
}

fn by(operation: &Operation, principal: &Principal) -> By {
    operation.caller.client.by(principal.account.id)
}

fn read_event(by: &By, now: chrono::DateTime<chrono::Utc>) -> Event {
    Event::new("audit.read", by, now)
}

/// An event of the trail, for administrators.
pub async fn audit_event(
    ctx: &Context<'_>,
    id: AuditEventId,
) -> Result<Option<AuditEvent>, ApiError> {
    let operation = operation(ctx)?;
    let Ok(principal) = operation.actor().with_role(&[Role::Admin]) else {
        return Ok(None);
    };
    let by = by(operation, principal);
    let found = operation
        .load(&operation.loaders.audit_events, Read { id, by })
        .await?;
    Ok(found.map(AuditEvent))
}

/// Somebody's looking at an event. All of an operation are somebody's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Read {
    id: AuditEventId,
    by: By,
}

/// Reads events, and records once that they were.
pub struct ReadEvents;

impl Load for ReadEvents {
    type Key = Read;
    type Value = Arc<audit::Recorded>;

    async fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> Result<HashMap<Self::Key, Self::Value>, ApiError> {
        let ids: Vec<AuditEventId> = keys.iter().map(|key| key.id).collect();
        let mut found: HashMap<AuditEventId, Self::Value> = HashMap::with_capacity(keys.len());
        for event in audit::events_by_ids(&app.db, &ids).await? {
            found.insert(event.id, Arc::new(event));
        }
        if let Some(Read { by, .. }) = keys.first().filter(|_| !found.is_empty()) {
            let shown = keys.iter().filter(|key| found.contains_key(&key.id));
            let shown: Vec<String> = shown.map(|key| key.id.to_string()).collect();
            let read = read_event(by, app.clock.now()).detail("ids", shown);
            audit::record_alone(&app.db, read).await?;
        }
        Ok(keys
            .into_iter()
            .filter_map(|key| Some((key.clone(), found.get(&key.id)?.clone())))
            .collect())
    }
}
