//! PostgreSQL: a server, or the embedded engine. Nothing above knows which.
//!
//! All SQL goes through [`Db`], which bounds how long it may take, tries a read again where a connection had died
//! unnoticed, and counts. SQL itself is written in the domains' `store.rs`.

mod error;
pub mod id;
pub mod keyset;
pub mod migrate;
mod pool;
mod replica;
mod server;
mod statement;
pub mod tables;
mod tls;

#[cfg(feature = "embedded")]
pub mod embedded;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::result::{ConnectionError, QueryResult};
use diesel_async::methods::LoadQuery;
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AnsiTransactionManager, AsyncPgConnection, TransactionManager};
use tracing::Instrument;

pub use self::error::Error;
use self::pool::{Connection, Connections};
use self::replica::Replica;
pub use self::server::Server;
pub use self::statement::Statement;
use crate::telemetry::Metrics;

/// PostgreSQL ends a statement after this.
pub const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// Our own clock, for when PostgreSQL can't be heard: a little later, so that its answer is preferred.
const CALL_LIMIT: Duration = Duration::from_millis(5_500);
const IDLE_IN_TRANSACTION_LIMIT: Duration = Duration::from_secs(10);

/// Where connections come from.
#[derive(Clone)]
pub enum Source {
    Server(Server),
    #[cfg(feature = "embedded")]
    Embedded(embedded::Engine),
}

impl Source {
    pub fn is_embedded(&self) -> bool {
        !matches!(self, Self::Server(_))
    }

    /// A client of the driver, for what diesel has no words for.
    pub async fn client(&self) -> anyhow::Result<tokio_postgres::Client> {
        match self {
            Self::Server(server) => server.connect().await,
            #[cfg(feature = "embedded")]
            Self::Embedded(engine) => Ok(engine.connect().await?),
        }
    }

    pub async fn connect(&self) -> Result<AsyncPgConnection, ConnectionError> {
        let client = self
            .client()
            .await
            .map_err(|error| ConnectionError::BadConnection(format!("{error:#}")))?;
        AsyncPgConnection::try_from(client).await
    }
}

/// Whether a read may be answered from a copy that is a little behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    MayLag,
    Current,
}

/// The database of the service: its pools, and the limits and counts around each call.
pub struct Db {
    source: Source,
    primary: Connections,
    replica: Option<Arc<Replica>>,
    statements: AtomicU64,
    metrics: Arc<Metrics>,
}

impl Db {
    /// Opens pools; no connection is made yet, so that a database which is down now can come later.
    pub fn open(
        source: Source,
        replica: Option<Source>,
        connections: u32,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            primary: Connections::open(source.clone(), connections),
            replica: replica.map(|replica| Replica::new(Connections::open(replica, connections))),
            source,
            statements: AtomicU64::new(0),
            metrics,
        }
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    pub fn has_replica(&self) -> bool {
        self.replica.is_some()
    }

    /// How many statements have run, for tests that hold a request to its number.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Connections of the primary: in use and idle.
    pub fn connections(&self) -> (u32, u32) {
        self.primary.count()
    }

    /// Loads all rows of a read. A connection that had died unnoticed costs a second try, not the request; a replica
    /// that does not answer costs the way to the primary.
    pub async fn load<ST, Row>(
        &self,
        freshness: Freshness,
        read: &Statement<ST>,
    ) -> Result<Vec<Row>, Error>
    where
        Row: Send,
        for<'q> &'q Statement<ST>: LoadQuery<'q, AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        if let (Freshness::MayLag, Some(replica)) = (freshness, &self.replica)
            && replica.is_up()
        {
            match self.try_twice(&replica.connections, read).await {
                Err(Error::Unavailable(reason)) => replica.falls(&reason),
                // Our clock ran out, not PostgreSQL's. This read has waited long enough; others need not.
                Err(error @ Error::Timeout(CALL_LIMIT)) => {
                    replica.falls(&error.to_string());
                    return Err(error);
                }
                // It may be behind by a migration, or have cancelled the read for what it replays.
                Err(Error::Refused(error)) => {
                    tracing::warn!(%error, "the replica refused a read; asking the primary");
                }
                answered => return answered,
            }
        }
        self.try_twice(&self.primary, read).await
    }

    async fn try_twice<ST, Row>(
        &self,
        connections: &Connections,
        read: &Statement<ST>,
    ) -> Result<Vec<Row>, Error>
    where
        Row: Send,
        for<'q> &'q Statement<ST>: LoadQuery<'q, AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        // A pool that was idle while PostgreSQL restarted holds nothing but dead connections, one more than it has can
        // be met in a row; each is thrown out as it is met.
        let (in_use, idle) = connections.count();
        let mut tries = in_use + idle + 1;
        loop {
            tries = tries.saturating_sub(1);
            let mut connection = self.checkout(connections).await?;
            match self.call(&mut connection, read).await {
                Err(Error::Unavailable(_)) if tries > 0 => continue,
                answered => return answered,
            }
        }
    }

    async fn checkout<'p>(&self, connections: &'p Connections) -> Result<Connection<'p>, Error> {
        let asked = Instant::now();
        let connection = connections.get().await?;
        self.metrics.database_wait(asked.elapsed());
        Ok(connection)
    }

    async fn call<ST, Row>(
        &self,
        connection: &mut AsyncPgConnection,
        read: &Statement<ST>,
    ) -> Result<Vec<Row>, Error>
    where
        Row: Send,
        for<'q> &'q Statement<ST>: LoadQuery<'q, AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        let started = Instant::now();
        self.statements.fetch_add(1, Ordering::Relaxed);
        let mut in_use = InUse::begin(connection);
        let loading: Pin<Box<dyn Future<Output = QueryResult<Vec<Row>>> + Send + '_>> = Box::pin(
            diesel_async::RunQueryDsl::load(read, &mut *in_use.connection),
        );
        let span = tracing::debug_span!("query", db.system = "postgresql");
        let loaded = tokio::time::timeout(CALL_LIMIT, loading)
            .instrument(span)
            .await;
        let answer = match loaded {
            Ok(Ok(rows)) => {
                in_use.has_answered();
                Ok(rows)
            }
            Ok(Err(error)) => {
                in_use.has_answered();
                let broken = is_broken_soon(in_use.connection).await;
                Err(Error::read(
                    error,
                    started.elapsed(),
                    STATEMENT_LIMIT,
                    broken,
                ))
            }
            Err(_) => Err(Error::Timeout(CALL_LIMIT)),
        };
        drop(in_use);
        self.metrics
            .database_statement(started.elapsed(), answer.is_ok());
        answer
    }

    /// The round trip of the smallest statement, for health.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let started = Instant::now();
        let answer: Vec<i32> = self
            .try_twice(
                &self.primary,
                &Statement::<diesel::sql_types::Integer>::new("select 1"),
            )
            .await?;
        debug_assert_eq!(answer, [1]);
        Ok(started.elapsed())
    }

    pub async fn ping_replica(&self) -> Option<Result<Duration, Error>> {
        let replica = self.replica.as_ref()?;
        let started = Instant::now();
        let answer: Result<Vec<i32>, Error> = self
            .try_twice(
                &replica.connections,
                &Statement::<diesel::sql_types::Integer>::new("select 1"),
            )
            .await;
        Some(answer.map(|_| started.elapsed()))
    }
}

/// A connection while a statement runs on it. Left before the answer came, by a time limit or a client that went away,
/// it would make whoever gets it next wait for that answer; so it is given up.
struct InUse<'c> {
    connection: &'c mut AsyncPgConnection,
    answered: bool,
}

impl<'c> InUse<'c> {
    fn begin(connection: &'c mut AsyncPgConnection) -> Self {
        Self {
            connection,
            answered: false,
        }
    }

    fn has_answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        if !self.answered {
            AnsiTransactionManager::transaction_manager_status_mut(self.connection).set_in_error();
        }
    }
}

/// The last words of a server that stops come as an ordinary error; that the connection has ended is known a moment
/// later.
async fn is_broken_soon(connection: &mut AsyncPgConnection) -> bool {
    for _ in 0..10 {
        if PoolableConnection::is_broken(connection) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}
