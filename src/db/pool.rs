//! Connections that are kept open, and the reason when there is none to be had.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::bb8::{Pool, PooledConnection, RunError};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use futures_util::FutureExt;

use super::{Error, Source};

/// How long a request waits for a connection before it is told to come back.
const CHECKOUT_LIMIT: Duration = Duration::from_secs(3);

pub type Connection<'p> = PooledConnection<'p, AsyncPgConnection>;

pub struct Connections {
    pool: Pool<AsyncPgConnection>,
    /// Why the last attempt to connect failed; the pool itself only knows that nothing came in time.
    refusal: Arc<Mutex<Option<String>>>,
}

impl Connections {
    /// No connection is made yet, so that a database which is down now can come later.
    pub fn open(source: Source, most: u32) -> Self {
        let refusal = Arc::<Mutex<Option<String>>>::default();
        let noted = refusal.clone();
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        config.custom_setup = Box::new(move |_| {
            let (source, noted) = (source.clone(), noted.clone());
            async move {
                let connected = source.connect().await;
                let failed = connected.as_ref().err().map(ToString::to_string);
                *noted.lock().unwrap_or_else(PoisonError::into_inner) = failed;
                connected
            }
            .boxed()
        });
        // bb8 closes a connection whose future was cancelled at once, where others leave its transaction open until the
        // next checkout. Not tested when taken out: that is a round trip for each read, and reads are tried again
        // instead. Connecting is tried again while somebody waits: bb8 wakes nobody for an attempt that failed, so that
        // all who met a restart would wait out their time though the database is back.
        let pool = Pool::builder()
            .max_size(most)
            .test_on_check_out(false)
            .retry_connection(true)
            .connection_timeout(CHECKOUT_LIMIT)
            .build_unchecked(AsyncDieselConnectionManager::new_with_config("", config));
        Self { pool, refusal }
    }

    pub async fn get(&self) -> Result<Connection<'_>, Error> {
        self.pool.get().await.map_err(|error| {
            Error::Unavailable(match error {
                RunError::User(error) => error.to_string(),
                RunError::TimedOut => self
                    .refusal
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone()
                    .unwrap_or_else(|| "no connection became free".into()),
            })
        })
    }

    /// How many are in use, and how many idle.
    pub fn count(&self) -> (u32, u32) {
        let state = self.pool.state();
        (
            state.connections - state.idle_connections,
            state.idle_connections,
        )
    }
}
