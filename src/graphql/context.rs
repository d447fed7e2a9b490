//! What resolvers know of the operation that they work for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::{Context, ContextBase, MaybeUndefined};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tracing::Instrument;

use super::batch::{Batch, Gathering, Load};
use super::error::ApiError;
use super::files::{Files, Upload};
use super::live::Turn;
use super::loaders::Loaders;
use super::request::{Caller, Visit};
use crate::accounts::{Accounts, Actor};
use crate::app::App;
use crate::catalogue::{
    Album, AlbumId, Artist, ArtistId, Genres, KeptGenres, Track, TrackId, Viewer,
};
use crate::limits::Decision;
use crate::media::Incoming;

/// One operation: of what service, at what price.
pub struct Operation {
    pub app: Arc<App>,
    pub accounts: Arc<Accounts>,
    pub caller: Arc<Caller>,
    pub visit: Arc<Visit>,
    pub budget: Budget,
    pub loaders: Loaders,
    pub gathering: Arc<Gathering>,
    pub kept_genres: Arc<KeptGenres>,
    /// As whom the catalogue is looked at.
    pub viewer: Viewer,
    pub files: Option<Arc<Files>>,
    /// Of a subscription: what it is run for.
    pub turn: Option<Arc<Turn>>,
}

impl Operation {
    /// Reads something together with all that other fields want of its kind. Boxed, as the futures of all of an object's
    /// fields are as large as the largest, and a list has many.
    pub fn load<'o, L: Load>(
        &'o self,
        batch: &'o Batch<L>,
        key: L::Key,
    ) -> BoxFuture<'o, Result<Option<L::Value>, ApiError>> {
        batch.load(&self.gathering, &self.app, key).boxed()
    }

    /// The file of an upload, from the moment at which it begins to come; before that nothing of it is read. So guards and
    /// whatever else may refuse come first. Each file is taken once, and none before those that come before it: whoever
    /// has several takes them as they are sorted, and reads each to its end before the next.
    pub async fn take(&self, upload: &Upload) -> Result<Incoming, ApiError> {
        match &self.files {
            Some(files) => files.take(*upload).await,
            None => Err(ApiError::internal(
                "an upload stands for no file of the request",
            )),
        }
    }

    /// Who asks.
    pub fn actor(&self) -> &Actor {
        &self.caller.actor
    }

    /// An artist, if the caller may see it.
    pub fn artist(&self, id: ArtistId) -> BoxFuture<'_, Result<Option<Arc<Artist>>, ApiError>> {
        self.load(&self.loaders.artists, (id, self.viewer))
    }

    /// An album, if the caller may see it.
    pub fn album(&self, id: AlbumId) -> BoxFuture<'_, Result<Option<Arc<Album>>, ApiError>> {
        self.load(&self.loaders.albums, (id, self.viewer))
    }

    /// A track, if the caller may see it.
    pub fn track(&self, id: TrackId) -> BoxFuture<'_, Result<Option<Arc<Track>>, ApiError>> {
        self.load(&self.loaders.tracks, (id, self.viewer))
    }

    pub async fn genres(&self) -> Result<Arc<Genres>, ApiError> {
        match self.kept_genres.peek() {
            Some(genres) => Ok(genres),
            None => Ok(self.kept_genres.get(&self.app.db).boxed().await?),
        }
    }
}

/// What the caller may still spend, as of this operation.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// What is counted.
    pub quota: &'static str,
    pub limit: u64,
    pub cost: u64,
    pub remaining: u64,
    pub reset_after: Duration,
    pub reset_at: DateTime<Utc>,
}

impl Budget {
    pub fn of(quota: &'static str, decision: &Decision, cost: u64) -> Self {
        Self {
            quota,
            limit: decision.limit,
            cost,
            remaining: decision.remaining,
            reset_after: decision.reset_after,
            reset_at: Utc::now() + decision.reset_after,
        }
    }

    /// Where limits are lifted.
    pub fn unlimited(quota: &'static str, limit: u64, cost: u64) -> Self {
        Self {
            quota,
            limit,
            cost,
            remaining: limit,
            reset_after: Duration::ZERO,
            reset_at: Utc::now(),
        }
    }
}

/// The operation that a field is resolved for.
pub fn operation<'a, T>(ctx: &ContextBase<'a, T>) -> Result<&'a Operation, ApiError> {
    ctx.data_opt::<Arc<Operation>>()
        .map(AsRef::as_ref)
        .ok_or_else(|| ApiError::internal("a field was resolved outside of an operation"))
}

/// Resolves a root field: in a span of its own, timed and counted. Boxed, or the future of each root field would be as
/// large as the largest.
pub fn root<'a, T: Send + 'a>(
    ctx: &'a Context<'_>,
    field: &'static str,
    resolve: impl Future<Output = Result<T, ApiError>> + Send + 'a,
) -> BoxFuture<'a, Result<T, ApiError>> {
    let resolve = resolve.instrument(tracing::debug_span!("resolve", field));
    async move {
        let started = Instant::now();
        let mut resolved = resolve.await;
        if let Err(error) = resolved {
            resolved = Err(refused(operation(ctx)?, field, error).await);
        }
        let code = resolved.as_ref().err().map_or("OK", ApiError::code);
        operation(ctx)?
            .app
            .metrics
            .graphql_root_field(field, code, started.elapsed());
        resolved
    }
    .boxed()
}

/// Why a field fails, once it stands on the trail if somebody was refused it; else that it could not be put there.
pub fn refused<'a>(
    operation: &'a Operation,
    field: &'static str,
    error: ApiError,
) -> BoxFuture<'a, ApiError> {
    async move {
        match Refusal::of(&error) {
            Some(refusal) => match told(operation, field, refusal).await {
                Ok(()) => error,
                Err(instead) => instead,
            },
            None => error,
        }
    }
    .boxed()
}

/// What was sent for a part of an update: left out, null, or something.
pub fn sent<T>(value: MaybeUndefined<T>) -> Option<Option<T>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

/// What is told of a refusal to those who look after the service.
struct Refusal {
    action: &'static str,
    why: &'static str,
}

impl Refusal {
    fn of(error: &ApiError) -> Option<Self> {
        match error {
            ApiError::NotOfRole(why) => Some(Self {
                action: "admin.refused",
                why,
            }),
            ApiError::Forbidden(why) => Some(Self {
                action: "access.refused",
                why,
            }),
            _ => None,
        }
    }
}

/// Puts it on the trail that somebody who is known was refused a field. Fails where it does not get there: nobody is
/// refused unseen.
async fn told(
    operation: &Operation,
    field: &'static str,
    Refusal { action, why }: Refusal,
) -> Result<(), ApiError> {
    let Some(account) = operation.actor().account_id() else {
        return Ok(());
    };
    let client = &operation.caller.client;
    let told = operation
        .accounts
        .refused(account, action, field, why, client);
    Ok(told.await?)
}
