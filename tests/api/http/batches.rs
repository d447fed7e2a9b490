//! Several operations in one request: run as one, priced as one, answered one by one.

use serde_json::{Value, json};

use super::{GRAPHQL, JSON, post, send};
use crate::support::{Answer, TestApp};

fn typename(alias: &str) -> Value {
    json!({ "query": format!("{{ {alias}: __typename }}") })
}

/// The code of each answer's first error; none where it has no errors.
fn codes(answer: &Answer) -> Vec<Option<&str>> {
    let answers = answer.body.as_array().unwrap().iter();
    answers
        .map(|one| one.get("errors")?[0]["extensions"]["code"].as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_operations_are_answered_in_their_order() {
    let app = TestApp::new().await;
    let batch: Vec<Value> = (0..10)
        .map(|place| typename(&format!("a{place}")))
        .collect();
    for accept in [GRAPHQL, JSON] {
        let answer = send(post(&app, accept, json!(batch).to_string())).await;
        assert_eq!(answer.status, 200);
        let expected: Vec<Value> = (0..10)
            .map(|place| json!({ "data": { format!("a{place}"): "Query" } }))
            .collect();
        assert_eq!(answer.body, json!(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eleven_operations_are_refused_whole() {
    let app = TestApp::new().await;
    let batch = vec![typename("a"); 11];
    for (accept, status) in [(GRAPHQL, 422), (JSON, 200)] {
        let answer = send(post(&app, accept, json!(batch).to_string())).await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.body,
            json!([{ "errors": [{
                "message": "The number of operations in the batch is 11; at most 10 is allowed.",
                "extensions": { "code": "OPERATION_TOO_COMPLEX" },
            }] }])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_is_no_request() {
    let app = TestApp::new().await;
    for accept in [GRAPHQL, JSON] {
        let answer = send(post(&app, accept, " []")).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.body,
            json!([{ "errors": [{
                "message": "A batch must hold at least one operation.",
                "extensions": { "code": "BAD_REQUEST" },
            }] }])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_one_is_answered_as_a_batch() {
    let app = TestApp::new().await;
    let answer = app.post(&json!([typename("a")])).await;
    assert_eq!(answer.body, json!([{ "data": { "a": "Query" } }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_operation_spoils_its_own_answer_only() {
    let app = TestApp::new().await;
    let batch =
        json!([typename("a"), { "query": "{" }, { "query": "{ nothing }" }, typename("b"), {}]);
    for accept in [GRAPHQL, JSON] {
        let answer = send(post(&app, accept, batch.to_string())).await;
        // Something ran.
        assert_eq!(answer.status, 200);
        assert_eq!(
            codes(&answer),
            [
                None,
                Some("GRAPHQL_PARSE_FAILED"),
                Some("GRAPHQL_VALIDATION_FAILED"),
                None,
                Some("BAD_REQUEST")
            ]
        );
        assert_eq!(answer.body[0]["data"], json!({ "a": "Query" }));
        assert_eq!(answer.body[1].get("data"), None);
        assert_eq!(answer.body[3]["data"], json!({ "b": "Query" }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_without_a_good_operation_has_the_status_of_the_first() {
    let app = TestApp::new().await;
    let (parse, validate) = (json!({ "query": "{" }), json!({ "query": "{ nothing }" }));
    for (batch, status) in [
        (json!([parse, validate]), 400),
        (json!([validate, parse]), 422),
    ] {
        let answer = send(post(&app, GRAPHQL, batch.to_string())).await;
        assert_eq!(answer.status, status);
        assert_eq!(codes(&answer).len(), 2);
        let answer = send(post(&app, JSON, batch.to_string())).await;
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_priced_together() {
    let app = TestApp::new().await;
    // 1 + 100 points each.
    let page = json!({ "query": "{ artists(first: 100) { nodes { id } } }" });
    let nine = vec![page.clone(); 9];
    assert_eq!(codes(&app.post(&json!(nine)).await), [None; 9]);
    let ten = vec![page; 10];
    let answer = app.post(&json!(ten)).await;
    assert_eq!(answer.status, 422);
    assert_eq!(codes(&answer), [Some("OPERATION_TOO_COMPLEX"); 10]);
    assert_eq!(
        answer.body[9]["errors"][0]["message"],
        "The price of the request is 1010; at most 1000 is allowed."
    );
}

/// A list where an object is expected is no object with its members in some order.
#[tokio::test(flavor = "multi_thread")]
async fn operations_are_objects() {
    let app = TestApp::new().await;
    for batch in [
        json!([["{ __typename }"]]),
        json!(["{ __typename }"]),
        json!([null]),
        json!([typename("a"), 7]),
    ] {
        let answer = app.post(&batch).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BAD_REQUEST"),
            "{batch}"
        );
    }
}
