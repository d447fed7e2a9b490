//! The protocol by a client of its own, over the real server, against a service that does as the test says.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt, stream};
use poem::endpoint::make;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::accounts::Client;
use crate::graphql::Answer;
use crate::http::server::{self, ServeReport, ServerLimits};
use crate::http::values;

const SOON: Duration = Duration::from_secs(5);

/// Says what it is told to, to all who subscribe.
struct Parrot {
    says: broadcast::Sender<Said>,
    /// How many listen.
    listeners: Arc<AtomicUsize>,
    session_goes_on: AtomicBool,
    /// What was asked for of `flood`, in bytes.
    flooded: Arc<AtomicUsize>,
    /// How many sockets.
    may_begin: AtomicIsize,
    tokens: Mutex<Vec<String>>,
}

#[derive(Clone)]
enum Said {
    Text(String),
    Refused,
    SignedOut,
    End,
}

fn answer(text: &str) -> Answer {
    Answer {
        outcome: graphql::Outcome::Ran {
            data: async_graphql::Value::from(text),
            errors: Vec::new(),
        },
        correlation_id: String::new(),
    }
}

fn refusal() -> Answer {
    Answer {
        outcome: graphql::Outcome::Refused(ApiError::Forbidden("Not this.")),
        correlation_id: String::new(),
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Service for Parrot {
    async fn count(&self, _: &Caller) -> Result<(), ApiError> {
        let left = self.may_begin.fetch_sub(1, Ordering::SeqCst);
        match left > 0 {
            true => Ok(()),
            false => Err(ApiError::RateLimited {
                limit: 1,
                remaining: 0,
                retry_after: Duration::from_secs(1),
            }),
        }
    }

    async fn authenticate(
        &self,
        token: &SecretString,
        _: &Caller,
    ) -> Result<Option<Actor>, ApiError> {
        use secrecy::ExposeSecret;
        let token = token.expose_secret();
        self.tokens.lock().unwrap().push(token.to_owned());
        match token {
            "good" => Ok(Some(crate::accounts::somebody(&[], false))),
            "away" => Err(ApiError::unavailable("the database is away")),
            _ => Ok(None),
        }
    }

    async fn renewed(&self, actor: &Actor) -> Result<Option<Actor>, ApiError> {
        let goes_on = self.session_goes_on.load(Ordering::SeqCst);
        Ok(goes_on.then(|| actor.clone()))
    }

    fn subscribe(&self, request: graphql::Request, _: Caller) -> BoxStream<'static, Told> {
        match request.query.as_deref() {
            Some("refused") => stream::iter([Told::Refused(refusal())]).boxed(),
            Some("once") => stream::iter([Told::Next(answer("once"))]).boxed(),
            Some("flood") => {
                let much = "x".repeat(10_000);
                let asked = Arc::clone(&self.flooded);
                stream::repeat_with(move || {
                    asked.fetch_add(much.len(), Ordering::SeqCst);
                    Told::Next(answer(&much))
                })
                .boxed()
            }
            _ => {
                let says = self.says.subscribe();
                self.listeners.fetch_add(1, Ordering::SeqCst);
                let counted = Counted(Arc::clone(&self.listeners));
                stream::unfold((says, counted), async |(mut says, counted)| {
                    let told = match says.recv().await.unwrap() {
                        Said::Text(text) => Told::Next(answer(&text)),
                        Said::Refused => Told::Refused(refusal()),
                        Said::SignedOut => Told::SignedOut,
                        Said::End => return None,
                    };
                    Some((told, (says, counted)))
                })
                .boxed()
            }
        }
    }
}

struct Host {
    address: SocketAddr,
    parrot: Arc<Parrot>,
    stop: CancellationToken,
    serving: JoinHandle<ServeReport>,
}

impl Host {
    async fn start() -> Self {
        Self::with(SocketLimits::default()).await
    }

    async fn with(limits: SocketLimits) -> Self {
        let parrot = Arc::new(Parrot {
            says: broadcast::Sender::new(64),
            listeners: Arc::default(),
            session_goes_on: AtomicBool::new(true),
            flooded: Arc::default(),
            may_begin: AtomicIsize::new(isize::MAX),
            tokens: Mutex::default(),
        });
        let sockets = Sockets::new(parrot.clone(), limits, Metrics::detached());
        let endpoint = make(move |mut request| {
            let sockets = Arc::clone(&sockets);
            async move {
                let is_foreign = request.headers().contains_key("x-foreign");
                let opened = sockets.open(&mut request, nobody(), is_foreign);
                opened.unwrap_or_else(|response| *response)
            }
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let limits = ServerLimits {
            drain: SOON,
            ..ServerLimits::default()
        };
        let serving = server::serve(
            listener,
            endpoint,
            stop.clone(),
            limits,
            Metrics::detached(),
        );
        Self {
            address,
            parrot,
            serving: tokio::spawn(serving),
            stop,
        }
    }

    async fn connect(&self) -> Peer {
        self.asks(&[("sec-websocket-protocol", "graphql-transport-ws")])
            .await
            .unwrap()
    }

    async fn asks(&self, headers: &[(&'static str, &str)]) -> Result<Peer, tungstenite::Error> {
        let url = format!("ws://{}/graphql", self.address);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            let value = value.parse().unwrap();
            request.headers_mut().insert(*name, value);
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        let opened = tokio_tungstenite::client_async(request, stream).await;
        opened.map(|(socket, _)| Peer(socket))
    }

    /// One that has said who it is.
    async fn initialised(&self) -> Peer {
        let mut peer = self.connect().await;
        peer.init(json!({ "Authorization": "Bearer good" })).await;
        peer
    }

    fn say(&self, text: &str) {
        drop(self.parrot.says.send(Said::Text(text.to_owned())));
    }

    async fn listeners_are(&self, count: usize) {
        let until = Instant::now() + SOON;
        while self.parrot.listeners.load(Ordering::SeqCst) != count {
            assert!(Instant::now() < until, "there never were {count} listeners");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn nobody() -> Caller {
    Caller {
        actor: Actor::Anonymous,
        has_stale_token: false,
        client: Client {
            limit_key: "192.0.2.1".into(),
            ..Client::default()
        },
        correlation_id: "one-of-the-tests".into(),
        client_name: None,
        client_version: None,
        only_queries: false,
        idempotency_key: None,
    }
}

struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    async fn say(&mut self, message: Value) {
        self.0
            .send(Message::text(message.to_string()))
            .await
            .unwrap();
    }

    async fn init(&mut self, payload: Value) {
        self.say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        assert_eq!(self.hears().await, json!({ "type": "connection_ack" }));
    }

    async fn subscribe(&mut self, id: &str, query: &str) {
        let payload = json!({ "query": query });
        self.say(json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await;
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            let next = timeout(SOON, self.0.next()).await;
            match next.expect("nothing was said") {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    async fn hears(&mut self) -> Value {
        match self.next().await {
            Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// The next that is told to a subscription.
    async fn hears_text(&mut self, id: &str) -> String {
        let heard = self.hears().await;
        assert_eq!(heard["type"], "next", "{heard}");
        assert_eq!(heard["id"], id, "{heard}");
        heard["payload"]["data"].as_str().unwrap().to_owned()
    }

    async fn is_closed(&mut self) -> (u16, String) {
        match self.next().await {
            Some(Message::Close(Some(CloseFrame { code, reason }))) => {
                (code.into(), reason.to_string())
            }
            other => panic!("not closed: {other:?}"),
        }
    }

    async fn is_closed_with(&mut self, code: u16) {
        let closed = self.is_closed().await;
        assert_eq!(closed.0, code, "{}", closed.1);
    }
}

#[tokio::test]
async fn a_subscription_is_told_each_event_in_order_and_then_its_end() {
    let host = Host::start().await;
    let mut peer = host.initialised().await;
    assert_eq!(*host.parrot.tokens.lock().unwrap(), ["good"]);
    peer.subscribe("a", "listen").await;
    peer.subscribe("b", "listen").await;
    host.listeners_are(2).await;
    for number in 0..20 {
        host.say(&number.to_string());
    }
    let mut heard = [0, 0];
    for _ in 0..40 {
        let next = peer.hears().await;
        let of = usize::from(next["id"] == "b");
        assert_eq!(next["payload"]["data"], heard[of].to_string(), "{next}");
        heard[of] += 1;
    }

    peer.say(json!({ "type": "complete", "id": "a" })).await;
    host.listeners_are(1).await;
    host.say("only for b");
    assert_eq!(peer.hears_text("b").await, "only for b");
    drop(host.parrot.says.send(Said::End));
    let ended = json!({ "type": "complete", "id": "b" });
    assert_eq!(peer.hears().await, ended);

    // Its name is free again, and an end that crossed with ours is none the less one.
    peer.say(ended).await;
    peer.subscribe("b", "once").await;
    assert_eq!(peer.hears_text("b").await, "once");
    assert_eq!(peer.hears().await["type"], "complete");
    host.listeners_are(0).await;
}

#[tokio::test]
async fn an_operation_that_is_refused_ends_and_the_socket_goes_on() {
    let host = Host::start().await;
    let mut peer = host.initialised().await;
    let refused = json!({
        "type": "error",
        "id": "a",
        "payload": [{ "message": "Not this.", "extensions": { "code": "FORBIDDEN" } }],
    });
    peer.subscribe("a", "refused").await;
    assert_eq!(peer.hears().await, refused);
    // Of one that was let in before as well.
    peer.subscribe("a", "listen").await;
    host.listeners_are(1).await;
    host.say("heard");
    assert_eq!(peer.hears_text("a").await, "heard");
    drop(host.parrot.says.send(Said::Refused));
    assert_eq!(peer.hears().await, refused);
    host.listeners_are(0).await;
    peer.subscribe("a", "once").await;
    assert_eq!(peer.hears_text("a").await, "once");
}

#[tokio::test]
async fn pings_are_answered_before_and_after_the_beginning() {
    let host = Host::start().await;
    let mut peer = host.connect().await;
    for _ in 0..2 {
        peer.say(json!({ "type": "ping", "payload": { "at": 1 } }))
            .await;
        assert_eq!(peer.hears().await, json!({ "type": "pong" }));
        peer.say(json!({ "type": "pong" })).await;
        peer.0.send(Message::Ping("x".into())).await.unwrap();
        let pong = timeout(SOON, peer.0.next()).await.unwrap();
        assert_eq!(pong.unwrap().unwrap(), Message::Pong("x".into()));
        if host.parrot.tokens.lock().unwrap().is_empty() {
            peer.init(json!({ "token": "good" })).await;
        }
    }
}

#[tokio::test]
async fn each_breach_of_the_protocol_closes_with_its_code() {
    let host = Host::start().await;
    let init = || json!({ "type": "connection_init" });
    let subscribe =
        |id: &str| json!({ "type": "subscribe", "id": id, "payload": { "query": "listen" } });
    let many = json!({ "type": "ping", "payload": vec![0; values::MOST_VALUES + 1] });
    let nothing_of_ours = Message::text("hello");
    for (says, code) in [
        (vec![subscribe("a")], 4401),
        (vec![init(), init()], 4429),
        (vec![init(), subscribe("a"), subscribe("a")], 4409),
        (vec![json!({ "type": "next", "id": "a" })], 4400),
        (vec![json!(["connection_init"])], 4400),
        (vec![many], 4400),
        (
            vec![json!({ "type": "connection_init", "payload": { "token": "bad" } })],
            4401,
        ),
        (
            vec![json!({ "type": "connection_init", "payload": { "token": 7 } })],
            4401,
        ),
        (
            vec![json!({ "type": "connection_init", "payload": { "token": "away" } })],
            1013,
        ),
        (
            vec![json!({ "type": "ping", "payload": "x".repeat(MESSAGE_LIMIT) })],
            1009,
        ),
    ] {
        let mut peer = host.connect().await;
        for message in &says {
            // It may be closed meanwhile.
            let _ = peer.0.send(Message::text(message.to_string())).await;
        }
        let mut next = peer.next().await;
        if matches!(&next, Some(Message::Text(text)) if text.contains("connection_ack")) {
            next = peer.next().await;
        }
        let said = says.last().unwrap().to_string();
        let said: String = said.chars().take(80).collect();
        match next {
            Some(Message::Close(Some(frame))) => assert_eq!(u16::from(frame.code), code, "{said}"),
            other => panic!("{said}: {other:?}"),
        }
        assert!(peer.next().await.is_none(), "{said}");
    }
    for (message, code) in [(nothing_of_ours, 4400), (Message::binary(vec![1, 2]), 4400)] {
        let mut peer = host.connect().await;
        peer.0.send(message).await.unwrap();
        peer.is_closed_with(code).await;
    }
    host.listeners_are(0).await;
}

#[tokio::test]
async fn who_says_nothing_in_time_is_closed() {
    let host = Host::with(SocketLimits {
        init: Duration::from_millis(300),
        idle: Duration::from_millis(600),
        ..SocketLimits::default()
    })
    .await;
    let began = Instant::now();
    let mut silent = host.connect().await;
    silent.is_closed_with(4408).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    // Talking does not help; saying who one is does, for a while.
    let mut talks = host.connect().await;
    talks.say(json!({ "type": "ping" })).await;
    assert_eq!(talks.hears().await["type"], "pong");
    talks.is_closed_with(4408).await;

    let mut idle = host.initialised().await;
    let mut busy = host.initialised().await;
    busy.subscribe("a", "listen").await;
    idle.is_closed_with(1000).await;
    host.say("still here");
    assert_eq!(busy.hears_text("a").await, "still here");
    busy.say(json!({ "type": "complete", "id": "a" })).await;
    busy.is_closed_with(1000).await;
}

#[tokio::test]
async fn a_page_of_another_site_is_told_that_it_may_not_before_anything_is_read() {
    let host = Host::start().await;
    let headers = [
        ("sec-websocket-protocol", "graphql-transport-ws"),
        ("x-foreign", "1"),
    ];
    let mut peer = host.asks(&headers).await.unwrap();
    let _ = peer
        .0
        .send(Message::text(
            json!({ "type": "connection_init", "payload": { "token": "good" } }).to_string(),
        ))
        .await;
    peer.is_closed_with(4403).await;
    assert!(host.parrot.tokens.lock().unwrap().is_empty());
}

#[tokio::test]
async fn no_other_protocol_is_spoken_and_no_handshake_taken_that_is_none() {
    let host = Host::start().await;
    let ours = ("sec-websocket-protocol", "graphql-transport-ws");
    for (headers, status) in [
        (vec![], 400),
        (vec![("sec-websocket-protocol", "graphql-ws")], 400),
        (
            vec![("sec-websocket-protocol", "GRAPHQL-TRANSPORT-WS")],
            400,
        ),
        (vec![ours, ("sec-websocket-version", "8")], 426),
        (vec![ours, ("sec-websocket-key", "c2hvcnQ=")], 400),
        (vec![ours, ("connection", "keep-alive")], 400),
    ] {
        // The client's own library refuses to send some of these.
        let url = format!("http://{}/graphql", host.address);
        let mut request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .unwrap()
            .get(url)
            .header("upgrade", "websocket");
        let mut all = vec![
            ("connection", "Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let named: HashSet<_> = headers.iter().map(|(name, _)| *name).collect();
        all.retain(|(name, _)| !named.contains(name));
        all.extend(&headers);
        for (name, value) in all {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{headers:?}");
        if status == 426 {
            assert_eq!(response.headers()["sec-websocket-version"], "13");
        }
        let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert_eq!(body["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    }
    // One of several that a client can speak.
    let several = ("sec-websocket-protocol", "graphql-ws, graphql-transport-ws");
    let mut peer = host.asks(&[several]).await.unwrap();
    peer.init(json!({})).await;
}

#[tokio::test]
async fn of_all_who_come_at_once_so_many_are_let_in_and_their_places_are_given_back() {
    let host = Host::with(SocketLimits {
        an_account: Some(3),
        an_address: Some(6),
        ..SocketLimits::default()
    })
    .await;
    let come = async |payload: Value| {
        let mut peer = host.connect().await;
        let init = json!({ "type": "connection_init", "payload": payload });
        let _ = peer.0.send(Message::text(init.to_string())).await;
        match peer.next().await {
            Some(Message::Text(_)) => Ok(peer),
            Some(Message::Close(Some(frame))) => Err(frame.reason.to_string()),
            other => panic!("{other:?}"),
        }
    };
    let signed_in = || json!({ "token": "good" });
    let came = futures_util::future::join_all((0..5).map(|_| come(signed_in()))).await;
    let (let_in, refused): (Vec<_>, Vec<_>) = came.into_iter().partition(Result::is_ok);
    assert_eq!((let_in.len(), refused.len()), (3, 2));
    for refused in refused {
        assert_eq!(refused.err().unwrap(), "Too many sockets of this account");
    }
    let came = futures_util::future::join_all((0..5).map(|_| come(json!({})))).await;
    let (nobodies, refused): (Vec<_>, Vec<_>) = came.into_iter().partition(Result::is_ok);
    assert_eq!((nobodies.len(), refused.len()), (3, 2));
    for refused in refused {
        assert_eq!(refused.err().unwrap(), "Too many sockets from this address");
    }

    drop(let_in);
    let until = Instant::now() + SOON;
    loop {
        match come(signed_in()).await {
            Ok(_) => break,
            Err(_) => assert!(Instant::now() < until, "no place was given back"),
        }
    }
}

#[tokio::test]
async fn a_socket_has_so_many_subscriptions_and_messages() {
    let host = Host::with(SocketLimits {
        subscriptions: 3,
        messages: 20,
        ..SocketLimits::default()
    })
    .await;
    let mut peer = host.initialised().await;
    for id in ["a", "b", "c", "d"] {
        peer.subscribe(id, "listen").await;
    }
    let refused = peer.hears().await;
    assert_eq!(
        (&refused["type"], &refused["id"]),
        (&"error".into(), &"d".into())
    );
    let code = &refused["payload"][0]["extensions"]["code"];
    assert_eq!(*code, "BAD_REQUEST", "{refused}");
    peer.say(json!({ "type": "complete", "id": "a" })).await;
    peer.subscribe("d", "once").await;
    assert_eq!(peer.hears_text("d").await, "once");
    assert_eq!(peer.hears().await["type"], "complete");
    for _ in 0..30 {
        let ping = Message::text(json!({ "type": "ping" }).to_string());
        if peer.0.send(ping).await.is_err() {
            break;
        }
    }
    loop {
        match peer.next().await {
            Some(Message::Text(_)) => {}
            Some(Message::Close(Some(frame))) => {
                assert_eq!(u16::from(frame.code), 4429);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn who_begins_too_often_is_closed_before_a_token_is_looked_at() {
    let host = Host::start().await;
    host.parrot.may_begin.store(2, Ordering::SeqCst);
    for (token, code) in [("bad", 4401), ("bad", 4401), ("good", 4429), ("bad", 4429)] {
        let mut peer = host.connect().await;
        let init = json!({ "type": "connection_init", "payload": { "token": token } });
        peer.say(init).await;
        peer.is_closed_with(code).await;
    }
    assert_eq!(*host.parrot.tokens.lock().unwrap(), ["bad", "bad"]);
}

/// What it still sends would else reset the connection, and take our last word with it.
#[tokio::test]
async fn who_is_not_understood_any_more_is_heard_out() {
    static PIECE: [u8; 64 << 10] = [0; 64 << 10];
    const PIECES: u64 = 64;
    let host = Host::start().await;
    let Peer(socket) = host.initialised().await;
    let mut stream = socket.into_inner();
    // A message of 4 MiB, masked by zeros.
    let mut head = vec![0x81, 0x80 | 127];
    head.extend((PIECES * PIECE.len() as u64).to_be_bytes());
    head.extend([0; 4]);
    stream.write_all(&head).await.unwrap();
    for _ in 0..PIECES {
        stream.write_all(&PIECE).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut said = Vec::new();
    timeout(SOON, stream.read_to_end(&mut said))
        .await
        .unwrap()
        .unwrap();
    let close = said.iter().position(|byte| *byte == 0x88).unwrap();
    assert_eq!(said[close + 2..close + 4], 1009_u16.to_be_bytes());
}

#[tokio::test]
async fn a_session_that_ends_closes_its_socket_be_there_events_or_not() {
    let host = Host::with(SocketLimits {
        beat: Duration::from_millis(100),
        ..SocketLimits::default()
    })
    .await;
    let mut quiet = host.initialised().await;
    let mut busy = host.initialised().await;
    busy.subscribe("a", "listen").await;
    host.listeners_are(1).await;
    drop(host.parrot.says.send(Said::SignedOut));
    busy.is_closed_with(4401).await;
    host.parrot.session_goes_on.store(false, Ordering::SeqCst);
    quiet.is_closed_with(4401).await;
}

#[tokio::test]
async fn a_stop_closes_every_socket_and_is_waited_for() {
    let host = Host::start().await;
    let mut peers = vec![host.connect().await, host.initialised().await];
    let mut busy = host.initialised().await;
    busy.subscribe("a", "listen").await;
    host.listeners_are(1).await;
    peers.push(busy);
    host.stop.cancel();
    for peer in &mut peers {
        peer.is_closed_with(1001).await;
        assert!(peer.next().await.is_none());
    }
    host.listeners_are(0).await;
    let until = Instant::now() + SOON;
    while !host.serving.is_finished() {
        assert!(Instant::now() < until, "it never stopped");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn who_takes_nothing_and_says_nothing_is_let_go_and_what_is_kept_for_it_is_bounded() {
    let host = Host::with(SocketLimits {
        send: Duration::from_millis(300),
        beat: Duration::from_millis(200),
        ..SocketLimits::default()
    })
    .await;
    // It subscribes and never reads.
    let mut slow = host.initialised().await;
    slow.subscribe("a", "listen").await;
    host.listeners_are(1).await;
    slow.subscribe("b", "flood").await;
    host.listeners_are(0).await;
    // No more than what the system holds on both sides, and one that waits here.
    let flooded = host.parrot.flooded.load(Ordering::SeqCst);
    assert!((10_000..16 << 20).contains(&flooded), "{flooded}");

    // It reads nothing and is sent nothing but pings, which it does not answer.
    let mut dead = host.initialised().await;
    dead.subscribe("a", "listen").await;
    host.listeners_are(1).await;
    let began = Instant::now();
    host.listeners_are(0).await;
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[tokio::test]
async fn who_leaves_leaves_nothing_behind() {
    let host = Host::start().await;
    let mut polite = host.initialised().await;
    polite.subscribe("a", "listen").await;
    let mut rude = host.initialised().await;
    rude.subscribe("a", "listen").await;
    host.listeners_are(2).await;
    polite.0.close(None).await.unwrap();
    while polite.next().await.is_some() {}
    host.listeners_are(1).await;
    drop(rude);
    host.listeners_are(0).await;
    let mut other = host.initialised().await;
    other.subscribe("a", "listen").await;
    host.listeners_are(1).await;
    host.say("goes on");
    assert_eq!(other.hears_text("a").await, "goes on");
}
