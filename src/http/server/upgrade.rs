//! A connection that goes on as something else once its answer has said so. It stays the accept loop's: it keeps its place
//! among the open ones, is counted, told of a stop, and cut if it does not end in time.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use poem::{OnUpgrade, Request, Upgraded};
use tokio_util::sync::CancellationToken;

type Then = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// What a connection becomes after HTTP, if anything.
#[derive(Clone, Default)]
pub(super) struct Next(Arc<Mutex<Option<Then>>>);

impl Next {
    pub fn take(&self) -> Option<Then> {
        self.slot().take()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Then>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way out of HTTP, for an endpoint that answers 101.
pub struct Upgrade {
    next: Next,
    on: OnUpgrade,
}

impl Upgrade {
    /// None where there is no way: over HTTP/2, which has many requests on one connection.
    pub fn of(request: &mut Request) -> Option<Self> {
        Some(Self {
            on: request.take_upgrade().ok()?,
            next: request.extensions_mut().remove()?,
        })
    }

    /// What the connection does from then on, until it ends. It is to watch the token, by which a stop is told.
    pub fn then<F>(self, run: impl FnOnce(Upgraded, CancellationToken) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { next, on } = self;
        let then = |stop| {
            async move {
                match on.await {
                    Ok(upgraded) => run(upgraded, stop).await,
                    // The client left before it had its answer.
                    Err(error) => tracing::debug!(%error, "a connection was not upgraded"),
                }
            }
            .boxed()
        };
        *next.slot() = Some(Box::new(then));
    }
}
