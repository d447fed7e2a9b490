//! Who sends a request: what HTTP says of them, in the words of accounts, and what routes beside the API ask of those.

use std::sync::Arc;

use async_trait::async_trait;
use poem::Request;
use poem::http::{HeaderMap, HeaderName, header};
use secrecy::{ExposeSecret, SecretString};

use super::client_address::ClientAddress;
use super::cookies::Cookies;
use super::correlation::CorrelationId;
use super::cors::Cors;
use super::csrf::Sessions;
use super::origin::is_foreign;
use super::pages::verify::Addresses;
use super::visitor::Visitor;
use crate::accounts::{self, Accounts, Actor, Client};
use crate::graphql::ApiError;

/// What the headers of a request say of its sender.
pub fn client(request: &Request, cors: &Cors) -> Client {
    let headers = request.headers();
    let address = request.extensions().get::<ClientAddress>();
    let cookies = Cookies::of(headers);
    let user_agent = headers.get(header::USER_AGENT);
    let correlation_id = request.extensions().get::<CorrelationId>();
    Client {
        correlation_id: correlation_id
            .map(|id| id.as_str().to_owned())
            .unwrap_or_default(),
        limit_key: address
            .map(|address| address.limit_key())
            .unwrap_or_default(),
        address: address.map(|address| address.0),
        user_agent: user_agent
            .and_then(|value| value.to_str().ok())
            .and_then(Client::user_agent_of),
        csrf: accounts::CsrfProof {
            token: cookies.csrf(headers).cloned(),
            origin_is_allowed: says_its_origin(headers) && !is_foreign(cors, headers),
        },
        cookies: accounts::Cookies {
            refresh: cookies.refresh().cloned(),
            device: cookies.device().cloned(),
        },
    }
}

/// What changes something by cookies must say where it comes from; browsers do.
fn says_its_origin(headers: &HeaderMap) -> bool {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    headers.contains_key(header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}

/// What came of the `Authorization` header.
pub enum Shown {
    Actor(Actor),
    /// A token, or something in its place, that is not believed.
    Stale,
}

/// Whom a request acts for. Only where there is no `Authorization` at all it is nobody.
pub async fn shown(
    accounts: &Accounts,
    headers: &HeaderMap,
    client: &Client,
) -> Result<Shown, ApiError> {
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let token = match (given.next(), given.next()) {
        (None, _) => return Ok(Shown::Actor(Actor::Anonymous)),
        (Some(only), None) => only.to_str().ok().and_then(bearer),
        (Some(_), Some(_)) => None,
    };
    let Some(token) = token else {
        return Ok(Shown::Stale);
    };
    let actor = accounts
        .authenticate(token.expose_secret(), client.address)
        .await?;
    Ok(match actor {
        Some(actor) => Shown::Actor(actor),
        None => Shown::Stale,
    })
}

/// The scheme's name is without case, as those of HTTP are.
fn bearer(value: &str) -> Option<SecretString> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim().into())
}

/// The accounts, to routes that are not the API.
pub struct People(pub Arc<Accounts>);

#[async_trait]
impl Addresses for People {
    async fn verify(&self, token: SecretString, visitor: &Visitor) -> Result<bool, ApiError> {
        let client = Client {
            limit_key: visitor.address.limit_key(),
            address: Some(visitor.address.0),
            correlation_id: visitor.correlation_id.as_str().to_owned(),
            ..Client::default()
        };
        match self.0.verify_email_by_page(&token, &client).await {
            Ok(()) => Ok(true),
            Err(accounts::Fault::Mistakes(_)) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }
}

#[async_trait]
impl Sessions for People {
    async fn csrf_token(&self, refresh: &SecretString) -> Result<Option<SecretString>, ApiError> {
        Ok(self.0.csrf_token(refresh).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_stands_behind_its_scheme() {
        let token = |value| bearer(value).map(|token| token.expose_secret().to_owned());
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("bearer abc").as_deref(), Some("abc"));
        for other in ["", "abc", "Basic abc", "Bearer"] {
            assert_eq!(token(other), None, "{other}");
        }
    }
}
