//! What a request that can't be run is told, and under which status: by its fault, and by the form of the answer.

use serde_json::{Value, json};

use super::{GRAPHQL, JSON, get, post, send};
use crate::support::{Answer, TestApp};

/// A refused request has errors and nothing else, each with its code.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {:#}", answer.body);
    let members: Vec<&String> = answer.body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["errors"], "{what}");
    let errors = answer.body["errors"].as_array().unwrap();
    assert!(!errors.is_empty(), "{what}");
    for error in errors {
        assert_eq!(error["extensions"]["code"], code, "{what}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{what}");
    }
}

/// In the older form a request that is one at all is answered with 200, whatever is wrong with what it asks.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_can_not_run_is_refused_by_its_fault() {
    let app = TestApp::new().await;
    let two = "query A { __typename } query B { __typename }";
    let by_id = "query ($id: ID!) { track(id: $id) { id } }";
    let deep = format!(
        "{{ {}{} }}",
        "tracks(first: 1) { nodes { artist { ".repeat(6),
        "id } } } ".repeat(6)
    );
    let parse = (400, "GRAPHQL_PARSE_FAILED");
    let invalid = (422, "GRAPHQL_VALIDATION_FAILED");
    let complex = (422, "OPERATION_TOO_COMPLEX");
    for (what, body, (status, code)) in [
        ("an open brace", json!({ "query": "{" }), parse),
        ("nothing", json!({ "query": "" }), parse),
        ("a comment", json!({ "query": "# nothing" }), parse),
        (
            "no operation",
            json!({ "query": "fragment A on Query { __typename }" }),
            invalid,
        ),
        (
            "a letter too many",
            json!({ "query": "{ __typename } x" }),
            parse,
        ),
        (
            "an unknown field",
            json!({ "query": "{ nothing }" }),
            invalid,
        ),
        (
            "an unknown argument",
            json!({ "query": "{ genres(first: 1) { slug } }" }),
            invalid,
        ),
        ("no selection", json!({ "query": "{ genres }" }), invalid),
        (
            "an unknown fragment",
            json!({ "query": "{ ...Nothing }" }),
            invalid,
        ),
        (
            "a literal of another type",
            json!({ "query": "{ tracks(first: \"1\") { nodes { id } } }" }),
            invalid,
        ),
        (
            "no such operation type",
            json!({ "query": "mutation { createTrack { id } }" }),
            invalid,
        ),
        (
            "an unknown name",
            json!({ "query": two, "operationName": "C" }),
            invalid,
        ),
        (
            "an unknown name of one",
            json!({ "query": "query A { __typename }", "operationName": "B" }),
            invalid,
        ),
        ("one of several", json!({ "query": two }), invalid),
        ("a variable left out", json!({ "query": by_id }), invalid),
        (
            "a variable that is null",
            json!({ "query": by_id, "variables": { "id": null } }),
            invalid,
        ),
        (
            "a variable of another type",
            json!({ "query": by_id, "variables": { "id": [1] } }),
            invalid,
        ),
        (
            "a price too high",
            json!({ "query": "{ artists(first: 100) { nodes { tracks(first: 100) { nodes { id } } } } }" }),
            complex,
        ),
        ("too deep", json!({ "query": deep }), complex),
    ] {
        let body = body.to_string();
        let answer = send(post(&app, GRAPHQL, body.clone())).await;
        assert_refused(&answer, status, code, what);
        let answer = send(post(&app, JSON, body)).await;
        assert_refused(&answer, 200, code, what);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_faults_have_the_same_status_by_get() {
    let app = TestApp::new().await;
    for (query, status, code) in [
        ("{", 400, "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", 422, "GRAPHQL_VALIDATION_FAILED"),
        (
            "query ($id: ID!) { track(id: $id) { id } }",
            422,
            "GRAPHQL_VALIDATION_FAILED",
        ),
    ] {
        let answer = send(get(&app, GRAPHQL, &[("query", query)])).await;
        assert_refused(&answer, status, code, query);
        let answer = send(get(&app, JSON, &[("query", query)])).await;
        assert_refused(&answer, 200, code, query);
    }
}

/// What is no request in either form is 400 in both.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_as_such() {
    let app = TestApp::new().await;
    let mut bodies: Vec<String> = [
        "",
        " ",
        "{",
        "{\"query\":",
        "{\"query\":\"{ __typename }\"} {}",
        "{'query': '{ __typename }'}",
        "query={ __typename }",
        "null",
        "7",
        "true",
        "\"{ __typename }\"",
        "{}",
        "{\"qeury\":\"{ __typename }\"}",
        "{\"query\":null}",
        "{\"query\":\"{ __typename }\",\"query\":\"{ genres { slug } }\"}",
    ]
    .map(str::to_owned)
    .into();
    for query in [
        json!(7),
        json!(false),
        json!(["{ __typename }"]),
        json!({ "a": 1 }),
    ] {
        bodies.push(json!({ "query": query }).to_string());
    }
    for name in [json!(7), json!(false), json!(["A"]), json!({ "a": 1 })] {
        bodies
            .push(json!({ "query": "query A { __typename }", "operationName": name }).to_string());
    }
    for map in [
        json!("{}"),
        json!(7),
        json!(false),
        json!([]),
        json!([null]),
        json!(["a", "b"]),
    ] {
        bodies.push(json!({ "query": "{ __typename }", "variables": map }).to_string());
        bodies.push(json!({ "query": "{ __typename }", "extensions": map }).to_string());
    }
    for list in [json!([]), json!([1, "0".repeat(64)])] {
        let extensions = json!({ "persistedQuery": list });
        bodies.push(json!({ "query": "{ __typename }", "extensions": extensions }).to_string());
    }
    for body in bodies {
        for accept in [GRAPHQL, JSON] {
            let answer = send(post(&app, accept, body.clone())).await;
            assert_refused(&answer, 400, "BAD_REQUEST", &body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_are_null_or_unknown_are_ignored() {
    let app = TestApp::new().await;
    let body = json!({
        "query": "{ __typename }", "operationName": null, "variables": null, "extensions": null,
        "documentId": null, "onceUponATime": { "a": [1] },
    });
    assert_eq!(
        app.post(&body).await.data(),
        json!({ "__typename": "Query" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_where_and_what() {
    let app = TestApp::new().await;
    let answer = app.query("{ artists {\n  nodes { nothing } } }").await;
    assert_eq!(
        answer.body["errors"][0]["locations"],
        json!([{ "line": 2, "column": 11 }])
    );
    let answer = app.query("{\n  genres {").await;
    assert_eq!(
        answer.body["errors"][0]["locations"][0]["line"], 2,
        "{:#}",
        answer.body
    );
    let answer = app
        .query_with("query ($id: ID!) { track(id: $id) { id } }", json!({}))
        .await;
    assert_eq!(
        answer.message(),
        "Variable \"$id\" of required type \"ID!\" was not provided."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_fails_is_null_beside_those_that_did_not() {
    let app = TestApp::new().await;
    let query = "{ before: __typename track(id: \"nonsense\") { id } artist(slug: \"nobody\") { id } after: __typename }";
    for accept in [GRAPHQL, JSON] {
        let answer = send(post(&app, accept, json!({ "query": query }).to_string())).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body["data"],
            json!({ "before": "Query", "track": null, "artist": null, "after": "Query" })
        );
        assert_eq!(answer.code(), "BAD_REQUEST");
        assert_eq!(answer.body["errors"][0]["path"], json!(["track"]));
        assert_eq!(
            answer.body["errors"][0]["locations"],
            json!([{ "line": 1, "column": 22 }])
        );
    }
}

/// It ran, so it has data: null.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_nothing_nullable_holds_leaves_no_data_but_its_key() {
    let app = TestApp::new().await;
    let query = "{ tracks(first: 1, last: 1) { nodes { id } } }";
    for accept in [GRAPHQL, JSON] {
        let answer = send(post(&app, accept, json!({ "query": query }).to_string())).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.get("data"), Some(&Value::Null));
        assert_eq!(answer.code(), "BAD_REQUEST");
        assert_eq!(answer.body["errors"][0]["path"], json!(["tracks"]));
    }
}
