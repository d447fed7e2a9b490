//! Reads that many fields of one operation ask for one by one, and that are loaded together.
//!
//! An operation runs in one task, so all fields that want something now have said so before the task is polled again:
//! one turn gathers them. async-graphql's own loader waits a millisecond by a timer and spawns a task for each batch.

use std::collections::HashMap;
use std::hash::Hash;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use futures_util::task::AtomicWaker;

use super::error::ApiError;
use crate::app::App;

/// One kind of read.
pub trait Load: 'static {
    type Key: Clone + Eq + Hash + Send + Sync + 'static;
    type Value: Clone + Send + Sync + 'static;

    fn load(
        app: &App,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, ApiError>> + Send;
}

type Answer<L> = Result<Arc<HashMap<<L as Load>::Key, <L as Load>::Value>>, ApiError>;

/// The batch of one operation for one kind of read.
pub struct Batch<L: Load> {
    open: Mutex<Option<Open<L>>>,
}

struct Open<L: Load> {
    /// None once the batch is on its way.
    keys: Arc<Mutex<Option<Vec<L::Key>>>>,
    answer: Shared<BoxFuture<'static, Answer<L>>>,
}

impl<L: Load> Default for Batch<L> {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
        }
    }
}

impl<L: Load> Batch<L> {
    pub async fn load(&self, app: &Arc<App>, key: L::Key) -> Result<Option<L::Value>, ApiError> {
        let answer = self.join(app, key.clone());
        Ok(answer.await?.get(&key).cloned())
    }

    /// Adds a key to the batch that is being gathered, or begins one. Whoever still waits drives it: that a field which
    /// began it was dropped holds up nobody.
    fn join(&self, app: &Arc<App>, key: L::Key) -> Shared<BoxFuture<'static, Answer<L>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(batch) = &*open
            && let Some(keys) = &mut *batch.keys.lock().unwrap_or_else(PoisonError::into_inner)
        {
            keys.push(key);
            return batch.answer.clone();
        }
        let keys = Arc::new(Mutex::new(Some(vec![key])));
        let answer = gather::<L>(app.clone(), keys.clone()).boxed().shared();
        *open = Some(Open {
            keys,
            answer: answer.clone(),
        });
        answer
    }
}

async fn gather<L: Load>(app: Arc<App>, keys: Arc<Mutex<Option<Vec<L::Key>>>>) -> Answer<L> {
    next_turn().await;
    let gathered = keys.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut gathered = gathered.unwrap_or_default();
    let mut seen = std::collections::HashSet::with_capacity(gathered.len());
    gathered.retain(|key| seen.insert(key.clone()));
    drop(seen);
    L::load(&app, gathered).await.map(Arc::new)
}

/// Done when the task that it runs in is polled for another time. tokio's `yield_now` is done when it itself is polled
/// for another time, which every field does that joins a batch: it would gather two keys and leave.
async fn next_turn() {
    let turn = Arc::new(Turn::default());
    let waker = Waker::from(turn.clone());
    let mut yielding = pin!(tokio::task::yield_now());
    let mut begun = false;
    std::future::poll_fn(|cx| {
        turn.waiting.register(cx.waker());
        if turn.has_come.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !begun {
            begun = true;
            // tokio wakes what yielded once the task is through; for now it is not.
            let _pending = yielding.as_mut().poll(&mut Context::from_waker(&waker));
        }
        Poll::Pending
    })
    .await;
}

/// The moment at which tokio wakes what has yielded.
#[derive(Default)]
struct Turn {
    has_come: AtomicBool,
    waiting: AtomicWaker,
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.has_come.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Many waiters of one shared turn, in lists of either kind that futures are joined in: those of at most 30 are
    /// polled one by one, longer ones by what was woken.
    #[tokio::test]
    async fn a_turn_comes_after_everything_was_asked_once() {
        for (lists, items) in [(1, 2), (1, 30), (1, 100), (3, 40), (40, 3)] {
            let asked = Arc::new(Mutex::new(0));
            let turn = {
                let asked = asked.clone();
                async move {
                    next_turn().await;
                    *asked.lock().unwrap()
                }
            };
            let turn = turn.shared();
            let ask = || {
                let (asked, turn) = (asked.clone(), turn.clone());
                async move {
                    *asked.lock().unwrap() += 1;
                    turn.await
                }
            };
            let joined = futures_util::future::join_all((0..lists).map(|_| {
                futures_util::future::join_all((0..items).map(|_| ask()).collect::<Vec<_>>())
            }));
            for gathered in joined.await.concat() {
                assert_eq!(gathered, lists * items, "{lists} lists of {items}");
            }
        }
    }
}
