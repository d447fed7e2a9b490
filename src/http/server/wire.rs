//! A connection's socket, watched: whether the other side still takes what we send, and heard out before it is closed.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep, sleep_until},
};

use super::{ServerLimits, activity::Activity};

/// What a client still sends after our last word is thrown away: until it has been silent for so long, which is time for
/// a round trip and a packet lost on it, and no longer, nor more of it, than this.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_AT_MOST: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 16 << 20;
/// A browser reads an answer that refuses nothing only behind its last byte; what a page sends is heard out for so long,
/// which is less than a connection may be idle.
const LINGER_FOR_PAGES: Duration = Duration::from_secs(60);

/// The socket. It keeps the connection's place among the open ones, also where it lives on as a WebSocket.
pub(super) struct Wire {
    stream: TcpStream,
    activity: Arc<Activity>,
    stall_limit: Duration,
    stall: Option<Pin<Box<Sleep>>>,
    half_closed_limit: Duration,
    half_closed: Option<Pin<Box<Sleep>>>,
    lingering: Option<Lingering>,
    _place: OwnedSemaphorePermit,
}

struct Lingering {
    until: Pin<Box<Sleep>>,
    at_most: Instant,
    /// How much more is thrown away.
    left: usize,
}

impl Lingering {
    fn begin(reads_last: bool) -> Self {
        let now = Instant::now();
        let (at_most, left) = match reads_last {
            true => (LINGER_FOR_PAGES, usize::MAX),
            false => (LINGER_AT_MOST, LINGER_BYTES),
        };
        Self {
            until: Box::pin(sleep_until(now + LINGER)),
            at_most: now + at_most,
            left,
        }
    }

    /// So much more has come. Whether there is patience for more.
    fn throws_away(&mut self, bytes: usize) -> bool {
        let until = self.at_most.min(Instant::now() + LINGER);
        self.until.as_mut().reset(until);
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(0);
        left.is_some() && Instant::now() < self.at_most
    }
}

impl Wire {
    pub fn new(
        stream: TcpStream,
        activity: Arc<Activity>,
        limits: &ServerLimits,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            stream,
            activity,
            stall_limit: limits.stalled_write,
            stall: None,
            half_closed_limit: limits.half_closed,
            half_closed: None,
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

    /// Closing a socket on which bytes lie unread, or arrive later, resets it, and a reset takes the answer with it that
    /// the client has not read yet (a refused upload, say). So what still comes after our last word is thrown away for a
    /// while, or until the client closes in turn.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 16 * 1024];
        let reads_last = self.activity.reads_last();
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let lingering = self
                        .lingering
                        .get_or_insert_with(|| Lingering::begin(reads_last));
                    if !lingering.throws_away(buffer.filled().len()) {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => {
                    return match &mut self.lingering {
                        Some(lingering) => lingering.until.as_mut().poll(cx),
                        // Nothing lies unread and nothing is to come, as after every request that was read to its end.
                        None => Poll::Ready(()),
                    };
                }
            }
        }
    }

    /// The client has closed its side. One that only says by this that it asks no more still waits for its answer; one
    /// that is gone should be worked for no longer. They look the same until something is sent, so the end is kept back
    /// for a while from hyper, which would drop the request on it.
    fn poll_half_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.half_closed_limit;
        loop {
            let Some(last_byte) = self.activity.ended(cx.waker()) else {
                return Poll::Ready(());
            };
            let half_closed = self
                .half_closed
                .get_or_insert_with(|| Box::pin(sleep(limit)));
            ready!(half_closed.as_mut().poll(cx));
            // Who takes its answer is there.
            if last_byte + limit <= Instant::now() {
                return Poll::Ready(());
            }
            half_closed.as_mut().reset(last_byte + limit);
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
        } else if buffer.remaining() > 0 {
            ready!(self.poll_half_closed(cx));
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
            if self.activity.may_be_sent_more() {
                self.lingering = Some(Lingering::begin(self.activity.reads_last()));
            }
        }
        ready!(self.poll_linger(cx));
        Poll::Ready(Ok(()))
    }
}
