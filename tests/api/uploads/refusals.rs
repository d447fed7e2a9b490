//! What is not as the specification has it, and what is no file.

use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_runs_that_comes_with_files_or_could() {
    let app = TestApp::new().await;
    let one = json!({ "query": "{ __typename }", "variables": { "unused": null } });
    let answer = send(&app, &one, &json!({}), &[]).await;
    assert_eq!(answer.data(), json!({ "__typename": "Query" }));
    // Nobody wants it.
    let answer = send(&app, &one, &json!({ "0": ["variables.unused"] }), &[b"a"]).await;
    assert_eq!(answer.data(), json!({ "__typename": "Query" }));
    let batch = json!([one, one]);
    let map = json!({ "0": ["1.variables.unused"] });
    let answer = send(&app, &batch, &map, &[b"a"]).await;
    assert_eq!(answer.status, 200);
    let ran = json!({ "data": { "__typename": "Query" } });
    assert_eq!(answer.body, json!([ran, ran]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_the_status_that_goes_with_them() {
    let app = TestApp::new().await;
    let one = json!({ "query": "{ __typename }", "variables": { "a": null, "b": 7 } });
    for (operations, map, status, code) in [
        (json!(7), json!({}), 400, "BAD_REQUEST"),
        (one.clone(), json!([]), 400, "BAD_REQUEST"),
        (
            one.clone(),
            json!({ "0": ["variables.b"] }),
            400,
            "BAD_REQUEST",
        ),
        (
            one.clone(),
            json!({ "0": ["variables.c"] }),
            400,
            "BAD_REQUEST",
        ),
        (one.clone(), json!({ "1": ["variables.a"] }), 200, ""),
        (
            json!([one]),
            json!({ "0": ["1.variables.a"] }),
            400,
            "BAD_REQUEST",
        ),
        (
            json!({ "query": "{" }),
            json!({}),
            400,
            "GRAPHQL_PARSE_FAILED",
        ),
        (
            json!({ "query": "{ nothing }" }),
            json!({}),
            422,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            json!({ "query": "query ($a: ID!) { node(id: $a) { id } }", "variables": { "a": null } }),
            json!({ "0": ["variables.a"] }),
            422,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            json!({ "query": "query ($a: Upload!) { __typename }", "variables": { "a": "#__graphql_file__:0" } }),
            json!({}),
            422,
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (
            json!([one, one, one, one, one, one, one, one, one, one, one]),
            json!({}),
            422,
            "OPERATION_TOO_COMPLEX",
        ),
    ] {
        let files: &[&[u8]] = match map.as_object().is_some_and(|map| !map.is_empty()) {
            true => &[b"a"],
            false => &[],
        };
        let answer = send(&app, &operations, &map, files).await;
        assert_eq!(answer.status, status, "{operations} {map} {answer:?}");
        if status != 200 {
            let told = match &answer.body {
                Value::Array(all) => all[0]["errors"][0].clone(),
                one => one["errors"][0].clone(),
            };
            assert_eq!(told["extensions"]["code"], code, "{answer:?}");
            assert_ne!(told["message"], "", "{answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_judged_before_the_body_is() {
    let app = TestApp::new().await;
    let request = multipart(&app, "nonsense").bearer_auth("nonsense");
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
}
