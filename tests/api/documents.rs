//! What a document may ask for, and what it costs, by exact numbers.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

/// `innermost` within so many objects, by the way round from artists to albums and back.
fn nested(levels: usize, innermost: &str) -> String {
    let way = ["albums(first: 1)", "nodes", "artist"];
    let mut text = "artist(slug: \"nobody\")".to_owned();
    for level in 0..levels.saturating_sub(1) {
        text = format!("{text} {{ {}", way[level % 3]);
    }
    format!("{{ {text} {{ {innermost} }} {}", "}".repeat(levels))
}

pub fn repeated(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        write!(text, "{} ", item(number)).unwrap();
        text
    })
}

/// A document of exactly so many bytes.
pub fn of_bytes(bytes: usize) -> String {
    let end = "\n{ __typename }";
    format!("#{}{end}", "x".repeat(bytes - 1 - end.len()))
}

/// What just passes, what just does not, and the words in which it is refused.
fn limits() -> Vec<(String, String, String)> {
    let limit = |what: &str, limit: usize, passes: String, refused: String| {
        let message = format!("The {what} is {}; at most {limit} is allowed.", limit + 1);
        (passes, refused, message)
    };
    let aliases = |count| {
        let names = repeated(count, |number| format!("a{number}: name"));
        format!("{{ artist(slug: \"nobody\") {{ {names} }} }}")
    };
    let root_fields = |count| {
        format!(
            "{{ {} }}",
            repeated(count, |number| format!("a{number}: __typename"))
        )
    };
    let directives = |count| {
        let names = repeated(count, |_| "name @include(if: true)".into());
        format!("{{ artist(slug: \"nobody\") {{ {names} }} }}")
    };
    // `{ artist ( slug : "nobody" ) {` and `} }` are ten.
    let tokens = |count: usize| {
        format!(
            "{{ artist(slug: \"nobody\") {{ {} }} }}",
            repeated(count - 10, |_| "name".into())
        )
    };
    let words = |length| format!("{{ {}: __typename }}", "a".repeat(length));
    let operations = |count| repeated(count, |number| format!("query Q{number} {{ __typename }}"));
    let nesting = |levels: usize| {
        // Spreads nest without being fields.
        format!(
            "{{ {} __typename {} }}",
            "... {".repeat(levels - 1),
            "}".repeat(levels - 1)
        )
    };
    // The root field and its argument, 98 spreads with the 99 fields that each stands for, the fragment's own 99, and
    // as many fields more as are missing.
    let expanded = |size: usize| {
        let spreads = repeated(98, |_| "...F".into());
        let fields = repeated(99, |_| "name".into());
        let more = repeated(size - (2 + 98 * 100 + 99), |_| "name".into());
        format!(
            "{{ artist(slug: \"nobody\") {{ {spreads} {more} }} }}
             fragment F on Artist {{ {fields} }}"
        )
    };
    vec![
        limit(
            "depth of the operation",
            15,
            nested(14, "__typename"),
            nested(15, "__typename"),
        ),
        limit("number of aliases", 30, aliases(30), aliases(31)),
        limit(
            "number of root fields",
            20,
            root_fields(20),
            root_fields(21),
        ),
        limit(
            "number of directives in the document",
            50,
            directives(50),
            directives(51),
        ),
        limit(
            "number of tokens in the document",
            2_000,
            tokens(2_000),
            tokens(2_001),
        ),
        limit(
            "length of the document in bytes",
            65_536,
            of_bytes(65_536),
            of_bytes(65_537),
        ),
        limit(
            "length of the longest name or number in bytes",
            255,
            words(255),
            words(256),
        ),
        limit(
            "nesting of selections and fragments",
            32,
            nesting(32),
            nesting(33),
        ),
        limit(
            "size of the document with its fragments followed",
            10_000,
            expanded(10_000),
            expanded(10_001),
        ),
        limit(
            "number of operations in the document",
            10,
            operations(10),
            operations(11),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_limit_is_exact() {
    let app = TestApp::new().await;
    for (passes, refused, message) in limits() {
        // Of several operations one is named to run.
        let name = passes.starts_with("query Q0").then_some("Q0");
        let body = json!({ "query": passes, "operationName": name });
        let answer = app.post(&body).await;
        assert_eq!(
            answer.body.get("errors"),
            None,
            "{message}: {:#}",
            answer.body
        );
        let before = app.app.db.statements();
        let answer = app.query(&refused).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "OPERATION_TOO_COMPLEX")
        );
        assert_eq!(answer.message(), message);
        assert_eq!(answer.body.get("data"), None);
        assert_eq!(app.app.db.statements(), before, "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_cost_1_000() {
    let app = TestApp::new().await;
    // 1 + 37 × (1 + 1 + 25)
    let list = "artists(first: 37) { nodes { tracks(first: 25) { nodes { id } } } }";
    app.data(&format!("{{ {list} }}")).await;
    let answer = app
        .query(&format!("{{ {list} rateLimit {{ cost }} }}"))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (422, "OPERATION_TOO_COMPLEX")
    );
    assert_eq!(
        answer.message(),
        "The price of the request is 1001; at most 1000 is allowed."
    );

    let data = app
        .data("{ tracks(first: 100) { nodes { artist { id } } } rateLimit { cost } }")
        .await;
    assert_eq!(data["rateLimit"]["cost"], 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_size_by_variable_is_priced_by_its_value() {
    let app = TestApp::new().await;
    let query = "query ($n: Int = 25) {
        artists(first: 37) { nodes { tracks(first: $n) { nodes { id } } } } }";
    for variables in [
        json!({}),
        json!({ "n": 25 }),
        json!({ "n": null }),
        json!({ "n": 1 }),
    ] {
        app.data_with(query, variables).await;
    }
    for (size, price) in [(26, 1_037), (100, 3_775), (101, 3_775), (i32::MAX, 3_775)] {
        let before = app.app.db.statements();
        let answer = app.query_with(query, json!({ "n": size })).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "OPERATION_TOO_COMPLEX"),
            "{size}"
        );
        assert_eq!(
            answer.message(),
            format!("The price of the request is {price}; at most 1000 is allowed.")
        );
        assert_eq!(app.app.db.statements(), before);
    }
    // A negative size can't make anything cheaper; it is refused when its field runs.
    let answer = app.query_with(query, json!({ "n": -1_000 })).await;
    assert_eq!((answer.status, answer.body["data"].is_null()), (200, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_priced_together_and_holds_ten() {
    let app = TestApp::new().await;
    let of_101 = json!({ "query": "{ tracks(first: 100) { nodes { id } } }" });
    let batch = |count: usize, one: &Value| Value::Array(vec![one.clone(); count]);

    let answer = app.post(&batch(9, &of_101)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        batch(9, &json!({ "data": { "tracks": { "nodes": [] } } }))
    );

    let before = app.app.db.statements();
    let answer = app.post(&batch(10, &of_101)).await;
    assert_eq!(answer.status, 422);
    let answers = answer.body.as_array().unwrap();
    assert_eq!(answers.len(), 10);
    for answer in answers {
        assert_eq!(
            answer["errors"][0]["extensions"]["code"],
            "OPERATION_TOO_COMPLEX"
        );
        assert_eq!(
            answer["errors"][0]["message"],
            "The price of the request is 1010; at most 1000 is allowed."
        );
        assert_eq!(answer.get("data"), None);
    }
    for (size, code, status, message) in [
        (
            0,
            "BAD_REQUEST",
            400,
            "A batch must hold at least one operation.",
        ),
        (
            11,
            "OPERATION_TOO_COMPLEX",
            422,
            "The number of operations in the batch is 11; at most 10 is allowed.",
        ),
    ] {
        let answer = app
            .post(&batch(size, &json!({ "query": "{ __typename }" })))
            .await;
        assert_eq!(answer.status, status);
        let answers = answer.body.as_array().unwrap();
        assert_eq!(answers.len(), 1, "{:#}", answer.body);
        assert_eq!(answers[0]["errors"][0]["extensions"]["code"], code);
        assert_eq!(answers[0]["errors"][0]["message"], message);
    }
    assert_eq!(app.app.db.statements(), before);

    // One that is refused by itself leaves the others.
    let answer = app
        .post(&json!([
            { "query": "{ __typename }" },
            { "query": "{ nothing }" },
            { "query": "{ genres { slug }" },
        ]))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body[0], json!({ "data": { "__typename": "Query" } }));
    assert_eq!(
        answer.body[1]["errors"][0]["extensions"]["code"],
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(
        answer.body[2]["errors"][0]["extensions"]["code"],
        "GRAPHQL_PARSE_FAILED"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_a_megabyte_or_nested_beyond_reason_is_no_request() {
    let app = TestApp::new().await;
    let answer = app.query(&of_bytes(1_000_000)).await;
    assert_eq!((answer.status, answer.code()), (413, "PAYLOAD_TOO_LARGE"));
    let value = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let (bad, too_complex) = ((400, "BAD_REQUEST"), (422, "OPERATION_TOO_COMPLEX"));
    for (body, expected) in [
        ("[".repeat(10_000), bad),
        ("{\"variables\":".repeat(10_000), bad),
        (
            format!("{{\"query\":\"{{__typename}}\",\"variables\":{{\"v\":{value}}}}}"),
            bad,
        ),
        // Counted before it is read, so that nobody knows whether it is JSON.
        ("[".repeat(100_000), too_complex),
    ] {
        let request = app
            .client
            .post(app.url("/graphql"))
            .header("content-type", "application/json")
            .body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), expected);
    }
}
