//! Answers made smaller for the way, where the client wants it and nothing speaks against it.

use std::io;

use async_compression::{
    Level,
    brotli::EncoderParams,
    tokio::write::{BrotliEncoder, GzipEncoder},
};
use poem::{
    Body, Response,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use tokio::{io::AsyncWriteExt, task::yield_now};

use super::{body::known_length, headers::vary};

/// Below, the header and the work cost more than the bytes saved.
const WORTH_IT: u64 = 1024;

/// Above, it is a file rather than an answer, and would be held twice.
const AT_MOST: u64 = 4 << 20;

/// Packed in one go; then other requests of this thread get their turn. About a quarter of a millisecond.
const TURN: usize = 32 * 1024;

/// On a page of GraphQL (15 kB) this leaves 4.0 kB, where 0 leaves 5.0 and gzip's fastest 4.5; 4 leaves no less.
const BROTLI_LEVEL: Level = Level::Precise(2);
/// The window, as a power of two. The usual 4 MiB would be taken from memory for each answer, however small.
const BROTLI_WINDOW: i32 = 18;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// The one that the client likes best, Brotli where it has no preference; none where it would rather have the
    /// answer as it is, or says nothing.
    pub fn wanted(asked: &HeaderMap) -> Option<Self> {
        let mut brotli = None;
        let mut gzip = None;
        let mut any = None;
        let mut identity = None;
        for value in asked.get_all(header::ACCEPT_ENCODING) {
            for item in value.to_str().unwrap_or_default().split(',') {
                let (name, weight) = weighed(item);
                match name.to_ascii_lowercase().as_str() {
                    "br" => brotli = Some(weight),
                    "gzip" | "x-gzip" => gzip = Some(weight),
                    "identity" => identity = Some(weight),
                    "*" => any = Some(weight),
                    _ => {}
                }
            }
        }
        let (coding, weight) = [(Self::Brotli, brotli.or(any)), (Self::Gzip, gzip.or(any))]
            .into_iter()
            .map(|(coding, weight)| (coding, weight.unwrap_or(0)))
            .reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        (weight > 0 && identity.is_none_or(|plain| plain <= weight)).then_some(coding)
    }

    fn name(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        })
    }

    async fn pack(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Brotli => {
                let params = EncoderParams::default()
                    .quality(BROTLI_LEVEL)
                    .window_size(BROTLI_WINDOW)
                    .size_hint(plain.len());
                let mut encoder = BrotliEncoder::with_params(Vec::new(), params);
                push(&mut encoder, plain).await?;
                Ok(encoder.into_inner())
            }
            Self::Gzip => {
                let mut encoder = GzipEncoder::with_quality(Vec::new(), Level::Fastest);
                push(&mut encoder, plain).await?;
                Ok(encoder.into_inner())
            }
        }
    }
}

async fn push(encoder: &mut (impl AsyncWriteExt + Unpin), plain: &[u8]) -> io::Result<()> {
    for (turn, part) in plain.chunks(TURN).enumerate() {
        if turn > 0 {
            yield_now().await;
        }
        encoder.write_all(part).await?;
    }
    encoder.shutdown().await
}

/// A name and its weight in thousandths; an item that makes no sense weighs nothing.
fn weighed(item: &str) -> (&str, u16) {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts
        .find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")))
        .map_or(1000, thousandths);
    (name, weight)
}

fn thousandths(weight: &str) -> u16 {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    match whole {
        "1" => 1000,
        "0" => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

/// Packs the answer if that helps. A body of unknown length is a stream and goes out as it comes.
pub async fn compress(wanted: Option<Coding>, mut response: Response) -> Response {
    if !may_be_packed(&response) {
        return response;
    }
    let (body, length) = known_length(response.take_body());
    if !length.is_some_and(|length| (WORTH_IT..=AT_MOST).contains(&length)) {
        response.set_body(body);
        return response;
    }
    vary(response.headers_mut(), "Accept-Encoding");
    let Some(coding) = wanted else {
        response.set_body(body);
        return response;
    };
    let plain = match body.into_bytes().await {
        Ok(plain) => plain,
        // A buffered body has nothing to fail at; were it a stream after all, it breaks off for the client too.
        Err(error) => {
            response.set_body(Body::from_bytes_stream(futures_util::stream::iter([
                Err::<bytes::Bytes, _>(io::Error::other(error)),
            ])));
            return response;
        }
    };
    match Box::pin(coding.pack(&plain)).await {
        Ok(packed) if packed.len() < plain.len() => {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, coding.name());
            headers.remove(header::CONTENT_LENGTH);
            headers.remove(header::ACCEPT_RANGES);
            weaken_tag(headers);
            response.set_body(packed);
        }
        _ => response.set_body(plain),
    }
    response
}

fn may_be_packed(response: &Response) -> bool {
    let headers = response.headers();
    let status = response.status();
    let has_whole_body = !status.is_informational()
        && !matches!(
            status,
            StatusCode::NO_CONTENT | StatusCode::PARTIAL_CONTENT | StatusCode::NOT_MODIFIED
        );
    has_whole_body
        && !headers.contains_key(header::CONTENT_ENCODING)
        // An answer that hands out a credential: were something the caller chose to stand beside it, the packed length
        // would tell who listens how much the two have in common, guess by guess (BREACH).
        && !headers.contains_key(header::SET_COOKIE)
        && !headers
            .get_all(header::CACHE_CONTROL)
            .iter()
            .any(|value| value.to_str().is_ok_and(|text| text.contains("no-transform")))
        && response.content_type().is_some_and(is_compressible)
}

/// Text of all kinds. What is compressed in itself, as sound and pictures are, only gets warm.
fn is_compressible(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.split_once('/') {
        Some(("text", kind)) => kind != "event-stream",
        Some(("application", kind)) => {
            matches!(kind, "json" | "javascript" | "xml" | "wasm")
                || kind.ends_with("+json")
                || kind.ends_with("+xml")
        }
        Some(("image", kind)) => kind == "svg+xml",
        _ => false,
    }
}

/// A strong tag promises the same bytes, which these no longer are.
fn weaken_tag(headers: &mut HeaderMap) {
    let weak = headers
        .get(header::ETAG)
        .map(HeaderValue::as_bytes)
        .filter(|tag| !tag.starts_with(b"W/"))
        .and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag].concat()).ok());
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder};
    use poem::http::HeaderName;
    use tokio::io::AsyncReadExt;

    use super::*;

    fn wanted(accept: &str) -> Option<Coding> {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::ACCEPT_ENCODING,
            HeaderValue::from_str(accept).unwrap(),
        );
        Coding::wanted(&headers)
    }

    fn answer(content_type: &str, length: usize) -> Response {
        Response::builder()
            .content_type(content_type)
            .body("{\"a\":1}".repeat(length / 7 + 1)[..length].to_owned())
    }

    fn encoding(response: &Response) -> Option<&str> {
        response.header(header::CONTENT_ENCODING)
    }

    #[test]
    fn weights_decide() {
        for (accept, coding) in [
            ("gzip, deflate, br", Some(Coding::Brotli)),
            ("gzip", Some(Coding::Gzip)),
            ("GZIP;Q=0.5", Some(Coding::Gzip)),
            ("br;q=0.5, gzip;q=0.8", Some(Coding::Gzip)),
            ("br;q=0, gzip", Some(Coding::Gzip)),
            ("br;q=0, gzip;q=0.000", None),
            ("*", Some(Coding::Brotli)),
            ("*;q=0.1, br;q=0", Some(Coding::Gzip)),
            ("*;q=0", None),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=1, identity;q=0.5", Some(Coding::Gzip)),
            ("identity", None),
            ("", None),
            ("zstd, compress", None),
            ("gzip;q=2", None),
            ("gzip;q=0.0001", None),
            ("gzip;q=high", None),
            ("gzip;q=-1", None),
        ] {
            assert_eq!(wanted(accept), coding, "{accept}");
        }
        assert_eq!(Coding::wanted(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn what_is_packed_can_be_unpacked() {
        for coding in [Coding::Gzip, Coding::Brotli] {
            let plain = answer("application/json", 300_000);
            let plain = plain.into_body().into_bytes().await.unwrap();
            let response = answer("application/graphql-response+json; charset=utf-8", 300_000);
            let packed = compress(Some(coding), response).await;
            assert_eq!(packed.headers()[header::VARY], "Accept-Encoding");
            assert_eq!(packed.headers()[header::CONTENT_ENCODING], coding.name());
            let packed = packed.into_body().into_bytes().await.unwrap();
            assert!(packed.len() < plain.len() / 10);
            let mut unpacked = Vec::new();
            match coding {
                Coding::Gzip => {
                    GzipDecoder::new(&packed[..])
                        .read_to_end(&mut unpacked)
                        .await
                }
                Coding::Brotli => {
                    BrotliDecoder::new(&packed[..])
                        .read_to_end(&mut unpacked)
                        .await
                }
            }
            .unwrap();
            assert_eq!(unpacked, plain);
        }
    }

    #[tokio::test]
    async fn small_answers_and_sounds_stay() {
        for response in [
            answer("application/json", 1023),
            answer("audio/mpeg", 5000),
            answer("text/event-stream", 5000),
            answer("image/png", 5000),
        ] {
            let response = compress(Some(Coding::Gzip), response).await;
            assert_eq!(encoding(&response), None);
            assert!(!response.headers().contains_key(header::VARY));
        }
    }

    #[tokio::test]
    async fn some_answers_must_not_be_packed() {
        for (name, value) in [
            (header::SET_COOKIE, "a=b"),
            (header::CACHE_CONTROL, "private, no-transform"),
        ] {
            let mut response = answer("application/json", 5000);
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
            assert_eq!(
                encoding(&compress(Some(Coding::Gzip), response).await),
                None
            );
        }
        let mut response = answer("application/json", 5000);
        response.set_status(StatusCode::PARTIAL_CONTENT);
        assert_eq!(
            encoding(&compress(Some(Coding::Gzip), response).await),
            None
        );
        let mut response = answer("application/json", 5000);
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, HeaderValue::from_static("zstd"));
        let response = compress(Some(Coding::Gzip), response).await;
        assert_eq!(encoding(&response), Some("zstd"));
    }

    #[tokio::test]
    async fn who_does_not_want_it_is_told_that_it_depends() {
        let response = compress(None, answer("application/json", 5000)).await;
        assert_eq!(encoding(&response), None);
        assert_eq!(response.headers()[header::VARY], "Accept-Encoding");
    }

    #[tokio::test]
    async fn a_stream_goes_out_as_it_comes() {
        let body = Body::from_async_read(io::Cursor::new(vec![b'a'; 5000]));
        let response = Response::builder().content_type("text/plain").body(body);
        let response = compress(Some(Coding::Gzip), response).await;
        assert_eq!(encoding(&response), None);
        assert_eq!(response.into_body().into_bytes().await.unwrap().len(), 5000);
    }

    #[tokio::test]
    async fn tags_and_lengths_follow() {
        let mut response = answer("text/html", 5000);
        for (name, value) in [
            (header::ETAG, "\"v1\""),
            (header::CONTENT_LENGTH, "5000"),
            (HeaderName::from_static("x-other"), "stays"),
        ] {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        let response = compress(Some(Coding::Gzip), response).await;
        assert_eq!(response.headers()[header::ETAG], "W/\"v1\"");
        assert!(!response.headers().contains_key(header::CONTENT_LENGTH));
        assert_eq!(response.headers()["x-other"], "stays");
    }
}
