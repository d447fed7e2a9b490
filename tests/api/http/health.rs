//! Whether an instance lives, and whether it should be sent requests.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use empulse::accounts::Accounts;
use empulse::app::App;
use empulse::config;
use empulse::http::{self, Standing};
use empulse::telemetry::Metrics;
use poem::{Endpoint, Request};
use serde_json::{Value, json};

use super::{GRAPHQL, post, send};
use crate::support::{Answer, TestApp};

const QUERY: &str = r#"{"query":"{ __typename }"}"#;

async fn ready(app: &TestApp) -> Answer {
    send(app.client.get(app.url("/health/ready"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ready_instance_tells_each_dependencys_state_and_latency() {
    let app = TestApp::new().await;
    let mut answer = ready(&app).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let database = &mut answer.body["dependencies"]["database"];
    let latency = database["latencyMs"].take().as_f64().unwrap();
    assert!(latency > 0.0 && latency < 2_000.0, "{latency}");
    let storage = &mut answer.body["dependencies"]["storage"];
    let latency = storage["latencyMs"].take().as_f64().unwrap();
    assert!(latency > 0.0 && latency < 2_000.0, "{latency}");
    let kind = match app.database.url {
        Some(_) => "postgresql",
        None => "embedded",
    };
    let mut limits = json!({ "state": "up", "kind": "in process" });
    if app.app.redis.is_some() {
        let latency = answer.body["dependencies"]["limits"]["latencyMs"].take();
        assert!(
            latency.as_f64().is_some_and(|latency| latency > 0.0),
            "{latency}"
        );
        limits = json!({ "state": "up", "kind": "redis", "latencyMs": null });
    }
    assert_eq!(
        answer.body,
        json!({
            "status": "up",
            "dependencies": {
                "database": { "state": "up", "kind": kind, "latencyMs": null },
                "limits": limits,
                "storage": { "state": "up", "kind": "folder", "latencyMs": null },
            },
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_database_is_up_to_date_nothing_is_served_but_health() {
    let app = TestApp::new().await;
    app.standing.migrated.store(false, Ordering::Release);
    let answer = ready(&app).await;
    assert_eq!(
        (answer.status, &answer.body["status"]),
        (503, &json!("down"))
    );
    assert_eq!(answer.body["dependencies"]["database"]["state"], "up");

    let live = send(app.client.get(app.url("/health/live"))).await;
    assert_eq!((live.status, live.body), (200, json!({ "status": "up" })));

    let answer = send(post(&app, GRAPHQL, QUERY)).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(
        answer.body,
        json!({ "errors": [{
            "message": "The service is not available at the moment. Try again in 1 s.",
            "extensions": { "code": "UNAVAILABLE", "retryAfter": 1 },
        }] })
    );

    app.standing.migrated.store(true, Ordering::Release);
    assert_eq!(ready(&app).await.status, 200);
    assert_eq!(send(post(&app, GRAPHQL, QUERY)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_stops_says_so_and_serves_what_still_comes() {
    let app = TestApp::new().await;
    app.standing.stopping.store(true, Ordering::Release);
    let answer = ready(&app).await;
    assert_eq!(
        (answer.status, &answer.body["status"]),
        (503, &json!("stopping"))
    );
    assert_eq!(send(post(&app, GRAPHQL, QUERY)).await.status, 200);
}

/// A database that refuses connections is no fault of the client, and passes.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_an_instance_lives_and_is_not_ready() {
    let env = [("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")];
    let env = env.map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let config = config::read([OsString::from("empulse")].into_iter(), env.into_iter());
    let app = App::open(Arc::new(config.unwrap().config), Metrics::detached());
    let standing = Arc::new(Standing::default());
    let endpoint = http::endpoint(&Accounts::open(app.await.unwrap()).unwrap(), &standing).unwrap();
    let ask = async |request: Request| -> (u16, Value) {
        let response = endpoint.get_response(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().into_bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    };
    let at = |path: &str| Request::builder().uri_str(path);

    let live = ask(at("/health/live").finish()).await;
    assert_eq!(live, (200, json!({ "status": "up" })));
    standing.migrated.store(true, Ordering::Release);
    let mut ready = ask(at("/health/ready").finish()).await;
    let storage = ready.1["dependencies"]["storage"]["latencyMs"].take();
    assert!(storage.is_number(), "{storage}");
    assert_eq!(
        ready,
        (
            503,
            json!({
                "status": "down",
                "dependencies": {
                    "database": { "state": "down", "kind": "postgresql" },
                    "limits": { "state": "up", "kind": "in process" },
                    "storage": { "state": "up", "kind": "folder", "latencyMs": null },
                },
            })
        )
    );
    let request = at("/graphql?query=%7Bgenres%7Bslug%7D%7D").header("accept", GRAPHQL);
    let (status, body) = ask(request.finish()).await;
    assert_eq!((status, &body["data"]), (200, &Value::Null));
    assert_eq!(
        body["errors"][0]["extensions"],
        json!({ "code": "UNAVAILABLE", "retryAfter": 1 })
    );
}
