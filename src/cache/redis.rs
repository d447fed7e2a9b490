//! A cache in Redis, one for all instances. There is no layer in this process before it, so that a removal is one
//! write and reaches everybody.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use fred::prelude::{Expiration, KeysInterface, SetOptions, Value};
use futures_util::future::try_join_all;

use super::{CLOSED_FOR, Cache, Flights};
use crate::redis::{self, Redis, RedisError};

/// Larger values would hold up the one connection that limits share.
const LARGEST: usize = 256 * 1024;
/// Removals remembered while Redis is away. More than these, and the time to live has to do.
const REMEMBERED: usize = 10_000;
const TOLD_AT_ONCE: usize = 200;

pub struct RedisCache {
    redis: Arc<Redis>,
    flights: Flights,
    closed_for: Duration,
    /// Removed, and Redis does not know it yet. It is told before anything is read again.
    untold: Mutex<HashSet<String>>,
    telling: tokio::sync::Mutex<()>,
    failing: AtomicBool,
    failures: AtomicU64,
}

impl RedisCache {
    pub fn new(redis: Arc<Redis>) -> Self {
        Self::closing_for(redis, CLOSED_FOR)
    }

    pub(super) fn closing_for(redis: Arc<Redis>, closed_for: Duration) -> Self {
        Self {
            redis,
            flights: Flights::default(),
            closed_for,
            untold: Mutex::default(),
            telling: tokio::sync::Mutex::default(),
            failing: AtomicBool::new(false),
            failures: AtomicU64::new(0),
        }
    }

    /// How many reads and writes came to nothing since the start, for a metric.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Counts a failure, and says so once until something works again; that Redis is away is said already.
    fn heed<T>(&self, result: Result<T, RedisError>) -> Option<T> {
        match result {
            Ok(value) => {
                self.failing.store(false, Ordering::Relaxed);
                Some(value)
            }
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                let known = matches!(error, RedisError::Away);
                if !known && !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "the cache got no answer from Redis");
                }
                None
            }
        }
    }

    /// An empty value closes the key; it stands in the way of every `put` until it expires.
    async fn close(&self, key: &str) -> Result<(), RedisError> {
        self.set(key, Bytes::new(), self.closed_for, None).await
    }

    async fn set(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
        options: Option<SetOptions>,
    ) -> Result<(), RedisError> {
        let key = redis::key("cache", key);
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX).max(1);
        self.redis
            .run(|redis| async move {
                redis
                    .set(
                        key,
                        Value::Bytes(value),
                        Some(Expiration::PX(ttl)),
                        options,
                        false,
                    )
                    .await
            })
            .await
    }

    fn untold(&self) -> MutexGuard<'_, HashSet<String>> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells what is left to tell, as much of it as one request may be held up for, and by one request at a time;
    /// true if nothing is left.
    async fn all_told(&self) -> Result<bool, RedisError> {
        let batch: Vec<String> = self.untold().iter().take(TOLD_AT_ONCE).cloned().collect();
        if batch.is_empty() {
            return Ok(true);
        }
        let Ok(_turn) = self.telling.try_lock() else {
            return Ok(false);
        };
        try_join_all(batch.iter().map(|key| self.close(key))).await?;
        let mut untold = self.untold();
        for key in &batch {
            untold.remove(key);
        }
        Ok(untold.is_empty())
    }

    async fn fetch(&self, key: &str) -> Result<Option<Bytes>, RedisError> {
        if !self.redis.is_up() {
            return Err(RedisError::Away);
        }
        if !self.all_told().await? {
            return Ok(None);
        }
        let key = redis::key("cache", key);
        self.redis
            .run(|redis| async move { redis.get(key).await })
            .await
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        self.heed(self.fetch(key).await)?
            .filter(|value| !value.is_empty())
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        if value.is_empty() || value.len() > LARGEST || ttl.is_zero() {
            return;
        }
        let unless_taken = Some(SetOptions::NX);
        self.heed(self.set(key, value, ttl, unless_taken).await);
    }

    async fn remove(&self, key: &str) {
        if self.heed(self.close(key).await).is_none() {
            let mut untold = self.untold();
            if untold.len() < REMEMBERED {
                untold.insert(key.to_owned());
            }
        }
        self.flights.part();
    }

    fn flights(&self) -> &Flights {
        &self.flights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cache::suite,
        redis::testing::{OwnServer, eventually, shared, unique},
    };

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_promises_of_a_cache() {
        let Some(redis) = shared("cache over Redis").await else {
            return;
        };
        let redis = Arc::new(redis);
        suite::keeps_its_promises(|closed| RedisCache::closing_for(Arc::clone(&redis), closed))
            .await;
    }

    #[tokio::test]
    async fn a_removal_reaches_every_instance() {
        let what = "cache of two instances";
        let (Some(one), Some(two)) = (shared(what).await, shared(what).await) else {
            return;
        };
        let (one, two) = (
            RedisCache::new(Arc::new(one)),
            RedisCache::new(Arc::new(two)),
        );
        let key = unique("shared");
        one.put(&key, "old".into(), MINUTE).await;
        assert_eq!(two.get(&key).await, Some("old".into()));
        two.remove(&key).await;
        assert_eq!(one.get(&key).await, None);
        // Another instance that had read before the change comes too late.
        one.put(&key, "old".into(), MINUTE).await;
        assert_eq!(two.get(&key).await, None);
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_kept() {
        let Some(redis) = shared("large values").await else {
            return;
        };
        let cache = RedisCache::new(Arc::new(redis));
        let key = unique("large");
        cache.put(&key, vec![7; LARGEST + 1].into(), MINUTE).await;
        assert_eq!(cache.get(&key).await, None);
        cache.put(&key, vec![7; LARGEST].into(), MINUTE).await;
        assert!(cache.get(&key).await.is_some());
        cache.remove(&key).await;
    }

    #[tokio::test]
    async fn without_redis_all_is_a_miss_and_removals_are_told_later() {
        let Some(server) = OwnServer::start("a cache without Redis") else {
            return;
        };
        let redis = Arc::new(Redis::connect(&server.url(), "one").await.unwrap());
        eventually("Redis is up", || redis.is_up()).await;
        let cache = RedisCache::new(Arc::clone(&redis));
        cache.put("a", "old".into(), MINUTE).await;
        cache.put("b", "still".into(), MINUTE).await;

        server.signal("STOP");
        assert_eq!(cache.get("b").await, None);
        cache.put("c", "lost".into(), MINUTE).await;
        cache.remove("a").await;
        for other in 0..2 * TOLD_AT_ONCE {
            cache.remove(&other.to_string()).await;
        }
        assert!(cache.failures() >= 3);

        server.signal("CONT");
        eventually("Redis is back", || redis.is_up()).await;
        // The first reads only catch up; none of them finds what was removed. On a busy machine there may be more of them.
        for _ in 0..30 {
            assert_eq!(cache.get("a").await, None);
            if cache.untold().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(cache.untold().is_empty());
        assert_eq!(cache.get("b").await, Some("still".into()));
    }
}
