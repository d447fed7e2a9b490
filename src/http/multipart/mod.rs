//! Requests with files, by the GraphQL multipart request specification: `operations`, then `map`, then each file in the
//! order of the map.
//!
//! The operations begin when the map has been read, before the first byte of a file is: guards and limits refuse without
//! it. From then on two things go on side by side, the operations, and this reader, which hands each file to whoever
//! takes it and reads no faster than they do. Where all operations are done, nothing more is read, and the server sees
//! to what is still on its way (`server::received`).
//!
//! Of one request there is held at most: `operations` and `map` (1 MB and 16 KiB), until they are read; the piece of the
//! body that the network gave last, with a part's header at most (8 KiB) before it; and as many pieces as wait for whoever
//! takes the file ([`crate::graphql::Files`]). A piece is what hyper reads at once: 32 KiB over HTTP/1, 16 KiB over HTTP/2.

mod fault;
mod head;
mod map;
mod reader;

use std::pin::pin;
use std::time::Duration;

use poem::Request as HttpRequest;
use poem::http::{HeaderMap, header};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use self::fault::{Fault, shown, too_much};
use self::head::Head;
use self::reader::{Reader, TooLong};
use super::asked::{self, Asked, BODY_LIMIT};
use super::body::{self, BodyError};
use super::paced::Pace;
use crate::graphql::{ApiError, Delivery, Handing, NotTaken, Said};
use crate::telemetry::Metrics;

/// Files that a request may bring.
const MOST_FILES: usize = 4;
/// What all of them come to, with as much beside them as the other parts and headers may be.
const MOST_BYTES: u64 = (2 << 30) + (2 << 20);
const LONGEST_MAP: usize = 16 << 10;
const LONGEST_BOUNDARY: usize = 70;
/// Of what a client wrote, in what it is told of it.
const MOST_SHOWN: usize = 64;
/// How long whoever takes a file may leave it standing.
const LEFT_STANDING: Duration = Duration::from_secs(2 * 60);

/// As for bodies without files.
const PACE_OF_OPERATIONS: Pace = Pace {
    most: MOST_BYTES,
    stalled: Duration::from_secs(10),
    window: Duration::from_secs(30),
    least: u64::MAX,
    total: Duration::from_secs(30),
};

const PACE_OF_FILES: Pace = Pace::of_files(MOST_BYTES);

/// Why there are no operations to run.
#[derive(Debug)]
pub enum NotBegun {
    Body(BodyError),
    Refused(ApiError),
}

impl From<ApiError> for NotBegun {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for NotBegun {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Left => Self::Body(BodyError::Disconnected),
            Fault::TooSlow => Self::Body(BodyError::TooSlow),
            Fault::TooMuch | Fault::Malformed(_) => Self::Refused(fault.told()),
        }
    }
}

/// A file of the map.
struct Expected {
    name: String,
    delivery: Delivery,
}

/// The files of a request, which come behind its operations.
pub struct Coming {
    reader: Reader,
    files: Vec<Expected>,
    /// How long the body is, where that was said.
    announced: Option<u64>,
    left_standing: Duration,
}

/// Reads a body as far as its map.
pub async fn begin(request: &mut HttpRequest) -> Result<(Asked, Coming), NotBegun> {
    let boundary = boundary(request.headers())?;
    if !body::is_plain(request.headers()) {
        return Err(NotBegun::Body(BodyError::UnsupportedEncoding));
    }
    let announced = body::announced(request.headers());
    if announced.is_some_and(|length| length > MOST_BYTES) {
        return Err(too_much().into());
    }
    let mut reader = Reader::new(request.take_body(), &boundary, PACE_OF_OPERATIONS);
    named(&mut reader, "operations").await?;
    let operations = reader
        .content(BODY_LIMIT)
        .await?
        .map_err(|TooLong| NotBegun::Body(BodyError::TooLarge { limit: BODY_LIMIT }))?;
    let mut asked = asked::parse(&operations)?;
    named(&mut reader, "map").await?;
    let map = reader.content(LONGEST_MAP).await?.map_err(|TooLong| {
        ApiError::BadRequest(format!("map: it is longer than {LONGEST_MAP} bytes."))
    })?;
    let files = map::apply(&map, &mut asked)?;
    match (files.is_empty(), reader.is_at_end()) {
        (true, false) => {
            return Err(Fault::malformed("a part comes that `map` does not name").into());
        }
        (false, true) => return Err(Fault::malformed("its files are missing").into()),
        _ => {}
    }
    let coming = Coming {
        reader,
        files,
        announced,
        left_standing: LEFT_STANDING,
    };
    Ok((asked, coming))
}

/// The next part, which has to be the one of this name.
async fn named(reader: &mut Reader, name: &str) -> Result<Head, Fault> {
    match reader.part().await? {
        Some(head) if head.name == name => Ok(head),
        Some(head) => Err(Fault::malformed(format!(
            "the part {:?} is expected, and {:?} comes",
            shown(name),
            shown(&head.name)
        ))),
        None => Err(Fault::malformed(format!(
            "the part {:?} is missing",
            shown(name)
        ))),
    }
}

/// The boundary that the header names.
fn boundary(headers: &HeaderMap) -> Result<String, ApiError> {
    let wrong = || {
        ApiError::BadRequest(
            "Content-Type: multipart/form-data names a boundary of 1 to 70 characters, such as boundary=abc.".into(),
        )
    };
    let kind = headers.get(header::CONTENT_TYPE).ok_or_else(wrong)?;
    let parameters = kind.to_str().map_err(|_| wrong())?.split(';').skip(1);
    let mut named = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let is_boundary = name.trim().eq_ignore_ascii_case("boundary");
        is_boundary.then(|| value.trim())
    });
    let (Some(boundary), None) = (named.next(), named.next()) else {
        return Err(wrong());
    };
    let quoted = boundary
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let boundary = quoted.unwrap_or(boundary);
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    let is_boundary = (1..=LONGEST_BOUNDARY).contains(&boundary.len())
        && boundary.bytes().all(may_be)
        && !boundary.ends_with(' ');
    match is_boundary {
        true => Ok(boundary.to_owned()),
        false => Err(wrong()),
    }
}

impl Coming {
    /// Runs the operations, and reads meanwhile what they want of their files.
    pub async fn feed<T>(self, metrics: &Metrics, operations: impl Future<Output = T>) -> T {
        let mut operations = pin!(operations);
        tokio::select! {
            // Operations that are done want no more.
            biased;
            done = &mut operations => return done,
            () = self.hand_over(metrics) => {}
        }
        operations.await
    }

    async fn hand_over(self, metrics: &Metrics) {
        let Self {
            mut reader,
            files,
            announced,
            left_standing,
        } = self;
        let mut files = files.into_iter();
        let mut passed_over = Vec::new();
        while let Some(Expected { name, mut delivery }) = files.next() {
            // What nobody wants is read only for what comes behind it.
            let Some(handed) = delivery.wanted().await else {
                passed_over.push(name);
                continue;
            };
            let is_last = files.as_slice().is_empty();
            // Each file has its own time.
            reader.go_on_at(PACE_OF_FILES);
            let handed = match next(&mut reader, &mut passed_over, &name).await {
                Ok(head) => {
                    let handing = handed.begin(Said {
                        file_name: head.file_name,
                        content_type: head.content_type,
                        // What stands between this file and the end is its own only where no other comes behind it.
                        length: announced
                            .filter(|_| is_last)
                            .and_then(|length| reader.last_content(length)),
                    });
                    let mut upload = Upload::begun(metrics);
                    let span = tracing::debug_span!("upload");
                    let handed = hand(&mut reader, handing, is_last, left_standing, &mut upload);
                    handed.instrument(span).await
                }
                Err(fault) => {
                    handed.misses(fault.told());
                    Err(fault)
                }
            };
            if let Err(fault) = handed {
                for Expected { delivery, .. } in files {
                    delivery.misses(fault.told());
                }
                return;
            }
        }
    }
}

/// The part of this name, past those before it that nobody wants.
async fn next(
    reader: &mut Reader,
    passed_over: &mut Vec<String>,
    name: &str,
) -> Result<Head, Fault> {
    for unwanted in passed_over.drain(..) {
        named(reader, &unwanted).await?;
    }
    named(reader, name).await
}

/// Hands over the part that the reader is at, to its end or until it is not wanted any more.
async fn hand(
    reader: &mut Reader,
    handing: Handing,
    is_last: bool,
    left_standing: Duration,
    upload: &mut Upload<'_>,
) -> Result<(), Fault> {
    loop {
        let fault = match reader.piece().await {
            Ok(Some(piece)) => {
                upload.bytes += piece.len() as u64;
                match timeout(left_standing, handing.piece(piece)).await {
                    Ok(Ok(())) => continue,
                    Ok(Err(NotTaken)) => upload.outcome = "not wanted",
                    Err(_) => {
                        tracing::warn!("a file was taken, and left standing");
                        upload.outcome = "left standing";
                        handing.leave();
                    }
                }
                return Ok(());
            }
            // The request is looked at to its end before its last file counts as whole.
            Ok(None) if is_last && !reader.is_at_end() => {
                Fault::malformed("a part comes that `map` does not name")
            }
            Ok(None) => {
                upload.outcome = "whole";
                let _ = timeout(left_standing, handing.end()).await;
                return Ok(());
            }
            Err(fault) => fault,
        };
        upload.outcome = match fault {
            Fault::Left => "left",
            Fault::TooSlow => "too slow",
            Fault::TooMuch => "too much",
            Fault::Malformed(_) => "malformed",
        };
        let _ = timeout(left_standing, handing.fail(fault.broken())).await;
        return Err(fault);
    }
}

/// The account of one file, closed when it is dropped.
struct Upload<'m> {
    metrics: &'m Metrics,
    began: Instant,
    bytes: u64,
    outcome: &'static str,
}

impl<'m> Upload<'m> {
    fn begun(metrics: &'m Metrics) -> Self {
        Self {
            metrics,
            began: Instant::now(),
            bytes: 0,
            // Its operations have ended, or the connection has.
            outcome: "left",
        }
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        let took = self.began.elapsed();
        self.metrics.upload(self.outcome, self.bytes, took);
    }
}

#[cfg(test)]
mod tests;
