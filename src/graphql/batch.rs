//! Reads that many fields of one operation ask for one by one, and that are loaded together.
//!
//! An operation runs in one task. Once that task could only wait, every field that wants something now has said so:
//! that is the moment at which its batches are complete and their reads begin. async-graphql's own loader waits a
//! millisecond by a timer and spawns a task for each batch; counting turns of the runtime instead would let a batch go
//! early where an answer arrives in the middle of a turn.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::hash::Hash;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::task::AtomicWaker;

use super::error::ApiError;
use crate::app::App;

/// Turns that an operation may take before others have theirs. What is woken again and again within its own turn, as by
/// the runtime when the task has done its share, must not keep the thread.
const TURNS: usize = 32;

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

/// The reads of one operation that are to begin when it has nothing else to do.
#[derive(Default)]
pub struct Gathering {
    complete_at_rest: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl Gathering {
    /// Runs an operation and the reads that its fields gather.
    pub async fn run<F: Future>(&self, operation: F) -> F::Output {
        let mut operation = pin!(operation);
        let of_operation = Signal::new();
        let of_reads = Signal::new();
        let (operation_waker, reads_waker) = (of_operation.waker(), of_reads.waker());
        let mut reads: Vec<BoxFuture<'static, ()>> = Vec::new();
        poll_fn(|cx| {
            of_operation.listen(cx.waker());
            of_reads.listen(cx.waker());
            for _ in 0..TURNS {
                if of_reads.take() {
                    let mut cx = Context::from_waker(&reads_waker);
                    reads.retain_mut(|read| read.poll_unpin(&mut cx).is_pending());
                }
                if of_operation.take()
                    && let Poll::Ready(done) = operation
                        .as_mut()
                        .poll(&mut Context::from_waker(&operation_waker))
                {
                    return Poll::Ready(done);
                }
                if of_operation.is_set() {
                    continue;
                }
                let complete = std::mem::take(&mut *locked(&self.complete_at_rest));
                if !complete.is_empty() {
                    reads.extend(complete);
                    of_reads.set();
                    continue;
                }
                // In this order: what is set after the last look wakes the task.
                of_operation.rest();
                of_reads.rest();
                if !of_operation.is_set() && !of_reads.is_set() {
                    return Poll::Pending;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

/// Whether something can go on. While its task runs, that it was set is seen there; only at rest the task is woken.
struct Signal {
    is_set: AtomicBool,
    rests: AtomicBool,
    task: AtomicWaker,
}

impl Signal {
    /// Set: nothing has begun yet.
    fn new() -> Arc<Self> {
        Arc::new(Self {
            is_set: AtomicBool::new(true),
            rests: AtomicBool::new(false),
            task: AtomicWaker::new(),
        })
    }

    fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    fn listen(&self, task: &Waker) {
        self.task.register(task);
        self.rests.store(false, Ordering::SeqCst);
    }

    fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
    }

    fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    fn take(&self) -> bool {
        self.is_set.swap(false, Ordering::SeqCst)
    }

    fn rest(&self) {
        self.rests.store(true, Ordering::SeqCst);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.set();
        if self.rests.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

/// The batch of one operation for one kind of read.
pub struct Batch<L: Load> {
    open: Mutex<Option<Arc<Open<L>>>>,
}

impl<L: Load> Default for Batch<L> {
    fn default() -> Self {
        Self {
            open: Mutex::default(),
        }
    }
}

/// Keys that are read together, and those who wait for what comes of it.
struct Open<L: Load>(Mutex<State<L>>);

struct State<L: Load> {
    /// None once the batch is on its way.
    keys: Option<Vec<L::Key>>,
    answer: Option<Answer<L>>,
    waiting: Vec<Waker>,
}

impl<L: Load> Batch<L> {
    pub async fn load(
        &self,
        gathering: &Gathering,
        app: &Arc<App>,
        key: L::Key,
    ) -> Result<Option<L::Value>, ApiError> {
        let batch = self.join(gathering, app, key.clone());
        Ok(batch.answer().await?.get(&key).cloned())
    }

    /// Adds a key to the batch that is being gathered, or begins one.
    fn join(&self, gathering: &Gathering, app: &Arc<App>, key: L::Key) -> Arc<Open<L>> {
        let mut open = locked(&self.open);
        if let Some(batch) = &*open
            && let Some(keys) = &mut locked(&batch.0).keys
        {
            keys.push(key);
            return Arc::clone(batch);
        }
        let batch = Arc::new(Open(Mutex::new(State {
            keys: Some(vec![key]),
            answer: None,
            waiting: Vec::new(),
        })));
        let read = Arc::clone(&batch).read(Arc::clone(app)).boxed();
        locked(&gathering.complete_at_rest).push(read);
        *open = Some(Arc::clone(&batch));
        batch
    }
}

impl<L: Load> Open<L> {
    async fn read(self: Arc<Self>, app: Arc<App>) {
        let mut keys = locked(&self.0).keys.take().unwrap_or_default();
        if keys.len() > 1 {
            let mut seen = HashSet::with_capacity(keys.len());
            keys.retain(|key| seen.insert(key.clone()));
        }
        let answer = L::load(&app, keys).await.map(Arc::new);
        let mut state = locked(&self.0);
        state.answer = Some(answer);
        for waiting in std::mem::take(&mut state.waiting) {
            waiting.wake();
        }
    }

    async fn answer(&self) -> Answer<L> {
        let mut place = None;
        poll_fn(|cx| {
            let mut state = locked(&self.0);
            if let Some(answer) = &state.answer {
                return Poll::Ready(answer.clone());
            }
            match place.and_then(|place: usize| state.waiting.get_mut(place)) {
                Some(waiting) => waiting.clone_from(cx.waker()),
                None => {
                    place = Some(state.waiting.len());
                    state.waiting.push(cx.waker().clone());
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// A panic in a loader ends its operation, and with it whatever it left behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures_util::future::join_all;

    use super::*;

    /// How many keys were read at once, by those who asked: in lists of either kind that futures are joined in (those of
    /// at most 30 are polled one by one, longer ones by what was woken), some after a wait of their own.
    async fn gathered(lists: usize, items: usize, waits: impl Fn(usize) -> usize) -> Vec<usize> {
        let gathering = Gathering::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::new(tokio::sync::Notify::new());
        let begun = Mutex::new(false);
        let ask = async |number: usize| {
            for _ in 0..waits(number) {
                // Woken within its own turn, as a channel does that has more to give.
                woken_at_once().await;
            }
            asked.fetch_add(1, Ordering::SeqCst);
            if !std::mem::replace(&mut *locked(&begun), true) {
                let (asked, sizes, read) = (asked.clone(), sizes.clone(), read.clone());
                let read = async move {
                    locked(&sizes).push(asked.load(Ordering::SeqCst));
                    read.notify_one();
                };
                locked(&gathering.complete_at_rest).push(read.boxed());
            }
        };
        let all = (0..lists).map(|list| {
            join_all(
                (0..items)
                    .map(move |item| (list, item))
                    .map(|(list, item)| ask(list * items + item)),
            )
        });
        let all = join_all(all);
        gathering
            .run(async {
                all.await;
                read.notified().await;
            })
            .await;
        std::mem::take(&mut *locked(&sizes))
    }

    async fn woken_at_once() {
        let mut first = true;
        poll_fn(|cx| {
            if std::mem::replace(&mut first, false) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_read_begins_when_everything_was_asked() {
        for (lists, items) in [
            (1, 1),
            (1, 2),
            (1, 30),
            (1, 100),
            (3, 40),
            (40, 3),
            (40, 40),
        ] {
            for waits in [0, 1, 5] {
                assert_eq!(
                    gathered(lists, items, |number| number * waits % 7).await,
                    [lists * items],
                    "{lists} lists of {items}, {waits}"
                );
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_another_thread_wakes_is_never_lost() {
        for _ in 0..2_000 {
            let gathering = Gathering::default();
            let (send, receive) = tokio::sync::oneshot::channel();
            let read = async move {
                let told = tokio::spawn(async { 7 }).await;
                let _ = send.send(told.unwrap_or_default());
            };
            let operation = async {
                locked(&gathering.complete_at_rest).push(read.boxed());
                receive.await
            };
            let ran =
                tokio::time::timeout(std::time::Duration::from_secs(5), gathering.run(operation));
            assert_eq!(ran.await, Ok(Ok(7)));
        }
    }

    #[tokio::test]
    async fn who_is_always_awake_lets_others_have_their_turn() {
        let gathering = Gathering::default();
        let others = Arc::new(AtomicUsize::new(0));
        let counted = others.clone();
        tokio::spawn(async move { counted.fetch_add(1, Ordering::SeqCst) });
        gathering
            .run(async {
                while others.load(Ordering::SeqCst) == 0 {
                    woken_at_once().await;
                }
            })
            .await;
    }
}
