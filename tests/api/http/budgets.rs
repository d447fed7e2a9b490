//! The budget of points: what is charged, to whom, and what is told of it.

use reqwest::RequestBuilder;
use serde_json::json;

use super::{GRAPHQL, JSON, post, send};
use crate::persisted::sha256;
use crate::support::{Answer, TestApp};

/// 3,000 points a minute by a hundredth.
const LIMIT: u64 = 30;
/// 1 + 20 points.
const PAGE: &str = r#"{"query":"{ tracks { nodes { id } } }"}"#;

/// A caller behind a proxy that is believed, at an address of its own: others may count in the same Redis.
struct Caller {
    app: TestApp,
    address: String,
}

impl Caller {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let usual = [
            ("EMPULSE_RATE_FACTOR", "0.01"),
            ("EMPULSE_TRUSTED_PROXIES", "127.0.0.1"),
        ];
        Self {
            app: TestApp::with(&[&usual[..], settings].concat()).await,
            address: own_network("1"),
        }
    }

    fn asks(&self, accept: &str, body: &str) -> RequestBuilder {
        post(&self.app, accept, body.to_owned()).header("x-forwarded-for", &self.address)
    }

    async fn remaining(&self) -> u64 {
        let answer = send(self.asks(GRAPHQL, r#"{"query":"{ __typename }"}"#)).await;
        budget(&answer).remaining
    }
}

/// An address in a /64 that nobody else has.
fn own_network(host: &str) -> String {
    let [a, b, c]: [u16; 3] = rand::random();
    format!("2001:{a:x}:{b:x}:{c:x}::{host}")
}

#[derive(Debug, PartialEq, Eq)]
struct Budget {
    limit: u64,
    remaining: u64,
    /// Seconds until all of it is free again.
    reset: u64,
}

/// As the headers tell it.
#[track_caller]
fn budget(answer: &Answer) -> Budget {
    let number = |text: &str, name: &str| -> u64 {
        let member = text
            .split(';')
            .find_map(|member| member.strip_prefix(name)?.strip_prefix('='));
        member.unwrap().parse().unwrap()
    };
    let policy = answer.header("ratelimit-policy").unwrap();
    let left = answer.header("ratelimit").unwrap();
    assert!(policy.starts_with("\"points\";"), "{policy}");
    assert!(left.starts_with("\"points\";"), "{left}");
    assert_eq!(number(policy, "w"), 60);
    Budget {
        limit: number(policy, "q"),
        remaining: number(left, "r"),
        reset: number(left, "t"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_field_tell_the_same_budget() {
    let caller = Caller::new().await;
    let query = "{ rateLimit { limit cost remaining resetAt } tracks { nodes { id } } }";
    let answer = send(caller.asks(GRAPHQL, &json!({ "query": query }).to_string())).await;
    let answered = chrono::Utc::now();
    let told = budget(&answer);
    let mut field = answer.data()["rateLimit"].take();
    let reset_at = field["resetAt"].take();
    // One for the field's own object.
    assert_eq!(
        field,
        json!({ "limit": LIMIT, "cost": 22, "remaining": LIMIT - 22, "resetAt": null })
    );
    assert_eq!((told.limit, told.remaining), (LIMIT, LIMIT - 22));
    // A sliding window forgets within two of its lengths.
    assert!((60..=120).contains(&told.reset), "{told:?}");
    let reset_at: chrono::DateTime<chrono::Utc> = reset_at.as_str().unwrap().parse().unwrap();
    // In whole seconds, and never too few of them.
    let early = reset_at - (answered + chrono::TimeDelta::seconds(told.reset as i64));
    assert!(early <= chrono::TimeDelta::zero(), "{early}");
    assert!(early > chrono::TimeDelta::seconds(-3), "{early}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_refuses_and_says_when_to_come_back() {
    let caller = Caller::new().await;
    let first = send(caller.asks(GRAPHQL, PAGE)).await;
    assert_eq!(first.status, 200, "{:#}", first.body);
    assert_eq!(first.header("retry-after"), None);
    for (accept, status) in [(GRAPHQL, 429), (JSON, 200)] {
        let answer = send(caller.asks(accept, PAGE)).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body.get("data"), None);
        assert_eq!(answer.code(), "RATE_LIMITED");
        let extensions = &answer.body["errors"][0]["extensions"];
        let retry_after = extensions["retryAfter"].as_u64().unwrap();
        assert!((1..=120).contains(&retry_after), "{extensions}");
        let told = budget(&answer);
        assert!(told.remaining < 21, "{told:?}");
        assert_eq!(
            *extensions,
            json!({
                "code": "RATE_LIMITED", "limit": LIMIT, "remaining": told.remaining, "retryAfter": retry_after,
            })
        );
        assert_eq!(
            answer.header("retry-after"),
            Some(retry_after.to_string().as_str())
        );
        assert_eq!(
            answer.message(),
            format!("Too many requests. Try again in {retry_after} s.")
        );
        assert_eq!(told.limit, LIMIT);
    }
    // What is left can still be spent.
    let small = caller.asks(
        GRAPHQL,
        r#"{"query":"{ tracks(first: 5) { nodes { id } } }"}"#,
    );
    assert_eq!(send(small).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_costs_nothing() {
    let caller = Caller::new().await;
    for (status, request) in [
        (400, caller.asks(GRAPHQL, "{")),
        (400, caller.asks(GRAPHQL, r#"{"query":"{"}"#)),
        (
            422,
            caller.asks(GRAPHQL, r#"{"query":"{ tracks { nodes { nothing } } }"}"#),
        ),
        (
            422,
            caller.asks(
                GRAPHQL,
                r#"{"query":"query ($n: Int!) { tracks(first: $n) { nodes { id } } }"}"#,
            ),
        ),
        (
            422,
            caller.asks(
                GRAPHQL,
                r#"{"query":"{ artists(first: 100) { nodes { tracks { nodes { id } } } } }"}"#,
            ),
        ),
        (
            401,
            caller
                .asks(GRAPHQL, PAGE)
                .header("authorization", "Bearer a"),
        ),
        (406, caller.asks("text/plain", PAGE)),
        // More than the whole budget: waiting would not help.
        (
            422,
            caller.asks(
                GRAPHQL,
                r#"{"query":"{ tracks(first: 50) { nodes { id } } }"}"#,
            ),
        ),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{:#}", answer.body);
    }
    assert_eq!(caller.remaining().await, LIMIT);
}

/// A thousand a minute by a hundredth.
const UNPRICED: u64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn work_that_costs_no_points_is_counted_by_itself() {
    let caller = Caller::new().await;
    let known = r#"{"query":"{ tracks(first: 2) { nodes { id } } }"}"#;
    assert_eq!(send(caller.asks(GRAPHQL, known)).await.status, 200);
    // The one above was new as well.
    for number in 1..UNPRICED {
        let (status, query) = match number % 3 {
            0 => (422, format!("{{ nothing{number} }}")),
            1 => (400, format!("{{ {number}")),
            _ => (200, format!("query Q{number} {{ __typename }}")),
        };
        let answer = send(caller.asks(GRAPHQL, &json!({ "query": query }).to_string())).await;
        assert_eq!(answer.status, status, "{:#}", answer.body);
    }
    for body in [
        r#"{"query":"{ nothing }"}"#,
        r#"{"query":"{"}"#,
        r#"{"query":"{ __typename }"}"#,
        r#"{"query":"query Q2 { __typename }"}"#,
        // Only its hash is known, and whether there is such a document takes a look elsewhere.
        r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00000000000000000000000000000000000000000000000000000000000000aa"}}}"#,
    ] {
        let answer = send(caller.asks(GRAPHQL, body)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (429, "RATE_LIMITED"),
            "{body}"
        );
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"unpriced\";q=10;w=60")
        );
        let retry_after: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=120).contains(&retry_after));
    }
    // Who pays is served as before.
    let answer = send(caller.asks(GRAPHQL, known)).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(budget(&answer).remaining, LIMIT - 6);
}

/// Of which no operation could be made out, however small they come.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense_are_counted() {
    let caller = Caller::new().await;
    let many = |value: &str| vec![value; 280_000].join(",");
    let bodies = [
        (422, format!("[{}]", many("{}"))),
        (
            422,
            format!(
                r#"{{"query":"{{__typename}}","variables":{{"x":[{}]}}}}"#,
                many("0")
            ),
        ),
        (422, format!("[{}]", ["{}"; 11].join(","))),
        (400, "{".to_owned()),
    ];
    let mut sent = 0;
    for _ in 0..3 {
        for (status, body) in &bodies {
            let answer = send(caller.asks(GRAPHQL, body)).await;
            let is_over = sent >= UNPRICED;
            sent += 1;
            let expected = if is_over { 429 } else { *status };
            assert_eq!(answer.status, expected, "{:#}", answer.body);
        }
    }
    let answer = send(caller.asks(GRAPHQL, "{")).await;
    assert_eq!((answer.status, answer.code()), (429, "RATE_LIMITED"));
    assert!(
        answer
            .header("ratelimit")
            .unwrap()
            .starts_with("\"unpriced\";r=0;")
    );
    assert!(answer.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_registers_no_more_than_its_share_and_is_served_all_the_same() {
    let caller = Caller::new().await;
    // 10,000 bytes an hour.
    let texts: Vec<String> = (0..3)
        .map(|_| {
            let id = uuid::Uuid::new_v4().simple();
            format!("query Q{id} {{ __typename }} # {}", "x".repeat(4_000))
        })
        .collect();
    let mut kept = Vec::new();
    for text in &texts {
        let hash = sha256(text);
        let body = json!({ "query": text, "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } });
        let answer = send(caller.asks(GRAPHQL, &body.to_string())).await;
        assert_eq!(answer.data(), json!({ "__typename": "Query" }));
        let cache = &caller.app.app.cache;
        kept.push(cache.get(&format!("document:{hash}")).await.is_some());
    }
    assert_eq!(kept, [true, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_charged_for_what_runs_of_it() {
    let caller = Caller::new().await;
    let batch = json!([
        { "query": "{ tracks(first: 4) { nodes { id } } }" },
        { "query": "{ tracks(first: 9) { nodes { nothing } } }" },
        { "query": "{ tracks(first: 6) { nodes { id } } rateLimit { cost } }" },
    ]);
    let answer = send(caller.asks(GRAPHQL, &batch.to_string())).await;
    assert_eq!(answer.body[2]["data"]["rateLimit"]["cost"], 5 + 8);
    assert_eq!(budget(&answer).remaining, LIMIT - 13);
    assert_eq!(caller.remaining().await, LIMIT - 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_behind_a_trusted_proxy_has_a_budget_of_its_own() {
    let caller = Caller::new().await;
    let from = |name: &str, value: String| post(&caller.app, GRAPHQL, PAGE).header(name, value);
    let network = own_network("");
    for (name, value, status) in [
        ("x-forwarded-for", format!("{network}1"), 200),
        // Of one /64, and so one client; whatever it claims about others before itself.
        ("x-forwarded-for", format!("{network}2"), 429),
        ("x-forwarded-for", format!("192.0.2.7, {network}3"), 429),
        (
            "forwarded",
            format!("for=\"[{network}4]\";proto=https"),
            429,
        ),
        ("x-forwarded-for", own_network("1"), 200),
        (
            "forwarded",
            format!("for=\"[{}]:4711\"", own_network("1")),
            200,
        ),
    ] {
        let answer = send(from(name, value.clone())).await;
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

/// The limits are counted in this process alone, as the peer's address is everybody's here.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_no_proxy_can_not_choose_its_address() {
    let caller =
        Caller::with(&[("EMPULSE_TRUSTED_PROXIES", "10.0.0.0/8"), ("REDIS_URL", "")]).await;
    assert_eq!(send(caller.asks(GRAPHQL, PAGE)).await.status, 200);
    for name in [
        "x-forwarded-for",
        "x-real-ip",
        "cf-connecting-ip",
        "true-client-ip",
    ] {
        let request = post(&caller.app, GRAPHQL, PAGE).header(name, own_network("1"));
        assert_eq!(send(request).await.status, 429, "{name}");
    }
    let forwarded = format!("for=\"[{}]\"", own_network("1"));
    let request = post(&caller.app, GRAPHQL, PAGE).header("forwarded", forwarded);
    assert_eq!(send(request).await.status, 429);
}

/// A proxy writes one of the two headers and passes on the other as the client sent it; which, can't be known.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_contradict_each_other_are_both_not_believed() {
    let caller = Caller::with(&[("REDIS_URL", "")]).await;
    for status in [200, 429] {
        let request = post(&caller.app, GRAPHQL, PAGE)
            .header("x-forwarded-for", own_network("1"))
            .header("forwarded", format!("for=\"[{}]\"", own_network("1")));
        assert_eq!(send(request).await.status, status);
    }
    let agreed = own_network("1");
    let request = post(&caller.app, GRAPHQL, PAGE)
        .header("x-forwarded-for", &agreed)
        .header("forwarded", format!("for=\"[{agreed}]\""));
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn lifted_limits_refuse_nobody() {
    let caller = Caller::with(&[("EMPULSE_RATE_FACTOR", "0")]).await;
    for _ in 0..5 {
        let page = r#"{"query":"{ artists(first: 9) { nodes { tracks(first: 100) { nodes { id } } } } }"}"#;
        let answer = send(caller.asks(GRAPHQL, page)).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            budget(&answer),
            Budget {
                limit: 3_000,
                remaining: 3_000,
                reset: 0
            }
        );
    }
}
