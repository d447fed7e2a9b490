//! A connection's socket, watched: what it is busy with, and whether the other side still takes what we send.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep},
};

use super::ServerLimits;

/// How long a connection that is leaving may be silent before it is let go.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long, and how much, of what a client still sends is thrown away after our last word.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 16 << 20;

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
    /// Ask it to go: a request that crosses with this is still answered.
    Leave,
    Cut,
}

/// What a connection is busy with, told by its socket and its requests.
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
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Plain values, each written whole: a panic elsewhere leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's header has been read. The request lasts until the guard is dropped.
    pub fn begin(self: &Arc<Self>, http2: bool) -> InFlight {
        let mut state = self.state();
        state.requests += 1;
        state.met = true;
        state.http2 = http2;
        state.header_since = None;
        InFlight(Arc::clone(self))
    }

    fn read(&self) {
        let mut state = self.state();
        state.last_byte = Instant::now();
        if state.requests == 0 && state.header_since.is_none() {
            state.header_since = Some(state.last_byte);
        }
    }

    fn wrote(&self) {
        let mut state = self.state();
        state.last_byte = Instant::now();
        if state.write_blocked {
            state.write_blocked = false;
            state.idle_since = state.last_byte;
        }
    }

    fn write_blocked(&self) {
        self.state().write_blocked = true;
    }

    /// What is to be done about this connection if nothing changes.
    ///
    /// One set of rules for both protocols, kept here because nothing below has them whole: hyper-util tells HTTP/1
    /// from HTTP/2 by reading the first bytes without any limit, hyper's own limit on headers runs from the end of the
    /// answer before, so that it would close idle connections as early as trickling ones, and HTTP/2 has none for
    /// headers that come in pieces.
    pub fn due(&self, leaving_since: Option<Instant>, limits: &ServerLimits) -> Due {
        let state = self.state();
        if state.requests > 0 || state.write_blocked {
            let pause = match leaving_since {
                Some(_) => FAREWELL,
                None => limits.idle,
            };
            return Due {
                at: Instant::now() + pause,
                then: Then::LookAgain,
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
}

/// A request in flight, counted until dropped.
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests -= 1;
        state.idle_since = Instant::now();
        state.header_since = None;
    }
}

/// The socket. It keeps the connection's place among the open ones, also where it lives on as a WebSocket.
pub(super) struct Wire {
    stream: TcpStream,
    activity: Arc<Activity>,
    stall_limit: Duration,
    stall: Option<Pin<Box<Sleep>>>,
    lingering: Option<Lingering>,
    _place: OwnedSemaphorePermit,
}

struct Lingering {
    until: Pin<Box<Sleep>>,
    thrown_away: usize,
}

impl Wire {
    pub fn new(
        stream: TcpStream,
        activity: Arc<Activity>,
        stall_limit: Duration,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            stream,
            activity,
            stall_limit,
            stall: None,
            lingering: None,
            _place: place,
        }
    }

    /// Judges what a write came to. A client that takes nothing for too long is given up: its answer would stay in
    /// memory, and its connection open, for as long as it likes.
    fn progress(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stall = None;
            self.activity.wrote();
            return written;
        }
        let limit = self.stall_limit;
        let stall = self.stall.get_or_insert_with(|| {
            self.activity.write_blocked();
            Box::pin(sleep(limit))
        });
        ready!(stall.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Closing a socket on which bytes lie unread resets it, and a reset takes the answer with it that the client has
    /// not read yet (a refused upload, say). So what still comes after our last word is thrown away for a while.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 16 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let lingering = self.lingering.get_or_insert_with(|| Lingering {
                        until: Box::pin(sleep(LINGER)),
                        thrown_away: 0,
                    });
                    lingering.thrown_away += buffer.filled().len();
                    if lingering.thrown_away > LINGER_BYTES {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    return match &mut self.lingering {
                        Some(lingering) => lingering.until.as_mut().poll(cx),
                        // Nothing lay unread, as after every request that was read to its end.
                        None => Poll::Ready(()),
                    };
                }
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.activity.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.progress(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.progress(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        ready!(self.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}
