//! Clients that send a byte now and then, in numbers, beside one that does not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::support::{Folder, NO_JOBS, Service, has_embedded};

const HEADERS: usize = 200;
const BODIES: usize = 100;
/// What both are given, the one in all and the other from its last byte.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a machine that is busy with other tests.
const SLACK: Duration = Duration::from_secs(2);
const BETWEEN_BYTES: Duration = Duration::from_millis(400);
const BYTES_OF_A_BODY: u32 = 5;

/// Sends the beginning at once and then a byte at a time, as many as it is told; returns when it was cut off, and what
/// it was told.
async fn trickle(address: SocketAddr, beginning: &str, bytes: u32) -> (Duration, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let began = Instant::now();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let sending = tokio::spawn(async move {
        for _ in 0..bytes {
            sleep(BETWEEN_BYTES).await;
            if writing.write_all(b"a").await.is_err() {
                break;
            }
        }
        // Not closed before the service does.
        writing
    });
    let mut told = Vec::new();
    // A reset is an end as well.
    let _ = reading.read_to_end(&mut told).await;
    let cut = began.elapsed();
    sending.abort();
    (cut, String::from_utf8_lossy(&told).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_are_cut_off_and_hold_up_nobody() {
    if !has_embedded("slow clients") {
        return;
    }
    let folder = Folder::new();
    let service = Service::ready(&folder, &[NO_JOBS]).await;
    let header = "POST /graphql HTTP/1.1\r\nhost: here\r\nx-slow: ";
    let body = "POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    let address = service.address;
    let slow = tokio::spawn(async move {
        let headers = join_all((0..HEADERS).map(|_| trickle(address, header, 100)));
        let bodies = join_all((0..BODIES).map(|_| trickle(address, body, BYTES_OF_A_BODY)));
        tokio::join!(headers, bodies)
    });
    let mut times = Vec::new();
    while !slow.is_finished() {
        let asked = Instant::now();
        service.data("{ genres { slug } }").await;
        times.push(asked.elapsed());
        sleep(Duration::from_millis(20)).await;
    }
    times.sort();
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "beside {} slow clients: {} answers, median {median:.1?}, p99 {p99:.1?}",
        HEADERS + BODIES,
        times.len()
    );
    assert!(times.len() > 100);
    // Who is held up waits for as long as the slow ones are given.
    assert!(p99 < Duration::from_secs(2), "{p99:?}");

    let (headers, bodies) = slow.await.unwrap();
    for (cut, told) in &headers {
        assert!(
            (PATIENCE - SLACK..PATIENCE + SLACK).contains(cut),
            "{cut:?} {told}"
        );
    }
    let last_byte = BETWEEN_BYTES * BYTES_OF_A_BODY;
    for (cut, told) in &bodies {
        assert!(told.starts_with("HTTP/1.1 408 "), "{cut:?} {told}");
        assert!(
            (last_byte + PATIENCE - SLACK..last_byte + PATIENCE + SLACK).contains(cut),
            "{cut:?} {told}"
        );
    }
    service.stops().await;
}
