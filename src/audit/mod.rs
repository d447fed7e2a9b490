//! The audit trail: what happened, by whom, in one chain that is only added to.
//!
//! An action [records](record) its event in its own transaction, so that there is no action without its event and no
//! event without its action. Of what has no transaction, such as a refusal, the event stands [alone](record_alone). What
//! is personal in an event stands apart from it and can be erased; the chain holds a salted hash of it.
//!
//! Knows no domain: who acts is a [`By`], what it is about an ID as clients know it.
//!
//! - The words of actions are public: `object.happened`, in the past (`login.failed`, `role.changed`). One that was
//!   recorded is never called otherwise.
//! - Secrets stand in no event, nor anything by which one could be guessed.

mod chain;
mod command;
mod erase;
mod event;
mod heads;
mod jobs;
mod linker;
mod misfit;
mod personal;
mod store;
mod trail;
mod verify;

pub use self::command::verify_command;
pub use self::erase::{begin_anew, erase_nobodys, erase_personal};
pub use self::event::{AuditEventId, By, Event};
pub use self::heads::{Head, HeadFault, SignedHead, hex};
pub use self::jobs::{found_heads, register_jobs};
pub use self::linker::{keep_chained, link};
pub use self::misfit::Misfit;
pub use self::trail::{Recorded, TrailFilter, events_by_ids, trail};
pub use self::verify::{FoundHead, Report, verify};
use crate::db::{Db, Error, Statement, Topic, Tx, apart};

/// Records what an action does, as part of its transaction.
pub async fn record(tx: &mut Tx<'_>, event: Event) -> Result<(), Error> {
    record_all(tx, vec![event]).await
}

/// The same for several at once, in their order; one statement.
pub async fn record_all(tx: &mut Tx<'_>, events: Vec<Event>) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    tx.execute(&store::insertion(events)).await?;
    tx.announce(Topic::Audit);
    Ok(())
}

/// Records what has no transaction of its own. It stands once this is done, whatever comes of the work that it belongs to.
pub async fn record_alone(db: &Db, event: Event) -> Result<(), Error> {
    record_all_alone(db, vec![event]).await
}

/// The same for several at once, in their order; one statement.
pub async fn record_all_alone(db: &Db, events: Vec<Event>) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    // Whatever the work comes to that is going on: it tells of no part of that.
    apart(db.execute(&store::insertion(events))).await?;
    db.announce(Topic::Audit);
    Ok(())
}

/// Begins a statement that records an event beside whatever else it does: `with …, ` to which one more `name as (…)` or
/// the statement itself is added. For where a statement of its own would take too long. Whoever runs it announces it
/// by [`Topic::Audit`].
pub fn recorded_beside<ST>(event: Event) -> Statement<ST> {
    store::recorded(Statement::new("with "), vec![event])
}
