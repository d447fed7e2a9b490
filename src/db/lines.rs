//! The connections that reads share.
//!
//! PostgreSQL takes a connection's next statement before it has answered the last, and answers them in their order. So no
//! read waits for a connection to be given back; where all are busy it stands in the shortest line, and the statements
//! of a busy line cost both sides fewer system calls than one connection each. A read that stands behind one that does
//! not move goes on to another line. Nothing here opens a transaction: that would be everybody's.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use diesel::result::ConnectionError;
use diesel_async::AsyncPgConnection;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout_at};

use super::{Error, Source};

/// How long a request waits for the first connection before it is told to come back.
const OPEN_LIMIT: Duration = Duration::from_secs(3);
/// A server that was restarted is found again soon, and one that stays away is not asked all the time.
const OPEN_AGAIN: Duration = Duration::from_millis(100);
/// Servers keep plans and memory for a connection; none is kept for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// So many are shared as long as they move: more would only make each line shorter. Where they do not, because reads are
/// slow, there are as many as the settings allow.
const SHARED: usize = 4;
/// One beyond those goes when it was not needed for so long.
const SPARE: Duration = Duration::from_secs(60);
/// A line that has not moved for so long is joined only where all others are as bad.
const SLOW: Duration = Duration::from_millis(20);

#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    source: Source,
    most: usize,
    state: Mutex<State>,
    opened: Notify,
    waiting: AtomicUsize,
}

#[derive(Default)]
struct State {
    lines: Vec<Arc<Line>>,
    opening: usize,
    /// Why the last attempt to connect failed.
    refusal: Option<String>,
}

struct Line {
    connection: AsyncPgConnection,
    ended: Arc<AtomicBool>,
    since: Instant,
    reads: AtomicUsize,
    /// In microseconds after `since`: when an answer came last, or the line was taken up again.
    moved: AtomicU64,
}

impl Lines {
    /// No connection is made yet, so that a database which is down now can come later.
    pub fn new(source: Source, most: u32) -> Self {
        Self(Arc::new(Shared {
            source,
            most: most.max(1) as usize,
            state: Mutex::default(),
            opened: Notify::new(),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// A place in the shortest line.
    pub async fn join(&self) -> Result<Place, Error> {
        if let Some(place) = self.pick() {
            return Ok(place);
        }
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.0.waiting);
        let limit = tokio::time::Instant::now() + OPEN_LIMIT;
        loop {
            let mut opened = std::pin::pin!(self.0.opened.notified());
            opened.as_mut().enable();
            if let Some(place) = self.pick() {
                return Ok(place);
            }
            if timeout_at(limit, opened).await.is_err() {
                let refusal = self.0.state().refusal.clone();
                let refusal = refusal.unwrap_or_else(|| "no connection came in time".into());
                return Err(Error::Unavailable(refusal));
            }
        }
    }

    fn pick(&self) -> Option<Place> {
        let mut state = self.0.state();
        let mut place = 0;
        state.lines.retain(|line| {
            let stays = !line.is_over(place >= SHARED);
            place += usize::from(stays);
            stays
        });
        // The first ones first, whether others are idle or not.
        let lines = state.lines.iter().enumerate();
        let best =
            lines.min_by_key(|(place, line)| (line.is_slow(), *place >= SHARED, line.reads()));
        let (shortest, is_slow) = match best {
            Some((_, line)) => (Some(Arc::clone(line)), line.is_slow()),
            None => (None, true),
        };
        let open = state.lines.len() + state.opening;
        let is_busy = shortest.as_ref().is_none_or(|line| line.reads() > 0);
        if open < self.0.most && ((is_busy && open < SHARED) || (is_slow && state.opening == 0)) {
            state.opening += 1;
            tokio::spawn(self::open(Arc::downgrade(&self.0)));
        }
        // Counted while the lines are locked: whoever leaves a line alone must know that nobody joins it.
        let line = shortest?;
        let ahead = line.reads.fetch_add(1, Ordering::SeqCst);
        if ahead == 0 {
            line.moves();
        }
        Some(Place {
            lines: self.clone(),
            line,
            joined: Instant::now(),
            ahead,
            answered: false,
        })
    }

    /// How many are busy, and how many idle.
    pub fn count(&self) -> (u32, u32) {
        let state = self.0.state();
        let busy = state.lines.iter().filter(|line| line.reads() > 0).count();
        (busy as u32, (state.lines.len() - busy) as u32)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether that is the end of it.
    fn take_in(
        &self,
        connected: Result<(AsyncPgConnection, Arc<AtomicBool>), ConnectionError>,
    ) -> bool {
        let mut state = self.state();
        match connected {
            Ok((connection, ended)) => {
                state.lines.push(Arc::new(Line {
                    connection,
                    ended,
                    since: Instant::now(),
                    reads: AtomicUsize::new(0),
                    moved: AtomicU64::new(0),
                }));
                state.refusal = None;
            }
            Err(error) => {
                state.refusal = Some(error.to_string());
                if state.lines.is_empty() && self.waiting.load(Ordering::SeqCst) > 0 {
                    return false;
                }
            }
        }
        state.opening -= 1;
        drop(state);
        self.opened.notify_waiters();
        true
    }
}

struct Waiting<'w>(&'w AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Opens one line; tries again as long as somebody waits who has no other.
async fn open(lines: Weak<Shared>) {
    let Some(source) = lines.upgrade().map(|lines| lines.source.clone()) else {
        return;
    };
    loop {
        let connected = source.connect_watched().await;
        let Some(lines) = lines.upgrade() else {
            return;
        };
        if lines.take_in(connected) {
            return;
        }
        drop(lines);
        sleep(OPEN_AGAIN).await;
    }
}

impl Line {
    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn is_over(&self, is_spare: bool) -> bool {
        let is_old = || self.since.elapsed() > LIFETIME;
        let is_unwanted = || is_spare && self.rests_for() > SPARE;
        self.ended.load(Ordering::Acquire) || (self.reads() == 0 && (is_old() || is_unwanted()))
    }

    fn is_slow(&self) -> bool {
        self.reads() > 0 && self.rests_for() > SLOW
    }

    fn moves(&self) {
        let now = self.since.elapsed().as_micros() as u64;
        self.moved.store(now, Ordering::Release);
    }

    fn rests_for(&self) -> Duration {
        let moved = Duration::from_micros(self.moved.load(Ordering::Acquire));
        self.since.elapsed().saturating_sub(moved)
    }
}

/// A read's place in a line, until it has its answer or leaves.
pub struct Place {
    lines: Lines,
    line: Arc<Line>,
    joined: Instant,
    /// Reads that came before.
    ahead: usize,
    answered: bool,
}

impl Place {
    pub fn connection(&self) -> &AsyncPgConnection {
        &self.line.connection
    }

    /// Whether the connection is known to have ended.
    pub fn is_over(&self) -> bool {
        self.line.ended.load(Ordering::Acquire)
    }

    pub fn has_others_ahead(&self) -> bool {
        self.ahead > 0
    }

    /// Whether nothing was answered on this line since it was joined.
    pub fn has_not_moved(&self) -> bool {
        self.line.rests_for() >= self.joined.elapsed()
    }

    pub fn has_answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.answered {
            self.line.moves();
            self.line.reads.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        let mut state = self.lines.0.state();
        let left = self.line.reads.fetch_sub(1, Ordering::SeqCst) - 1;
        let is_dead = self.has_not_moved() && self.joined.elapsed() >= super::CALL_LIMIT;
        if left > 0 && !is_dead {
            return;
        }
        // A statement is still running for nobody; the next read must not stand behind it.
        state.lines.retain(|line| !Arc::ptr_eq(line, &self.line));
        drop(state);
        if left == 0 && !self.is_over() {
            let statement = self.line.connection.cancel_token();
            self.lines.0.source.cancel_soon(statement);
        }
    }
}
