//! Connections that are one user's alone for a while: for what writes, and for transactions.
//!
//! Who leaves in the middle, by an error or because a request was given up, leaves a transaction open and perhaps a
//! statement running. Such a connection is closed rather than given to the next, so that PostgreSQL rolls back at once.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bb8::{ManageConnection, Pool, PooledConnection, RunError};
use diesel::result::{ConnectionError, QueryResult};
use diesel_async::methods::{ExecuteDsl, LoadQuery};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::time::timeout;
use tracing::Instrument;

use super::witness::witness;
use super::{CALL_LIMIT, Db, Error, STATEMENT_LIMIT, Source, Statement, Topic};

/// How long an action waits for a connection before its client is told to come back.
const WAIT_LIMIT: Duration = Duration::from_secs(5);
/// One that was not needed for so long is closed.
const SPARE: Duration = Duration::from_secs(60);
/// Servers keep plans and memory for a connection; none is kept for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The connections that are given out, one user at a time.
pub struct Own {
    pool: Pool<Manager>,
    refusal: Refusal,
}

/// Why the last attempt to connect failed.
#[derive(Debug, Clone, Default)]
struct Refusal(Arc<Mutex<Option<String>>>);

impl bb8::ErrorSink<ConnectionError> for Refusal {
    fn sink(&self, error: ConnectionError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
    }

    fn boxed_clone(&self) -> Box<dyn bb8::ErrorSink<ConnectionError>> {
        Box::new(self.clone())
    }
}

struct Manager(Source);

struct Connection {
    connection: AsyncPgConnection,
    ended: Arc<AtomicBool>,
    /// Something was begun on it, and not seen to its end.
    in_use: bool,
}

impl ManageConnection for Manager {
    type Connection = Connection;
    type Error = ConnectionError;

    async fn connect(&self) -> Result<Connection, ConnectionError> {
        let (connection, ended) = self.0.connect_watched().await?;
        Ok(Connection {
            connection,
            ended,
            in_use: false,
        })
    }

    /// Without a round trip: its task has noticed already that a connection ended.
    async fn is_valid(&self, own: &mut Connection) -> Result<(), ConnectionError> {
        match own.ended.load(Ordering::Acquire) {
            true => Err(ConnectionError::BadConnection(
                "the server closed the connection".into(),
            )),
            false => Ok(()),
        }
    }

    fn has_broken(&self, own: &mut Connection) -> bool {
        own.in_use || own.ended.load(Ordering::Acquire)
    }
}

impl Own {
    /// No connection is made yet, so that a database which is down now can come later.
    pub fn new(source: Source, most: u32) -> Self {
        let refusal = Refusal::default();
        let pool = Pool::builder()
            .max_size(most.max(1))
            .connection_timeout(WAIT_LIMIT)
            .idle_timeout(SPARE)
            .max_lifetime(LIFETIME)
            .test_on_check_out(true)
            .error_sink(Box::new(refusal.clone()))
            .build_unchecked(Manager(source));
        Self { pool, refusal }
    }

    /// In use and idle.
    pub fn count(&self) -> (u32, u32) {
        let state = self.pool.state();
        (
            state.connections - state.idle_connections,
            state.idle_connections,
        )
    }

    async fn take(&self) -> Result<PooledConnection<'static, Manager>, Error> {
        self.pool.get_owned().await.map_err(|error| {
            let refusal = &self.refusal.0;
            let refusal = refusal.lock().unwrap_or_else(PoisonError::into_inner);
            Error::Unavailable(match error {
                RunError::User(error) => error.to_string(),
                RunError::TimedOut => refusal
                    .clone()
                    .unwrap_or_else(|| "no connection became free".into()),
            })
        })
    }
}

/// Boxed, as the compiler does not see otherwise that what is generic over its rows may go from thread to thread.
type Call<'c, T> = Pin<Box<dyn Future<Output = QueryResult<T>> + Send + 'c>>;

/// A transaction, or a single statement that writes. Nothing of it stands unless it is committed: dropped before, it is
/// rolled back.
pub struct Tx<'d> {
    db: &'d Db,
    own: PooledConnection<'static, Manager>,
    announces: [bool; Topic::ALL.len()],
}

impl Db {
    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Tx<'_>, Error> {
        loop {
            let mut tx = self.own_connection().await?;
            match tx.call("begin").await {
                // It had died unnoticed. Nothing was done on it, and each such connection is met once.
                Err(Error::Unavailable(_)) if tx.is_over() => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(tx),
            }
        }
    }

    /// Runs one statement that writes, by itself.
    pub async fn write<ST, Row>(&self, statement: &Statement<ST>) -> Result<Vec<Row>, Error>
    where
        Row: Send,
        for<'q, 'c> &'q Statement<ST>: LoadQuery<'q, &'c AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        if witness().is_some() {
            let mut tx = self.begin().await?;
            let rows = tx.load(statement).await?;
            tx.commit().await?;
            return Ok(rows);
        }
        let mut own = self.own_connection().await?;
        let rows = own.load(statement).await?;
        own.own.in_use = false;
        Ok(rows)
    }

    /// The same for one that gives no rows; how many it changed.
    pub async fn execute(&self, statement: &Statement<()>) -> Result<usize, Error> {
        if witness().is_some() {
            let mut tx = self.begin().await?;
            let changed = tx.execute(statement).await?;
            tx.commit().await?;
            return Ok(changed);
        }
        let mut own = self.own_connection().await?;
        let changed = own.execute(statement).await?;
        own.own.in_use = false;
        Ok(changed)
    }

    async fn own_connection(&self) -> Result<Tx<'_>, Error> {
        let asked = Instant::now();
        let mut own = self.own.take().await?;
        self.metrics.database_wait(asked.elapsed());
        own.in_use = true;
        Ok(Tx {
            db: self,
            own,
            announces: Default::default(),
        })
    }
}

impl Tx<'_> {
    /// All rows that a statement gives.
    pub async fn load<ST, Row>(&mut self, statement: &Statement<ST>) -> Result<Vec<Row>, Error>
    where
        Row: Send,
        for<'q, 'c> &'q Statement<ST>: LoadQuery<'q, &'c AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        let connection = &self.own.connection;
        let load: Call<'_, Vec<Row>> = Box::pin(async move {
            let mut connection = connection;
            diesel_async::RunQueryDsl::load(statement, &mut connection).await
        });
        self.db.bounded(load, &self.own).await
    }

    /// The one row that a statement gives, if it gives one.
    pub async fn first<ST, Row>(&mut self, statement: &Statement<ST>) -> Result<Option<Row>, Error>
    where
        Row: Send,
        for<'q, 'c> &'q Statement<ST>: LoadQuery<'q, &'c AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        Ok(self.load(statement).await?.into_iter().next())
    }

    /// How many rows a statement changed.
    pub async fn execute(&mut self, statement: &Statement<()>) -> Result<usize, Error> {
        let connection = &self.own.connection;
        let execute: Call<'_, usize> = Box::pin(async move {
            let mut connection = connection;
            <&Statement<()> as ExecuteDsl<_>>::execute(statement, &mut connection).await
        });
        self.db.bounded(execute, &self.own).await
    }

    /// Makes it stand. An error may also mean that it stands and nobody could say so.
    pub async fn commit(mut self) -> Result<(), Error> {
        // Last, so that its row is held for no longer than it takes.
        if let Some(witness) = witness()
            && self.execute(&witness).await? == 0
        {
            self.rollback().await;
            return Err(Error::Overtaken);
        }
        self.call("commit").await?;
        self.own.in_use = false;
        for topic in Topic::ALL {
            if self.announces[topic as usize] {
                self.db.announce(topic);
            }
        }
        Ok(())
    }

    /// Once it stands, wakes those of this process who wait for news ([`Db::announced`]).
    pub fn announce(&mut self, topic: Topic) {
        self.announces[topic as usize] = true;
    }

    /// Takes it back, and gives the connection to the next. Where nobody can say so it goes with its connection, which is
    /// closed; whoever has something to tell of why it is taken back tells that.
    pub async fn rollback(mut self) {
        match self.call("rollback").await {
            Ok(()) => self.own.in_use = false,
            Err(error) => {
                tracing::warn!(%error, "a transaction could not be taken back, and goes with its connection");
            }
        }
    }

    async fn call(&mut self, text: &str) -> Result<(), Error> {
        let connection = &self.own.connection;
        let call: Call<'_, ()> = Box::pin(async move {
            let mut connection = connection;
            connection.batch_execute(text).await
        });
        self.db.bounded(call, &self.own).await
    }

    fn is_over(&self) -> bool {
        self.own.ended.load(Ordering::Acquire)
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        if self.own.in_use && !self.is_over() {
            let statement = self.own.connection.cancel_token();
            let ended = Arc::clone(&self.own.ended);
            self.db.source.cancel_soon(statement, ended);
        }
    }
}

impl Db {
    async fn bounded<T>(&self, call: Call<'_, T>, own: &Connection) -> Result<T, Error> {
        let started = Instant::now();
        self.count_statement();
        let span = tracing::debug_span!("query", db.system = "postgresql");
        let called = timeout(CALL_LIMIT, call).instrument(span).await;
        let took = started.elapsed();
        let answer = match called {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                let is_over = || own.ended.load(Ordering::Acquire);
                let broken = super::was_the_last(&error, &own.connection, is_over).await;
                Err(Error::read(error, took, STATEMENT_LIMIT, broken))
            }
            Err(_) => Err(Error::Timeout(CALL_LIMIT)),
        };
        self.metrics.database_statement(took, answer.is_ok());
        answer
    }
}
