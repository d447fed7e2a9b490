//! What is hashed of an event, and how: SHA-256 over the hash of the event before and this one, each field with its
//! length. Whoever verifies the trail without this program writes it after this file.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event::AuditEventId;

pub type Hash = [u8; 32];

/// What the first event has before it.
pub const BEGINNING: Hash = [0; 32];

/// An event as it is chained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub id: AuditEventId,
    pub action: String,
    pub actor: Option<Uuid>,
    pub subject: Option<String>,
    pub correlation_id: Option<String>,
    /// JSON, as it was written.
    pub details: String,
    /// Commitments to what is personal: where it came from, and what it says.
    pub origin: Option<Hash>,
    pub facts: Option<Hash>,
    pub at: DateTime<Utc>,
}

impl Content {
    pub fn hash(&self, previous: &Hash) -> Hash {
        let mut fields = Fields(Sha256::new_with_prefix(b"empulse audit event 1\0"));
        fields.add(Some(previous));
        fields.add(Some(self.id.0.as_bytes()));
        fields.add(Some(&self.at.timestamp_micros().to_be_bytes()));
        fields.add(Some(self.action.as_bytes()));
        fields.add(self.actor.as_ref().map(|actor| &actor.as_bytes()[..]));
        fields.add(self.subject.as_deref().map(str::as_bytes));
        fields.add(self.correlation_id.as_deref().map(str::as_bytes));
        fields.add(Some(self.details.as_bytes()));
        fields.add(self.origin.as_ref().map(|hash| &hash[..]));
        fields.add(self.facts.as_ref().map(|hash| &hash[..]));
        fields.0.finalize().into()
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
