//! What is personal in an event. It stands apart, with a salt; the chain holds the hash of both. Once the row is deleted
//! the hash says nothing any more: without the salt not even a short address can be found by trying.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::chain::Hash;
use super::event::AuditEventId;
use crate::stored_enum;

stored_enum!(
    /// Which part of an event.
    Part {
        /// Where it came from: whoever acted.
        Origin = "ORIGIN",
        /// What it says: of whom it is about.
        Facts = "FACTS",
    }
);

pub struct Personal {
    pub event: AuditEventId,
    pub part: Part,
    /// With whose account it is erased.
    pub whose: Option<Uuid>,
    pub salt: [u8; 32],
    pub content: String,
}

impl Personal {
    /// None where there is nothing to keep.
    pub fn of(
        event: AuditEventId,
        part: Part,
        whose: Option<Uuid>,
        content: Map<String, Value>,
    ) -> Option<Self> {
        (!content.is_empty()).then(|| Self {
            event,
            part,
            whose,
            salt: rand::random(),
            content: Value::Object(content).to_string(),
        })
    }

    pub fn commitment(&self) -> Hash {
        commitment(self.event, self.part, &self.salt, &self.content)
    }
}

/// Bound to its event and its part, so that one can't stand for another.
pub fn commitment(event: AuditEventId, part: Part, salt: &[u8], content: &str) -> Hash {
    Sha256::new_with_prefix(b"empulse audit personal 1\0")
        .chain_update(part.as_str())
        .chain_update([0])
        .chain_update(event.0.as_bytes())
        // Of one length always, as the table has it.
        .chain_update(salt)
        .chain_update(content)
        .finalize()
        .into()
}
