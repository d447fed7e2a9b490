//! `POST /export`: trades the token of a mailed link for an address at which the archive can be fetched, a short while.
//! Whoever asks shows by their session whose they are: by `Authorization`, or by the refresh cookie with its CSRF token.
//! Where no web client is set up, a GET shows a page with a button that does so.

use std::sync::Arc;

use poem::error::ResponseError;
use poem::http::{StatusCode, header};
use poem::{Endpoint, Request, Response};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;

use super::Standing;
use super::body::{self, BodyLimits};
use super::cors::Cors;
use super::media_type::{self, BodyType};
use super::people::{self, Shown};
use super::refusal::{api_refusal, refusal};
use super::visitor::Visitor;
use crate::accounts::{Accounts, ExportAddress, Fault};
use crate::graphql::{ApiError, Object, STALE_TOKEN};

pub const ROUTE: &str = "/export";

/// A token and its name, with much to spare.
const BODY_LIMIT: usize = 4096;

pub struct Export {
    accounts: Arc<Accounts>,
    cors: Cors,
    standing: Arc<Standing>,
}

#[derive(Deserialize)]
struct Asked {
    token: String,
}

impl Export {
    pub fn new(accounts: Arc<Accounts>, cors: Cors, standing: Arc<Standing>) -> Self {
        Self {
            accounts,
            cors,
            standing,
        }
    }

    async fn serve(&self, mut request: Request) -> Response {
        let visitor = Visitor::of(&request);
        // Another site's form can't send this, nor its script without being asked about first.
        if media_type::of_body(request.headers()) != Some(BodyType::Json) {
            let message = "Content-Type: application/json is expected.";
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
        }
        let bytes = match body::read(&mut request, BodyLimits::of_bytes(BODY_LIMIT)).await {
            Ok(bytes) => bytes,
            Err(error) => return error.as_response(),
        };
        let Ok(Object(Asked { token })) = serde_json::from_slice(&bytes) else {
            let message = "A JSON object with the link's token is expected: {\"token\": \"…\"}.";
            return refusal(StatusCode::BAD_REQUEST, message);
        };
        if !self.standing.is_migrated() {
            let error = ApiError::unavailable("the database is not up to date yet");
            return api_refusal(&error, &visitor.correlation_id);
        }
        match self.fetch(&request, token.into()).await {
            Ok(Some(address)) => told(&address),
            Ok(None) => refusal(
                StatusCode::NOT_FOUND,
                "The link is unknown, has expired, or is of another account than the one that is signed in.",
            ),
            Err(error) => api_refusal(&error, &visitor.correlation_id),
        }
    }

    async fn fetch(
        &self,
        request: &Request,
        token: SecretString,
    ) -> Result<Option<ExportAddress>, ApiError> {
        let client = people::client(request, &self.cors);
        let actor = match people::shown(&self.accounts, request.headers(), &client).await? {
            Shown::Actor(actor) => actor,
            Shown::Stale => return Err(ApiError::Unauthenticated(STALE_TOKEN)),
        };
        match self.accounts.fetch_export(&token, &actor, &client).await {
            Ok(address) => Ok(Some(address)),
            Err(Fault::Mistakes(_)) => Ok(None),
            Err(fault) => Err(fault.into()),
        }
    }
}

impl Endpoint for Export {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.serve(request).await)
    }
}

fn told(address: &ExportAddress) -> Response {
    let expires_at = address
        .expires_at
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(json!({ "url": address.url.as_str(), "expiresAt": expires_at }).to_string())
}
