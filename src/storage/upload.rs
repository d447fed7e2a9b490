//! Storing what comes bit by bit, in constant memory: equal parts, few at a time, which become the file at once with the
//! last word, or are taken away again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use object_store::MultipartUpload;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::{Facts, Inner, Key, Place, PutError, StorageError};

/// Bytes of a part in a bucket. R2 wants all but the last alike, S3 at least 5 MiB.
pub const PART: usize = 8 << 20;
/// In a folder, which takes any: each upload holds one while it fills.
const PART_OF_FOLDER: usize = 1 << 20;
/// Until a file stands on a disk.
const LONGEST_FINISH: Duration = Duration::from_secs(30 * 60);
/// Parts of one upload that are on their way.
const AT_ONCE: usize = 2;

pub async fn put_stream<E>(
    storage: &Arc<Inner>,
    key: &Key,
    stream: impl Stream<Item = Result<Bytes, E>>,
    facts: &Facts,
) -> Result<u64, PutError<E>> {
    let whole = match storage.place {
        Place::Folder(_) => PART_OF_FOLDER,
        Place::Bucket(_) => PART,
    };
    let mut stream = pin!(stream);
    // Made when something comes for it: who waits for a place with one that is full has no other.
    let mut part = BytesMut::new();
    let mut upload: Option<Upload> = None;
    let mut size = 0_u64;
    loop {
        let next = match &mut upload {
            // A part that fails ends it at once, not when the client has sent all the rest.
            Some(upload) => tokio::select! {
                biased;
                Some(sent) = upload.parts.join_next() => {
                    sent.map_err(StorageError::from).flatten()?;
                    continue;
                }
                next = stream.next() => next,
            },
            None => stream.next().await,
        };
        let Some(chunk) = next else { break };
        let mut chunk = chunk.map_err(PutError::Source)?;
        size += chunk.len() as u64;
        while !chunk.is_empty() {
            let taken = chunk.split_to(chunk.len().min(whole - part.len()));
            // All of it at once: one that grows leaves as much behind. What is not written takes no memory.
            if part.capacity() == 0 {
                part.reserve(whole);
            }
            // Copied, as a small piece may hold on to a large buffer.
            part.extend_from_slice(&taken);
            if part.len() == whole && !chunk.is_empty() {
                let upload = match &mut upload {
                    Some(upload) => upload,
                    none => none.insert(Upload::begin(storage, key, facts).await?),
                };
                upload.send(std::mem::take(&mut part).freeze()).await?;
            }
        }
    }
    match upload {
        // What is small needs no parts.
        None => storage.put(key, part.freeze(), facts).await?,
        Some(mut upload) => {
            upload.send(part.freeze()).await?;
            upload.finish().await?;
        }
    }
    Ok(size)
}

/// An upload that is under way. Dropped before its end, it takes away what it has sent.
struct Upload {
    storage: Arc<Inner>,
    key: Key,
    mark: String,
    /// None once it has come to an end.
    driver: Option<Box<dyn MultipartUpload>>,
    parts: JoinSet<Result<(), StorageError>>,
}

impl Upload {
    async fn begin(storage: &Arc<Inner>, key: &Key, facts: &Facts) -> Result<Self, StorageError> {
        let mark = uuid::Uuid::now_v7().simple().to_string();
        let driver = storage.call("begin", storage.place.begin(key, facts, &mark));
        Ok(Self {
            driver: Some(driver.await?),
            storage: storage.clone(),
            key: key.clone(),
            mark,
            parts: JoinSet::new(),
        })
    }

    // What is awaited here holds all of it: the driver's part can be sent to another thread, not shared with one.

    /// Waits for a place, here and among all uploads.
    async fn send(&mut self, part: Bytes) -> Result<(), StorageError> {
        while self.parts.len() >= AT_ONCE {
            self.joined().await?;
        }
        let place = self.place().await?;
        let Some(driver) = &mut self.driver else {
            return Ok(());
        };
        let sending = driver.put_part(part.into());
        let storage = self.storage.clone();
        let sent = async move {
            let sent = storage.call("part", async { Ok(sending.await?) }).await;
            drop(place);
            sent
        };
        self.parts.spawn(sent.in_current_span());
        Ok(())
    }

    async fn place(&mut self) -> Result<OwnedSemaphorePermit, StorageError> {
        let place = self.storage.parts.clone().acquire_owned().await;
        // It is closed by nobody.
        place.map_err(|_| StorageError::Unavailable("it is closed".into()))
    }

    async fn joined(&mut self) -> Result<(), StorageError> {
        match self.parts.join_next().await {
            Some(sent) => sent.map_err(StorageError::from).flatten(),
            None => Ok(()),
        }
    }

    async fn finish(mut self) -> Result<(), StorageError> {
        while !self.parts.is_empty() {
            self.joined().await?;
        }
        let Some(driver) = &mut self.driver else {
            return Ok(());
        };
        let storage = self.storage.clone();
        let limit = match storage.place {
            // A whole file goes to the disk, and nobody could stop that.
            Place::Folder(_) => LONGEST_FINISH,
            Place::Bucket(_) => storage.patience.whole,
        };
        let ended = storage.call_for("finish", limit, async {
            driver.complete().await.map_err(StorageError::of_write)
        });
        if let Err(error) = ended.await
            && !self.stands().await
        {
            return Err(error);
        }
        self.driver = None;
        Ok(())
    }

    /// Whether the file is there although we were not told: an answer can be lost, and the next try is then told that
    /// there is no such upload any more.
    async fn stands(&mut self) -> bool {
        let Place::Bucket(bucket) = &self.storage.place else {
            return false;
        };
        let looked = self
            .storage
            .call("head", bucket.is_marked(&self.key, &self.mark));
        looked.await.unwrap_or(false)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(mut driver) = self.driver.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let mut parts = std::mem::take(&mut self.parts);
        let (storage, key) = (self.storage.clone(), self.key.clone());
        let leaving = storage.leaving.clone();
        let abort = async move {
            // A part that arrives after the end would stay.
            parts.shutdown().await;
            let aborted = storage
                .call("abort", async { Ok(driver.abort().await?) })
                .await;
            match aborted {
                Ok(()) | Err(StorageError::NotFound) => {}
                Err(error) => tracing::warn!(
                    key = key.as_str(), %error,
                    "parts of an unfinished file stay for a while"
                ),
            }
        };
        leaving.spawn_on(abort.in_current_span(), &runtime);
    }
}
