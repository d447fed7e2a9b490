//! The room as a whole: what comes out at its three doors (standard error, collector, Prometheus page)
//! for what went in, and that no door lets a secret through.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use opentelemetry::trace::TraceContextExt as _;
use secrecy::SecretString;
use tracing::dispatcher;
use tracing_opentelemetry::{OpenTelemetrySpanExt as _, SetParentError};

use super::*;

/// Stands in everything that must not come out.
const CANARY: &str = "canary";

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).unwrap()
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn settings(otlp_endpoint: Option<&str>) -> Settings {
    Settings {
        log_filter: "info".to_owned(),
        log_format: LogFormat::Auto,
        otlp_endpoint: otlp_endpoint.map(|url| Url::parse(url).unwrap()),
        prometheus: true,
        service_version: "1.2.3",
    }
}

fn built(settings: Settings, format: Format) -> (Telemetry, Dispatch, Written) {
    let written = Written::default();
    let (telemetry, dispatch) = build(settings, format, Box::new(written.clone()), &|_| None)
        .expect("these settings are right");
    (telemetry, dispatch, written)
}

#[derive(Debug, thiserror::Error)]
#[error("the store cannot be opened")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("bad address redis://:canary@cache")]
struct Inner;

#[derive(Debug)]
#[expect(dead_code, reason = "read by its Debug only")]
struct SignIn {
    name: &'static str,
    code: Redacted<&'static str>,
    phrase: SecretString,
    password: &'static str,
}

/// Sends secrets in by every way that there is.
fn log_secrets(metrics: &Metrics) {
    let span = tracing::info_span!(
        "request",
        correlation_id = "c-0123456789",
        access_token = "canary",
        refresh_token = tracing::field::Empty,
        otel.status_description = tracing::field::Empty,
    );
    span.record("refresh_token", "canary");
    span.record("otel.status_description", "refused Bearer canary");
    span.set_attribute("http.request.header.authorization", "canary");
    let _inside = span.enter();
    let _deeper = tracing::debug_span!("query", text = "password='canary'").entered();
    let sign_in = SignIn {
        name: "kept",
        code: Redacted("canary"),
        phrase: SecretString::from("canary"),
        password: "canary",
    };
    let error: &(dyn std::error::Error + 'static) = &Outer(Inner);
    tracing::info!(
        password = "canary",
        pin_token = 4242,
        attempts = 3,
        "fields"
    );
    tracing::info!(?sign_in, "debug");
    tracing::info!(url = %"smtp://user:canary@mail.example", "display");
    tracing::info!("postgres://u:canary@db/x, Bearer canary, to canary@example.org");
    tracing::error!(error, "source");
    tracing::error!(error = %"token=canary", "status");
    metrics.graphql_operation(&Operation {
        kind: "query",
        name: Some("Kept"),
        client_name: Some("canary@example.org"),
        client_version: Some("Bearer canary"),
        code: "OK",
        took: Duration::from_millis(3),
        price: 12,
    });
}

#[test]
fn no_format_lets_a_secret_through() {
    for format in [
        Format::Json,
        Format::Text { colours: false },
        Format::Text { colours: true },
    ] {
        let (telemetry, dispatch, written) = built(settings(None), format);
        dispatcher::with_default(&dispatch, || log_secrets(&telemetry.metrics));
        let page = telemetry.prometheus_text();
        drop(telemetry);
        let text = written.text();
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(!text.contains(CANARY) && !text.contains("4242"), "{text}");
        assert!(!page.contains(CANARY), "{page}");
        for kept in [
            "c-0123456789",
            "kept",
            "attempts",
            "store cannot be opened",
            "@cache",
        ] {
            assert!(text.contains(kept), "{kept} is missing in {text}");
        }
    }
}

#[test]
fn json_lines_are_flat_and_carry_the_spans_fields() {
    let (telemetry, dispatch, written) = built(settings(None), Format::Json);
    dispatcher::with_default(&dispatch, || {
        let outer = tracing::info_span!("outer", correlation_id = "c-1", step = "outer");
        let _outer = outer.enter();
        let _inner = tracing::info_span!("inner", step = "inner", n = 2_u64).entered();
        tracing::warn!(step = "event", "something\nhappened");
    });
    drop(telemetry);
    let text = written.text();
    let mut line: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(
        line.remove("timestamp")
            .unwrap()
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let line = serde_json::to_value(line).unwrap();
    let expected = serde_json::json!({
        "level": "WARN", "target": "empulse::telemetry::tests", "message": "something\nhappened",
        "correlation_id": "c-1", "step": "event", "n": 2,
    });
    assert_eq!(line, expected);
}

#[test]
fn an_error_keeps_its_correlation_id_when_only_errors_are_logged() {
    let quiet = Settings {
        log_filter: "error".to_owned(),
        ..settings(None)
    };
    let (telemetry, dispatch, written) = built(quiet, Format::Json);
    dispatcher::with_default(&dispatch, || {
        let _span = tracing::info_span!("request", correlation_id = "c-1").entered();
        tracing::warn!("not asked for");
        tracing::error!("failed");
    });
    drop(telemetry);
    let text = written.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains(r#""correlation_id":"c-1""#), "{text}");
}

#[test]
fn a_wrong_filter_is_refused_by_name() {
    let wrong = Settings {
        log_filter: "empulse=loud".to_owned(),
        ..settings(None)
    };
    let error = build(wrong, Format::Json, Box::new(io::sink()), &|_| None)
        .err()
        .expect("there is no such level");
    assert!(error.to_string().starts_with("RUST_LOG: "), "{error}");
}

#[test]
fn without_a_collector_no_layer_makes_traces() {
    let (_telemetry, dispatch, _) = built(settings(None), Format::Json);
    dispatcher::with_default(&dispatch, || {
        let span = tracing::info_span!("request");
        let refused = span.set_parent(parent_from_headers(None, None));
        assert!(matches!(refused, Err(SetParentError::LayerNotFound)));
        span.in_scope(|| inject(|name, _| panic!("{name} was injected")));
    });
}

type Posts = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// As much of HTTP as an exporter needs.
fn collector() -> (String, Posts) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let posts = Posts::default();
    let received = Arc::clone(&posts);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let received = Arc::clone(&received);
            thread::spawn(move || answer(stream.unwrap(), &received));
        }
    });
    (address, posts)
}

fn answer(stream: TcpStream, received: &Posts) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_ascii_lowercase());
        }
        let path = head[0].split(' ').nth(1)?.to_owned();
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "))?;
        let mut body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        received.lock().unwrap().push((path, body));
        reader
            .get_mut()
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            .ok()?;
    }
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn the_collector_gets_every_signal_and_no_secret() {
    let (address, posts) = collector();
    let (telemetry, dispatch, _) = built(settings(Some(&address)), Format::Json);
    let metrics = telemetry.metrics();
    dispatcher::with_default(&dispatch, || log_secrets(&metrics));
    telemetry.shutdown().await;

    let posts = posts.lock().unwrap();
    for (path, wanted) in [
        (
            "/v1/traces",
            vec!["request", "query", "[redacted]", "empulse", "1.2.3"],
        ),
        (
            "/v1/logs",
            vec![
                "c-0123456789",
                "[redacted]",
                "store cannot be opened",
                "empulse",
            ],
        ),
        (
            "/v1/metrics",
            vec!["empulse_graphql_operations", "Kept", "empulse"],
        ),
    ] {
        let bodies: Vec<&[u8]> = posts
            .iter()
            .filter(|(posted, _)| posted == path)
            .map(|(_, body)| body.as_slice())
            .collect();
        assert!(!bodies.is_empty(), "nothing came to {path}");
        for wanted in wanted {
            assert!(
                bodies.iter().any(|body| holds(body, wanted)),
                "{wanted} is missing in {path}"
            );
        }
        for body in bodies {
            assert!(!holds(body, CANARY), "a secret came to {path}");
        }
    }
}

#[tokio::test]
async fn a_trace_comes_in_goes_out_and_stands_in_the_log() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    let (address, _) = collector();
    let (telemetry, dispatch, written) = built(settings(Some(&address)), Format::Json);
    dispatcher::with_default(&dispatch, || {
        let span = tracing::info_span!("request");
        let parent = parent_from_headers(
            Some(&format!("00-{TRACE}-b7ad6b7169203331-01")),
            Some("vendor=1"),
        );
        span.set_parent(parent).unwrap();
        let _inside = span.enter();
        let _call = tracing::debug_span!("call").entered();
        let mut headers = BTreeMap::new();
        inject(|name, value| {
            headers.insert(name.to_owned(), value);
        });
        let context = tracing::Span::current().context();
        let expected = format!("00-{TRACE}-{}-01", context.span().span_context().span_id());
        assert_eq!(headers["traceparent"], expected);
        assert_eq!(headers["tracestate"], "vendor=1");
        tracing::info!("inside");
    });
    telemetry.shutdown().await;
    let text = written.text();
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["trace_id"], TRACE);
    assert_eq!(line["span_id"].as_str().map(str::len), Some(16));
}

#[tokio::test]
async fn a_collector_that_hangs_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    let (telemetry, dispatch, written) = built(settings(Some(&address)), Format::Json);
    let _default = dispatcher::set_default(&dispatch);
    tracing::info_span!("request").in_scope(|| tracing::info!("the last words"));
    let began = Instant::now();
    telemetry.shutdown().await;
    let took = began.elapsed();
    assert!(took < LONGEST_SHUTDOWN + Duration::from_secs(2), "{took:?}");
    let text = written.text();
    assert!(text.contains("the last words"), "{text}");
    assert!(
        text.contains("not sent") || text.contains("not all"),
        "{text}"
    );
}

#[test]
fn the_prometheus_page_holds_all_instruments() {
    let (telemetry, _dispatch, _) = built(settings(None), Format::Json);
    let metrics = telemetry.metrics();
    let took = Duration::from_micros(700);
    let connection = metrics.http_connection();
    metrics.http_request("GET", "/graphql", 200, took);
    metrics.http_request("BREW", "/graphql", 405, took);
    metrics.graphql_operation(&Operation {
        kind: "query",
        name: Some("HomePage"),
        client_name: Some("web"),
        client_version: None,
        code: "OK",
        took,
        price: 21,
    });
    metrics.graphql_root_field("tracks", "OK", took);
    metrics.error("INTERNAL");
    metrics.database_statement(took, true);
    metrics.database_wait(took);
    metrics.cache_lookup("accounts", true);
    metrics.rate_limit_refusal("sign-in");
    metrics.observe_redis(|| true);
    metrics.idempotency("replayed");
    metrics.upload("whole", 7, Duration::from_secs(2));
    metrics.panic_caught();
    metrics.job("mail", "done", took);
    metrics.storage_call("put", "ok", took);
    metrics.file_checked("damaged");
    metrics.job_queue(
        [("due", 2), ("resting", 1), ("running", 3), ("dead", 4)],
        7.5,
    );
    metrics.observe_field_usage(Arc::new(|tell| {
        tell("Track.title", 7);
        tell("Track.id", 0);
    }));
    metrics.observe_database_connections(Arc::new(|tell| tell("primary", 3, 1)));

    let page = telemetry.prometheus_text();
    let mut samples = BTreeMap::new();
    for line in page.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            match words[..] {
                ["HELP", _, _] | ["TYPE", _, "counter" | "gauge" | "histogram"] => {}
                _ => panic!("not a comment of the format: {line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a sample ends with its value");
        let value: f64 = value.parse().expect("a value is a number");
        let name = series.split('{').next().unwrap_or(series);
        assert!(
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
            "{line}"
        );
        assert!(
            name.len() == series.len() || series.ends_with('}'),
            "{line}"
        );
        samples.insert(series.to_owned(), value);
    }
    for (series, value) in [
        ("empulse_http_connections", 1.0),
        (
            r#"empulse_http_request_duration_seconds_count{method="GET",route="/graphql",status="200"}"#,
            1.0,
        ),
        (
            r#"empulse_http_request_duration_seconds_count{method="other",route="/graphql",status="405"}"#,
            1.0,
        ),
        (
            r#"empulse_http_request_duration_seconds_bucket{method="GET",route="/graphql",status="200",le="0.0005"}"#,
            0.0,
        ),
        (
            r#"empulse_http_request_duration_seconds_bucket{method="GET",route="/graphql",status="200",le="0.001"}"#,
            1.0,
        ),
        (
            r#"empulse_graphql_operations_total{client_name="web",client_version="none",code="OK",kind="query",operation="HomePage"}"#,
            1.0,
        ),
        (
            r#"empulse_graphql_operation_duration_seconds_count{code="OK",kind="query",operation="HomePage"}"#,
            1.0,
        ),
        (
            r#"empulse_graphql_operation_price_sum{kind="query",operation="HomePage"}"#,
            21.0,
        ),
        (
            r#"empulse_graphql_root_field_duration_seconds_count{code="OK",field="tracks"}"#,
            1.0,
        ),
        (
            r#"empulse_graphql_field_requests_total{field="Track.title"}"#,
            7.0,
        ),
        (
            r#"empulse_graphql_field_requests_total{field="Track.id"}"#,
            0.0,
        ),
        (r#"empulse_errors_total{code="INTERNAL"}"#, 1.0),
        (
            r#"empulse_database_statement_duration_seconds_count{outcome="ok"}"#,
            1.0,
        ),
        ("empulse_database_connection_wait_seconds_count", 1.0),
        (r#"empulse_jobs_total{kind="mail",outcome="done"}"#, 1.0),
        (
            r#"empulse_job_duration_seconds_count{kind="mail",outcome="done"}"#,
            1.0,
        ),
        (
            r#"empulse_storage_duration_seconds_count{operation="put",outcome="ok"}"#,
            1.0,
        ),
        (r#"empulse_files_checked_total{outcome="damaged"}"#, 1.0),
        (r#"empulse_jobs_queued{state="dead"}"#, 4.0),
        ("empulse_job_oldest_age_seconds", 7.5),
        (
            r#"empulse_database_connections{pool="primary",state="in_use"}"#,
            3.0,
        ),
        (
            r#"empulse_database_connections{pool="primary",state="idle"}"#,
            1.0,
        ),
        (
            r#"empulse_cache_lookups_total{cache="accounts",result="hit"}"#,
            1.0,
        ),
        (r#"empulse_rate_limit_refusals_total{quota="sign-in"}"#, 1.0),
        ("empulse_rate_limiter_degraded", 0.0),
        ("empulse_redis_up", 1.0),
        (r#"empulse_idempotency_total{outcome="replayed"}"#, 1.0),
        ("empulse_uploaded_bytes_total", 7.0),
        (
            r#"empulse_upload_duration_seconds_count{outcome="whole"}"#,
            1.0,
        ),
        ("empulse_panics_total", 1.0),
        ("empulse_log_lines_lost_total", 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series} in\n{page}");
    }
    assert!(page.contains(r#"service_name="empulse""#), "{page}");
    drop(connection);
    assert!(
        telemetry
            .prometheus_text()
            .contains("empulse_http_connections 0\n")
    );
}
