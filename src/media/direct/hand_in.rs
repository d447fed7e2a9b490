//! An upload is handed in: once, by whose it is, while it can be.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};

use super::complete::not_now;
use super::fault::DirectFault;
use super::model::{DirectStatus, DirectUploadId};
use crate::accounts::AccountId;
use crate::app::App;
use crate::db::{Error, Tx};
use crate::media::model::AudioId;
use crate::media::store;

/// So long it is waited for until an upload was verified: less than an operation may take.
const WAITED_FOR: Duration = Duration::from_secs(20);
const FIRST_REST: Duration = Duration::from_millis(100);
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Whether an upload of the account can be handed in. What is sent for it is a receipt of its bytes; so one that is
/// verified still is waited for.
pub async fn direct_to_hand_in(
    app: &App,
    account: AccountId,
    id: Option<DirectUploadId>,
) -> Result<DirectUploadId, DirectFault> {
    let id = id.ok_or(DirectFault::Unknown)?;
    let (began, mut rest) = (Instant::now(), FIRST_REST);
    loop {
        let upload = store::direct_of(&app.db, account, id).await?;
        let upload = upload.ok_or(DirectFault::Unknown)?;
        match upload.status(app.clock.now()) {
            DirectStatus::Ready if upload.claimed_at.is_some() => {
                return Err(DirectFault::NotNow("This upload was handed in already."));
            }
            DirectStatus::Ready => return Ok(id),
            DirectStatus::Open => {
                return Err(DirectFault::NotNow(
                    "This upload is not completed; complete it first.",
                ));
            }
            DirectStatus::Failed | DirectStatus::Expired => return Err(not_now(&upload)),
            DirectStatus::Verifying if began.elapsed() >= WAITED_FOR => {
                return Err(DirectFault::StillVerifying);
            }
            DirectStatus::Verifying => {}
        }
        sleep(rest).await;
        rest = (rest * 2).min(LONGEST_REST);
    }
}

/// Takes the file of an upload of the account, which was verified, did not expire and was not taken before. None where that
/// is not so any more; it is taken as soon as the caller's transaction stands.
pub async fn claim_direct(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: DirectUploadId,
    now: DateTime<Utc>,
) -> Result<Option<AudioId>, Error> {
    store::claim_direct(tx, account, id, now).await
}
