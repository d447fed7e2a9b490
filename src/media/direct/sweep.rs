//! Uploads that nobody completed or handed in are ended, and those that came to an end are forgotten.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::model::{DirectStatus, DirectUpload};
use super::verify::VerifyDirect;
use crate::app::App;
use crate::jobs::{Failure, Job, is_wanted};
use crate::media::store;

/// What was begun before the end of an upload may still come so long.
const LEEWAY: TimeDelta = TimeDelta::hours(1);
/// So long an upload can be looked at once it came to its end.
const KEPT: TimeDelta = TimeDelta::days(7);
const SOME: u32 = 500;

pub async fn sweep(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    let before = now - LEEWAY;
    let mut behind = Uuid::nil();
    let mut failed = Ok(());
    loop {
        let over = store::directs_over(&app.db, behind, before, SOME).await?;
        let Some(last) = over.last() else { break };
        behind = last.id.0;
        for upload in &over {
            // One that can't be ended now holds up no other.
            if let Err(failure) = end(app, upload, before).await {
                tracing::error!(upload = %upload.id, %failure, "an upload can't be ended");
                failed = Err(failure);
            }
        }
    }
    while store::forget_directs(&app.db, now - KEPT, SOME).await? == SOME as usize {}
    failed
}

async fn end(app: &App, upload: &DirectUpload, before: DateTime<Utc>) -> Result<(), Failure> {
    match upload.written {
        DirectStatus::Open => {
            let dropped = app
                .storage
                .drop_parts(&upload.key(), &upload.handle())
                .await;
            match dropped {
                Ok(()) => {}
                Err(error) if error.may_pass() => return Err(Failure::passing(error)),
                Err(error) => tracing::warn!(
                    %error,
                    "parts of an upload that has expired stay for a while"
                ),
            }
        }
        DirectStatus::Verifying => {
            let key = VerifyDirect::key(upload.id);
            if is_wanted(&app.db, VerifyDirect::KIND, &key).await? {
                return Ok(());
            }
        }
        // Its file has a row, and is let go of by that.
        DirectStatus::Ready | DirectStatus::Failed | DirectStatus::Expired => {}
    }
    let ended = store::direct_expired(&app.db, upload.id, upload.written, before).await?;
    if ended && upload.written != DirectStatus::Ready {
        let deleted = app.storage.delete(&upload.key()).await;
        deleted.map_err(Failure::passing)?;
    }
    Ok(())
}
