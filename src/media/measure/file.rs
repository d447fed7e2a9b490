//! A file in the storage as decoders want one: with a position, and bytes at once.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use symphonia::core::io::MediaSource;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::storage::{Key, Storage, StorageError};

/// What is fetched at a time.
const BLOCK: u64 = 1 << 20;
/// Blocks that are kept: where a reader is, and where it was, as between an index and what it points to.
const KEPT: usize = 4;

/// Reads a file block by block, and the next one ahead. For a thread that may wait, within a runtime.
pub struct StoredFile {
    storage: Storage,
    key: Key,
    size: u64,
    position: u64,
    /// The one that was used last comes first.
    kept: VecDeque<(u64, Bytes)>,
    ahead: Option<(u64, Fetch)>,
    stop: CancellationToken,
    runtime: Handle,
}

type Fetched = Result<Bytes, StorageError>;

/// A block on its way; whoever lets go of it no longer wants it.
struct Fetch(JoinHandle<Fetched>);

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl StoredFile {
    /// A file of that size. Reading ends with an error once it is stopped.
    pub fn new(
        storage: Storage,
        key: Key,
        size: u64,
        stop: CancellationToken,
        runtime: Handle,
    ) -> Self {
        Self {
            storage,
            key,
            size,
            position: 0,
            kept: VecDeque::with_capacity(KEPT),
            ahead: None,
            stop,
            runtime,
        }
    }

    fn block(&mut self, number: u64) -> io::Result<Bytes> {
        if let Some(place) = self.kept.iter().position(|(kept, _)| *kept == number) {
            if let Some(found) = self.kept.remove(place) {
                self.kept.push_front(found);
            }
        } else {
            let block = self.fetched(number)?;
            self.kept.truncate(KEPT - 1);
            self.kept.push_front((number, block));
            if (number + 1) * BLOCK < self.size
                && !self.kept.iter().any(|(kept, _)| *kept == number + 1)
            {
                self.ahead = Some((number + 1, self.fetch(number + 1)));
            }
        }
        self.kept
            .front()
            .map(|(_, block)| block.clone())
            .ok_or_else(|| io::Error::other("no block was kept"))
    }

    fn fetched(&mut self, number: u64) -> io::Result<Bytes> {
        let mut fetch = match self.ahead.take() {
            Some((ahead, fetch)) if ahead == number => fetch,
            _ => self.fetch(number),
        };
        let range = self.range(number);
        let stop = self.stop.clone();
        let fetched = self.runtime.block_on(async {
            tokio::select! {
                fetched = &mut fetch.0 => fetched.map_err(StorageError::from).flatten(),
                () = stop.cancelled() => Err(StorageError::Unavailable("nobody waits for it".into())),
            }
        });
        let block = fetched.map_err(io::Error::other)?;
        if block.len() as u64 != range.end - range.start {
            return Err(io::Error::other(format!(
                "the storage has {} of the bytes {} to {}",
                block.len(),
                range.start,
                range.end
            )));
        }
        Ok(block)
    }

    fn fetch(&self, number: u64) -> Fetch {
        let (storage, key, range) = (self.storage.clone(), self.key.clone(), self.range(number));
        Fetch(self.runtime.spawn(async move {
            let got = storage.get_range(&key, range).await?;
            got.into_bytes(BLOCK).await
        }))
    }

    fn range(&self, number: u64) -> Range<u64> {
        let start = number * BLOCK;
        start..(start + BLOCK).min(self.size)
    }
}

impl Read for StoredFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.size || into.is_empty() {
            return Ok(0);
        }
        let block = self.block(self.position / BLOCK)?;
        // Less than a block.
        let within = (self.position % BLOCK) as usize;
        let some = block.get(within..).unwrap_or_default();
        let read = some.len().min(into.len());
        into[..read].copy_from_slice(&some[..read]);
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for StoredFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(by) => self.size.checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        let before = || io::Error::new(io::ErrorKind::InvalidInput, "that is before the file");
        self.position = position.ok_or_else(before)?;
        Ok(self.position)
    }
}

impl MediaSource for StoredFile {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.size)
    }
}
