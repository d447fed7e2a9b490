//! Whether a virus scanner finds anything in a file: clamd, by its `INSTREAM`.
//!
//! Only one answer lets a file pass: `stream: OK`, to the whole of it. Whatever else happens (a scanner that is away, slow,
//! full, restarted, or not one at all) means that the file was not scanned, and nothing fails open. How much clamd takes
//! is a setting of its own, and the protocol has no way to ask: it breaks off instead, and that is no answer either.

mod answer;

#[cfg(test)]
mod tests;

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::answer::judge;
use crate::config::Clamav;
use crate::storage::StorageError;

/// Bytes that are sent under one length.
const CHUNK: usize = 64 << 10;
/// An answer is a line.
const LONGEST_ANSWER: u64 = 1_024;

/// What a scanner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Clean,
    /// As the scanner names it.
    Found(String),
}

/// Why there is no verdict. All of it may pass.
#[derive(Debug, thiserror::Error)]
pub enum NotScanned {
    #[error("the scanner can't be reached: {0}")]
    Unreachable(io::Error),
    #[error("the scanner did not answer in time")]
    Timeout,
    #[error("the scanner broke off: {0}")]
    BrokenOff(String),
    /// More than it is set up to take.
    #[error(
        "the file is larger than the scanner takes; its StreamMaxLength, MaxFileSize, MaxScanSize and MaxScanTime have to do \
         for any upload (AlertExceedsMax has it say what it did not look at to the end)"
    )]
    TooLarge,
    #[error("the scanner failed: {0:?}")]
    Failed(String),
    #[error("the scanner does not answer as clamd does: {0:?}")]
    Odd(String),
    #[error("the file could not be read: {0}")]
    File(#[from] StorageError),
}

/// How long a scanner is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub to_connect: Duration,
    /// For it to take what it is sent, piece by piece.
    pub of_silence: Duration,
    /// For its verdict, once it has everything. By itself it takes two minutes for a file at most.
    pub of_verdict: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            to_connect: Duration::from_secs(5),
            of_silence: Duration::from_secs(30),
            of_verdict: Duration::from_secs(300),
        }
    }
}

/// Has a file scanned, and tells how many bytes of it were sent.
pub async fn scan(
    scanner: &Clamav,
    file: impl Stream<Item = Result<Bytes, StorageError>>,
    patience: Patience,
    sent: impl FnMut(u64),
) -> Result<Verdict, NotScanned> {
    match scanner {
        Clamav::Tcp { host, port } => {
            let stream = connected(TcpStream::connect((host.as_str(), *port)), patience).await?;
            converse(stream, file, patience, sent).await
        }
        #[cfg(unix)]
        Clamav::Unix(path) => {
            let stream = connected(tokio::net::UnixStream::connect(path), patience).await?;
            converse(stream, file, patience, sent).await
        }
        #[cfg(not(unix))]
        Clamav::Unix(_) => Err(NotScanned::Unreachable(io::ErrorKind::Unsupported.into())),
    }
}

async fn connected<S>(
    connecting: impl Future<Output = io::Result<S>>,
    patience: Patience,
) -> Result<S, NotScanned> {
    timeout(patience.to_connect, connecting)
        .await
        .map_err(|_| NotScanned::Timeout)?
        .map_err(NotScanned::Unreachable)
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite,
    file: impl Stream<Item = Result<Bytes, StorageError>>,
    patience: Patience,
    sent: impl FnMut(u64),
) -> Result<Verdict, NotScanned> {
    let (hears, says) = tokio::io::split(stream);
    let mut hearing = pin!(hear(hears));
    // It may answer before it has everything, to say that it takes no more. Neither comes first: whoever says all the time
    // would hear nothing.
    let said = tokio::select! {
        said = say(says, file, patience, sent) => said,
        heard = &mut hearing => return judge(&heard?, false),
    };
    let heard = timeout(patience.of_verdict, hearing);
    match said {
        Ok(()) => judge(&heard.await.map_err(|_| NotScanned::Timeout)??, true),
        // What it said before it closed tells more than that it did.
        Err(broken @ NotScanned::BrokenOff(_)) => match heard.await {
            Ok(Ok(answer)) => judge(&answer, false),
            _ => Err(broken),
        },
        Err(other) => Err(other),
    }
}

/// The command, the file in pieces with their lengths, and a length of nothing.
async fn say(
    to: impl AsyncWrite,
    file: impl Stream<Item = Result<Bytes, StorageError>>,
    patience: Patience,
    mut sent: impl FnMut(u64),
) -> Result<(), NotScanned> {
    let mut to = pin!(to);
    let mut file = pin!(file);
    let mut all = 0;
    send(&mut to, b"zINSTREAM\0", patience).await?;
    while let Some(piece) = file.next().await {
        let piece = piece?;
        for chunk in piece.chunks(CHUNK) {
            // A chunk is far shorter than four gigabytes.
            send(&mut to, &(chunk.len() as u32).to_be_bytes(), patience).await?;
            send(&mut to, chunk, patience).await?;
        }
        all += piece.len() as u64;
        sent(all);
    }
    send(&mut to, &0_u32.to_be_bytes(), patience).await
}

async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    bytes: &[u8],
    patience: Patience,
) -> Result<(), NotScanned> {
    let sending = async {
        to.write_all(bytes).await?;
        to.flush().await
    };
    timeout(patience.of_silence, sending)
        .await
        .map_err(|_| NotScanned::Timeout)?
        .map_err(|error| NotScanned::BrokenOff(error.to_string()))
}

/// Its answer, to the zero byte that ends it or to the end of what it says.
async fn hear(from: impl AsyncRead) -> Result<Vec<u8>, NotScanned> {
    let mut from = pin!(from.take(LONGEST_ANSWER));
    let mut answer = Vec::new();
    loop {
        let read = from
            .read_buf(&mut answer)
            .await
            .map_err(|error| NotScanned::BrokenOff(error.to_string()))?;
        if read == 0 || answer.ends_with(b"\0") {
            return Ok(answer);
        }
    }
}
