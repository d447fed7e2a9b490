//! GraphQL over HTTP: from a request to operations, from their answers to a response.

use std::sync::Arc;

use async_graphql::Variables;
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use poem::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request as HttpRequest, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::asked::{self, Asked, BODY_LIMIT};
use super::body::{self, BodyError, BodyLimits};
use super::cookies::{self, SetCookie};
use super::correlation::CorrelationId;
use super::cors::Cors;
use super::headers::vary;
use super::media_type::{self, Accepted};
use super::multipart::{self, Coming, NotBegun};
use super::origin::is_foreign;
use super::people::{self, Shown};
use super::socket::{self, SocketLimits, Sockets};
use super::{Standing, pages};
use crate::accounts::{Accounts, Actor, Client};
use crate::graphql::{
    Answer, Api, ApiError, Budget, Caller, CookieChange, Object, Reply, Request, STALE_TOKEN, Told,
};
use crate::idempotency;

/// Headers of which a multipart request needs one: a form on another site can't set them.
const PREFLIGHTED: [&str; 4] = [
    "apollo-require-preflight",
    "graphql-require-preflight",
    "x-apollo-operation-name",
    "x-csrf-token",
];

/// What names a mutation, so that it is done once.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Marks an answer that was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub struct GraphQl {
    api: Arc<Api>,
    accounts: Arc<Accounts>,
    cors: Cors,
    standing: Arc<Standing>,
    sockets: Arc<Sockets>,
    console: pages::Page,
}

/// The service, as sockets ask it.
struct Live {
    api: Arc<Api>,
    accounts: Arc<Accounts>,
}

#[async_trait]
impl socket::Service for Live {
    async fn count(&self, caller: &Caller) -> Result<(), ApiError> {
        self.api.count(caller).await
    }

    async fn authenticate(
        &self,
        token: &SecretString,
        caller: &Caller,
    ) -> Result<Option<Actor>, ApiError> {
        let address = caller.client.address;
        let token = token.expose_secret();
        Ok(self.accounts.authenticate(token, address).await?)
    }

    async fn renewed(&self, actor: &Actor) -> Result<Option<Actor>, ApiError> {
        Ok(self.accounts.renewed(actor).await?)
    }

    fn subscribe(&self, request: Request, caller: Caller) -> BoxStream<'static, Told> {
        self.api.clone().subscribe(request, caller)
    }
}

impl GraphQl {
    pub fn new(
        api: Arc<Api>,
        accounts: Arc<Accounts>,
        cors: Cors,
        standing: Arc<Standing>,
    ) -> Self {
        let app = accounts.app();
        let limits = SocketLimits::default();
        let scaled = |limit: Option<usize>| {
            let limit = app.scaled(limit? as u64)?;
            usize::try_from(limit).ok()
        };
        let limits = SocketLimits {
            an_account: scaled(limits.an_account),
            an_address: scaled(limits.an_address),
            ..limits
        };
        let live = Arc::new(Live {
            api: api.clone(),
            accounts: accounts.clone(),
        });
        Self {
            sockets: Sockets::new(live, limits, app.metrics.clone()),
            api,
            accounts,
            cors,
            standing,
            console: pages::console(),
        }
    }

    async fn serve(&self, mut request: HttpRequest) -> Response {
        let by_get = request.method() == Method::GET;
        if by_get && socket::is_asked_for(request.headers()) {
            return self.open_socket(&mut request);
        }
        if request.headers().contains_key(header::AUTHORIZATION) && !self.standing.is_migrated() {
            let error = not_migrated();
            return transport(&error, error.status());
        }
        let caller = match self.caller(&request, by_get).await {
            Ok(caller) => caller,
            Err(error) => return transport(&error, error.status()),
        };
        // By GET there is nothing that signs in or out.
        if by_get && caller.has_stale_token {
            return self.refuse_stale(&caller).await;
        }
        if by_get && wants_page(&request) {
            return self.console.response();
        }
        let Some(accepted) = media_type::accepted(request.headers()) else {
            return transport(
                &ApiError::BadRequest(
                    "Accept: answers come as application/graphql-response+json or application/json.".into(),
                ),
                StatusCode::NOT_ACCEPTABLE,
            );
        };
        let asked = match by_get {
            true => {
                from_query(request.uri().query().unwrap_or_default()).map(|asked| (asked, None))
            }
            false => match from_body(&mut request).await {
                Ok(Err(_)) | Err(_) if caller.has_stale_token => {
                    return self.refuse_stale(&caller).await;
                }
                Ok(asked) => asked,
                Err(response) => return *response,
            },
        };
        let (Asked { requests, is_batch }, coming) = match asked {
            Ok(asked) => asked,
            Err(error) => {
                let (error, budget) = self.api.refusal(error, &caller).await;
                let mut response = transport(&error, error.status());
                if let Some(budget) = budget {
                    tell_budget(response.headers_mut(), &budget);
                }
                return response;
            }
        };
        if !self.standing.is_migrated() {
            let error = not_migrated();
            return transport(&error, error.status());
        }
        let is_personal = caller.actor.account_id().is_some();
        let has_stale_token = caller.has_stale_token;
        let running = self.api.run(requests, caller);
        let mut reply = match coming {
            Some(coming) => {
                let metrics = &self.accounts.app().metrics;
                coming.feed(metrics, running).await
            }
            None => running.await,
        };
        if has_stale_token && was_unauthenticated(&reply) {
            return unauthenticated();
        }
        let mut response = respond(&reply, is_batch, accepted);
        let changes = std::mem::take(&mut reply.cookies);
        let sets_cookies = !changes.is_empty();
        if let Err(error) = set_cookies(changes, response.headers_mut()) {
            let error = ApiError::internal(error);
            return transport(&error, error.status());
        }
        if is_personal || sets_cookies {
            let no_store = HeaderValue::from_static("no-store");
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, no_store);
        }
        response
    }

    /// Whose socket it is to be says its first message; neither a header nor a cookie counts.
    fn open_socket(&self, request: &mut HttpRequest) -> Response {
        if !self.standing.is_migrated() {
            let error = not_migrated();
            return transport(&error, error.status());
        }
        let is_foreign = is_foreign(&self.cors, request.headers());
        let client = people::client(request, &self.cors);
        let caller = caller_of(request, client, Actor::Anonymous);
        match self.sockets.open(request, caller, is_foreign) {
            Ok(response) => response,
            Err(response) => *response,
        }
    }

    /// That counts too: somebody could ask for it without end.
    async fn refuse_stale(&self, caller: &Caller) -> Response {
        let stale = ApiError::Unauthenticated(STALE_TOKEN);
        match self.api.refusal(stale, caller).await {
            (ApiError::Unauthenticated(_), _) => unauthenticated(),
            (error, budget) => {
                let mut response = transport(&error, error.status());
                if let Some(budget) = budget {
                    tell_budget(response.headers_mut(), &budget);
                }
                response
            }
        }
    }

    async fn caller(&self, request: &HttpRequest, only_queries: bool) -> Result<Caller, ApiError> {
        let headers = request.headers();
        let client = people::client(request, &self.cors);
        let (actor, has_stale_token) = match people::shown(&self.accounts, headers, &client).await?
        {
            Shown::Actor(actor) => (actor, false),
            Shown::Stale => (Actor::Anonymous, true),
        };
        Ok(Caller {
            has_stale_token,
            only_queries,
            idempotency_key: idempotency::Key::read(
                headers
                    .get_all(IDEMPOTENCY_KEY)
                    .iter()
                    .map(HeaderValue::as_bytes),
            ),
            ..caller_of(request, client, actor)
        })
    }
}

/// Who sends a request, apart from what it is to do.
fn caller_of(request: &HttpRequest, client: Client, actor: Actor) -> Caller {
    let text = |name: &str| {
        let value = request.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let correlation_id = request.extensions().get::<CorrelationId>();
    Caller {
        actor,
        has_stale_token: false,
        client,
        correlation_id: correlation_id
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        client_name: text("apollographql-client-name"),
        client_version: text("apollographql-client-version"),
        only_queries: false,
        idempotency_key: None,
    }
}

/// Whether nothing ran, for want of a token that is believed.
fn was_unauthenticated(reply: &Reply) -> bool {
    reply
        .answers
        .iter()
        .all(|answer| matches!(answer.refusal(), Some(ApiError::Unauthenticated(_))))
}

fn not_migrated() -> ApiError {
    ApiError::unavailable("the database is not up to date yet")
}

fn set_cookies(
    changes: Vec<CookieChange>,
    answer: &mut HeaderMap,
) -> Result<(), cookies::Unwritable> {
    for change in changes {
        let cookies = match change {
            CookieChange::SignedIn {
                refresh,
                kept,
                csrf,
                device,
            } => {
                let mut cookies = vec![
                    SetCookie::Refresh {
                        token: refresh,
                        kept,
                    },
                    SetCookie::Csrf(csrf),
                ];
                cookies.extend(device.map(SetCookie::Device));
                cookies
            }
            CookieChange::SignedOut => vec![SetCookie::NoRefresh, SetCookie::NoCsrf],
        };
        cookies::set(&cookies, answer)?;
    }
    Ok(())
}

impl Endpoint for GraphQl {
    type Output = Response;

    async fn call(&self, request: HttpRequest) -> poem::Result<Response> {
        let mut response = self.serve(request).await;
        // A page, or data in one of two forms.
        vary(response.headers_mut(), "Accept");
        Ok(response)
    }
}

/// A browser that was led here, rather than a script on one of its pages.
fn wants_page(request: &HttpRequest) -> bool {
    let has_query = request.uri().query().is_some_and(|query| {
        query
            .split('&')
            .any(|pair| pair.starts_with("query=") || pair.starts_with("extensions="))
    });
    !has_query && media_type::prefers_html(request.headers())
}

fn from_query(query: &str) -> Result<Asked, ApiError> {
    #[derive(Default)]
    struct Parameters {
        query: Option<String>,
        operation_name: Option<String>,
        variables: Option<String>,
        extensions: Option<String>,
    }
    let mut parameters = Parameters::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let slot = match &*name {
            "query" => &mut parameters.query,
            "operationName" => &mut parameters.operation_name,
            "variables" => &mut parameters.variables,
            "extensions" => &mut parameters.extensions,
            _ => continue,
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(ApiError::BadRequest(format!(
                "{name}: it stands in the address more than once."
            )));
        }
    }
    Ok(Asked {
        requests: vec![Request {
            query: parameters.query,
            operation_name: parameters.operation_name.filter(|name| !name.is_empty()),
            variables: json_parameter::<Variables>("variables", parameters.variables)?,
            extensions: json_parameter("extensions", parameters.extensions)?
                .map(|Object(extensions)| extensions),
            document_id: None,
            files: None,
        }],
        is_batch: false,
    })
}

fn json_parameter<T: for<'de> Deserialize<'de>>(
    name: &str,
    text: Option<String>,
) -> Result<Option<T>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    serde_json::from_str(&text).map_err(|error| {
        ApiError::BadRequest(format!("{name}: a JSON object is expected ({error})."))
    })
}

/// The operations in a body, and the files behind them if it has some; or, where there is no body to read them from, the
/// answer.
async fn from_body(
    request: &mut HttpRequest,
) -> Result<Result<(Asked, Option<Coming>), ApiError>, Box<Response>> {
    match media_type::of_body(request.headers()) {
        Some(media_type::BodyType::Json) => {
            match body::read(request, BodyLimits::of_bytes(BODY_LIMIT)).await {
                Ok(bytes) => Ok(asked::parse(&bytes).map(|asked| (asked, None))),
                Err(error) => Err(Box::new(refused_body(&error))),
            }
        }
        Some(media_type::BodyType::Multipart) if !is_preflighted(request.headers()) => {
            let error = ApiError::Csrf(
                "A multipart request needs one of the headers Apollo-Require-Preflight, GraphQL-Require-Preflight, \
                 X-Apollo-Operation-Name and X-CSRF-Token.",
            );
            Err(Box::new(transport(&error, error.status())))
        }
        Some(media_type::BodyType::Multipart) => match multipart::begin(request).await {
            Ok((asked, coming)) => Ok(Ok((asked, Some(coming)))),
            Err(NotBegun::Refused(error)) => Ok(Err(error)),
            Err(NotBegun::Body(error)) => Err(Box::new(refused_body(&error))),
        },
        None => Err(Box::new(unsupported(
            "Content-Type: application/json is expected, or multipart/form-data where there are files.",
        ))),
    }
}

fn is_preflighted(headers: &HeaderMap) -> bool {
    PREFLIGHTED.iter().any(|name| headers.contains_key(*name))
}

fn respond(reply: &Reply, is_batch: bool, accepted: Accepted) -> Response {
    let written = match reply.answers.as_slice() {
        [answer] if !is_batch => answer.to_json(),
        answers => batch(answers),
    };
    let Ok(bytes) = written else {
        let error = ApiError::internal("an answer could not be written as JSON");
        return transport(&error, error.status());
    };
    let refusals: Vec<Option<ApiError>> = reply.answers.iter().map(Answer::refusal).collect();
    // One status for all: what refused the whole request. Where something ran, it is 200.
    let whole = match refusals.as_slice() {
        [Some(first), ..] if refusals.iter().all(Option::is_some) => Some(first),
        _ => None,
    };
    let status = match whole {
        Some(error) => accepted.status(error),
        None => StatusCode::OK,
    };
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, accepted.content_type())
        .body(bytes);
    let headers = response.headers_mut();
    // Also where a field alone was asked for too often.
    if let Some(seconds) = reply.answers.iter().filter_map(Answer::retry_after).max() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if whole.is_some() && status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    if reply.answers.iter().any(Answer::was_kept) {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if let Some(budget) = &reply.budget {
        tell_budget(headers, budget);
    }
    response
}

fn batch(answers: &[Answer]) -> serde_json::Result<Vec<u8>> {
    let mut list = vec![b'['];
    for (at, answer) in answers.iter().enumerate() {
        if at > 0 {
            list.push(b',');
        }
        list.extend(answer.to_json()?);
    }
    list.push(b']');
    Ok(list)
}

fn tell_retry(headers: &mut HeaderMap, error: &ApiError) {
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// As the IETF's draft on rate limit headers has them.
fn tell_budget(headers: &mut HeaderMap, budget: &Budget) {
    let quota = budget.quota;
    let policy = format!("\"{quota}\";q={};w=60", budget.limit);
    // Rounded up: who comes back then must not be too early.
    let reset = budget.reset_after.as_micros().div_ceil(1_000_000);
    let left = format!("\"{quota}\";r={};t={reset}", budget.remaining);
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// A refusal of the request itself: its status is the same whatever the client accepts.
fn transport(error: &ApiError, status: StatusCode) -> Response {
    let body = serde_json::json!({
        "errors": [{ "message": error.to_string(), "extensions": error.extensions() }]
    });
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_string());
    tell_retry(response.headers_mut(), error);
    response
}

fn unauthenticated() -> Response {
    let error = ApiError::Unauthenticated(STALE_TOKEN);
    let mut response = transport(&error, StatusCode::UNAUTHORIZED);
    let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
    let headers = response.headers_mut();
    headers.insert(header::WWW_AUTHENTICATE, challenge);
    response
}

fn unsupported(message: &str) -> Response {
    let mut response = transport(
        &ApiError::BadRequest(message.into()),
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
    );
    let accept = HeaderValue::from_static("application/json, multipart/form-data");
    response.headers_mut().insert(header::ACCEPT, accept);
    response
}

fn refused_body(error: &BodyError) -> Response {
    use poem::error::ResponseError;
    error.as_response()
}
