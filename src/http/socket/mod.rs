//! Subscriptions over WebSocket: the opening handshake, and who may have how many. What is said then is in `session`.

mod handshake;
mod messages;
mod seats;
mod session;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use poem::http::StatusCode;
use poem::{Request, Response};
use secrecy::SecretString;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::Instrument;

use self::messages::Close;
use self::seats::{Full, Seats};
use super::server::Upgrade;
use crate::accounts::Actor;
use crate::graphql::{self, ApiError, Caller, Told};
use crate::telemetry::Metrics;

pub use self::handshake::is_asked_for;

/// A message holds an operation and its variables.
const MESSAGE_LIMIT: usize = 128 << 10;
/// Sockets have little to say at once.
const BUFFER: usize = 4 << 10;

/// How many may be open at once, and how long one waits for what.
#[derive(Clone, Debug)]
pub struct SocketLimits {
    /// Of one account; none where limits are lifted.
    pub an_account: Option<usize>,
    /// From one address, or its network.
    pub an_address: Option<usize>,
    pub subscriptions: usize,
    /// From the beginning to `connection_init`.
    pub init: Duration,
    /// Between two looks whether the other side is there, and its session still goes on.
    pub beat: Duration,
    /// Without a subscription.
    pub idle: Duration,
    /// Until a message has been taken.
    pub send: Duration,
    /// Messages that a client may send in a minute.
    pub messages: u32,
}

impl Default for SocketLimits {
    fn default() -> Self {
        Self {
            an_account: Some(5),
            an_address: Some(10),
            subscriptions: 20,
            init: Duration::from_secs(10),
            beat: Duration::from_secs(25),
            idle: Duration::from_secs(5 * 60),
            send: Duration::from_secs(10),
            messages: 600,
        }
    }
}

/// What sockets need of the service.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    /// Counts a socket whose client says who it is: that costs a read, and could be said on one after the other.
    async fn count(&self, caller: &Caller) -> Result<(), ApiError>;

    /// Whose a token is; none where it is not believed.
    async fn authenticate(
        &self,
        token: &SecretString,
        caller: &Caller,
    ) -> Result<Option<Actor>, ApiError>;

    /// Who it is by now; none where that is over.
    async fn renewed(&self, actor: &Actor) -> Result<Option<Actor>, ApiError>;

    fn subscribe(&self, request: graphql::Request, caller: Caller) -> BoxStream<'static, Told>;
}

/// All sockets of one instance.
pub struct Sockets {
    service: Arc<dyn Service>,
    limits: SocketLimits,
    accounts: Seats,
    addresses: Seats,
    metrics: Arc<Metrics>,
}

impl Sockets {
    pub fn new(
        service: Arc<dyn Service>,
        limits: SocketLimits,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            service,
            accounts: Seats::new(limits.an_account),
            addresses: Seats::new(limits.an_address),
            limits,
            metrics,
        })
    }

    /// Answers a request that asks for a WebSocket. What keeps somebody from having one is told once it is open: a script
    /// can read the code of a close, and not the status of an answer. Nothing is read before that.
    pub fn open(
        self: &Arc<Self>,
        request: &mut Request,
        caller: Caller,
        is_foreign: bool,
    ) -> Result<Response, Box<Response>> {
        let accept = handshake::judge(request.headers())?;
        let Some(upgrade) = Upgrade::of(request) else {
            let why = "A WebSocket is opened over HTTP/1.1.";
            return Err(Box::new(handshake::refused(StatusCode::BAD_REQUEST, why)));
        };
        let seat = match is_foreign {
            true => Err(Close::FORBIDDEN),
            false => self
                .addresses
                .take(&caller.client.limit_key)
                .map_err(|Full| Close::TOO_MANY_OF_ADDRESS),
        };
        let sockets = Arc::clone(self);
        let id = caller.correlation_id.clone();
        // It outlives its request by far, so it is no part of that.
        let span = tracing::info_span!(parent: None, "socket", correlation_id = id);
        span.follows_from(tracing::Span::current());
        upgrade.then(move |upgraded, stop| {
            async move {
                let config = WebSocketConfig::default()
                    .read_buffer_size(BUFFER)
                    .write_buffer_size(BUFFER)
                    .max_message_size(Some(MESSAGE_LIMIT))
                    .max_frame_size(Some(MESSAGE_LIMIT));
                let socket =
                    WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
                session::run(sockets, socket, caller, seat, stop).await;
            }
            .instrument(span)
        });
        Ok(handshake::accepted(&accept))
    }
}
