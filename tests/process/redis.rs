//! Redis goes and returns under instances that share their limits over it.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use crate::support::{
    Came, Folder, Load, NO_JOBS, RedisServer, Service, eventually, has_embedded, summary,
};

/// Of the 3,000 points a minute that callers without an account have.
const FACTOR: &str = "0.01";
const BUDGET: u64 = 30;
/// Costs one point.
const BUDGET_QUERY: &str = "{ rateLimit { limit remaining } }";

/// Asks by one point each until it is refused, and says how often it was not.
async fn spend(service: &Service) -> u64 {
    for spent in 0..=BUDGET {
        let answer = service.ask(BUDGET_QUERY).await.unwrap();
        if answer.status == 429 {
            assert_eq!(answer.code(), "RATE_LIMITED");
            return spent;
        }
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    panic!("more was let through than the budget of {BUDGET}");
}

async fn readiness(service: &Service) -> (u16, Value, Value) {
    let mut answer = service.get("/health/ready").await.unwrap();
    let limits = answer.body["dependencies"]["limits"]["state"].take();
    (answer.status, answer.body["status"].take(), limits)
}

/// What the figures of an instance say: whether Redis is up, and whether its limits are its own.
async fn figures(service: &Service, page: &str) -> (bool, bool) {
    let text = service
        .client()
        .get(page)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let value = |name: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} in\n{text}"));
        line.ends_with(" 1")
    };
    (
        value("empulse_redis_up"),
        value("empulse_rate_limiter_degraded"),
    )
}

/// Every instance has heard of the others: it has said that it lives after all of them had once.
pub async fn know_of_each_other(redis: &RedisServer, instances: usize) {
    let beats = || -> Vec<u64> {
        let answer = redis.ask("ZRANGE empulse:instances:seen 0 -1 WITHSCORES");
        answer
            .chunks(2)
            .map(|beat| beat[1].parse().unwrap())
            .collect()
    };
    let limit = Duration::from_secs(15);
    let all_there = eventually("all instances are seen", limit, async || {
        let beats = beats();
        (beats.len() == instances).then(|| beats.into_iter().max().unwrap())
    })
    .await;
    eventually("all instances know it", limit, async || {
        beats()
            .into_iter()
            .all(|beat| beat > all_there)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_shared_shared_out_and_shared_again() {
    let what = "Redis going and returning";
    if !has_embedded(what) {
        return;
    }
    let Some(mut redis) = RedisServer::start(what) else {
        return;
    };
    let (one, two) = (Folder::new(), Folder::new());
    let url = redis.url();
    let settings = [
        ("REDIS_URL", url.as_str()),
        ("EMPULSE_RATE_FACTOR", FACTOR),
        ("EMPULSE_METRICS_LISTEN", "127.0.0.1:0"),
        ("EMPULSE_TRUSTED_PROXIES", "127.0.0.1"),
        NO_JOBS,
    ];
    let (mut first, second) = (
        Service::ready(&one, &settings).await,
        Service::ready(&two, &settings).await,
    );
    let page = first
        .process
        .line("figures for Prometheus at /metrics")
        .await;
    let page = format!("http://{}/metrics", page["listen"].as_str().unwrap());

    // What was spent at one is gone at the other.
    assert_eq!(spend(&first).await, BUDGET);
    assert_eq!(spend(&second).await, 0);
    assert_eq!(readiness(&first).await, (200, "up".into(), "up".into()));
    assert_eq!(figures(&first, &page).await, (true, false));

    // It goes, and nobody notices who has not spent anything yet.
    know_of_each_other(&redis, 2).await;
    let loads = [
        Load::start(&first, 2, BUDGET_QUERY),
        Load::start(&second, 2, BUDGET_QUERY),
    ];
    sleep(Duration::from_millis(500)).await;
    redis.kill();
    sleep(Duration::from_secs(2)).await;
    for service in [&first, &second] {
        assert_eq!(
            readiness(service).await,
            (200, "degraded".into(), "down".into())
        );
        // Two share the limit: half of it each, whatever was spent before.
        assert_eq!(spend(service).await, BUDGET / 2);
    }
    assert_eq!(figures(&first, &page).await, (false, true));

    // It returns, empty.
    redis.run();
    let back = Instant::now();
    for service in [&first, &second] {
        eventually(
            "Redis is found again",
            Duration::from_secs(10),
            async || (readiness(service).await.1 == "up").then_some(()),
        )
        .await;
    }
    println!("Redis was found again after {:.1?}", back.elapsed());
    sleep(Duration::from_millis(500)).await;
    for load in loads {
        let asked = load.end().await;
        println!("while Redis went and returned: {}", summary(&asked));
        for one in &asked {
            assert!(matches!(one.came, Came::Data(_)), "{one:?}");
            assert!(one.took < Duration::from_secs(2), "{one:?}");
        }
    }
    assert_eq!(spend(&second).await, BUDGET);
    assert_eq!(spend(&first).await, 0);
    assert_eq!(figures(&first, &page).await, (true, false));
    assert_eq!(
        first
            .process
            .lines("limits are counted in Redis again")
            .len(),
        1
    );
    first.stops().await;
    second.stops().await;
    // Whoever leaves says so, and the shares of the others grow.
    assert_eq!(redis.ask("ZCARD empulse:instances:seen"), [":0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_redis_serves_and_finds_it_later() {
    let what = "a start while Redis is down";
    if !has_embedded(what) {
        return;
    }
    let Some(mut redis) = RedisServer::start(what) else {
        return;
    };
    redis.kill();
    let folder = Folder::new();
    let url = redis.url();
    let settings = [
        ("REDIS_URL", url.as_str()),
        ("EMPULSE_RATE_FACTOR", FACTOR),
        NO_JOBS,
    ];
    let service = Service::ready(&folder, &settings).await;
    assert_eq!(
        readiness(&service).await,
        (200, "degraded".into(), "down".into())
    );
    assert_eq!(spend(&service).await, BUDGET, "alone, as far as it knows");
    redis.run();
    eventually("Redis is found", Duration::from_secs(10), async || {
        (readiness(&service).await.1 == "up").then_some(())
    })
    .await;
    service.stops().await;
}
