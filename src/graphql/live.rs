//! Subscriptions, as GraphQL has them: first a stream of what happens, then for each of it the operation, run as any other
//! is, by whoever they are by now, with loaders of its own, within its time, at its price.
//!
//! The engine would run all of an operation's events in one context, so that a loader would tell the last event what it
//! read for the first, and who was let in once would be for good. So it is given a single event each time: a root field
//! is resolved once to say what it listens to, and then once an event.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_graphql::Context;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};

use super::context::{operation, root};
use super::error::ApiError;
use super::request::Answer;

/// What a subscriber is told.
pub enum Told {
    Next(Answer),
    /// The last of it: the operation can't run, or not any more.
    Refused(Answer),
    /// Whoever subscribed is let in no more, to this or anything else.
    SignedOut,
}

/// Something that happened, in the words of the field that listens for it.
pub type Happening = Arc<dyn Any + Send + Sync>;

/// What a root field of a subscription is resolved for.
pub enum Turn {
    /// To say what it listens to.
    Opens(Opening),
    Shows {
        happening: Happening,
        /// Whether nothing comes after it.
        is_last: AtomicBool,
    },
}

#[derive(Default)]
pub struct Opening(Mutex<Option<BoxStream<'static, Happening>>>);

impl Turn {
    pub fn opens() -> Self {
        Self::Opens(Opening::default())
    }

    pub fn shows(happening: Happening) -> Self {
        Self::Shows {
            happening,
            is_last: AtomicBool::new(false),
        }
    }

    /// What is listened to, once the field has said so.
    pub fn take_source(&self) -> Option<BoxStream<'static, Happening>> {
        match self {
            Self::Opens(Opening(source)) => {
                source.lock().unwrap_or_else(PoisonError::into_inner).take()
            }
            Self::Shows { .. } => None,
        }
    }

    pub fn was_last(&self) -> bool {
        match self {
            Self::Opens(_) => false,
            Self::Shows { is_last, .. } => is_last.load(Ordering::Acquire),
        }
    }
}

/// What a field shows of something that happened.
pub enum Shown<T> {
    Nothing,
    This(T),
    Last(T),
    /// Nothing, and nothing comes after it.
    Over,
}

/// Resolves a root field of a subscription. `guard` says whether the caller may, and of what, at each turn anew; `listen`
/// what happens, beginning with how things are; `show` what is told of it.
pub async fn live<'a, G, E, T, Listened, Showing>(
    ctx: &'a Context<'_>,
    field: &'static str,
    guard: impl Future<Output = Result<G, ApiError>> + Send + 'a,
    listen: impl FnOnce(G) -> Listened + Send + 'a,
    show: impl FnOnce(G, &'a E) -> Showing + Send + 'a,
) -> Result<BoxStream<'static, T>, ApiError>
where
    G: Send + 'a,
    E: Send + Sync + 'static,
    T: Send + 'static,
    Listened: Stream<Item = E> + Send + 'static,
    Showing: Future<Output = Result<Shown<T>, ApiError>> + Send + 'a,
{
    let turn = operation(ctx)?
        .turn
        .as_deref()
        .ok_or_else(|| ApiError::internal("a subscription was run as if it was a query"))?;
    let shown = root(ctx, field, async move {
        let guarded = guard.await?;
        match turn {
            Turn::Opens(Opening(source)) => {
                let happens = listen(guarded).map(|event| Arc::new(event) as Happening);
                *source.lock().unwrap_or_else(PoisonError::into_inner) = Some(happens.boxed());
                Ok(Shown::Nothing)
            }
            Turn::Shows { happening, is_last } => {
                let event = happening.downcast_ref::<E>().ok_or_else(|| {
                    ApiError::internal("a subscription was shown what it did not listen to")
                })?;
                let shown = show(guarded, event).await?;
                is_last.store(
                    matches!(shown, Shown::Last(_) | Shown::Over),
                    Ordering::Release,
                );
                Ok(shown)
            }
        }
    });
    Ok(match shown.await? {
        Shown::Nothing | Shown::Over => stream::empty().boxed(),
        Shown::This(shown) | Shown::Last(shown) => stream::once(std::future::ready(shown)).boxed(),
    })
}

/// How often something that passes is waited out, and how long at first; twice as long each time.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_secs(1);

/// Trying again what failed for a reason that passes.
#[derive(Default)]
pub struct Patience(u32);

impl Patience {
    /// Waits before the next try; false where there is to be none.
    pub async fn waits(&mut self, error: &ApiError) -> bool {
        let pause = match error {
            // How long is known, and that it helps.
            ApiError::RateLimited { retry_after, .. } => *retry_after,
            ApiError::Unavailable { .. } | ApiError::Timeout if self.0 < TRIES => {
                self.0 += 1;
                PAUSE * 2_u32.pow(self.0 - 1)
            }
            _ => return false,
        };
        tokio::time::sleep(pause).await;
        true
    }
}
