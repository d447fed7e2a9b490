//! `GET /csrf`: the token that a page must send along with the refresh cookie, for a page that was loaded anew and has
//! lost it. In the answer, and in the cookie that it must equal.

use std::sync::Arc;

use async_trait::async_trait;
use poem::http::{StatusCode, header};
use poem::{Endpoint, Request, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::Standing;
use super::cookies::{self, Cookies, SetCookie};
use super::cors::Cors;
use super::origin::is_foreign;
use super::refusal::{api_refusal, internal, refusal};
use super::visitor::Visitor;
use crate::graphql::ApiError;

/// Whoever knows the sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// The CSRF token of the session that this refresh token belongs to; nothing if there is none. Does not use the
    /// refresh token up.
    async fn csrf_token(&self, refresh: &SecretString) -> Result<Option<SecretString>, ApiError>;
}

pub struct Csrf {
    cors: Cors,
    standing: Arc<Standing>,
    sessions: Arc<dyn Sessions>,
}

impl Csrf {
    pub fn new(cors: Cors, standing: Arc<Standing>, sessions: Arc<dyn Sessions>) -> Self {
        Self {
            cors,
            standing,
            sessions,
        }
    }

    async fn serve(&self, request: &Request) -> Response {
        // It sets a cookie, which a page of another site has no business with.
        if is_foreign(&self.cors, request.headers()) {
            let message =
                "Pages of this origin may not call; EMPULSE_ALLOWED_ORIGINS names those that may.";
            return refusal(StatusCode::FORBIDDEN, message);
        }
        let visitor = Visitor::of(request);
        let cookies = Cookies::of(request.headers());
        let Some(refresh) = cookies.refresh() else {
            return nobody("There is no refresh cookie. Sign in first.");
        };
        if !self.standing.is_migrated() {
            let error = ApiError::unavailable("the database is not up to date yet");
            return api_refusal(&error, &visitor.correlation_id);
        }
        match self.sessions.csrf_token(refresh).await {
            Ok(Some(token)) => answer(&token, &visitor),
            Ok(None) => nobody("The session has ended. Sign in again."),
            Err(error) => api_refusal(&error, &visitor.correlation_id),
        }
    }
}

impl Endpoint for Csrf {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.serve(&request).await)
    }
}

fn nobody(message: &str) -> Response {
    refusal(StatusCode::UNAUTHORIZED, message)
}

fn answer(token: &SecretString, visitor: &Visitor) -> Response {
    let mut response = Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(json!({ "token": token.expose_secret() }).to_string());
    match cookies::set(&[SetCookie::Csrf(token.clone())], response.headers_mut()) {
        Ok(()) => response,
        Err(error) => {
            tracing::error!(%error, correlation_id = visitor.correlation_id.as_str(), "a cookie could not be set");
            internal(&visitor.correlation_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use url::Url;

    use super::*;

    /// Knows one session.
    struct Fake;

    #[async_trait]
    impl Sessions for Fake {
        async fn csrf_token(
            &self,
            refresh: &SecretString,
        ) -> Result<Option<SecretString>, ApiError> {
            match refresh.expose_secret() {
                "good" => Ok(Some("c.1".into())),
                "broken" => Err(ApiError::internal("s3cret cause")),
                "busy" => Err(ApiError::unavailable("away")),
                _ => Ok(None),
            }
        }
    }

    async fn ask(headers: &[(&str, &str)], migrated: bool) -> (StatusCode, String, Response) {
        let standing = Arc::new(Standing::default());
        standing.migrated.store(migrated, Ordering::Release);
        let cors = Cors::new(&[], &Url::parse("https://api.example.com").unwrap());
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let csrf = Csrf::new(cors, standing, Arc::new(Fake));
        let mut response = csrf.get_response(request.finish()).await;
        let body = response.take_body().into_string().await.unwrap();
        (response.status(), body, response)
    }

    const GOOD: (&str, &str) = ("cookie", "__Host-refresh=good");

    #[tokio::test]
    async fn the_token_comes_in_the_answer_and_in_its_cookie() {
        for headers in [&[GOOD][..], &[GOOD, ("origin", "https://api.example.com")]] {
            let (status, body, response) = ask(headers, true).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(body, r#"{"token":"c.1"}"#);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            assert_eq!(
                response.headers()[header::SET_COOKIE],
                "__Host-csrf=c.1; Path=/; Secure; SameSite=Strict"
            );
        }
    }

    #[tokio::test]
    async fn who_has_no_session_is_told_so() {
        for headers in [
            &[][..],
            &[("cookie", "__Host-refresh=unknown")],
            &[("cookie", "__Host-refresh=good; __Host-refresh=other")],
            &[("cookie", "__Host-csrf=good")],
        ] {
            let (status, body, response) = ask(headers, true).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{headers:?}");
            assert!(body.contains(r#""code":"UNAUTHENTICATED""#), "{body}");
            assert!(!response.headers().contains_key(header::SET_COOKIE));
        }
    }

    #[tokio::test]
    async fn another_sites_page_is_refused_whatever_it_has() {
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let (status, body, response) = ask(&[GOOD, foreign], true).await;
            assert_eq!(status, StatusCode::FORBIDDEN);
            assert!(body.contains(r#""code":"FORBIDDEN""#), "{body}");
            assert!(!response.headers().contains_key(header::SET_COOKIE));
        }
    }

    #[tokio::test]
    async fn failures_are_told_without_their_insides() {
        for (cookie, migrated, expected) in [
            ("__Host-refresh=broken", true, "INTERNAL"),
            ("__Host-refresh=busy", true, "UNAVAILABLE"),
            ("__Host-refresh=good", false, "UNAVAILABLE"),
        ] {
            let (status, body, response) = ask(&[("cookie", cookie)], migrated).await;
            assert!(status.is_server_error());
            assert!(
                body.contains(expected) && !body.contains("s3cret"),
                "{body}"
            );
            let retry = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(retry, expected == "UNAVAILABLE");
        }
    }
}
