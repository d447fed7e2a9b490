//! Work whose reads must see what it has written: none of them is answered by a copy that may be behind.

tokio::task_local! {
    static CURRENT: ();
}

/// Does a piece of work that reads from the primary alone, whatever its reads would put up with. It holds for this task,
/// not for those that it spawns.
pub async fn current<F: Future>(work: F) -> F::Output {
    CURRENT.scope((), work).await
}

pub(super) fn is_current() -> bool {
    CURRENT.try_with(|()| ()).is_ok()
}
