//! An answer's body of a known length that comes piece by piece.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, SizeHint};

/// Ends with its last byte. One that ends before is an error, so that nobody takes it for whole.
pub struct Sized {
    pieces: BoxBody<Bytes, io::Error>,
    left: u64,
}

impl Sized {
    pub fn new(pieces: poem::Body, length: u64) -> Self {
        Self {
            pieces: pieces.into(),
            left: length,
        }
    }
}

impl Body for Sized {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let Some(frame) = ready!(Pin::new(&mut self.pieces).poll_frame(cx)?) else {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        };
        let length = frame.data_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(Some(match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Ok(frame)
            }
            None => Err(io::Error::other("more came than was promised")),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    async fn read(pieces: &[&'static str], length: u64) -> io::Result<Bytes> {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, io::Error>(Bytes::from(*piece)))
            .collect();
        let body = Sized::new(poem::Body::from_bytes_stream(stream::iter(pieces)), length);
        assert_eq!(body.size_hint().exact(), Some(length));
        Ok(body.collect().await?.to_bytes())
    }

    #[tokio::test]
    async fn what_was_promised_comes_or_an_error_does() {
        assert_eq!(read(&["ab", "c"], 3).await.unwrap(), "abc");
        assert_eq!(read(&[], 0).await.unwrap(), "");
        let early = read(&["ab"], 3).await.unwrap_err();
        assert_eq!(early.kind(), io::ErrorKind::UnexpectedEof);
        assert!(read(&["abcd"], 3).await.is_err());
    }
}
