//! A statement that stands with whatever a task writes. By it somebody can tell later whether anything of a piece of work
//! was done, even where the process that did it was killed before it could say so; and by it a piece of work that was
//! given to another can write nothing any more.

use std::sync::Arc;

use super::Statement;

/// Runs before each commit, in the same transaction, and has to change a row: where it changes none, the transaction is
/// rolled back as [`Overtaken`](super::Error::Overtaken).
pub type Witness = Arc<Statement<()>>;

tokio::task_local! {
    static WITNESS: Option<Witness>;
}

/// Does a piece of work under a witness. All that it writes is included, also what it writes by a single statement, so
/// that nobody has to remember; it holds for this task, not for those that it spawns.
pub async fn witnessed<F: Future>(witness: Statement<()>, work: F) -> F::Output {
    WITNESS.scope(Some(Arc::new(witness)), work).await
}

/// Writes something that is no part of the work: what is counted stands, whatever comes of the work.
pub async fn apart<F: Future>(write: F) -> F::Output {
    WITNESS.scope(None, write).await
}

pub(super) fn witness() -> Option<Witness> {
    WITNESS.try_with(Clone::clone).ok().flatten()
}
