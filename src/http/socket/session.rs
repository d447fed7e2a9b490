//! One socket, from its first message to its last, as `graphql-transport-ws` has it. One task reads, runs and writes: while
//! a client does not take what it is sent, nothing more is run for it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::messages::{self, Close, FromClient};
use super::seats::{Full, Seat};
use super::{SocketLimits, Sockets};
use crate::accounts::Actor;
use crate::graphql::{self, ApiError, Caller, Told};
use crate::http::values;
use crate::telemetry::Open;

const MINUTE: Duration = Duration::from_secs(60);
/// How long the other side is waited for to say goodbye in its turn.
const GOODBYE: Duration = Duration::from_secs(2);
/// What nobody closed, as browsers have it.
const LOST: u16 = 1006;
/// What clients closed, in the figures: they may choose of a thousand codes.
const LEFT: u16 = 1005;

/// Why a socket ends.
enum End {
    Closed(Close),
    /// The client closed it, with this code.
    Left(u16),
    /// It is gone, or takes nothing.
    Lost(&'static str),
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        Self::Closed(close)
    }
}

pub(super) async fn run<IO>(
    sockets: Arc<Sockets>,
    socket: WebSocketStream<IO>,
    caller: Caller,
    seat: Result<Seat, Close>,
    stop: CancellationToken,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let began = Instant::now();
    let _open = sockets.metrics.websocket();
    let mut session = Session {
        limits: &sockets.limits,
        sockets: &sockets,
        socket,
        caller,
        initialised: None,
        subscriptions: Subscriptions::default(),
        heard: began,
        minute: (began, 0),
    };
    let end = match seat {
        Ok(_seat) => session.serve(&stop).await,
        Err(close) => End::Closed(close),
    };
    let (code, reason) = match &end {
        End::Closed(close) => {
            session.say_goodbye(close).await;
            (close.code, close.reason.as_ref())
        }
        End::Left(code) => (*code, "the client closed it"),
        End::Lost(why) => (LOST, *why),
    };
    let counted = match &end {
        End::Left(_) => LEFT,
        _ => code,
    };
    sockets.metrics.websocket_closed(counted);
    let duration_ms = began.elapsed().as_secs_f64() * 1000.0;
    tracing::info!(code, reason, duration_ms, "a socket ended");
}

struct Session<'s, IO> {
    limits: &'s SocketLimits,
    sockets: &'s Arc<Sockets>,
    socket: WebSocketStream<IO>,
    caller: Caller,
    /// Since `connection_init`. An account's seat is kept for as long.
    initialised: Option<Option<Seat>>,
    subscriptions: Subscriptions,
    /// When something last came from the client.
    heard: Instant,
    /// The minute that messages are counted in, and how many came.
    minute: (Instant, u32),
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Session<'_, IO> {
    async fn serve(&mut self, stop: &CancellationToken) -> End {
        match self.serve_until(stop).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn serve_until(
        &mut self,
        stop: &CancellationToken,
    ) -> Result<std::convert::Infallible, End> {
        let init_by = Instant::now() + self.limits.init;
        let mut idle_since = Instant::now();
        let mut beats = interval_at(Instant::now() + self.limits.beat, self.limits.beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if !self.subscriptions.is_empty() {
                idle_since = Instant::now();
            }
            let idle_at = idle_since + self.limits.idle;
            tokio::select! {
                () = stop.cancelled() => return Err(Close::STOPPING.into()),
                () = sleep_until(init_by), if self.initialised.is_none() => {
                    return Err(Close::TOO_LATE.into());
                }
                () = sleep_until(idle_at), if self.subscriptions.is_empty() => {
                    return Err(Close::IDLE.into());
                }
                (id, told) = self.subscriptions.next() => self.tell(&id, told).await?,
                message = self.socket.next() => self.hear(message).await?,
                _ = beats.tick() => self.beat().await?,
            }
        }
    }

    /// Whether the other side is there still, and its session.
    async fn beat(&mut self) -> Result<(), End> {
        // A ping was sent at each beat, so whoever is there has answered one of two.
        if self.heard.elapsed() > self.limits.beat * 2 + self.limits.send {
            return Err(End::Lost("the client has been silent for too long"));
        }
        self.send(Message::Ping(bytes::Bytes::new())).await?;
        if self.initialised.is_none() {
            return Ok(());
        }
        match self.sockets.service.renewed(&self.caller.actor).await {
            Ok(Some(actor)) => {
                self.caller.actor = actor;
                Ok(())
            }
            Ok(None) => Err(Close::SIGNED_OUT.into()),
            // Nobody is told anything meanwhile: that is asked for before each event.
            Err(error) => {
                tracing::debug!(%error, "it could not be seen whether a session goes on");
                Ok(())
            }
        }
    }

    async fn hear(&mut self, message: Option<Result<Message, Error>>) -> Result<(), End> {
        let message = match message {
            Some(Ok(message)) => message,
            Some(Err(error)) => return Err(broken(&error)),
            None => return Err(End::Lost("the client is gone")),
        };
        self.heard = Instant::now();
        self.count()?;
        match message {
            Message::Text(text) => self.understand(text.as_str()).await,
            Message::Close(frame) => {
                // The answer to it is sent by reading on.
                let _ = timeout(GOODBYE, self.socket.next()).await;
                let code = frame.map_or(1005, |frame| frame.code.into());
                Err(End::Left(code))
            }
            Message::Binary(_) => Err(Close::INVALID.into()),
            // The answer to a ping has been put beside what is sent.
            Message::Ping(_) => self.flush().await,
            Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    fn count(&mut self) -> Result<(), End> {
        let (since, count) = &mut self.minute;
        if since.elapsed() > MINUTE {
            (*since, *count) = (Instant::now(), 0);
        }
        *count += 1;
        match *count > self.limits.messages {
            true => Err(Close::TOO_MANY_MESSAGES.into()),
            false => Ok(()),
        }
    }

    async fn understand(&mut self, text: &str) -> Result<(), End> {
        if !values::are_few(text.as_bytes()) {
            return Err(Close::TOO_COMPLEX.into());
        }
        let Some(message) = FromClient::read(text) else {
            return Err(Close::INVALID.into());
        };
        match message {
            FromClient::ConnectionInit { payload } => {
                if self.initialised.is_some() {
                    return Err(Close::AGAIN.into());
                }
                let counted = self.sockets.service.count(&self.caller).await;
                counted.map_err(|error| not_let_in(&error))?;
                let token = payload.and_then(|payload| payload.token());
                self.initialised = Some(match token {
                    Some(token) => {
                        self.caller.actor = self.believe(&token).await?;
                        self.take_seat()?
                    }
                    None => None,
                });
                self.say(messages::acknowledged()).await
            }
            FromClient::Ping {} => self.say(messages::pong()).await,
            FromClient::Pong {} => Ok(()),
            FromClient::Subscribe { .. } if self.initialised.is_none() => {
                Err(Close::NOT_INITIALISED.into())
            }
            FromClient::Subscribe { id, payload } => self.subscribe(id, payload.0).await,
            FromClient::Complete { id } => {
                // One that has just ended may be meant; both sides say so then.
                self.subscriptions.remove(&id);
                Ok(())
            }
        }
    }

    async fn believe(&mut self, token: &secrecy::SecretString) -> Result<Actor, End> {
        match self.sockets.service.authenticate(token, &self.caller).await {
            Ok(Some(actor)) => Ok(actor),
            Ok(None) => Err(Close::NOT_BELIEVED.into()),
            Err(error) => Err(not_let_in(&error)),
        }
    }

    fn take_seat(&self) -> Result<Option<Seat>, End> {
        let Some(account) = self.caller.actor.account_id() else {
            return Ok(None);
        };
        let seat = self.sockets.accounts.take(&account.to_string());
        seat.map(Some)
            .map_err(|Full| Close::TOO_MANY_OF_ACCOUNT.into())
    }

    async fn subscribe(&mut self, id: String, request: graphql::Request) -> Result<(), End> {
        if self.subscriptions.has(&id) {
            return Err(Close::taken(&id).into());
        }
        if self.subscriptions.count() >= self.limits.subscriptions {
            let error = ApiError::BadRequest(format!(
                "A socket has at most {} subscriptions; complete one first.",
                self.limits.subscriptions
            ));
            let errors = serde_json::json!([
                { "message": error.to_string(), "extensions": error.extensions() }
            ]);
            return match messages::about("error", &id, errors.to_string().as_bytes()) {
                Some(message) => self.say(message).await,
                None => Err(Close::INTERNAL.into()),
            };
        }
        let told = self.sockets.service.subscribe(request, self.caller.clone());
        let open = self.sockets.metrics.subscription();
        self.subscriptions.add(id, told, open);
        Ok(())
    }

    async fn tell(&mut self, id: &str, told: Option<Told>) -> Result<(), End> {
        let (message, goes_on) = match told {
            Some(Told::Next(answer)) => match answer.to_json() {
                Ok(payload) => (messages::about("next", id, &payload), true),
                Err(_) => (None, true),
            },
            Some(Told::Refused(answer)) => match answer.errors_to_json() {
                Ok(payload) => (messages::about("error", id, &payload), false),
                Err(_) => (None, false),
            },
            Some(Told::SignedOut) => return Err(Close::SIGNED_OUT.into()),
            None => (Some(messages::complete(id)), false),
        };
        if !goes_on {
            self.subscriptions.remove(id);
        }
        match message {
            Some(message) => self.say(message).await,
            None => Err(Close::INTERNAL.into()),
        }
    }

    async fn say(&mut self, message: String) -> Result<(), End> {
        self.send(Message::Text(message.into())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(self.limits.send, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Lost("the client is gone")),
            Err(_) => Err(End::Lost("the client takes nothing")),
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        match timeout(self.limits.send, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(End::Lost("the client is gone")),
            Err(_) => Err(End::Lost("the client takes nothing")),
        }
    }

    /// Closes it, and hears the other side out: what it still sends would else reset the connection, and take our last word
    /// with it.
    async fn say_goodbye(&mut self, close: &Close) {
        let goodbye = async {
            if self.socket.close(Some(close.frame())).await.is_err() {
                return;
            }
            while let Some(Ok(message)) = self.socket.next().await {
                if message.is_close() {
                    return;
                }
            }
            // What can't be read as messages any more is thrown away.
            let stream = self.socket.get_mut();
            let _ = stream.shutdown().await;
            let mut thrown_away = [0; 4096];
            while let Ok(1..) = stream.read(&mut thrown_away).await {}
        };
        if timeout(GOODBYE, goodbye).await.is_err() {
            tracing::debug!("a client did not say goodbye");
        }
    }
}

/// What is to be done where it could not be found out who somebody is.
fn not_let_in(error: &ApiError) -> End {
    match error {
        ApiError::RateLimited { .. } => Close::TOO_MANY_BEGUN.into(),
        ApiError::Internal(_) => {
            tracing::error!(error = error.cause(), "a socket could not be let in");
            Close::INTERNAL.into()
        }
        _ => {
            tracing::warn!(error = error.cause(), "a socket could not be let in");
            Close::TRY_LATER.into()
        }
    }
}

/// What is to be done about a socket that can't be read.
fn broken(error: &Error) -> End {
    match error {
        Error::Capacity(_) => Close::TOO_LARGE.into(),
        Error::Utf8(_) => Close::NO_TEXT.into(),
        Error::Protocol(problem) => {
            use tokio_tungstenite::tungstenite::error::ProtocolError;
            match problem {
                ProtocolError::ResetWithoutClosingHandshake => End::Lost("the client is gone"),
                _ => Close::NO_WEBSOCKET.into(),
            }
        }
        _ => End::Lost("the client is gone"),
    }
}

/// What a socket is subscribed to, each by the name that its client gave it.
#[derive(Default)]
struct Subscriptions {
    going_on: HashMap<String, (BoxStream<'static, Told>, Open)>,
    /// Whose turn it is to be asked first, so that one that always has something to say leaves the others their turn.
    turn: usize,
}

impl Subscriptions {
    fn is_empty(&self) -> bool {
        self.going_on.is_empty()
    }

    fn count(&self) -> usize {
        self.going_on.len()
    }

    fn has(&self, id: &str) -> bool {
        self.going_on.contains_key(id)
    }

    fn add(&mut self, id: String, told: BoxStream<'static, Told>, open: Open) {
        self.going_on.insert(id, (told, open));
    }

    fn remove(&mut self, id: &str) {
        self.going_on.remove(id);
    }

    /// What the next of them tells; nothing where it has ended. Nothing is lost if this is given up.
    async fn next(&mut self) -> (String, Option<Told>) {
        poll_fn(|cx| {
            let count = self.going_on.len();
            self.turn = self.turn.wrapping_add(1);
            let first = self.turn % count.max(1);
            for pass in 0..2 {
                for (place, (id, (told, _))) in self.going_on.iter_mut().enumerate() {
                    if (place < first) == (pass == 0) {
                        continue;
                    }
                    if let Poll::Ready(told) = told.poll_next_unpin(cx) {
                        return Poll::Ready((id.clone(), told));
                    }
                }
            }
            Poll::Pending
        })
        .await
    }
}
