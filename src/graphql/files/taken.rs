//! A file as whoever took it reads it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};

use crate::media::Broken;

/// What is handed over of a file.
#[derive(Debug)]
pub enum Piece {
    Bytes(Bytes),
    End,
    Broken(Broken),
}

/// Where the pieces of a file come from.
#[derive(Debug)]
pub struct Pieces {
    pub receiver: mpsc::Receiver<Piece>,
    /// That no more come is because they were not taken.
    pub is_left: Arc<AtomicBool>,
}

/// The SHA-256 of each file of an operation that may be taken, by its place, as far as they were read to their end.
#[derive(Debug, Clone)]
pub struct Hashes(Arc<Mutex<BTreeMap<u8, Option<[u8; 32]>>>>);

impl Hashes {
    pub fn of(places: impl Iterator<Item = u8>) -> Self {
        let hashes = places.map(|place| (place, None)).collect();
        Self(Arc::new(Mutex::new(hashes)))
    }

    /// Whether no file may be taken.
    pub fn are_none(&self) -> bool {
        let hashes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.is_empty()
    }

    /// Those of all files in their order; none where one was not read to its end.
    pub fn all(&self) -> Option<Vec<[u8; 32]>> {
        let hashes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hashes.values().copied().collect()
    }

    pub fn begin(self, place: u8) -> Hashing {
        Hashing {
            hashes: self,
            place,
            hash: Sha256::new(),
        }
    }
}

/// A file that is hashed while it is read.
pub struct Hashing {
    hashes: Hashes,
    place: u8,
    hash: Sha256,
}

impl Hashing {
    fn end(self) {
        let mut hashes = self.hashes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = hashes.get_mut(&self.place) {
            *place = Some(self.hash.finalize().into());
        }
    }
}

/// Counts a file among those that are waited for or read, until dropped.
pub struct Held(Arc<watch::Sender<usize>>);

impl Held {
    pub fn new(held: &Arc<watch::Sender<usize>>) -> Self {
        held.send_modify(|held| *held += 1);
        Self(Arc::clone(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|held| *held = held.saturating_sub(1));
    }
}

struct Reading {
    pieces: Pieces,
    hashing: Option<Hashing>,
    _held: Held,
}

/// The bytes of a file. They end only where its end was told.
pub fn stream(
    pieces: Pieces,
    held: Held,
    hashing: Option<Hashing>,
) -> BoxStream<'static, Result<Bytes, Broken>> {
    let reading = Reading {
        pieces,
        hashing,
        _held: held,
    };
    let read = stream::unfold(Some(reading), |reading| async move {
        let mut reading = reading?;
        match reading.pieces.receiver.recv().await {
            Some(Piece::Bytes(bytes)) => {
                if let Some(hashing) = &mut reading.hashing {
                    hashing.hash.update(&bytes);
                }
                Some((Ok(bytes), Some(reading)))
            }
            Some(Piece::End) => {
                if let Some(hashing) = reading.hashing {
                    hashing.end();
                }
                None
            }
            Some(Piece::Broken(why)) => Some((Err(why), None)),
            None => {
                let why = match reading.pieces.is_left.load(Ordering::Acquire) {
                    true => Broken::NotTaken,
                    false => Broken::Left,
                };
                Some((Err(why), None))
            }
        }
    });
    read.boxed()
}
