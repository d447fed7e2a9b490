//! What stands on every answer, whatever it says.

use reqwest::Method;
use serde_json::json;

use super::{GRAPHQL, get, post, send};
use crate::support::TestApp;

const QUERY: &str = r#"{"query":"{ __typename }"}"#;
const EVERYWHERE: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-site"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=()",
    ),
    ("cache-control", "no-store"),
];

#[tokio::test(flavor = "multi_thread")]
async fn security_headers_stand_on_every_answer() {
    let app = TestApp::new().await;
    let url = app.url("/graphql");
    let options = |app: &TestApp| app.client.request(Method::OPTIONS, app.url("/graphql"));
    for (status, request) in [
        (200, post(&app, GRAPHQL, QUERY)),
        (200, get(&app, GRAPHQL, &[("query", "{ __typename }")])),
        (200, app.client.get(app.url("/health/live"))),
        (200, app.client.get(app.url("/health/ready"))),
        (204, options(&app)),
        (400, post(&app, GRAPHQL, "{")),
        (
            401,
            post(&app, GRAPHQL, QUERY).header("authorization", "Bearer a"),
        ),
        (
            403,
            app.client
                .post(&url)
                .header("content-type", "multipart/form-data"),
        ),
        (404, app.client.get(app.url("/nowhere"))),
        (405, app.client.put(&url)),
        (405, get(&app, GRAPHQL, &[("query", "mutation { a }")])),
        (406, post(&app, "text/plain", QUERY)),
        (413, post(&app, GRAPHQL, " ".repeat(1_000_001))),
        (415, app.client.post(&url).body("{}")),
        (422, post(&app, GRAPHQL, r#"{"query":"{ nothing }"}"#)),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{:#}", answer.body);
        for (name, value) in EVERYWHERE {
            assert_eq!(answer.header(name), Some(value), "{status}");
        }
        assert!(answer.header("x-correlation-id").is_some(), "{status}");
        for name in ["server", "x-powered-by", "strict-transport-security"] {
            assert_eq!(answer.header(name), None, "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_at_any_other_address() {
    let app = TestApp::new().await;
    for path in ["/nowhere", "/graphql/", "/graphql/x", "/health", "/metrics"] {
        let answer = send(app.client.get(app.url(path))).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/json"),
            "{path}"
        );
        assert_eq!(
            answer.body,
            json!({ "errors": [{
                "message": "There is nothing here.",
                "extensions": { "code": "BAD_REQUEST" },
            }] }),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn production_is_reached_by_https_alone() {
    let key = format!("one:{}", "ab".repeat(32));
    let app = TestApp::with(&[
        ("EMPULSE_ENV", "production"),
        ("EMPULSE_RATE_FACTOR", "1"),
        ("EMPULSE_PUBLIC_URL", "https://api.example.org"),
        ("EMPULSE_ALLOWED_ORIGINS", "https://www.example.org"),
        ("EMPULSE_SIGNING_KEYS", &key),
        ("EMPULSE_ENCRYPTION_KEYS", &key),
        ("EMPULSE_STORAGE_URL", "s3://bucket"),
        ("SMTP_URL", "smtps://mail.example.org"),
        // Named because production must name them. The test's own database is used, and a Redis that is away is done
        // without.
        ("DATABASE_URL", "postgres://127.0.0.1:1/none"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
    ])
    .await;
    for request in [
        post(&app, GRAPHQL, QUERY),
        app.client.get(app.url("/")),
        app.client.get(app.url("/nowhere")),
    ] {
        let answer = send(request).await;
        assert_eq!(
            answer.header("strict-transport-security"),
            Some("max-age=63072000; includeSubDomains"),
            "{:#}",
            answer.body
        );
    }
}
