//! A file on its way in, which is held to what may come: counted, hashed, and broken off as soon as it is too much.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, Fuse};
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};

use super::IntakeFault;
use crate::media::checksum::Checksum;
use crate::media::incoming::{Broken, Incoming};
use crate::media::kind::HEAD;

type Hash = [u8; 32];

/// What a file may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of any file of its kind.
    pub most: u64,
    /// What the account has left, of all that it may have.
    pub room: u64,
    pub quota: u64,
    /// What it has to be.
    pub expected: Option<Checksum>,
}

impl Bounds {
    fn admit(&self, size: u64) -> Result<(), IntakeFault> {
        if size > self.most {
            return Err(IntakeFault::TooLarge { most: self.most });
        }
        if size > self.room {
            return Err(IntakeFault::NoRoom { most: self.quota });
        }
        Ok(())
    }
}

/// It ends only if all of it has come and is right; so whatever stores it stores nothing else.
pub struct Checked {
    /// What was looked at, and comes once more.
    begun: VecDeque<Bytes>,
    /// Asked again where its end was met while its head was looked at.
    rest: Fuse<BoxStream<'static, Result<Bytes, Broken>>>,
    bounds: Bounds,
    size: u64,
    hash: Sha256,
    ended: Option<Hash>,
}

impl Checked {
    /// Where it says that it is too much, none of it is read.
    pub fn new(file: Incoming, bounds: Bounds) -> Result<Self, IntakeFault> {
        bounds.admit(file.announced.unwrap_or_default())?;
        Ok(Self {
            begun: VecDeque::new(),
            rest: file.bytes.fuse(),
            bounds,
            size: 0,
            hash: Sha256::new(),
            ended: None,
        })
    }

    /// Its first bytes; all of them where there are fewer.
    pub async fn head(&mut self) -> Result<Bytes, IntakeFault> {
        let mut head = BytesMut::new();
        while head.len() < HEAD {
            let Some(piece) = self.rest.next().await else {
                break;
            };
            let piece = piece.map_err(IntakeFault::Incomplete)?;
            head.extend_from_slice(&piece[..piece.len().min(HEAD - head.len())]);
            self.begun.push_back(piece);
        }
        match head.is_empty() {
            true => Err(IntakeFault::Empty),
            false => Ok(head.freeze()),
        }
    }

    /// The SHA-256 of all of it, once it has ended.
    pub fn hash(&self) -> Option<Hash> {
        self.ended
    }

    fn check(&mut self, piece: &Bytes) -> Result<(), IntakeFault> {
        self.size += piece.len() as u64;
        self.bounds.admit(self.size)?;
        self.hash.update(piece);
        Ok(())
    }

    fn end(&mut self) -> Result<(), IntakeFault> {
        let hash = std::mem::take(&mut self.hash).finalize().into();
        if self.size == 0 {
            return Err(IntakeFault::Empty);
        }
        if self
            .bounds
            .expected
            .is_some_and(|Checksum(expected)| expected != hash)
        {
            return Err(IntakeFault::ChecksumMismatch);
        }
        self.ended = Some(hash);
        Ok(())
    }
}

impl Stream for Checked {
    type Item = Result<Bytes, IntakeFault>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = match self.begun.pop_front() {
            Some(piece) => Some(Ok(piece)),
            None => ready!(self.rest.poll_next_unpin(cx)),
        };
        Poll::Ready(match piece {
            Some(Ok(piece)) => Some(self.check(&piece).map(|()| piece)),
            Some(Err(broken)) => Some(Err(IntakeFault::Incomplete(broken))),
            None if self.ended.is_some() => None,
            None => self.end().err().map(Err),
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{TryStreamExt, stream};

    use super::*;

    const BOUNDS: Bounds = Bounds {
        most: 10,
        room: 8,
        quota: 50,
        expected: None,
    };

    fn coming(bytes: BoxStream<'static, Result<Bytes, Broken>>, bounds: Bounds) -> Checked {
        let file = Incoming {
            bytes,
            ..Incoming::of(Vec::new())
        };
        Checked::new(file, bounds).unwrap()
    }

    fn of(pieces: &[&'static str], end: Option<Broken>, bounds: Bounds) -> Checked {
        let pieces = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let pieces: Vec<_> = pieces.chain(end.map(Err)).collect();
        // As files of a request are: they do not take to be asked beyond their end.
        let once = stream::unfold(pieces.into_iter(), async |mut pieces| {
            pieces.next().map(|piece| (piece, pieces))
        });
        coming(once.boxed(), bounds)
    }

    async fn whole(mut checked: Checked) -> Result<(Vec<u8>, Hash), IntakeFault> {
        checked.head().await?;
        let mut whole = Vec::new();
        while let Some(piece) = checked.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok((whole, checked.hash().unwrap()))
    }

    #[tokio::test]
    async fn what_was_looked_at_comes_too() {
        let hash: Hash = Sha256::digest("abcdef").into();
        let bounds = Bounds {
            expected: Some(Checksum(hash)),
            ..BOUNDS
        };
        for pieces in [&["abcdef"][..], &["", "a", "", "bcde", "f"]] {
            let (bytes, hashed) = whole(of(pieces, None, bounds)).await.unwrap();
            assert_eq!((&bytes[..], hashed), (&b"abcdef"[..], hash));
        }
    }

    #[tokio::test]
    async fn a_long_file_is_looked_at_only_so_far() {
        let piece = Bytes::from(vec![7; 10_000]);
        let pieces: Vec<_> = vec![Ok(piece); 10];
        let bounds = Bounds {
            most: 1 << 20,
            room: 1 << 20,
            ..BOUNDS
        };
        let mut checked = coming(stream::iter(pieces).boxed(), bounds);
        assert_eq!(checked.head().await.unwrap().len(), HEAD);
        assert_eq!(checked.begun.len(), 2);
        let whole: Vec<Bytes> = (&mut checked).try_collect().await.unwrap();
        assert_eq!(whole.concat(), vec![7; 100_000]);
        assert_eq!(
            checked.hash().unwrap(),
            <Hash>::from(Sha256::digest(vec![7; 100_000]))
        );
    }

    #[test]
    fn what_says_that_it_is_too_much_is_not_begun() {
        let fault = |announced| {
            let file = Incoming {
                announced,
                ..Incoming::of(Vec::new())
            };
            Checked::new(file, BOUNDS).err()
        };
        assert!(fault(None).is_none());
        assert!(fault(Some(8)).is_none());
        assert!(matches!(
            fault(Some(9)),
            Some(IntakeFault::NoRoom { most: 50 })
        ));
        assert!(matches!(
            fault(Some(11)),
            Some(IntakeFault::TooLarge { most: 10 })
        ));
    }

    #[tokio::test]
    async fn what_may_not_be_ends_in_an_error() {
        let other = Bounds {
            expected: Some(Checksum([0; 32])),
            ..BOUNDS
        };
        let narrow = Bounds { room: 20, ..BOUNDS };
        assert!(matches!(
            whole(of(&[], None, BOUNDS)).await,
            Err(IntakeFault::Empty)
        ));
        assert!(matches!(
            whole(of(&["", ""], None, BOUNDS)).await,
            Err(IntakeFault::Empty)
        ));
        assert!(matches!(
            whole(of(&["12345678", "90", "1"], None, narrow)).await,
            Err(IntakeFault::TooLarge { most: 10 })
        ));
        assert!(matches!(
            whole(of(&["12345678", "9"], None, BOUNDS)).await,
            Err(IntakeFault::NoRoom { most: 50 })
        ));
        assert!(matches!(
            whole(of(&["abcdef"], None, other)).await,
            Err(IntakeFault::ChecksumMismatch)
        ));
        for pieces in [&[][..], &["abc"]] {
            assert!(matches!(
                whole(of(pieces, Some(Broken::Left), BOUNDS)).await,
                Err(IntakeFault::Incomplete(Broken::Left))
            ));
        }
    }
}
