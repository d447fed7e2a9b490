//! `--hostile`: how soon documents made to do harm are refused, one after the other over one connection, and that none
//! of them reaches the database.

use std::time::Instant;

use serde_json::{Value, json};

use super::Bench;
use super::http::{Answer, Connection, post};
use super::process;
use super::report::{Hostile, Refused};
use super::workloads;

const TIMES: usize = 20;

struct Attack {
    name: &'static str,
    body: String,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Hostile> {
    let mut service = bench.service().await?;
    service.first_answer(&workloads::page()).await?;
    let mut connection = Connection::open(service.address).await?;
    let memory_before = process::memory(service.pid)?;
    let asked_before = bench.database.last_asked().await?;
    let mut refused = Vec::new();
    for attack in attacks() {
        let request = post(&attack.body);
        let mut took = Vec::with_capacity(TIMES);
        let mut last = None;
        for _ in 0..TIMES {
            let began = Instant::now();
            let answer = connection.ask(&request).await?;
            took.push(began.elapsed().as_secs_f64() * 1_000.0);
            let is_last = answer.is_last;
            last = Some((answer.status, answer.body.len(), code(&answer)));
            if is_last {
                connection = Connection::open(service.address).await?;
            }
        }
        took.sort_unstable_by(f64::total_cmp);
        let (status, answer_bytes, code) = last.unwrap_or_default();
        refused.push(Refused {
            attack: attack.name,
            bytes: request.len(),
            status,
            code,
            answer_bytes,
            median_ms: took[TIMES / 2],
            max_ms: took[TIMES - 1],
        });
    }
    let asked_after = bench.database.last_asked().await?;
    let memory_after = process::memory(service.pid)?;
    service.stop().await?;
    Ok(Hostile {
        refused,
        database_was_asked: asked_before != asked_after,
        memory_before,
        memory_after,
    })
}

/// What it was refused for; none where it was not refused whole, which it should have been.
fn code(answer: &Answer<'_>) -> Option<String> {
    let body: Value = serde_json::from_slice(answer.body).ok()?;
    // A batch that is refused may be answered by one refusal for each of its operations.
    let first = match &body {
        Value::Array(answers) => answers.first()?,
        one => one,
    };
    let is_refused = answer.status >= 400 && first.get("data").is_none();
    let code = first["errors"][0]["extensions"]["code"].as_str();
    code.filter(|_| is_refused).map(str::to_owned)
}

fn attacks() -> Vec<Attack> {
    vec![
        attack("10,000 fields in one another", nested(3_333)),
        // Within the limits on brackets and on price, so that it is the depth that is found.
        attack("21 fields in one another", nested(6)),
        attack("10,000 aliases", format!("{{ {} }}", many(10_000, |n| format!("a{n}: __typename ")))),
        attack("100 aliases", format!("{{ {} }}", many(100, |n| format!("a{n}: __typename ")))),
        attack("fragments that double 30 times", doubling(30)),
        attack("a fragment within itself", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }".into()),
        attack("400 directives", format!("{{ __typename {} }}", "@include(if: true) ".repeat(400))),
        attack("a document of 900 kB", format!("{{ __typename }} #{}", "x".repeat(900_000))),
        attack("a body of 2 MB", format!("{{ __typename }} #{}", "x".repeat(2_000_000))),
        attack("a name of 100 kB", format!("{{ {} }}", "x".repeat(100_000))),
        attack("a string of 100 kB without an end", format!("{{ track(id: \"{}", "x".repeat(100_000))),
        attack("10,000 brackets in an argument", format!("{{ tracks(filter: {{ genreSlugs: {} }}) }}", "[".repeat(10_000))),
        attack("500 operations", many(500, |n| format!("query q{n} {{ __typename }} "))),
        attack("1,000 unknown fields", format!("{{ {} }}", many(1_000, |n| format!("trackz{n} ")))),
        attack("fields that contradict each other", format!("{{ {} }}", many(20, |n| format!("tracks(first: {}) {{ nodes {{ {} }} }} ", n + 1, "id ".repeat(150))))),
        attack(
            "lists of lists of lists",
            "{ artists(first: 100) { nodes { tracks(first: 100) { nodes { artist { albums(first: 100) { nodes { id } } } } } } } }".into(),
        ),
        attack(
            "the schema within the schema",
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }".into(),
        ),
        Attack {
            name: "a batch of 1,000",
            body: json!(vec![json!({ "query": "{ __typename }" }); 1_000]).to_string(),
        },
        Attack {
            name: "10,000 lists in one another, a variable",
            body: format!(
                r#"{{"query": "query ($filter: TrackFilter) {{ tracks(filter: $filter) {{ nodes {{ id }} }} }}", "variables": {{"filter": {}{} }}}}"#,
                "[".repeat(10_000),
                "]".repeat(10_000)
            ),
        },
        Attack {
            name: "100,000 values in a variable",
            body: json!({
                "query": "query ($slugs: [String!]) { tracks(filter: { genreSlugs: $slugs }) { nodes { id } } }",
                "variables": { "slugs": vec!["pop"; 100_000] },
            })
            .to_string(),
        },
    ]
}

fn attack(name: &'static str, document: String) -> Attack {
    Attack {
        name,
        body: json!({ "query": document }).to_string(),
    }
}

fn many(count: usize, part: impl Fn(usize) -> String) -> String {
    (0..count).map(part).collect()
}

/// Along what there is, an artist's tracks and their artist, so that only the depth is wrong with it.
fn nested(times: usize) -> String {
    let mut document = String::from("{ tracks { nodes ");
    for _ in 0..times {
        document.push_str("{ artist { tracks(first: 1) { nodes ");
    }
    document.push_str("{ id } ");
    document.push_str(&"} } } ".repeat(times));
    document.push_str("} }");
    document
}

/// Small to write down, and some thousand million fields once every spread is followed.
fn doubling(times: usize) -> String {
    let fragments = many(times, |n| {
        format!("fragment f{n} on Query {{ ...f{m} ...f{m} }} ", m = n + 1)
    });
    format!("{{ ...f0 }} {fragments} fragment f{times} on Query {{ __typename }}")
}
