//! What is said over a socket: the messages of `graphql-transport-ws`, and the codes by which it is closed.

use std::borrow::Cow;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::graphql::{self, Object};

/// What a client names its subscriptions by.
const LONGEST_ID: usize = 128;

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromClient {
    ConnectionInit {
        #[serde(default)]
        payload: Option<InitPayload>,
    },
    Ping {},
    Pong {},
    Subscribe {
        id: String,
        payload: Object<graphql::Request>,
    },
    Complete {
        id: String,
    },
}

#[derive(Deserialize)]
pub struct InitPayload(serde_json::Map<String, Value>);

impl FromClient {
    /// None for what is no message, or none that a client sends.
    pub fn read(text: &str) -> Option<Self> {
        let Object(message) = serde_json::from_str::<Object<Self>>(text).ok()?;
        match &message {
            Self::Subscribe { id, .. } | Self::Complete { id }
                if id.is_empty() || id.len() > LONGEST_ID =>
            {
                None
            }
            _ => Some(message),
        }
    }
}

impl InitPayload {
    /// The token, as clients of each kind send it: what would stand in the header, or the token by itself. Something in its
    /// place that is no text is a token that nobody believes.
    pub fn token(&self) -> Option<SecretString> {
        let given = ["Authorization", "authorization", "token"]
            .into_iter()
            .filter_map(|name| self.0.get(name))
            .find(|value| !value.is_null())?;
        let text = given.as_str().unwrap_or_default();
        let token = match text.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim(),
            _ => text,
        };
        Some(token.into())
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToClient<'a> {
    ConnectionAck,
    Pong,
    Complete { id: &'a str },
}

pub fn acknowledged() -> String {
    written(&ToClient::ConnectionAck)
}

pub fn pong() -> String {
    written(&ToClient::Pong)
}

pub fn complete(id: &str) -> String {
    written(&ToClient::Complete { id })
}

/// `next` or `error`, around what is JSON already.
pub fn about(kind: &'static str, id: &str, payload: &[u8]) -> Option<String> {
    let payload = std::str::from_utf8(payload).ok()?;
    let id = serde_json::to_string(id).ok()?;
    Some(format!(
        r#"{{"id":{id},"type":"{kind}","payload":{payload}}}"#
    ))
}

/// Of strings alone.
fn written(message: &ToClient<'_>) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

/// Why a socket is closed. The code is for a program, the reason for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    pub code: u16,
    pub reason: Cow<'static, str>,
}

/// The most that fits into the frame.
const LONGEST_REASON: usize = 123;

impl Close {
    pub const IDLE: Self = Self::of(1000, "Nothing is subscribed to");
    pub const STOPPING: Self = Self::of(1001, "The service stops; connect again");
    pub const NO_WEBSOCKET: Self = Self::of(1002, "Not a WebSocket's protocol");
    pub const NO_TEXT: Self = Self::of(1007, "Not UTF-8");
    pub const TOO_LARGE: Self = Self::of(1009, "A message may have 128 KiB");
    pub const INTERNAL: Self = Self::of(1011, "Something went wrong on our side");
    pub const TRY_LATER: Self = Self::of(1013, "Not available at the moment; try again");
    pub const INVALID: Self = Self::of(4400, "Not a message of graphql-transport-ws");
    pub const TOO_COMPLEX: Self = Self::of(4400, "A message holds too many values");
    pub const NOT_INITIALISED: Self = Self::of(4401, "Unauthorized");
    pub const NOT_BELIEVED: Self = Self::of(4401, "The access token is invalid or has expired");
    pub const SIGNED_OUT: Self = Self::of(4401, "The session has ended");
    pub const FORBIDDEN: Self = Self::of(4403, "This origin may not call");
    pub const TOO_LATE: Self = Self::of(4408, "Connection initialisation timeout");
    pub const AGAIN: Self = Self::of(4429, "Too many initialisation requests");
    pub const TOO_MANY_OF_ACCOUNT: Self = Self::of(4429, "Too many sockets of this account");
    pub const TOO_MANY_OF_ADDRESS: Self = Self::of(4429, "Too many sockets from this address");
    pub const TOO_MANY_BEGUN: Self = Self::of(4429, "Too many sockets in a minute");
    pub const TOO_MANY_MESSAGES: Self = Self::of(4429, "Too many messages");

    const fn of(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason: Cow::Borrowed(reason),
        }
    }

    pub fn taken(id: &str) -> Self {
        let mut reason = format!("Subscriber for {id} already exists");
        while reason.len() > LONGEST_REASON {
            reason.pop();
        }
        Self {
            code: 4409,
            reason: reason.into(),
        }
    }

    pub fn frame(&self) -> CloseFrame {
        CloseFrame {
            code: self.code.into(),
            reason: self.reason.as_ref().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn token(payload: &str) -> Option<String> {
        let payload: InitPayload = serde_json::from_str(payload).unwrap();
        let token = payload.token();
        token.map(|token| token.expose_secret().to_owned())
    }

    #[test]
    fn a_token_is_found_where_clients_put_it() {
        for payload in [
            r#"{"Authorization": "Bearer abc"}"#,
            r#"{"authorization": "bearer  abc"}"#,
            r#"{"authorization": "abc", "more": {}}"#,
            r#"{"token": "abc"}"#,
            r#"{"Authorization": null, "token": "abc"}"#,
        ] {
            assert_eq!(token(payload).as_deref(), Some("abc"), "{payload}");
        }
        for payload in ["{}", r#"{"token": null}"#, r#"{"Token": "abc"}"#] {
            assert_eq!(token(payload), None, "{payload}");
        }
        // Nobody who means to be somebody is taken for nobody.
        for payload in [
            r#"{"token": 7}"#,
            r#"{"token": ""}"#,
            r#"{"token": ["abc"]}"#,
        ] {
            assert_eq!(token(payload).as_deref(), Some(""), "{payload}");
        }
    }

    #[test]
    fn what_is_no_message_of_a_client_is_none() {
        for text in [
            "",
            "null",
            "[]",
            r#"["ping"]"#,
            r#""connection_init""#,
            "{}",
            r#"{"type": "connection_ack"}"#,
            r#"{"type": "next", "id": "1", "payload": {}}"#,
            r#"{"type": "start", "id": "1", "payload": {"query": "{ a }"}}"#,
            r#"{"type": "connection_init", "payload": "token"}"#,
            r#"{"type": "connection_init", "payload": ["token"]}"#,
            r#"{"type": "subscribe", "payload": {"query": "{ a }"}}"#,
            r#"{"type": "subscribe", "id": 1, "payload": {"query": "{ a }"}}"#,
            r#"{"type": "subscribe", "id": "", "payload": {"query": "{ a }"}}"#,
            r#"{"type": "subscribe", "id": "1"}"#,
            r#"{"type": "subscribe", "id": "1", "payload": ["{ a }"]}"#,
            r#"{"type": "subscribe", "id": "1", "payload": {"query": 1}}"#,
            r#"{"type": "complete"}"#,
            r#"{"type": "ping"} {"type": "ping"}"#,
        ] {
            assert!(FromClient::read(text).is_none(), "{text}");
        }
        let long = |length| format!(r#"{{"type":"complete","id":"{}"}}"#, "x".repeat(length));
        assert!(FromClient::read(&long(LONGEST_ID)).is_some());
        assert!(FromClient::read(&long(LONGEST_ID + 1)).is_none());
    }

    #[test]
    fn the_reason_of_a_close_fits_into_its_frame() {
        let close = Close::taken(&"ä".repeat(LONGEST_ID / 2));
        assert!(close.reason.len() <= LONGEST_REASON);
        assert_eq!(close.code, 4409);
    }
}
