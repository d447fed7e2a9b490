//! What a connection is busy with, told by its socket, its requests and their answers, and what is due about it.

use std::{
    io, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use hyper::body::Incoming;
use tokio::time::Instant;

use super::ServerLimits;

/// How long a connection that is leaving may be silent before it is let go.
const FAREWELL: Duration = Duration::from_millis(500);

/// An answer that stands still while others on its connection move may only be waiting for its turn, and is given so
/// many times as long before the connection ends for it.
const BEHIND_OTHERS: u32 = 4;

/// When to look at a connection again, and what to do then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub at: Instant,
    pub then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Somebody is at work: nothing to close, but it may have fallen idle by then without anybody saying so.
    LookAgain,
    /// An answer is not taken: it is to be given up.
    GiveUp,
    /// Ask it to go: a request that crosses with this is still answered.
    Leave,
    Cut,
}

/// What a connection is busy with.
pub(super) struct Activity(Mutex<State>);

struct State {
    /// Requests that have begun and whose answers have not been handed over whole.
    requests: usize,
    write_blocked: bool,
    met: bool,
    http2: bool,
    idle_since: Instant,
    header_since: Option<Instant>,
    last_byte: Instant,
    /// Of HTTP/1, where each request's body stands in the way of the next request.
    request_body: RequestBody,
    /// The client reads its answer only once it has sent all of its request.
    reads_last: bool,
    /// Of HTTP/2, where the answers of one connection wait for room each for itself.
    answers: Vec<Answer>,
    answers_begun: u64,
    answer_moved: Instant,
    /// Who is to be told of the client's end when there is no answer under way any more.
    ended: Option<Waker>,
}

/// What has become of a request's body.
pub(super) enum RequestBody {
    /// There is nothing of it to come.
    Read,
    /// Somebody reads it, or gave up reading it.
    Open,
    /// Nobody wanted the rest.
    Left(Incoming),
}

/// An answer on HTTP/2, from its request on until the last of it was written to the socket.
struct Answer {
    id: u64,
    /// Its body, and each piece of it that waits.
    holders: usize,
    /// Handed over to be sent, and held until the client has room for them.
    pieces: usize,
    /// When the client last took something of it; when it was handed over, if nothing yet.
    moved: Instant,
    /// The body waits for its last piece to go. Only then can an answer end by itself: before that it is within hyper,
    /// which asks for nothing until there is room.
    waiting: Option<Waker>,
    given_up: bool,
}

impl Answer {
    /// When it has stood still for too long.
    fn overdue(&self, answer_moved: Instant, limit: Duration) -> Option<Instant> {
        if self.pieces == 0 || self.given_up {
            return None;
        }
        let others_move = answer_moved > self.moved;
        Some(match others_move && self.waiting.is_none() {
            true => self.moved + limit * BEHIND_OTHERS,
            false => self.moved + limit,
        })
    }
}

impl State {
    fn answer(&mut self, id: u64) -> Option<&mut Answer> {
        self.answers.iter_mut().find(|answer| answer.id == id)
    }

    fn overdue(&self, limit: Duration) -> Option<Instant> {
        let overdue = |answer: &Answer| answer.overdue(self.answer_moved, limit);
        self.answers.iter().filter_map(overdue).min()
    }

    /// One holder of an answer less; with the last, its request is over. Returns who is to be woken.
    fn let_go(&mut self, answer: Option<u64>) -> Option<Waker> {
        if let Some(id) = answer {
            let at = self.answers.iter().position(|answer| answer.id == id)?;
            let answer = self.answers.get_mut(at)?;
            answer.holders -= 1;
            if answer.holders > 0 {
                return None;
            }
            self.answers.swap_remove(at);
        }
        self.requests -= 1;
        self.idle_since = Instant::now();
        self.header_since = None;
        self.ended.take()
    }
}

impl Activity {
    pub fn new() -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self(Mutex::new(State {
            requests: 0,
            write_blocked: false,
            met: false,
            http2: false,
            idle_since: now,
            header_since: None,
            last_byte: now,
            request_body: RequestBody::Read,
            reads_last: false,
            answers: Vec::new(),
            answers_begun: 0,
            answer_moved: now,
            ended: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain values, each written whole: a panic elsewhere leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's header has been read on HTTP/1, and its body too unless one is to come. The request lasts until the
    /// guard is dropped.
    pub fn begin(self: &Arc<Self>, is_read: bool) -> InFlight {
        let mut state = self.state();
        state.requests += 1;
        state.met = true;
        state.header_since = None;
        state.request_body = match is_read {
            true => RequestBody::Read,
            false => RequestBody::Open,
        };
        InFlight {
            activity: Arc::clone(self),
            answer: None,
        }
    }

    /// The same on HTTP/2: the request lasts until the last piece of its answer has been taken.
    pub fn begin_stream(self: &Arc<Self>) -> InFlight {
        let mut state = self.state();
        state.requests += 1;
        state.met = true;
        state.http2 = true;
        state.header_since = None;
        state.answers_begun += 1;
        let (id, moved) = (state.answers_begun, state.last_byte);
        state.answers.push(Answer {
            id,
            holders: 1,
            pieces: 0,
            moved,
            waiting: None,
            given_up: false,
        });
        InFlight {
            activity: Arc::clone(self),
            answer: Some(id),
        }
    }

    /// What has become of the request's body. A rest that was left is given away, and counts as open from then on.
    pub fn request_body(&self) -> RequestBody {
        let mut state = self.state();
        match state.request_body {
            RequestBody::Read => RequestBody::Read,
            _ => mem::replace(&mut state.request_body, RequestBody::Open),
        }
    }

    pub fn set_request_body(&self, body: RequestBody) {
        self.state().request_body = body;
    }

    /// Whether the client may be sending what nobody will read: the rest of a body, or of a header that was refused.
    pub fn may_be_sent_more(&self) -> bool {
        let state = self.state();
        let in_header = !state.http2 && state.header_since.is_some();
        in_header || !matches!(state.request_body, RequestBody::Read)
    }

    pub fn set_reads_last(&self) {
        self.state().reads_last = true;
    }

    pub fn reads_last(&self) -> bool {
        self.state().reads_last
    }

    pub fn read(&self) {
        let mut state = self.state();
        state.last_byte = Instant::now();
        let body_read = matches!(state.request_body, RequestBody::Read);
        if state.requests == 0 && body_read && state.header_since.is_none() {
            state.header_since = Some(state.last_byte);
        }
    }

    /// The client has said its last. If an answer is under way on HTTP/1, this is when it was last seen to be there, and
    /// the waker is woken once the answer has been handed over.
    pub fn ended(&self, waker: &Waker) -> Option<Instant> {
        let mut state = self.state();
        if state.http2 || state.requests == 0 {
            return None;
        }
        state.ended = Some(waker.clone());
        Some(state.last_byte)
    }

    pub fn wrote(&self) {
        let mut state = self.state();
        state.last_byte = Instant::now();
        if state.write_blocked {
            state.write_blocked = false;
            state.idle_since = state.last_byte;
        }
    }

    pub fn write_blocked(&self) {
        self.state().write_blocked = true;
    }

    /// What is to be done about this connection if nothing changes.
    ///
    /// One set of rules for both protocols, kept here because nothing below has them whole: hyper-util tells HTTP/1
    /// from HTTP/2 by reading the first bytes without any limit, hyper's own limit on headers runs from the end of the
    /// answer before, so that it would close idle connections as early as trickling ones, and HTTP/2 has none for
    /// headers that come in pieces, nor for answers that nobody takes.
    pub fn due(&self, leaving_since: Option<Instant>, limits: &ServerLimits) -> Due {
        let state = self.state();
        if state.requests > 0 || state.write_blocked {
            let pause = match leaving_since {
                Some(_) => FAREWELL,
                None => limits.idle,
            };
            let at = Instant::now() + pause;
            return match state.overdue(limits.stalled_write) {
                Some(overdue) if overdue < at => Due {
                    at: overdue,
                    then: Then::GiveUp,
                },
                _ => Due {
                    at,
                    then: Then::LookAgain,
                },
            };
        }
        if let Some(leaving_since) = leaving_since {
            let silent = state.last_byte.max(leaving_since) + FAREWELL;
            return Due {
                at: silent.min(leaving_since + limits.header),
                then: Then::Cut,
            };
        }
        let header_since = match state.header_since {
            _ if !state.met => Some(state.idle_since),
            // Its pings are bytes too and begin no header.
            _ if state.http2 => None,
            since => since,
        };
        match header_since {
            Some(since) => Due {
                at: since + limits.header,
                then: Then::Cut,
            },
            None => Due {
                at: state.idle_since + limits.idle,
                then: Then::Leave,
            },
        }
    }

    /// Ends the answers that have stood still for too long. Not all of them can end by themselves; if one can't, this is
    /// false, and its connection must end.
    pub fn give_up(&self, limits: &ServerLimits) -> bool {
        let mut woken = Vec::new();
        let mut state = self.state();
        let now = Instant::now();
        let answer_moved = state.answer_moved;
        for answer in &mut state.answers {
            let overdue = answer.overdue(answer_moved, limits.stalled_write);
            if overdue.is_none_or(|at| at > now) {
                continue;
            }
            let Some(waker) = answer.waiting.take() else {
                return false;
            };
            answer.given_up = true;
            woken.push(waker);
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
        true
    }
}

/// A request in flight, counted until dropped.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    answer: Option<u64>,
}

impl InFlight {
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    pub fn is_stream(&self) -> bool {
        self.answer.is_some()
    }

    /// Watches a piece of the answer from here on until it has been written. On HTTP/1 there is no need: what is handed
    /// over goes to the socket next, and that is watched.
    pub fn hand_over(&self) -> Option<Handed> {
        let id = self.answer?;
        let now = Instant::now();
        let mut state = self.activity.state();
        let answer = state.answer(id)?;
        if answer.pieces == 0 {
            answer.moved = now;
        }
        answer.pieces += 1;
        answer.holders += 1;
        Some(Handed {
            activity: Arc::clone(&self.activity),
            id,
        })
    }

    /// Ready when all that was handed over has been written, and an error if that is no longer waited for.
    pub fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.activity.state();
        let Some(answer) = self.answer.and_then(|id| state.answer(id)) else {
            return Poll::Ready(Ok(()));
        };
        if answer.given_up {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if answer.pieces == 0 {
            return Poll::Ready(Ok(()));
        }
        answer.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let woken = self.activity.state().let_go(self.answer);
        if let Some(waker) = woken {
            waker.wake();
        }
    }
}

/// A piece of an answer on HTTP/2 that has been handed over, until it is dropped.
pub(super) struct Handed {
    activity: Arc<Activity>,
    id: u64,
}

impl Handed {
    /// The client has taken some of it.
    pub fn moved(&self) {
        let now = Instant::now();
        let mut state = self.activity.state();
        state.answer_moved = now;
        if let Some(answer) = state.answer(self.id) {
            answer.moved = now;
        }
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        let mut taken = None;
        if let Some(answer) = state.answer(self.id) {
            answer.pieces -= 1;
            if answer.pieces == 0 {
                taken = answer.waiting.take();
            }
        }
        let ended = state.let_go(Some(self.id));
        drop(state);
        [taken, ended].into_iter().flatten().for_each(Waker::wake);
    }
}
