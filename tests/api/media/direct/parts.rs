//! What comes by a signed address: that part, of that length, whole, while it may.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PART, Place, etag, parts, two_parts};
use crate::accounts::mistakes;
use crate::media::files::WAV;

async fn only_the_length_that_was_signed_comes(place: &Place) {
    let upload = place.opens(WAV.len()).await;
    let url = parts(&upload)[0]["url"].as_str().unwrap();
    let mut longer = WAV.to_vec();
    longer.push(0);
    for bytes in [&WAV[1..], &longer, &[]] {
        let put = place.puts(url, bytes.to_vec()).await;
        // The client says no length of what is none.
        let refused = match (place.is_bucket(), bytes) {
            (true, _) => 403,
            (false, []) => 411,
            (false, _) => 400,
        };
        assert_eq!(put.status(), refused, "{}", bytes.len());
    }
    // Nor another part, nor for longer.
    for (from, to) in [("partNumber=1", "partNumber=2"), ("Expires=", "Expires=1")] {
        if place.is_bucket() {
            let altered = url.replace(from, to);
            assert_ne!(altered, url);
            assert_eq!(
                place.puts(&altered, WAV.to_vec()).await.status(),
                403,
                "{to}"
            );
        }
    }
    let etags = [etag(&place.puts(url, WAV.to_vec()).await)];
    let completed = place.completes(&upload, &etags).await;
    assert_eq!(completed["errors"], json!([]), "{completed}");
    // Nothing comes behind it.
    let late = place.puts(url, WAV.to_vec()).await;
    assert_eq!(late.status(), if place.is_bucket() { 403 } else { 404 });
    assert_eq!(place.unfinished().await, 0);
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "READY");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_length_that_was_signed_comes_to_a_folder() {
    only_the_length_that_was_signed_comes(&Place::folder().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_length_that_was_signed_comes_to_a_bucket() {
    only_the_length_that_was_signed_comes(&Place::bucket().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_leaves_what_was_there() {
    let place = Place::folder().await;
    let bytes = two_parts();
    let upload = place.opens(bytes.len()).await;
    let url = |at: usize| parts(&upload)[at]["url"].as_str().unwrap();
    let first = etag(&place.puts(url(0), bytes[..PART].to_vec()).await);
    // Another one that breaks off in its middle, once with the connection and once without a further byte.
    let path = place.reached(url(0));
    let path = path.split_once(&place.app.address.to_string()).unwrap().1;
    let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {PART}\r\n\r\n");
    let mut cut = TcpStream::connect(place.app.address).await.unwrap();
    cut.write_all(head.as_bytes()).await.unwrap();
    cut.write_all(&vec![7; PART / 4 * 3]).await.unwrap();
    cut.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = cut.read_to_end(&mut answer).await;
    drop(cut);
    let second = etag(&place.puts(url(1), bytes[PART..].to_vec()).await);
    // Both parts, what says that more may come, and nothing half written.
    for _ in 0..200 {
        if place.unfinished().await == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(place.unfinished().await, 3);
    let completed = place.completes(&upload, &[first, second]).await;
    assert_eq!(completed["errors"], json!([]), "{completed}");
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "READY");
}

/// The beginning of a part, on a connection that waits for the rest.
async fn begins(place: &Place, url: &str, bytes: &[u8]) -> TcpStream {
    let path = place.reached(url);
    let path = path.split_once(&place.app.address.to_string()).unwrap().1;
    let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {PART}\r\n\r\n");
    let mut stream = TcpStream::connect(place.app.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// The status that a connection is answered with.
async fn status(stream: &mut TcpStream) -> String {
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

async fn until_unfinished(place: &Place, count: usize) {
    for _ in 0..500 {
        if place.unfinished().await == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(place.unfinished().await, count);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_part_anew_takes_the_place_of_who_sends_it_still() {
    let place = Place::folder().await;
    let bytes = two_parts();
    let upload = place.opens(bytes.len()).await;
    let url = |at: usize| parts(&upload)[at]["url"].as_str().unwrap();
    let mut earlier = Vec::new();
    for _ in 0..4 {
        earlier.push(begins(&place, url(0), &bytes[..PART / 2]).await);
        // What says that more may come, and what is half written of one.
        until_unfinished(&place, 2).await;
    }
    let mut last = earlier.pop().unwrap();
    for stream in &mut earlier {
        assert_eq!(status(stream).await, "409");
    }
    last.write_all(&bytes[PART / 2..PART]).await.unwrap();
    assert_eq!(status(&mut last).await, "200");
    until_unfinished(&place, 2).await;

    // One that is still on its way when its upload is completed comes for nothing.
    let first = etag(&place.puts(url(0), bytes[..PART].to_vec()).await);
    let second = etag(&place.puts(url(1), bytes[PART..].to_vec()).await);
    let mut late = begins(&place, url(0), &vec![7; PART / 2]).await;
    until_unfinished(&place, 4).await;
    let completed = place.completes(&upload, &[first, second]).await;
    assert_eq!(completed["errors"], json!([]), "{completed}");
    late.write_all(&vec![7; PART / 2]).await.unwrap();
    assert_eq!(status(&mut late).await, "404");
    until_unfinished(&place, 0).await;
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "READY");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_another_is_said_and_can_be_sent() {
    let place = Place::folder().await;
    let bytes = two_parts();
    let upload = place.opens(bytes.len()).await;
    let url = |at: usize| parts(&upload)[at]["url"].as_str().unwrap();
    let first = etag(&place.puts(url(0), bytes[..PART].to_vec()).await);
    let wrong = etag(&place.puts(url(1), vec![1; bytes.len() - PART]).await);
    let second = etag(&place.puts(url(1), bytes[PART..].to_vec()).await);
    for etags in [
        vec![],
        vec![first.clone()],
        vec![first.clone(), second.clone(), second.clone()],
        vec![first.clone(), wrong],
        vec![second.clone(), first.clone()],
        vec![first.clone(), "\"".into()],
        vec![first.clone(), String::new()],
    ] {
        let refused = place.completes(&upload, &etags).await;
        assert_eq!(mistakes(&refused), ["UPLOAD_INCOMPLETE etags"], "{etags:?}");
        assert_eq!(place.status(&upload).await, "OPEN");
    }
    // Without their quotes too.
    let etags = [first, second].map(|etag| etag.trim_matches('"').to_owned());
    let completed = place.completes(&upload, &etags).await;
    assert_eq!(completed["errors"], json!([]), "{completed}");

    let upload = place.opens(bytes.len()).await;
    let url = parts(&upload)[1]["url"].as_str().unwrap();
    let only = etag(&place.puts(url, bytes[PART..].to_vec()).await);
    let refused = place.completes(&upload, &[only.clone(), only]).await;
    assert_eq!(mistakes(&refused), ["UPLOAD_INCOMPLETE etags"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_lets_in_what_it_says() {
    let place = Place::folder().await;
    let upload = place.opens(WAV.len()).await;
    let url = parts(&upload)[0]["url"].as_str().unwrap().to_owned();
    let reached = place.reached(&url);
    let client = &place.app.client;
    // A body whose length nobody says.
    let pieces = futures_util::stream::iter([Ok::<_, std::io::Error>(WAV.to_vec())]);
    let chunked = client
        .put(&reached)
        .body(reqwest::Body::wrap_stream(pieces));
    assert_eq!(chunked.send().await.unwrap().status(), 411);
    let packed = client
        .put(&reached)
        .header("content-encoding", "gzip")
        .body(WAV.to_vec());
    assert_eq!(packed.send().await.unwrap().status(), 415);
    for altered in [
        reached.replace("/1?", "/2?"),
        reached.replace("/1?", "/../1?"),
        reached.replace("/1?", "/%2e%2e/1?"),
        reached.replace("length=", "length=1"),
        reached.replace("expires=", "expires=1"),
        reached.replace("signature=", "signature=A"),
        reached.split_once('?').unwrap().0.to_owned(),
    ] {
        let put = client
            .put(&altered)
            .body(WAV.to_vec())
            .send()
            .await
            .unwrap();
        assert!(
            matches!(put.status().as_u16(), 403..=405),
            "{altered}: {put:?}"
        );
    }
    let got = client.get(&reached).send().await.unwrap();
    assert_eq!(got.status(), 405);
    assert_eq!(got.headers()["allow"], "OPTIONS, PUT");
    assert_eq!(place.unfinished().await, 1);

    place.app.app.clock.advance(TimeDelta::hours(24));
    let put = place.puts(&url, WAV.to_vec()).await;
    assert_eq!(put.status(), 403);
    assert!(put.text().await.unwrap().contains("has expired"));
    assert_eq!(place.unfinished().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_send_a_part_and_read_its_etag() {
    let place = Place::folder().await;
    let upload = place.opens(WAV.len()).await;
    let url = place.reached(parts(&upload)[0]["url"].as_str().unwrap());
    let origin = place
        .app
        .app
        .config
        .public_url
        .origin()
        .ascii_serialization();
    let client = &place.app.client;
    let asked = client
        .request(reqwest::Method::OPTIONS, &url)
        .header("origin", &origin)
        .header("access-control-request-method", "PUT");
    let asked = asked.send().await.unwrap();
    let allowed = asked.headers()["access-control-allow-methods"]
        .to_str()
        .unwrap();
    assert!(allowed.contains("PUT"), "{allowed}");
    let put = client
        .put(&url)
        .header("origin", &origin)
        .body(WAV.to_vec());
    let put = put.send().await.unwrap();
    let exposed = put.headers().get_all("access-control-expose-headers");
    let exposed: Vec<&str> = exposed.iter().map(|name| name.to_str().unwrap()).collect();
    assert!(
        exposed.iter().any(|names| names.contains("ETag")),
        "{exposed:?}"
    );
    etag(&put);
}
