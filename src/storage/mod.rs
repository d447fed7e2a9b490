//! Files: bytes under a key, in a folder or in a bucket that speaks S3's protocol. Nobody sees one but by an address that
//! was signed for it.
//!
//! A file is whole or not there, whoever looks while it is written. What takes bytes from elsewhere, or gives them, does it
//! piece by piece, so that a file of any size takes the same memory. Another service gets half a minute for each call, its
//! retries included; reading goes on for as long as something comes.

mod address;
mod bucket;
mod check;
mod error;
mod folder;
mod gate;
mod key;
mod line;
mod parts;
mod place;
mod shown;
mod sign;
mod unfinished;
mod upload;

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt};
use object_store::ObjectMeta;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;
use tracing::field::Empty;

use self::address::Addresses;
pub use self::address::{Admission, NotAdmitted};
pub use self::check::check;
pub use self::error::{PutError, StorageError};
pub use self::folder::OpenFile;
pub use self::gate::Gate;
pub use self::key::{Key, KeyError};
pub use self::parts::{CamePart, Handle, NotJoined, PartAdmission, PartFault};
use self::place::Place;
pub use self::shown::{ContentType, Facts, Shown};
use crate::clock::Clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::telemetry::Metrics;

/// Parts of all uploads together that are on their way, each of 8 MiB.
const PARTS: usize = 8;

/// S3's own limit.
const LONGEST_ADDRESS: Duration = Duration::from_secs(7 * 24 * 3600);

/// Says whose the files are, beside them.
const OWNER: &str = "owner";
const LONGEST_OWNER: u64 = 1_024;

/// When the service stops, uploads that were broken off have so long to be taken away.
const LEAVE: Duration = Duration::from_secs(5);

/// How long the storage is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For a call, with all its tries.
    pub whole: Duration,
    pub to_connect: Duration,
    /// For the beginning of an answer, and for each piece of it.
    pub of_silence: Duration,
    pub tries: usize,
    /// Before the second try; later ones rest longer.
    pub first_rest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            whole: Duration::from_secs(30),
            to_connect: Duration::from_secs(5),
            of_silence: Duration::from_secs(20),
            tries: 4,
            first_rest: Duration::from_millis(100),
        }
    }
}

/// The files. Clones share them.
#[derive(Clone)]
pub struct Storage(Arc<Inner>);

struct Inner {
    place: Place,
    addresses: Addresses,
    patience: Patience,
    parts: Arc<Semaphore>,
    /// Held by whoever joins parts in a folder: two at once would write the same file.
    joining: tokio::sync::Mutex<()>,
    sending: parts::Sending,
    leaving: TaskTracker,
    metrics: Arc<Metrics>,
    clock: Clock,
}

/// What is known of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub key: Key,
    pub size: u64,
    /// Another one whenever the file has been written anew. Without quotes.
    pub etag: String,
    pub modified: DateTime<Utc>,
}

impl Found {
    fn of(key: Key, meta: ObjectMeta) -> Self {
        let etag = match meta.e_tag {
            Some(etag) => etag.trim_matches('"').to_owned(),
            None => format!(
                "{:x}-{:x}",
                meta.last_modified.timestamp_micros(),
                meta.size
            ),
        };
        Self {
            key,
            size: meta.size,
            etag,
            modified: meta.last_modified,
        }
    }
}

/// A file, or a part of it, on its way.
pub struct Got {
    pub found: Found,
    /// Which bytes of it come.
    pub range: Range<u64>,
    stream: BoxStream<'static, Result<Bytes, StorageError>>,
}

impl Got {
    /// Piece by piece, each within the time that a call has.
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes, StorageError>> {
        self.stream
    }

    /// All of it, if it is no more than this.
    pub async fn into_bytes(mut self, most: u64) -> Result<Bytes, StorageError> {
        let size = self.range.end - self.range.start;
        if size > most {
            return Err(StorageError::TooLarge { size, most });
        }
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.stream.next().await {
            bytes.extend_from_slice(&piece?);
        }
        Ok(bytes.freeze())
    }
}

impl Storage {
    /// Asks nobody and makes nothing: what is away now can come later.
    pub fn open(
        config: &Config,
        keys: Keys,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        Self::patient(config, keys, metrics, clock, Patience::default())
    }

    /// The same with other time limits.
    pub fn patient(
        config: &Config,
        keys: Keys,
        metrics: Arc<Metrics>,
        clock: Clock,
        patience: Patience,
    ) -> anyhow::Result<Self> {
        let place = Place::open(config, &patience).context("EMPULSE_STORAGE_URL")?;
        Ok(Self(Arc::new(Inner {
            place,
            addresses: Addresses::new(&config.public_url, keys),
            patience,
            parts: Arc::new(Semaphore::new(PARTS)),
            joining: tokio::sync::Mutex::default(),
            sending: parts::Sending::default(),
            leaving: TaskTracker::new(),
            metrics,
            clock,
        })))
    }

    /// Stores a file, in place of the one that was there.
    pub async fn put(
        &self,
        key: &Key,
        bytes: impl Into<Bytes>,
        facts: &Facts,
    ) -> Result<(), StorageError> {
        let bytes = bytes.into();
        if bytes.len() <= upload::PART {
            return self.0.put(key, bytes, facts).await;
        }
        let whole = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
        match self.put_stream(key, whole, facts).await {
            Ok(_) => Ok(()),
            Err(PutError::Storage(error)) => Err(error),
            Err(PutError::Source(never)) => match never {},
        }
    }

    /// The same of what comes bit by bit, and says how many bytes came. If it breaks off, nothing is stored.
    pub async fn put_stream<E>(
        &self,
        key: &Key,
        stream: impl Stream<Item = Result<Bytes, E>>,
        facts: &Facts,
    ) -> Result<u64, PutError<E>> {
        upload::put_stream(&self.0, key, stream, facts).await
    }

    pub async fn get(&self, key: &Key) -> Result<Got, StorageError> {
        self.read(key, None).await
    }

    /// These bytes of it, as far as it has them.
    pub async fn get_range(&self, key: &Key, range: Range<u64>) -> Result<Got, StorageError> {
        self.read(key, Some(range)).await
    }

    async fn read(&self, key: &Key, range: Option<Range<u64>>) -> Result<Got, StorageError> {
        if range.as_ref().is_some_and(Range::is_empty) {
            return Err(StorageError::OutOfRange);
        }
        let inner = &self.0;
        let got = inner.call("get", inner.place.get(key, range)).await?;
        Ok(Got {
            stream: inner.clone().piece_by_piece("read", got.stream),
            ..got
        })
    }

    pub async fn head(&self, key: &Key) -> Result<Found, StorageError> {
        self.0.call("head", self.0.place.head(key)).await
    }

    /// Afterwards there is none, whether or not there was one.
    pub async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        let deleted = self.0.call("delete", self.0.place.delete(key));
        match deleted.await {
            Err(StorageError::NotFound) => Ok(()),
            done => done,
        }
    }

    /// All files below a key, in no order; `a` has `a/b` below it, but neither `a` nor `ab`.
    pub fn list(&self, under: &Key) -> BoxStream<'static, Result<Found, StorageError>> {
        let found = self.0.place.list(under);
        self.0.clone().piece_by_piece("list", found)
    }

    /// Takes away what was begun before below a key, and not ended; how many there were. In a folder that is done without being
    /// asked for.
    pub async fn drop_unfinished(
        &self,
        under: &Key,
        before: DateTime<Utc>,
    ) -> Result<u64, StorageError> {
        let inner = &self.0;
        let Place::Bucket(bucket) = &inner.place else {
            return Ok(0);
        };
        let (mut behind, mut dropped, mut failed) = (None, 0, Ok(()));
        loop {
            let listed = bucket.unfinished(under, behind.as_ref());
            let listed = inner.call("list_unfinished", listed).await?;
            for upload in &listed.uploads {
                let key = bucket.key_of(&upload.key);
                let Some(key) = key.filter(|_| upload.initiated < before) else {
                    continue;
                };
                // One that can't be taken away now keeps no other.
                let handle = Handle(upload.upload_id.clone());
                match self.drop_parts(&key, &handle).await {
                    Ok(()) => dropped += 1,
                    Err(error) => failed = Err(error),
                }
            }
            let next = listed.next();
            if next.is_some() && next == behind {
                return Err(StorageError::Refused("its list does not go on".into()));
            }
            behind = next;
            if behind.is_none() {
                return failed.map(|()| dropped);
            }
        }
    }

    /// An address by which whoever has it can fetch the file for so long, a week at most.
    pub async fn signed_address(
        &self,
        key: &Key,
        shown: &Shown,
        valid_for: Duration,
    ) -> Result<url::Url, StorageError> {
        let valid_for = valid_for.min(LONGEST_ADDRESS);
        let inner = &self.0;
        match &inner.place {
            Place::Folder(_) => inner
                .addresses
                .signed(key, shown, inner.clock.now() + valid_for),
            Place::Bucket(bucket) => {
                let signed = bucket.signed_address(key, shown, valid_for);
                inner.call("sign", signed).await
            }
        }
    }

    /// What was written down of whose the files are; none where nothing was.
    pub async fn owner(&self) -> Result<Option<String>, StorageError> {
        match self.get(&Key::reserved(OWNER)).await {
            Ok(got) => {
                let text = got.into_bytes(LONGEST_OWNER).await?;
                Ok(Some(String::from_utf8_lossy(&text).trim().to_owned()))
            }
            Err(StorageError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes it down, in place of what stood there.
    pub async fn set_owner(&self, owner: String) -> Result<(), StorageError> {
        let facts = Facts::of(ContentType::TEXT);
        self.put(&Key::reserved(OWNER), owner, &facts).await
    }

    /// How long it takes to answer, for health.
    pub async fn ping(&self) -> Result<Duration, StorageError> {
        let asked = Instant::now();
        self.0.call("ping", self.0.place.ping()).await?;
        Ok(asked.elapsed())
    }

    /// `folder`, or `s3`.
    pub fn kind(&self) -> &'static str {
        self.0.place.kind()
    }

    /// The way in by our own addresses; a bucket has one of its own.
    pub fn gate(&self) -> Option<Gate> {
        Gate::of(&self.0)
    }

    /// Sees out what is still to be taken away.
    pub async fn close(&self) {
        self.0.leaving.close();
        let _ = timeout(LEAVE, self.0.leaving.wait()).await;
    }
}

impl Inner {
    async fn put(&self, key: &Key, bytes: Bytes, facts: &Facts) -> Result<(), StorageError> {
        self.call("put", self.place.put(key, bytes, facts)).await
    }

    /// Within the time that a call has, told to metrics and trace.
    async fn call<T>(
        &self,
        operation: &'static str,
        asked: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        self.call_for(operation, self.patience.whole, asked).await
    }

    /// The same within another time.
    async fn call_for<T>(
        &self,
        operation: &'static str,
        limit: Duration,
        asked: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let span = tracing::debug_span!(
            "storage",
            otel.kind = "client",
            otel.status_code = Empty,
            operation,
            kind = self.place.kind(),
            outcome = Empty,
        );
        let began = Instant::now();
        let asked = timeout(limit, asked).instrument(span.clone());
        let done = asked.await.unwrap_or(Err(StorageError::Timeout));
        let outcome = done.as_ref().err().map_or("ok", StorageError::name);
        span.record("outcome", outcome);
        if done
            .as_ref()
            .is_err_and(|error| error.may_pass() || matches!(error, StorageError::Refused(_)))
        {
            span.record("otel.status_code", "ERROR");
        }
        self.metrics
            .storage_call(operation, outcome, began.elapsed());
        done
    }

    /// The same for each piece of what takes as long as it takes. Only what fails is told.
    fn piece_by_piece<T: Send + 'static>(
        self: Arc<Self>,
        operation: &'static str,
        stream: BoxStream<'static, Result<T, StorageError>>,
    ) -> BoxStream<'static, Result<T, StorageError>> {
        let pieces = futures_util::stream::unfold(Some(stream), move |stream| {
            let inner = self.clone();
            async move {
                let mut stream = stream?;
                let began = Instant::now();
                let next = timeout(inner.patience.whole, stream.next()).await;
                match next.unwrap_or(Some(Err(StorageError::Timeout)))? {
                    Ok(piece) => Some((Ok(piece), Some(stream))),
                    Err(error) => {
                        inner
                            .metrics
                            .storage_call(operation, error.name(), began.elapsed());
                        Some((Err(error), None))
                    }
                }
            }
        });
        pieces.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Jobs and mutations are tasks, which may go on on another thread.
    #[test]
    fn every_call_can_be_made_by_a_task() {
        fn may_move(_: impl Send) {}

        async fn all(storage: Storage, key: Key) {
            let facts = Facts::of(ContentType::JSON);
            let shown = Shown::new("a", ContentType::JSON, true);
            let _ = storage.put(&key, "{}", &facts).await;
            let bytes = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::new())]);
            let _ = storage.put_stream(&key, bytes, &facts).await;
            if let Ok(got) = storage.get_range(&key, 0..1).await {
                let _ = got.into_bytes(1).await;
            }
            let _ = storage.head(&key).await;
            let _ = storage.list(&key).next().await;
            let _ = storage.signed_address(&key, &shown, LEAVE).await;
            let _ = storage.delete(&key).await;
            if let Ok(handle) = storage.begin_parts(&key).await {
                let ends = Utc::now();
                let _ = storage.part_addresses(&key, &handle, &[1], ends).await;
                let _ = storage.join_parts(&key, &handle, &[]).await;
                let _ = storage.drop_parts(&key, &handle).await;
            }
            let _ = storage.ping().await;
        }

        let _ = |storage: Storage, key: Key| may_move(all(storage, key));
    }
}
