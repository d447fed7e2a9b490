//! Who holds a measuring to what it may take: bytes that are no sound, time, and that somebody waits for it.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use symphonia::core::io::MediaSource;
use tokio_util::sync::CancellationToken;

/// What may be read without being handed on as sound: pictures, texts, and what is read twice. Decoders keep some of it in
/// memory for as long as they last, small texts as some thirty times as much, so this bounds that as well.
const BESIDE: u64 = 16 << 20;
/// Where it is an index of the sound, or was looked at before.
const MORE_BESIDE: u64 = 64 << 20;
/// And of a large file this share more, for what frames its packets.
const BESIDE_SHARE: u64 = 16;

/// Why a measuring can't go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Halt {
    Stopped,
    Unread(String),
    TooSlow,
    TooMuchBeside,
}

/// Watches over one measuring. Clones share it.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    stop: CancellationToken,
    until: Instant,
    size: u64,
    beside: AtomicU64,
    /// Bytes that were read, and of them those of packets.
    read: AtomicU64,
    given: AtomicU64,
    /// Whether nothing more came when it was read the last time.
    at_end: AtomicBool,
    halt: Mutex<Option<Halt>>,
    /// How far reading has come, from 0 to 1.
    tell: Box<dyn Fn(f64) + Send + Sync>,
}

impl Watch {
    pub fn new(
        size: u64,
        limit: Duration,
        stop: CancellationToken,
        tell: impl Fn(f64) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            stop,
            until: Instant::now() + limit,
            size,
            beside: AtomicU64::new(BESIDE),
            read: AtomicU64::new(0),
            given: AtomicU64::new(0),
            at_end: AtomicBool::new(false),
            halt: Mutex::new(None),
            tell: Box::new(tell),
        }))
    }

    /// A packet of so many bytes was handed on.
    pub(super) fn gave(&self, bytes: usize) {
        let inner = &self.0;
        let given = inner.given.fetch_add(bytes as u64, Ordering::Relaxed) + bytes as u64;
        if inner.stop.is_cancelled() {
            self.halt(Halt::Stopped);
        } else if Instant::now() > inner.until {
            self.halt(Halt::TooSlow);
        }
        if inner.size > 0 {
            (inner.tell)((given as f64 / inner.size as f64).min(1.0));
        }
    }

    /// Whether reading has come to the end of the file, and not only somewhere in it.
    pub(super) fn is_at_end(&self) -> bool {
        self.0.at_end.load(Ordering::Relaxed)
    }

    pub(super) fn halted(&self) -> Option<Halt> {
        self.halt_slot().clone()
    }

    /// The first reason counts; what follows from it does not.
    fn halt(&self, why: Halt) {
        self.halt_slot().get_or_insert(why);
    }

    fn halt_slot(&self) -> std::sync::MutexGuard<'_, Option<Halt>> {
        self.0.halt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before anything more is read.
    fn check(&self) -> io::Result<()> {
        let inner = &self.0;
        let read = inner.read.load(Ordering::Relaxed);
        let beside = read.saturating_sub(inner.given.load(Ordering::Relaxed));
        if inner.stop.is_cancelled() {
            self.halt(Halt::Stopped);
        } else if Instant::now() > inner.until {
            self.halt(Halt::TooSlow);
        } else if beside > inner.beside.load(Ordering::Relaxed) + inner.size / BESIDE_SHARE {
            self.halt(Halt::TooMuchBeside);
        }
        match self.halted() {
            // No kind that a decoder takes for something else, such as the end of the file.
            Some(_) => Err(io::Error::other("halted")),
            None => Ok(()),
        }
    }
}

/// A source under watch.
pub(super) struct Watched {
    source: Box<dyn MediaSource>,
    watch: Watch,
    may_seek: bool,
}

impl Watched {
    pub fn new(source: impl MediaSource + 'static, watch: Watch) -> Self {
        Self {
            source: Box::new(source),
            watch,
            may_seek: false,
        }
    }

    /// The first bytes of it, by which its kind is known. It stands at its beginning afterwards.
    pub fn beginning(&mut self) -> io::Result<[u8; 8]> {
        let mut beginning = [0; 8];
        let mut length = 0;
        while length < beginning.len() {
            match self.read(&mut beginning[length..])? {
                0 => break,
                read => length += read,
            }
        }
        self.seek(SeekFrom::Start(0))?;
        Ok(beginning)
    }

    pub fn size(&self) -> u64 {
        self.source.byte_len().unwrap_or(0)
    }

    /// Lets more be read that is no sound.
    pub fn let_read_beside(&self) {
        let beside = &self.watch.0.beside;
        beside.store(MORE_BESIDE, Ordering::Relaxed);
    }

    /// Lets its reader go back and forth.
    pub fn let_seek(&mut self) {
        self.may_seek = true;
    }

    fn noted<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| self.watch.halt(Halt::Unread(error.to_string())))
    }
}

impl Read for Watched {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.watch.check()?;
        let read = self.source.read(into);
        let read = self.noted(read)?;
        let inner = &self.watch.0;
        inner.read.fetch_add(read as u64, Ordering::Relaxed);
        inner
            .at_end
            .store(read == 0 && !into.is_empty(), Ordering::Relaxed);
        Ok(read)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.watch.check()?;
        self.source.seek(to)
    }
}

impl MediaSource for Watched {
    fn is_seekable(&self) -> bool {
        self.may_seek && self.source.is_seekable()
    }

    fn byte_len(&self) -> Option<u64> {
        self.source.byte_len().filter(|_| self.may_seek)
    }
}
