//! The accept loop: takes connections in, as many as there are places, and sees them all out when the service stops.
//!
//! poem's own server bounds neither how long a header may take nor how soon an idle connection goes when the service
//! stops; its endpoints are served here instead, each connection by [`connection`] over a socket that [`wire`] watches.

mod activity;
mod answer;
mod connection;
mod received;
mod upgrade;
mod wire;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use poem::{Endpoint, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::{JoinError, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;

pub use self::upgrade::Upgrade;
use crate::telemetry::Metrics;

/// How long the loop rests when the system has no room for another connection (no file descriptors, no memory):
/// accepting again at once would only spin.
const REST_WHEN_FULL: Duration = Duration::from_millis(100);

/// How long a client may take over what, and how many clients there may be.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// From the first byte of a request to the end of its header; on a new connection, from its beginning.
    pub header: Duration,
    /// Between two requests on one connection. Longer than the minute for which load balancers commonly keep theirs,
    /// since one that reuses a connection in the moment we close it answers 502.
    pub idle: Duration,
    /// Without the client taking a single byte of what we send; on HTTP/2, of one of the answers.
    pub stalled_write: Duration,
    /// From the client's saying that it asks no more until it is taken to be gone, if it takes nothing of its answer.
    pub half_closed: Duration,
    /// From the call to stop until what is left is cut.
    pub drain: Duration,
    /// Open at once, WebSockets included; further ones wait in the system's queue.
    pub connections: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            header: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            stalled_write: Duration::from_secs(30),
            half_closed: Duration::from_secs(1),
            drain: Duration::from_secs(30),
            connections: 10_000,
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServeReport {
    /// Connections that were still at work when the time to drain had passed.
    pub cut: usize,
}

/// Serves `endpoint` on `listener` until `stop` is cancelled and every connection has ended or been cut.
///
/// A connection that became a WebSocket belongs to the loop still. Whoever runs it watches the same token, and is given the
/// same time.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    stop: CancellationToken,
    limits: ServerLimits,
    metrics: Arc<Metrics>,
) -> ServeReport
where
    E: Endpoint<Output = Response> + 'static,
{
    let host = Arc::new(connection::Host::new(endpoint, stop.clone(), limits));
    let places = Arc::new(Semaphore::new(host.limits.connections));
    let mut connections = JoinSet::new();

    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => note(ended),
            (stream, peer, place) = next(&listener, &places) => {
                let open = metrics.http_connection();
                let attended = Arc::clone(&host).attend(stream, peer, place);
                connections.spawn(async move {
                    attended.await;
                    drop(open);
                });
            }
        }
    }

    // Closed before the wait: from now on a client is refused at once and turns to another instance.
    drop(listener);
    let drain = host.limits.drain;
    let seen_out = async {
        while let Some(ended) = connections.join_next().await {
            note(ended);
        }
    };
    let _ = time::timeout(drain, seen_out).await;

    let cut = connections.len();
    connections.shutdown().await;
    if cut > 0 {
        tracing::warn!(
            cut,
            "connections were cut, still at work when the service stopped"
        );
    }
    ServeReport { cut }
}

/// The next client, once there is a place for it. May be dropped at any point without losing one.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let Ok(place) = Arc::clone(places).acquire_owned().await else {
        // The places are never closed.
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) if concerns_one_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                time::sleep(REST_WHEN_FULL).await;
            }
        }
    }
}

fn concerns_one_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// A panic ends the connection it happened on and nothing else.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection's task panicked");
    }
}

#[cfg(test)]
mod tests;
