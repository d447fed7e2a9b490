//! Counting in Redis, for all instances at once: one script, one round trip, by the clock of Redis.

use std::sync::Arc;

use async_trait::async_trait;
use fred::prelude::Value;

use super::{
    Decision, LimitError, Limiter, Quota, veiled,
    window::{Rate, Verdict},
};
use crate::redis::{self, Redis, Script};

static CHARGE: Script = Script::new(concat!(
    "local time = redis.call('TIME')\n",
    "local now = time[1] * 1000000 + time[2]\n",
    include_str!("charge.lua"),
));

/// What the script returns: allowed, remaining, reset_after, retry_after or -1.
type Answer = (u64, u64, u64, i64);

pub struct RedisLimiter {
    redis: Arc<Redis>,
}

impl RedisLimiter {
    pub fn new(redis: Arc<Redis>) -> Self {
        Self { redis }
    }
}

#[async_trait]
impl Limiter for RedisLimiter {
    async fn charge(&self, quota: &Quota, caller: &str, cost: u64) -> Result<Decision, LimitError> {
        let rate = Rate::of(quota);
        let key = key(quota, rate, caller);
        let answer = self
            .redis
            .run(|redis| async move { CHARGE.call(&redis, key, arguments(rate, cost)).await })
            .await?;
        Ok(verdict(answer).decision(rate))
    }
}

/// One key a caller and quota, so that a cluster runs the script where the key is. The window is part of it: a
/// tally counts in windows of one length, and a quota may get another with the next version.
fn key(quota: &Quota, rate: Rate, caller: &str) -> String {
    let name = format!("{}:{}:{}", quota.name, rate.window, veiled(caller));
    redis::key("limit", &name)
}

fn arguments(rate: Rate, cost: u64) -> Vec<Value> {
    [rate.limit, rate.window, cost].map(number).into()
}

/// Only a cost can be as large as to be cut here, and then it is above every limit.
fn number(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

fn verdict((allowed, remaining, reset_after, retry_after): Answer) -> Verdict {
    Verdict {
        allowed: allowed == 1,
        remaining,
        reset_after,
        retry_after: u64::try_from(retry_after).ok(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fred::prelude::KeysInterface;

    use super::*;
    use crate::{
        limits::{
            suite,
            window::{Tally, tests::Dice},
        },
        redis::testing::{shared, unique},
    };

    /// The same script by a clock that the test sets.
    static CHARGE_AT: Script = Script::new(concat!(
        "local now = tonumber(ARGV[4])\n",
        include_str!("charge.lua"),
    ));

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_promises_of_a_limiter() {
        let Some(redis) = shared("limiter over Redis").await else {
            return;
        };
        let redis = Arc::new(redis);
        suite::keeps_its_promises(|| Arc::new(RedisLimiter::new(Arc::clone(&redis)))).await;
    }

    #[tokio::test]
    async fn the_script_counts_as_the_function_does() {
        let Some(redis) = shared("the script against the function").await else {
            return;
        };
        for seed in 0..30 {
            let mut dice = Dice(seed);
            let window = [1_000_000, 7_654_321, 3_600_000_000, 86_400_000_000][seed as usize % 4];
            let rate = Rate::of(&Quota {
                name: "mirror",
                limit: [3, 50, 10_000, u64::MAX][dice.below(4) as usize],
                window: Duration::from_micros(window),
            });
            let key = redis::key("test", &unique("mirror"));
            // The year 2026, and a clock that is sometimes set back.
            let (mut tally, mut now) = (Tally::default(), 1_790_000_000_000_000);
            for _ in 0..100 {
                now += dice.below(window / 3);
                if dice.below(40) == 0 {
                    now -= window;
                }
                let cost = dice.below(rate.limit / 3 + 2) * dice.below(3);
                let (next, expected) = tally.charge(rate, now, cost);
                if expected.allowed && cost > 0 {
                    tally = next;
                }
                let mut arguments = arguments(rate, cost);
                arguments.push(number(now));
                let key = key.clone();
                let answer = redis
                    .run(|redis| async move { CHARGE_AT.call(&redis, key, arguments).await })
                    .await
                    .unwrap();
                assert_eq!(
                    verdict(answer),
                    expected,
                    "seed {seed}, {rate:?}, cost {cost}"
                );
            }
        }
    }

    #[tokio::test]
    async fn what_no_longer_counts_leaves_and_nobody_can_be_read() {
        let Some(redis) = shared("expiry of limits").await else {
            return;
        };
        let redis = Arc::new(redis);
        let caller = unique("203.0.113.7");
        let quota = Quota {
            name: "expiry",
            limit: 5,
            window: Duration::from_millis(400),
        };
        let key = key(&quota, Rate::of(&quota), &caller);
        assert!(key.starts_with("empulse:limit:expiry:") && !key.contains("203"));

        let key = key.as_str();
        let look = || redis.run(|redis| async move { redis.exists::<u64, _>(key).await });
        let limiter = RedisLimiter::new(Arc::clone(&redis));
        limiter.charge(&quota, &caller, 0).await.unwrap();
        limiter.charge(&quota, &caller, 6).await.unwrap();
        assert_eq!(look().await.unwrap(), 0);
        let charged = limiter.charge(&quota, &caller, 2).await.unwrap();
        assert_eq!(look().await.unwrap(), 1);
        tokio::time::sleep(charged.reset_after + Duration::from_millis(2)).await;
        assert_eq!(look().await.unwrap(), 0);
    }
}
