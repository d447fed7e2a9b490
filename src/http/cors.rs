//! Which browsers' pages may call, by their origin. An origin that is not on the list is told nothing at all, and no
//! answer ever names `*`: credentials go along.

use std::collections::HashSet;

use poem::{
    Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use url::Url;

use super::headers::vary;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, OPTIONS");

const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Accept, Authorization, Content-Type, X-CSRF-Token, Apollo-Require-Preflight, GraphQL-Require-Preflight, \
     X-Apollo-Operation-Name, X-Apollo-Operation-Id, apollographql-client-name, apollographql-client-version, \
     Idempotency-Key, Range, If-Range, If-None-Match, X-Correlation-ID, traceparent, tracestate",
);

const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "X-Correlation-ID, RateLimit, RateLimit-Policy, Retry-After, Idempotency-Replayed",
);

/// Beside those, on what comes or goes in parts: else a page could not tell which one it has.
const PARTS_HEADERS: HeaderValue = HeaderValue::from_static("Accept-Ranges, Content-Range, ETag");

/// Two hours; the longest that Chromium keeps a preflight's answer.
const KEPT: HeaderValue = HeaderValue::from_static("7200");

/// The origins that may call.
#[derive(Clone, Debug)]
pub struct Cors {
    allowed: HashSet<String>,
}

impl Cors {
    /// `public` is the service's own address: its console page and forms call from there.
    pub fn new<'a>(allowed: impl IntoIterator<Item = &'a Url>, public: &'a Url) -> Self {
        Self {
            allowed: allowed
                .into_iter()
                .chain([public])
                .map(Url::origin)
                // An opaque origin is written `null`, which is what sandboxed and local pages send: no origin to allow.
                .filter(url::Origin::is_tuple)
                .map(|origin| origin.ascii_serialization())
                .collect(),
        }
    }

    /// Whether a page of this origin may call. Also for what CORS does not cover: forms and WebSockets.
    pub fn allows(&self, origin: &HeaderValue) -> bool {
        origin
            .to_str()
            .is_ok_and(|origin| self.allowed.contains(origin))
    }

    /// The answer to a browser that asks before it calls; nothing for any other request.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let asked = request.headers();
        let is_one = request.method() == Method::OPTIONS
            && asked.contains_key(header::ORIGIN)
            && asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_one {
            return None;
        }
        let mut response = Response::from(StatusCode::NO_CONTENT);
        let headers = response.headers_mut();
        if self.allowed_origin(asked).is_some() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, KEPT);
        }
        vary(headers, "Access-Control-Request-Method");
        vary(headers, "Access-Control-Request-Headers");
        Some(response)
    }

    /// The origin of a request that may read the answer.
    pub fn allowed_origin(&self, asked: &HeaderMap) -> Option<HeaderValue> {
        asked
            .get(header::ORIGIN)
            .filter(|origin| self.allows(origin))
            .cloned()
    }

    /// Marks an answer, of whatever kind, for the page that asked.
    pub fn mark(&self, origin: Option<HeaderValue>, answer: &mut HeaderMap) {
        // Also on answers to nobody in particular: a shared cache must not hand them to a page that needs the rest.
        vary(answer, "Origin");
        if let Some(origin) = origin {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            answer.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
            if answer.contains_key(header::ACCEPT_RANGES) || answer.contains_key(header::ETAG) {
                answer.append(header::ACCESS_CONTROL_EXPOSE_HEADERS, PARTS_HEADERS);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        let allowed = [
            Url::parse("https://app.example.com").unwrap(),
            Url::parse("http://localhost:3000/").unwrap(),
            Url::parse("data:text/html,x").unwrap(),
        ];
        Cors::new(&allowed, &Url::parse("https://api.example.com/v1").unwrap())
    }

    fn preflight(origin: &'static str) -> Response {
        let request = Request::builder()
            .method(Method::OPTIONS)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .finish();
        let cors = cors();
        let mut response = cors.preflight(&request).unwrap();
        cors.mark(
            cors.allowed_origin(request.headers()),
            response.headers_mut(),
        );
        response
    }

    #[test]
    fn origins_are_compared_exactly() {
        for origin in [
            "https://app.example.com",
            "http://localhost:3000",
            "https://api.example.com",
        ] {
            assert!(cors().allows(&HeaderValue::from_static(origin)), "{origin}");
        }
        for origin in [
            "null",
            "",
            "*",
            "http://app.example.com",
            "https://app.example.com:8443",
            "https://app.example.com.evil.test",
            "https://evil.test/https://app.example.com",
            "https://sub.app.example.com",
            "http://localhost",
            "HTTPS://APP.EXAMPLE.COM",
        ] {
            assert!(
                !cors().allows(&HeaderValue::from_static(origin)),
                "{origin}"
            );
        }
    }

    #[test]
    fn an_allowed_page_learns_what_it_may_send() {
        let response = preflight("https://app.example.com");
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        let headers = response.headers();
        assert_eq!(
            headers[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            "https://app.example.com"
        );
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_METHODS], METHODS);
        let varies: Vec<_> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(
            varies,
            [
                "Access-Control-Request-Method",
                "Access-Control-Request-Headers",
                "Origin"
            ]
        );
    }

    #[test]
    fn a_foreign_page_is_told_nothing() {
        let response = preflight("https://evil.test");
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert!(
            response
                .headers()
                .keys()
                .all(|name| !name.as_str().starts_with("access-control-"))
        );
        assert_eq!(response.headers().get_all(header::VARY).iter().count(), 3);
    }

    #[test]
    fn options_alone_is_no_preflight() {
        let request = Request::builder().method(Method::OPTIONS).finish();
        assert!(cors().preflight(&request).is_none());
    }
}
