//! A cache in this process' own memory, bounded by bytes.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use moka::{Expiry, ops::compute::Op};

use super::{CLOSED_FOR, Cache, Flights};

/// About what an entry costs beside its key and value.
const OVERHEAD: usize = 128;

pub struct LocalCache {
    entries: moka::future::Cache<String, Entry>,
    flights: Flights,
    closed_for: Duration,
}

#[derive(Clone)]
struct Entry {
    /// None is a key that was removed and is still closed.
    value: Option<Bytes>,
    ttl: Duration,
}

impl LocalCache {
    /// Holds about so many bytes, keys included; the least used leave first.
    pub fn new(bytes: u64) -> Self {
        Self::closing_for(bytes, CLOSED_FOR)
    }

    pub(super) fn closing_for(bytes: u64, closed_for: Duration) -> Self {
        let entries = moka::future::Cache::builder()
            .max_capacity(bytes)
            .weigher(|key: &String, entry: &Entry| {
                let value = entry.value.as_ref().map_or(0, Bytes::len);
                u32::try_from(key.len() + value + OVERHEAD).unwrap_or(u32::MAX)
            })
            .expire_after(OwnTtl)
            .build();
        Self {
            entries,
            flights: Flights::default(),
            closed_for,
        }
    }
}

#[async_trait]
impl Cache for LocalCache {
    async fn get(&self, key: &str) -> Option<Bytes> {
        self.entries.get(key).await?.value
    }

    // Both writers go through moka's compute, which takes turns for a key; an insert beside it would slip between
    // its look and its write.

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        if value.is_empty() || ttl.is_zero() {
            return;
        }
        self.entries
            .entry(key.to_owned())
            .and_compute_with(|standing| async move {
                match standing {
                    Some(_) => Op::Nop,
                    None => Op::Put(Entry {
                        value: Some(value),
                        ttl,
                    }),
                }
            })
            .await;
    }

    async fn remove(&self, key: &str) {
        let closed = Entry {
            value: None,
            ttl: self.closed_for,
        };
        self.entries
            .entry(key.to_owned())
            .and_compute_with(|_| async move { Op::Put(closed) })
            .await;
        self.flights.part();
    }

    fn flights(&self) -> &Flights {
        &self.flights
    }
}

/// Every entry brings its own time.
struct OwnTtl;

impl Expiry<String, Entry> for OwnTtl {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.ttl)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::suite;

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_promises_of_a_cache() {
        suite::keeps_its_promises(|closed_for| LocalCache::closing_for(1 << 20, closed_for)).await;
    }

    #[tokio::test]
    async fn holds_no_more_than_it_was_given() {
        let cache = LocalCache::new(100_000);
        for number in 0..1_000 {
            let value = Bytes::from(vec![7; 1_000]);
            cache
                .put(&number.to_string(), value, Duration::from_secs(60))
                .await;
        }
        cache.entries.run_pending_tasks().await;
        assert!(cache.entries.weighted_size() <= 100_000);
        assert!(cache.entries.entry_count() > 50);

        let giant = Bytes::from(vec![7; 200_000]);
        cache.put("giant", giant, Duration::from_secs(60)).await;
        cache.entries.run_pending_tasks().await;
        assert_eq!(cache.get("giant").await, None);
    }
}
