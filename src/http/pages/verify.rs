//! `/verify`, where the link of a verification mail leads: a page with one button. Mail scanners follow links, so a GET
//! confirms nothing; the button's form does, and needs no script.
//!
//! The token stands in the page's address. `strict-origin` keeps it out of every `Referer`, while a form of this page
//! still says its origin: by `no-referrer` it would say `null`, as a form of anybody else can.

use std::sync::Arc;

use askama::Template;
use async_trait::async_trait;
use poem::error::{InternalServerError, ResponseError};
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response};
use secrecy::SecretString;
use url::Url;

use super::sheet::{Look, page};
use crate::config::Config;
use crate::graphql::ApiError;
use crate::http::Standing;
use crate::http::body::{self, BodyLimits};
use crate::http::cors::Cors;
use crate::http::origin::is_foreign;
use crate::http::refusal::{refusal, report, tell_retry};
use crate::http::token;
use crate::http::visitor::Visitor;

/// A token and its name, with much to spare.
const BODY_LIMIT: usize = 4096;

const FORM: &str = "application/x-www-form-urlencoded";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// Whoever knows which address a token confirms.
#[async_trait]
pub trait Addresses: Send + Sync {
    /// Confirms the address that this token was mailed to. False for a token that is unknown, used or expired.
    async fn verify(&self, token: SecretString, visitor: &Visitor) -> Result<bool, ApiError>;
}

pub struct Verify {
    cors: Cors,
    standing: Arc<Standing>,
    addresses: Arc<dyn Addresses>,
    login: String,
    /// Where the form may go. Browsers also hold the redirect that answers it to this.
    forms: String,
}

/// What a visitor is told.
enum Told {
    Asked(String),
    Incomplete,
    Foreign,
    Spent,
    Failed(ApiError, String),
}

impl Verify {
    pub fn new(
        config: &Config,
        cors: Cors,
        standing: Arc<Standing>,
        addresses: Arc<dyn Addresses>,
    ) -> Self {
        Self {
            cors,
            standing,
            addresses,
            login: below(&config.web_url, "login"),
            forms: format!("'self' {}", config.web_url.origin().ascii_serialization()),
        }
    }

    async fn serve(&self, mut request: Request) -> poem::Result<Response> {
        let visitor = Visitor::of(&request);
        if request.method() != Method::POST {
            let query = request.uri().query().unwrap_or_default();
            let told = only_token(query.as_bytes()).map_or(Told::Incomplete, Told::Asked);
            return self.tell(told, &visitor);
        }
        if is_foreign(&self.cors, request.headers()) {
            return self.tell(Told::Foreign, &visitor);
        }
        if !is_form(request.headers()) {
            return Ok(unsupported());
        }
        let form = match body::read(&mut request, BodyLimits::of_bytes(BODY_LIMIT)).await {
            Ok(form) => form,
            Err(error) => return Ok(error.as_response()),
        };
        let Some(token) = only_token(&form) else {
            return self.tell(Told::Incomplete, &visitor);
        };
        if !self.standing.is_migrated() {
            let error = ApiError::unavailable("the database is not up to date yet");
            return self.tell(Told::Failed(error, token), &visitor);
        }
        let asked = SecretString::from(token.clone());
        match self.addresses.verify(asked, &visitor).await {
            Ok(true) => Ok(self.go_on()),
            Ok(false) => self.tell(Told::Spent, &visitor),
            Err(error) => self.tell(Told::Failed(error, token), &visitor),
        }
    }

    fn go_on(&self) -> Response {
        Response::builder()
            .status(StatusCode::SEE_OTHER)
            .header(header::LOCATION, format!("{}?verified=true", self.login))
            .finish()
    }

    fn tell(&self, told: Told, visitor: &Visitor) -> poem::Result<Response> {
        let status = told.status();
        let (title, text) = told.words(visitor);
        let look = Look::plain();
        let csp = match told.token() {
            Some(_) => look.policy_with_forms(&self.forms),
            None => look.policy(),
        };
        let template = VerifyPage {
            look,
            title,
            text,
            token: told.token(),
            login: matches!(told, Told::Spent).then_some(self.login.as_str()),
        };
        let page = page(&template, csp).map_err(InternalServerError)?;
        let mut response = page.response();
        response.set_status(status);
        response.headers_mut().insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("strict-origin"),
        );
        if let Told::Failed(error, _) = &told {
            report(error, &visitor.correlation_id);
            tell_retry(&mut response, error);
        }
        Ok(response)
    }
}

impl Endpoint for Verify {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        self.serve(request).await
    }
}

impl Told {
    fn status(&self) -> StatusCode {
        match self {
            Self::Asked(_) => StatusCode::OK,
            Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Spent => StatusCode::GONE,
            Self::Failed(error, _) => error.status(),
        }
    }

    /// For the button, where pressing it (again) can help.
    fn token(&self) -> Option<&str> {
        match self {
            Self::Asked(token) | Self::Failed(_, token) => Some(token),
            _ => None,
        }
    }

    fn words(&self, visitor: &Visitor) -> (&'static str, String) {
        let (title, text) = match self {
            Self::Asked(_) => (
                "Confirm your e\u{2011}mail address",
                "One more click, and your account is ready.",
            ),
            Self::Incomplete => (
                "This link is not whole",
                "Something of it was lost on its way here. Open it from the mail again, or copy all of it into the \
                 address bar.",
            ),
            Self::Foreign => (
                "This came from another site",
                "Only the page behind the mail’s link may confirm an address. Open the link from the mail itself.",
            ),
            Self::Spent => (
                "This link is no longer good",
                "Either it was used already, and your address is confirmed: then sign in. Or it is older than a day, \
                 or not the newest: then sign in too, and you are offered a new mail.",
            ),
            Self::Failed(ApiError::Internal(_), _) => {
                let text = format!(
                    "Something went wrong on our side. Try again; if it stays so, report it with this number: {}",
                    visitor.correlation_id.as_str()
                );
                return ("That did not work", text);
            }
            Self::Failed(ApiError::RateLimited { .. }, _) => (
                "Too many tries",
                "From your address came more than we take at once. Wait a while, then press the button again.",
            ),
            Self::Failed(_, _) => (
                "Not right now",
                "The service is not available at the moment. Your link stays good: press the button again in a minute.",
            ),
        };
        (title, text.to_owned())
    }
}

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage<'a> {
    look: Look,
    title: &'static str,
    text: String,
    token: Option<&'a str>,
    login: Option<&'a str>,
}

/// The token of an address or a form, if it holds exactly one that could be one of ours.
fn only_token(pairs: &[u8]) -> Option<String> {
    let mut tokens = url::form_urlencoded::parse(pairs)
        .filter(|(name, _)| name == "token")
        .map(|(_, value)| value.into_owned());
    let (Some(token), None) = (tokens.next(), tokens.next()) else {
        return None;
    };
    token::is_one(&token).then_some(token)
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(FORM)
}

fn unsupported() -> Response {
    let message = format!("Content-Type: {FORM} is expected.");
    let mut response = refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message);
    response
        .headers_mut()
        .insert(ACCEPT_POST, HeaderValue::from_static(FORM));
    response
}

/// An address below a base, whatever path that has itself.
fn below(base: &Url, path: &str) -> String {
    format!("{}/{path}", base.as_str().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::Ordering;
    use std::time::Duration;

    use secrecy::ExposeSecret;

    use super::*;
    use crate::http::methods::Methods;

    /// Remembers what it was asked; its answer follows from the token.
    #[derive(Default)]
    struct Fake(Mutex<Vec<String>>);

    #[async_trait]
    impl Addresses for Fake {
        async fn verify(&self, token: SecretString, _: &Visitor) -> Result<bool, ApiError> {
            let token = token.expose_secret().to_owned();
            self.0.lock().unwrap().push(token.clone());
            match token.as_str() {
                "good" => Ok(true),
                "busy" => Err(ApiError::unavailable("s3cret")),
                "broken" => Err(ApiError::internal("s3cret")),
                "often" => Err(ApiError::RateLimited {
                    limit: 1,
                    remaining: 0,
                    retry_after: Duration::from_secs(90),
                }),
                _ => Ok(false),
            }
        }
    }

    struct Answer {
        status: StatusCode,
        headers: HeaderMap,
        text: String,
        asked: Vec<String>,
    }

    async fn send(request: Request, migrated: bool) -> Answer {
        let args = ["empulse", "--web-url", "https://www.example.com/app/"];
        let args = args.map(std::ffi::OsString::from);
        let config = match crate::config::read(args.into_iter(), std::iter::empty()) {
            Ok(invocation) => invocation.config,
            Err(problem) => panic!("{problem}"),
        };
        let standing = Arc::new(Standing::default());
        standing.migrated.store(migrated, Ordering::Release);
        let fake = Arc::new(Fake::default());
        let cors = Cors::new(&[], &config.public_url);
        let verify = Arc::new(Verify::new(&config, cors, standing, fake.clone()));
        let route = Methods::new().get(verify.clone()).post(verify);
        let mut response = route.get_response(request).await;
        Answer {
            status: response.status(),
            headers: response.headers().clone(),
            text: response.take_body().into_string().await.unwrap(),
            asked: std::mem::take(&mut *fake.0.lock().unwrap()),
        }
    }

    async fn get(address: &str) -> Answer {
        send(Request::builder().uri_str(address).finish(), true).await
    }

    async fn post(body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(Method::POST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(body.to_owned()), true).await
    }

    const FORM_TYPE: (&str, &str) = ("content-type", FORM);

    #[tokio::test]
    async fn a_visit_confirms_nothing_and_shows_the_button() {
        let answer = get("/verify?token=emp_v-1&utm_source=mail").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.asked.is_empty());
        let input = r#"<input type="hidden" name="token" value="emp_v-1" autocomplete="off">"#;
        assert!(answer.text.contains(input), "{}", answer.text);
        assert!(
            answer
                .text
                .contains(r#"<form method="post" action="verify">"#)
        );
        assert!(!answer.text.contains("<script"));
        let csp = answer.headers[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(
            csp.contains("; form-action 'self' https://www.example.com; "),
            "{csp}"
        );
        assert!(csp.starts_with("default-src 'none'; ") && !csp.contains("unsafe"));
        assert_eq!(answer.headers[header::REFERRER_POLICY], "strict-origin");
    }

    #[tokio::test]
    async fn a_link_that_is_not_whole_gets_no_button() {
        for address in [
            "/verify",
            "/verify?token=",
            "/verify?token=a&token=a",
            "/verify?token=%22%3E%3Cscript%3E",
            "/verify?token=a%20b",
            "/verify?Token=a",
        ] {
            let answer = get(address).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{address}");
            assert!(!answer.text.contains("<form"), "{address}");
            assert!(!answer.text.contains("<script"), "{address}");
            let csp = answer.headers[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap();
            assert!(csp.contains("form-action 'none'"));
        }
    }

    #[tokio::test]
    async fn the_button_confirms_and_leads_on_to_signing_in() {
        for headers in [
            &[FORM_TYPE][..],
            &[FORM_TYPE, ("origin", "http://localhost:8000")],
            &[
                FORM_TYPE,
                ("origin", "null"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[(
                "content-type",
                "Application/X-WWW-Form-URLencoded; charset=utf-8",
            )],
        ] {
            let answer = post("token=good", headers).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{headers:?}");
            assert_eq!(
                answer.headers[header::LOCATION],
                "https://www.example.com/app/login?verified=true"
            );
            assert_eq!(answer.asked, ["good"]);
        }
    }

    #[tokio::test]
    async fn what_no_button_of_ours_sends_is_refused_unasked() {
        let long = format!("token={}", "a".repeat(BODY_LIMIT));
        for (body, headers, status) in [
            ("token=good", &[][..], StatusCode::UNSUPPORTED_MEDIA_TYPE),
            (
                "token=good",
                &[("content-type", "text/plain")],
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            (
                r#"{"token":"good"}"#,
                &[("content-type", "application/json")],
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ),
            (
                "token=good",
                &[FORM_TYPE, ("origin", "https://evil.example")],
                StatusCode::FORBIDDEN,
            ),
            (
                "token=good",
                &[FORM_TYPE, ("origin", "null")],
                StatusCode::FORBIDDEN,
            ),
            (
                "token=good",
                &[FORM_TYPE, ("sec-fetch-site", "cross-site")],
                StatusCode::FORBIDDEN,
            ),
            ("", &[FORM_TYPE], StatusCode::BAD_REQUEST),
            (
                "token=good&token=good",
                &[FORM_TYPE],
                StatusCode::BAD_REQUEST,
            ),
            ("token=<b>", &[FORM_TYPE], StatusCode::BAD_REQUEST),
            (&long, &[FORM_TYPE], StatusCode::PAYLOAD_TOO_LARGE),
        ] {
            let answer = post(body, headers).await;
            assert_eq!(answer.status, status, "{headers:?}");
            assert!(answer.asked.is_empty(), "{headers:?}");
            assert!(!answer.text.contains("<form"), "{headers:?}");
        }
    }

    #[tokio::test]
    async fn what_went_wrong_is_told_with_what_to_do() {
        for (token, status, says, again) in [
            ("spent", 410, "offered a new mail", false),
            ("busy", 503, "Your link stays good", true),
            ("often", 429, "Wait a while", true),
            ("broken", 500, "report it with this number", true),
        ] {
            let answer = post(&format!("token={token}"), &[FORM_TYPE]).await;
            assert_eq!(answer.status.as_u16(), status);
            assert!(answer.text.contains(says), "{}", answer.text);
            assert!(!answer.text.contains("s3cret"));
            assert_eq!(answer.text.contains("<form"), again, "{token}");
            let waits = matches!(status, 429 | 503);
            assert_eq!(answer.headers.contains_key(header::RETRY_AFTER), waits);
        }
    }

    #[tokio::test]
    async fn before_the_database_is_up_to_date_nobody_is_asked() {
        let request = Request::builder()
            .method(Method::POST)
            .header("content-type", FORM)
            .body("token=good");
        let answer = send(request, false).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.asked.is_empty());
    }
}
