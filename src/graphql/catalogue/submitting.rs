//! What is handed in with its files, taken back and decided upon.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::mistakes::{CatalogueError, Undone, told};
use super::receipt::UploadReceipt;
use super::submission::Submission;
use super::taking::{FileInput, found, take};
use super::track::Track;
use crate::accounts::{self, Scope};
use crate::catalogue::{
    self, AlbumId, ArtistId, OwnSubmission, Review, SubmissionId, Submitted, TrackForm,
};
use crate::graphql::context::{Operation, operation, root};
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::files::Upload;

#[derive(Default)]
pub struct SubmissionMutation;

#[Object]
impl SubmissionMutation {
    /// Uploads a track and hands it in for review.
    async fn submit_track(
        &self,
        ctx: &Context<'_>,
        input: SubmitTrackInput,
    ) -> Nullable<SubmitTrackPayload> {
        nullable(
            root(ctx, "submitTrack", async {
                let operation = operation(ctx)?;
                let (done, errors) = told(submit(operation, input).await)?;
                let (track, submission, receipt) = handed_in(done);
                Ok(Some(SubmitTrackPayload {
                    track,
                    submission,
                    receipt,
                    errors,
                }))
            })
            .await,
        )
    }

    /// Takes back what was handed in and is not decided upon yet.
    async fn withdraw_submission(
        &self,
        ctx: &Context<'_>,
        input: WithdrawSubmissionInput,
    ) -> Nullable<WithdrawSubmissionPayload> {
        nullable(
            root(ctx, "withdrawSubmission", async {
                let operation = operation(ctx)?;
                let own = own_submission(operation, &input.submission_id).await?;
                let account = by_its_artist(operation, own.as_ref())?;
                let withdrawn = catalogue::withdraw_submission(
                    &operation.app,
                    account,
                    own.map(|own| own.submission.id),
                    &operation.caller.client,
                );
                let (withdrawn, errors) = told(withdrawn.await.map_err(Undone::from))?;
                let submission = withdrawn.map(Submission);
                Ok(Some(WithdrawSubmissionPayload { submission, errors }))
            })
            .await,
        )
    }

    /// Answers a request for changes.
    async fn resubmit_track(
        &self,
        ctx: &Context<'_>,
        input: ResubmitTrackInput,
    ) -> Nullable<ResubmitTrackPayload> {
        nullable(
            root(ctx, "resubmitTrack", async {
                let operation = operation(ctx)?;
                let own = own_submission(operation, &input.submission_id).await?;
                let account = by_its_artist(operation, own.as_ref())?;
                let resubmitted = resubmit(operation, account, own, input.audio, input.note);
                let (done, errors) = told(resubmitted.await)?;
                let (track, submission, receipt) = handed_in(done);
                Ok(Some(ResubmitTrackPayload {
                    track,
                    submission,
                    receipt,
                    errors,
                }))
            })
            .await,
        )
    }

    /// Decides upon a submission, for administrators and moderators; nobody reviews what is their own.
    async fn review_submission(
        &self,
        ctx: &Context<'_>,
        input: ReviewSubmissionInput,
    ) -> Nullable<ReviewSubmissionPayload> {
        nullable(
            root(ctx, "reviewSubmission", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().with_role(catalogue::REVIEWERS)?;
                let review = Review {
                    submission: input.submission_id.parse().ok(),
                    decision: input.decision.into(),
                    note: input.note,
                };
                let client = &operation.caller.client;
                let reviewed = catalogue::review_submission(
                    &operation.app,
                    &principal.account,
                    review,
                    client,
                );
                let (submission, errors) = told(reviewed.await.map_err(Undone::from))?;
                let track = match &submission {
                    Some(submission) => nullable(track_of(operation, submission).await),
                    None => None,
                };
                let submission = submission.map(Submission);
                Ok(Some(ReviewSubmissionPayload {
                    submission,
                    track,
                    errors,
                }))
            })
            .await,
        )
    }
}

/// Whatever may refuse it comes before the first byte of a file is read.
async fn submit(operation: &Operation, input: SubmitTrackInput) -> Result<Submitted, Undone> {
    let artist: Option<ArtistId> = input.artist_id.parse().ok();
    let album: Option<Option<AlbumId>> = input.album_id.map(|album| album.parse().ok());
    let mut touched: Vec<String> = artist.iter().map(ToString::to_string).collect();
    touched.extend(album.flatten().map(|album| album.to_string()));
    let account = operation
        .actor()
        .as_artist(Scope::UploadsWrite, &touched)
        .map_err(ApiError::from)?;
    let form = TrackForm {
        artist,
        title: input.title,
        genre: input.genre_slug,
        is_explicit: input.is_explicit,
        isrc: input.isrc,
        album,
        audio_sha256: input.audio_sha256,
    };
    let app = &operation.app;
    let genres = operation.genres().await?;
    let admitted = catalogue::admit_track(app, account, form, &genres).await?;
    let audio = found(operation, account, input.audio).await?;
    catalogue::count_track(app, account).await?;
    let audio = (audio, admitted.audio_sha256());
    let files = take(operation, account, Some(audio), input.cover).await?;
    let client = &operation.caller.client;
    Ok(catalogue::submit_track(app, account, admitted, files, client).await?)
}

async fn resubmit(
    operation: &Operation,
    account: &accounts::Account,
    own: Option<OwnSubmission>,
    audio: Option<FileInput>,
    note: Option<String>,
) -> Result<Submitted, Undone> {
    let app = &operation.app;
    let admitted = catalogue::admit_again(own.as_ref(), audio.is_some(), note.as_deref())?;
    let audio = match audio {
        Some(audio) => Some(found(operation, account, audio).await?),
        None => None,
    };
    catalogue::count_again(app, account).await?;
    let audio = audio.map(|audio| (audio, None));
    let files = take(operation, account, audio, None).await?;
    let client = &operation.caller.client;
    Ok(catalogue::resubmit_track(app, account, admitted, files, client).await?)
}

/// What a payload shows of what was handed in.
fn handed_in(
    done: Option<Submitted>,
) -> (Option<Track>, Option<Submission>, Option<UploadReceipt>) {
    match done {
        Some(done) => (
            Some(Track::alone(done.track)),
            Some(Submission(done.submission)),
            done.receipt.map(UploadReceipt::from),
        ),
        None => (None, None, None),
    }
}

/// The submission of that ID, if it is of whoever asks.
pub async fn own_submission(
    operation: &Operation,
    id: &ID,
) -> Result<Option<OwnSubmission>, ApiError> {
    let account = operation.actor().account_id();
    let account = account.ok_or(accounts::Refused::Unauthenticated)?;
    let Ok(id) = id.parse::<SubmissionId>() else {
        return Ok(None);
    };
    Ok(catalogue::own_submission(&operation.app.db, account, id).await?)
}

/// Whoever asks, if they may touch it as its artist.
pub fn by_its_artist<'o>(
    operation: &'o Operation,
    own: Option<&OwnSubmission>,
) -> Result<&'o accounts::Account, ApiError> {
    let touched = own.map(OwnSubmission::touched).unwrap_or_default();
    let account = operation.actor().as_artist(Scope::UploadsWrite, &touched)?;
    Ok(account)
}

/// The track of a submission, as it is after a change.
pub async fn track_of(
    operation: &Operation,
    submission: &catalogue::Submission,
) -> Result<Option<Track>, ApiError> {
    match submission.track_id {
        Some(id) => Ok(operation.track(id).await?.map(Track::alone)),
        None => Ok(None),
    }
}

/// What is decided of something that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalogue::Decision")]
pub enum ReviewDecision {
    Approve,
    Reject,
    RequestChanges,
}

#[derive(InputObject)]
pub struct WithdrawSubmissionInput {
    submission_id: ID,
}

#[derive(SimpleObject)]
pub struct WithdrawSubmissionPayload {
    submission: Option<Submission>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct SubmitTrackInput {
    artist_id: ID,
    title: String,
    genre_slug: String,
    is_explicit: bool,
    isrc: Option<String>,
    album_id: Option<ID>,
    audio: FileInput,
    /// SHA-256 in hexadecimal; where given, a file that differs is refused.
    audio_sha256: Option<String>,
    cover: Option<Upload>,
}

#[derive(SimpleObject)]
pub struct SubmitTrackPayload {
    track: Option<Track>,
    submission: Option<Submission>,
    receipt: Option<UploadReceipt>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct ResubmitTrackInput {
    submission_id: ID,
    audio: Option<FileInput>,
    /// For the reviewer.
    note: Option<String>,
}

#[derive(SimpleObject)]
pub struct ResubmitTrackPayload {
    track: Option<Track>,
    submission: Option<Submission>,
    receipt: Option<UploadReceipt>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct ReviewSubmissionInput {
    submission_id: ID,
    decision: ReviewDecision,
    /// Sent to the artist; required unless approved.
    note: Option<String>,
}

#[derive(SimpleObject)]
pub struct ReviewSubmissionPayload {
    submission: Option<Submission>,
    // What stands is told even where this can't be read.
    track: Nullable<Track>,
    errors: Vec<CatalogueError>,
}
