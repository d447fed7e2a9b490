//! What is hashed of an event, and how: SHA-256 over the hash of the event before and this one, each field with its
//! length. Whoever verifies the trail without this program writes it after this file.

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::AuditEventId;

pub type Hash = [u8; 32];

/// What the first event has before it.
pub const BEGINNING: Hash = [0; 32];

/// An event as it is chained.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Content {
    pub id: AuditEventId,
    pub action: String,
    pub actor: Option<Uuid>,
    pub subject: Option<String>,
    /// Whose account it concerns.
    pub person: Option<Uuid>,
    pub correlation_id: Option<String>,
    /// JSON, as it was written.
    pub details: String,
    /// Commitments to what is personal: where it came from, and what it says.
    pub origin: Option<Vec<u8>>,
    pub facts: Option<Vec<u8>>,
    pub at: DateTime<Utc>,
}

pub type ContentSql = (
    SqlUuid,
    Text,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Nullable<SqlUuid>,
    Nullable<Text>,
    Text,
    Nullable<Binary>,
    Nullable<Binary>,
    Timestamptz,
);

impl Content {
    pub fn hash(&self, previous: &[u8]) -> Hash {
        let mut fields = Fields(Sha256::new_with_prefix(b"empulse audit event 1\0"));
        let id = |id: &Option<Uuid>| id.map(Uuid::into_bytes);
        fields.add(Some(previous));
        fields.add(Some(self.id.0.as_bytes()));
        fields.add(Some(&self.at.timestamp_micros().to_be_bytes()));
        fields.add(Some(self.action.as_bytes()));
        fields.add(id(&self.actor).as_ref().map(|id| &id[..]));
        fields.add(self.subject.as_deref().map(str::as_bytes));
        fields.add(id(&self.person).as_ref().map(|id| &id[..]));
        fields.add(self.correlation_id.as_deref().map(str::as_bytes));
        fields.add(Some(self.details.as_bytes()));
        fields.add(self.origin.as_deref());
        fields.add(self.facts.as_deref());
        fields.0.finalize().into()
    }

    /// Whose where it came from is: who failed to show who they are is taken for whom they tried to be.
    pub fn owner_of_origin(&self) -> Option<Uuid> {
        self.actor.or(self.person)
    }

    /// Whose what it says is: of whom it is about, never of whoever wrote it. Of nobody who is known, it is
    /// [kept for a while](super::erase::KEPT_OF_NOBODY).
    pub fn owner_of_facts(&self) -> Option<Uuid> {
        self.person
    }
}

struct Fields(Sha256);

impl Fields {
    /// Whether it is there, how long it is (8 bytes, the highest first), and itself: no two lists of fields read alike.
    fn add(&mut self, field: Option<&[u8]>) {
        match field {
            None => self.0.update([0]),
            Some(bytes) => {
                self.0.update([1]);
                self.0.update((bytes.len() as u64).to_be_bytes());
                self.0.update(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content() -> Content {
        Content {
            id: AuditEventId(Uuid::from_u128(1)),
            action: "test.happened".into(),
            actor: Some(Uuid::from_u128(2)),
            subject: Some("account_1".into()),
            person: Some(Uuid::from_u128(3)),
            correlation_id: Some("by-this-id".into()),
            details: r#"{"a":1}"#.into(),
            origin: Some(vec![4; 32]),
            facts: Some(vec![5; 32]),
            at: DateTime::from_timestamp_micros(1_764_158_400_123_456).unwrap(),
        }
    }

    /// Events of every release stand in one chain: this never changes.
    #[test]
    fn an_event_has_the_hash_that_it_always_had() {
        let hash = content().hash(&BEGINNING);
        let text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            text,
            "b96d31969a2235e59f934166de3170d86bdf96adc5802d81c177040bb24c1f43"
        );
        let bare = Content {
            actor: None,
            subject: None,
            person: None,
            correlation_id: None,
            origin: None,
            facts: None,
            ..content()
        };
        let text: String = bare
            .hash(&hash)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            text,
            "07237b4fad70e098bf3c1e9178dd92a03f0bfe40c67c24d75bc1333bf33882af"
        );
    }

    #[test]
    fn each_field_counts_and_none_can_stand_for_another() {
        let all = content();
        let id = Uuid::from_u128(9);
        let others = [
            Content {
                id: AuditEventId(id),
                ..all.clone()
            },
            Content {
                action: "test.other".into(),
                ..all.clone()
            },
            Content {
                actor: Some(id),
                ..all.clone()
            },
            Content {
                actor: None,
                ..all.clone()
            },
            Content {
                subject: None,
                ..all.clone()
            },
            Content {
                subject: Some(String::new()),
                ..all.clone()
            },
            Content {
                person: None,
                ..all.clone()
            },
            Content {
                person: all.actor,
                actor: all.person,
                ..all.clone()
            },
            Content {
                correlation_id: None,
                ..all.clone()
            },
            Content {
                subject: all.correlation_id.clone(),
                correlation_id: all.subject.clone(),
                ..all.clone()
            },
            Content {
                details: "{}".into(),
                ..all.clone()
            },
            Content {
                origin: None,
                ..all.clone()
            },
            Content {
                facts: None,
                ..all.clone()
            },
            Content {
                origin: all.facts.clone(),
                facts: all.origin.clone(),
                ..all.clone()
            },
            Content {
                at: all.at + chrono::TimeDelta::microseconds(1),
                ..all.clone()
            },
            Content {
                subject: Some("account_1b".into()),
                correlation_id: Some("y-this-id".into()),
                ..all.clone()
            },
        ];
        let mut hashes: Vec<Hash> = others.iter().map(|other| other.hash(&BEGINNING)).collect();
        hashes.push(all.hash(&BEGINNING));
        hashes.push(all.hash(&[1; 32]));
        let count = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), count);
    }
}
