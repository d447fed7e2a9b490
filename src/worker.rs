//! The list of all background jobs and schedules, and what runs them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::jobs::{Registry, Runner};

/// What is done for each kind of job, and what is done every so often.
pub fn registry(_app: &Arc<App>) -> Registry {
    Registry::default()
}

/// What runs them. Tests let it do what is due by [`Runner::run_due`].
pub fn runner(app: &Arc<App>) -> Runner {
    Runner::new(registry(app), app.metrics.clone())
}

/// Works until it is asked to stop. The database has to be migrated.
pub async fn run(app: &Arc<App>, stop: CancellationToken) {
    tracing::info!("running background jobs");
    runner(app).run(&app.db, stop).await;
}
