//! PostgreSQL: a server, or the embedded engine. Nothing above knows which.
//!
//! All SQL goes through [`Db`], which bounds how long it may take, tries a read again where a connection had died
//! unnoticed, and counts. SQL itself is written in the domains' `store.rs`.

mod current;
mod error;
pub mod id;
pub mod keyset;
mod lines;
pub mod migrate;
mod own;
mod probe;
mod replica;
mod server;
mod statement;
mod stored;
pub mod tables;
mod tls;
mod witness;

#[cfg(feature = "embedded")]
pub mod embedded;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use diesel::result::{ConnectionError, QueryResult};
use diesel_async::methods::LoadQuery;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::timeout;
use tokio_postgres::CancelToken;
use tracing::Instrument;

pub use self::current::current;
use self::current::is_current;
pub use self::error::Error;
use self::lines::{Lines, Place};
use self::own::Own;
pub use self::own::Tx;
use self::probe::Probe;
use self::replica::Replica;
pub use self::server::{News, Server};
pub use self::statement::Statement;
pub use self::witness::{apart, witnessed};
use crate::telemetry::Metrics;

/// PostgreSQL ends a statement after this.
pub const STATEMENT_LIMIT: Duration = Duration::from_secs(5);
/// Our own clock, for when PostgreSQL can't be heard: a little later, so that its answer is preferred.
const CALL_LIMIT: Duration = Duration::from_millis(5_500);
/// A read that stands behind others that do not move tries another connection after this.
const MOVE_ON_AFTER: Duration = Duration::from_millis(200);
/// How long a connection that said something odd is waited for to say that it goes on.
const LAST_WORDS: Duration = Duration::from_millis(300);
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
        Ok(self.open().await?.0)
    }

    /// The same, and whether its connection has ended.
    async fn open(&self) -> anyhow::Result<(tokio_postgres::Client, Arc<AtomicBool>)> {
        match self {
            Self::Server(server) => server.open().await,
            #[cfg(feature = "embedded")]
            Self::Embedded(engine) => Ok(engine.connect().await?),
        }
    }

    /// Hears what any instance announces on a channel; none for the embedded engine, whose sessions are one.
    pub async fn listen(&self, channel: &'static str) -> anyhow::Result<Option<News>> {
        match self {
            Self::Server(server) => Ok(Some(server.listen(channel).await?)),
            #[cfg(feature = "embedded")]
            Self::Embedded(_) => Ok(None),
        }
    }

    pub async fn connect(&self) -> Result<AsyncPgConnection, ConnectionError> {
        Ok(self.connect_watched().await?.0)
    }

    async fn connect_watched(
        &self,
    ) -> Result<(AsyncPgConnection, Arc<AtomicBool>), ConnectionError> {
        let (client, ended) = self
            .open()
            .await
            .map_err(|error| ConnectionError::BadConnection(format!("{error:#}")))?;
        Ok((AsyncPgConnection::try_from(client).await?, ended))
    }

    /// Has PostgreSQL end what runs on a connection that was given up, so that it keeps neither a processor nor one of the
    /// server's connections until its time limit. Again and again until the connection has ended: a statement may still
    /// be on its way, or others behind it. The embedded engine can't be interrupted.
    fn cancel_soon(&self, statement: CancelToken, ended: Arc<AtomicBool>) {
        let (Self::Server(server), Ok(runtime)) = (self, Handle::try_current()) else {
            return;
        };
        let server = server.clone();
        runtime.spawn(async move {
            for pause in [50, 100, 200, 400, 800, 1_600, 3_200] {
                server.cancel(statement.clone()).await;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                if ended.load(Ordering::Acquire) {
                    return;
                }
            }
        });
    }
}

/// Drives a connection to its end, and tells that it has come.
fn drive(connection: impl Future + Send + 'static) -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let tell = Ended(Arc::clone(&ended));
    tokio::spawn(async move {
        after_others(connection).await;
        drop(tell);
    });
    ended
}

/// Runs a connection, each time after what else is ready: what many reads ask for in one turn is then sent at once, and
/// what came for many is read at once. Where nothing else is to be done, it waits for nothing.
async fn after_others(connection: impl Future) {
    let mut connection = pin!(connection);
    loop {
        let polled = poll_fn(|cx| Poll::Ready(connection.as_mut().poll(cx).is_ready())).await;
        if polled {
            return;
        }
        woken().await;
        tokio::task::yield_now().await;
    }
}

/// Done when the task is woken the next time.
async fn woken() {
    let mut slept = false;
    poll_fn(|_| match std::mem::replace(&mut slept, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    })
    .await;
}

struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Whether a read may be answered from a copy that is a little behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    MayLag,
    Current,
}

/// What somebody of this process may wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// There is a job to be done.
    Jobs,
    /// There is an event to be chained.
    Audit,
}

impl Topic {
    const ALL: [Self; 2] = [Self::Jobs, Self::Audit];
}

/// The database of the service: its connections, and the limits and counts around each call.
pub struct Db {
    source: Source,
    primary: Lines,
    own: Own,
    probe: Probe,
    replica: Option<Arc<Replica>>,
    statements: AtomicU64,
    announced: [Notify; Topic::ALL.len()],
    metrics: Arc<Metrics>,
}

impl Db {
    /// No connection is made yet, so that a database which is down now can come later.
    pub fn open(
        source: Source,
        replica: Option<Source>,
        connections: u32,
        metrics: Arc<Metrics>,
    ) -> Self {
        // Half of them each, so that neither readers nor writers can take all.
        let writing = (connections / 2).max(1);
        let reading = connections.saturating_sub(writing).max(1);
        Self {
            primary: Lines::new(source.clone(), reading),
            own: Own::new(source.clone(), writing),
            probe: Probe::new(source.clone()),
            replica: replica.map(|replica| {
                Replica::new(
                    Lines::new(replica.clone(), connections),
                    Probe::new(replica),
                )
            }),
            source,
            statements: AtomicU64::new(0),
            announced: Default::default(),
            metrics,
        }
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    pub fn has_replica(&self) -> bool {
        self.replica.is_some()
    }

    /// How many statements were asked for, however often each was sent, for tests that hold a request to its number.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Connections of the primary that reads share: in use and idle.
    pub fn connections(&self) -> (u32, u32) {
        self.primary.count()
    }

    /// Connections of the primary for what writes: in use and idle.
    pub fn own_connections(&self) -> (u32, u32) {
        self.own.count()
    }

    /// Tells when a transaction of this process that had something to [announce](Tx::announce) was committed. Counts
    /// from when it is called, not from when it is first waited for.
    pub fn announced(&self, topic: Topic) -> Notified<'_> {
        self.announced[topic as usize].notified()
    }

    /// Tells those of this process who wait for it.
    pub fn announce(&self, topic: Topic) {
        self.announced[topic as usize].notify_waiters();
    }

    fn count_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
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
        for<'q, 'c> &'q Statement<ST>: LoadQuery<'q, &'c AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        if let (Freshness::MayLag, Some(replica)) = (freshness, &self.replica)
            && replica.is_up()
            && !is_current()
        {
            match self.try_again(&replica.lines, read).await {
                Err(Error::Unavailable(reason)) => replica.falls(&reason),
                // This read has waited long enough; others need not.
                Err(error @ Error::Silent(_)) => {
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
        self.try_again(&self.primary, read).await
    }

    async fn try_again<ST, Row>(
        &self,
        lines: &Lines,
        read: &Statement<ST>,
    ) -> Result<Vec<Row>, Error>
    where
        Row: Send,
        for<'q, 'c> &'q Statement<ST>: LoadQuery<'q, &'c AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        let mut tries = None;
        let mut may_move = true;
        // However often it is sent.
        self.count_statement();
        loop {
            let asked = Instant::now();
            let mut place = lines.join(read.is_kept()).await?;
            self.metrics.database_wait(asked.elapsed());
            match self.call(&mut place, read, may_move).await {
                Some(Err(error @ Error::Unavailable(_))) => {
                    // After PostgreSQL restarted there are none but dead connections, one more than there are can be
                    // met in a row; each is thrown out as it is met.
                    let (in_use, idle) = lines.count();
                    let tries = tries.get_or_insert(in_use + idle + 1);
                    if *tries == 0 {
                        return Err(error);
                    }
                    *tries -= 1;
                }
                Some(answered) => return answered,
                None => may_move = false,
            }
        }
    }

    /// None where others stand before and do not move.
    async fn call<ST, Row>(
        &self,
        place: &mut Place,
        read: &Statement<ST>,
        may_move: bool,
    ) -> Option<Result<Vec<Row>, Error>>
    where
        Row: Send,
        for<'q, 'c> &'q Statement<ST>: LoadQuery<'q, &'c AsyncPgConnection, Row>,
        ST: Send + Sync + 'static,
    {
        let started = Instant::now();
        let loaded = {
            let mut connection = place.connection();
            let mut loading: Pin<Box<dyn Future<Output = QueryResult<Vec<Row>>> + Send + '_>> =
                Box::pin(diesel_async::RunQueryDsl::load(read, &mut connection));
            let span = tracing::debug_span!("query", db.system = "postgresql");
            async {
                if may_move && place.has_others_ahead() {
                    match timeout(MOVE_ON_AFTER, &mut loading).await {
                        Ok(loaded) => return Some(Ok(loaded)),
                        Err(_) if place.has_not_moved() && place.could_be_better_elsewhere() => {
                            return None;
                        }
                        Err(_) => {}
                    }
                }
                Some(timeout(CALL_LIMIT, loading).await)
            }
            .instrument(span)
            .await?
        };
        let took = started.elapsed();
        let answer = match loaded {
            Ok(Ok(rows)) => {
                place.has_answered();
                Ok(rows)
            }
            Ok(Err(error)) => {
                place.has_answered();
                let broken = was_the_last(&error, place.connection(), || place.is_over()).await;
                Err(Error::read(error, took, STATEMENT_LIMIT, broken))
            }
            Err(_) if place.has_not_moved() => Err(Error::Silent(CALL_LIMIT)),
            Err(_) => Err(Error::Timeout(CALL_LIMIT)),
        };
        self.metrics.database_statement(took, answer.is_ok());
        Some(answer)
    }

    /// The round trip of the smallest statement, for health.
    pub async fn ping(&self) -> Result<Duration, Error> {
        self.probe.ping().await
    }

    pub async fn ping_replica(&self) -> Option<Result<Duration, Error>> {
        match &self.replica {
            Some(replica) => Some(replica.probe.ping().await),
            None => None,
        }
    }
}

/// Whether these were the last words of a server that stops. They come as an ordinary error; that the connection has
/// ended is known a moment later, which is longer where many end at once. One that goes on says so.
async fn was_the_last(
    error: &diesel::result::Error,
    mut connection: &AsyncPgConnection,
    is_over: impl Fn() -> bool,
) -> bool {
    if is_over() {
        return true;
    }
    if !error::is_of_no_kind(error) {
        return false;
    }
    if let Ok(Ok(())) = timeout(LAST_WORDS, connection.batch_execute("")).await {
        return false;
    }
    for _ in 0..100 {
        if is_over() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    false
}
