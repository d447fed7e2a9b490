//! The one context of requests and jobs: what the service is made of, whichever form each part has.

use std::sync::Arc;

use anyhow::Context;
use tokio_util::task::TaskTracker;

use crate::cache::{Cache, LocalCache, RedisCache};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, Server, Source};
use crate::events::Events;
use crate::keys::Keys;
use crate::limits::{FailoverLimiter, Limiter, LocalLimiter};
use crate::mail::Mailer;
use crate::redis::Redis;
use crate::storage::Storage;
use crate::telemetry::Metrics;
use crate::vault::Vault;

/// Bytes that the cache in process may take.
const LOCAL_CACHE: u64 = 16 << 20;

pub struct App {
    pub config: Arc<Config>,
    pub keys: Keys,
    pub vault: Vault,
    pub db: Db,
    pub redis: Option<Arc<Redis>>,
    pub limiter: Arc<dyn Limiter>,
    pub cache: Arc<dyn Cache>,
    pub events: Events,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    /// What goes on when its client has left, and is waited for when the service stops.
    pub writes: TaskTracker,
    pub mailer: Arc<Mailer>,
    pub storage: Storage,
}

impl App {
    /// Opens everything that the settings name. Nothing of it has to be up: what is away now can come later.
    pub async fn open(config: Arc<Config>, metrics: Arc<Metrics>) -> anyhow::Result<Arc<Self>> {
        let source = source(&config).await?;
        Self::over(config, source, metrics).await
    }

    /// The same over a database that is open already.
    pub async fn over(
        config: Arc<Config>,
        source: Source,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Arc<Self>> {
        let keys = Keys::open(&config)?;
        let vault = Vault::unlocked(&config)?;
        let replica = match &config.database_replica_url {
            Some(url) => Some(Source::Server(
                Server::new(url).context("DATABASE_REPLICA_URL")?,
            )),
            None => None,
        };
        let db = Db::open(source, replica, config.database_pool, metrics.clone());
        let redis = match &config.redis_url {
            Some(url) => {
                let instance = uuid::Uuid::now_v7().to_string();
                Some(Arc::new(
                    Redis::connect(url, instance).await.context("REDIS_URL")?,
                ))
            }
            None => None,
        };
        let (limiter, cache): (Arc<dyn Limiter>, Arc<dyn Cache>) = match &redis {
            Some(redis) => (
                Arc::new(FailoverLimiter::new(redis.clone())),
                Arc::new(RedisCache::new(redis.clone())),
            ),
            None => (
                Arc::new(LocalLimiter::default()),
                Arc::new(LocalCache::new(LOCAL_CACHE)),
            ),
        };
        let events = match &redis {
            Some(redis) => Events::shared(redis.clone(), metrics.clone()).context("REDIS_URL")?,
            None => Events::in_process(metrics.clone()),
        };
        let clock = Clock::default();
        let mailer = Arc::new(Mailer::open(&config, clock.clone())?);
        let storage = Storage::open(&config, keys.clone(), metrics.clone(), clock.clone())?;
        Ok(Arc::new(Self {
            config,
            keys,
            vault,
            db,
            redis,
            limiter,
            cache,
            events,
            metrics,
            clock,
            writes: TaskTracker::new(),
            mailer,
            storage,
        }))
    }

    /// A rate limit as this deployment has it; none where limits are lifted.
    pub fn scaled(&self, limit: u64) -> Option<u64> {
        let factor = self.config.rate_factor;
        (factor > 0.0).then(|| ((limit as f64 * factor).round() as u64).max(1))
    }

    /// Lets go of what others count on being let go of.
    pub async fn close(&self) {
        self.mailer.close().await;
        self.storage.close().await;
        self.events.close().await;
        if let Some(redis) = &self.redis {
            redis.quit().await;
        }
    }
}

/// The database that the settings name: a server, or the embedded engine in the data folder.
pub async fn source(config: &Config) -> anyhow::Result<Source> {
    match &config.database_url {
        Some(url) => Ok(Source::Server(Server::new(url).context("DATABASE_URL")?)),
        None => embedded(config).await,
    }
}

#[cfg(feature = "embedded")]
async fn embedded(config: &Config) -> anyhow::Result<Source> {
    use crate::db::embedded::{Engine, InUse, Place};

    let folder = config.data_dir.join("postgres");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("EMPULSE_DATA_DIR: {} can't be made", folder.display()))?;
    match Engine::open(Place::Folder(folder)).await {
        Ok(engine) => Ok(Source::Embedded(engine)),
        Err(error) if error.is::<InUse>() => {
            anyhow::bail!("{error}; stop it first, or name another folder by EMPULSE_DATA_DIR")
        }
        Err(error) => Err(error),
    }
}

#[cfg(not(feature = "embedded"))]
async fn embedded(_: &Config) -> anyhow::Result<Source> {
    anyhow::bail!("DATABASE_URL: this build has no embedded database; name a PostgreSQL server")
}
