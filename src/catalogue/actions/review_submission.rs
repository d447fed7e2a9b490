//! A submission is decided upon, by somebody whose it is not.

use std::sync::Arc;

use super::acting::hold_reviewer;
use super::submission::{Held, hold, read_note, unknown};
use crate::accounts::{Account, AccountId, Client, Refused};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::fault::{Fault, Mistake, MistakeCode};
use crate::catalogue::jobs::{self, CatalogueMail};
use crate::catalogue::news;
use crate::catalogue::review::{About, Step, after};
use crate::catalogue::store::{self, Moved, SubmittedTrack};
use crate::catalogue::submission::{Submission, SubmissionId};
use crate::db::Tx;
use crate::media::AudioId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Approve,
    Reject,
    RequestChanges,
}

impl Decision {
    fn step(self) -> Step {
        match self {
            Self::Approve => Step::Approve,
            Self::Reject => Step::Reject,
            Self::RequestChanges => Step::RequestChanges,
        }
    }

    fn action(self) -> &'static str {
        match self {
            Self::Approve => "submission.approved",
            Self::Reject => "submission.rejected",
            Self::RequestChanges => "submission.changes_requested",
        }
    }

    fn mail(self, submission: SubmissionId) -> CatalogueMail {
        match self {
            Self::Approve => CatalogueMail::Approved { submission },
            Self::Reject => CatalogueMail::Rejected { submission },
            Self::RequestChanges => CatalogueMail::ChangesRequested { submission },
        }
    }
}

/// What is decided, as it was sent.
pub struct Review {
    /// None where what was sent is no submission's ID.
    pub submission: Option<SubmissionId>,
    pub decision: Decision,
    pub note: Option<String>,
}

/// Decides upon a submission, for somebody who may review.
pub async fn review_submission(
    app: &App,
    reviewer: &Account,
    review: Review,
    client: &Client,
) -> Result<Arc<Submission>, Fault> {
    let decision = review.decision;
    let (id, note) = read(review)?;
    let reviewer = reviewer.id;
    let event = Event::new(decision.action(), &client.by(reviewer), app.clock.now());
    let mut tx = app.db.begin().await?;
    let has_scanner = app.config.clamav.is_some();
    let put = put(
        &mut tx,
        has_scanner,
        reviewer,
        id,
        decision,
        note,
        event,
        client,
    );
    match put.await {
        Ok(Put::Decided(submission)) => {
            tx.commit().await?;
            news::changed(app, &submission);
            Ok(Arc::new(submission))
        }
        Ok(Put::Scanned(submission)) => {
            tx.commit().await?;
            news::changed(app, &submission);
            Err(not_scanned().into())
        }
        Err(fault) => {
            tx.rollback().await;
            Err(fault)
        }
    }
}

/// What stands afterwards.
enum Put {
    Decided(Submission),
    /// It was not, as its file is to be scanned first.
    Scanned(Submission),
}

#[expect(clippy::too_many_arguments, reason = "each is a part of the one write")]
async fn put(
    tx: &mut Tx<'_>,
    has_scanner: bool,
    reviewer: AccountId,
    id: SubmissionId,
    decision: Decision,
    note: Option<String>,
    event: Event,
    client: &Client,
) -> Result<Put, Fault> {
    hold_reviewer(tx, reviewer).await?;
    let held = hold(tx, id).await?.ok_or_else(unknown)?;
    if [held.owner, held.submission.submitted_by].contains(&Some(reviewer)) {
        return Err(Refused::Forbidden("Nobody reviews what is their own.").into());
    }
    if has_scanner
        && decision == Decision::Approve
        && let Some(audio) = unscanned(tx, &held).await?
    {
        let now = event.at();
        let submission = held.go(tx, Step::Scan, Moved::default(), now).await?;
        jobs::process(tx, id, audio, client).await?;
        let event = Event::new("submission.sent_to_scan", &client.by(reviewer), now);
        audit::record(tx, about(event, id, &held)).await?;
        return Ok(Put::Scanned(submission));
    }
    let moved = Moved {
        review: Some((reviewer, note.clone())),
        ..Moved::default()
    };
    let submission = held.go(tx, decision.step(), moved, event.at()).await?;
    jobs::mail(tx, &decision.mail(id), client).await?;
    let mut event = about(event, id, &held);
    if let Some(track) = submission.track_id {
        event = event.detail("track", track.to_string());
    }
    if let Some(note) = note {
        event = event.personal("note", note);
    }
    audit::record(tx, event).await?;
    Ok(Put::Decided(submission))
}

fn about(event: Event, id: SubmissionId, held: &Held) -> Event {
    let event = event.about(id);
    match held.owner {
        Some(owner) => event.concerning(owner.0),
        None => event,
    }
}

/// The file that would be published by an approval, and that came before there was a scanner.
async fn unscanned(tx: &mut Tx<'_>, held: &Held) -> Result<Option<AudioId>, Fault> {
    let is_published = |track: &SubmittedTrack| {
        let about = About::of(track.status);
        about == About::NewTrack && after(Step::Approve, about, held.submission.status).is_some()
    };
    let audio = held.submission.audio_id;
    let Some(audio) = audio.filter(|_| held.track.as_ref().is_some_and(is_published)) else {
        return Ok(None);
    };
    let is_scanned = store::is_scanned(tx, audio).await?;
    Ok(Some(audio).filter(|_| !is_scanned))
}

fn not_scanned() -> Mistake {
    let message = "Its file came before there was a virus scanner. It is scanned now, and waits for its review again then.";
    Mistake::new(MistakeCode::InvalidState, "submissionId", message)
}

fn read(review: Review) -> Result<(SubmissionId, Option<String>), Fault> {
    let mut mistakes = Vec::new();
    if review.submission.is_none() {
        mistakes.push(unknown());
    }
    let note = read_note(review.note.as_deref()).unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    });
    if note.is_none() && mistakes.iter().all(|mistake| mistake.field != "note") {
        let needed = match review.decision {
            Decision::Approve => None,
            Decision::Reject => Some("Say why; the artist is told."),
            Decision::RequestChanges => Some("Say what is to be changed; the artist is told."),
        };
        mistakes.extend(needed.map(|why| Mistake::new(MistakeCode::Required, "note", why)));
    }
    match review.submission {
        Some(submission) if mistakes.is_empty() => Ok((submission, note)),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}
