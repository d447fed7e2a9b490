//! The list of all background jobs and schedules, and what runs them. There are none in this version: the catalogue is
//! only read. `empulse worker` holds its place, so that deployments can be laid out as they will be.

use tokio_util::sync::CancellationToken;

use crate::app::App;

/// Works until it is asked to stop.
pub async fn run(_app: &App, stop: CancellationToken) {
    tracing::info!("this version has no background jobs; waiting to be stopped");
    stop.cancelled().await;
}
