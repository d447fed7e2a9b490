//! Counting in Redis while it answers, and in this process against its share of the limit while it does not.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;

use super::{Decision, LimitError, Limiter, LocalLimiter, Quota, RedisLimiter};
use crate::redis::Redis;

pub struct FailoverLimiter {
    redis: Arc<Redis>,
    shared: RedisLimiter,
    local: LocalLimiter,
    degraded: AtomicBool,
}

impl FailoverLimiter {
    pub fn new(redis: Arc<Redis>) -> Self {
        Self {
            shared: RedisLimiter::new(Arc::clone(&redis)),
            redis,
            local: LocalLimiter::default(),
            degraded: AtomicBool::new(false),
        }
    }

    /// What each instance may let through so that together they keep about to the limit. At least 1, as an instance
    /// that refuses everybody helps nobody; but a limit of 0 stays one.
    fn share(&self, quota: &Quota) -> Quota {
        let instances = self.redis.instances() as u64;
        Quota {
            limit: (quota.limit / instances).max(1).min(quota.limit),
            ..quota.clone()
        }
    }
}

#[async_trait]
impl Limiter for FailoverLimiter {
    async fn charge(&self, quota: &Quota, caller: &str, cost: u64) -> Result<Decision, LimitError> {
        // A charge that Redis took and did not confirm in time is counted here as well: too strict, never too lax.
        match self.shared.charge(quota, caller, cost).await {
            Ok(decision) => {
                if self.degraded.swap(false, Ordering::Relaxed) {
                    tracing::info!("limits are counted in Redis again");
                }
                Ok(decision)
            }
            Err(LimitError(error)) => {
                if !self.degraded.swap(true, Ordering::Relaxed) {
                    let instances = self.redis.instances();
                    tracing::warn!(%error, instances, "limits are counted by each instance for itself, a share of each");
                }
                let decision = self.local.charge(&self.share(quota), caller, cost).await?;
                Ok(Decision {
                    degraded: true,
                    ..decision
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::{
        limits::suite,
        redis::{
            COMMAND_TIMEOUT,
            testing::{OwnServer, eventually, shared, unique},
        },
    };

    const HOUR: Quota = Quota {
        name: "hour",
        limit: 10,
        window: Duration::from_secs(3_600),
    };

    async fn charge(limiter: &FailoverLimiter, caller: &str) -> Decision {
        let asked = Instant::now();
        let decision = limiter.charge(&HOUR, caller, 1).await.unwrap();
        assert!(
            asked.elapsed() < 2 * COMMAND_TIMEOUT,
            "{:?}",
            asked.elapsed()
        );
        decision
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_promises_of_a_limiter() {
        let Some(redis) = shared("limiter with fail-over").await else {
            return;
        };
        let redis = Arc::new(redis);
        suite::keeps_its_promises(|| Arc::new(FailoverLimiter::new(Arc::clone(&redis)))).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn goes_on_with_a_share_without_redis_and_returns_to_it() {
        let Some(mut server) = OwnServer::start("fail-over of limits") else {
            return;
        };
        let redis = Arc::new(Redis::connect(&server.url(), "one").await.unwrap());
        eventually("Redis is up", || redis.is_up()).await;
        let second = Redis::connect(&server.url(), "two").await.unwrap();
        eventually("both are seen", || redis.instances() == 2).await;
        let limiter = FailoverLimiter::new(Arc::clone(&redis));

        let decision = charge(&limiter, "ana").await;
        assert_eq!((decision.degraded, decision.remaining), (false, 9));

        for (fall, rise) in [(Fall::Killed, "again"), (Fall::Silent, "and again")] {
            let caller = unique(rise);
            match fall {
                Fall::Killed => server.kill(),
                Fall::Silent => server.signal("STOP"),
            }
            // Two instances: half of ten each, from the first charge on.
            let mut passed = 0;
            for _ in 0..20 {
                let decision = charge(&limiter, &caller).await;
                assert!(decision.degraded);
                assert_eq!(decision.limit, 5);
                passed += u64::from(decision.allowed);
            }
            assert_eq!(passed, 5);

            match fall {
                Fall::Killed => assert!(server.run()),
                Fall::Silent => server.signal("CONT"),
            }
            for _ in 0..300 {
                if !charge(&limiter, "returning").await.degraded {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            assert!(!charge(&limiter, "returning").await.degraded);
        }
        drop(second);
    }

    enum Fall {
        Killed,
        Silent,
    }

    #[tokio::test]
    async fn a_limit_of_nothing_has_no_share() {
        let Some(mut server) = OwnServer::start("shares of small limits") else {
            return;
        };
        server.kill();
        let redis = Arc::new(Redis::connect(&server.url(), "one").await.unwrap());
        let limiter = FailoverLimiter::new(redis);
        let nothing = Quota { limit: 0, ..HOUR };
        assert!(!limiter.charge(&nothing, "ana", 1).await.unwrap().allowed);
        let one = Quota { limit: 1, ..HOUR };
        assert!(limiter.charge(&one, "ana", 1).await.unwrap().allowed);
    }
}
