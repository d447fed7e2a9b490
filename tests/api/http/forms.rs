//! Which forms of a body are taken, and in which form the answer comes.

use serde_json::json;

use super::{GRAPHQL, JSON, get, post, send, wire};
use crate::support::TestApp;

const QUERY: &str = r#"{"query":"{ __typename }"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_has_the_form_that_accept_likes_best() {
    let app = TestApp::new().await;
    let graphql = "application/graphql-response+json; charset=utf-8";
    let json = "application/json; charset=utf-8";
    for (accept, form) in [
        (GRAPHQL, graphql),
        (JSON, json),
        ("*/*", json),
        ("application/*", json),
        ("text/html, application/graphql-response+json", graphql),
        (
            "application/graphql-response+json, application/json;q=0.9",
            graphql,
        ),
        (
            "application/graphql-response+json;q=0.8, application/json;q=0.9",
            json,
        ),
        (
            "application/json, application/graphql-response+json",
            graphql,
        ),
    ] {
        let by_get = get(&app, accept, &[("query", "{ __typename }")]);
        for request in [post(&app, accept, QUERY), by_get] {
            let answer = send(request).await;
            assert_eq!(answer.header("content-type"), Some(form), "{accept}");
            assert_eq!(answer.data(), json!({ "__typename": "Query" }), "{accept}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_gets_what_older_clients_understand() {
    let app = TestApp::new().await;
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {JSON}\r\nContent-Length: {}\r\n\r\n{QUERY}",
        QUERY.len()
    );
    let answer = wire(&app, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("\r\ncontent-type: application/json; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(
        answer.ends_with("\r\n\r\n{\"data\":{\"__typename\":\"Query\"}}"),
        "{answer}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_neither_form_is_told_which_there_are() {
    let app = TestApp::new().await;
    for accept in [
        "text/plain",
        "image/*",
        "application/xml;q=0.9, text/event-stream",
        "application/json;q=0, application/graphql-response+json;q=0",
        "*/*;q=0",
    ] {
        let by_get = get(&app, accept, &[("query", "{ __typename }")]);
        for request in [post(&app, accept, QUERY), by_get] {
            let answer = send(request).await;
            assert_eq!(answer.status, 406, "{accept}");
            assert_eq!(answer.code(), "BAD_REQUEST", "{accept}");
            assert_eq!(
                answer.message(),
                "Accept: answers come as application/graphql-response+json or application/json."
            );
        }
    }
}

/// The first three are what a form on another site can send without being asked first.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_json_is_refused_with_what_is_expected() {
    let app = TestApp::new().await;
    for kind in [
        Some("text/plain"),
        Some("text/plain; charset=utf-8; application/json"),
        Some("application/x-www-form-urlencoded"),
        Some("application/graphql"),
        Some("application/graphql-response+json"),
        Some("application/jsonp"),
        Some("application/json; charset=iso-8859-1"),
        Some("application/json; charset=utf-16"),
        Some("nonsense"),
        Some(""),
        None,
    ] {
        for accept in [GRAPHQL, JSON] {
            let mut request = app
                .client
                .post(app.url("/graphql"))
                .header("accept", accept);
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let answer = send(request.body(QUERY)).await;
            assert_eq!(answer.status, 415, "{kind:?}");
            assert_eq!(
                answer.header("accept"),
                Some("application/json, multipart/form-data"),
                "{kind:?}"
            );
            assert_eq!(answer.code(), "BAD_REQUEST", "{kind:?}");
            assert_eq!(
                answer.message(),
                "Content-Type: application/json is expected, or multipart/form-data where there are files."
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_utf_8_whether_it_says_so_or_not() {
    let app = TestApp::new().await;
    let body = r#"{"query":"{ __type(name: \"Run🏃Swim🏊\") { name } }"}"#;
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "Application/JSON; charset=utf8; profile=x",
    ] {
        let request = app
            .client
            .post(app.url("/graphql"))
            .header("accept", GRAPHQL)
            .header("content-type", kind)
            .body(body);
        assert_eq!(
            send(request).await.data(),
            json!({ "__type": null }),
            "{kind}"
        );
    }
    let answer = send(post(
        &app,
        GRAPHQL,
        &b"{\"query\":\"{ __typename } # \xff\"}"[..],
    ))
    .await;
    assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST"));
}

/// Browsers send multipart bodies for any site without asking; a header that no form can set shows that it was asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_multipart_request_without_a_preflight_is_not_even_read() {
    let app = TestApp::new().await;
    let body = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n\
        {\"query\":\"{ __typename }\"}\r\n\
        --x\r\nContent-Disposition: form-data; name=\"map\"\r\n\r\n{}\r\n--x--\r\n";
    let multipart = |accept: &str| {
        app.client
            .post(app.url("/graphql"))
            .header("accept", accept)
            .header("content-type", "multipart/form-data; boundary=x")
            .body(body)
    };
    for accept in [GRAPHQL, JSON] {
        let answer = send(multipart(accept)).await;
        assert_eq!((answer.status, answer.code()), (403, "CSRF"));
        for header in [
            "apollo-require-preflight",
            "graphql-require-preflight",
            "x-apollo-operation-name",
            "x-csrf-token",
        ] {
            let answer = send(multipart(accept).header(header, "true")).await;
            assert_eq!(answer.data(), json!({ "__typename": "Query" }), "{header}");
        }
    }
}
