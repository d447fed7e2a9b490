//! What every limiter promises, tried on whichever it is given.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::sleep};

use super::{Decision, Limiter, Quota};
use crate::redis::testing::unique;

const HOUR: Duration = Duration::from_secs(3_600);

fn quota(limit: u64, window: Duration) -> Quota {
    Quota {
        name: "suite",
        limit,
        window,
    }
}

/// `fresh` makes one that has counted nobody yet; over a shared Redis that is so for callers of unique names.
pub async fn keeps_its_promises<L: Limiter + 'static>(fresh: impl Fn() -> Arc<L>) {
    let fresh = || -> Arc<dyn Limiter> { fresh() };
    counts_down_and_refuses(&*fresh()).await;
    counts_only_what_it_lets_through(&*fresh()).await;
    a_look_costs_nothing(&*fresh()).await;
    a_cost_above_the_limit_never_fits(&*fresh()).await;
    tells_callers_and_quotas_apart(&*fresh()).await;
    lets_exactly_the_limit_through_at_once(fresh()).await;
    lets_in_when_it_said_it_would(&*fresh()).await;
    keeps_to_the_bound_of_a_sliding_window(fresh()).await;
}

async fn charge(limiter: &dyn Limiter, quota: &Quota, caller: &str, cost: u64) -> Decision {
    let decision = limiter.charge(quota, caller, cost).await.unwrap();
    assert!(!decision.degraded);
    assert_eq!(decision.limit, quota.limit);
    assert!(decision.remaining <= quota.limit);
    assert!(decision.reset_after <= 2 * quota.window);
    if decision.allowed {
        assert_eq!(decision.retry_after, None);
    }
    decision
}

async fn counts_down_and_refuses(limiter: &dyn Limiter) {
    let (quota, caller) = (quota(3, HOUR), unique("down"));
    for remaining in [2, 1, 0] {
        let decision = charge(limiter, &quota, &caller, 1).await;
        assert!(decision.allowed);
        assert_eq!(decision.remaining, remaining);
    }
    let refused = charge(limiter, &quota, &caller, 1).await;
    assert!(!refused.allowed);
    assert_eq!(refused.remaining, 0);
    assert!(refused.retry_after.unwrap() <= refused.reset_after);
}

async fn counts_only_what_it_lets_through(limiter: &dyn Limiter) {
    let (quota, caller) = (quota(10, HOUR), unique("only"));
    assert!(charge(limiter, &quota, &caller, 8).await.allowed);
    for _ in 0..5 {
        assert!(!charge(limiter, &quota, &caller, 5).await.allowed);
    }
    assert!(charge(limiter, &quota, &caller, 2).await.allowed);
}

async fn a_look_costs_nothing(limiter: &dyn Limiter) {
    let (quota, caller) = (quota(2, HOUR), unique("look"));
    for _ in 0..5 {
        let look = charge(limiter, &quota, &caller, 0).await;
        assert!(look.allowed);
        assert_eq!((look.remaining, look.reset_after), (2, Duration::ZERO));
    }
    assert!(charge(limiter, &quota, &caller, 2).await.allowed);
    let look = charge(limiter, &quota, &caller, 0).await;
    assert!(look.allowed);
    assert_eq!(look.remaining, 0);
}

async fn a_cost_above_the_limit_never_fits(limiter: &dyn Limiter) {
    let caller = unique("above");
    for (limit, cost) in [(5, 6), (5, u64::MAX), (0, 1)] {
        let refused = charge(limiter, &quota(limit, HOUR), &caller, cost).await;
        assert!(!refused.allowed);
        assert_eq!(refused.retry_after, None);
        assert_eq!(refused.remaining, limit);
    }
}

async fn tells_callers_and_quotas_apart(limiter: &dyn Limiter) {
    let (ana, ben) = (unique("ana"), unique("ben"));
    let first = quota(1, HOUR);
    let other = Quota {
        name: "suite-other",
        ..first
    };
    assert!(charge(limiter, &first, &ana, 1).await.allowed);
    assert!(!charge(limiter, &first, &ana, 1).await.allowed);
    assert!(charge(limiter, &first, &ben, 1).await.allowed);
    assert!(charge(limiter, &other, &ana, 1).await.allowed);
}

async fn lets_exactly_the_limit_through_at_once(limiter: Arc<dyn Limiter>) {
    let caller = unique("crowd");
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let (limiter, caller) = (Arc::clone(&limiter), caller.clone());
        asking.spawn(async move { charge(&*limiter, &quota(50, HOUR), &caller, 1).await });
    }
    let passed = asking.join_all().await;
    assert_eq!(passed.iter().filter(|charge| charge.allowed).count(), 50);
}

async fn lets_in_when_it_said_it_would(limiter: &dyn Limiter) {
    let (quota, caller) = (quota(10, Duration::from_millis(300)), unique("honest"));
    for cost in [10, 3, 7, 1, 10] {
        let mut decision = charge(limiter, &quota, &caller, cost).await;
        if let Some(wait) = decision.retry_after {
            sleep(wait).await;
            decision = charge(limiter, &quota, &caller, cost).await;
        }
        assert!(decision.allowed, "{decision:?}");
    }
}

async fn keeps_to_the_bound_of_a_sliding_window(limiter: Arc<dyn Limiter>) {
    let (quota, caller) = (quota(20, Duration::from_millis(200)), unique("bound"));
    let start = Instant::now();
    let mut passed = 0;
    while start.elapsed() < quota.window * 3 {
        passed += u32::from(charge(&*limiter, &quota, &caller, 1).await.allowed);
        sleep(Duration::from_millis(1)).await;
    }
    let windows = start.elapsed().as_secs_f64() / quota.window.as_secs_f64();
    let bound = 20.0 * (1.0 + windows);
    assert!(f64::from(passed) <= bound, "{passed} of at most {bound}");
    assert!(passed >= 20);
}
