//! How large a body may be, sent plain or packed, and answers packed on the way out.

use async_compression::tokio::write::{
    BrotliDecoder, BrotliEncoder, GzipDecoder, GzipEncoder, ZlibEncoder,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{GRAPHQL, JSON, post, send, wire};
use crate::support::TestApp;

const LIMIT: usize = 1_000_000;
const QUERY: &str = r#"{"query":"{ __typename }"}"#;

/// A good request of this length: JSON may have as many spaces behind it as it likes.
fn of_length(length: usize) -> String {
    let spaces = " ".repeat(length - QUERY.len());
    format!("{QUERY}{spaces}")
}

/// Pushes all of it through an encoder or decoder.
macro_rules! through {
    ($coder:ident, $bytes:expr) => {{
        let mut coder = $coder::new(Vec::new());
        coder.write_all($bytes).await.unwrap();
        coder.shutdown().await.unwrap();
        coder.into_inner()
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_million_bytes_is_read_and_one_more_is_refused() {
    let app = TestApp::new().await;
    let answer = send(post(&app, GRAPHQL, of_length(LIMIT))).await;
    assert_eq!(answer.data(), json!({ "__typename": "Query" }));
    for accept in [GRAPHQL, JSON] {
        let answer = send(post(&app, accept, of_length(LIMIT + 1))).await;
        assert_eq!((answer.status, answer.code()), (413, "PAYLOAD_TOO_LARGE"));
        assert_eq!(
            answer.message(),
            "The body is too large: at most 1000000 bytes are taken, before and after unpacking."
        );
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

/// Its length is not known before, so it is refused in the middle; the client that still sends reads why.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_chunks_is_refused_once_it_is_too_long() {
    let app = TestApp::new().await;
    let chunked = |length: usize| {
        let mut request = format!(
            "POST /graphql HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        for chunk in of_length(length).as_bytes().chunks(8_192) {
            let text = str::from_utf8(chunk).unwrap();
            request.push_str(&format!("{:x}\r\n{text}\r\n", chunk.len()));
        }
        request.push_str("0\r\n\r\n");
        request
    };
    let answer = wire(&app, chunked(LIMIT).as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for length in [LIMIT + 1, 3 * LIMIT] {
        let answer = wire(&app, chunked(length).as_bytes()).await;
        assert!(
            answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"),
            "{answer}"
        );
        assert!(answer.contains(r#""code":"PAYLOAD_TOO_LARGE""#), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packed_body_is_unpacked() {
    let app = TestApp::new().await;
    let plain = of_length(100_000);
    for (encoding, packed) in [
        ("gzip", through!(GzipEncoder, plain.as_bytes())),
        ("br", through!(BrotliEncoder, plain.as_bytes())),
        ("deflate", through!(ZlibEncoder, plain.as_bytes())),
        ("identity", plain.clone().into_bytes()),
    ] {
        let request = post(&app, GRAPHQL, packed).header("content-encoding", encoding);
        assert_eq!(
            send(request).await.data(),
            json!({ "__typename": "Query" }),
            "{encoding}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_refused_for_what_it_unpacks_to() {
    let app = TestApp::new().await;
    let packed = through!(GzipEncoder, of_length(LIMIT).as_bytes());
    let request = post(&app, GRAPHQL, packed).header("content-encoding", "gzip");
    assert_eq!(send(request).await.status, 200);
    for length in [LIMIT + 1, 40 * LIMIT] {
        let bomb = through!(GzipEncoder, of_length(length).as_bytes());
        assert!(bomb.len() < LIMIT / 10, "{}", bomb.len());
        let request = post(&app, GRAPHQL, bomb).header("content-encoding", "gzip");
        let answer = send(request).await;
        assert_eq!((answer.status, answer.code()), (413, "PAYLOAD_TOO_LARGE"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_packed_as_it_says_is_refused() {
    let app = TestApp::new().await;
    let request = post(&app, GRAPHQL, QUERY).header("content-encoding", "gzip");
    let answer = send(request).await;
    assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST"));
    let request = post(&app, GRAPHQL, QUERY).header("content-encoding", "zstd");
    let answer = send(request).await;
    assert_eq!((answer.status, answer.code()), (415, "BAD_REQUEST"));
    assert_eq!(
        answer.header("accept-encoding"),
        Some("gzip, deflate, br, identity")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_packed_for_who_asks() {
    let app = TestApp::new().await;
    let body = json!({ "query": "{ __schema { types { name description fields { name } } } }" });
    let ask = |encodings: &'static str| {
        post(&app, GRAPHQL, body.to_string())
            .header("accept-encoding", encodings)
            .send()
    };
    let plain = ask("identity").await.unwrap();
    assert_eq!(plain.headers().get("content-encoding"), None);
    let plain = plain.bytes().await.unwrap();
    assert!(plain.len() > 4_000, "{}", plain.len());
    for (asked, encoding) in [
        ("gzip", "gzip"),
        ("br", "br"),
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.5, gzip", "gzip"),
    ] {
        let answer = ask(asked).await.unwrap();
        assert_eq!(answer.headers()["content-encoding"], *encoding, "{asked}");
        let varies: Vec<_> = answer.headers().get_all("vary").iter().collect();
        assert!(
            varies.iter().any(|name| *name == "Accept-Encoding"),
            "{varies:?}"
        );
        let packed = answer.bytes().await.unwrap();
        assert!(packed.len() < plain.len() / 2, "{asked}: {}", packed.len());
        let unpacked = match encoding {
            "br" => through!(BrotliDecoder, &packed),
            _ => through!(GzipDecoder, &packed),
        };
        assert_eq!(unpacked, plain, "{asked}");
    }
    for asked in ["deflate", "gzip;q=0", ""] {
        let answer = ask(asked).await.unwrap();
        assert_eq!(answer.headers().get("content-encoding"), None, "{asked}");
        assert_eq!(answer.bytes().await.unwrap(), plain, "{asked}");
    }
    assert!(serde_json::from_slice::<Value>(&plain).is_ok());
}

/// Whichever of them refuses it, before a byte of its body was read: a large one ends the connection, and the answer says
/// so; a small one is thrown away, and the connection goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_wanted_ends_the_connection_only_if_it_is_large() {
    let app = TestApp::new().await;
    let json = "content-type: application/json\r\n";
    for (status, line, headers) in [
        (404, "POST /nowhere", json.to_owned()),
        (405, "PUT /graphql", json.to_owned()),
        (405, "POST /health/live", json.to_owned()),
        (
            406,
            "POST /graphql",
            format!("{json}accept: text/plain\r\n"),
        ),
        (
            415,
            "POST /graphql",
            "content-type: text/plain\r\n".to_owned(),
        ),
        (
            403,
            "POST /graphql",
            "content-type: multipart/form-data\r\n".to_owned(),
        ),
        (
            415,
            "POST /graphql",
            format!("{json}content-encoding: zstd\r\n"),
        ),
    ] {
        let head = |length: usize| {
            format!("{line} HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {length}\r\n\r\n")
        };
        let refused = format!("HTTP/1.1 {status} ");
        let large = wire(&app, (head(LIMIT) + &of_length(LIMIT)).as_bytes()).await;
        assert!(large.starts_with(&refused), "{large}");
        assert!(large.contains("\r\nconnection: close\r\n"), "{large}");

        let next = "GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let both = wire(&app, (head(QUERY.len()) + QUERY + next).as_bytes()).await;
        assert!(both.starts_with(&refused), "{both}");
        assert!(both.ends_with(r#"{"status":"up"}"#), "{both}");
    }
}
