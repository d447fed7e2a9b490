//! Requests that are sent again under an `Idempotency-Key`.

mod table;

pub use table::{Kept, MUTATIONS};
