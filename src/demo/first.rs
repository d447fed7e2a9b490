//! The catalogue that whoever starts the service with nothing set finds in it: its rows before the service is ready, and
//! its files a few at a time afterwards, so that nobody waits for them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fill::fill;
use super::generate::Catalogue;
use super::load::{Summary, Target, load};
use super::{DEFAULT_SEED, DEFAULT_TRACKS, store};
use crate::app::App;
use crate::jobs::{Failure, Job, New, Registry};

/// So many tracks can be heard, those that are seen first. The rest costs time and room that nobody was asked for.
const HEARD: usize = 40;
/// As many as a stop can wait for.
const TOGETHER: usize = 5;

/// Gives some of the first catalogue's tracks what they lack, and asks for the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fill {
    /// How many have been seen to.
    pub done: usize,
}

impl Job for Fill {
    const KIND: &'static str = "demo.fill";
}

impl Fill {
    async fn ask(app: &App, done: usize) -> Result<(), crate::db::Error> {
        let mut tx = app.db.begin().await?;
        let new = New::of(&Self { done })?.unique(done.to_string());
        new.enqueue(&mut tx).await?;
        tx.commit().await
    }
}

fn catalogue() -> Catalogue {
    Catalogue::new(DEFAULT_SEED, DEFAULT_TRACKS)
}

/// Fills an embedded database that was made just now.
pub async fn begin(app: &App) -> anyhow::Result<Summary> {
    // Before: if this is killed, the job makes up for it.
    Fill::ask(app, 0).await?;
    put(app).await
}

async fn put(app: &App) -> anyhow::Result<Summary> {
    let mut client = app.db.source().client().await?;
    let target = Target {
        client: &mut client,
        copy: !app.db.source().is_embedded(),
    };
    Ok(load(target, &catalogue(), |_| {}).await?)
}

pub fn register_jobs(registry: &mut Registry, app: &Arc<App>) {
    let app = Arc::clone(app);
    registry.on(move |job: Fill, _| {
        let app = Arc::clone(&app);
        async move { go_on(&app, job).await }
    });
}

async fn go_on(app: &App, job: Fill) -> Result<(), Failure> {
    let seen = catalogue().seen_first(HEARD);
    if job.done == 0 && !store::is_any_there(&app.db, seen.clone()).await? {
        put(app).await?;
    }
    let next: Vec<Uuid> = seen.into_iter().skip(job.done).take(TOGETHER).collect();
    if next.is_empty() {
        tracing::info!(tracks = HEARD, "the demo's first tracks can be heard");
        return Ok(());
    }
    fill(app, &next, |_| {}).await?;
    Ok(Fill::ask(app, job.done + TOGETHER).await?)
}
