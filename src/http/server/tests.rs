use std::sync::atomic::{AtomicBool, Ordering};

use async_compression::tokio::write::GzipEncoder;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use poem::{
    Body, Request, Route,
    endpoint::{make, make_sync},
    http::{StatusCode, header},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use url::Url;

use super::*;
use crate::http::{
    body::{BodyLimits, read},
    cors::Cors,
    methods::Methods,
    shell::{Shell, wrap},
};

mod http2;
mod refused;

const BODY_LIMIT: usize = 64 * 1024;
const LARGE: usize = 200_000;
/// On a machine that is busy with other tests. Less than what is to be excluded where it is used, the shortest of which is
/// the two seconds that a client is heard out.
const AT_ONCE: Duration = Duration::from_millis(1_800);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Short enough to wait for, long enough not to be met by chance.
fn short() -> ServerLimits {
    ServerLimits {
        header: Duration::from_millis(400),
        idle: Duration::from_millis(1200),
        stalled_write: Duration::from_millis(400),
        half_closed: Duration::from_millis(600),
        drain: Duration::from_millis(1500),
        connections: 1000,
    }
}

/// The same where what takes as long as these must be told from what is done at once.
fn unhurried() -> ServerLimits {
    ServerLimits {
        idle: Duration::from_secs(10),
        drain: Duration::from_secs(10),
        ..short()
    }
}

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<ServeReport>,
    /// Set when an answer of `/endless`, `/large` or `/never` has been given up, or was taken whole.
    given_up: Arc<AtomicBool>,
}

impl Running {
    async fn with(limits: ServerLimits) -> Self {
        let given_up = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let shell = Shell {
            production: false,
            cors: Cors::new([], &Url::parse("http://localhost").unwrap()),
            trusted_proxies: vec![],
            on_begin: None,
            on_complete: None,
        };
        let endpoint = wrap(routes(Arc::clone(&given_up)), shell);
        let served = tokio::spawn(serve(
            listener,
            endpoint,
            stop.clone(),
            limits,
            Metrics::detached(),
        ));
        Self {
            address,
            stop,
            served,
            given_up,
        }
    }

    /// Waits until nobody holds the answer any more that is told of.
    async fn given_up(&self) {
        let given_up = async {
            while !self.given_up.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(3), given_up).await.unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request on a connection of its own and reads until the server closes.
    async fn ask(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.write_all(request.as_ref()).await.unwrap();
        to_end(&mut client).await
    }

    /// Stops, and says what came of it and how long that took.
    async fn stopped(self) -> (ServeReport, Duration) {
        let began = Instant::now();
        self.stop.cancel();
        let report = self.served.await.unwrap();
        (report, began.elapsed())
    }
}

fn routes(given_up: Arc<AtomicBool>) -> Route {
    struct Told(Arc<AtomicBool>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    impl AsRef<[u8]> for Told {
        fn as_ref(&self) -> &[u8] {
            &[b'x'; LARGE]
        }
    }
    let large = Arc::clone(&given_up);
    let never = Arc::clone(&given_up);
    Route::new()
        .at("/", Methods::new().get(make_sync(|_| "hello")))
        .at(
            "/body",
            Methods::new().post(make(|mut request| async move {
                let limits = BodyLimits {
                    bytes: BODY_LIMIT,
                    total: Duration::from_millis(800),
                    stalled: Duration::from_millis(300),
                };
                let body = read(&mut request, limits).await?;
                Ok::<_, poem::Error>(format!("{} bytes", body.len()))
            })),
        )
        .at(
            "/sleep/:ms",
            make(|request: Request| async move {
                let ms = request.raw_path_param("ms").unwrap().parse().unwrap();
                sleep(Duration::from_millis(ms)).await;
                "slept"
            }),
        )
        .at(
            "/panic",
            make_sync(|request: Request| -> &'static str {
                panic!("as asked by {}", request.method())
            }),
        )
        .at(
            "/endless",
            make_sync(move |_| {
                let told = Told(Arc::clone(&given_up));
                Body::from_bytes_stream(stream::repeat(Bytes::from_static(&[b'x'; 8192])).map(
                    move |bytes| {
                        let _ = &told;
                        Ok::<_, io::Error>(bytes)
                    },
                ))
            }),
        )
        .at(
            "/large",
            make_sync(move |_: Request| Bytes::from_owner(Told(Arc::clone(&large)))),
        )
        .at(
            "/never",
            make(move |_: Request| {
                let told = Told(Arc::clone(&never));
                async move {
                    std::future::pending::<()>().await;
                    drop(told);
                }
            }),
        )
        .at(
            "/unread",
            make(|mut request: Request| async move {
                let body = request.take_body();
                std::future::pending::<()>().await;
                drop(body);
            }),
        )
        .at(
            "/upgrade-late",
            make(|mut request: Request| async move {
                Upgrade::of(&mut request)
                    .unwrap()
                    .then(|upgraded, _| async move { drop(upgraded) });
                sleep(Duration::from_millis(300)).await;
                StatusCode::SWITCHING_PROTOCOLS
            }),
        )
        .at(
            "/upgrade",
            make(|request: Request| async move {
                let upgraded = request.take_upgrade().unwrap();
                tokio::spawn(async move {
                    let mut socket = upgraded.await.unwrap();
                    let mut word = [0; 4];
                    while socket.read_exact(&mut word).await.is_ok() {
                        socket.write_all(&word).await.unwrap();
                        socket.flush().await.unwrap();
                    }
                });
                poem::Response::builder()
                    .status(StatusCode::SWITCHING_PROTOCOLS)
                    .header(header::CONNECTION, "upgrade")
                    .header(header::UPGRADE, "echo")
                    .finish()
            }),
        )
}

async fn to_end(client: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), client.read_to_end(&mut answer))
        .await
        .expect("the server closes")
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads an answer that ends with these words, on a connection that stays open.
async fn until(client: &mut TcpStream, words: &str) -> String {
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !answer.ends_with(words.as_bytes()) {
        let length = timeout(Duration::from_secs(5), client.read(&mut part))
            .await
            .expect("an answer")
            .unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// How long until the server closes this connection.
async fn closed_after(client: &mut TcpStream) -> Duration {
    let began = Instant::now();
    let mut part = [0; 4096];
    let closed = async { while !matches!(client.read(&mut part).await, Ok(0) | Err(_)) {} };
    timeout(Duration::from_secs(10), closed)
        .await
        .expect("the server closes");
    began.elapsed()
}

fn about(limit: Duration) -> std::ops::Range<Duration> {
    limit.saturating_sub(Duration::from_millis(100))..limit + Duration::from_millis(700)
}

#[tokio::test]
async fn a_connection_serves_request_after_request() {
    let server = Running::with(short()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.write_all(GET.as_bytes()).await.unwrap();
        let answer = until(&mut client, "hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(!answer.to_lowercase().contains("\r\nserver:"), "{answer}");
    }
}

#[tokio::test]
async fn who_says_nothing_or_half_a_word_is_cut_off() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    for start in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
    ] {
        let mut client = server.connect().await;
        client.write_all(start.as_bytes()).await.unwrap();
        let after = closed_after(&mut client).await;
        assert!(about(limits.header).contains(&after), "{start:?} {after:?}");
    }
}

#[tokio::test]
async fn a_trickling_header_is_cut_off_also_on_a_known_connection() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    for known in [false, true] {
        let mut client = server.connect().await;
        if known {
            client.write_all(GET.as_bytes()).await.unwrap();
            until(&mut client, "hello").await;
        }
        let (mut reading, mut writing) = client.into_split();
        let trickle = tokio::spawn(async move {
            let endless =
                std::iter::once("GET / HTTP/1.1\r\n").chain(std::iter::repeat("A: b\r\n"));
            for line in endless {
                for byte in line.bytes() {
                    sleep(Duration::from_millis(20)).await;
                    if writing.write_all(&[byte]).await.is_err() {
                        return;
                    }
                }
            }
        });
        let began = Instant::now();
        let mut part = [0; 64];
        while !matches!(reading.read(&mut part).await, Ok(0) | Err(_)) {}
        let after = began.elapsed();
        assert!(about(limits.header).contains(&after), "{known} {after:?}");
        trickle.abort();
    }
}

#[tokio::test]
async fn an_idle_connection_may_stay_longer_than_a_header_may_take() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    let mut client = server.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    until(&mut client, "hello").await;
    sleep(limits.header * 2).await;
    client.write_all(GET.as_bytes()).await.unwrap();
    until(&mut client, "hello").await;
    let after = closed_after(&mut client).await;
    assert!(about(limits.idle).contains(&after), "{after:?}");
}

#[tokio::test]
async fn a_slow_handler_is_no_idle_connection() {
    let server = Running::with(short()).await;
    let answer = server
        .ask("GET /sleep/1800 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.ends_with("slept"), "{answer}");
}

#[tokio::test]
async fn a_hundred_slow_clients_delay_nobody() {
    let server = Running::with(ServerLimits::default()).await;
    let mut slow = Vec::new();
    for n in 0..100 {
        let mut client = server.connect().await;
        let start = match n % 3 {
            0 => "",
            1 => "GET / HTTP/1.1\r\nHos",
            _ => "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab",
        };
        client.write_all(start.as_bytes()).await.unwrap();
        slow.push(client);
    }
    let began = Instant::now();
    let mut client = server.connect().await;
    client.write_all(GET.as_bytes()).await.unwrap();
    until(&mut client, "hello").await;
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_body_that_stalls_or_trickles_is_answered_408() {
    let server = Running::with(short()).await;
    let head = "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    let answer = server.ask(format!("{head}abc")).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");

    let (mut reading, mut writing) = server.connect().await.into_split();
    writing.write_all(head.as_bytes()).await.unwrap();
    let trickle = tokio::spawn(async move {
        while writing.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    let mut part = [0; 1024];
    let length = timeout(Duration::from_secs(5), reading.read(&mut part))
        .await
        .unwrap()
        .unwrap();
    let answer = String::from_utf8_lossy(&part[..length]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    trickle.abort();
}

#[tokio::test]
async fn a_client_that_first_sends_it_all_still_reads_that_it_was_too_much() {
    let server = Running::with(short()).await;
    let megabytes = vec![b'a'; 8 << 20];
    let mut chunked =
        b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in megabytes.chunks(16 * 1024) {
        chunked.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunked.extend_from_slice(chunk);
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    let mut announced = format!(
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        megabytes.len()
    )
    .into_bytes();
    announced.extend_from_slice(&megabytes);
    for request in [chunked, announced] {
        let answer = server.ask(request).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_asks_first_is_spared_the_body() {
    let server = Running::with(short()).await;
    let answer = server
        .ask(
            "POST /body HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 999999\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_bomb_is_answered_413() {
    let server = Running::with(short()).await;
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(&vec![0; 20 << 20]).await.unwrap();
    encoder.shutdown().await.unwrap();
    let bomb = encoder.into_inner();
    let mut request = format!(
        "POST /body HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    )
    .into_bytes();
    request.extend_from_slice(&bomb);
    let answer = server.ask(request).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let server = Running::with(short()).await;
    let mut client = server.connect().await;
    client
        .write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    server.given_up().await;
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_lives() {
    let server = Running::with(short()).await;
    let mut client = server.connect().await;
    client
        .write_all(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    let answer = until(&mut client, "]}").await;
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    assert!(answer.contains("\"INTERNAL\""), "{answer}");
    // The very connection lives on.
    client.write_all(GET.as_bytes()).await.unwrap();
    until(&mut client, "hello").await;
}

#[tokio::test]
async fn methods_on_the_wire() {
    let server = Running::with(short()).await;
    for (method, target, status, allow) in [
        ("HEAD", "/", 200, None),
        ("OPTIONS", "/", 204, Some("GET, HEAD, OPTIONS")),
        ("OPTIONS", "*", 204, Some("GET, HEAD, OPTIONS, POST")),
        ("TRACE", "/", 405, Some("GET, HEAD, OPTIONS, POST")),
        ("CONNECT", "a:80", 405, Some("GET, HEAD, OPTIONS, POST")),
        ("BREW", "/", 405, Some("GET, HEAD, OPTIONS")),
    ] {
        let answer = server
            .ask(format!(
                "{method} {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Secret: s3cret\r\n\r\n"
            ))
            .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method} {answer}"
        );
        assert!(!answer.contains("s3cret"), "{answer}");
        if let Some(allow) = allow {
            assert!(
                answer.contains(&format!("\r\nallow: {allow}\r\n")),
                "{method} {answer}"
            );
        }
        if method == "HEAD" {
            assert!(answer.contains("\r\ncontent-length: 5\r\n"), "{answer}");
            assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn no_header_is_smuggled_into_the_answer() {
    let server = Running::with(short()).await;
    for value in [
        "abcdefgh\r\n\tSet-Cookie: a=b",
        "abcdefgh\rSet-Cookie: a=b",
        "abcdefgh\nSet-Cookie: a=b",
        "abcdefgh\0Set-Cookie: a=b",
        "abcdefgh%0d%0aSet-Cookie:a=b",
    ] {
        let answer = server
            .ask(format!(
                "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Correlation-ID: {value}\r\n\r\n"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 "), "{value:?} {answer}");
        assert!(
            !answer.to_lowercase().contains("set-cookie"),
            "{value:?} {answer}"
        );
    }
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_answered_431() {
    let server = Running::with(short()).await;
    let many: String = (0..150).map(|n| format!("H{n}: x\r\n")).collect();
    let large = format!("Large: {}\r\n", "x".repeat(100_000));
    for headers in [many, large] {
        let answer = server
            .ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"))
            .await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn further_clients_wait_for_a_place() {
    let server = Running::with(ServerLimits {
        connections: 1,
        ..ServerLimits::default()
    })
    .await;
    let mut first = server.connect().await;
    first.write_all(GET.as_bytes()).await.unwrap();
    until(&mut first, "hello").await;
    let mut second = server.connect().await;
    second.write_all(GET.as_bytes()).await.unwrap();
    let mut part = [0; 16];
    let waits = timeout(Duration::from_millis(200), second.read(&mut part)).await;
    assert!(waits.is_err());
    drop(first);
    until(&mut second, "hello").await;
}

#[tokio::test]
async fn stopping_does_not_wait_for_idle_connections() {
    let server = Running::with(ServerLimits::default()).await;
    let mut known = server.connect().await;
    known.write_all(GET.as_bytes()).await.unwrap();
    until(&mut known, "hello").await;
    let mut silent = server.connect().await;
    let mut half = server.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    sleep(Duration::from_millis(50)).await;

    let address = server.address;
    let (report, took) = server.stopped().await;
    assert_eq!(report, ServeReport { cut: 0 });
    assert!(took < AT_ONCE, "{took:?}");
    for client in [&mut known, &mut silent, &mut half] {
        closed_after(client).await;
    }
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn stopping_lets_requests_finish() {
    let server = Running::with(short()).await;
    let mut client = server.connect().await;
    client
        .write_all(b"GET /sleep/900 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    let stop = server.stop.clone();
    let answered = tokio::spawn(async move { to_end(&mut client).await });
    stop.cancel();
    sleep(Duration::from_millis(50)).await;
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "the door is closed while the last are served"
    );
    let (report, _) = server.stopped().await;
    assert_eq!(report, ServeReport { cut: 0 });
    let answer = answered.await.unwrap();
    assert!(answer.ends_with("slept"), "{answer}");
}

#[tokio::test]
async fn stopping_cuts_what_takes_too_long() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    let mut client = server.connect().await;
    client
        .write_all(b"GET /sleep/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    let (report, took) = server.stopped().await;
    assert_eq!(report, ServeReport { cut: 1 });
    assert!(about(limits.drain).contains(&took), "{took:?}");
    assert_eq!(to_end(&mut client).await, "");
}

#[tokio::test]
async fn an_upgraded_connection_keeps_its_place_but_stops_nothing() {
    let server = Running::with(unhurried()).await;
    let mut client = server.connect().await;
    client
        .write_all(
            b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
        )
        .await
        .unwrap();
    let answer = until(&mut client, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    // Past every limit that holds for requests.
    sleep(Duration::from_millis(1500)).await;
    client.write_all(b"ping").await.unwrap();
    until(&mut client, "ping").await;
    let (report, took) = server.stopped().await;
    assert_eq!(report, ServeReport { cut: 0 });
    assert!(took < AT_ONCE, "{took:?}");
    client.write_all(b"pong").await.unwrap();
    until(&mut client, "pong").await;
}

#[tokio::test]
async fn a_connection_that_is_lost_before_it_is_upgraded_ends() {
    let server = Running::with(unhurried()).await;
    let mut client = server.connect().await;
    client
        .write_all(
            b"GET /upgrade-late HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
        )
        .await
        .unwrap();
    sleep(Duration::from_millis(100)).await;
    // A reset, so that nothing can be written any more.
    client.set_zero_linger().unwrap();
    drop(client);
    sleep(Duration::from_millis(400)).await;
    let (report, took) = server.stopped().await;
    assert_eq!(report, ServeReport { cut: 0 });
    assert!(took < AT_ONCE, "{took:?}");
}
