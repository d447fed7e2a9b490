//! What each method does on each route.

use reqwest::Method;
use serde_json::json;

use super::{GRAPHQL, JSON, get, send};
use crate::support::TestApp;

const ROUTES: [(&str, &str); 11] = [
    ("/", "GET, HEAD, OPTIONS"),
    ("/confirm-email", "GET, HEAD, OPTIONS"),
    ("/csrf", "GET, HEAD, OPTIONS"),
    ("/dev/mail", "GET, HEAD, OPTIONS"),
    ("/graphql", "GET, HEAD, OPTIONS, POST"),
    ("/health/live", "GET, HEAD, OPTIONS"),
    ("/health/ready", "GET, HEAD, OPTIONS"),
    ("/login", "GET, HEAD, OPTIONS"),
    ("/reset-password", "GET, HEAD, OPTIONS"),
    ("/undo-email", "GET, HEAD, OPTIONS"),
    ("/verify", "GET, HEAD, OPTIONS, POST"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_query_by_get_says_all_that_a_body_can_say() {
    let app = TestApp::new().await;
    let query =
        "query Other { __typename } query Wanted($name: String!) { __type(name: $name) { name } }";
    let asked = get(
        &app,
        GRAPHQL,
        &[
            ("query", query),
            ("operationName", "Wanted"),
            ("variables", r#"{"name": "Track"}"#),
            ("extensions", r#"{"some": "value"}"#),
            ("utm_source", "ignored"),
        ],
    );
    assert_eq!(
        send(asked).await.data(),
        json!({ "__type": { "name": "Track" } })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_parameter_is_none_and_so_is_null_in_json() {
    let app = TestApp::new().await;
    for none in ["", "null"] {
        let asked = [
            ("query", "query Named { __typename }"),
            ("operationName", ""),
            ("variables", none),
            ("extensions", none),
        ];
        assert_eq!(
            send(get(&app, GRAPHQL, &asked)).await.data(),
            json!({ "__typename": "Query" })
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_says_something_twice_is_refused() {
    let app = TestApp::new().await;
    for name in ["query", "operationName", "variables", "extensions"] {
        let asked = [
            ("query", "{ __typename }"),
            (name, "{}"),
            ("other", "1"),
            (name, "{}"),
            ("other", "2"),
        ];
        for accept in [GRAPHQL, JSON] {
            let answer = send(get(&app, accept, &asked)).await;
            assert_eq!(
                (answer.status, answer.code()),
                (400, "BAD_REQUEST"),
                "{name}"
            );
            assert_eq!(
                answer.message(),
                format!("{name}: it stands in the address more than once.")
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_that_are_no_json_objects_are_refused_by_name() {
    let app = TestApp::new().await;
    for name in ["variables", "extensions"] {
        for value in [
            "{",
            "7",
            "\"text\"",
            "[]",
            "[{}]",
            "[null]",
            "true",
            "name=Track",
        ] {
            let asked = [("query", "{ __typename }"), (name, value)];
            let answer = send(get(&app, GRAPHQL, &asked)).await;
            assert_eq!(
                (answer.status, answer.code()),
                (400, "BAD_REQUEST"),
                "{name}={value}"
            );
            let expected = format!("{name}: a JSON object is expected");
            assert!(answer.message().starts_with(&expected), "{name}={value}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_without_a_query_is_refused() {
    let app = TestApp::new().await;
    for asked in [&[][..], &[("qeury", "{ __typename }")]] {
        for accept in [GRAPHQL, JSON, "*/*"] {
            let answer = send(get(&app, accept, asked)).await;
            assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST"));
            assert_eq!(answer.message(), "query: a GraphQL document is expected.");
        }
    }
}

/// Nothing but queries, so that a link or an image on another page changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_mutation_by_get_is_refused_and_told_how_to_come() {
    let app = TestApp::new().await;
    let mixed = "query Read { __typename } mutation Write { __typename }";
    for asked in [
        &[("query", "mutation { __typename }")][..],
        &[("query", "mutation Write { createTrack { id } }")],
        &[("query", "subscription { __typename }")],
        &[("query", mixed), ("operationName", "Write")],
    ] {
        for accept in [GRAPHQL, JSON] {
            let answer = send(get(&app, accept, asked)).await;
            assert_eq!(
                (answer.status, answer.code()),
                (405, "BAD_REQUEST"),
                "{asked:?}"
            );
            assert_eq!(answer.header("allow"), Some("POST"), "{asked:?}");
            assert_eq!(
                answer.message(),
                "By GET only queries are run; send a mutation by POST."
            );
            assert_eq!(answer.body.get("data"), None, "{asked:?}");
        }
    }
    // The operation counts, not what else stands in the document.
    let read = [("query", mixed), ("operationName", "Read")];
    assert_eq!(send(get(&app, GRAPHQL, &read)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_tells_what_get_would_without_its_body() {
    let app = TestApp::new().await;
    for path in ["/", "/graphql?query=%7B__typename%7D", "/health/live"] {
        let got = app.client.get(app.url(path)).send().await.unwrap();
        let head = app.client.head(app.url(path)).send().await.unwrap();
        assert_eq!(head.status(), 200, "{path}");
        for name in ["content-type", "content-length", "content-security-policy"] {
            assert_eq!(head.headers()[name], got.headers()[name], "{path}: {name}");
        }
        let length = got.text().await.unwrap().len();
        assert_eq!(head.headers()["content-length"], *length.to_string());
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn options_name_what_a_route_answers_to() {
    let app = TestApp::new().await;
    for (path, allowed) in ROUTES {
        let answer = send(app.client.request(Method::OPTIONS, app.url(path))).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
        assert_eq!(answer.body, "", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_method_is_refused_with_those_there_are() {
    let app = TestApp::new().await;
    for (path, allowed) in ROUTES {
        for method in ["PUT", "DELETE", "PATCH", "BREW"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = send(app.client.request(method.clone(), app.url(path))).await;
            assert_eq!(
                (answer.status, answer.code()),
                (405, "BAD_REQUEST"),
                "{method} {path}"
            );
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
        // It would hand out headers that scripts may not read; no route has it.
        let trace = app
            .client
            .request(Method::TRACE, app.url(path))
            .header("x-secret", "s3cret");
        let answer = send(trace).await;
        assert_eq!(
            (answer.status, answer.code()),
            (405, "BAD_REQUEST"),
            "TRACE {path}"
        );
        assert!(answer.header("allow").is_some(), "TRACE {path}");
        assert!(!answer.body.to_string().contains("s3cret"), "TRACE {path}");
    }
    for path in ["/", "/health/live", "/health/ready"] {
        let answer = send(app.client.post(app.url(path))).await;
        assert_eq!(answer.status, 405, "POST {path}");
        assert_eq!(
            answer.header("allow"),
            Some("GET, HEAD, OPTIONS"),
            "POST {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_opened_by_get_alone() {
    let app = TestApp::new().await;
    for (method, status) in [(Method::GET, 101), (Method::HEAD, 400)] {
        let request = app
            .client
            .request(method.clone(), app.url("/graphql"))
            .header("accept", GRAPHQL)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("sec-websocket-protocol", "graphql-transport-ws");
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method}");
    }
}
