//! The list of all background jobs and schedules, and what runs them.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::accounts::{self, Accounts};
use crate::jobs::{Registry, Runner};

/// What is done for each kind of job, and what is done every so often.
pub fn registry(accounts: &Arc<Accounts>) -> Registry {
    let mut registry = Registry::default();
    accounts::register_jobs(&mut registry, accounts);
    registry
}

/// What runs them. Tests let it do what is due by [`Runner::run_due`].
pub fn runner(accounts: &Arc<Accounts>) -> Runner {
    Runner::new(registry(accounts), accounts.app().metrics.clone())
}

/// Works until it is asked to stop. The database has to be migrated.
pub async fn run(accounts: &Arc<Accounts>, stop: CancellationToken) {
    tracing::info!("running background jobs");
    runner(accounts).run(&accounts.app().db, stop).await;
}
