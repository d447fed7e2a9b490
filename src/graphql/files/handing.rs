//! Both ends of a file's way: the place that an operation has for it, and the delivery that whoever reads the body holds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use async_graphql::{Value, Variables};
use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::sync::{mpsc, oneshot, watch};

use super::taken::{self, Hashes, Held, Piece, Pieces};
use super::{PIECES, Upload};
use crate::graphql::error::ApiError;
use crate::media::{Broken, Incoming};

/// The files of one operation, in the order in which they come.
#[derive(Debug, Default)]
pub struct Files {
    places: Mutex<Vec<Place>>,
    hashes: OnceLock<Hashes>,
    /// How many of them are waited for, or read.
    held: Arc<watch::Sender<usize>>,
}

/// A file that is to come.
#[derive(Debug)]
struct Place {
    /// Where the request has it.
    path: String,
    /// None once it was taken, or is not wanted.
    open: Option<oneshot::Sender<Wanted>>,
    missed: Arc<OnceLock<ApiError>>,
}

/// Asked for a file, with where to put it once it begins.
pub type Wanted = oneshot::Sender<Begun>;

#[derive(Debug)]
pub struct Begun {
    said: Said,
    pieces: Pieces,
}

/// What is known of a file before any of it comes.
#[derive(Debug, Default)]
pub struct Said {
    pub file_name: Option<String>,
    pub content_type: Option<String>,
    pub length: Option<u64>,
}

/// One end of a file's way, and why the file will not come.
#[derive(Debug)]
pub struct End<W> {
    wanted: W,
    missed: Arc<OnceLock<ApiError>>,
}

/// A file, for whoever reads the body.
pub type Delivery = End<oneshot::Receiver<Wanted>>;

/// A file that somebody waits for.
pub type Handed = End<Wanted>;

/// Where the pieces of a file go. Dropped without a last word, the file is broken.
pub struct Handing {
    pieces: mpsc::Sender<Piece>,
    is_left: Arc<AtomicBool>,
}

/// Whoever took the file wants no more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTaken;

impl Files {
    /// Makes a place for the next file, which stands at this path of the request.
    pub fn expect(&mut self, path: String) -> (Upload, Delivery) {
        let places = self
            .places
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let upload = Upload(u8::try_from(places.len()).unwrap_or(u8::MAX));
        let (open, wanted) = oneshot::channel();
        let missed = Arc::new(OnceLock::new());
        places.push(Place {
            path,
            open: Some(open),
            missed: missed.clone(),
        });
        (upload, Delivery { wanted, missed })
    }

    /// Gives up the places of files that no variable names any more: nobody could take them.
    pub fn keep(&self, variables: &Variables) {
        let mut named = Vec::new();
        variables
            .values()
            .for_each(|value| uploads(value, &mut named));
        for (at, place) in self.places().iter_mut().enumerate() {
            if !named.iter().any(|Upload(named)| usize::from(*named) == at) {
                place.open = None;
            }
        }
    }

    /// Nobody takes any more of them.
    pub fn give_up(&self) {
        for place in self.places().iter_mut() {
            place.open = None;
        }
    }

    /// Keeps the SHA-256 of each file that may be taken, once it is read to its end.
    pub fn hash(&self) -> Hashes {
        let places = self.places();
        self.hashes
            .get_or_init(|| Hashes::of(open(&places)))
            .clone()
    }

    /// Trades an upload for its file, once that begins to come.
    pub async fn take(&self, upload: Upload) -> Result<Incoming, ApiError> {
        let (path, End { wanted, missed }) = self.open(upload)?;
        let held = Held::new(&self.held);
        let (begins, begun) = oneshot::channel();
        let begun = match wanted.send(begins) {
            Ok(()) => begun.await.ok(),
            Err(_) => None,
        };
        let Some(begun) = begun else {
            return Err(missed.get().cloned().unwrap_or_else(|| {
                ApiError::BadRequest(format!(
                    "The request ended before the file of `{path}` came."
                ))
            }));
        };
        let hashes = self.hashes.get().cloned();
        let hashing = hashes.map(|hashes| hashes.begin(upload.0));
        Ok(Incoming {
            file_name: begun.said.file_name,
            content_type: begun.said.content_type,
            announced: begun.said.length,
            bytes: taken::stream(begun.pieces, held, hashing),
        })
    }

    /// All that are still to be had, one after the other, each thrown away when it has come whole.
    pub async fn read_all(&self) -> Result<(), ApiError> {
        let open: Vec<_> = open(&self.places()).collect();
        for place in open {
            let Incoming { mut bytes, .. } = self.take(Upload(place)).await?;
            while bytes.try_next().await?.is_some() {}
        }
        Ok(())
    }

    /// Done when none of them was waited for or read for so long.
    pub async fn idle(&self, limit: std::time::Duration) {
        let mut held = self.held.subscribe();
        loop {
            // The sender is ours.
            let _ = held.wait_for(|held| *held == 0).await;
            if tokio::time::timeout(limit, held.wait_for(|held| *held > 0))
                .await
                .is_err()
            {
                return;
            }
        }
    }

    /// A body has one order: whoever wants a file gives up those before it that nobody has taken.
    fn open(&self, upload: Upload) -> Result<(String, End<oneshot::Sender<Wanted>>), ApiError> {
        let mut places = self.places();
        let until = places.get_mut(..=usize::from(upload.0));
        let Some((place, before)) = until.and_then(<[Place]>::split_last_mut) else {
            return Err(ApiError::internal(
                "a file was asked for that is none of its operation's",
            ));
        };
        let path = &place.path;
        let Some(wanted) = place.open.take() else {
            return Err(place.missed.get().cloned().unwrap_or_else(|| {
                ApiError::BadRequest(format!(
                    "{path}: one file is taken once; send one for each place that wants one."
                ))
            }));
        };
        for earlier in before {
            if earlier.open.take().is_some() {
                let _ = earlier.missed.set(ApiError::BadRequest(format!(
                    "{}: its file comes before that of {path}, which was taken first; let the files come in the order in \
                     which they are used.",
                    earlier.path
                )));
            }
        }
        let missed = place.missed.clone();
        Ok((path.clone(), End { wanted, missed }))
    }

    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        // Each place is changed by one assignment.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(places: &[Place]) -> impl Iterator<Item = u8> {
    let places = (0..).zip(places);
    places.filter_map(|(at, place)| place.open.is_some().then_some(at))
}

fn uploads(value: &Value, found: &mut Vec<Upload>) {
    match value {
        Value::List(items) => items.iter().for_each(|item| uploads(item, found)),
        Value::Object(members) => members.values().for_each(|member| uploads(member, found)),
        value => found.extend(Upload::read(value)),
    }
}

impl<W> End<W> {
    /// Why the file will not come.
    pub fn misses(self, why: ApiError) {
        let _ = self.missed.set(why);
    }
}

impl Delivery {
    /// Waits until somebody wants the file; none when nobody will.
    pub async fn wanted(&mut self) -> Option<Handed> {
        let wanted = (&mut self.wanted).await.ok()?;
        let missed = self.missed.clone();
        Some(Handed { wanted, missed })
    }
}

impl Handed {
    /// The file begins.
    pub fn begin(self, said: Said) -> Handing {
        let (sender, receiver) = mpsc::channel(PIECES);
        let is_left = Arc::<AtomicBool>::default();
        let begun = Begun {
            said,
            pieces: Pieces {
                receiver,
                is_left: Arc::clone(&is_left),
            },
        };
        // Who waited may have left; then the first piece finds nobody.
        let _ = self.wanted.send(begun);
        Handing {
            pieces: sender,
            is_left,
        }
    }
}

impl Handing {
    /// Hands over what came, once there is room for it.
    pub async fn piece(&self, bytes: Bytes) -> Result<(), NotTaken> {
        let sent = self.pieces.send(Piece::Bytes(bytes)).await;
        sent.map_err(|_| NotTaken)
    }

    /// All of it has come.
    pub async fn end(self) {
        let _ = self.pieces.send(Piece::End).await;
    }

    pub async fn fail(self, why: Broken) {
        let _ = self.pieces.send(Piece::Broken(why)).await;
    }

    /// No more is handed over, as nothing is taken; there is no room for a word that says so.
    pub fn leave(self) {
        self.is_left.store(true, Ordering::Release);
    }
}
