//! Answers are kept for a day and no longer: they say much of whom they were for.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store;
use crate::app::App;
use crate::db::{Error, Tx};
use crate::jobs::{Failure, Job, Registry};

const EVERY_HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Forget {}

impl Job for Forget {
    const KIND: &'static str = "idempotency.forget";
    const LIMIT: Duration = Duration::from_secs(5 * 60);
}

/// Adds what is done every so often.
pub fn register_jobs(registry: &mut Registry, app: &Arc<App>) {
    let app = app.clone();
    registry.on(move |_: Forget, _| {
        let app = app.clone();
        async move { forget(&app).await }
    });
    registry.every("idempotency.forget", EVERY_HOUR, Forget::default);
}

/// Forgets what was answered to somebody, where it is not so any more: what they sent before is done anew.
pub async fn forget_answers(tx: &mut Tx<'_>, account: Uuid) -> Result<(), Error> {
    store::forget_answers(tx, account).await?;
    Ok(())
}

async fn forget(app: &App) -> Result<(), Failure> {
    let now = app.clock.now();
    while store::forget(&app.db, now).await? == store::CLEANUP_BATCH {}
    Ok(())
}
