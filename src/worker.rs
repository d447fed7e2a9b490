//! The list of all background jobs and schedules, and what runs them.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::accounts::{self, Accounts};
use crate::audit;
use crate::catalogue;
use crate::demo;
use crate::idempotency;
use crate::jobs::{self, Job, Registry, Runner};
use crate::media;

/// Long enough for whoever operates the service to see what was given up, and to have it done after all.
const DEAD_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const EVERY_DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SOME: u32 = 1_000;

/// Forgets jobs that were given up long ago.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct ForgetDead {}

impl Job for ForgetDead {
    const KIND: &'static str = "jobs.forget_dead";
}

/// What is done for each kind of job, and what is done every so often.
pub fn registry(accounts: &Arc<Accounts>) -> Registry {
    let mut registry = Registry::default();
    accounts::register_jobs(&mut registry, accounts);
    let app = accounts.app().clone();
    catalogue::register_jobs(&mut registry, &app);
    audit::register_jobs(&mut registry, &app);
    idempotency::register_jobs(&mut registry, &app);
    media::register_jobs(&mut registry, &app);
    demo::register_jobs(&mut registry, &app);
    registry.on(move |_: ForgetDead, _| {
        let app = app.clone();
        async move {
            while jobs::forget_dead(&app.db, DEAD_FOR, SOME).await? == SOME as usize {}
            Ok(())
        }
    });
    registry.every("jobs.forget_dead", EVERY_DAY, ForgetDead::default);
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
