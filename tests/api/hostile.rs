//! Documents that mean harm: each is refused before a single statement has run, quickly, and costs its sender nothing.

use std::time::{Duration, Instant};

use empulse::accounts::{Actor, Client};
use empulse::graphql::{Api, Caller, Request};
use serde_json::{Value, json};

use crate::documents::{of_bytes, repeated};
use crate::support::{Answer, TestApp};

/// A request, and how it is refused.
struct Hostile {
    name: &'static str,
    body: Value,
    status: u16,
    code: &'static str,
}

/// Documents of one kind, refused alike.
struct Kind(u16, &'static str);

const UNPARSABLE: Kind = Kind(400, "GRAPHQL_PARSE_FAILED");
const INVALID: Kind = Kind(422, "GRAPHQL_VALIDATION_FAILED");
const COMPLEX: Kind = Kind(422, "OPERATION_TOO_COMPLEX");

impl Kind {
    fn with(self, name: &'static str, query: String, variables: Value) -> Hostile {
        Hostile {
            name,
            body: json!({ "query": query, "variables": variables }),
            status: self.0,
            code: self.1,
        }
    }

    fn by(self, name: &'static str, query: impl Into<String>) -> Hostile {
        self.with(name, query.into(), json!({}))
    }
}

/// These fields, asked of an artist.
fn of_artist(fields: impl std::fmt::Display) -> String {
    format!("{{ artist(slug: \"x\") {{ {fields} }} }}")
}

/// A value in a place where a filter belongs.
fn filter(value: &str) -> String {
    format!("{{ tracks(filter: {value}) {{ nodes {{ id }} }} }}")
}

fn within(open: &str, inner: &str, close: &str, levels: usize) -> String {
    format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
}

/// For the scanner and the parser, which must not recurse on what they are given.
fn texts() -> Vec<Hostile> {
    vec![
        UNPARSABLE.by("an empty document", ""),
        UNPARSABLE.by("commas", format!("{{{}", ",".repeat(65_000))),
        UNPARSABLE.by("comments", "#\n".repeat(32_000)),
        UNPARSABLE.by("control characters", "{ \u{0} __typename }"),
        UNPARSABLE.by(
            "a string without end",
            format!("{{ artist(slug: \"{}", "x".repeat(60_000)),
        ),
        UNPARSABLE.by(
            "a block string without end",
            format!("{{ a(b: \"\"\"{}", "\" ".repeat(20_000)),
        ),
        UNPARSABLE.by(
            "a number beyond all",
            "{ tracks(first: 1e999999999) { nodes { id } } }",
        ),
        UNPARSABLE.by("a definition of types", "type Query { a: Int }"),
        COMPLEX.by("a megabyte", of_bytes(990_000)),
        COMPLEX.by(
            "a megabyte of fields",
            format!("{{ {} }}", "a ".repeat(490_000)),
        ),
        COMPLEX.by("an endless name", format!("{{ {} }}", "a".repeat(100_000))),
        COMPLEX.by("an endless number", filter(&"9".repeat(100_000))),
        COMPLEX.by("braces without end", "{a".repeat(60_000)),
        COMPLEX.by("braces in braces", within("{a", "", "}", 30_000)),
        COMPLEX.by("lists in lists", filter(&within("[", "1", "]", 30_000))),
        COMPLEX.by(
            "objects in objects",
            filter(&within("{not:", "1", "}", 20_000)),
        ),
        COMPLEX.by(
            "fragments in fragments",
            format!("{{{}}}", within("...{", "a", "}", 1_000)),
        ),
    ]
}

/// For the rules, some of which compare everything with everything.
fn selections() -> Vec<Hostile> {
    let numbered =
        |count, text: &str| repeated(count, |number| text.replace('#', &number.to_string()));
    let conflicting = numbered(15, "a: name a: slug");
    let pages = "artists(first: 100) { nodes { albums(first: 100) { nodes {
                 tracks(first: 100) { nodes { id } } } } } }";
    vec![
        INVALID.by(
            "lists where an object belongs",
            filter(&within("[", "1", "]", 60)),
        ),
        INVALID.by(
            "unknown root fields",
            format!("{{ {} }}", numbered(20, "nothing#")),
        ),
        INVALID.by(
            "unknown fields without end",
            of_artist(numbered(1_900, "nothing#")),
        ),
        INVALID.by(
            "unknown directives",
            of_artist(format!("name {}", numbered(50, "@d#"))),
        ),
        INVALID.by("fields that conflict", of_artist(conflicting)),
        INVALID.by("a subscription", "subscription { anything }"),
        INVALID.by("a mutation", "mutation { anything }"),
        COMPLEX.by(
            "directives without end",
            of_artist(format!("name {}", "@skip(if: true) ".repeat(500))),
        ),
        COMPLEX.by(
            "arguments without end",
            of_artist(format!("name({})", numbered(900, "a#: 1"))),
        ),
        COMPLEX.by(
            "aliases without end",
            of_artist(numbered(1_200, "a#: biography")),
        ),
        COMPLEX.by(
            "root fields without end",
            format!("{{ {} }}", numbered(1_200, "__typename")),
        ),
        COMPLEX.by(
            "operations without end",
            numbered(900, "query Q# { __typename }"),
        ),
        COMPLEX.by("pages in pages in pages", format!("{{ {pages} }}")),
        COMPLEX.by(
            "pages of few in pages of many",
            "{ artists(first: 11) { nodes { tracks(first: 90) { nodes { id } } } } }",
        ),
        COMPLEX.by(
            "more nodes than anybody may ask for",
            format!("{{ nodes(ids: [{}]) {{ id }} }}", numbered(1_001, "\"\"")),
        ),
    ]
}

/// Fragments make much of little.
fn fragments() -> Vec<Hostile> {
    // Each is written once, and says how the next is spread.
    let chain = |length: usize, spread: &str, last: &str| {
        let fragments = repeated(length, |number| {
            let next = spread.replace('#', &(number + 1).to_string());
            format!("fragment F{number} on Artist {{ {next} }}")
        });
        format!(
            "{} {fragments} fragment F{length} on Artist {{ {last} }}",
            of_artist("...F0")
        )
    };
    let unused = repeated(250, |number| {
        format!("fragment F{number} on Artist {{ name }}")
    });
    vec![
        COMPLEX.by(
            "fragments that double each other",
            chain(30, "...F# ...F#", "name"),
        ),
        COMPLEX.by(
            "fragments that double each other by fields",
            chain(
                6,
                "albums(first: 1) { nodes { artist { ...F# ...F# } } }",
                "name",
            ),
        ),
        INVALID.by("a fragment in itself", chain(0, "", "...F0")),
        INVALID.by("fragments in a circle", chain(20, "...F#", "...F0")),
        INVALID.by(
            "fragments in a circle that nobody spreads",
            "{ __typename } fragment A on Artist { ...B } fragment B on Artist { ...A }",
        ),
        INVALID.by(
            "fragments that nobody spreads",
            format!("{{ __typename }} {unused}"),
        ),
        INVALID.by("fragments that are not there", "{ ...A ...B ...C }"),
    ]
}

/// The schema's answer about itself is larger than any other, and free.
fn introspections() -> Vec<Hostile> {
    let schema = |levels| {
        format!(
            "{{ __schema {} }}",
            within("{ types { fields { type ", "{ name }", "} } }", levels)
        )
    };
    vec![
        COMPLEX.by("introspection without end", schema(5)),
        COMPLEX.by("introspection that multiplies", schema(2)),
        COMPLEX.by(
            "introspection by ofType",
            format!(
                "{{ __type(name: \"Track\") {{ {} }} }}",
                within("ofType {", "name", "}", 25)
            ),
        ),
    ]
}

fn variables() -> Vec<Hostile> {
    let nested = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let by_genres = "query ($v: [String!]) { tracks(filter: { genreSlugs: $v }) { nodes { id } } }";
    let defined = repeated(450, |number| format!("$v{number}: Int"));
    vec![
        INVALID.by(
            "variables that nobody uses",
            format!("query ({defined}) {{ __typename }}"),
        ),
        INVALID.with(
            "a variable of another type",
            "query ($n: Int) { tracks(first: $n) { nodes { id } } }".into(),
            json!({ "n": "1" }),
        ),
        INVALID.with(
            "lists in lists by variable",
            by_genres.into(),
            json!({ "v": nested }),
        ),
        COMPLEX.with(
            "values without end",
            by_genres.into(),
            json!({ "v": vec!["pop"; 10_000] }),
        ),
        COMPLEX.with(
            "ids without end by variable",
            "query ($v: [ID!]!) { nodes(ids: $v) { id } }".into(),
            json!({ "v": vec!["x"; 1_001] }),
        ),
    ]
}

fn hostile() -> Vec<Hostile> {
    [
        texts(),
        selections(),
        fragments(),
        introspections(),
        variables(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An address that no other test has, as limits are counted by it.
fn an_address() -> String {
    let random = uuid::Uuid::now_v7();
    let [.., a, b, c] = *random.as_bytes();
    format!("198.18.{a}.{}", b ^ c)
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
    let header = answer.header("ratelimit").unwrap();
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
    let ask = json!({ "query": "{ rateLimit { limit cost remaining } }" });
    let first = post_from(&app, &address, &ask).await;
    let left = remaining(&first);
    assert_eq!(
        first.data()["rateLimit"],
        json!({ "limit": 3_000, "cost": 1, "remaining": left })
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
        let length = answer.body.to_string().len();
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
        assert!(length < 20_000, "{name}: an answer of {length} bytes");
        assert_eq!(app.app.db.statements(), before, "{name}");
    }
    // As its window slides on, a budget only grows: nothing was taken from it but the price of asking.
    let last = remaining(&post_from(&app, &address, &ask).await);
    assert!(last + 1 >= left, "{last} of {left} are left");
}

/// Printed and not asserted, as a test build's times say little.
/// `cargo test --release --test api how_long -- --nocapture` tells those that count.
#[tokio::test(flavor = "multi_thread")]
async fn how_long_refusals_take_is_told() {
    const TIMES: u32 = 5;
    let app = TestApp::new().await;
    let api = Api::new(app.accounts.clone()).unwrap();
    let caller = Caller {
        actor: Actor::Anonymous,
        has_stale_token: false,
        client: Client {
            limit_key: "198.51.100.1".into(),
            ..Client::default()
        },
        correlation_id: "how-long".into(),
        client_name: None,
        client_version: None,
        only_queries: false,
        idempotency_key: None,
    };
    let mut times: Vec<(Duration, &'static str)> = Vec::new();
    for Hostile { name, body, .. } in hostile() {
        let mut took = Duration::MAX;
        for _ in 0..TIMES {
            let request: Request = serde_json::from_value(body.clone()).unwrap();
            let started = Instant::now();
            let reply = api.run(vec![request], caller.clone()).await;
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
