//! What a document may ask for, by exact numbers, and what becomes of documents that mean harm: each is refused before
//! a single statement has run, and costs its sender nothing.

use std::fmt::Write;
use std::time::{Duration, Instant};

use empulse::accounts::Actor;
use empulse::graphql::{Api, Caller, Request};
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

fn repeated(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        write!(text, "{} ", item(number)).unwrap();
        text
    })
}

/// A document of exactly so many bytes.
fn of_bytes(bytes: usize) -> String {
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
            "{{ artist(slug: \"nobody\") {{ {spreads} {more} }} }} fragment F on Artist {{ {fields} }}"
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
        let body = json!({ "query": passes, "operationName": passes.starts_with("query Q0").then_some("Q0") });
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
    let query = "query ($n: Int = 25) { artists(first: 37) { nodes { tracks(first: $n) { nodes { id } } } } }";
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

/// A request that means harm, and how it is refused.
struct Hostile {
    name: &'static str,
    body: Value,
    status: u16,
    code: &'static str,
}

const COMPLEX: (u16, &str) = (422, "OPERATION_TOO_COMPLEX");
const INVALID: (u16, &str) = (422, "GRAPHQL_VALIDATION_FAILED");
const UNPARSABLE: (u16, &str) = (400, "GRAPHQL_PARSE_FAILED");

fn hostile() -> Vec<Hostile> {
    let document = |name, (status, code), query: String| Hostile {
        name,
        body: json!({ "query": query }),
        status,
        code,
    };
    let with = |name, (status, code), query: &str, variables: Value| Hostile {
        name,
        body: json!({ "query": query, "variables": variables }),
        status,
        code,
    };
    let nested_value = |open: &str, close: &str, levels: usize| {
        format!(
            "{{ tracks(filter: {}1{}) {{ nodes {{ id }} }} }}",
            open.repeat(levels),
            close.repeat(levels)
        )
    };
    let doubling = |levels: usize| {
        let fragments = repeated(levels, |number| {
            let next = number + 1;
            format!("fragment F{number} on Artist {{ ...F{next} ...F{next} }}")
        });
        format!(
            "{{ artist(slug: \"x\") {{ ...F0 }} }} {fragments} fragment F{levels} on Artist {{ name }}"
        )
    };
    let doubling_by_field = |levels: usize| {
        let fragments = repeated(levels, |number| {
            let next = number + 1;
            format!(
                "fragment F{number} on Artist {{ a{number}: albums(first: 1) {{ nodes {{ artist {{ ...F{next} ...F{next} }} }} }} }}"
            )
        });
        format!(
            "{{ artist(slug: \"x\") {{ ...F0 }} }} {fragments} fragment F{levels} on Artist {{ name }}"
        )
    };
    let circle = |length: usize| {
        let fragments = repeated(length, |number| {
            format!(
                "fragment F{number} on Artist {{ name ...F{} }}",
                (number + 1) % length
            )
        });
        format!("{{ artist(slug: \"x\") {{ ...F0 }} }} {fragments}")
    };
    let conflicts = repeated(30, |number| {
        format!("a: {}", if number % 2 == 0 { "name" } else { "slug" })
    });
    let introspection = |levels: usize| {
        format!(
            "{{ __schema {}{{ name }}{} }}",
            "{ types { fields { type ".repeat(levels),
            "} } }".repeat(levels)
        )
    };
    let deep_variables = (0..100).fold(json!(1), |inner, _| json!([inner]));
    vec![
        document("an empty document", UNPARSABLE, String::new()),
        document("braces without end", COMPLEX, "{a".repeat(60_000)),
        document("braces closed", COMPLEX, format!("{}{}", "{a".repeat(30_000), "}".repeat(30_000))),
        document("lists in lists", COMPLEX, nested_value("[", "]", 30_000)),
        document("objects in objects", COMPLEX, nested_value("{not:", "}", 20_000)),
        document("lists in lists, just let through", INVALID, nested_value("[", "]", 60)),
        document("inline fragments in one another", COMPLEX, format!("{{{}}}", "...{".repeat(1_000) + "a" + &"}".repeat(1_000))),
        document("a string without end", UNPARSABLE, format!("{{ artist(slug: \"{}", "x".repeat(120_000))),
        document("a block string without end", UNPARSABLE, format!("{{ artist(slug: \"\"\"{}", "\" ".repeat(50_000))),
        document("a megabyte", COMPLEX, of_bytes(990_000)),
        document("a megabyte of fields", COMPLEX, format!("{{ {} }}", "a ".repeat(490_000))),
        document("commas", UNPARSABLE, format!("{{{}", ",".repeat(130_000))),
        document("comments", UNPARSABLE, "#\n".repeat(65_000)),
        document("one endless number", COMPLEX, format!("{{ tracks(first: {}) {{ nodes {{ id }} }} }}", "9".repeat(100_000))),
        document("a number beyond all", UNPARSABLE, "{ tracks(first: 1e999999999) { nodes { id } } }".into()),
        document("one endless name", COMPLEX, format!("{{ {} }}", "a".repeat(100_000))),
        document("unknown fields", INVALID, format!("{{ {} }}", repeated(20, |number| format!("nothing{number}")))),
        document("unknown fields without end", INVALID, format!("{{ artist(slug: \"x\") {{ {} }} }}", repeated(3_900, |number| format!("nothing{number}")))),
        document("unknown directives", INVALID, format!("{{ genres {{ slug {} }} }}", repeated(50, |number| format!("@d{number}")))),
        document("directives without end", COMPLEX, format!("{{ __typename {} }}", "@include(if: true) ".repeat(600))),
        document("arguments without end", COMPLEX, format!("{{ tracks({}) {{ nodes {{ id }} }} }}", repeated(900, |number| format!("a{number}: 1")))),
        document("aliases without end", COMPLEX, format!("{{ artist(slug: \"x\") {{ {} }} }}", repeated(1_200, |number| format!("a{number}: biography")))),
        document("root fields without end", COMPLEX, format!("{{ {} }}", repeated(1_200, |_| "__typename".into()))),
        document("fields that conflict", INVALID, format!("{{ artist(slug: \"x\") {{ {conflicts} }} }}")),
        document("variables without end", INVALID, format!("query ({}) {{ __typename }}", repeated(900, |number| format!("$v{number}: Int")))),
        document("fragments that double each other", COMPLEX, doubling(30)),
        document("fragments that double each other by fields", COMPLEX, doubling_by_field(6)),
        document("fragments in a circle", INVALID, circle(1)),
        document("fragments in a long circle", INVALID, circle(20)),
        document("fragments in a circle that nobody spreads", INVALID, "{ __typename } fragment A on Artist { ...B } fragment B on Artist { ...A }".into()),
        document("fragments that nobody spreads", INVALID, format!("{{ __typename }} {}", repeated(400, |number| format!("fragment F{number} on Artist {{ name }}")))),
        document("fragments that are not there", INVALID, "{ ...A ...B ...C }".into()),
        document("operations without end", COMPLEX, repeated(900, |number| format!("query Q{number} {{ __typename }}"))),
        document("pages in pages in pages", COMPLEX, "{ artists(first: 100) { nodes { albums(first: 100) { nodes { tracks(first: 100) { nodes { id } } } } } } }".into()),
        document("pages within their number and over their price", COMPLEX, "{ artists(first: 11) { nodes { tracks(first: 90) { nodes { id } } } } }".into()),
        document("many nodes at the price of few", COMPLEX, format!("{{ nodes(ids: [{}]) {{ id }} }}", repeated(1_001, |_| "\"\"".into()))),
        document("introspection without end", COMPLEX, introspection(5)),
        document("introspection that multiplies", COMPLEX, introspection(2)),
        document("introspection by ofType", COMPLEX, format!("{{ __type(name: \"Track\") {{ {} name {} }} }}", "ofType { ".repeat(25), "}".repeat(25))),
        document("a subscription", INVALID, "subscription { anything }".into()),
        document("a mutation", INVALID, "mutation { anything }".into()),
        document("a definition of types", UNPARSABLE, "type Query { a: Int }".into()),
        document("control characters", UNPARSABLE, "{ \u{0} __typename }".into()),
        with("a variable of another type", INVALID, "query ($n: Int) { tracks(first: $n) { nodes { id } } }", json!({ "n": "1" })),
        with("variables with too many values", COMPLEX, "query ($v: [String!]) { tracks(filter: { genreSlugs: $v }) { nodes { id } } }", json!({ "v": vec!["pop"; 10_000] })),
        with("variables in one another", INVALID, "query ($v: [String!]) { tracks(filter: { genreSlugs: $v }) { nodes { id } } }", json!({ "v": deep_variables })),
        with("ids by variable without end", COMPLEX, "query ($v: [ID!]!) { nodes(ids: $v) { id } }", json!({ "v": vec!["x"; 1_001] })),
    ]
}

/// An address that no other test has, as limits are counted by it.
fn an_address() -> String {
    let random = uuid::Uuid::new_v4();
    let bytes = random.as_bytes();
    format!("198.{}.{}.{}", 18 + bytes[0] % 2, bytes[1], bytes[2])
}

async fn post_from(app: &TestApp, address: &str, body: &Value) -> Answer {
    let request = app
        .client
        .post(app.url("/graphql"))
        .header("accept", "application/graphql-response+json")
        .header("x-forwarded-for", address)
        .json(body);
    Answer::of(request.send().await.unwrap()).await
}

/// What is left of the budget, as the header of an answer tells it.
fn remaining(answer: &Answer) -> u64 {
    let header = answer
        .header("ratelimit")
        .unwrap_or_else(|| panic!("no budget: {:#}", answer.body));
    let remaining = header.split(';').find_map(|part| part.strip_prefix("r="));
    remaining.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_means_harm_runs_nothing_and_costs_nothing() {
    let app = TestApp::with(&[
        ("EMPULSE_RATE_FACTOR", "1"),
        ("EMPULSE_TRUSTED_PROXIES", "127.0.0.0/8"),
    ])
    .await;
    let address = an_address();
    let first = post_from(
        &app,
        &address,
        &json!({ "query": "{ rateLimit { limit cost remaining } }" }),
    )
    .await;
    assert_eq!(remaining(&first), 2_999);
    assert_eq!(
        first.data()["rateLimit"],
        json!({ "limit": 3_000, "cost": 1, "remaining": 2_999 })
    );
    let before = app.app.db.statements();
    for Hostile {
        name,
        body,
        status,
        code,
    } in hostile()
    {
        let answer = post_from(&app, &address, &body).await;
        let answer_size = answer.body.to_string().len();
        assert_eq!(answer.status, status, "{name}: {:#}", answer.body);
        let errors = answer.body["errors"].as_array().unwrap();
        assert!(
            (1..=20).contains(&errors.len()),
            "{name}: {:#}",
            answer.body
        );
        for error in errors {
            assert_eq!(error["extensions"]["code"], code, "{name}: {error:#}");
        }
        assert_eq!(answer.body.get("data"), None, "{name}");
        assert!(
            answer_size < 20_000,
            "{name}: an answer of {answer_size} bytes"
        );
        assert_eq!(app.app.db.statements(), before, "{name}");
    }
    // Sliding over its window, a budget only grows again: nothing of it was spent in between.
    let last = post_from(
        &app,
        &address,
        &json!({ "query": "{ rateLimit { cost } }" }),
    )
    .await;
    assert!(
        (2_998..=2_999).contains(&remaining(&last)),
        "{}",
        remaining(&last)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_a_megabyte_is_not_read() {
    let app = TestApp::new().await;
    let answer = app.query(&of_bytes(1_000_000)).await;
    assert_eq!((answer.status, answer.code()), (413, "PAYLOAD_TOO_LARGE"));
    for body in [
        "[".repeat(100_000),
        "{\"variables\":".repeat(10_000),
        format!(
            "{{\"query\":\"{{__typename}}\",\"variables\":{{\"v\":{}{}}}}}",
            "[".repeat(10_000),
            "]".repeat(10_000)
        ),
    ] {
        let request = app
            .client
            .post(app.url("/graphql"))
            .header("content-type", "application/json")
            .body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST"));
    }
}

/// How long each refusal takes, without HTTP around it: printed and not asserted, as a test build's times say little.
/// `cargo test --release --test api how_long -- --nocapture` is the one to read.
#[tokio::test(flavor = "multi_thread")]
async fn how_long_refusals_take_is_told() {
    const TIMES: u32 = 5;
    let app = TestApp::new().await;
    let api = Api::new(app.app.clone()).unwrap();
    let caller = Caller {
        actor: Actor::Anonymous,
        address: "198.51.100.1".into(),
        correlation_id: "how-long".into(),
        client_name: None,
        client_version: None,
        only_queries: false,
    };
    let mut times: Vec<(Duration, &'static str)> = Vec::new();
    for Hostile { name, body, .. } in hostile() {
        let mut took = Duration::MAX;
        for _ in 0..TIMES {
            let request: Request = serde_json::from_value(body.clone()).unwrap();
            let started = Instant::now();
            let reply = api.run(vec![request], &caller).await;
            took = took.min(started.elapsed());
            assert!(reply.answers[0].refusal().is_some(), "{name}");
        }
        times.push((took, name));
    }
    times.sort_unstable_by(|one, other| other.cmp(one));
    for (took, name) in times {
        println!("{:>9.1} µs  {name}", took.as_secs_f64() * 1e6);
    }
}
