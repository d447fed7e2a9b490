//! An answer's body on its way to the client, watched until the client has room for it.
//!
//! Over HTTP/2 a client says for each answer how much of it it has room for, and one that says nothing leaves it in our
//! memory while the socket looks well. hyper asks a body for more without knowing of room, and what it has been given is
//! out of the body's hands; so it is the pieces themselves that tell when they are written.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};

use super::activity::{Handed, InFlight};

/// An answer of at most so much ends with its last piece, as every client has room for it in the beginning. A larger one
/// says that it ends only once its last piece has been written, for until then it can be taken back by itself.
const SMALL: usize = 16 * 1024;

/// An answer's body, which keeps its request in flight until it has been handed over.
pub(super) struct Counted<B> {
    body: B,
    in_flight: InFlight,
    waits: bool,
}

impl<B> Counted<B> {
    pub fn new(body: B, in_flight: InFlight) -> Self {
        Self {
            body,
            in_flight,
            waits: false,
        }
    }
}

impl<B> Body for Counted<B>
where
    B: Body<Data = Bytes, Error = io::Error> + Unpin,
{
    type Data = Piece;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, io::Error>>> {
        if !self.waits {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let in_flight = &self.in_flight;
                    let frame = frame.map_data(|bytes| Piece {
                        handed: in_flight.hand_over(),
                        bytes,
                    });
                    let large = frame
                        .data_ref()
                        .is_some_and(|piece| piece.bytes.len() > SMALL);
                    self.waits = large && self.in_flight.is_stream() && self.body.is_end_stream();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.waits = true,
            }
        }
        let taken = ready!(self.in_flight.poll_taken(cx));
        Poll::Ready(taken.err().map(Err))
    }

    fn is_end_stream(&self) -> bool {
        !self.waits && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer, which tell on HTTP/2 when they are written, and by being dropped that all of them are.
pub(super) struct Piece {
    bytes: Bytes,
    handed: Option<Handed>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(handed) = &self.handed {
            handed.moved();
        }
    }
}
