//! The id by which a request is found again: in the answer, in the logs, at the services that it led to.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use poem::http::{HeaderMap, HeaderName, HeaderValue};

pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// In the extensions of every request. Always 8 to 64 characters that are safe in a header, an address and a log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// The caller's own, if it is one; else a new one. A caller's odd id is replaced rather than refused: it is for
    /// finding things, and no reason to fail.
    pub fn of(headers: &HeaderMap) -> Self {
        headers
            .get(CORRELATION_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|text| is_one(text))
            .map_or_else(Self::made, |text| Self(text.into()))
    }

    pub fn made() -> Self {
        Self(
            BASE64_URL_SAFE_NO_PAD
                .encode(rand::random::<[u8; 16]>())
                .into(),
        )
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).unwrap_or_else(|_| HeaderValue::from_static("invalid"))
    }
}

fn is_one(text: &str) -> bool {
    (8..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &[u8]) -> CorrelationId {
        let mut headers = HeaderMap::new();
        headers.insert(CORRELATION_ID, HeaderValue::from_bytes(value).unwrap());
        CorrelationId::of(&headers)
    }

    #[test]
    fn a_callers_id_is_taken() {
        let longest = "a".repeat(64);
        for id in ["abcd1234", "Az-_0987", longest.as_str()] {
            assert_eq!(of(id.as_bytes()).as_str(), id);
        }
    }

    #[test]
    fn anything_else_is_replaced() {
        let too_long = "a".repeat(65);
        for odd in [
            "",
            "seven77",
            too_long.as_str(),
            "with space",
            "a%0d%0aSet-Cookie",
            "semi;colon",
            "ünïcödé-id",
        ] {
            let id = of(odd.as_bytes());
            assert_ne!(id.as_str(), odd);
            assert!(is_one(id.as_str()), "{id:?}");
        }
        assert!(is_one(of(b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8").as_str()));
    }

    #[test]
    fn made_ids_differ() {
        assert_ne!(CorrelationId::made(), CorrelationId::made());
    }
}
