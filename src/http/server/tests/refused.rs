//! HTTP/1 requests that are answered before they were read, and what that does to their connection.

use super::*;

const CLOSES: &str = "\r\nconnection: close\r\n";

/// Refused by its route, for its method, by its announced length, or for its encoding; none of them is read.
const REFUSED: [(u16, &str); 4] = [
    (404, "POST /nowhere HTTP/1.1\r\n"),
    (405, "POST / HTTP/1.1\r\n"),
    (413, "POST /body HTTP/1.1\r\n"),
    (415, "POST /body HTTP/1.1\r\nContent-Encoding: zstd\r\n"),
];

fn head(line: &str, length: usize) -> String {
    format!("{line}Host: a\r\nContent-Length: {length}\r\n\r\n")
}

fn answers(told: &str) -> usize {
    told.matches("HTTP/1.").count()
}

#[tokio::test]
async fn who_is_refused_unread_is_told_that_the_connection_closes() {
    let server = Running::with(short()).await;
    for (status, line) in REFUSED {
        let mut client = server.connect().await;
        let request = head(line, 1_000_000);
        client.write_all(request.as_bytes()).await.unwrap();
        let answer = to_end(&mut client).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains(CLOSES), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_comes_a_round_trip_later_does_not_destroy_the_answer() {
    // Longer than a header may take.
    const ROUND_TRIP: Duration = Duration::from_millis(600);
    let server = Running::with(ServerLimits {
        idle: Duration::from_secs(75),
        ..short()
    })
    .await;
    for (status, line) in REFUSED {
        let mut client = server.connect().await;
        let request = head(line, 1_000_000);
        client.write_all(request.as_bytes()).await.unwrap();
        for _ in 0..3 {
            sleep(ROUND_TRIP).await;
            client.write_all(&[b'a'; 10_000]).await.unwrap();
        }
        let answer = to_end(&mut client).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_header_that_was_refused_is_heard_out_too() {
    let server = Running::with(ServerLimits::default()).await;
    let mut client = server.connect().await;
    client
        .write_all(b"GET / HTTP/1.1\r\nnot a header\r\n")
        .await
        .unwrap();
    for _ in 0..3 {
        sleep(Duration::from_millis(200)).await;
        client.write_all(&[b'a'; 10_000]).await.unwrap();
    }
    let answer = to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_refused_client_keeps_its_place_for_a_moment_only() {
    let server = Running::with(ServerLimits {
        connections: 1,
        ..ServerLimits::default()
    })
    .await;
    let request = head("POST / HTTP/1.1\r\n", 1_000_000);
    for (waits, at_most) in [
        (true, Duration::from_millis(4_500)),
        (false, Duration::from_millis(1_500)),
    ] {
        let mut refused = server.connect().await;
        refused.write_all(request.as_bytes()).await.unwrap();
        to_end(&mut refused).await;
        let began = Instant::now();
        let refused = waits.then_some(refused);
        let mut next = server.connect().await;
        next.write_all(GET.as_bytes()).await.unwrap();
        until(&mut next, "hello").await;
        assert!(began.elapsed() < at_most, "{waits} {:?}", began.elapsed());
        drop(refused);
    }
}

#[tokio::test]
async fn who_sends_on_and_on_is_not_heard_for_ever() {
    let server = Running::with(ServerLimits::default()).await;
    let mut client = server.connect().await;
    let request = head("POST / HTTP/1.1\r\n", 1_000_000_000);
    client.write_all(request.as_bytes()).await.unwrap();
    to_end(&mut client).await;
    let began = Instant::now();
    while client.write_all(b"a").await.is_ok() {
        sleep(Duration::from_millis(100)).await;
        assert!(began.elapsed() < Duration::from_secs(7));
    }
}

/// More than is heard out of others, and more than the system holds on both sides.
#[tokio::test]
async fn a_page_sends_all_before_it_reads_an_answer_that_refuses_nothing() {
    const SENT: usize = 64 << 20;
    let server = Running::with(ServerLimits::default()).await;
    let sends = async |line: &str| {
        let mut client = server.connect().await;
        client.write_all(head(line, SENT).as_bytes()).await?;
        client.write_all(&vec![b'a'; SENT]).await?;
        Ok::<_, io::Error>(to_end(&mut client).await)
    };
    let page = "Origin: http://localhost\r\n";
    let answer = sends(&format!("POST /sleep/0 HTTP/1.1\r\n{page}")).await;
    let answer = answer.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains(CLOSES) && answer.ends_with("slept"),
        "{answer}"
    );
    // Who reads while it sends has read by then; and of an error browsers read what came.
    for line in [
        "POST /sleep/0 HTTP/1.1\r\n".to_owned(),
        format!("POST /nowhere HTTP/1.1\r\n{page}"),
    ] {
        sends(&line).await.unwrap_err();
    }
}

#[tokio::test]
async fn hearing_a_client_out_does_not_hold_up_a_stop() {
    let server = Running::with(ServerLimits::default()).await;
    let mut client = server.connect().await;
    let request = head("POST / HTTP/1.1\r\n", 1_000_000);
    client.write_all(request.as_bytes()).await.unwrap();
    to_end(&mut client).await;
    let (report, took) = server.stopped().await;
    assert_eq!(report, ServeReport { cut: 0 });
    assert!(took < AT_ONCE, "{took:?}");
}

/// A token that has expired, say, must not cost each of its users a connection.
#[tokio::test]
async fn a_small_body_that_nobody_wanted_costs_no_connection() {
    let server = Running::with(short()).await;
    let mut client = server.connect().await;
    for (head, body) in [
        ("Content-Length: 11\r\n\r\n", "hello world"),
        (
            "Transfer-Encoding: chunked\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
    ] {
        for apart in [false, true] {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{head}");
            client.write_all(head.as_bytes()).await.unwrap();
            if apart {
                sleep(Duration::from_millis(20)).await;
            }
            client.write_all(body.as_bytes()).await.unwrap();
            let answer = until(&mut client, "]}").await;
            assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
            assert!(!answer.contains(CLOSES), "{answer}");
        }
    }
    client.write_all(GET.as_bytes()).await.unwrap();
    until(&mut client, "hello").await;
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_without_being_asked_to_go_on() {
    let server = Running::with(short()).await;
    for (status, line) in REFUSED {
        for length in [10, 1_000_000] {
            if status == 413 && length == 10 {
                continue;
            }
            let line = format!("{line}Expect: 100-continue\r\n");
            let answer = server.ask(head(&line, length)).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            assert!(answer.contains(CLOSES), "{answer}");
        }
    }
}

#[tokio::test]
async fn what_a_refused_body_holds_is_not_taken_for_a_request() {
    let server = Running::with(short()).await;
    let large = GET.repeat(10_000);
    for (status, line) in REFUSED {
        let answer = server
            .ask(format!("{}{large}", head(line, large.len() + 1)))
            .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert_eq!(answers(&answer), 1, "{answer}");
    }
    // Of a small one just what comes behind it is the next.
    let mut client = server.connect().await;
    let request = head("POST / HTTP/1.1\r\n", GET.len());
    client
        .write_all(format!("{request}{GET}{GET}").as_bytes())
        .await
        .unwrap();
    let told = until(&mut client, "hello").await;
    client.shutdown().await.unwrap();
    let told = told + &to_end(&mut client).await;
    assert_eq!(answers(&told), 2, "{told}");
}

#[tokio::test]
async fn two_lengths_at_once_end_the_connection() {
    let server = Running::with(short()).await;
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        for (status, path) in [(200, "/body"), (405, "/")] {
            let answer = server
                .ask(format!(
                    "POST {path} HTTP/1.1\r\nHost: a\r\n{lengths}\r\n0\r\n\r\n{GET}"
                ))
                .await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{answer}"
            );
            assert!(answer.contains(CLOSES), "{answer}");
            assert_eq!(answers(&answer), 1, "{answer}");
        }
    }
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
    ] {
        let answer = server
            .ask(format!(
                "POST /body HTTP/1.1\r\nHost: a\r\n{lengths}\r\nhello{GET}"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lengths} {answer}");
        assert_eq!(answers(&answer), 1, "{answer}");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_is_told_one_thing_of_its_connection() {
    let server = Running::with(short()).await;
    for (line, length, closes) in [
        ("GET / HTTP/1.0\r\n", 0, true),
        ("POST /nowhere HTTP/1.0\r\n", 1_000_000, true),
        (
            "POST /nowhere HTTP/1.0\r\nConnection: keep-alive\r\n",
            1_000_000,
            true,
        ),
        ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n", 0, false),
    ] {
        let mut client = server.connect().await;
        client
            .write_all(head(line, length).as_bytes())
            .await
            .unwrap();
        let answer = to_end(&mut client).await;
        let kept = answer.contains("\r\nconnection: keep-alive\r\n");
        assert_eq!(kept, !closes, "{line} {answer}");
        assert!(answer.matches("\r\nconnection: ").count() <= 1, "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_asks_no_more_still_gets_its_answer() {
    let server = Running::with(unhurried()).await;
    for (request, end) in [
        (GET, "hello"),
        ("GET /sleep/300 HTTP/1.1\r\nHost: a\r\n\r\n", "slept"),
        (
            "POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "5 bytes",
        ),
    ] {
        let mut client = server.connect().await;
        client.write_all(request.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let began = Instant::now();
        let answer = to_end(&mut client).await;
        assert!(answer.ends_with(end), "{answer}");
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_body_that_ends_early_is_answered_as_such() {
    let server = Running::with(ServerLimits {
        half_closed: Duration::from_millis(100),
        ..short()
    })
    .await;
    let mut client = server.connect().await;
    let request = head("POST /body HTTP/1.1\r\n", 100);
    client
        .write_all(format!("{request}abc").as_bytes())
        .await
        .unwrap();
    client.shutdown().await.unwrap();
    let answer = to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_is_gone_is_worked_for_no_longer() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    let mut client = server.connect().await;
    client
        .write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
        .await
        .unwrap();
    sleep(Duration::from_millis(50)).await;
    drop(client);
    let began = Instant::now();
    server.given_up().await;
    let after = began.elapsed();
    assert!(about(limits.half_closed).contains(&after), "{after:?}");
}
