//! Serving, from the first connection to the last: open what is needed, listen, bring the database up to date, and stop
//! as promised.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Accounts;
use crate::app::App;
use crate::audit;
use crate::config::Config;
use crate::db::migrate;
use crate::demo;
use crate::http::{self, Standing, server};
use crate::telemetry::Telemetry;
use crate::worker;

/// A database that is away when the service starts is asked for again so often.
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// How long mutations are waited for whose client has left, after all others are done.
const LAST_WRITES: Duration = Duration::from_secs(10);

pub async fn serve(config: Arc<Config>, telemetry: &Telemetry) -> anyhow::Result<()> {
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("EMPULSE_LISTEN: {} can't be listened to", config.listen))?;
    let metrics =
        match config.metrics_listen {
            Some(address) => Some(TcpListener::bind(address).await.with_context(|| {
                format!("EMPULSE_METRICS_LISTEN: {address} can't be listened to")
            })?),
            None => None,
        };
    let address = listener.local_addr()?;
    let app = App::open(config, telemetry.metrics()).await?;
    let observed = app.clone();
    app.metrics
        .observe_database_connections(Arc::new(move |observe| {
            let (in_use, idle) = observed.db.connections();
            observe("primary", in_use, idle);
            let (in_use, idle) = observed.db.own_connections();
            observe("primary, for writing", in_use, idle);
        }));
    if let Some(redis) = app.redis.clone() {
        app.metrics.observe_redis(move || redis.is_up());
    }
    let standing = Arc::new(Standing::default());
    let accounts = Accounts::open(app.clone())?;
    let endpoint = http::endpoint(&accounts, &standing)?;
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let (chaining, chained) = (TaskTracker::new(), CancellationToken::new());
    // Before anybody is told that it listens: who hears that may ask it to stop at once.
    let signals = Signals::listen()?;

    if let Some(listener) = metrics {
        let listen = listener.local_addr()?;
        tracing::info!(%listen, "figures for Prometheus at /metrics");
        tasks.spawn(http::serve_metrics(
            listener,
            telemetry.prometheus_page(),
            stop.clone(),
        ));
    }
    let serving = tokio::spawn(server::serve(
        listener,
        endpoint,
        stop.clone(),
        server::ServerLimits::default(),
        telemetry.metrics(),
    ));
    tracing::info!(listen = %address, url = %format_args!("http://{address}/"), "listening");

    // Listening already: an instance whose database is still to come says so instead of refusing connections.
    // A task of its own: a migration holds the thread that it runs on, and a stop must be heard meanwhile.
    let mut ready = tokio::spawn({
        let (app, standing) = (app.clone(), standing.clone());
        async move { become_ready(&app, &standing).await }
    });
    let mut asked = std::pin::pin!(signals.stop_asked());
    let served = tokio::select! {
        asked = &mut asked => asked,
        ready = &mut ready => match ready? {
            Ok(()) => {
                let (trail, chained) = (app.clone(), chained.clone());
                chaining.spawn(async move { audit::keep_chained(&trail.db, chained).await });
                // Not before: its tables are the migrations' work.
                if app.config.jobs {
                    let (accounts, stop) = (accounts.clone(), stop.clone());
                    tasks.spawn(async move { worker::run(&accounts, stop).await });
                }
                asked.await
            }
            failed => failed,
        },
    };
    ready.abort();
    standing.stopping.store(true, Ordering::Release);
    stop.cancel();
    tracing::info!("stopping: requests in flight are finished, new ones are not taken");
    let report = serving.await?;
    if report.cut > 0 {
        tracing::warn!(
            connections = report.cut,
            "some did not finish in time and were cut"
        );
    }
    tasks.close();
    tasks.wait().await;
    // Those whose client has left. Each is bounded by the limits on what it waits for.
    app.writes.close();
    if tokio::time::timeout(LAST_WRITES, app.writes.wait())
        .await
        .is_err()
    {
        tracing::warn!("some mutations did not come to their end in time");
    }
    // Last, as all of these may have recorded something.
    chained.cancel();
    chaining.close();
    chaining.wait().await;
    app.close().await;
    tracing::info!("stopped");
    served
}

/// `empulse worker`: background jobs alone.
pub async fn work(config: Arc<Config>, telemetry: &Telemetry) -> anyhow::Result<()> {
    let app = App::open(config, telemetry.metrics()).await?;
    let accounts = Accounts::open(app.clone())?;
    let stop = CancellationToken::new();
    let standing = Standing::default();
    let signals = Signals::listen()?;
    let mut asked = std::pin::pin!(signals.stop_asked());
    let ready = tokio::select! {
        ready = become_ready(&app, &standing) => ready.map(|()| true),
        asked = &mut asked => asked.map(|()| false),
    };
    let worked = match ready {
        Ok(true) => {
            let chained = CancellationToken::new();
            let work = async {
                worker::run(&accounts, stop.clone()).await;
                chained.cancel();
            };
            let chaining = audit::keep_chained(&app.db, chained.clone());
            let stops = async {
                let asked = asked.await;
                tracing::info!("stopping: jobs that run are finished, new ones are not taken");
                stop.cancel();
                asked
            };
            tokio::join!(work, chaining, stops).2
        }
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    app.close().await;
    tracing::info!("stopped");
    worked
}

/// Waits for the database as long as it takes, and brings it up to date.
async fn become_ready(app: &App, standing: &Standing) -> anyhow::Result<()> {
    let mut waited = false;
    loop {
        match app.db.ping().await {
            Ok(_) => match migrate::run(app.db.source()).await {
                Ok(ran) => {
                    for migration in &ran {
                        tracing::info!(migration, "migrated");
                    }
                    let is_new = ran.len() == migrate::known();
                    if is_new && app.db.source().is_embedded() {
                        show_something(app).await?;
                    }
                    break;
                }
                // Gone again between the two: that passes. What a database that answers refuses does not.
                Err(error) if app.db.ping().await.is_ok() => return Err(error),
                Err(_) => {}
            },
            Err(error) => {
                if !waited {
                    tracing::warn!(%error, "waiting for the database");
                    waited = true;
                }
            }
        }
        tokio::time::sleep(DATABASE_RETRY).await;
    }
    standing.migrated.store(true, Ordering::Release);
    tracing::info!("ready");
    Ok(())
}

/// Whoever starts the service for the first time, with nothing set, wants to see what it does: an embedded database that
/// was made just now begins with the small demo catalogue.
async fn show_something(app: &App) -> anyhow::Result<()> {
    let filled = demo::begin(app).await?;
    tracing::info!(
        tracks = filled.tracks,
        artists = filled.artists,
        "a new embedded database: filled with the demo catalogue"
    );
    Ok(())
}

/// SIGTERM or Ctrl-C, from when it is listened for: none that comes later is lost.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn once(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn once(&mut self) -> anyhow::Result<()> {
        Ok(tokio::signal::ctrl_c().await?)
    }

    /// A second one is not waited for: whoever asks twice wants it now.
    async fn stop_asked(mut self) -> anyhow::Result<()> {
        self.once().await?;
        tokio::spawn(async move {
            if self.once().await.is_ok() {
                tracing::warn!("asked again: stopping at once");
                #[expect(
                    clippy::disallowed_methods,
                    reason = "who asks twice waits for nothing to be seen out"
                )]
                std::process::exit(1);
            }
        });
        Ok(())
    }
}
