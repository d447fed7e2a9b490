//! What all who change a submission begin with, and how it moves on.

use chrono::{DateTime, Utc};

use crate::accounts::AccountId;
use crate::catalogue::fault::{Fault, Mistake, MistakeCode};
use crate::catalogue::model::TrackStatus;
use crate::catalogue::prose::prose;
use crate::catalogue::review::{About, Step, after, track_of, why_not};
use crate::catalogue::store::{self, Moved, SubmittedTrack};
use crate::catalogue::submission::{Submission, SubmissionId, SubmissionStatus};
use crate::db::{Error, Tx};
use crate::media;

const LONGEST_NOTE: usize = 2_000;

/// A submission and what it is about, held in the order that everybody keeps to: artist, track, submission.
pub struct Held {
    /// Whose the artist is.
    pub owner: Option<AccountId>,
    /// None where it was deleted.
    pub track: Option<SubmittedTrack>,
    pub submission: Submission,
}

pub async fn hold(tx: &mut Tx<'_>, id: SubmissionId) -> Result<Option<Held>, Error> {
    let Some((artist, track)) = store::place_of_submission(tx, id).await? else {
        return Ok(None);
    };
    let Some(artist) = store::hold_artist(tx, artist).await? else {
        return Ok(None);
    };
    let track = match track {
        Some(track) => store::hold_submitted_track(tx, track).await?,
        None => None,
    };
    let submission = store::hold_submission(tx, id).await?;
    Ok(submission.map(|submission| Held {
        owner: artist.account,
        track,
        submission,
    }))
}

impl Held {
    /// Moves it on, and its track with it. A cover that is not to be seen any more goes.
    pub async fn go(
        &self,
        tx: &mut Tx<'_>,
        step: Step,
        moved: Moved,
        now: DateTime<Utc>,
    ) -> Result<Submission, Fault> {
        let from = self.submission.status;
        let track = self.track.as_ref().ok_or_else(|| not_now(from))?;
        let about = About::of(track.status);
        let to = after(step, about, from).ok_or_else(|| not_now(from))?;
        let audio = moved.audio;
        let id = self.submission.id;
        let submission = store::move_submission(tx, id, (from, to), moved, now).await?;
        let mut submission = submission.ok_or_else(|| not_now(from))?;
        let has_moved = match (about, step) {
            (About::Change, Step::Approve) => {
                let is_moved = store::apply_change(tx, id, now).await?;
                let replaced = submission.new_cover_id.and(track.cover_id);
                media::delete_images(tx, replaced.as_slice()).await?;
                is_moved
            }
            (About::Change, Step::Reject | Step::Withdraw) => {
                let unwanted = submission.new_cover_id.take();
                media::delete_images(tx, unwanted.as_slice()).await?;
                true
            }
            (About::Change, _) => true,
            (About::NewTrack, _) => match (track_of(from), track_of(to)) {
                (was, TrackStatus::Published) => {
                    store::publish_track(tx, track.id, was, now).await?
                }
                ways => store::move_track(tx, track.id, ways, audio, now).await?,
            },
        };
        if !has_moved {
            return Err(not_now(from).into());
        }
        if step == Step::Processed {
            store::set_duration(tx, track.id).await?;
        }
        Ok(submission)
    }
}

pub fn not_now(from: SubmissionStatus) -> Mistake {
    Mistake::new(MistakeCode::InvalidState, "submissionId", why_not(from))
}

pub fn unknown() -> Mistake {
    let message = "There is no such submission.";
    Mistake::new(MistakeCode::NotFound, "submissionId", message)
}

/// What somebody wrote beside it; none where that is nothing.
pub fn read_note(note: Option<&str>) -> Result<Option<String>, Mistake> {
    let read = prose(note.unwrap_or_default(), LONGEST_NOTE);
    let note = read.map_err(|_| {
        let message = format!("A note has at most {LONGEST_NOTE} characters.");
        Mistake::new(MistakeCode::TooLong, "note", message)
    })?;
    Ok(Some(note).filter(|note| !note.is_empty()))
}
