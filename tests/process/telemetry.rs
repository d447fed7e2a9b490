//! What leaves for those who watch: the page for Prometheus, and posts to a collector.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use empulse::http::server::{self, ServerLimits};
use poem::EndpointExt;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{Folder, NO_JOBS, Service, eventually, has_embedded};

#[tokio::test(flavor = "multi_thread")]
async fn figures_stand_on_an_address_of_their_own() {
    if !has_embedded("the page for Prometheus") {
        return;
    }
    let folder = Folder::new();
    let settings = [("EMPULSE_METRICS_LISTEN", "127.0.0.1:0"), NO_JOBS];
    let mut service = Service::ready(&folder, &settings).await;
    for _ in 0..3 {
        let request = service
            .client()
            .post(service.url("/graphql"))
            .header("apollographql-client-name", "web")
            .header("apollographql-client-version", "1.2.3")
            .json(
                &json!({ "query": "query Browse { tracks { nodes { title } } genres { slug } }" }),
            );
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    assert_eq!(
        service.ask("{ nothing }").await.unwrap().code(),
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(
        service.ask("{").await.unwrap().code(),
        "GRAPHQL_PARSE_FAILED"
    );

    let line = service
        .process
        .line("figures for Prometheus at /metrics")
        .await;
    let figures = format!("http://{}", line["listen"].as_str().unwrap());
    let answer = service
        .client()
        .get(format!("{figures}/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4"
    );
    let page = answer.text().await.unwrap();
    for line in [
        r#"empulse_http_request_duration_seconds_count{method="POST",route="/graphql",status="200"} 3"#,
        r#"empulse_http_request_duration_seconds_count{method="POST",route="/graphql",status="422"} 1"#,
        r#"empulse_http_request_duration_seconds_count{method="POST",route="/graphql",status="400"} 1"#,
        r#"empulse_graphql_operations_total{client_name="web",client_version="1.2.3",code="OK",kind="query",operation="Browse"} 3"#,
        r#"empulse_graphql_operation_duration_seconds_count{code="OK",kind="query",operation="Browse"} 3"#,
        r#"empulse_graphql_root_field_duration_seconds_count{code="OK",field="tracks"} 3"#,
        r#"empulse_graphql_field_requests_total{field="Track.title"} 3"#,
        r#"empulse_errors_total{code="GRAPHQL_VALIDATION_FAILED"} 1"#,
        r#"empulse_errors_total{code="GRAPHQL_PARSE_FAILED"} 1"#,
        "empulse_rate_limiter_degraded 0",
        "empulse_log_lines_lost_total 0",
    ] {
        assert!(page.lines().any(|found| found == line), "{line} in\n{page}");
    }
    for name in [
        // How many, depends on what the service is about beside answering.
        r#"empulse_database_connections{pool="primary",state="in_use"} "#,
        r#"empulse_database_connections{pool="primary",state="idle"} "#,
        "empulse_graphql_operation_price_bucket",
        r#"empulse_database_statement_duration_seconds_count{outcome="ok"}"#,
        "empulse_database_connection_wait_seconds_count",
    ] {
        assert!(page.contains(name), "{name} in\n{page}");
    }

    // What nobody asked for is not listed.
    assert!(!page.contains("Track.isrc"), "{page}");

    // Figures are not for callers, and callers are not for figures.
    assert_eq!(service.get("/metrics").await.unwrap().status, 404);
    for path in ["/", "/graphql", "/health/ready"] {
        let answer = service
            .client()
            .get(format!("{figures}{path}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    service.stops().await;
}

/// What a collector was sent: paths and bodies.
type Posts = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

async fn collector() -> (String, Posts, CancellationToken) {
    let posts = Posts::default();
    let kept = posts.clone();
    let endpoint = poem::endpoint::make(move |mut request: poem::Request| {
        let kept = kept.clone();
        async move {
            let body = request.take_body().into_vec().await.unwrap();
            kept.lock()
                .unwrap()
                .push((request.uri().path().to_owned(), body));
            poem::Response::default()
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    tokio::spawn(server::serve(
        listener,
        endpoint.map_to_response(),
        stop.clone(),
        ServerLimits::default(),
        empulse::telemetry::Metrics::detached(),
    ));
    (url, posts, stop)
}

fn holds(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_traces_metrics_and_logs_of_the_callers_trace() {
    if !has_embedded("exports to a collector") {
        return;
    }
    const TRACE: [u8; 16] = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    const PARENT: [u8; 8] = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
    let (url, posts, stop) = collector().await;
    let folder = Folder::new();
    let settings = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "100"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        NO_JOBS,
    ];
    let service = Service::ready(&folder, &settings).await;
    let request = service
        .client()
        .post(service.url("/graphql"))
        .header(
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )
        .header("x-correlation-id", "found-by-this")
        .json(&json!({ "query": "query Browse { genres { slug } }" }));
    assert_eq!(request.send().await.unwrap().status(), 200);

    let sent = |path: &str, parts: &[&[u8]]| {
        let posts = posts.lock().unwrap();
        posts
            .iter()
            .any(|(to, body)| to == path && parts.iter().all(|part| holds(body, part)))
    };
    for (path, parts) in [
        ("/v1/traces", &[&TRACE[..], &PARENT, b"POST /graphql"][..]),
        ("/v1/traces", &[&TRACE, b"found-by-this"]),
        // Spans that only traces need go along, whatever is logged.
        ("/v1/traces", &[&TRACE, b"operation"]),
        ("/v1/traces", &[&TRACE, b"resolve"]),
        ("/v1/traces", &[&TRACE, b"query"]),
        ("/v1/logs", &[&TRACE, b"answered", b"found-by-this"]),
        ("/v1/metrics", &[b"empulse_graphql_operations", b"Browse"]),
        (
            "/v1/metrics",
            &[b"empulse_graphql_field_requests", b"Genre.slug"],
        ),
    ] {
        let what = String::from_utf8_lossy(parts.last().unwrap());
        let what = format!("{path} is sent {what}");
        eventually(&what, Duration::from_secs(10), async || {
            sent(path, parts).then_some(())
        })
        .await;
    }
    service.stops().await;
    // The last words are not lost.
    assert!(sent("/v1/logs", &[b"stopped"]));
    stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_does_not_answer_does_not_hold_up_a_stop() {
    if !has_embedded("a collector that does not answer") {
        return;
    }
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let accepting = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = silent.accept().await {
            held.push(stream);
        }
    });
    let folder = Folder::new();
    let settings = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), NO_JOBS];
    let mut service = Service::ready(&folder, &settings).await;
    for _ in 0..20 {
        service.data("{ genres { slug } }").await;
    }
    service.process.signal("TERM");
    let (status, took) = service.process.ends_within(Duration::from_secs(9)).await;
    println!("with a silent collector: ended after {took:.1?}");
    assert_eq!(status.code(), Some(0), "{}", service.process.said());
    accepting.abort();
}
