//! Who asks: tokens, of which none can be valid yet, and the id by which a request is found again.

use serde_json::json;

use super::{GRAPHQL, JSON, get, post, send, wire};
use crate::support::TestApp;

const QUERY: &str = r#"{"query":"{ __typename }"}"#;

/// Who sends a token that is not believed must not be served as nobody.
#[tokio::test(flavor = "multi_thread")]
async fn any_token_is_refused_before_anything_runs() {
    let app = TestApp::new().await;
    let batch = format!("[{QUERY},{QUERY}]");
    for token in ["Bearer abc.def", "bearer", "Basic YTpi", "nonsense", ""] {
        for accept in [GRAPHQL, JSON] {
            for request in [
                post(&app, accept, QUERY),
                post(&app, accept, batch.clone()),
                post(&app, accept, "{"),
                get(&app, accept, &[("query", "{ __typename }")]),
            ] {
                let answer = send(request.header("authorization", token)).await;
                assert_eq!(answer.status, 401, "{token}");
                assert_eq!(
                    answer.header("www-authenticate"),
                    Some("Bearer error=\"invalid_token\""),
                    "{token}"
                );
                assert_eq!(
                    answer.body,
                    json!({ "errors": [{
                        "message": "The access token is invalid or has expired.",
                        "extensions": { "code": "UNAUTHENTICATED" },
                    }] }),
                    "{token}"
                );
                assert_eq!(answer.header("ratelimit"), None, "nothing was charged");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_keeps_nobody_from_what_is_for_everybody() {
    let app = TestApp::new().await;
    for path in ["/", "/health/live", "/health/ready"] {
        let request = app.client.get(app.url(path));
        let answer = send(request.header("authorization", "Bearer abc")).await;
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callers_correlation_id_comes_back() {
    let app = TestApp::new().await;
    let longest = "a".repeat(64);
    for id in ["abcd1234", "my-Request_01", longest.as_str()] {
        for request in [
            post(&app, GRAPHQL, QUERY),
            post(&app, GRAPHQL, "{"),
            app.client.get(app.url("/nowhere")),
        ] {
            let answer = send(request.header("x-correlation-id", id)).await;
            assert_eq!(answer.header("x-correlation-id"), Some(id));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_none_is_replaced_by_a_new_one() {
    let app = TestApp::new().await;
    let too_long = "a".repeat(65);
    let mut made = Vec::new();
    for id in [
        "seven77",
        too_long.as_str(),
        "with space",
        "semi;colon",
        "{}",
        "",
    ] {
        let request = post(&app, GRAPHQL, QUERY).header("x-correlation-id", id);
        let answer = send(request).await;
        made.push(answer.header("x-correlation-id").unwrap().to_owned());
    }
    let answer = send(post(&app, GRAPHQL, QUERY)).await;
    made.push(answer.header("x-correlation-id").unwrap().to_owned());
    for id in &made {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        assert!((8..=64).contains(&id.len()) && id.bytes().all(fits), "{id}");
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 7, "each request has an id of its own");
}

/// One header would have been taken for several, and what stands behind it for another answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_can_not_smuggle_headers() {
    let app = TestApp::new().await;
    let request = "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
        X-Correlation-ID: abcd1234%0d%0aset-cookie:a=b\r\n\r\n";
    let answer = wire(&app, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(!answer.contains("set-cookie"), "{answer}");
}
