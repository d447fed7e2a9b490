//! A multipart body as RFC 7578 has it, part by part, while it comes in.
//!
//! Readers that are to be had take in whatever is there before they look at it, and bound neither a part's header nor
//! what stands between parts. This one holds what its network gave it last, and where a header or the mark between two
//! parts is cut by that, as much more as those may be long. It is strict: nothing stands before the first mark.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem::Finder;
use memchr::memrchr;
use poem::Body;

use super::fault::Fault;
use super::head::Head;
use crate::http::paced::{NotRead, Pace, Paced};

/// Of the header of one part: a name, a file's name, and a type.
const LONGEST_HEADER: usize = 8 * 1024;
/// What may stand behind a mark on its line.
const LONGEST_PADDING: usize = 64;
/// Behind the last mark there may be anything; what is longer makes its file seem longer before it comes.
const LONGEST_EPILOGUE: usize = 1024;

pub struct Reader {
    body: Paced,
    /// What has come and was not looked at.
    ahead: Bytes,
    /// `\r\n--boundary`: what ends a part.
    mark: Finder<'static>,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Beginning,
    /// Behind a mark, before a header.
    Header,
    Content,
    /// Behind the last mark. What follows is nobody's.
    End,
}

impl Reader {
    pub fn new(body: Body, boundary: &str, pace: Pace) -> Self {
        let mark = format!("\r\n--{boundary}");
        Self {
            body: Paced::new(body, pace),
            // The first mark needs no line before it.
            ahead: Bytes::from_static(b"\r\n"),
            mark: Finder::new(mark.as_bytes()).into_owned(),
            at: At::Beginning,
        }
    }

    /// What is to be counted on from here on. How much has come already stays.
    pub fn go_on_at(&mut self, pace: Pace) {
        self.body.go_on_at(pace);
    }

    /// How long the content is at which the body is, if the body is this long and no other part comes.
    pub fn last_content(&self, body: u64) -> Option<u64> {
        let looked_at = self.body.taken().saturating_sub(self.ahead.len() as u64);
        let end = self.mark.needle().len() + b"--".len() + LONGEST_EPILOGUE;
        body.checked_sub(looked_at + end as u64)
    }

    /// The next part, past what is left of the one before; none behind the last.
    pub async fn part(&mut self) -> Result<Option<Head>, Fault> {
        match self.at {
            At::Beginning => self.begin().await?,
            At::Content => while self.piece().await?.is_some() {},
            At::Header | At::End => {}
        }
        match self.at {
            At::End => Ok(None),
            _ => self.head().await.map(Some),
        }
    }

    /// What comes next of the part's content; none at its end, once it is known whether there is another part.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if let Some(at) = self.mark.find(&self.ahead) {
                if at > 0 {
                    return Ok(Some(self.ahead.split_to(at)));
                }
                self.pass_mark().await?;
                return Ok(None);
            }
            let whole = self.ahead.len() - self.begun_mark();
            if whole > 0 {
                return Ok(Some(self.ahead.split_to(whole)));
            }
            self.more().await?;
        }
    }

    /// Whether there is no further part.
    pub fn is_at_end(&self) -> bool {
        self.at == At::End
    }

    /// All of the part's content.
    pub async fn content(&mut self, most: usize) -> Result<Result<Bytes, TooLong>, Fault> {
        let mut content = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if piece.len() > most - content.len() {
                return Ok(Err(TooLong));
            }
            content.extend_from_slice(&piece);
        }
        Ok(Ok(content.freeze()))
    }

    async fn begin(&mut self) -> Result<(), Fault> {
        let length = self.mark.needle().len();
        while self.ahead.len() < length && self.mark.needle().starts_with(&self.ahead) {
            self.more().await?;
        }
        match self.ahead.starts_with(self.mark.needle()) {
            true => self.pass_mark().await,
            false => Err(Fault::malformed(
                "it does not begin with the boundary that Content-Type names",
            )),
        }
    }

    /// Goes past a mark, at which the body is.
    async fn pass_mark(&mut self) -> Result<(), Fault> {
        self.ahead.advance(self.mark.needle().len());
        while self.ahead.len() < 2 {
            self.more().await?;
        }
        if self.ahead.starts_with(b"--") {
            self.at = At::End;
            return Ok(());
        }
        let mut padding = 0;
        loop {
            match *self.ahead {
                [b' ' | b'\t', ..] if padding < LONGEST_PADDING => {
                    self.ahead.advance(1);
                    padding += 1;
                }
                [b'\r', b'\n', ..] => {
                    self.ahead.advance(2);
                    self.at = At::Header;
                    return Ok(());
                }
                [] | [b'\r'] => self.more().await?,
                _ => {
                    return Err(Fault::malformed(
                        "something else than a new line stands behind a boundary",
                    ));
                }
            }
        }
    }

    async fn head(&mut self) -> Result<Head, Fault> {
        let end = Finder::new(b"\r\n\r\n");
        let length = loop {
            if let Some(length) = end.find(&self.ahead)
                && length <= LONGEST_HEADER
            {
                break length;
            }
            if self.ahead.len() > LONGEST_HEADER {
                return Err(Fault::malformed("the header of a part is too long"));
            }
            self.more().await?;
        };
        let lines = self.ahead.split_to(length);
        self.ahead.advance(4);
        self.at = At::Content;
        Head::read(&lines)
    }

    /// How much at the end of what came may be the beginning of a mark.
    fn begun_mark(&self) -> usize {
        let mark = self.mark.needle();
        let tail = self.ahead.len().saturating_sub(mark.len() - 1);
        let last = memrchr(b'\r', self.ahead.get(tail..).unwrap_or_default());
        let Some(at) = last.map(|at| tail + at) else {
            return 0;
        };
        let begun = self.ahead.get(at..).unwrap_or_default();
        match mark.starts_with(begun) {
            true => begun.len(),
            false => 0,
        }
    }

    /// Reads on. The end of the body is a fault: it has a mark of its own, behind which nothing is read.
    async fn more(&mut self) -> Result<(), Fault> {
        let chunk = match self.body.next().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Err(Fault::malformed("it ends before its last boundary")),
            Err(NotRead::TooSlow) => return Err(Fault::TooSlow),
            Err(NotRead::TooMuch) => return Err(Fault::TooMuch),
            Err(NotRead::Broken(error)) => return Err(Fault::of(&error)),
        };
        if self.ahead.is_empty() {
            self.ahead = chunk;
            return Ok(());
        }
        let mut both = BytesMut::with_capacity(self.ahead.len() + chunk.len());
        both.extend_from_slice(&self.ahead);
        both.extend_from_slice(&chunk);
        self.ahead = both.freeze();
        Ok(())
    }
}

/// More than may stand there.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;
