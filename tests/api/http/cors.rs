//! Which browsers' pages may call and read the answer.

use reqwest::Method;

use super::{GRAPHQL, post, send};
use crate::support::{Answer, TestApp};

const QUERY: &str = r#"{"query":"{ __typename }"}"#;
const ALLOWED: [&str; 3] = [
    "https://www.example.org",
    "http://localhost:3000",
    // The service's own address: its console calls from there.
    "http://localhost:8000",
];
const FOREIGN: [&str; 6] = [
    "https://evil.test",
    "http://www.example.org",
    "https://www.example.org:8443",
    "https://www.example.org.evil.test",
    "https://sub.www.example.org",
    "null",
];

async fn app() -> TestApp {
    TestApp::with(&[(
        "EMPULSE_ALLOWED_ORIGINS",
        "https://www.example.org,http://localhost:3000",
    )])
    .await
}

fn varies(answer: &Answer) -> Vec<&str> {
    let lines = answer.headers.get_all("vary").iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

fn about_cors(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(|name| name.as_str());
    names
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

async fn preflight(app: &TestApp, origin: &str) -> Answer {
    let request = app
        .client
        .request(Method::OPTIONS, app.url("/graphql"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "content-type,authorization",
        );
    send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_page_reads_the_answer_and_what_it_needs_of_its_headers() {
    let app = app().await;
    for origin in ALLOWED {
        for request in [
            post(&app, GRAPHQL, QUERY),
            post(&app, GRAPHQL, "{"),
            app.client.get(app.url("/health/ready")),
            app.client.get(app.url("/nowhere")),
            app.client.delete(app.url("/graphql")),
        ] {
            let answer = send(request.header("origin", origin)).await;
            assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                Some("true")
            );
            assert_eq!(
                answer.header("access-control-expose-headers"),
                Some(
                    "X-Correlation-ID, RateLimit, RateLimit-Policy, Retry-After, Idempotency-Replayed"
                )
            );
            assert!(varies(&answer).contains(&"Origin"), "{origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_page_is_told_nothing() {
    let app = app().await;
    for origin in FOREIGN {
        for request in [
            post(&app, GRAPHQL, QUERY),
            post(&app, GRAPHQL, "{"),
            app.client.get(app.url("/nowhere")),
        ] {
            let answer = send(request.header("origin", origin)).await;
            assert_eq!(about_cors(&answer), [""; 0], "{origin}");
            assert!(varies(&answer).contains(&"Origin"), "{origin}");
        }
        let answer = preflight(&app, origin).await;
        assert_eq!(answer.status, 204, "{origin}");
        assert_eq!(about_cors(&answer), [""; 0], "{origin}");
    }
}

/// A cache between must not hand the answer for nobody to a page that may read it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_no_page_varies_too() {
    let app = app().await;
    let answer = send(post(&app, GRAPHQL, QUERY)).await;
    assert_eq!(about_cors(&answer), [""; 0]);
    assert!(varies(&answer).contains(&"Origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_answered_with_what_may_be_sent() {
    let app = app().await;
    for origin in ALLOWED {
        let answer = preflight(&app, origin).await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.body, "");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
        assert_eq!(
            answer.header("access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(
            answer.header("access-control-allow-methods"),
            Some("GET, HEAD, POST, PUT, OPTIONS")
        );
        assert_eq!(answer.header("access-control-max-age"), Some("7200"));
        let may_send = answer.header("access-control-allow-headers").unwrap();
        let may_send: Vec<String> = may_send.split(", ").map(str::to_lowercase).collect();
        for name in [
            "authorization",
            "content-type",
            "x-csrf-token",
            "x-correlation-id",
            "idempotency-key",
            "apollo-require-preflight",
            "graphql-require-preflight",
            "traceparent",
        ] {
            assert!(may_send.iter().any(|known| known == name), "{name}");
        }
        for name in [
            "Origin",
            "Access-Control-Request-Method",
            "Access-Control-Request-Headers",
        ] {
            assert!(varies(&answer).contains(&name), "{name}");
        }
    }
}
