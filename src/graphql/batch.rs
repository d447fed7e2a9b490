//! Reads that many fields of one operation ask for one by one, and that are loaded together.
//!
//! An operation runs in one task, so all fields that want something now have said so before the task is polled again:
//! one yield gathers them. async-graphql's own loader waits a millisecond by a timer and spawns a task for each batch.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

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
    tokio::task::yield_now().await;
    let gathered = keys.lock().unwrap_or_else(PoisonError::into_inner).take();
    let mut gathered = gathered.unwrap_or_default();
    let mut seen = std::collections::HashSet::with_capacity(gathered.len());
    gathered.retain(|key| seen.insert(key.clone()));
    drop(seen);
    L::load(&app, gathered).await.map(Arc::new)
}
