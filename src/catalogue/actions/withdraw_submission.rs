//! An artist takes back what they handed in.

use std::sync::Arc;

use super::submission::{hold, unknown};

use crate::accounts::{self, Account, AccountId, Client};
use crate::app::App;
use crate::audit::{self, Event};
use crate::catalogue::fault::Fault;
use crate::catalogue::news;
use crate::catalogue::review::Step;
use crate::catalogue::store::Moved;
use crate::catalogue::submission::{Submission, SubmissionId};
use crate::db::Tx;

/// Takes a submission back, for the account whose artist it is of.
pub async fn withdraw_submission(
    app: &App,
    account: &Account,
    submission: Option<SubmissionId>,
    client: &Client,
) -> Result<Arc<Submission>, Fault> {
    let id = submission.ok_or_else(unknown)?;
    let by = client.by(account.id);
    let event = Event::new("submission.withdrawn", &by, app.clock.now());
    let mut tx = app.db.begin().await?;
    match put(&mut tx, account.id, id, event).await {
        Ok(submission) => {
            tx.commit().await?;
            news::changed(app, &submission);
            Ok(Arc::new(submission))
        }
        Err(fault) => {
            tx.rollback().await;
            Err(fault)
        }
    }
}

async fn put(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: SubmissionId,
    event: Event,
) -> Result<Submission, Fault> {
    let account = accounts::hold_artist(tx, account).await?;
    let held = hold(tx, id).await?;
    // What is somebody else's is not to be found.
    let held = held.filter(|held| held.owner == Some(account.id));
    let held = held.ok_or_else(unknown)?;
    let moved = Moved::default();
    let submission = held.go(tx, Step::Withdraw, moved, event.at()).await?;
    let mut event = event.about(id).concerning(account.id.0);
    if let Some(track) = submission.track_id {
        event = event.detail("track", track.to_string());
    }
    audit::record(tx, event).await?;
    Ok(submission)
}
