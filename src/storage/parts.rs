//! Files that their sender stores part by part, by addresses that are signed for each part and its exact length. In a
//! bucket that is its own multipart upload, and no byte of it passes the service. In a folder the parts stand below
//! [`FOLDER`] until they are joined, and come in by the gate.
//!
//! Each part is answered with its ETag, and whoever joins them names all of them, so that what is joined is what came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::folder::{Folder, OpenFile};
use super::place::Place;
use super::sign::hex;
use super::{ContentType, Facts, Inner, Key, LONGEST_ADDRESS, PutError, StorageError};

/// Below it, among the storage's own files, the parts of each upload stand in a folder of their own.
pub const FOLDER: &str = "parts";
/// A file that stands beside the parts for as long as more may come.
const OPEN: &str = "open";

/// Between two looks at whether a file is there.
const RESTS: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(900),
];

/// What an upload by parts is known by to the storage, once it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handle(pub String);

/// A part that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CamePart {
    pub length: u64,
    /// Without quotes.
    pub etag: String,
}

/// Why parts became no file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotJoined {
    #[error("parts are missing, or are not those that are named")]
    Incomplete,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl NotJoined {
    /// A bucket that knows no such upload has joined or forgotten it.
    fn of_bucket(error: StorageError) -> Self {
        const OF_PARTS: [&str; 3] = ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"];
        match error {
            StorageError::NotFound => Self::Incomplete,
            StorageError::Refused(said) if OF_PARTS.iter().any(|code| said.ends_with(code)) => {
                Self::Incomplete
            }
            error => error.into(),
        }
    }
}

/// Why a part was not stored; then the one that was there stands.
#[derive(Debug, thiserror::Error)]
pub enum PartFault<E> {
    #[error("it has another length than was signed")]
    Length,
    #[error("it is sent anew by another request")]
    Replaced,
    #[error("it broke off")]
    Broken(E),
}

/// Parts that are on their way into a folder. Whoever sends one anew takes the place of whoever sends it still, so that what
/// stands half written of an upload is no more than all of it.
#[derive(Default)]
pub(super) struct Sending(Mutex<HashMap<Key, Arc<CancellationToken>>>);

impl Sending {
    fn begin(&self, key: &Key) -> Turn<'_> {
        let turn = Turn {
            sending: self,
            key: key.clone(),
            replaced: Arc::default(),
        };
        let before = self.turns().insert(key.clone(), turn.replaced.clone());
        if let Some(before) = before {
            before.cancel();
        }
        turn
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<Key, Arc<CancellationToken>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when it is dropped.
struct Turn<'a> {
    sending: &'a Sending,
    key: Key,
    replaced: Arc<CancellationToken>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut turns = self.sending.turns();
        if turns
            .get(&self.key)
            .is_some_and(|turn| Arc::ptr_eq(turn, &self.replaced))
        {
            turns.remove(&self.key);
        }
    }
}

impl super::Storage {
    /// Begins a file that comes by parts.
    pub async fn begin_parts(&self, key: &Key) -> Result<Handle, StorageError> {
        let inner = &self.0;
        match &inner.place {
            Place::Folder(folder) => {
                let handle = Handle(uuid::Uuid::now_v7().simple().to_string());
                let open = key_of(&handle, OPEN);
                let begun = folder.put(&open, Bytes::new());
                inner.call("begin", begun).await?;
                Ok(handle)
            }
            Place::Bucket(bucket) => {
                let facts = Facts::of(ContentType::OCTETS);
                let begun = bucket.begin_parts(key, &facts);
                inner.call("begin", begun).await.map(Handle)
            }
        }
    }

    /// Where each part is to be sent by PUT until then, in their order, by the lengths that they are to have.
    pub async fn part_addresses(
        &self,
        key: &Key,
        handle: &Handle,
        lengths: &[u64],
        ends: DateTime<Utc>,
    ) -> Result<Vec<Url>, StorageError> {
        let inner = &self.0;
        match &inner.place {
            Place::Folder(_) => numbered(lengths)
                .map(|(number, length)| {
                    let part = PartAdmission {
                        handle: handle.clone(),
                        number,
                        length,
                        ends,
                    };
                    inner.addresses.signed_part(&part)
                })
                .collect(),
            Place::Bucket(bucket) => {
                let left = (ends - inner.clock.now()).to_std().unwrap_or_default();
                let left = left.clamp(Duration::from_secs(1), LONGEST_ADDRESS);
                let signed = bucket.part_addresses(key, handle, lengths, left);
                inner.call("sign", signed).await
            }
        }
    }

    /// Makes the parts the file, once more where it is not known whether that was done. Nothing more can come afterwards.
    pub async fn join_parts(
        &self,
        key: &Key,
        handle: &Handle,
        parts: &[CamePart],
    ) -> Result<(), NotJoined> {
        let inner = &self.0;
        let joined = match &inner.place {
            Place::Folder(folder) => {
                // One after the other: who comes second finds the file, and nobody fills the disk by asking again.
                let alone = tokio::time::timeout(inner.patience.whole, inner.joining.lock());
                let _alone = alone.await.map_err(|_| StorageError::Timeout)?;
                match self.stands(key).await? {
                    true => Ok(()),
                    false => join_in_folder(self, folder, key, handle, parts).await,
                }
            }
            Place::Bucket(bucket) => {
                let joined = inner.call("finish", bucket.join_parts(key, handle, parts));
                joined.await.map_err(NotJoined::of_bucket)
            }
        };
        if let Err(fault) = joined
            && !self.stands_soon(key).await.unwrap_or(false)
        {
            return Err(fault);
        }
        if let Place::Folder(_) = &inner.place
            && let Err(error) = self.drop_parts(key, handle).await
        {
            tracing::warn!(%error, "parts of a file that is whole stay for a while");
        }
        Ok(())
    }

    /// Whether the file is there although we were not told, or in a moment: an answer can be lost, and somebody else may join
    /// the same. Then there is no such upload any more, which some buckets call forbidden.
    async fn stands_soon(&self, key: &Key) -> Result<bool, StorageError> {
        for rest in RESTS {
            if self.stands(key).await? {
                return Ok(true);
            }
            tokio::time::sleep(rest).await;
        }
        self.stands(key).await
    }

    /// Takes away what came of a file that is not to be any more, or is whole.
    pub async fn drop_parts(&self, key: &Key, handle: &Handle) -> Result<(), StorageError> {
        let inner = &self.0;
        let dropped = match &inner.place {
            Place::Folder(folder) => {
                // First, so that a part which comes meanwhile finds that it is nobody's.
                let closed = folder.delete(&key_of(handle, OPEN)).await;
                let parts = Key::reserved(&format!("{FOLDER}/{}", handle.0));
                match closed {
                    Ok(()) | Err(StorageError::NotFound) => {
                        inner.call("abort", folder.delete_all(&parts)).await
                    }
                    closed => closed,
                }
            }
            Place::Bucket(bucket) => inner.call("abort", bucket.drop_parts(key, handle)).await,
        };
        match dropped {
            Err(StorageError::NotFound) => Ok(()),
            dropped => dropped,
        }
    }

    async fn stands(&self, key: &Key) -> Result<bool, StorageError> {
        match self.head(key).await {
            Ok(_) => Ok(true),
            Err(StorageError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// What a signed address of ours lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartAdmission {
    pub(super) handle: Handle,
    pub(super) number: u32,
    pub length: u64,
    pub(super) ends: DateTime<Utc>,
}

/// Stores a part in a folder, in place of the one that was there, and says its ETag: the same bytes have the same.
pub(super) async fn store<E>(
    inner: &Arc<Inner>,
    folder: &Folder,
    part: &PartAdmission,
    bytes: impl Stream<Item = Result<Bytes, E>>,
) -> Result<String, PutError<PartFault<E>>> {
    let open = key_of(&part.handle, OPEN);
    let is_open = async || inner.call("open", folder.open(&open)).await.map(drop);
    is_open().await?;
    let key = key_of(&part.handle, &part.number.to_string());
    let mut measured = Measured {
        left: part.length,
        hash: Sha256::new(),
    };
    let bytes = bytes.map_err(PartFault::Broken).map(Some);
    let bytes = bytes.chain(stream::iter([None]));
    let bytes = bytes.filter_map(|piece| {
        let piece = match piece {
            Some(piece) => piece
                .and_then(|piece| measured.take(&piece).map(|()| piece))
                .map(Some),
            None => measured.end().map(|()| None),
        };
        std::future::ready(piece.transpose())
    });
    let facts = Facts::of(ContentType::OCTETS);
    let turn = inner.sending.begin(&key);
    let stored = tokio::select! {
        stored = super::upload::put_stream(inner, &key, bytes, &facts) => stored,
        () = turn.replaced.cancelled() => return Err(PutError::Source(PartFault::Replaced)),
    };
    if let Err(PutError::Source(_)) = stored {
        return stored.map(|_| String::new());
    }
    // Joined or given up while it came: it is nobody's, and may have found its folder gone.
    if let Err(error) = is_open().await {
        if error == StorageError::NotFound
            && let Err(error) = inner.call("delete", folder.delete(&key)).await
            && error != StorageError::NotFound
        {
            tracing::warn!(%error, "a part that came too late stays for a while");
        }
        return Err(error.into());
    }
    stored?;
    Ok(hex(&measured.hash.finalize()))
}

/// Holds a part to its length.
struct Measured {
    left: u64,
    hash: Sha256,
}

impl Measured {
    fn take<E>(&mut self, piece: &Bytes) -> Result<(), PartFault<E>> {
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or(PartFault::Length)?;
        self.hash.update(piece);
        Ok(())
    }

    fn end<E>(&self) -> Result<(), PartFault<E>> {
        match self.left {
            0 => Ok(()),
            _ => Err(PartFault::Length),
        }
    }
}

async fn join_in_folder(
    storage: &super::Storage,
    folder: &Folder,
    key: &Key,
    handle: &Handle,
    parts: &[CamePart],
) -> Result<(), NotJoined> {
    // Before the first is read.
    for (number, part) in (1_u32..).zip(parts) {
        opened(folder, handle, number, part).await?;
    }
    let bytes = one_behind_another(folder.clone(), handle.clone(), parts.to_vec());
    let facts = Facts::of(ContentType::OCTETS);
    // Beside the parts first: of two instances that join, none replaces what the other has joined, and told of.
    let whole = key_of(handle, &format!("whole-{}", uuid::Uuid::now_v7().simple()));
    match storage.put_stream(&whole, bytes, &facts).await {
        Ok(_) => {}
        Err(PutError::Source(fault)) => return Err(fault),
        Err(PutError::Storage(error)) => return Err(error.into()),
    }
    let renamed = storage.0.call("rename", folder.rename_new(&whole, key));
    if let Err(error) = renamed.await {
        let deleted = storage.delete(&whole).await;
        drop(
            deleted
                .inspect_err(|error| tracing::warn!(%error, "a copy of a file stays for a while")),
        );
        return Err(error.into());
    }
    Ok(())
}

/// The bytes of all parts, as long as each is the one that is named.
fn one_behind_another(
    folder: Folder,
    handle: Handle,
    parts: Vec<CamePart>,
) -> BoxStream<'static, Result<Bytes, NotJoined>> {
    let parts = (1_u32..).zip(parts).map(Ok::<_, NotJoined>);
    let bytes = stream::iter(parts).and_then(move |(number, part)| {
        let (folder, handle) = (folder.clone(), handle.clone());
        async move {
            let file = opened(&folder, &handle, number, &part).await?;
            Ok(named(file.stream(0..part.length), part.etag))
        }
    });
    bytes.try_flatten().boxed()
}

/// A part that came, as long as it is to be.
async fn opened(
    folder: &Folder,
    handle: &Handle,
    number: u32,
    part: &CamePart,
) -> Result<OpenFile, NotJoined> {
    match folder.open(&key_of(handle, &number.to_string())).await {
        Ok(file) if file.found().size == part.length => Ok(file),
        Ok(_) | Err(StorageError::NotFound) => Err(NotJoined::Incomplete),
        Err(error) => Err(error.into()),
    }
}

/// The bytes of a part, which break off at their end where they are not those that are named.
fn named(
    bytes: BoxStream<'static, Result<Bytes, StorageError>>,
    etag: String,
) -> BoxStream<'static, Result<Bytes, NotJoined>> {
    let hashing = Some((bytes, Sha256::new(), etag));
    let hashed = stream::try_unfold(hashing, |hashing| async move {
        let Some((mut bytes, mut hash, etag)) = hashing else {
            return Ok(None);
        };
        match bytes.try_next().await? {
            Some(piece) => {
                hash.update(&piece);
                Ok(Some((piece, Some((bytes, hash, etag)))))
            }
            None => match hex(&hash.finalize()) == etag {
                true => Ok(None),
                false => Err(NotJoined::Incomplete),
            },
        }
    });
    hashed.boxed()
}

pub(super) fn numbered(lengths: &[u64]) -> impl Iterator<Item = (u32, u64)> {
    (1..).zip(lengths.iter().copied())
}

fn key_of(handle: &Handle, name: &str) -> Key {
    Key::reserved(&format!("{FOLDER}/{}/{name}", handle.0))
}
