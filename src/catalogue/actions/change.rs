//! Another title or cover of a track that was published, which waits for a review while the old one shows.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::submission::not_now;
use crate::accounts::{AccountId, Client};
use crate::catalogue::fault::Fault;
use crate::catalogue::jobs::{self, CatalogueMail};
use crate::catalogue::model::{ArtistId, TrackId};
use crate::catalogue::review::{About, Step, after};
use crate::catalogue::sort_key;
use crate::catalogue::store::{self, Moved, NewSubmission};
use crate::catalogue::submission::{Submission, SubmissionId, SubmissionStatus};
use crate::db::Tx;
use crate::media::{self, ImageId};

/// What of a published track is to be another, as it was read.
#[derive(Debug, Clone, Default)]
pub struct TrackChange {
    pub title: Option<String>,
    pub cover: Option<ImageId>,
}

/// A change that waits for its review, and the one that waited or was to be changed until then.
#[derive(Debug)]
pub struct HandedIn {
    pub submission: Submission,
    pub replaced: Option<Submission>,
}

/// Hands in a change of a published track, for the account whose it is. What of another was open is part of it, as far as it
/// says nothing else, and that is taken back: somebody may be about to decide upon what it was, and nothing else may come of
/// that. Part of a transaction that holds the account, the artist and the track; once that is committed,
/// [`news::changed`](crate::catalogue::news::changed) tells of both.
pub async fn hand_in_change(
    tx: &mut Tx<'_>,
    account: AccountId,
    (artist, track): (ArtistId, TrackId),
    change: TrackChange,
    client: &Client,
    now: DateTime<Utc>,
) -> Result<HandedIn, Fault> {
    let TrackChange {
        mut title,
        mut cover,
    } = change;
    let mut replaced = None;
    if let Some(open) = store::hold_open_submission(tx, track).await? {
        let from = open.status;
        let to = after(Step::Withdraw, About::Change, from).ok_or_else(|| not_now(from))?;
        let moved = Moved::default();
        replaced = store::move_submission(tx, open.id, (from, to), moved, now).await?;
        let unwanted = cover.and(open.new_cover_id);
        media::delete_images(tx, unwanted.as_slice()).await?;
        title = title.or(open.new_title);
        cover = cover.or(open.new_cover_id);
    }
    let new = NewSubmission {
        id: SubmissionId(Uuid::now_v7()),
        track,
        artist,
        submitted_by: account,
        status: SubmissionStatus::Pending,
        audio: None,
        new_title: title.map(|title| {
            let sorted = sort_key(&title);
            (title, sorted)
        }),
        new_cover: cover,
        created_at: now,
    };
    let submission = store::insert_submission(tx, new).await?;
    let submission = submission.ok_or_else(|| Fault::Internal("no row was written".into()))?;
    let mail = CatalogueMail::Received {
        submission: submission.id,
    };
    jobs::mail(tx, &mail, client).await?;
    Ok(HandedIn {
        submission,
        replaced,
    })
}
