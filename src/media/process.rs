//! What is done with a file of music before anybody hears it: it is scanned, where there is a scanner, and measured.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::measure::{Measured, StoredFile, Unmeasured, Watch, measure};
use super::model::AudioId;
use super::scan::{Patience, Verdict, scan};
use super::{keys, store};
use crate::app::App;
use crate::config::Clamav;
use crate::storage::Key;

/// How long a file may take to be scanned, and as long again to be measured. A day of music takes a core some minutes.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// Between two times that progress is told.
const PAUSE: Duration = Duration::from_millis(250);

/// Each measuring takes a core: half of them are left to those who ask for something.
static CORES: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new((cores / 2).max(1))
});

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It waits for its turn.
    Queued,
    Scanning,
    Measuring,
    /// Told by whoever keeps what came of it.
    Ready,
    /// Likewise.
    Failed,
}

/// Whoever is told how far a file has come: a few times a second at most, and of each stage at least once.
#[async_trait]
pub trait Progress: Send + Sync {
    /// The fraction of the stage is from 0 to 1.
    async fn tell(&self, stage: Stage, fraction: f64);
}

/// Why a file can't be heard.
#[derive(Debug, thiserror::Error)]
pub enum Unprocessed {
    /// Nor will it ever be; in words for whoever sent it.
    #[error("{0}")]
    Unusable(String),
    /// Measuring it took longer than any file may. Once it may have been the machine.
    #[error("not measured: it took too long")]
    TooSlow,
    /// Trying again may help.
    #[error("{0}")]
    Passing(String),
}

impl Unprocessed {
    fn passing(error: impl std::fmt::Display) -> Self {
        Self::Passing(format!("{error:#}"))
    }
}

/// Scans and measures a file, and keeps what was found, all of it or nothing. What was done before is not done again, so a
/// job may run it as often as it likes. Whoever drops it stops it.
pub async fn process(app: &App, audio: AudioId, tell: &dyn Progress) -> Result<(), Unprocessed> {
    tell.tell(Stage::Queued, 0.0).await;
    let found = store::to_process(&app.db, audio).await;
    let gone = || Unprocessed::Unusable("The file is not there any more.".into());
    let file = found.map_err(Unprocessed::passing)?.ok_or_else(gone)?;
    // A scanner that was set up since looks at what came before.
    let scanner = app.config.clamav.as_ref().filter(|_| !file.is_scanned);
    if scanner.is_none() && file.is_measured {
        return Ok(());
    }
    let key = keys::audio_key(audio);
    let size = u64::try_from(file.byte_size).unwrap_or(0);
    let scanned_at = match scanner {
        Some(scanner) => {
            scanned(app, scanner, audio, &key, size, tell).await?;
            Some(app.clock.now())
        }
        None => None,
    };
    let measured = match file.is_measured {
        true => None,
        false => Some(measured(app, &key, size, tell).await?),
    };
    let now = app.clock.now();
    match store::was_processed(&app.db, audio, scanned_at, measured, now).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(gone()),
        Err(error) => Err(Unprocessed::passing(error)),
    }
}

async fn scanned(
    app: &App,
    scanner: &Clamav,
    audio: AudioId,
    key: &Key,
    size: u64,
    tell: &dyn Progress,
) -> Result<(), Unprocessed> {
    let (sent, progress) = watch::channel(0.0);
    let scanning = async {
        let file = app.storage.get(key).await?.into_stream();
        let sent = move |bytes: u64| {
            sent.send_replace(bytes as f64 / size.max(1) as f64);
        };
        scan(scanner, file, Patience::default(), sent).await
    };
    let scanning = tokio::time::timeout(LIMIT, scanning);
    match told(tell, Stage::Scanning, progress, scanning).await {
        Ok(Ok(Verdict::Clean)) => Ok(()),
        Ok(Ok(Verdict::Found(name))) => {
            // What it is called is for operators; to whoever sent it, it would tell how to get by.
            tracing::warn!(%audio, found = ?name, "a virus scanner refused a file");
            let reason = "A virus scanner refused the file.";
            Err(Unprocessed::Unusable(reason.into()))
        }
        Ok(Err(error)) => Err(Unprocessed::passing(format!("not scanned: {error}"))),
        Err(_) => Err(Unprocessed::passing("not scanned: it took too long")),
    }
}

async fn measured(
    app: &App,
    key: &Key,
    size: u64,
    tell: &dyn Progress,
) -> Result<Measured, Unprocessed> {
    let core = CORES.acquire().await.map_err(Unprocessed::passing)?;
    let stop = CancellationToken::new();
    // Once nobody waits, the thread is to know.
    let _stops = stop.clone().drop_guard();
    let (read, progress) = watch::channel(0.0);
    let (storage, key) = (app.storage.clone(), key.clone());
    let span = tracing::Span::current();
    let measuring = tokio::task::spawn_blocking(move || {
        let _of_the_job = span.enter();
        // Taken along: a thread goes on for a moment when nobody waits for it any more.
        let _core = core;
        let file = StoredFile::new(storage, key, size, stop.clone(), Handle::current());
        let tell = move |fraction| {
            read.send_replace(fraction);
        };
        measure(file, &Watch::new(size, LIMIT, stop, tell))
    });
    let measured = told(tell, Stage::Measuring, progress, measuring).await;
    measured
        .map_err(Unprocessed::passing)?
        .map_err(|unmeasured| match unmeasured {
            Unmeasured::Unusable(reason) => Unprocessed::Unusable(reason),
            Unmeasured::TooSlow => Unprocessed::TooSlow,
            Unmeasured::Unread(why) => Unprocessed::passing(format!("not measured: {why}")),
            Unmeasured::Stopped => Unprocessed::passing("not measured: it was stopped"),
        })
}

/// Does it, and tells how far it has come.
async fn told<T>(
    tell: &dyn Progress,
    stage: Stage,
    mut progress: watch::Receiver<f64>,
    done: impl Future<Output = T>,
) -> T {
    let telling = async {
        loop {
            let fraction = *progress.borrow_and_update();
            tell.tell(stage, fraction.clamp(0.0, 1.0)).await;
            tokio::time::sleep(PAUSE).await;
            if progress.changed().await.is_err() {
                return std::future::pending::<Infallible>().await;
            }
        }
    };
    match select(pin!(telling), pin!(done)).await {
        Either::Left((never, _)) => match never {},
        Either::Right((done, _)) => done,
    }
}
