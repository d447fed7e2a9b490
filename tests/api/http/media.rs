//! `GET /media/…` as browsers, players and those who try their luck ask it.

use std::time::Duration;

use chrono::TimeDelta;
use empulse::storage::{ContentType, Facts, Key, Shown};
use reqwest::{Method, RequestBuilder, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, TestApp};

const MINUTE: Duration = Duration::from_secs(60);
const FILE: &[u8] = b"0123456789abcdefghij";

/// A service with a file, and where to ask for it: path and query.
struct Served {
    app: TestApp,
    target: String,
}

impl Served {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let app = TestApp::with(settings).await;
        put(&app, "tracks/1/a.mp3", FILE).await;
        let target = target(&app, "tracks/1/a.mp3", false).await;
        Self { app, target }
    }

    fn ask(&self, method: Method) -> RequestBuilder {
        self.app.client.request(method, self.app.url(&self.target))
    }

    async fn get(&self, headers: &[(&str, &str)]) -> Response {
        let ask = headers
            .iter()
            .fold(self.ask(Method::GET), |ask, (name, value)| {
                ask.header(*name, *value)
            });
        ask.send().await.unwrap()
    }
}

async fn put(app: &TestApp, key: &str, bytes: &'static [u8]) {
    let facts = Facts::of(ContentType::OCTETS);
    let key: Key = key.parse().unwrap();
    app.app.storage.put(&key, bytes, &facts).await.unwrap();
}

async fn target(app: &TestApp, key: &str, attachment: bool) -> String {
    let shown = Shown::new(
        "Köln.mp3",
        ContentType::read("audio/mpeg").unwrap(),
        attachment,
    );
    let key: Key = key.parse().unwrap();
    let url = app
        .app
        .storage
        .signed_address(&key, &shown, MINUTE)
        .await
        .unwrap();
    assert_eq!(url.origin().ascii_serialization(), "http://localhost:8000");
    format!("{}?{}", url.path(), url.query().unwrap())
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

/// A request exactly as written, as no client would let it out, and its answer.
async fn raw(app: &TestApp, target: &str) -> String {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_shown_as_was_promised() {
    let served = Served::new().await;
    let answer = served.get(&[]).await;
    assert_eq!(answer.status(), 200);
    for (name, value) in [
        ("content-type", "audio/mpeg"),
        ("content-length", "20"),
        (
            "content-disposition",
            "inline; filename=\"K_ln.mp3\"; filename*=UTF-8''K%C3%B6ln.mp3",
        ),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("cross-origin-resource-policy", "same-site"),
        ("referrer-policy", "no-referrer"),
        ("content-encoding", ""),
    ] {
        assert_eq!(header(&answer, name), value, "{name}");
    }
    let policy = header(&answer, "content-security-policy");
    assert!(
        policy.starts_with("sandbox; default-src 'none'"),
        "{policy}"
    );
    let cached = header(&answer, "cache-control").to_owned();
    let left = cached.strip_prefix("private, max-age=").unwrap();
    let left: u64 = left
        .strip_suffix(", no-transform")
        .unwrap()
        .parse()
        .unwrap();
    assert!((50..=60).contains(&left), "{cached}");
    let etag = header(&answer, "etag").to_owned();
    assert!(etag.starts_with('"') && etag.len() > 4, "{etag}");
    assert!(header(&answer, "last-modified").ends_with(" GMT"));
    assert_eq!(answer.bytes().await.unwrap(), FILE);

    // The head of the same, and nothing else.
    let head = served.ask(Method::HEAD).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(header(&head, "content-length"), "20");
    assert_eq!(header(&head, "etag"), etag);
    assert_eq!(header(&head, "content-type"), "audio/mpeg");
    assert!(head.bytes().await.unwrap().is_empty());

    let saved = target(&served.app, "tracks/1/a.mp3", true).await;
    let answer = served
        .app
        .client
        .get(served.app.url(&saved))
        .send()
        .await
        .unwrap();
    assert!(header(&answer, "content-disposition").starts_with("attachment; "));
    assert_eq!(
        header(&answer, "cache-control"),
        "private, no-store, no-transform"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_not_packed_so_that_its_parts_are_those_of_the_file() {
    let app = TestApp::new().await;
    put(&app, "a.json", &[b' '; 20_000]).await;
    let shown = Shown::new("a.json", ContentType::JSON, true);
    let key: Key = "a.json".parse().unwrap();
    let url = app
        .app
        .storage
        .signed_address(&key, &shown, MINUTE)
        .await
        .unwrap();
    let url = app.url(&format!("{}?{}", url.path(), url.query().unwrap()));
    let ask = app.client.get(url).header("accept-encoding", "gzip, br");
    let answer = ask.send().await.unwrap();
    assert_eq!(header(&answer, "content-encoding"), "");
    assert_eq!(header(&answer, "content-length"), "20000");
    assert!(!header(&answer, "etag").starts_with("W/"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_those_that_were_asked_for() {
    let served = Served::new().await;
    for (range, part, said) in [
        ("bytes=0-0", &FILE[..1], "bytes 0-0/20"),
        ("bytes=5-9", &FILE[5..10], "bytes 5-9/20"),
        ("bytes=10-", &FILE[10..], "bytes 10-19/20"),
        ("bytes=-3", &FILE[17..], "bytes 17-19/20"),
        ("bytes=15-999", &FILE[15..], "bytes 15-19/20"),
        ("bytes=0-1,99-", &FILE[..2], "bytes 0-1/20"),
    ] {
        let answer = served.get(&[("range", range)]).await;
        assert_eq!(answer.status(), 206, "{range}");
        assert_eq!(header(&answer, "content-range"), said);
        assert_eq!(header(&answer, "content-length"), part.len().to_string());
        assert_eq!(header(&answer, "content-type"), "audio/mpeg");
        assert_ne!(header(&answer, "etag"), "");
        assert_eq!(answer.bytes().await.unwrap(), part, "{range}");
    }
    for range in ["bytes=0-1,5-6", "items=0-1", "bytes=x", "bytes=3-2"] {
        let answer = served.get(&[("range", range)]).await;
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "content-range")),
            (200, ""),
            "{range}"
        );
        assert_eq!(answer.bytes().await.unwrap(), FILE);
    }
    for range in ["bytes=20-", "bytes=-0", "bytes=99-100,200-"] {
        let answer = served.get(&[("range", range)]).await;
        assert_eq!(answer.status(), 416, "{range}");
        assert_eq!(header(&answer, "content-range"), "bytes */20");
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(header(&answer, "content-type"), "application/json");
    }
    let head = served
        .ask(Method::HEAD)
        .header("range", "bytes=0-1")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (head.status().as_u16(), header(&head, "content-length")),
        (200, "20")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_a_file() {
    let app = TestApp::new().await;
    put(&app, "empty", b"").await;
    let target = target(&app, "empty", false).await;
    let ask = |range: Option<&str>| {
        let ask = app.client.get(app.url(&target));
        match range {
            Some(range) => ask.header("range", range),
            None => ask,
        }
    };
    for range in [None, Some("bytes=-5")] {
        let answer = ask(range).send().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "content-length")),
            (200, "0")
        );
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    let answer = ask(Some("bytes=0-")).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), header(&answer, "content-range")),
        (416, "bytes */0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_version_is_told_what_became_of_it() {
    let served = Served::new().await;
    let first = served.get(&[]).await;
    let (etag, modified) = (
        header(&first, "etag").to_owned(),
        header(&first, "last-modified").to_owned(),
    );
    for (name, value, status) in [
        ("if-none-match", &*etag, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", &modified, 304),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 200),
        ("if-match", &etag, 200),
        ("if-match", "\"other\"", 412),
        ("if-unmodified-since", &modified, 200),
        ("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT", 412),
    ] {
        for method in [Method::GET, Method::HEAD] {
            let answer = served.ask(method).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), status, "{name}: {value}");
            assert_eq!(header(&answer, "etag"), etag);
            let kept = header(&answer, "cache-control");
            assert_ne!(kept, "");
            // It says nothing of the address for whoever asks without a condition.
            assert_eq!(kept == "no-store", status == 412, "{name}: {value}");
            if status == 304 {
                assert_eq!(header(&answer, "content-type"), "");
                assert!(answer.bytes().await.unwrap().is_empty());
            }
        }
    }

    let part = [("range", "bytes=0-4")];
    let with = |value: &'static str| [part[0], ("if-range", value)];
    assert_eq!(
        served.get(&[part[0], ("if-range", &*etag)]).await.status(),
        206
    );
    assert_eq!(served.get(&with("\"other\"")).await.status(), 200);
    // What changed within this second can't be told apart by a time.
    served.app.app.clock.advance(TimeDelta::seconds(2));
    assert_eq!(
        served
            .get(&[part[0], ("if-range", &*modified)])
            .await
            .status(),
        206
    );
    assert_eq!(
        served
            .get(&with("Sun, 06 Nov 1994 08:49:37 GMT"))
            .await
            .status(),
        200
    );
    // A version that is known needs no part of it.
    assert_eq!(
        served
            .get(&[part[0], ("if-none-match", &*etag)])
            .await
            .status(),
        304
    );

    put(&served.app, "tracks/1/a.mp3", b"another of them").await;
    let second = served.get(&[("if-none-match", &*etag)]).await;
    assert_eq!(second.status(), 200);
    assert_ne!(header(&second, "etag"), etag);
    let part = served.get(&[part[0], ("if-range", &*etag)]).await;
    assert_eq!(
        (part.status().as_u16(), part.bytes().await.unwrap().len()),
        (200, 15)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_signed_is_opened() {
    let served = Served::new().await;
    put(&served.app, "other", b"other").await;
    let Served { app, target } = &served;
    let altered = |from: &str, to: &str| {
        assert!(target.contains(from), "{from} in {target}");
        target.replacen(from, to, 1)
    };
    let query = target.split_once('?').unwrap().1;
    for other in [
        "/media/tracks/1/a.mp3".to_owned(),
        "/media/tracks/1/a.mp3?".to_owned(),
        "/media/".to_owned(),
        "/media/nothing-of-the-kind".to_owned(),
        altered("a.mp3?", "b.mp3?"),
        altered("tracks/1/a.mp3", "other"),
        altered("inline", "attachment"),
        altered("mpeg", "html"),
        altered("K%C3%B6ln", "Bonn"),
        altered("expires=", "expires=9"),
        altered("signature=", "signature=A"),
        format!("{target}&x=y"),
        // Ways out of the folder, with what is signed for another key.
        format!("/media/../keys/signing?{query}"),
        format!("/media/tracks/../../keys/signing?{query}"),
        format!("/media/..%2f..%2fkeys/signing?{query}"),
        format!("/media/%2e%2e/%2e%2e/keys/signing?{query}"),
        format!("/media/tracks%2f1%2fa.mp3?{query}"),
        format!("/media/tracks/1/./a.mp3?{query}"),
        format!("/media//tracks/1/a.mp3?{query}"),
        format!("/media/tracks/1/a%2emp3?{query}"),
        format!("/media/tracks\\1\\a.mp3?{query}"),
        format!("/media/tracks%5c1%5ca.mp3?{query}"),
        format!("/media/tracks/1/a.mp3%00?{query}"),
        format!("/media/tracks/1/a.mp3/?{query}"),
        format!("/media/tracks/1/a.mp3%231?{query}"),
        format!("/media/_empulse/check?{query}"),
        format!("/media//etc/passwd?{query}"),
    ] {
        let answer = raw(app, &other).await;
        let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
        let refused = matches!(&*status, "403" | "404" | "400");
        assert!(refused, "{other}: {answer}");
        assert!(!answer.contains("0123456789"), "{other}");
        if status == "403" {
            assert!(answer.contains("FORBIDDEN"), "{answer}");
        }
    }
    assert!(raw(app, target).await.contains("0123456789"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_ends_and_says_so() {
    let served = Served::new().await;
    served.app.app.clock.advance(TimeDelta::seconds(58));
    assert_eq!(served.get(&[]).await.status(), 200);
    served.app.app.clock.advance(TimeDelta::seconds(2));
    let answer = Answer::of(served.get(&[]).await).await;
    assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN"));
    assert_eq!(
        answer.message(),
        "This address has expired. Ask for a new one."
    );
    // Who made one up is not told even that.
    let forged = served.target.replace("inline", "attachment");
    let answer = Answer::of(
        served
            .app
            .client
            .get(served.app.url(&forged))
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (answer.status, answer.message()),
        (403, "This address opens nothing.")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_not_found() {
    let served = Served::new().await;
    let key: Key = "tracks/1/a.mp3".parse().unwrap();
    served.app.app.storage.delete(&key).await.unwrap();
    let answer = Answer::of(served.get(&[]).await).await;
    assert_eq!((answer.status, answer.code()), (404, "BAD_REQUEST"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_with_the_same_keys_take_each_others_addresses() {
    let served = Served::new().await;
    let other = served.app.instance(&[]).await;
    let answer = other
        .client
        .get(other.url(&served.target))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.bytes().await.unwrap(), FILE);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_by_it_but_reading() {
    let served = Served::new().await;
    for method in [Method::PUT, Method::POST, Method::DELETE] {
        let answer = served.ask(method.clone()).body("x").send().await.unwrap();
        assert_eq!(answer.status(), 405, "{method}");
        assert_eq!(header(&answer, "allow"), "GET, HEAD, OPTIONS");
    }
    assert_eq!(served.get(&[]).await.bytes().await.unwrap(), FILE);
    for folder in ["/media", "/media/tracks", "/media/tracks/"] {
        let answer = served
            .app
            .client
            .get(served.app.url(folder))
            .send()
            .await
            .unwrap();
        assert!([403, 404].contains(&answer.status().as_u16()), "{folder}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allowed_page_may_read_parts_and_which_they_are() {
    let origin = "https://app.example.com";
    let served = Served::with(&[("EMPULSE_ALLOWED_ORIGINS", origin)]).await;
    let answer = served
        .get(&[("origin", origin), ("range", "bytes=0-1")])
        .await;
    assert_eq!(answer.status(), 206);
    assert_eq!(header(&answer, "access-control-allow-origin"), origin);
    let exposed: Vec<_> = answer
        .headers()
        .get_all("access-control-expose-headers")
        .iter()
        .flat_map(|value| value.to_str().unwrap().split(", "))
        .collect();
    for name in ["Content-Range", "Accept-Ranges", "ETag", "X-Correlation-ID"] {
        assert!(exposed.contains(&name), "{name}: {exposed:?}");
    }
    let foreign = served.get(&[("origin", "https://evil.example.com")]).await;
    assert_eq!(header(&foreign, "access-control-allow-origin"), "");
    assert_eq!(header(&foreign, "access-control-expose-headers"), "");
}

/// How many of this process' open files are this one.
#[cfg(target_os = "linux")]
fn open_files(path: &std::path::Path) -> usize {
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter(|entry| {
            let link = std::fs::read_link(entry.as_ref().unwrap().path());
            link.is_ok_and(|link| link == path)
        })
        .count()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_lets_go_of_the_file() {
    let served = Served::new().await;
    let path = served.app.folder().join("files/tracks/1/a.mp3");
    // Far larger than what fits into any buffer on the way, and nowhere on the disk.
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(1 << 36)
        .unwrap();
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(served.app.address).await.unwrap();
        let request = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", served.target);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut some = [0; 1024];
        stream.read_exact(&mut some).await.unwrap();
        assert!(some.starts_with(b"HTTP/1.1 200"));
        clients.push(stream);
    }
    assert_eq!(open_files(&path), 3);
    drop(clients);
    for _ in 0..100 {
        if open_files(&path) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} are still open", open_files(&path));
}

/// Three people listening do not keep others from the database.
#[tokio::test(flavor = "multi_thread")]
async fn no_database_is_asked_for_a_file() {
    let served = Served::new().await;
    let before = served.app.app.db.statements();
    served.get(&[]).await.bytes().await.unwrap();
    assert_eq!(served.app.app.db.statements(), before);
}
