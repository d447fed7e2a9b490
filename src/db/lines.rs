//! The connections that reads share.
//!
//! PostgreSQL takes a connection's next statement before it has answered the last, and answers them in their order. So no
//! read waits for a connection to be given back; where all are busy it stands in the line that moves on soonest, and the
//! statements of a busy line cost both sides fewer system calls than one connection each. Nothing here opens a
//! transaction: that would be everybody's.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use diesel::result::ConnectionError;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout, timeout_at};

use super::{CALL_LIMIT, Error, Source};

/// How long a request waits for a place before it is told to come back.
const JOIN_LIMIT: Duration = Duration::from_secs(3);
/// From the first attempt to reach a server until its connection is ready for statements.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// A server that was restarted is found again soon, and one that stays away is not asked all the time.
const OPEN_AGAIN: Duration = Duration::from_millis(100);
/// So many are shared as long as nobody waits long: more would only make each line shorter. Beyond, there are as many as
/// the settings allow.
const SHARED: usize = 2;
/// A wait that is long: worth another connection.
const LONG: Duration = Duration::from_millis(20);
/// A line takes no more reads than these; what comes then waits, and is told so after a while.
const FULL: usize = 64;
/// One beyond the shared ones goes when it was not needed for so long.
const SPARE: Duration = Duration::from_secs(60);
/// Servers keep plans and memory for a connection; none is kept for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    source: Source,
    most: usize,
    state: Mutex<State>,
    /// There is a place perhaps.
    freed: Notify,
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
    opened: Instant,
    lifetime: Duration,
    /// Statements that are not answered yet.
    reads: AtomicUsize,
    /// Those among them that nobody waits for.
    left: AtomicUsize,
    /// In microseconds after `opened`: when an answer came last, or the line was taken up again.
    moved: AtomicU64,
    /// Microseconds from one answer to the next, of late.
    pace: AtomicU64,
}

impl Lines {
    /// No connection is made yet, so that a database which is down now can come later.
    pub fn new(source: Source, most: u32) -> Self {
        Self(Arc::new(Shared {
            source,
            most: most.max(1) as usize,
            state: Mutex::default(),
            freed: Notify::new(),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// A place in the line that moves on soonest. A statement that is prepared anew holds up its whole line, so those
    /// that are not kept have lines of their own, as far as there are some.
    pub async fn join(&self, is_kept: bool) -> Result<Place, Error> {
        if let Some(place) = self.pick(is_kept) {
            return Ok(place);
        }
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.0.waiting);
        let limit = tokio::time::Instant::now() + JOIN_LIMIT;
        loop {
            let mut freed = std::pin::pin!(self.0.freed.notified());
            freed.as_mut().enable();
            if let Some(place) = self.pick(is_kept) {
                return Ok(place);
            }
            if timeout_at(limit, freed).await.is_err() {
                let refusal = self.0.state().refusal.clone();
                let refusal = refusal.unwrap_or_else(|| "no connection became free".into());
                return Err(Error::Unavailable(refusal));
            }
        }
    }

    fn pick(&self, is_kept: bool) -> Option<Place> {
        let mut state = self.0.state();
        state.clear();
        let lines = state.lines.iter().enumerate();
        let best = lines
            .filter(|(_, line)| line.reads() < FULL)
            .min_by_key(|(place, line)| {
                let is_apart = (*place >= SHARED) != is_kept;
                (line.is_old(), line.waits(), !is_apart, line.reads())
            })
            .map(|(place, line)| (place, Arc::clone(line)));
        let open = state.lines.len() + state.opening;
        let wants_another = match &best {
            None => true,
            Some((place, line)) => {
                line.is_old()
                    || line.waits() > 0
                    || line.reads() > 0 && (open < SHARED || !is_kept && *place < SHARED)
            }
        };
        let replaces = best.as_ref().is_some_and(|(_, line)| line.is_old());
        let has_room = open < self.0.most + usize::from(replaces);
        if wants_another && has_room && (state.opening == 0 || open < SHARED) {
            state.opening += 1;
            tokio::spawn(self::open(Arc::downgrade(&self.0)));
        }
        // Counted while the lines are locked: whoever gives a line up must know that nobody joins it.
        let (_, line) = best?;
        let ahead = line.reads.fetch_add(1, Ordering::SeqCst);
        if ahead == 0 {
            line.takes_up();
        }
        Some(Place {
            lines: self.clone(),
            joined: line.now(),
            line,
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

    /// There is room for another, which those who wait can open.
    fn give_up(&self, state: &mut State, line: &Arc<Line>) {
        state.lines.retain(|known| !Arc::ptr_eq(known, line));
        self.freed.notify_waiters();
    }

    /// Whether it succeeded; else it is to be tried again.
    fn take_in(
        &self,
        connected: Result<(AsyncPgConnection, Arc<AtomicBool>), ConnectionError>,
    ) -> bool {
        let mut state = self.state();
        match connected {
            Ok((connection, ended)) => {
                state.lines.push(Arc::new(Line::new(connection, ended)));
                state.refusal = None;
            }
            Err(error) => {
                state.refusal = Some(error.to_string());
                return false;
            }
        }
        state.opening -= 1;
        drop(state);
        self.freed.notify_waiters();
        true
    }

    /// Whether somebody still needs a connection that could not be had; if not, the attempt is over.
    fn is_still_needed(&self) -> bool {
        let mut state = self.state();
        let is_needed = state.lines.is_empty() && self.waiting.load(Ordering::SeqCst) > 0;
        if !is_needed {
            state.opening -= 1;
        }
        is_needed
    }
}

impl State {
    /// Drops what has ended, what is old, and what was opened for a rush that is over.
    fn clear(&mut self) {
        let has_young = self.lines.iter().any(|line| !line.is_old());
        let mut place = 0;
        self.lines.retain(|line| {
            let is_unwanted =
                line.is_old() && has_young || place >= SHARED && line.rests_for() > SPARE;
            let goes = line.has_ended() || line.reads() == 0 && is_unwanted;
            place += usize::from(!goes);
            !goes
        });
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
        let connected = timeout(OPEN_LIMIT, source.connect_watched())
            .await
            .unwrap_or_else(|_| {
                let silent = format!("the server was not ready within {OPEN_LIMIT:?}");
                Err(ConnectionError::BadConnection(silent))
            });
        let is_done = match lines.upgrade() {
            Some(lines) => lines.take_in(connected),
            None => true,
        };
        if is_done {
            return;
        }
        sleep(OPEN_AGAIN).await;
        if !lines.upgrade().is_some_and(|lines| lines.is_still_needed()) {
            return;
        }
    }
}

impl Line {
    fn new(connection: AsyncPgConnection, ended: Arc<AtomicBool>) -> Self {
        Self {
            connection,
            ended,
            opened: Instant::now(),
            // Not all that were opened together go together.
            lifetime: LIFETIME.mul_f64(rand::random_range(1.0..1.5)),
            reads: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            pace: AtomicU64::new(0),
        }
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn is_old(&self) -> bool {
        self.opened.elapsed() > self.lifetime
    }

    /// How long a read would wait here by what was seen of late, in so many long waits.
    fn waits(&self) -> u128 {
        let reads = self.reads();
        if reads == 0 {
            return 0;
        }
        let pace = Duration::from_micros(self.pace.load(Ordering::Relaxed));
        let wait = self.rests_for().max(pace * reads as u32);
        wait.as_micros() / LONG.as_micros()
    }

    fn now(&self) -> u64 {
        self.opened.elapsed().as_micros() as u64
    }

    fn takes_up(&self) {
        self.moved.store(self.now(), Ordering::Release);
    }

    fn moves(&self) {
        let now = self.now();
        // Of two that move it at once, the later one counts.
        let took = now.saturating_sub(self.moved.fetch_max(now, Ordering::AcqRel));
        let pace = self.pace.load(Ordering::Relaxed);
        self.pace.store((7 * pace + took) / 8, Ordering::Relaxed);
    }

    fn rests_for(&self) -> Duration {
        let moved = Duration::from_micros(self.moved.load(Ordering::Acquire));
        self.opened.elapsed().saturating_sub(moved)
    }
}

/// A read's place in a line, until it has its answer or leaves.
pub struct Place {
    lines: Lines,
    line: Arc<Line>,
    /// As [`Line::moved`] counts. Two readings of the clock, one for each, would not do: what lies between them would now
    /// and then look like an answer on a line that is dead.
    joined: u64,
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
        self.line.has_ended()
    }

    pub fn has_others_ahead(&self) -> bool {
        self.ahead > 0
    }

    /// Whether nothing was answered on this line since it was joined.
    pub fn has_not_moved(&self) -> bool {
        self.line.moved.load(Ordering::Acquire) <= self.joined
    }

    fn waited(&self) -> Duration {
        Duration::from_micros(self.line.now() - self.joined)
    }

    /// Whether there is a line without a wait, or could be.
    pub fn could_be_better_elsewhere(&self) -> bool {
        let state = self.lines.0.state();
        state.lines.len() + state.opening < self.lines.0.most
            || state.lines.iter().any(|line| line.waits() == 0)
    }

    pub fn has_answered(&mut self) {
        self.answered = true;
    }

    /// The statement stays where it is, and others behind it; it counts until it has been answered.
    fn leave(&self) {
        let line = &self.line;
        let mut state = self.lines.0.state();
        line.left.fetch_add(1, Ordering::SeqCst);
        let is_dead = self.has_not_moved() && self.waited() >= CALL_LIMIT;
        if is_dead || line.has_ended() {
            self.lines.0.give_up(&mut state, line);
        } else if !self.lines.end_if_all_left(&mut state, line)
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(see_out(self.lines.clone(), Arc::clone(line)));
        }
    }
}

impl Lines {
    /// Gives a line up on which statements run for nobody, and has PostgreSQL end the one that runs: it would keep a
    /// processor and one of the server's connections until its time limit.
    fn end_if_all_left(&self, state: &mut State, line: &Arc<Line>) -> bool {
        let left = line.left.load(Ordering::SeqCst);
        if left == 0 || line.reads() != left {
            return false;
        }
        self.0.give_up(state, line);
        let (statement, ended) = (line.connection.cancel_token(), Arc::clone(&line.ended));
        self.0.source.cancel_soon(statement, ended);
        true
    }
}

/// Waits until a statement that was left has been answered: what is asked after it is answered after it.
async fn see_out(lines: Lines, line: Arc<Line>) {
    let mut connection = &line.connection;
    let answered = timeout(CALL_LIMIT, connection.batch_execute("")).await;
    let mut state = lines.0.state();
    if answered.is_err() {
        lines.0.give_up(&mut state, &line);
        return;
    }
    line.moves();
    line.left.fetch_sub(1, Ordering::SeqCst);
    line.reads.fetch_sub(1, Ordering::SeqCst);
    lines.0.freed.notify_one();
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.answered {
            return self.leave();
        }
        let line = &self.line;
        line.moves();
        line.reads.fetch_sub(1, Ordering::SeqCst);
        if line.left.load(Ordering::SeqCst) > 0 {
            let mut state = self.lines.0.state();
            self.lines.end_if_all_left(&mut state, line);
        }
        if self.lines.0.waiting.load(Ordering::SeqCst) > 0 {
            self.lines.0.freed.notify_one();
        }
    }
}
