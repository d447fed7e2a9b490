//! Mails of the catalogue, from a job to the mailer: whom it concerns, and what is so by then, is looked up when it is
//! written.

use std::sync::Arc;

use super::jobs::CatalogueMail;
use super::mails::{self, About, Change};
use super::model::{TrackId, TrackStatus};
use super::store;
use super::submission::{Submission, SubmissionId, SubmissionStatus};
use crate::accounts::{
    Account, AccountId, Addressee, Stationery, Status, Wanted, accounts_by_ids, deliver,
};
use crate::app::App;
use crate::jobs::{Attempt, Failure};

/// Nothing is sent where nothing is to be told any more.
pub async fn send(app: &App, mail: CatalogueMail, attempt: Attempt) -> Result<(), Failure> {
    match wanted(app, mail, attempt).await? {
        Some(wanted) => deliver(app, wanted, attempt).await,
        None => Ok(()),
    }
}

async fn wanted(
    app: &App,
    mail: CatalogueMail,
    attempt: Attempt,
) -> Result<Option<Wanted>, Failure> {
    let with = Stationery::new(&app.config);
    let found = match &mail {
        CatalogueMail::Received { submission }
        | CatalogueMail::Failed { submission }
        | CatalogueMail::ChangesRequested { submission }
        | CatalogueMail::Approved { submission }
        | CatalogueMail::Rejected { submission } => of_submission(app, *submission).await?,
        CatalogueMail::TakenDown { track, reason } => {
            let Some((account, about)) = of_track(app, *track).await? else {
                return Ok(None);
            };
            let reason = reason.clone();
            let mail = mails::TakenDown { about, reason };
            let message = mail.message(&Addressee::of(&account, attempt), &with)?;
            return Ok(Some(Wanted {
                kind: "track taken down",
                message,
                waits: true,
            }));
        }
    };
    let Some((account, about, track, submission)) = found else {
        return Ok(None);
    };
    let to = Addressee::of(&account, attempt);
    let is_unread = submission.is_unread();
    let note = submission.review_note;
    let (kind, message) = match (mail, submission.status) {
        (
            CatalogueMail::Received { .. },
            status @ (SubmissionStatus::Processing | SubmissionStatus::Pending),
        ) => {
            let is_read = status == SubmissionStatus::Pending;
            let mail = mails::Received { about, is_read };
            ("submission received", mail.message(&to, &with))
        }
        (CatalogueMail::Failed { .. }, SubmissionStatus::Failed) => {
            let reason = submission.failure.filter(|_| !is_unread);
            let mail = mails::Failed { about, reason };
            ("submission failed", mail.message(&to, &with))
        }
        (CatalogueMail::ChangesRequested { .. }, SubmissionStatus::ChangesRequested) => {
            let note = note.unwrap_or_default();
            let mail = mails::ChangesRequested { about, note };
            ("changes requested", mail.message(&to, &with))
        }
        (CatalogueMail::Approved { .. }, SubmissionStatus::Approved)
            if about.change.is_some() || track == TrackStatus::Published =>
        {
            let mail = mails::Approved { about, note };
            ("submission approved", mail.message(&to, &with))
        }
        (CatalogueMail::Rejected { .. }, SubmissionStatus::Rejected) => {
            let note = note.unwrap_or_default();
            let mail = mails::Rejected { about, note };
            ("submission rejected", mail.message(&to, &with))
        }
        // It has moved on since.
        _ => return Ok(None),
    };
    let message = message?;
    Ok(Some(Wanted {
        kind,
        message,
        waits: false,
    }))
}

async fn of_submission(
    app: &App,
    id: SubmissionId,
) -> Result<Option<(Arc<Account>, About, TrackStatus, Submission)>, Failure> {
    let found = store::owner_of_submission(&app.db, id).await?;
    let Some((owner, title, track, is_change)) = found else {
        return Ok(None);
    };
    let submission = store::submission(&app.db, id).await?;
    let account = account(app, owner).await?;
    let account = account.filter(|account| account.status == Status::Active);
    let Some((account, submission)) = account.zip(submission) else {
        return Ok(None);
    };
    let change = is_change.then(|| Change {
        title: submission.new_title.clone(),
    });
    Ok(Some((account, About { title, change }, track, submission)))
}

/// A track that is taken down still. Why stands nowhere else, so its artist is also told who can't sign in any more.
async fn of_track(app: &App, id: TrackId) -> Result<Option<(Arc<Account>, About)>, Failure> {
    let Some((owner, title, TrackStatus::TakenDown)) = store::owner_of_track(&app.db, id).await?
    else {
        return Ok(None);
    };
    let about = About {
        title,
        change: None,
    };
    let account = account(app, owner).await?;
    let account = account.filter(|account| account.email_verified_at.is_some());
    Ok(account.map(|account| (account, about)))
}

async fn account(app: &App, id: AccountId) -> Result<Option<Arc<Account>>, Failure> {
    Ok(accounts_by_ids(app, &[id]).await?.remove(&id))
}
