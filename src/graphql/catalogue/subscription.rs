//! What goes on in the catalogue, for those who watch it.

use std::future::ready;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, SimpleObject, Subscription};
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};

use super::submission::Submission;
use crate::accounts::{Account, Actor, Refused, Role, Scope};
use crate::catalogue::{
    self, MediaProgressed, OwnSubmission, SubmissionChanged, SubmissionId, SubmissionStatus,
};
use crate::events::Event;
use crate::graphql::context::{Operation, operation};
use crate::graphql::error::ApiError;
use crate::graphql::live::{Shown, live};
use crate::media::Stage;

#[derive(Default)]
pub struct CatalogueSubscription;

#[Subscription]
impl CatalogueSubscription {
    /// How far the processing of an uploaded file is.
    async fn media_progress(
        &self,
        ctx: &Context<'_>,
        submission_id: ID,
    ) -> Result<impl Stream<Item = MediaProgress> + use<>, ApiError> {
        let operation = operation(ctx)?;
        let events = &operation.app.events;
        live(
            ctx,
            "mediaProgress",
            async move {
                let submission: SubmissionId = submission_id.parse()?;
                let status = status_of(operation, submission).await?;
                // What is there and may not be seen is not there.
                let unknown = || ApiError::BadRequest("There is no such submission.".into());
                Ok((submission, status.ok_or_else(unknown)?))
            },
            |(submission, _)| {
                // It may also end without its file, when it is withdrawn: then there is nothing more to tell.
                let file = events.listen(&catalogue::of_media(submission)).stream();
                let submission = events
                    .listen(&catalogue::of_submission(submission))
                    .stream();
                let happens = stream::select(file.boxed(), submission.boxed());
                stream::once(ready(None)).chain(happens.map(Some))
            },
            async |(submission, status), event: &Option<Event>| {
                let (stage, fraction) = match status {
                    SubmissionStatus::Processing => match event {
                        // Nobody keeps how far it is; the next that is told says so.
                        None => (Stage::Queued, 0.0),
                        Some(event) => match event.read::<MediaProgressed>() {
                            Some(told) if !is_over(told.stage) => (told.stage, told.fraction),
                            // It goes on, or another file has taken the place of the one that this is about.
                            _ => return Ok(Shown::Nothing),
                        },
                    },
                    SubmissionStatus::Failed => (Stage::Failed, 1.0),
                    SubmissionStatus::Withdrawn => return Ok(Shown::Over),
                    SubmissionStatus::Pending
                    | SubmissionStatus::Approved
                    | SubmissionStatus::Rejected
                    | SubmissionStatus::ChangesRequested => (Stage::Ready, 1.0),
                };
                let shown = MediaProgress {
                    submission_id: submission.into(),
                    stage: stage.into(),
                    fraction: fraction.clamp(0.0, 1.0),
                };
                Ok(match is_over(stage) {
                    true => Shown::Last(shown),
                    false => Shown::This(shown),
                })
            },
        )
        .await
    }

    /// A submission of the caller's, at each change.
    async fn submission_changed(
        &self,
        ctx: &Context<'_>,
    ) -> Result<impl Stream<Item = SubmissionEvent> + use<>, ApiError> {
        let operation = operation(ctx)?;
        let events = &operation.app.events;
        live(
            ctx,
            "submissionChanged",
            async move { Ok(watches(operation.actor(), &[])?) },
            |account| {
                let changes = events.listen(&catalogue::of_account(account.id)).stream();
                // Who then looks at all of them misses nothing.
                stream::once(ready(Event::LookAgain)).chain(changes)
            },
            async |account, event: &Event| {
                let Some(SubmissionChanged { submission }) = event.read() else {
                    return Ok(Shown::This(SubmissionEvent { submission: None }));
                };
                let db = &operation.app.db;
                let own = catalogue::own_submission(db, account.id, submission).await?;
                Ok(match still_theirs(own, account) {
                    Some(own) => Shown::This(SubmissionEvent {
                        submission: Some(Submission(Arc::new(own.submission))),
                    }),
                    // Gone meanwhile, or not theirs any more.
                    None => Shown::Nothing,
                })
            },
        )
        .await
    }
}

fn is_over(stage: Stage) -> bool {
    matches!(stage, Stage::Ready | Stage::Failed)
}

/// How a submission stands, for whoever may see it.
async fn status_of(
    operation: &Operation,
    id: SubmissionId,
) -> Result<Option<SubmissionStatus>, ApiError> {
    let (db, actor) = (&operation.app.db, operation.actor());
    if actor.with_role(catalogue::REVIEWERS).is_ok() {
        let found = catalogue::submission(db, id).await?;
        return Ok(found.map(|submission| submission.status));
    }
    let account = actor.account_id().ok_or(Refused::Unauthenticated)?;
    let own = catalogue::own_submission(db, account, id).await?;
    let touched = own.as_ref().map(OwnSubmission::touched);
    let account = watches(actor, &touched.unwrap_or_else(|| vec![id.to_string()]))?;
    Ok(still_theirs(own, account).map(|own| own.submission.status))
}

/// Whoever is no artist any more has none, as in all lists.
fn still_theirs(own: Option<OwnSubmission>, account: &Account) -> Option<OwnSubmission> {
    own.filter(|_| account.has(Role::Artist))
}

/// Whoever may look at what is their own: by a session, or by a token that opens looking at it or having made it.
fn watches<'a>(actor: &'a Actor, touched: &[String]) -> Result<&'a Arc<Account>, Refused> {
    actor
        .to_touch(Scope::UploadsWrite, touched)
        .or_else(|_| actor.to_touch(Scope::CatalogueWrite, touched))
        .or_else(|_| actor.to_touch(Scope::AccountRead, touched))
}

#[derive(SimpleObject)]
pub struct MediaProgress {
    submission_id: ID,
    stage: MediaStage,
    /// Of the stage, from 0 to 1.
    fraction: f64,
}

#[derive(SimpleObject)]
pub struct SubmissionEvent {
    /// Null where any of them may have changed: at the beginning, and after something was missed.
    submission: Option<Submission>,
}

#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaStage {
    Queued,
    Scanning,
    Measuring,
    Ready,
    Failed,
}

impl From<Stage> for MediaStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Queued => Self::Queued,
            Stage::Scanning => Self::Scanning,
            Stage::Measuring => Self::Measuring,
            Stage::Ready => Self::Ready,
            Stage::Failed => Self::Failed,
        }
    }
}
