//! Bodies as clients send them, in pieces of every size; and whoever takes their files.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use poem::Body;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::graphql::{Files, Upload as Stands};
use crate::media::{Broken, Incoming};

const OPERATIONS: &str =
    r#"{"query":"{ __typename }","variables":{"a":null,"b":[null,null],"c":{"d":null},"e":1}}"#;

/// A body of parts: their names, and what is in them.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let file = match name.parse::<u8>() {
            Ok(_) => format!("; filename=\"{name}.bin\"\r\nContent-Type: application/octet-stream"),
            Err(_) => String::new(),
        };
        let head = format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--x--\r\n");
    body
}

/// A good beginning with so many files named 0, 1, …; for `a`, `b.0`, `b.1` and `c.d`.
fn with_files(files: &[&[u8]]) -> Vec<u8> {
    const PATHS: [&str; 4] = ["a", "b.0", "b.1", "c.d"];
    const NAMES: [&str; 4] = ["0", "1", "2", "3"];
    let map: Vec<_> = (0..files.len())
        .map(|at| format!("\"{at}\":[\"variables.{}\"]", PATHS[at]))
        .collect();
    let map = format!("{{{}}}", map.join(","));
    let mut parts = vec![
        ("operations", OPERATIONS.as_bytes()),
        ("map", map.as_bytes()),
    ];
    parts.extend(NAMES.into_iter().zip(files.iter().copied()));
    form(&parts)
}

fn in_pieces(bytes: &[u8], size: usize) -> Body {
    let pieces: Vec<_> = bytes
        .chunks(size)
        .map(|piece| Ok::<_, io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    Body::from_bytes_stream(stream::iter(pieces))
}

fn request(body: Body) -> HttpRequest {
    HttpRequest::builder()
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=x")
        .body(body)
}

async fn begun(body: Body) -> (Asked, Coming) {
    match begin(&mut request(body)).await {
        Ok(begun) => begun,
        Err(error) => panic!("{error:?}"),
    }
}

fn metrics() -> &'static Metrics {
    static DETACHED: LazyLock<Arc<Metrics>> = LazyLock::new(Metrics::detached);
    &DETACHED
}

/// Why a body is refused before anything runs: its status, and what is told.
async fn refused(request: &mut HttpRequest) -> (u16, String) {
    use poem::error::ResponseError;
    match begin(request).await {
        Ok(_) => panic!("begun"),
        Err(NotBegun::Refused(error)) => (error.status().as_u16(), error.to_string()),
        Err(NotBegun::Body(error)) => (error.status().as_u16(), error.to_string()),
    }
}

fn upload(place: usize) -> Stands {
    let mut files = Files::default();
    let uploads: Vec<_> = (0..4).map(|_| files.expect(String::new()).0).collect();
    uploads[place]
}

async fn whole(file: Incoming) -> Result<Vec<u8>, Broken> {
    let pieces: Vec<Bytes> = file.bytes.try_collect().await?;
    Ok(pieces.concat())
}

fn files_of(asked: &mut Asked) -> Files {
    asked.requests[0].files.take().unwrap()
}

#[tokio::test]
async fn files_come_as_they_were_sent_however_the_network_cuts_them() {
    let tricky: &[u8] = b"\r\n--\r\n--y\r\r\n-\r\n--\rx--x\r\n-";
    let large: Vec<u8> = (0..100_000_u32).flat_map(|n| [(n % 251) as u8]).collect();
    let sent: [&[u8]; 4] = [tricky, b"", &large, b"\r\n"];
    let body = with_files(&sent);
    for size in [1, 2, 3, 7, 64, 1_000, body.len()] {
        let (mut asked, coming) = begun(in_pieces(&body, size)).await;
        let files = files_of(&mut asked);
        let took = async {
            let mut took = Vec::new();
            for place in 0..4 {
                let file = files.take(upload(place)).await.unwrap();
                assert_eq!(file.file_name, Some(format!("{place}.bin")));
                assert_eq!(
                    file.content_type.as_deref(),
                    Some("application/octet-stream")
                );
                took.push(whole(file).await.unwrap());
            }
            took
        };
        assert_eq!(coming.feed(metrics(), took).await, sent, "{size}");
    }
}

#[tokio::test]
async fn a_file_stands_where_the_map_says() {
    let (asked, _coming) = begun(in_pieces(&with_files(&[b"", b"", b"", b""]), 100)).await;
    let variables = asked.requests[0].variables.as_ref().unwrap();
    let file = |place| upload(place).value();
    assert_eq!(variables["a"], file(0));
    assert_eq!(
        variables["b"],
        async_graphql::Value::List(vec![file(1), file(2)])
    );
    assert!(matches!(&variables["c"], async_graphql::Value::Object(c) if c["d"] == file(3)));
}

#[tokio::test]
async fn a_batch_names_its_operations_by_their_place() {
    let operations = json!([
        { "query": "{ a }", "variables": { "f": null } },
        { "query": "{ b }", "variables": { "f": null } },
    ])
    .to_string();
    let map = r#"{"0":["1.variables.f"],"1":["0.variables.f"]}"#;
    let body = form(&[
        ("operations", operations.as_bytes()),
        ("map", map.as_bytes()),
        ("0", b"of the second"),
        ("1", b"of the first"),
    ]);
    // Each takes its own, whoever asks first.
    let (mut asked, coming) = begun(in_pieces(&body, 11)).await;
    let mut each = asked
        .requests
        .iter_mut()
        .map(|request| request.files.take().unwrap());
    let (first, second) = (each.next().unwrap(), each.next().unwrap());
    let both = async {
        tokio::join!(
            async { whole(first.take(upload(0)).await.unwrap()).await },
            async { whole(second.take(upload(0)).await.unwrap()).await },
        )
    };
    assert_eq!(
        coming.feed(metrics(), both).await,
        (Ok(b"of the first".to_vec()), Ok(b"of the second".to_vec()))
    );
    // One that ends without its file holds up nobody.
    let (mut asked, coming) = begun(in_pieces(&body, 11)).await;
    let first = asked.requests[0].files.take().unwrap();
    drop(asked);
    let taken = coming.feed(metrics(), async {
        whole(first.take(upload(0)).await.unwrap()).await
    });
    assert_eq!(taken.await.as_deref(), Ok(b"of the first".as_slice()));
}

#[tokio::test]
async fn what_is_not_as_the_specification_has_it_is_refused_before_anything_runs() {
    let operations = OPERATIONS.as_bytes();
    let map: &[u8] = br#"{"0":["variables.a"]}"#;
    let long = vec![b' '; BODY_LIMIT + 1];
    let long_map = vec![b' '; LONGEST_MAP + 1];
    let cases: Vec<(u16, &str, Vec<u8>)> = vec![
        (400, "is missing", form(&[])),
        (400, "is expected", form(&[("0", b"")])),
        (400, "is expected", form(&[("map", map), ("operations", operations)])),
        (400, "is missing", form(&[("operations", operations)])),
        (400, "is expected", form(&[("operations", operations), ("0", b"")])),
        (400, "is expected", form(&[("operations", operations), ("operations", operations)])),
        (400, "not a GraphQL request", form(&[("operations", b"{"), ("map", map)])),
        (400, "not a GraphQL request", form(&[("operations", b"7"), ("map", map)])),
        (400, "a JSON object", form(&[("operations", operations), ("map", b"[]")])),
        (400, "a JSON object", form(&[("operations", operations), ("map", b"{\"0\":7}")])),
        (400, "its files are missing", form(&[("operations", operations), ("map", map)])),
        (400, "does not name", form(&[("operations", operations), ("map", b"{}"), ("0", b"")])),
        (413, "1000000", form(&[("operations", &long), ("map", map)])),
        (400, "longer", form(&[("operations", operations), ("map", &long_map)])),
        (400, "boundary", b"--y\r\n".to_vec()),
        (400, "boundary", b"preamble\r\n--x\r\n".to_vec()),
        (400, "new line", b"--xy\r\n".to_vec()),
        (400, "last boundary", b"".to_vec()),
        (400, "last boundary", b"--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}".to_vec()),
        (400, "no header", b"--x\r\nnothing\r\n\r\n".to_vec()),
        (400, "within parts", b"--x\r\nContent-Disposition: form-data; name=\"operations\"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n".to_vec()),
        (400, "too long", [b"--x\r\nA: ".to_vec(), vec![b'a'; LONGEST_HEADER]].concat()),
    ];
    for (status, told, body) in cases {
        for size in [1_000, body.len().max(1)] {
            let (got, message) = refused(&mut request(in_pieces(&body, size))).await;
            assert_eq!(got, status, "{message}");
            assert!(message.contains(told), "{message}: {told}");
        }
    }
}

const LONGEST_HEADER: usize = 9_000;

#[tokio::test]
async fn a_map_names_each_file_and_each_place_once() {
    for (map, told) in [
        (r#"{"0":[]}"#, "needs one path, and has 0"),
        (
            r#"{"0":["variables.a","variables.c.d"]}"#,
            "needs one path, and has 2",
        ),
        (
            r#"{"0":["variables.a"],"1":["variables.a"]}"#,
            "for two files",
        ),
        (
            r#"{"0":["variables.a"],"0":["variables.c.d"]}"#,
            "stands there twice",
        ),
        (r#"{"0":["variables.e"]}"#, "must be null"),
        (r#"{"0":["variables.e.f"]}"#, "is no place"),
        (r#"{"0":["variables.c"]}"#, "must be null"),
        (r#"{"0":["variables.nothing"]}"#, "is no place"),
        (r#"{"0":["variables"]}"#, "is no place"),
        (r#"{"0":["variables."]}"#, "is no place"),
        (r#"{"0":[""]}"#, "is no place"),
        (r#"{"0":["query"]}"#, "is no place"),
        (r#"{"0":["0.variables.a"]}"#, "is no place"),
        (r#"{"0":["variables.b.2"]}"#, "is no place"),
        (r#"{"0":["variables.b.+0"]}"#, "is no place"),
        (r#"{"0":["variables.b.-1"]}"#, "is no place"),
        (
            r#"{"0":["variables.b.99999999999999999999"]}"#,
            "is no place",
        ),
        (
            r#"{"0":["variables.b.0"],"1":["variables.b.00"]}"#,
            "for two files",
        ),
    ] {
        let body = form(&[
            ("operations", OPERATIONS.as_bytes()),
            ("map", map.as_bytes()),
        ]);
        let (status, message) = refused(&mut request(in_pieces(&body, 64))).await;
        assert_eq!(status, 400, "{message}");
        assert!(
            message.starts_with("map: ") && message.contains(told),
            "{message}: {told}"
        );
    }
    let map = r#"{"0":["variables.a"],"1":["variables.b.0"],"2":["variables.b.1"],"3":["variables.c.d"],"4":["variables.e"]}"#;
    let body = form(&[
        ("operations", OPERATIONS.as_bytes()),
        ("map", map.as_bytes()),
    ]);
    let (status, message) = refused(&mut request(in_pieces(&body, 64))).await;
    assert_eq!(
        (status, &*message),
        (413, "map: a request brings at most 4 files.")
    );
    let batch = format!("[{OPERATIONS}]");
    for path in [
        "variables.a",
        "1.variables.a",
        "x.variables.a",
        ".variables.a",
    ] {
        let map = json!({ "0": [path] }).to_string();
        let body = form(&[("operations", batch.as_bytes()), ("map", map.as_bytes())]);
        let (status, message) = refused(&mut request(in_pieces(&body, 64))).await;
        assert_eq!(status, 400, "{message}");
        assert!(message.contains("is no place"), "{message}");
    }
}

#[tokio::test]
async fn headers_alone_refuse_what_they_can() {
    let never = || Body::from_bytes_stream(stream::pending::<io::Result<Bytes>>());
    for kind in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=a*b",
        &format!("multipart/form-data; boundary={}", "a".repeat(71)),
    ] {
        let mut request = HttpRequest::builder()
            .header(header::CONTENT_TYPE, kind)
            .body(never());
        let (status, message) = refused(&mut request).await;
        assert_eq!(status, 400, "{kind}");
        assert!(message.contains("boundary"), "{message}");
    }
    let kind = "multipart/form-data; Boundary=\"a b\"";
    let mut large = HttpRequest::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_LENGTH, MOST_BYTES + 1)
        .body(never());
    assert_eq!(refused(&mut large).await.0, 413);
    let mut packed = HttpRequest::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_ENCODING, "gzip")
        .body(never());
    assert_eq!(refused(&mut packed).await.0, 415);
}

/// What breaks off is never a shorter file.
#[tokio::test]
async fn a_body_that_is_cut_anywhere_gives_no_file_that_looks_whole() {
    let body = with_files(&[b"first", b"second"]);
    let first_ends = body.windows(5).position(|at| at == b"first").unwrap() + 5;
    let second_ends = body.windows(6).position(|at| at == b"second").unwrap() + 6;
    let begins = body.windows(4).rposition(|at| at == b"map\"").unwrap() + 40;
    for cut in begins..body.len() - 1 {
        let Ok((mut asked, coming)) = begin(&mut request(in_pieces(&body[..cut], 10))).await else {
            assert!(cut < first_ends, "{cut}");
            continue;
        };
        let files = files_of(&mut asked);
        let took = coming.feed(metrics(), async {
            let mut took = Vec::new();
            for place in 0..2 {
                took.push(match files.take(upload(place)).await {
                    Ok(file) => whole(file).await.ok(),
                    Err(_) => None,
                });
            }
            took
        });
        let took = took.await;
        let first = took[0].as_deref();
        let second = took[1].as_deref();
        assert!(first.is_none_or(|first| first == b"first"), "{cut}");
        assert_eq!(first.is_some(), cut >= first_ends + 7, "{cut}");
        // Two more letters say that nothing comes behind it.
        assert_eq!(second.is_some(), cut >= second_ends + 7, "{cut}");
    }
}

#[tokio::test]
async fn another_part_than_the_next_of_the_map_breaks_what_waits_for_it() {
    let map: &[u8] = br#"{"0":["variables.a"],"1":["variables.c.d"]}"#;
    let operations = OPERATIONS.as_bytes();
    for (parts, first_is_whole) in [
        (vec![("1", b"b".as_slice()), ("0", b"a")], false),
        (vec![("0", b"a"), ("0", b"a")], true),
        (vec![("0", b"a"), ("2", b"a")], true),
        (vec![("0", b"a")], true),
    ] {
        let mut all = vec![("operations", operations), ("map", map)];
        all.extend(parts);
        let (mut asked, coming) = begun(in_pieces(&form(&all), 1_000)).await;
        let files = files_of(&mut asked);
        let took = coming.feed(metrics(), async {
            match files.take(upload(0)).await {
                Ok(file) => assert!(first_is_whole && whole(file).await.is_ok()),
                Err(error) => assert!(!first_is_whole, "{error}"),
            }
            files.take(upload(1)).await.err()
        });
        let error = took.await.unwrap();
        assert_eq!(error.code(), "BAD_REQUEST");
        let told = error.to_string();
        assert!(
            told.starts_with("The multipart body can't be read: the part "),
            "{told}"
        );
    }
    // Behind the last.
    let parts = [
        ("operations", operations),
        ("map", br#"{"0":["variables.a"]}"#),
        ("0", b"a"),
        ("1", b"b"),
    ];
    let (mut asked, coming) = begun(in_pieces(&form(&parts), 1_000)).await;
    let files = files_of(&mut asked);
    let took = coming.feed(metrics(), async {
        whole(files.take(upload(0)).await.unwrap()).await
    });
    assert_eq!(took.await, Err(Broken::Malformed));
}

#[tokio::test]
async fn files_are_taken_once_and_in_their_order() {
    let (mut asked, coming) = begun(in_pieces(&with_files(&[b"a", b"b"]), 1_000)).await;
    let files = files_of(&mut asked);
    let took = coming.feed(metrics(), async {
        let first = whole(files.take(upload(0)).await.unwrap()).await;
        assert_eq!(first.as_deref(), Ok(b"a".as_slice()));
        let again = files.take(upload(0)).await.err().unwrap().to_string();
        assert!(again.contains("taken once"), "{again}");
        whole(files.take(upload(1)).await.unwrap()).await
    });
    assert_eq!(took.await.as_deref(), Ok(b"b".as_slice()));
}

/// Whoever had it may have been refused before taking it.
#[tokio::test]
async fn a_file_is_had_past_those_that_nobody_took() {
    let (mut asked, coming) = begun(in_pieces(&with_files(&[b"a", b"b", b"c"]), 1_000)).await;
    let files = files_of(&mut asked);
    let took = coming.feed(metrics(), async {
        let second = whole(files.take(upload(1)).await.unwrap()).await;
        assert_eq!(second.as_deref(), Ok(b"b".as_slice()));
        let late = files.take(upload(0)).await.err().unwrap().to_string();
        assert!(
            late.starts_with("variables.a: its file comes before that of variables.b.0"),
            "{late}"
        );
        whole(files.take(upload(2)).await.unwrap()).await
    });
    assert_eq!(took.await.as_deref(), Ok(b"c".as_slice()));
}

#[tokio::test]
async fn what_we_leave_standing_is_not_said_to_be_its_senders_fault() {
    let (body, _) = endless(unfinished(&[b"a"]));
    let (mut asked, mut coming) = begun(body).await;
    coming.left_standing = Duration::from_millis(50);
    let files = files_of(&mut asked);
    let took = coming.feed(metrics(), async {
        let mut file = files.take(upload(0)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        loop {
            if let Err(broken) = file.bytes.next().await.unwrap() {
                break broken;
            }
        }
    });
    let broken = took.await;
    assert_eq!(broken, Broken::NotTaken);
    assert_eq!(ApiError::from(broken).code(), "UNAVAILABLE");
}

/// Counts what is read of a body that goes on for ever.
fn endless(beginning: Vec<u8>) -> (Body, Arc<AtomicU64>) {
    let read = Arc::new(AtomicU64::new(0));
    let counted = read.clone();
    let beginning = stream::iter([Bytes::from(beginning)]);
    let zeros = stream::repeat(Bytes::from_static(&[0; 16_384]));
    let pieces = beginning.chain(zeros).map(move |piece| {
        counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok::<_, io::Error>(piece)
    });
    (Body::from_bytes_stream(pieces), read)
}

fn unfinished(files: &[&[u8]]) -> Vec<u8> {
    let mut body = with_files(files);
    body.truncate(body.len() - b"\r\n--x--\r\n".len());
    body
}

#[tokio::test]
async fn what_nobody_takes_is_not_read() {
    let beginning = unfinished(&[b"a"]);
    let length = beginning.len() as u64;
    // Refused after a while.
    let (body, read) = endless(beginning.clone());
    let (asked, coming) = begun(body).await;
    let refused = async {
        drop(asked);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    coming.feed(metrics(), refused).await;
    assert_eq!(read.load(Ordering::Relaxed), length);
    // Refused for its first bytes.
    let (body, read) = endless(beginning);
    let (mut asked, coming) = begun(body).await;
    let files = files_of(&mut asked);
    let refused = async {
        let mut file = files.take(upload(0)).await.unwrap();
        file.bytes.next().await.unwrap().unwrap();
        drop(file);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    };
    coming.feed(metrics(), refused).await;
    let read = read.load(Ordering::Relaxed);
    assert!(read < length + 10 * 16_384, "{read}");
}

/// Whoever takes a file sets the pace.
#[tokio::test]
async fn no_more_is_read_than_is_taken() {
    let (body, read) = endless(unfinished(&[b"a"]));
    let (mut asked, coming) = begun(body).await;
    let files = files_of(&mut asked);
    let taken = async {
        let mut file = files.take(upload(0)).await.unwrap();
        let mut taken = 0;
        for _ in 0..50 {
            taken += file.bytes.next().await.unwrap().unwrap().len() as u64;
            tokio::time::sleep(Duration::from_millis(1)).await;
            let ahead = read.load(Ordering::Relaxed) - taken;
            assert!(ahead < 10 * 16_384, "{ahead}");
        }
    };
    coming.feed(metrics(), taken).await;
}

#[tokio::test]
async fn a_reader_that_leaves_breaks_what_is_on_its_way() {
    let mut beginning = with_files(&[b"first", b"second"]);
    let first_ends = beginning.windows(5).position(|at| at == b"first").unwrap() + 5;
    beginning.truncate(first_ends);
    let (body, _) = endless(beginning);
    let (mut asked, coming) = begun(body).await;
    let files = files_of(&mut asked);
    let (tells, told) = tokio::sync::oneshot::channel::<()>();
    let taken = tokio::spawn(async move {
        let mut file = files.take(upload(0)).await.unwrap();
        file.bytes.next().await.unwrap().unwrap();
        tells.send(()).unwrap();
        let broken = loop {
            if let Err(broken) = file.bytes.next().await.unwrap() {
                break broken;
            }
        };
        (broken, files.take(upload(1)).await.err())
    });
    coming.feed(metrics(), async { told.await.unwrap() }).await;
    let (broken, missed) = taken.await.unwrap();
    assert_eq!(broken, Broken::Left);
    let missed = missed.unwrap().to_string();
    assert_eq!(
        missed,
        "The request ended before the file of `variables.b.0` came."
    );
}

fn short() -> Pace {
    Pace {
        most: 1_000_000,
        stalled: Duration::from_millis(300),
        window: Duration::from_millis(200),
        least: 100,
        total: Duration::from_millis(900),
    }
}

/// Reads a body to its end by this pace.
async fn read_by(pace: Pace, body: Body) -> (Result<(), Fault>, Duration) {
    let began = Instant::now();
    let mut reader = Reader::new(body, "x", pace);
    let read = async {
        while reader.part().await?.is_some() {
            while reader.piece().await?.is_some() {}
        }
        Ok(())
    };
    (read.await, began.elapsed())
}

/// The beginning of a file, and then so much every now and then.
fn trickling(piece: usize) -> Body {
    let beginning = b"--x\r\nContent-Disposition: form-data; name=\"0\"\r\n\r\n";
    let beginning = stream::iter([Ok::<_, io::Error>(Bytes::from_static(beginning))]);
    let trickle = stream::unfold((), move |()| async move {
        tokio::time::sleep(Duration::from_millis(25)).await;
        Some((Ok(Bytes::from(vec![b'a'; piece])), ()))
    });
    Body::from_bytes_stream(beginning.chain(trickle))
}

#[tokio::test]
async fn what_stalls_or_trickles_or_never_ends_is_too_slow() {
    for (piece, pace, limit) in [
        // Nothing at all, which empty frames are too.
        (
            0,
            Pace {
                window: Duration::from_secs(60),
                ..short()
            },
            short().stalled,
        ),
        // Too little: what came with the header of the part fills the first window.
        (
            1,
            Pace {
                least: 60,
                ..short()
            },
            short().window,
        ),
        // Enough, and for too long.
        (
            50,
            Pace {
                stalled: Duration::from_secs(1),
                window: Duration::from_secs(1),
                total: Duration::from_secs(3),
                ..short()
            },
            Duration::from_secs(3),
        ),
    ] {
        let (read, took) = read_by(pace, trickling(piece)).await;
        assert_eq!(read, Err(Fault::TooSlow), "{piece}");
        let leeway = Duration::from_millis(500);
        assert!((limit..limit + leeway).contains(&took), "{piece}: {took:?}");
    }
}

#[tokio::test]
async fn what_is_more_than_may_come_is_too_much() {
    let (body, _) = endless(b"--x\r\nContent-Disposition: form-data; name=\"0\"\r\n\r\n".to_vec());
    assert_eq!(read_by(short(), body).await.0, Err(Fault::TooMuch));
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_from_a_body_that_ends() {
    for (error, fault) in [
        (io::ErrorKind::UnexpectedEof, Fault::Left),
        (io::ErrorKind::ConnectionReset, Fault::Left),
        (
            io::ErrorKind::InvalidData,
            Fault::malformed("its chunks are not those of HTTP"),
        ),
    ] {
        let pieces = [
            Ok(Bytes::from_static(b"--x\r\n")),
            Err(io::Error::from(error)),
        ];
        let body = Body::from_bytes_stream(stream::iter(pieces));
        assert_eq!(read_by(short(), body).await.0, Err(fault));
    }
}

#[tokio::test]
async fn files_are_hashed_while_they_are_read_and_count_once_they_are_whole() {
    use sha2::{Digest, Sha256};
    let body = with_files(&[b"first", b"second"]);
    let hash = |text: &[u8]| <[u8; 32]>::from(Sha256::digest(text));
    let both = [hash(b"first"), hash(b"second")];
    // By whoever takes them, and where they are only compared.
    for compares in [false, true] {
        let (mut asked, coming) = begun(in_pieces(&body, 3)).await;
        let files = files_of(&mut asked);
        let hashes = files.hash();
        let read = async {
            if compares {
                return files.read_all().await.unwrap();
            }
            let mut file = files.take(upload(0)).await.unwrap();
            file.bytes.next().await.unwrap().unwrap();
            assert_eq!(hashes.all(), None);
            while file.bytes.try_next().await.unwrap().is_some() {}
            assert_eq!(hashes.all(), None);
            whole(files.take(upload(1)).await.unwrap()).await.unwrap();
        };
        coming.feed(metrics(), read).await;
        assert_eq!(hashes.all().as_deref(), Some(both.as_slice()));
    }
}

#[tokio::test]
async fn an_operation_idles_only_while_it_waits_for_no_file() {
    let (mut asked, _coming) = begun(in_pieces(&unfinished(&[b"a"]), 100)).await;
    let files = files_of(&mut asked);
    let idles = || {
        timeout(
            Duration::from_millis(200),
            files.idle(Duration::from_millis(50)),
        )
    };
    assert!(idles().await.is_ok());
    let waits = async { files.take(upload(0)).await.map(drop) };
    tokio::select! {
        _ = waits => panic!("nobody hands it over"),
        idle = idles() => assert!(idle.is_err()),
    }
    assert!(idles().await.is_ok());
}
