//! What clients are told where the fault is ours: that it is, and the id to ask with. Nothing of the inside.

use serde_json::{Value, json};

use super::{GRAPHQL, JSON, post, send};
use crate::support::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_is_told_as_an_id_and_nothing_else() {
    let app = TestApp::new().await;
    let sql = app.sql().await;
    sql.batch_execute("alter table tracks rename to elsewhere")
        .await
        .unwrap();
    let id = "track_01h455vb4pex5vsknk084sn02q";
    let internal = |path: Value, column: u64, id: &str| {
        json!({
            "message": "Something went wrong on our side.",
            "locations": [{ "line": 1, "column": column }],
            "path": path,
            "extensions": { "code": "INTERNAL", "correlationId": id },
        })
    };
    for accept in [GRAPHQL, JSON] {
        // A nullable field alone is null; one that can't be null takes all with it.
        let query = format!("{{ genres {{ slug }} track(id: \"{id}\") {{ id }} }}");
        let body = json!({ "query": query }).to_string();
        let request = post(&app, accept, body).header("x-correlation-id", "0123-abcd");
        let answer = send(request).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-correlation-id"), Some("0123-abcd"));
        assert_eq!(
            answer.body["errors"],
            json!([internal(json!(["track"]), 19, "0123-abcd")])
        );
        assert_eq!(answer.body["data"]["track"], Value::Null);
        assert_eq!(answer.body["data"]["genres"].as_array().unwrap().len(), 32);

        let body = json!({ "query": "{ tracks { nodes { id } } }" }).to_string();
        let answer = send(post(&app, accept, body)).await;
        let made = answer.header("x-correlation-id").unwrap().to_owned();
        assert_eq!(
            answer.body,
            json!({ "data": null, "errors": [internal(json!(["tracks"]), 3, &made)] })
        );
    }
}

/// What was away comes back without anybody having to start anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_not_kept() {
    let app = TestApp::new().await;
    let sql = app.sql().await;
    sql.batch_execute("alter table genres rename to elsewhere")
        .await
        .unwrap();
    let answer = app.query("{ genres { slug } }").await;
    assert_eq!(answer.code(), "INTERNAL");
    sql.batch_execute("alter table elsewhere rename to genres")
        .await
        .unwrap();
    let data = app.data("{ genres { slug } }").await;
    assert_eq!(data["genres"].as_array().unwrap().len(), 32);
}
