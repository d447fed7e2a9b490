//! The opening handshake (RFC 6455, §4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use poem::Response;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// The one protocol that is spoken. Its predecessor, `graphql-ws`, has no limits that both sides know of.
const PROTOCOL: HeaderValue = HeaderValue::from_static("graphql-transport-ws");
const VERSION: HeaderValue = HeaderValue::from_static("13");
const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

pub fn is_asked_for(headers: &HeaderMap) -> bool {
    names(headers, &header::UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
}

/// What proves that the handshake was understood; or the answer to one that is none.
pub fn judge(headers: &HeaderMap) -> Result<HeaderValue, Box<Response>> {
    let refuse = |why| Box::new(refused(StatusCode::BAD_REQUEST, why));
    if !names(headers, &header::CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade")) {
        return Err(refuse("Connection: Upgrade is expected with a WebSocket."));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        let why = "Sec-WebSocket-Version: 13 is expected.";
        let mut response = refused(StatusCode::UPGRADE_REQUIRED, why);
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_VERSION, VERSION);
        headers.insert(header::UPGRADE, WEBSOCKET);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        return Err(Box::new(response));
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = match (keys.next(), keys.next()) {
        (Some(key), None) if STANDARD.decode(key).is_ok_and(|key| key.len() == 16) => key,
        _ => {
            return Err(refuse(
                "Sec-WebSocket-Key: 16 bytes in Base64 are expected.",
            ));
        }
    };
    if !names(headers, &header::SEC_WEBSOCKET_PROTOCOL).any(|name| PROTOCOL == name) {
        return Err(refuse(
            "Sec-WebSocket-Protocol: subscriptions are had by graphql-transport-ws alone.",
        ));
    }
    HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|_| refuse("Sec-WebSocket-Key: 16 bytes in Base64 are expected."))
}

pub fn accepted(accept: &HeaderValue) -> Response {
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::UPGRADE, WEBSOCKET)
        .header(header::CONNECTION, "Upgrade")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .finish()
}

pub fn refused(status: StatusCode, why: &str) -> Response {
    let body = serde_json::json!({
        "errors": [{ "message": why, "extensions": { "code": "BAD_REQUEST" } }]
    });
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_string())
}

/// The members of a list that may stand in several headers.
fn names<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    let lists = values.filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
}
