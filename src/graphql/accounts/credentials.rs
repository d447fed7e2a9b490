use std::time::Duration;

use async_graphql::{Enum, SimpleObject};
use secrecy::ExposeSecret;

use super::account::{Account, Viewer};
use crate::accounts::{self, SignedIn};
use crate::graphql::context::Operation;
use crate::graphql::request::CookieChange;
use crate::graphql::scalars::DateTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum TokenDelivery {
    /// The refresh token in an HttpOnly, SameSite cookie: for browsers.
    Cookie,
    /// The refresh token in the answer: for native apps and scripts.
    Body,
}

/// What a client presents. The access token is a biscuit: whoever holds it can narrow it further, offline.
#[derive(SimpleObject)]
pub struct Credentials {
    access_token: String,
    access_token_expires_at: DateTime,
    /// Null where it went out in the HttpOnly cookie instead.
    refresh_token: Option<String>,
    refresh_token_expires_at: DateTime,
    /// For the header that goes with the cookie; null unless cookies were set.
    csrf_token: Option<String>,
    /// Marks this device as known; in the cookie `__Host-device` where cookies were set.
    device_token: Option<String>,
}

/// Hands out what a sign-in gave: secrets in cookies, where they are wanted there, and nowhere else then.
pub fn hand_out(operation: &Operation, signed_in: SignedIn) -> (Account, Credentials) {
    let SignedIn {
        account,
        session,
        credentials,
    } = signed_in;
    let account = Account {
        row: account,
        viewer: Viewer {
            session: Some(session),
            is_whole: true,
            is_listed: false,
        },
    };
    let accounts::Credentials {
        access_token,
        access_expires_at,
        refresh_token,
        refresh_expires_at,
        csrf_token,
        device_token,
        by_cookie,
        is_remembered,
    } = credentials;
    let shown = |secret: &secrecy::SecretString| secret.expose_secret().to_owned();
    let credentials = Credentials {
        access_token: shown(&access_token),
        access_token_expires_at: DateTime(access_expires_at),
        refresh_token: (!by_cookie).then(|| shown(&refresh_token)),
        refresh_token_expires_at: DateTime(refresh_expires_at),
        csrf_token: by_cookie.then(|| shown(&csrf_token)),
        device_token: device_token.as_ref().filter(|_| !by_cookie).map(shown),
    };
    if by_cookie {
        let lasts = refresh_expires_at - operation.app.clock.now();
        operation.visit.change_cookies(CookieChange::SignedIn {
            refresh: refresh_token,
            kept: is_remembered.then(|| lasts.to_std().unwrap_or(Duration::ZERO)),
            csrf: csrf_token,
            device: device_token,
        });
    }
    (account, credentials)
}
