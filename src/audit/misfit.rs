//! What of the trail is not as it was, for whoever has to find out why.

use chrono::{DateTime, Utc};

use super::event::AuditEventId;
use super::heads::{Head, HeadFault};
use super::personal::Part;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("{} missing", events(*first, *last))]
    Missing { first: i64, last: i64 },
    #[error("event {sequence} ({id}) was altered: its hash is not that of what it says")]
    Altered { sequence: i64, id: AuditEventId },
    #[error("event {sequence} ({id}) was moved: {}", after_which(*after))]
    Reordered {
        sequence: i64,
        id: AuditEventId,
        after: i64,
    },
    #[error(
        "what stood before event {sequence} ({id}) is missing: the event that it was chained to is nowhere"
    )]
    Unlinked {
        sequence: i64,
        id: AuditEventId,
        previous: Vec<u8>,
    },
    #[error("{} event {sequence} ({id}) was altered", of_part(*part))]
    PersonalAltered {
        sequence: i64,
        id: AuditEventId,
        part: Part,
    },
    #[error("{} event {sequence} ({id}) is gone, and no later event says that it was erased", of_part(*part))]
    PersonalGone {
        sequence: i64,
        id: AuditEventId,
        part: Part,
    },
    #[error(
        "the trail was written anew after event {after}, at event {} or before: the head {place}, signed {}, has another hash",
        head.sequence, head.signed_at
    )]
    Rewritten {
        place: String,
        head: Head,
        after: i64,
    },
    #[error(
        "the end of the trail is missing: it goes to event {last}, and the head {place} was signed {} for event {}",
        head.signed_at, head.sequence
    )]
    CutOff {
        place: String,
        head: Head,
        last: i64,
    },
    #[error(
        "no head was signed for what happened from {since} to {last}: the trail could have been written anew since, or heads \
         are missing in the storage, where EMPULSE_STORAGE_URL says; just after a long stop, let the service sign one first"
    )]
    NotSigned {
        since: DateTime<Utc>,
        last: DateTime<Utc>,
    },
    #[error("what was recorded can't be chained: {why}")]
    NotChained { why: String },
    #[error(
        "what was recorded at {since} waits to be chained, which takes a moment where the service runs"
    )]
    Waiting { since: DateTime<Utc> },
    #[error("the head {place} is none of ours: {why}")]
    Head { place: String, why: HeadFault },
    #[error(
        "no head is signed by a key that is known; put the keys that signed them behind the others of EMPULSE_SIGNING_KEYS"
    )]
    NoHeadOfOurs,
}

fn events(first: i64, last: i64) -> String {
    match first == last {
        true => format!("event {first} is"),
        false => format!("events {first} to {last} are"),
    }
}

fn after_which(sequence: i64) -> String {
    match sequence {
        0 => "it was the first".into(),
        _ => format!("it came after event {sequence}"),
    }
}

fn of_part(part: Part) -> &'static str {
    match part {
        Part::Origin => "where it came from in",
        Part::Facts => "what is personal in",
    }
}
