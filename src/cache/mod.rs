//! Answers kept for a while, in this process (`local`) or in Redis for all instances (`redis`). A cache may lose
//! anything at any time and never fails: what it can't say is a miss. What it must not do is keep saying what is no
//! longer so, and the two rules of [`Cache`] are about that.

mod local;
mod redis;

#[cfg(test)]
mod suite;

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

pub use local::LocalCache;
pub use redis::RedisCache;

/// How long a removed key takes nothing. Longer than any read of the database may last, so that one that began
/// before the change has ended, and long enough for a replica to catch up.
const CLOSED_FOR: Duration = Duration::from_secs(10);

#[async_trait]
pub trait Cache: Send + Sync {
    async fn get(&self, key: &str) -> Option<Bytes>;

    /// Keeps a value, unless one stands there already or the key was removed a moment ago: who read before a change
    /// and comes to put after it must not bring the old answer back. An empty value says nothing and is not kept.
    async fn put(&self, key: &str, value: Bytes, ttl: Duration);

    /// Forgets a value for every instance, and takes no new one for [a few seconds](CLOSED_FOR). To be called after
    /// the change has been committed; before that a reader would still find the old row and keep it.
    async fn remove(&self, key: &str);

    /// The loads that are under way in this process, for [`read_through`].
    fn flights(&self) -> &Flights;
}

/// The kept value, or what `load` gives, which is then kept. Many askers at once cause one load, and share its
/// error; an error is not kept. If the one that loads is cancelled, another of them loads. The key names the shape
/// of the value too (`album:v2:…`): what can't be read as a `T` is loaded anew each time.
///
/// An error that can't be cloned can be shared as an `Arc`.
pub async fn read_through<T, E>(
    cache: &dyn Cache,
    key: &str,
    ttl: Duration,
    load: impl Future<Output = Result<T, E>> + Send,
) -> Result<T, E>
where
    T: Serialize + DeserializeOwned + Send,
    E: Clone + Send + Sync + 'static,
{
    let mut load = pin!(load);
    let mut own = None;
    let shared = cache
        .flights()
        .join(key, async {
            if let Some(kept) = cache.get(key).await
                && let Ok(value) = serde_json::from_slice(&kept)
            {
                own = Some(value);
                return Ok(kept);
            }
            let value = load.as_mut().await?;
            // What has no JSON is given to the one who loaded it and not kept.
            let bytes = serde_json::to_vec(&value).map_or_else(|_| Bytes::new(), Bytes::from);
            cache.put(key, bytes.clone(), ttl).await;
            own = Some(value);
            Ok(bytes)
        })
        .await
        .map_err(Arc::<E>::unwrap_or_clone)?;

    match own.or_else(|| serde_json::from_slice(&shared).ok()) {
        Some(value) => Ok(value),
        // Somebody else flew, and under this key read another type. Our own load has not begun yet.
        None => load.await,
    }
}

/// Loads under way. moka brings the askers of one key together; nothing stays in it, as an entry expires the moment
/// it is made.
pub struct Flights {
    running: moka::future::Cache<String, Bytes>,
    removals: AtomicU64,
}

impl Default for Flights {
    fn default() -> Self {
        Self {
            running: moka::future::Cache::builder()
                .time_to_live(Duration::ZERO)
                .build(),
            removals: AtomicU64::new(0),
        }
    }
}

impl Flights {
    async fn join<E: Send + Sync + 'static>(
        &self,
        key: &str,
        load: impl Future<Output = Result<Bytes, E>> + Send,
    ) -> Result<Bytes, Arc<E>> {
        let flight = format!("{}:{key}", self.removals.load(Ordering::Acquire));
        self.running.try_get_with(flight, load).await
    }

    /// After a removal nobody joins a load that began before it, or a caller would not read their own change. It
    /// parts all keys rather than one: that costs a second load here and there, and keeps no list.
    fn part(&self) {
        self.removals.fetch_add(1, Ordering::Release);
    }
}
