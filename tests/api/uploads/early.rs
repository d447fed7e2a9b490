//! Answers that come before the body has: how much was read for them, and that the client has them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

const LARGE: usize = 200 << 20;

/// The beginning of a request whose file nobody takes.
fn beginning() -> Vec<u8> {
    let operations = json!({ "query": "{ __typename }", "variables": { "unused": null } });
    let mut body = form(&[
        ("operations", operations.to_string().as_bytes()),
        ("map", br#"{"0":["variables.unused"]}"#),
        ("0", b""),
    ]);
    body.truncate(body.len() - b"\r\n--x--\r\n".len());
    body
}

/// The client sends less than a mebibyte and then waits, so that what is answered is answered for that: what the system holds
/// on both sides can't be told from what was read.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_answered_early_over_http1_has_sent_little_and_reads_it_though_it_sends_on() {
    let app = TestApp::new().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nApollo-Require-Preflight: 1\r\nContent-Type: multipart/form-data; boundary=x\r\n\
         Content-Length: {LARGE}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&beginning()).await.unwrap();
    let (mut reads, mut writes) = stream.split();
    writes.write_all(&[0; 16 << 10]).await.unwrap();
    let mut answer = vec![0; 4096];
    let first = timeout(Duration::from_secs(30), reads.read(&mut answer));
    let first = first.await.expect("answered only for more").unwrap();
    answer.truncate(first);
    let began = Instant::now();
    let sent = AtomicU64::new(0);
    let sends = async {
        while let Ok(some) = writes.write(&[0; 16 << 10]).await {
            sent.fetch_add(some as u64, Ordering::Relaxed);
        }
    };
    let receives = async {
        let mut piece = [0; 4096];
        while let Ok(some @ 1..) = reads.read(&mut piece).await {
            answer.extend_from_slice(&piece[..some]);
        }
        String::from_utf8(answer).unwrap()
    };
    let ((), answer) = tokio::join!(sends, receives);
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(
        answer.ends_with(r#"{"data":{"__typename":"Query"}}"#),
        "{answer}"
    );
    // What it sends on is heard out for a while, and no longer.
    assert!(began.elapsed() < Duration::from_secs(8));
    assert!(sent.load(Ordering::Relaxed) < 40 << 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_answered_early_over_http2_reads_it_and_has_sent_little() {
    let app = TestApp::new().await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    for _ in 0..3 {
        let sent = Arc::new(AtomicU64::new(0));
        let counted = sent.clone();
        let pieces = stream::unfold(Some(beginning()), move |piece| {
            let counted = counted.clone();
            async move {
                let piece = piece.unwrap_or_else(|| vec![0; 16 << 10]);
                let sent = counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
                (sent < LARGE as u64).then_some((Ok::<_, std::io::Error>(piece), None))
            }
        });
        let request = client
            .post(app.url("/graphql"))
            .header("apollo-require-preflight", "true")
            .header("content-type", "multipart/form-data; boundary=x")
            .body(reqwest::Body::wrap_stream(pieces));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.data(), json!({ "__typename": "Query" }));
        // It may send 256 KiB before anybody asks for it, and has the next piece ready.
        let sent = sent.load(Ordering::Relaxed);
        assert!(sent < (256 << 10) + (48 << 10), "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_says_it_is_too_large_is_refused_before_it_comes() {
    let app = TestApp::new().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let length = (2_u64 << 30) + (2 << 20) + 1;
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nX-CSRF-Token: 1\r\nContent-Type: multipart/form-data; boundary=x\r\n\
         Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains(r#""code":"PAYLOAD_TOO_LARGE""#), "{answer}");
}
