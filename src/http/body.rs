//! Bodies within bounds: a request's is read up to a limit of bytes and of time, and unpacked under the same limit.

use std::{
    error::Error,
    io,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use async_compression::tokio::write::{BrotliDecoder, GzipDecoder, ZlibDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http_body_util::combinators::BoxBody;
use poem::{
    Body, Request, Response,
    error::ResponseError,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use super::refusal::refusal;

const ACCEPTED: &str = "gzip, deflate, br, identity";

/// How much a client may send, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Of the body as sent, and of what it unpacks to.
    pub bytes: usize,
    pub total: Duration,
    /// Without a single byte.
    pub stalled: Duration,
}

impl BodyLimits {
    pub fn of_bytes(bytes: usize) -> Self {
        Self {
            bytes,
            total: Duration::from_secs(30),
            stalled: Duration::from_secs(10),
        }
    }
}

/// Why there is no body to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    #[error("The body is too large: at most {limit} bytes are taken, before and after unpacking.")]
    TooLarge { limit: usize },
    #[error("The body took too long to arrive.")]
    TooSlow,
    #[error("This encoding of the body is not known here; {ACCEPTED} are.")]
    UnsupportedEncoding,
    #[error("The body can't be read.")]
    Malformed,
    #[error("The body ended early.")]
    Disconnected,
}

impl ResponseError for BodyError {
    fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Malformed | Self::Disconnected => StatusCode::BAD_REQUEST,
        }
    }

    fn as_response(&self) -> Response {
        let mut response = refusal(self.status(), &self.to_string());
        if *self == Self::UnsupportedEncoding {
            let accepted = HeaderValue::from_static(ACCEPTED);
            response
                .headers_mut()
                .insert(header::ACCEPT_ENCODING, accepted);
        }
        response
    }
}

/// Takes the body out of the request and reads it to its end, or to the first limit that it breaks.
///
/// The rest of a refused body is not read here: the server closes the connection behind the answer and throws away what
/// still comes (see `server::received` and `server::wire`), so that the client is told at once and can stop.
pub async fn read(request: &mut Request, limits: BodyLimits) -> Result<Bytes, BodyError> {
    let too_large = BodyError::TooLarge {
        limit: limits.bytes,
    };
    let mut unpacked = Unpacking::of(request.headers(), limits.bytes)?;
    if announced(request.headers()).is_some_and(|length| length > limits.bytes as u64) {
        return Err(too_large);
    }

    let mut chunks = pin!(request.take_body().into_bytes_stream());
    let end = Instant::now() + limits.total;
    let mut stalls = Instant::now() + limits.stalled;
    let mut taken = 0_usize;
    while let Some(chunk) = timeout_at(end.min(stalls), chunks.next())
        .await
        .map_err(|_| BodyError::TooSlow)?
    {
        let chunk = chunk.map_err(|error| broken(&error))?;
        // HTTP/2 has empty frames; they are no progress.
        if chunk.is_empty() {
            continue;
        }
        stalls = Instant::now() + limits.stalled;
        taken = taken.saturating_add(chunk.len());
        if taken > limits.bytes {
            return Err(too_large);
        }
        unpacked.push(&chunk).await?;
    }
    unpacked.finish().await
}

/// The length of a body that is known before it is read, as every buffered one's is.
pub(super) fn known_length(body: Body) -> (Body, Option<u64>) {
    let body: BoxBody<Bytes, io::Error> = body.into();
    let length = hyper::body::Body::size_hint(&body).exact();
    (body.into(), length)
}

pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

/// Not packed: music and pictures are already, and what comes would not be what is counted.
pub(super) fn is_plain(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut encodings = encodings.map(|encoding| encoding.as_bytes().trim_ascii());
    encodings.all(|encoding| encoding.eq_ignore_ascii_case(b"identity"))
}

/// hyper reports both a client that went away and one that breaks the protocol as a failed read.
pub(super) fn broken(error: &io::Error) -> BodyError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if let Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) = kind {
            return BodyError::Malformed;
        }
        cause = error.source();
    }
    BodyError::Disconnected
}

/// What has been unpacked so far. Pushed into chunk by chunk, so that a bomb is refused in the moment it passes the
/// limit and nothing beyond it was ever held.
enum Unpacking {
    Identity(Bounded),
    Gzip(GzipDecoder<Bounded>),
    Deflate(ZlibDecoder<Bounded>),
    Brotli(Box<BrotliDecoder<Bounded>>),
}

impl Unpacking {
    fn of(headers: &HeaderMap, limit: usize) -> Result<Self, BodyError> {
        let bounded = Bounded {
            bytes: BytesMut::new(),
            limit,
            overflown: false,
        };
        let mut encodings = headers.get_all(header::CONTENT_ENCODING).iter();
        let encoding = match encodings.next() {
            None => return Ok(Self::Identity(bounded)),
            Some(value) => value.to_str().unwrap_or_default().trim(),
        };
        if encodings.next().is_some() {
            return Err(BodyError::UnsupportedEncoding);
        }
        Ok(match encoding.to_ascii_lowercase().as_str() {
            "identity" => Self::Identity(bounded),
            "gzip" | "x-gzip" => Self::Gzip(GzipDecoder::new(bounded)),
            // The name notwithstanding, HTTP's "deflate" has zlib's frame around it (RFC 9110, 8.4.1.2).
            "deflate" => Self::Deflate(ZlibDecoder::new(bounded)),
            "br" => Self::Brotli(Box::new(BrotliDecoder::new(bounded))),
            _ => return Err(BodyError::UnsupportedEncoding),
        })
    }

    async fn push(&mut self, chunk: &[u8]) -> Result<(), BodyError> {
        let pushed = match self {
            Self::Identity(sink) => sink.write_all(chunk).await,
            Self::Gzip(sink) => sink.write_all(chunk).await,
            Self::Deflate(sink) => sink.write_all(chunk).await,
            Self::Brotli(sink) => sink.write_all(chunk).await,
        };
        pushed.map_err(|_| self.failure())
    }

    async fn finish(mut self) -> Result<Bytes, BodyError> {
        let finished = match &mut self {
            Self::Identity(_) => Ok(()),
            Self::Gzip(sink) => sink.shutdown().await,
            Self::Deflate(sink) => sink.shutdown().await,
            Self::Brotli(sink) => sink.shutdown().await,
        };
        finished.map_err(|_| self.failure())?;
        Ok(match self {
            Self::Identity(sink) => sink,
            Self::Gzip(sink) => sink.into_inner(),
            Self::Deflate(sink) => sink.into_inner(),
            Self::Brotli(sink) => sink.into_inner(),
        }
        .bytes
        .freeze())
    }

    fn failure(&self) -> BodyError {
        let sink = match self {
            Self::Identity(sink) => sink,
            Self::Gzip(sink) => sink.get_ref(),
            Self::Deflate(sink) => sink.get_ref(),
            Self::Brotli(sink) => sink.get_ref(),
        };
        match sink.overflown {
            true => BodyError::TooLarge { limit: sink.limit },
            false => BodyError::Malformed,
        }
    }
}

/// A buffer that refuses what goes beyond its limit.
struct Bounded {
    bytes: BytesMut,
    limit: usize,
    overflown: bool,
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.len() > self.limit - self.bytes.len() {
            self.overflown = true;
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        self.bytes.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZlibEncoder};
    use futures_util::stream;

    use super::*;

    const LIMIT: usize = 64 * 1024;

    fn limits() -> BodyLimits {
        BodyLimits {
            bytes: LIMIT,
            total: Duration::from_millis(2_000),
            stalled: Duration::from_millis(700),
        }
    }

    /// Sends this piece every now and then, for ever.
    fn trickling(piece: &'static [u8]) -> Body {
        Body::from_bytes_stream(stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            Some((Ok::<_, io::Error>(Bytes::from_static(piece)), ()))
        }))
    }

    fn request(encoding: Option<&str>, body: impl Into<Body>) -> Request {
        let mut builder = Request::builder();
        if let Some(encoding) = encoding {
            builder = builder.header(header::CONTENT_ENCODING, encoding);
        }
        builder.body(body)
    }

    async fn packed(encoding: &str, plain: &[u8]) -> Vec<u8> {
        macro_rules! pack {
            ($encoder:ty) => {{
                let mut encoder = <$encoder>::new(Vec::new());
                encoder.write_all(plain).await.unwrap();
                encoder.shutdown().await.unwrap();
                encoder.into_inner()
            }};
        }
        match encoding {
            "br" => pack!(BrotliEncoder<Vec<u8>>),
            "deflate" => pack!(ZlibEncoder<Vec<u8>>),
            _ => pack!(GzipEncoder<Vec<u8>>),
        }
    }

    /// Of pieces as small as a network may make them.
    fn in_pieces(bytes: &[u8], size: usize) -> Body {
        let pieces: Vec<_> = bytes
            .chunks(size)
            .map(|piece| Ok::<_, io::Error>(Bytes::copy_from_slice(piece)))
            .collect();
        Body::from_bytes_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn every_encoding_is_unpacked() {
        let plain: Vec<u8> = (0..60_000_u32).flat_map(|n| [(n % 251) as u8]).collect();
        for encoding in ["gzip", "x-gzip", "GZIP", "deflate", "br"] {
            let packed = packed(encoding, &plain).await;
            for size in [1, 7, 1000, packed.len()] {
                let mut request = request(Some(encoding), in_pieces(&packed, size));
                let read = read(&mut request, limits()).await;
                assert_eq!(read.as_deref(), Ok(&plain[..]), "{encoding} by {size}");
            }
        }
        for encoding in [None, Some("identity")] {
            let mut request = request(encoding, plain.clone());
            assert_eq!(
                read(&mut request, limits()).await.as_deref(),
                Ok(&plain[..])
            );
        }
    }

    #[tokio::test]
    async fn the_limit_itself_is_allowed() {
        let most = vec![b'a'; LIMIT];
        assert!(
            read(&mut request(None, most.clone()), limits())
                .await
                .is_ok()
        );
        let packed = packed("gzip", &most).await;
        assert!(
            read(&mut request(Some("gzip"), packed), limits())
                .await
                .is_ok()
        );
        let more = in_pieces(&vec![b'a'; LIMIT + 1], 4096);
        assert_eq!(
            read(&mut request(None, more), limits()).await,
            Err(BodyError::TooLarge { limit: LIMIT })
        );
    }

    #[tokio::test]
    async fn a_bomb_is_refused_at_the_limit() {
        for encoding in ["gzip", "deflate", "br"] {
            let bomb = packed(encoding, &vec![0; 20 << 20]).await;
            assert!(bomb.len() < LIMIT, "{encoding}: {}", bomb.len());
            assert_eq!(
                read(&mut request(Some(encoding), bomb), limits()).await,
                Err(BodyError::TooLarge { limit: LIMIT }),
                "{encoding}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_what_it_says_is_malformed() {
        let whole = packed("gzip", b"hello").await;
        for body in [
            b"plain text".to_vec(),
            whole[..whole.len() - 3].to_vec(),
            [&whole[..], b"more"].concat(),
            Vec::new(),
        ] {
            let told = format!("{body:?}");
            assert_eq!(
                read(&mut request(Some("gzip"), body), limits()).await,
                Err(BodyError::Malformed),
                "{told}"
            );
        }
    }

    #[tokio::test]
    async fn unknown_encodings_are_refused_by_name() {
        for encoding in ["zstd", "gzip, br", "", "compress"] {
            assert_eq!(
                read(&mut request(Some(encoding), "x"), limits()).await,
                Err(BodyError::UnsupportedEncoding)
            );
        }
        let response = BodyError::UnsupportedEncoding.as_response();
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(response.headers()[header::ACCEPT_ENCODING], ACCEPTED);
    }

    #[tokio::test]
    async fn an_announced_length_is_refused_before_the_first_byte() {
        let mut request = Request::builder()
            .header(header::CONTENT_LENGTH, LIMIT + 1)
            .body(Body::from_bytes_stream(
                stream::pending::<io::Result<Bytes>>(),
            ));
        assert_eq!(
            read(&mut request, limits()).await,
            Err(BodyError::TooLarge { limit: LIMIT })
        );
    }

    #[tokio::test]
    async fn a_body_that_stalls_or_trickles_is_too_slow() {
        let pending = Body::from_bytes_stream(stream::pending::<io::Result<Bytes>>());
        for (body, limit) in [
            (pending, limits().stalled),
            // Empty frames are no progress.
            (trickling(b""), limits().stalled),
            (trickling(b"x"), limits().total),
        ] {
            let began = Instant::now();
            assert_eq!(
                read(&mut request(None, body), limits()).await,
                Err(BodyError::TooSlow)
            );
            let took = began.elapsed();
            let leeway = Duration::from_millis(1_000);
            assert!((limit..limit + leeway).contains(&took), "{took:?}");
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_was_disconnected() {
        let parts = [
            Ok(Bytes::from_static(b"half")),
            Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        ];
        let mut request = request(None, Body::from_bytes_stream(stream::iter(parts)));
        assert_eq!(
            read(&mut request, limits()).await,
            Err(BodyError::Disconnected)
        );
    }
}
