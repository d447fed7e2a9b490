//! All SQL of the trail: one function, one statement.

mod erase;
mod link;
mod list;
mod record;
mod walk;

pub use self::erase::*;
pub use self::link::*;
pub use self::list::*;
pub use self::record::*;
pub use self::walk::*;

/// The columns of [`Content`](super::chain::Content), in its order.
macro_rules! content_columns {
    () => {
        "e.id, e.action, e.actor_id, e.subject_id, e.person_id, e.correlation_id, e.details, e.origin_commitment, \
         e.facts_commitment, e.created_at"
    };
}

use content_columns;
