//! The request's shell: all that holds for every request, whatever its route, in the one order that is right.
//!
//! Outermost stands what every answer must carry (security headers, the correlation id, what CORS allows), so that
//! nothing further in can answer without it, a panic included. Then the account of the request (span, log line,
//! figures), then methods that need no handler, then the routes.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use ipnet::IpNet;
use poem::{
    Endpoint, IntoResponse, PathPattern, Request, Response,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use tracing::{Instrument, Span, field::Empty};

use super::{
    body::known_length,
    client_address::client,
    compression::{Coding, compress},
    correlation::{CORRELATION_ID, CorrelationId},
    cors::Cors,
    headers::secure,
    refusal::{internal, of_error, refusal},
};
use crate::telemetry;

/// For 405s of endpoints that don't say it themselves (`methods::Methods` does).
const USUAL_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS, POST");

/// Told once of each request, when its answer stands, or when it is clear that it gets none.
pub type OnComplete = Arc<dyn Fn(&RequestFacts) + Send + Sync>;

/// Told of each request's span and headers at its beginning, to hang the span below the caller's.
pub type OnBegin = Arc<dyn Fn(&Span, &HeaderMap) + Send + Sync>;

/// What the shell is told.
pub struct Shell {
    pub production: bool,
    pub cors: Cors,
    pub trusted_proxies: Vec<IpNet>,
    pub on_begin: Option<OnBegin>,
    pub on_complete: Option<OnComplete>,
}

/// What there is to know of a request afterwards. Of few values each but for the last three, so that figures can be
/// kept by them.
#[derive(Clone, Debug)]
pub struct RequestFacts {
    /// One of the well-known, or `_OTHER`.
    pub method: &'static str,
    /// The route's template; never the path, whose parameters may be secrets. Nothing where no route matched, or where
    /// its handler did not come to an end.
    pub route: Option<Arc<str>>,
    /// Nothing where the client left, or was cut off, before there was an answer.
    pub status: Option<StatusCode>,
    /// Until the answer stands; one that is streamed goes on after that.
    pub duration: Duration,
    /// Of the answer's body; nothing where it is streamed.
    pub bytes: Option<u64>,
    pub correlation_id: CorrelationId,
}

/// In the extensions of a request that asks for the head alone: its handler sees a GET, and should not do what a look
/// must not do, such as use up a link that is good once.
#[derive(Clone, Copy, Debug)]
pub struct HeadOnly;

/// Puts the shell around the routes.
pub fn wrap<E: Endpoint>(endpoint: E, shell: Shell) -> impl Endpoint<Output = Response> {
    Wrapped { endpoint, shell }
}

struct Wrapped<E> {
    endpoint: E,
    shell: Shell,
}

impl<E: Endpoint> Endpoint for Wrapped<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let id = CorrelationId::of(request.headers());
        let origin = self.shell.cors.allowed_origin(request.headers());
        let wanted = Coding::wanted(request.headers());
        let head_only = request.method() == Method::HEAD;
        request.set_data(id.clone());

        let account = Account::open(&self.shell, &request, id.clone());
        let span = account.span.clone();
        // Boxed, as each layer around it holds what it wraps twice over.
        let answered = AssertUnwindSafe(Box::pin(async {
            let response = self.answer(request, &id).await;
            // The head of what a GET would get, which would have been packed perhaps; nobody is misled by its length.
            match head_only {
                true => response,
                false => compress(wanted, response).await,
            }
        }))
        .catch_unwind()
        .instrument(span.clone())
        .await;
        let mut response = answered.unwrap_or_else(|panic| {
            span.in_scope(|| {
                tracing::error!(
                    correlation_id = id.as_str(),
                    panic = words(panic.as_ref()),
                    "a request's handler panicked"
                );
            });
            internal(&id)
        });

        let (body, length) = known_length(response.take_body());
        if head_only {
            if let Some(length) = length.filter(|_| has_length(&response)) {
                response
                    .headers_mut()
                    .entry(header::CONTENT_LENGTH)
                    .or_insert(length.into());
            }
        } else {
            response.set_body(body);
        }
        let headers = response.headers_mut();
        headers.insert(CORRELATION_ID, id.header_value());
        self.shell.cors.mark(origin, headers);
        secure(headers, self.shell.production);

        let sent = match head_only {
            true => Some(0),
            false => length,
        };
        account.close(&response, sent);
        Ok(response)
    }
}

impl<E: Endpoint> Wrapped<E> {
    /// The answer of whoever is responsible.
    async fn answer(&self, mut request: Request, id: &CorrelationId) -> Response {
        let (address, https) = client(&request, &self.shell.trusted_proxies);
        request.set_data(address);
        request.set_data(https);

        if let Some(response) = self.shell.cors.preflight(&request) {
            return response;
        }
        let method = request.method().clone();
        if matches!(method, Method::TRACE | Method::CONNECT) {
            // TRACE would hand out headers that scripts may not read; CONNECT would make a proxy of us.
            let message = "This method is not allowed here.";
            return with_allow(refusal(StatusCode::METHOD_NOT_ALLOWED, message));
        }
        let asks_for_options = method == Method::OPTIONS;
        if asks_for_options && request.uri().path() == "*" {
            return with_allow(StatusCode::NO_CONTENT.into());
        }
        if method == Method::HEAD {
            request.set_method(Method::GET);
            // What a GET would become can't be told by headers.
            request.headers_mut().remove(header::UPGRADE);
            request.set_data(HeadOnly);
        }

        let response = match self.endpoint.call(request).await {
            Ok(response) => response.into_response(),
            Err(error) => of_error(error, id),
        };
        if response.status() != StatusCode::METHOD_NOT_ALLOWED {
            return response;
        }
        let mut response = with_allow(response);
        // The route knows its methods, OPTIONS not among them: its refusal holds what was asked for.
        if asks_for_options {
            response.set_status(StatusCode::NO_CONTENT);
            response.headers_mut().remove(header::CONTENT_TYPE);
            drop(response.take_body());
        }
        response
    }
}

fn with_allow(mut response: Response) -> Response {
    response
        .headers_mut()
        .entry(header::ALLOW)
        .or_insert(USUAL_METHODS);
    response
}

/// Where a length would be that of a body that can't be there.
fn has_length(response: &Response) -> bool {
    let status = response.status();
    !status.is_informational()
        && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without words")
}

/// The account of one request, closed exactly once: with its answer, or by being dropped without one.
struct Account {
    span: Span,
    began: Instant,
    facts: RequestFacts,
    on_complete: Option<OnComplete>,
}

impl Account {
    fn open(shell: &Shell, request: &Request, correlation_id: CorrelationId) -> Self {
        let method = known(request.method());
        let span = tracing::info_span!(
            "request",
            otel.kind = "server",
            otel.status_code = Empty,
            method,
            path = Empty,
            status = Empty,
            correlation_id = correlation_id.as_str(),
        );
        if let Some(on_begin) = &shell.on_begin {
            on_begin(&span, request.headers());
        }
        Self {
            span,
            began: Instant::now(),
            facts: RequestFacts {
                method,
                route: None,
                status: None,
                duration: Duration::ZERO,
                bytes: None,
                correlation_id,
            },
            on_complete: shell.on_complete.clone(),
        }
    }

    fn close(mut self, response: &Response, bytes: Option<u64>) {
        let pattern = response.data::<PathPattern>();
        self.facts.route = pattern.map(|pattern| Arc::clone(&pattern.0));
        self.facts.status = Some(response.status());
        self.facts.bytes = bytes;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let facts = &mut self.facts;
        facts.duration = self.began.elapsed();
        let path = facts.route.as_deref().unwrap_or("unknown");
        let status = facts.status.map(|status| status.as_u16());
        self.span.record("path", path);
        telemetry::rename(&self.span, format_args!("{} {path}", facts.method));
        if let Some(status) = status {
            self.span.record("status", status);
            if status >= 500 {
                self.span.record("otel.status_code", "ERROR");
            }
        }
        let duration_ms = facts.duration.as_secs_f64() * 1000.0;
        self.span.in_scope(|| {
            tracing::info!(
                method = facts.method,
                path,
                status,
                duration_ms,
                bytes = facts.bytes,
                correlation_id = facts.correlation_id.as_str(),
                "{}",
                match status {
                    Some(_) => "answered",
                    None => "not answered: the client left, or was cut off",
                }
            );
        });
        if let Some(on_complete) = &self.on_complete {
            on_complete(facts);
        }
    }
}

/// Clients may make methods up, and would make a new figure of each.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use poem::{
        Route,
        endpoint::{make, make_sync},
        http::HeaderName,
    };
    use serde_json::{Value, json};
    use url::Url;

    use super::*;
    use crate::http::{
        body::{BodyLimits, read},
        client_address::{CameByHttps, ClientAddress},
        methods::Methods,
    };

    const SECRET: &str = "s3cret-t0ken";

    #[derive(Default)]
    struct Seen(Mutex<Vec<RequestFacts>>);

    impl Seen {
        fn only(&self) -> RequestFacts {
            let seen = self.0.lock().unwrap();
            assert_eq!(seen.len(), 1);
            seen[0].clone()
        }
    }

    fn shelled() -> (impl Endpoint<Output = Response>, Arc<Seen>) {
        let routes = Route::new()
            .at(
                "/hello",
                Methods::new()
                    .get(make_sync(|_| "hello".repeat(400)))
                    .post(make(|mut request| async move {
                        read(&mut request, BodyLimits::of_bytes(100)).await
                    })),
            )
            .at(
                "/panic",
                make_sync(|request: Request| -> &'static str {
                    assert_ne!(request.method(), Method::GET, "{SECRET}");
                    "no panic"
                }),
            )
            .at("/links/:token", make_sync(|_| "opened"))
            .at(
                "/fail",
                make_sync(|_| -> poem::Result<String> {
                    Err(poem::error::InternalServerError(std::io::Error::other(
                        SECRET,
                    )))
                }),
            )
            .at(
                "/who",
                make_sync(|request: Request| {
                    format!(
                        "{} {} {}",
                        request.data::<ClientAddress>().unwrap().0,
                        request.data::<CameByHttps>().unwrap().0,
                        request.data::<CorrelationId>().unwrap().as_str(),
                    )
                }),
            )
            .at("/slow", make(|_| std::future::pending::<String>()));
        let seen = Arc::new(Seen::default());
        let tell = Arc::clone(&seen);
        let shell = Shell {
            production: true,
            cors: Cors::new(
                [&Url::parse("https://app.example.com").unwrap()],
                &Url::parse("https://api.example.com").unwrap(),
            ),
            trusted_proxies: vec!["0.0.0.0/32".parse().unwrap()],
            on_begin: None,
            on_complete: Some(Arc::new(move |facts| {
                tell.0.lock().unwrap().push(facts.clone());
            })),
        };
        (wrap(routes, shell), seen)
    }

    async fn ask(method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().method(method).uri_str(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        shelled().0.get_response(request.finish()).await
    }

    async fn document(response: Response) -> Value {
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        serde_json::from_str(&response.into_body().into_string().await.unwrap()).unwrap()
    }

    /// Each layer holds what it wraps twice over, and every request moves all of that.
    #[test]
    fn the_future_of_a_request_is_small() {
        let (endpoint, _) = shelled();
        let size = size_of_val(&endpoint.get_response(Request::default()));
        assert!(size <= 4096, "{size} bytes");
    }

    #[tokio::test]
    async fn every_answer_carries_the_security_headers_and_its_id() {
        let origin = ("origin", "https://app.example.com");
        let preflight = [origin, ("access-control-request-method", "POST")];
        for (method, path, headers, status) in [
            (Method::GET, "/hello", &[][..], 200),
            (Method::GET, "/nowhere", &[], 404),
            (Method::DELETE, "/hello", &[], 405),
            (Method::TRACE, "/hello", &[], 405),
            (Method::GET, "/panic", &[], 500),
            (Method::GET, "/fail", &[], 500),
            (Method::OPTIONS, "/hello", &preflight[..], 204),
        ] {
            let response = ask(method, path, headers).await;
            assert_eq!(response.status().as_u16(), status, "{path}");
            for name in [
                "content-security-policy",
                "x-content-type-options",
                "strict-transport-security",
                "referrer-policy",
                "x-correlation-id",
            ] {
                assert!(response.headers().contains_key(name), "{path} {name}");
            }
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            assert!(!response.headers().contains_key(header::SERVER));
        }
    }

    #[tokio::test]
    async fn a_panic_is_answered_with_the_id_and_nothing_else() {
        let response = ask(Method::GET, "/panic", &[("x-correlation-id", "my-request")]).await;
        assert_eq!(response.headers()[CORRELATION_ID], "my-request");
        assert_eq!(
            document(response).await,
            json!({ "errors": [{
                "message": "Something went wrong on our side.",
                "extensions": { "code": "INTERNAL", "correlationId": "my-request" },
            }] })
        );
    }

    #[tokio::test]
    async fn errors_are_json_without_their_insides() {
        let response = ask(Method::GET, "/fail", &[]).await;
        let told = document(response).await.to_string();
        assert!(!told.contains(SECRET), "{told}");
        let told = document(ask(Method::GET, "/nowhere", &[]).await).await;
        assert_eq!(
            told["errors"][0]["extensions"],
            json!({ "code": "BAD_REQUEST" })
        );
    }

    #[tokio::test]
    async fn options_and_405_name_the_routes_methods() {
        for (method, status) in [(Method::OPTIONS, 204), (Method::PUT, 405)] {
            let response = ask(method, "/hello", &[]).await;
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(
                response.headers()[header::ALLOW],
                "GET, HEAD, OPTIONS, POST"
            );
        }
        let response = ask(Method::OPTIONS, "/nowhere", &[]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn head_has_the_length_and_no_body() {
        let response = ask(Method::HEAD, "/hello", &[("accept-encoding", "gzip")]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_LENGTH], "2000");
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
        assert!(response.into_body().is_empty());
    }

    #[tokio::test]
    async fn answers_are_packed_on_the_way_out() {
        let response = ask(Method::GET, "/hello", &[("accept-encoding", "gzip")]).await;
        assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    }

    #[tokio::test]
    async fn cors_stands_on_errors_too() {
        let origin = ("origin", "https://app.example.com");
        let response = ask(Method::GET, "/panic", &[origin]).await;
        assert_eq!(
            response.headers()[header::ACCESS_CONTROL_ALLOW_ORIGIN],
            origin.1
        );
        let response = ask(Method::GET, "/panic", &[("origin", "https://evil.test")]).await;
        assert!(
            !response
                .headers()
                .contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN)
        );
    }

    #[tokio::test]
    async fn handlers_know_who_asks() {
        let headers = [
            ("x-forwarded-for", "192.0.2.9"),
            ("x-forwarded-proto", "https"),
            ("x-correlation-id", "0123-abcd"),
        ];
        let response = ask(Method::GET, "/who", &headers).await;
        let told = response.into_body().into_string().await.unwrap();
        assert_eq!(told, "192.0.2.9 true 0123-abcd");
    }

    #[tokio::test]
    async fn a_bodys_refusal_reaches_the_client_as_it_is() {
        let (endpoint, _) = shelled();
        let request = Request::builder()
            .method(Method::POST)
            .uri_str("/hello")
            .body(vec![b'a'; 101]);
        let response = endpoint.get_response(request).await;
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let told = document(response).await;
        assert_eq!(told["errors"][0]["extensions"]["code"], "PAYLOAD_TOO_LARGE");
    }

    #[tokio::test]
    async fn facts_hold_the_template_and_not_the_path() {
        let (endpoint, seen) = shelled();
        let request = Request::builder()
            .uri_str(format!("/links/{SECRET}?and={SECRET}"))
            .header(HeaderName::from_static("x-correlation-id"), "0123-abcd");
        endpoint.get_response(request.finish()).await;
        let facts = seen.only();
        assert_eq!(facts.route.as_deref(), Some("/links/:token"));
        assert_eq!(facts.status, Some(StatusCode::OK));
        assert_eq!(facts.bytes, Some(6));
        assert!(!format!("{facts:?}").contains(SECRET));
    }

    #[tokio::test]
    async fn a_request_without_an_answer_is_told_of_too() {
        let (endpoint, seen) = shelled();
        let request = Request::builder()
            .method(Method::from_bytes(b"BREW").unwrap())
            .uri_str("/slow")
            .finish();
        let waited = tokio::time::timeout(Duration::from_millis(10), endpoint.call(request)).await;
        assert!(waited.is_err());
        let facts = seen.only();
        assert_eq!((facts.method, facts.status), ("_OTHER", None));
    }
}
