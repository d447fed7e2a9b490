//! HTTP/2 by prior knowledge, spoken frame by frame: what a client library would not do.

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET http://a/` in HPACK: three entries of its static table and a literal.
fn get(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, stream, &[0x82, 0x86, 0x84, 0x41, 1, b'a'])
}

/// The same for another path, which is a literal too.
fn get_path(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 4, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend([0x41, 1, b'a']);
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

/// Room for so much more, of one answer or, with 0, of all of them.
fn room(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

/// A client that says to have room for so much of each answer, and for any number of them.
async fn with_room(server: &Running, bytes: u32) -> TcpStream {
    const INITIAL_WINDOW_SIZE: u8 = 4;
    let mut client = server.connect().await;
    client.write_all(PREFACE).await.unwrap();
    let mut setting = vec![0, INITIAL_WINDOW_SIZE];
    setting.extend(bytes.to_be_bytes());
    let settings = frame(SETTINGS, 0, 0, &setting);
    client.write_all(&settings).await.unwrap();
    let ack = frame(SETTINGS, ACK, 0, &[]);
    client.write_all(&ack).await.unwrap();
    client.write_all(&room(0, 1 << 30)).await.unwrap();
    client
}

async fn next_frame(client: &mut TcpStream) -> (u8, u8, Vec<u8>) {
    let mut head = [0; 9];
    timeout(Duration::from_secs(5), client.read_exact(&mut head))
        .await
        .expect("a frame")
        .unwrap();
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; length as usize];
    client.read_exact(&mut payload).await.unwrap();
    (head[3], head[4], payload)
}

async fn met(server: &Running) -> TcpStream {
    let mut client = server.connect().await;
    client.write_all(PREFACE).await.unwrap();
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    client
        .write_all(&get(1, END_STREAM | END_HEADERS))
        .await
        .unwrap();
    loop {
        match next_frame(&mut client).await {
            (SETTINGS, 0, _) => {
                let ack = frame(SETTINGS, ACK, 0, &[]);
                client.write_all(&ack).await.unwrap();
            }
            (DATA, _, payload) if payload == b"hello" => return client,
            _ => {}
        }
    }
}

/// As programs have it, all requests on one connection.
fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy();
    client.http2_prior_knowledge().build().unwrap()
}

#[tokio::test]
async fn is_served_by_prior_knowledge() {
    met(&Running::with(short()).await).await;
}

#[tokio::test]
async fn goes_when_idle() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    let mut client = met(&server).await;
    let after = closed_after(&mut client).await;
    assert!(about(limits.idle).contains(&after), "{after:?}");
}

#[tokio::test]
async fn a_header_in_pieces_without_end_is_cut_off() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    let mut client = met(&server).await;
    client.write_all(&get(3, END_STREAM)).await.unwrap();
    let after = closed_after(&mut client).await;
    assert!(about(limits.idle).contains(&after), "{after:?}");

    let mut client = server.connect().await;
    client.write_all(PREFACE).await.unwrap();
    client.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    client.write_all(&get(1, END_STREAM)).await.unwrap();
    let after = closed_after(&mut client).await;
    assert!(about(limits.header).contains(&after), "{after:?}");
}

#[tokio::test]
async fn does_not_hold_up_a_stop() {
    let server = Running::with(ServerLimits::default()).await;
    let mut client = met(&server).await;
    let (report, took) = server.stopped().await;
    assert_eq!(report, ServeReport { cut: 0 });
    assert!(took < AT_ONCE, "{took:?}");
    closed_after(&mut client).await;
}

#[tokio::test]
async fn an_answer_without_room_ends_its_connection() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    for (room, path) in [(0, "/"), (1, "/"), (0, "/large")] {
        let mut client = with_room(&server, room).await;
        client.write_all(&get_path(1, path)).await.unwrap();
        let after = closed_after(&mut client).await;
        assert!(
            about(limits.stalled_write).contains(&after),
            "{room} {path} {after:?}"
        );
    }
    server.given_up().await;
}

/// However much the client takes of others.
#[tokio::test]
async fn an_answer_that_waits_behind_others_waits_longer_but_not_for_ever() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    let client = with_room(&server, 0).await;
    let (mut reading, mut writing) = client.into_split();
    let began = Instant::now();
    let asking = tokio::spawn(async move {
        writing.write_all(&get_path(1, "/")).await.unwrap();
        for stream in (3..).step_by(2) {
            let both = [get_path(stream, "/"), room(stream, 5)].concat();
            if writing.write_all(&both).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let mut taken = Vec::new();
    let read = reading.read_to_end(&mut taken);
    let _ = timeout(Duration::from_secs(10), read)
        .await
        .expect("the server closes");
    let after = began.elapsed();
    assert!(
        about(limits.stalled_write * 4).contains(&after),
        "{after:?}"
    );
    asking.await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_not_taken_on_ends_alone() {
    let limits = short();
    let server = Running::with(limits.clone()).await;
    let mut client = with_room(&server, 65_535).await;
    let began = Instant::now();
    client.write_all(&get_path(1, "/large")).await.unwrap();
    loop {
        if let (RST_STREAM, _, _) = next_frame(&mut client).await {
            break;
        }
    }
    let after = began.elapsed();
    assert!(about(limits.stalled_write).contains(&after), "{after:?}");
    server.given_up().await;
    client.write_all(&get_path(3, "/")).await.unwrap();
    loop {
        if let (DATA, _, payload) = next_frame(&mut client).await {
            assert_eq!(payload, b"hello");
            break;
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_taken_slowly_is_sent_to_its_end() {
    let limits = ServerLimits {
        stalled_write: Duration::from_millis(800),
        ..short()
    };
    let server = Running::with(limits.clone()).await;
    let mut client = with_room(&server, 20_000).await;
    client.write_all(&get_path(1, "/large")).await.unwrap();
    let began = Instant::now();
    let mut taken = 0;
    loop {
        match next_frame(&mut client).await {
            (DATA, flags, payload) => {
                taken += payload.len();
                if flags & END_STREAM != 0 {
                    break;
                }
                if taken % 20_000 == 0 {
                    sleep(limits.stalled_write / 2).await;
                    client.write_all(&room(1, 20_000)).await.unwrap();
                }
            }
            (RST_STREAM | GO_AWAY, _, payload) => panic!("cut after {taken}: {payload:?}"),
            _ => {}
        }
    }
    assert_eq!(taken, LARGE);
    assert!(began.elapsed() > limits.stalled_write * 4);
}

#[tokio::test]
async fn a_large_answer_ends_as_soon_as_it_is_taken() {
    let server = Running::with(ServerLimits::default()).await;
    let mut client = with_room(&server, 1 << 20).await;
    let began = Instant::now();
    client.write_all(&get_path(1, "/large")).await.unwrap();
    loop {
        match next_frame(&mut client).await {
            (DATA, flags, _) if flags & END_STREAM != 0 => break,
            _ => {}
        }
    }
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    server.given_up().await;
}

/// Each body has room of its own, so that those which nobody reads at the moment leave some to the others.
#[tokio::test]
async fn bodies_that_are_not_read_hold_up_no_other() {
    let server = Running::with(ServerLimits::default()).await;
    let client = client();
    let url = |path: &str| format!("http://{}{path}", server.address);
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut unread = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let sent = Arc::clone(&sent);
        let pieces = stream::repeat_with(move || {
            sent.fetch_add(16 << 10, Ordering::SeqCst);
            Ok::<_, io::Error>(vec![0; 16 << 10])
        });
        let body = reqwest::Body::wrap_stream(pieces);
        unread.spawn(client.post(url("/unread")).body(body).send());
    }
    // Until they have sent what they may.
    let mut before = 0;
    loop {
        sleep(Duration::from_millis(200)).await;
        let sent = sent.load(Ordering::SeqCst);
        if sent > 0 && sent == before {
            break;
        }
        before = sent;
    }
    let body = vec![b'x'; BODY_LIMIT];
    let answer = timeout(AT_ONCE, client.post(url("/body")).body(body).send());
    let answer = answer.await.expect("an answer").unwrap();
    assert_eq!(answer.text().await.unwrap(), "65536 bytes");
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_their_connection() {
    const CANCEL: [u8; 4] = [0, 0, 0, 8];
    let server = Running::with(ServerLimits::default()).await;
    let mut client = with_room(&server, 65_535).await;
    let mut requests = Vec::new();
    for stream in (1..2001).step_by(2) {
        requests.extend(get_path(stream, "/never"));
        requests.extend(frame(RST_STREAM, 0, stream, &CANCEL));
    }
    // The server may close in the middle.
    let _ = client.write_all(&requests).await;
    let after = closed_after(&mut client).await;
    assert!(after < AT_ONCE, "{after:?}");
}
