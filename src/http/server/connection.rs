//! One connection: HTTP/1.1 or HTTP/2 with prior knowledge, from its first byte to its last.

use std::{
    convert::Infallible, future::poll_fn, net::SocketAddr, pin::pin, sync::Arc, task::Poll,
    time::Duration,
};

use hyper::{
    Request, Response, Version,
    body::{Body, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use poem::{
    Addr, Endpoint, RequestParts,
    http::{HeaderValue, header, uri::Scheme},
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    ServerLimits,
    activity::{Activity, Then},
    answer::Counted,
    received::{Received, read_up},
    upgrade::Next,
    wire::Wire,
};

/// The whole header of an HTTP/1 request fits into this, or it is answered 431.
const HTTP1_BUFFER: usize = 32 * 1024;
const HTTP1_HEADERS: usize = 100;
const HTTP2_HEADER_BYTES: u32 = 16 * 1024;
/// What a client may send of one body before somebody reads it, and of all bodies of its connection: one that is not read
/// at the moment, such as a file that waits for the storage, leaves room for the others.
const HTTP2_BODY_WINDOW: u32 = 256 * 1024;
const HTTP2_WINDOW: u32 = 16 * HTTP2_BODY_WINDOW;
const HTTP2_STREAMS: u32 = 100;
/// A peer that vanished without a word is found by these; TCP alone would not miss it for hours.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);
const HTTP2_PONG_WITHIN: Duration = Duration::from_secs(10);
/// Streams that a client takes back before they were looked at, and those that it breaks: more of either is an attack.
const HTTP2_RESETS: usize = 20;
const HTTP2_ERRORS: usize = 1024;

/// What all connections of one listener share.
pub(super) struct Host<E> {
    endpoint: Arc<E>,
    protocols: auto::Builder<TokioExecutor>,
    stop: CancellationToken,
    pub limits: ServerLimits,
}

impl<E> Host<E>
where
    E: Endpoint<Output = poem::Response> + 'static,
{
    pub fn new(endpoint: E, stop: CancellationToken, limits: ServerLimits) -> Self {
        let mut protocols = auto::Builder::new(TokioExecutor::new());
        // No timer here, and so no limit of hyper's own on headers: `Activity::due` says why and what bounds them.
        protocols
            .http1()
            .max_headers(HTTP1_HEADERS)
            .max_buf_size(HTTP1_BUFFER);
        protocols
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS)
            .max_pending_accept_reset_streams(HTTP2_RESETS)
            .max_local_error_reset_streams(HTTP2_ERRORS)
            .max_header_list_size(HTTP2_HEADER_BYTES)
            .initial_stream_window_size(HTTP2_BODY_WINDOW)
            .initial_connection_window_size(HTTP2_WINDOW)
            .keep_alive_interval(HTTP2_PING_EVERY)
            .keep_alive_timeout(HTTP2_PONG_WITHIN);
        Self {
            endpoint: Arc::new(endpoint),
            protocols,
            stop,
            limits,
        }
    }

    /// Serves one connection to its end.
    pub async fn attend(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: OwnedSemaphorePermit,
    ) {
        // Answers are written whole; waiting for more to send with them would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let local = LocalAddr(
            stream
                .local_addr()
                .map_or_else(|_| Addr::default(), Addr::from),
        );
        let remote = RemoteAddr(peer.into());
        let activity = Activity::new();
        let wire = Wire::new(stream, Arc::clone(&activity), &self.limits, place);

        let next = Next::default();

        let service = service_fn(|request: Request<Incoming>| {
            let (mut head, body) = request.into_parts();
            head.extensions.insert(next.clone());
            let is_stream = head.version == Version::HTTP_2;
            let is_read = body.is_end_stream();
            let in_flight = match is_stream {
                true => activity.begin_stream(),
                false => activity.begin(is_read),
            };
            let body = match is_read {
                true => poem::Body::empty(),
                false => Received::new(body, (!is_stream).then(|| Arc::clone(&activity))).into(),
            };
            let endpoint = Arc::clone(&self.endpoint);
            let (local, remote) = (local.clone(), remote.clone());
            async move {
                let version = head.version;
                let asks_first = head.headers.contains_key(header::EXPECT);
                let is_of_page = head.headers.contains_key(header::ORIGIN);
                let head = RequestParts::from((head, local, remote, Scheme::HTTP));
                let request = poem::Request::from_parts(head, body);
                let mut response: Response<_> = endpoint.get_response(request).await.into();
                // Streams of HTTP/2 don't stand in each other's way.
                if !is_read && !is_stream && !read_up(in_flight.activity(), asks_first).await {
                    // Of a connection that breaks while they send, browsers show the errors of HTTP and nothing else.
                    if is_of_page && response.status().is_success() {
                        in_flight.activity().set_reads_last();
                    }
                    say_that_it_closes(&mut response, version);
                }
                Ok::<_, Infallible>(response.map(|body| Counted::new(body, in_flight)))
            }
        });
        let mut connection = Box::pin(
            self.protocols
                .serve_connection_with_upgrades(TokioIo::new(wire), service),
        );
        let mut stopped = pin!(self.stop.cancelled());
        let mut alarm = pin!(sleep_until(Instant::now() + self.limits.header));
        let mut leaving_since = None;

        poll_fn(|cx| {
            loop {
                if leaving_since.is_none() && stopped.as_mut().poll(cx).is_ready() {
                    connection.as_mut().graceful_shutdown();
                    leaving_since = Some(Instant::now());
                }
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    if let Err(error) = ended {
                        // The client's doing, in all its variety; of use only to who looks for it.
                        tracing::debug!(error = %error, "a connection ended early");
                    }
                    return Poll::Ready(());
                }

                // The socket is read and written in the poll above, so what it told is already known here.
                let due = activity.due(leaving_since, &self.limits);
                if due.at <= Instant::now() {
                    match due.then {
                        Then::LookAgain => {}
                        Then::GiveUp if activity.give_up(&self.limits) => continue,
                        Then::Leave => {
                            connection.as_mut().graceful_shutdown();
                            leaving_since = Some(Instant::now());
                            continue;
                        }
                        Then::GiveUp | Then::Cut => return Poll::Ready(()),
                    }
                }
                // Only ever brought forward while it runs: an alarm that comes too early costs one look, resetting it
                // at each turn would cost every request.
                if due.at < alarm.deadline() || alarm.is_elapsed() {
                    alarm.as_mut().reset(due.at);
                }
                if alarm.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
        // One that ended before its answer was out would else be waited for by what it was to become.
        drop(connection);
        if let Some(then) = next.take() {
            then(self.stop.clone()).await;
        }
    }
}

/// What the client still sends of this request's body is not the next request.
fn say_that_it_closes<B>(response: &mut Response<B>, version: Version) {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    // hyper would add to an answer of HTTP/1.1 what a client of HTTP/1.0 may have asked for: keep-alive.
    if version == Version::HTTP_10 {
        *response.version_mut() = version;
    }
}
