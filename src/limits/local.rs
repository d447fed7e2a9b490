//! Counting in this process' own memory: all there is without Redis, and what is left when it is away.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use async_trait::async_trait;

use super::{
    Decision, LimitError, Limiter, Quota, Veiled,
    window::{Rate, Tally, micros},
};

/// Microseconds since any moment that stays the same. Passed in, so that a test need not wait.
pub type Clock = Box<dyn Fn() -> u64 + Send + Sync>;

const SHARDS: usize = 16;
const CALLERS: usize = 100_000;
const SWEEP_EVERY: u64 = 1_000_000;

/// Bounded: callers leave when their tally no longer counts, and beyond [`CALLERS`] at once newcomers share one
/// tally a quota (in each shard). Nobody who is being counted is forgotten to make room, else a flood of invented
/// callers would free everybody; and a newcomer in that flood may find the crowd's tally full, which fails closed.
pub struct LocalLimiter {
    shards: [Mutex<Shard>; SHARDS],
    callers_per_shard: usize,
    clock: Clock,
}

impl Default for LocalLimiter {
    fn default() -> Self {
        let start = Instant::now();
        Self::with_clock(Box::new(move || micros(start.elapsed())))
    }
}

impl LocalLimiter {
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            shards: Default::default(),
            callers_per_shard: CALLERS / SHARDS,
            clock,
        }
    }
}

#[async_trait]
impl Limiter for LocalLimiter {
    async fn charge(&self, quota: &Quota, caller: &str, cost: u64) -> Result<Decision, LimitError> {
        let rate = Rate::of(quota);
        let caller = Veiled::new(caller);
        // A panic inside would leave whole numbers behind, so that a poisoned shard is as good as any.
        let mut shard = self.shards[usize::from(caller.0[0]) % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: no charge is counted before one that came earlier.
        let now = (self.clock)();
        shard.sweep(now);

        let place = shard.place(quota.name, rate, caller, self.callers_per_shard);
        let kept = shard
            .tallies
            .get(&place)
            .map_or_else(Tally::default, |kept| kept.tally);
        let (tally, verdict) = kept.charge(rate, now, cost);
        if verdict.allowed && cost > 0 {
            let idle_at = now + verdict.reset_after;
            shard.tallies.insert(place, Kept { tally, idle_at });
        }
        Ok(verdict.decision(rate))
    }
}

#[derive(Default)]
struct Shard {
    tallies: HashMap<Place, Kept>,
    swept: u64,
}

/// Whose tally it is. The window belongs to it, as the tally counts in windows of that length.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    quota: &'static str,
    window: u64,
    /// None is the crowd.
    caller: Option<Veiled>,
}

struct Kept {
    tally: Tally,
    idle_at: u64,
}

impl Shard {
    /// At most once a second, so that a full shard is not walked for every charge.
    fn sweep(&mut self, now: u64) {
        if now >= self.swept + SWEEP_EVERY {
            self.swept = now;
            self.tallies.retain(|_, kept| kept.idle_at > now);
        }
    }

    fn place(&self, quota: &'static str, rate: Rate, caller: Veiled, callers: usize) -> Place {
        let own = Place {
            quota,
            window: rate.window,
            caller: Some(caller),
        };
        if self.tallies.len() < callers || self.tallies.contains_key(&own) {
            own
        } else {
            Place {
                caller: None,
                ..own
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use super::*;
    use crate::limits::suite;

    const HOUR: Quota = Quota {
        name: "hour",
        limit: 5,
        window: Duration::from_secs(3_600),
    };

    fn at_hand() -> (LocalLimiter, Arc<AtomicU64>) {
        let time = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&time);
        let limiter = LocalLimiter::with_clock(Box::new(move || clock.load(Ordering::Relaxed)));
        (limiter, time)
    }

    fn kept(limiter: &LocalLimiter) -> usize {
        let shards = limiter.shards.iter();
        shards
            .map(|shard| shard.lock().unwrap().tallies.len())
            .sum()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_promises_of_a_limiter() {
        suite::keeps_its_promises(|| Arc::new(LocalLimiter::default())).await;
    }

    #[tokio::test]
    async fn idle_callers_leave() {
        let (limiter, time) = at_hand();
        for caller in 0..500 {
            limiter.charge(&HOUR, &caller.to_string(), 1).await.unwrap();
        }
        assert_eq!(kept(&limiter), 500);
        time.store(2 * micros(HOUR.window), Ordering::Relaxed);
        for caller in 0..500 {
            limiter.charge(&HOUR, &caller.to_string(), 0).await.unwrap();
        }
        assert_eq!(kept(&limiter), 0);
    }

    #[tokio::test]
    async fn a_flood_of_callers_is_bounded_and_frees_nobody() {
        let (mut limiter, _) = at_hand();
        limiter.callers_per_shard = 10;
        assert!(limiter.charge(&HOUR, "limited", 5).await.unwrap().allowed);

        let mut passed = 0;
        for caller in 0..10_000 {
            let caller = format!("invented {caller}");
            passed += u64::from(limiter.charge(&HOUR, &caller, 1).await.unwrap().allowed);
        }
        assert!(kept(&limiter) <= SHARDS * 11);
        // Those with a tally of their own, and one crowd a shard.
        assert!(passed <= 10 * 16 + 5 * 16, "{passed}");
        assert!(!limiter.charge(&HOUR, "limited", 1).await.unwrap().allowed);
    }
}
