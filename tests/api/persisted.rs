//! Documents that a request names instead of bringing them: automatically persisted ones, and those of a manifest, where
//! no others run.

use std::path::PathBuf;

use empulse::accounts::Accounts;
use empulse::app::App;
use empulse::http::{self, Standing};
use empulse::telemetry::Metrics;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::database::TestDatabase;
use crate::support::{Answer, TestApp, config};

pub fn sha256(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A document that no other test has: what is persisted in Redis is there for all.
fn a_document() -> String {
    format!("query Q{} {{ __typename }}", uuid::Uuid::new_v4().simple())
}

fn by_hash(hash: &str) -> Value {
    json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } })
}

fn registering(text: &str) -> Value {
    let mut body = by_hash(&sha256(text));
    body["query"] = text.into();
    body
}

/// By GET, with these parameters in the address.
async fn get(app: &TestApp, parameters: &[(&str, &str)]) -> Answer {
    let mut url = url::Url::parse(&app.url("/graphql")).unwrap();
    url.query_pairs_mut().extend_pairs(parameters);
    let request = app
        .client
        .get(url)
        .header("accept", "application/graphql-response+json");
    Answer::of(request.send().await.unwrap()).await
}

async fn get_by_hash(app: &TestApp, hash: &str) -> Answer {
    get(
        app,
        &[("extensions", &by_hash(hash)["extensions"].to_string())],
    )
    .await
}

fn typename() -> Value {
    json!({ "__typename": "Query" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_asked_for_once_and_then_run_by_its_hash() {
    let app = TestApp::new().await;
    let text = a_document();
    let hash = sha256(&text);
    for answer in [
        app.post(&by_hash(&hash)).await,
        get_by_hash(&app, &hash).await,
    ] {
        // Clients send the text after this one whatever the status, but some stop at an error's.
        assert_eq!(
            (answer.status, answer.code()),
            (200, "PERSISTED_QUERY_NOT_FOUND")
        );
        assert_eq!(answer.message(), "PersistedQueryNotFound");
        assert_eq!(answer.body.get("data"), None);
    }
    assert_eq!(app.post(&registering(&text)).await.data(), typename());
    assert_eq!(app.post(&by_hash(&hash)).await.data(), typename());
    assert_eq!(
        app.post(&by_hash(&hash.to_uppercase())).await.data(),
        typename()
    );
    assert_eq!(get_by_hash(&app, &hash).await.data(), typename());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_can_be_registered_by_get() {
    let app = TestApp::new().await;
    let text = a_document();
    let extensions = by_hash(&sha256(&text))["extensions"].to_string();
    let answer = get(&app, &[("query", &text), ("extensions", &extensions)]).await;
    assert_eq!(answer.data(), typename());
    assert_eq!(get_by_hash(&app, &sha256(&text)).await.data(), typename());
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_and_the_operations_name_go_with_a_hash() {
    let app = TestApp::new().await;
    let id = uuid::Uuid::new_v4().simple();
    let text = format!(
        "query A{id}($slug: String!) {{ artist(slug: $slug) {{ id }} }} query B{id} {{ __typename }}"
    );
    let mut body = registering(&text);
    body["operationName"] = format!("B{id}").into();
    assert_eq!(app.post(&body).await.data(), typename());
    let mut body = by_hash(&sha256(&text));
    body["operationName"] = format!("A{id}").into();
    body["variables"] = json!({ "slug": "nobody" });
    assert_eq!(app.post(&body).await.data(), json!({ "artist": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_is_not_the_texts_is_refused() {
    let app = TestApp::new().await;
    let (text, other) = (a_document(), a_document());
    let mut body = by_hash(&sha256(&other));
    body["query"] = text.as_str().into();
    let answer = app.post(&body).await;
    assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST"));
    assert_eq!(
        answer.message(),
        "extensions.persistedQuery.sha256Hash: it is not the SHA-256 of `query`."
    );
    for text in [&text, &other] {
        assert_eq!(
            app.post(&by_hash(&sha256(text))).await.code(),
            "PERSISTED_QUERY_NOT_FOUND"
        );
    }
    for hash in [
        "",
        "x",
        &"g".repeat(64),
        &"0".repeat(63),
        &"0".repeat(65),
        &"é".repeat(32),
    ] {
        let answer = app.post(&by_hash(hash)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (400, "BAD_REQUEST"),
            "{hash}"
        );
    }
    let mut body = by_hash(&sha256(&text));
    body["extensions"]["persistedQuery"]["version"] = 2.into();
    assert_eq!(app.post(&body).await.code(), "BAD_REQUEST");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_valid_is_never_kept() {
    let app = TestApp::new().await;
    let id = uuid::Uuid::new_v4().simple();
    for (text, code) in [
        (
            format!("query Q{id} {{ nothing }}"),
            "GRAPHQL_VALIDATION_FAILED",
        ),
        (format!("query Q{id} {{"), "GRAPHQL_PARSE_FAILED"),
        (
            format!("query Q{id} {{ {} }}", "__typename ".repeat(21)),
            "OPERATION_TOO_COMPLEX",
        ),
    ] {
        assert_eq!(app.post(&registering(&text)).await.code(), code);
        assert_eq!(
            app.post(&by_hash(&sha256(&text))).await.code(),
            "PERSISTED_QUERY_NOT_FOUND",
            "{text}"
        );
    }
}

/// A second instance knows what the first was told, by Redis.
#[tokio::test(flavor = "multi_thread")]
async fn instances_share_what_is_persisted() {
    if std::env::var("REDIS_URL").is_ok_and(|url| !url.is_empty()) {
        let (one, other) = (TestApp::new().await, TestApp::new().await);
        let text = a_document();
        one.post(&registering(&text)).await.data();
        assert_eq!(
            other.post(&by_hash(&sha256(&text))).await.data(),
            typename()
        );
        assert_eq!(get_by_hash(&other, &sha256(&text)).await.data(), typename());
    } else {
        eprintln!("not run: instances_share_what_is_persisted (REDIS_URL is not set)");
    }
}

/// Registering costs a client nothing, so it must not cost the service its memory.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_keeps_by_itself_is_bounded() {
    const SIZE: usize = 60_000;
    let app = TestApp::with(&[("REDIS_URL", "")]).await;
    let texts: Vec<String> = (0..480)
        .map(|number| format!("#{number:05}{}\n{{ __typename }}", "x".repeat(SIZE)))
        .collect();
    for text in &texts {
        app.post(&registering(text)).await.data();
    }
    let mut kept = 0;
    for text in &texts {
        let answer = app.post(&by_hash(&sha256(text))).await;
        match answer.body.get("errors") {
            None => kept += 1,
            Some(_) => assert_eq!(answer.code(), "PERSISTED_QUERY_NOT_FOUND"),
        }
    }
    // 16 MiB of texts, and some hundred whose documents are ready to run.
    assert!(kept > 0);
    assert!(
        kept * SIZE <= 24 << 20,
        "{kept} of {} are kept",
        texts.len()
    );
}

/// A file that is gone when the test is.
struct Manifest(PathBuf);

impl Manifest {
    fn new(text: &str) -> Self {
        let name = format!("empulse-manifest-{}.json", uuid::Uuid::new_v4().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn setting(&self) -> (&'static str, &str) {
        ("EMPULSE_TRUSTED_DOCUMENTS", self.0.to_str().unwrap())
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        // It is in the folder for what may go at any time.
        let _ = std::fs::remove_file(&self.0);
    }
}

const TRUSTED: &str = "query Genres { genres { slug } }";
const ALSO_TRUSTED: &str = "query Artist($slug: String!) { artist(slug: $slug) { name } }";

fn apollo(operations: &[(&str, &str, &str)]) -> Value {
    let operations: Vec<Value> = operations
        .iter()
        .map(|(id, name, body)| json!({ "id": id, "name": name, "type": "query", "body": body }))
        .collect();
    json!({ "format": "apollo-persisted-query-manifest", "version": 1, "operations": operations })
}

fn manifests() -> [(&'static str, &'static str, Value); 2] {
    [
        (
            "by-our-own-id",
            "Another-Id",
            apollo(&[
                ("by-our-own-id", "Genres", TRUSTED),
                ("Another-Id", "Artist", ALSO_TRUSTED),
            ]),
        ),
        (
            "d41d8cd98f00b204e9800998ecf8427e",
            "plain",
            json!({ "d41d8cd98f00b204e9800998ecf8427e": TRUSTED, "plain": ALSO_TRUSTED }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_document_runs_by_id_by_hash_and_by_its_text() {
    for (id, other_id, manifest) in manifests() {
        let manifest = Manifest::new(&manifest.to_string());
        let app = TestApp::with(&[manifest.setting()]).await;
        let hash = sha256(TRUSTED);
        for body in [
            json!({ "documentId": id }),
            json!({ "documentId": format!("sha256:{hash}") }),
            json!({ "documentId": hash }),
            by_hash(&hash),
            by_hash(id),
            json!({ "query": TRUSTED }),
            registering(TRUSTED),
        ] {
            let data = app.post(&body).await.data();
            assert_eq!(data["genres"].as_array().unwrap().len(), 32, "{body}");
        }
        let body = json!({ "documentId": other_id, "variables": { "slug": "nobody" } });
        assert_eq!(app.post(&body).await.data(), json!({ "artist": null }));
        assert_eq!(get(&app, &[("query", TRUSTED)]).await.status, 200);
        assert_eq!(get_by_hash(&app, &hash).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_manifest_nothing_else_runs() {
    for (_, _, manifest) in manifests() {
        let manifest = Manifest::new(&manifest.to_string());
        let app = TestApp::with(&[manifest.setting(), ("EMPULSE_INTROSPECTION", "on")]).await;
        let before = app.app.db.statements();
        let unknown = sha256("{ __typename }");
        for body in [
            json!({ "query": "{ __typename }" }),
            json!({ "query": "{ genres { slug } }" }),
            json!({ "query": format!("{TRUSTED} ") }),
            json!({ "query": include_str!("../oracle/introspection.graphql") }),
            json!({ "query": "{ __schema { queryType { name } } }" }),
            json!({ "query": "{" }),
            json!({ "query": "" }),
            json!({ "documentId": "unknown" }),
            json!({ "documentId": "" }),
            by_hash(&unknown),
            registering("{ __typename }"),
            // The id decides, whatever text is sent beside it.
            json!({ "documentId": "unknown", "query": TRUSTED }),
        ] {
            let answer = app.post(&body).await;
            assert_eq!(
                (answer.status, answer.code()),
                (403, "OPERATION_NOT_TRUSTED"),
                "{body}"
            );
        }
        assert_eq!(
            app.post(&by_hash(&unknown)).await.code(),
            "OPERATION_NOT_TRUSTED",
            "what was refused is not known by its hash afterwards either"
        );
        let answer = get(&app, &[("query", "{ __typename }")]).await;
        assert_eq!(
            (answer.status, answer.code()),
            (403, "OPERATION_NOT_TRUSTED")
        );
        let answer = app
            .post(&json!([{ "query": TRUSTED }, { "query": "{ __typename }" }]))
            .await;
        assert!(answer.body[0]["data"]["genres"].is_array());
        assert_eq!(
            answer.body[1]["errors"][0]["extensions"]["code"],
            "OPERATION_NOT_TRUSTED"
        );
        // The one that is trusted, beside the one that is not.
        assert_eq!(app.app.db.statements(), before + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_can_not_be_served_stops_the_start() {
    let expected = "is no manifest; {\"<sha256>\": \"<document>\"} or Apollo's form is expected";
    let deep = format!(
        "{}id{}",
        "{ artist(slug: \"x\") ".repeat(40),
        "}".repeat(40)
    );
    for (text, problem) in [
        ("".to_owned(), expected.to_owned()),
        ("no JSON".into(), expected.into()),
        ("[]".into(), expected.into()),
        ("null".into(), expected.into()),
        (json!({ "operations": { "a": TRUSTED } }).to_string(), expected.into()),
        (json!({ "operations": [{ "id": "a" }] }).to_string(), expected.into()),
        (json!({ "a": [TRUSTED] }).to_string(), expected.into()),
        ("{}".into(), "holds no operation".into()),
        (apollo(&[]).to_string(), "holds no operation".into()),
        (
            apollo(&[
                ("a", "Genres", TRUSTED),
                ("b", "Gone", "query Gone { gone { id } }"),
            ])
            .to_string(),
            "holds an operation that is not valid, Gone: Unknown field \"gone\" on type \"Query\"".into(),
        ),
        (
            json!({ "by-hash": TRUSTED, "broken": "query Broken {" }).to_string(),
            "holds an operation that is not valid, broken: Syntax error: ".into(),
        ),
        (
            json!({ "too-deep": deep }).to_string(),
            "holds an operation that is not valid, too-deep: The nesting of selections and fragments is 33".into(),
        ),
    ] {
        let manifest = Manifest::new(&text);
        let message = start(&manifest.0).await.unwrap_err().to_string();
        let start = format!("EMPULSE_TRUSTED_DOCUMENTS: {} {problem}", manifest.0.display());
        assert!(message.starts_with(&start), "{message}\nexpected: {start}");
        assert!(!message.contains('\n'), "{message}");
    }
    let nowhere = std::env::temp_dir().join("empulse-no-such-manifest.json");
    let message = start(&nowhere).await.unwrap_err().to_string();
    let expected = format!(
        "EMPULSE_TRUSTED_DOCUMENTS: {} can't be read",
        nowhere.display()
    );
    assert_eq!(message, expected);
}

/// The way that the service starts, as far as its endpoint.
async fn start(manifest: &std::path::Path) -> anyhow::Result<()> {
    let database = TestDatabase::new().await;
    let config = config(&[("EMPULSE_TRUSTED_DOCUMENTS", manifest.to_str().unwrap())]);
    let app = App::over(config, database.source.clone(), Metrics::detached()).await?;
    let accounts = Accounts::open(app.clone())?;
    let started = http::endpoint(&accounts, &std::sync::Arc::new(Standing::default())).map(|_| ());
    app.close().await;
    started
}
