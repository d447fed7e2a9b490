//! PostgreSQL in this process: one engine (PGlite, PostgreSQL 17 as WebAssembly) that many connections share.
//!
//! The engine has one session and one thread. Each connection here is a stream in memory that speaks PostgreSQL's
//! protocol to an ordinary client on the other end. Whole batches of messages (up to Sync, Query or Flush) go to the
//! engine one at a time; a connection that has opened a transaction keeps the engine until it has ended it, and one that
//! goes away in the middle is rolled back. What belongs to a session (prepared statements, temporary tables, settings)
//! is shared, so statements left behind are closed. No COPY, no LISTEN, no `statement_timeout`.
//!
//! It is for trying, developing and testing: it survives a killed process, but never waits for the disk.

use std::collections::HashSet;
use std::fs::TryLockError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use pglite_oxide::{ExecProtocolOptions, Pglite, extensions};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};
use tokio_postgres::{Client, NoTls};

/// The largest message taken: as much as a large batch of rows needs, and no more than memory can bear.
const LARGEST_MESSAGE: usize = 256 << 20;
/// What fits into a connection's stream before its reader is waited for.
const STREAM_BUFFER: usize = 64 << 10;

/// The engine. Cloning shares it; the last one dropped closes it.
#[derive(Clone)]
pub struct Engine {
    work: mpsc::UnboundedSender<Work>,
    turn: Arc<Mutex<()>>,
}

struct Work {
    batch: Vec<u8>,
    answer: oneshot::Sender<anyhow::Result<Vec<u8>>>,
}

/// Where the engine keeps its files.
pub enum Place {
    Folder(PathBuf),
    /// Gone when the engine is.
    Temporary,
}

/// The engine has one process, and another is it.
#[derive(Debug, thiserror::Error)]
#[error("another process is using the embedded database in {}", .0.display())]
pub struct InUse(PathBuf);

impl Engine {
    /// Fails with [`InUse`] where another process has the folder.
    pub async fn open(place: Place) -> anyhow::Result<Self> {
        let folder = match &place {
            Place::Folder(path) => Some(path.clone()),
            Place::Temporary => None,
        };
        let (work, mut queue) = mpsc::unbounded_channel::<Work>();
        let (opened, open) = oneshot::channel();
        std::thread::Builder::new()
            .name("postgres".into())
            // The engine's own stack is elsewhere; its compiler and host calls are deep.
            .stack_size(16 << 20)
            .spawn(move || {
                let builder = match place {
                    Place::Folder(path) => Pglite::builder().path(path),
                    Place::Temporary => Pglite::builder().temporary(),
                };
                // Brought along here, or `create extension` would not find it.
                let builder = builder.extension(extensions::PG_TRGM);
                let mut engine = match builder.open() {
                    Ok(engine) => {
                        if opened.send(Ok(())).is_err() {
                            return;
                        }
                        engine
                    }
                    Err(error) => {
                        // Nobody waits any more: then nobody needs to know.
                        let _ = opened.send(Err(error));
                        return;
                    }
                };
                while let Some(Work { batch, answer }) = queue.blocking_recv() {
                    // Whoever asked may be gone; the batch ran all the same.
                    let _ = answer
                        .send(engine.exec_protocol_raw(&batch, ExecProtocolOptions::default()));
                }
                if let Err(error) = engine.close() {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the embedded database did not close cleanly"
                    );
                }
            })
            .context("no thread for the embedded database")?;
        open.await
            .context("the embedded database ended while it started")?
            .map_err(|error| match folder {
                Some(folder) if is_locked(&error) => InUse(folder).into(),
                _ => error.context("the embedded database can't be opened"),
            })?;
        Ok(Self {
            work,
            turn: Arc::default(),
        })
    }

    /// A connection of its own, as far as a client can tell.
    pub(super) async fn connect(&self) -> Result<(Client, Arc<AtomicBool>), tokio_postgres::Error> {
        let (near, far) = tokio::io::duplex(STREAM_BUFFER);
        let session = Session::new(self.clone(), far);
        tokio::spawn(async move {
            if let Err(error) = session.serve().await {
                tracing::warn!(%error, "a connection to the embedded database ended");
            }
        });
        let mut config = tokio_postgres::Config::new();
        config.user("postgres").dbname("template1");
        let (client, connection) = config.connect_raw(near, NoTls).await?;
        Ok((client, super::drive(connection)))
    }

    async fn run(&self, batch: Vec<u8>) -> io::Result<Vec<u8>> {
        let (answer, answered) = oneshot::channel();
        let stopped = || {
            io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the embedded database has stopped",
            )
        };
        self.work
            .send(Work { batch, answer })
            .map_err(|_| stopped())?;
        answered
            .await
            .map_err(|_| stopped())?
            .map_err(|error| io::Error::other(format!("the embedded database failed: {error:#}")))
    }
}

fn is_locked(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(TryLockError::WouldBlock)))
}

/// One connection's side of the conversation.
struct Session {
    engine: Engine,
    stream: DuplexStream,
    /// Held from a transaction's first statement to its end.
    turn: Option<OwnedMutexGuard<()>>,
    state: TransactionState,
    /// Statements that this connection prepared and the shared session still has.
    prepared: HashSet<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TransactionState {
    Idle,
    Open,
}

impl Session {
    fn new(engine: Engine, stream: DuplexStream) -> Self {
        Self {
            engine,
            stream,
            turn: None,
            state: TransactionState::Idle,
            prepared: HashSet::new(),
        }
    }

    async fn serve(mut self) -> io::Result<()> {
        let served = self.converse().await;
        let cleaned = self.clean_up().await;
        served.and(cleaned)
    }

    async fn converse(&mut self) -> io::Result<()> {
        self.greet().await?;
        let mut batch = Vec::new();
        while let Some(kind) = self.read_message(&mut batch).await? {
            match kind {
                wire::TERMINATE => return Ok(()),
                wire::SYNC | wire::QUERY | wire::FLUSH => {
                    let answer = self.pass_on(std::mem::take(&mut batch)).await?;
                    self.stream.write_all(&answer).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The engine is signed in already; the client still wants to be greeted.
    async fn greet(&mut self) -> io::Result<()> {
        let length = self.stream.read_i32().await?;
        let mut startup = vec![0; wire::body_length(length)?];
        self.stream.read_exact(&mut startup).await?;
        self.stream.write_all(&wire::greeting()).await
    }

    /// Adds the next message to the batch and says of what kind it is; none when the client has gone.
    async fn read_message(&mut self, batch: &mut Vec<u8>) -> io::Result<Option<u8>> {
        let kind = match self.stream.read_u8().await {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = self.stream.read_i32().await?;
        let body = wire::body_length(length)?;
        let start = batch.len();
        batch.push(kind);
        batch.extend_from_slice(&length.to_be_bytes());
        batch.resize(start + wire::HEADER + body, 0);
        let body = &mut batch[start + wire::HEADER..];
        self.stream.read_exact(body).await?;
        match kind {
            wire::PARSE => {
                if let Some(name) = wire::name(body).filter(|name| !name.is_empty()) {
                    self.prepared.insert(name.to_vec());
                }
            }
            wire::CLOSE if body.first() == Some(&b'S') => {
                if let Some(name) = wire::name(&body[1..]) {
                    self.prepared.remove(name);
                }
            }
            _ => {}
        }
        Ok(Some(kind))
    }

    async fn pass_on(&mut self, batch: Vec<u8>) -> io::Result<Vec<u8>> {
        if self.turn.is_none() {
            self.turn = Some(self.engine.turn.clone().lock_owned().await);
        }
        let answer = self.engine.run(batch).await?;
        if let Some(state) = wire::last_transaction_state(&answer) {
            self.state = state;
        }
        if self.state == TransactionState::Idle {
            self.turn = None;
        }
        Ok(answer)
    }

    async fn clean_up(&mut self) -> io::Result<()> {
        if self.state == TransactionState::Open {
            self.pass_on(wire::query("ROLLBACK")).await?;
        }
        if !self.prepared.is_empty() {
            let names = std::mem::take(&mut self.prepared);
            self.pass_on(wire::close_statements(&names)).await?;
        }
        Ok(())
    }
}

/// As much of PostgreSQL's protocol as has to be understood to pass it on.
mod wire {
    use std::collections::HashSet;
    use std::io;

    use super::{LARGEST_MESSAGE, TransactionState};

    pub const PARSE: u8 = b'P';
    pub const CLOSE: u8 = b'C';
    pub const SYNC: u8 = b'S';
    pub const QUERY: u8 = b'Q';
    pub const FLUSH: u8 = b'H';
    pub const TERMINATE: u8 = b'X';
    /// A kind and a length.
    pub const HEADER: usize = 5;

    /// A length counts itself.
    pub fn body_length(length: i32) -> io::Result<usize> {
        usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_sub(4))
            .filter(|length| *length <= LARGEST_MESSAGE)
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a message of an impossible length",
                )
            })
    }

    /// A text that ends with a zero, at the front of a message's body.
    pub fn name(body: &[u8]) -> Option<&[u8]> {
        let end = body.iter().position(|byte| *byte == 0)?;
        Some(&body[..end])
    }

    fn put(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
        let length = i32::try_from(body.len() + 4).unwrap_or(i32::MAX);
        out.push(kind);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(body);
    }

    pub fn greeting() -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, b'R', &0_i32.to_be_bytes());
        for parameter in [
            &b"server_version\x0017.5\0"[..],
            b"server_encoding\0UTF8\0",
            b"client_encoding\0UTF8\0",
            b"standard_conforming_strings\0on\0",
            b"integer_datetimes\0on\0",
            b"DateStyle\0ISO, MDY\0",
            b"TimeZone\0UTC\0",
        ] {
            put(&mut out, b'S', parameter);
        }
        put(&mut out, b'K', &[0; 8]);
        put(&mut out, b'Z', b"I");
        out
    }

    pub fn query(text: &str) -> Vec<u8> {
        let mut body = text.as_bytes().to_vec();
        body.push(0);
        let mut out = Vec::new();
        put(&mut out, QUERY, &body);
        out
    }

    pub fn close_statements(names: &HashSet<Vec<u8>>) -> Vec<u8> {
        let mut out = Vec::new();
        for name in names {
            let mut body = vec![b'S'];
            body.extend_from_slice(name);
            body.push(0);
            put(&mut out, CLOSE, &body);
        }
        put(&mut out, SYNC, &[]);
        out
    }

    /// The state that the last ReadyForQuery in an answer tells.
    pub fn last_transaction_state(answer: &[u8]) -> Option<TransactionState> {
        let mut state = None;
        let mut rest = answer;
        while let [kind, a, b, c, d, body @ ..] = rest {
            let length = body_length(i32::from_be_bytes([*a, *b, *c, *d])).ok()?;
            if *kind == b'Z' {
                state = body.first().map(|state| match state {
                    b'I' => TransactionState::Idle,
                    _ => TransactionState::Open,
                });
            }
            rest = body.get(length..)?;
        }
        state
    }
}
