//! The file of a submission is read: scanned, measured, and then it waits for its review, or is found to be of no use. May
//! be done any number of times, and be broken off anywhere: what moves the submission on is one transaction, which finds it
//! still being processed, and with this file.

use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;

use super::actions::{Held, hold};
use super::jobs::{self, CatalogueMail, ProcessTrack};
use super::news;
use super::review::Step;
use super::store::{self, Moved};
use super::submission::{NOT_READ, SubmissionId, SubmissionStatus};
use crate::accounts::Client;
use crate::app::App;
use crate::jobs::{Attempt, Failure, Job, JobId, is_wanted};
use crate::media::{self, AudioId, Stage, Unprocessed};

/// Said of a file that its decoder did not come to an end with, more than once.
const TOO_SLOW: &str = "The file takes too long to be read.";
/// Columns hold as much.
const LONGEST_REASON: usize = 500;
/// So long after something was handed in it is looked whether anybody reads it.
const QUIET: TimeDelta = TimeDelta::minutes(5);
const SOME: u32 = 100;
/// So often it is looked whether a file that is read is still to be.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(5);

/// What came of reading a file.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    Unusable(String),
}

pub async fn process(app: &App, job: ProcessTrack, attempt: Attempt) -> Result<(), Failure> {
    let ProcessTrack { submission, audio } = job;
    let Some(now) = store::submission(&app.db, submission).await? else {
        return Ok(());
    };
    if now.status != SubmissionStatus::Processing || now.audio_id != Some(audio) {
        // An earlier try may have moved it on and not come to tell.
        if attempt.number > 1 {
            news::changed(app, &now);
        }
        return Ok(());
    }
    let progress = Progress { app, submission };
    let processed = tokio::select! {
        processed = media::process(app, audio, &progress) => processed,
        // Whoever drops it stops it.
        () = unwanted(app, submission, audio) => return Ok(()),
    };
    let (outcome, failure) = judge(processed, attempt)?;
    settle(app, submission, audio, outcome).await?;
    // The job is given up with what kept it from its end, for whoever looks after the service.
    failure.map_or(Ok(()), Err)
}

/// Done when nobody wants the file read any more: it was withdrawn, or another has taken its place. Else it would keep others
/// waiting for minutes.
async fn unwanted(app: &App, submission: SubmissionId, audio: AudioId) {
    loop {
        tokio::time::sleep(LOOKED_AT_EVERY).await;
        // Where nobody can say so, it is.
        if let Ok(now) = store::submission(&app.db, submission).await
            && !now.is_some_and(|now| {
                now.status == SubmissionStatus::Processing && now.audio_id == Some(audio)
            })
        {
            return;
        }
    }
}

/// What comes of it, with what kept it from another end; or that it is to be tried again.
fn judge(
    processed: Result<(), Unprocessed>,
    attempt: Attempt,
) -> Result<(Outcome, Option<Failure>), Failure> {
    let error = match processed {
        Ok(()) => return Ok((Outcome::Good, None)),
        Err(Unprocessed::Unusable(reason)) => return Ok((Outcome::Unusable(reason), None)),
        // Once it may have been the machine.
        Err(Unprocessed::TooSlow) if attempt.number > 1 => {
            return Ok((Outcome::Unusable(TOO_SLOW.into()), None));
        }
        Err(error @ (Unprocessed::TooSlow | Unprocessed::Passing(_))) => Failure::passing(error),
    };
    match attempt.is_last {
        true => Ok((Outcome::Unusable(NOT_READ.into()), Some(error))),
        false => Err(error),
    }
}

/// Does at once what the job would do in its turn, which then finds it done.
pub async fn process_track(
    app: &App,
    submission: SubmissionId,
    audio: AudioId,
) -> Result<(), Failure> {
    let attempt = Attempt {
        job: JobId(uuid::Uuid::nil()),
        number: 1,
        is_last: false,
    };
    process(app, ProcessTrack { submission, audio }, attempt).await
}

/// Gives up those whose job was given up without a word of its own, as when each instance that took it was killed.
pub async fn give_up_what_nobody_reads(app: &App) -> Result<(), Failure> {
    let before = app.clock.now() - QUIET;
    let (mut behind, mut failed) = (None, None);
    loop {
        let page = store::unprocessed_since(&app.db, before, behind, SOME).await?;
        for (_, submission, audio) in &page {
            // What is wrong with one is no reason to leave the others.
            if let Err(error) = give_up(app, *submission, *audio).await {
                tracing::error!(%submission, %error, "a submission could not be given up");
                failed = Some(error);
            }
        }
        behind = page.last().map(|(at, submission, _)| (*at, *submission));
        if page.len() < SOME as usize {
            return failed.map_or(Ok(()), Err);
        }
    }
}

async fn give_up(app: &App, submission: SubmissionId, audio: AudioId) -> Result<(), Failure> {
    let key = ProcessTrack::key(audio);
    // In this order: a job that ends meanwhile has moved its submission on before.
    if is_wanted(&app.db, ProcessTrack::KIND, &key).await? {
        return Ok(());
    }
    settle(app, submission, audio, Outcome::Unusable(NOT_READ.into())).await
}

async fn settle(
    app: &App,
    id: SubmissionId,
    audio: AudioId,
    outcome: Outcome,
) -> Result<(), Failure> {
    let mut tx = app.db.begin().await?;
    let held = hold(&mut tx, id).await?;
    // Withdrawn, deleted, or handed in again meanwhile.
    let is_so = |held: &Held| {
        let submission = &held.submission;
        submission.status == SubmissionStatus::Processing
            && submission.audio_id == Some(audio)
            && held.track.is_some()
    };
    let Some(held) = held.filter(is_so) else {
        tx.rollback().await;
        return Ok(());
    };
    let (step, failure, stage) = match outcome {
        Outcome::Good => (Step::Processed, None, Stage::Ready),
        Outcome::Unusable(reason) => {
            let reason: String = reason.chars().take(LONGEST_REASON).collect();
            (Step::Unusable, Some(reason), Stage::Failed)
        }
    };
    if failure.is_some() {
        let mail = CatalogueMail::Failed { submission: id };
        jobs::mail(&mut tx, &mail, &Client::default()).await?;
    }
    let moved = Moved {
        failure,
        ..Moved::default()
    };
    let submission = held.go(&mut tx, step, moved, app.clock.now()).await;
    let submission =
        submission.map_err(|fault| Failure::passing(format!("it did not move on: {fault:?}")))?;
    tx.commit().await?;
    news::progressed(app, id, stage, 1.0);
    news::changed(app, &submission);
    Ok(())
}

/// Tells whoever watches a submission how far its file has come.
struct Progress<'a> {
    app: &'a App,
    submission: SubmissionId,
}

#[async_trait]
impl media::Progress for Progress<'_> {
    async fn tell(&self, stage: Stage, fraction: f64) {
        news::progressed(self.app, self.submission, stage, fraction);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::jobs::JobId;

    #[test]
    fn what_takes_too_long_twice_can_not_be_used() {
        let attempt = |number, is_last| Attempt {
            job: JobId(Uuid::nil()),
            number,
            is_last,
        };
        let judged =
            |processed, attempt| judge(processed, attempt).map(|(outcome, _)| outcome).ok();
        let away = || Err(Unprocessed::Passing("it is away".into()));
        let slow = || Err(Unprocessed::TooSlow);
        let unusable = |reason: &str| Some(Outcome::Unusable(reason.into()));
        assert_eq!(judged(slow(), attempt(1, false)), None);
        assert_eq!(judged(slow(), attempt(2, false)), unusable(TOO_SLOW));
        assert_eq!(judged(slow(), attempt(20, true)), unusable(TOO_SLOW));
        assert_eq!(judged(away(), attempt(2, false)), None);
        assert_eq!(judged(away(), attempt(20, true)), unusable(NOT_READ));
        assert_eq!(judged(Ok(()), attempt(20, true)), Some(Outcome::Good));
    }
}
