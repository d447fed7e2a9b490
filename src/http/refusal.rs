//! What a refused request is told, on any route: a small JSON document in the shape of a GraphQL answer's errors, so
//! that a client has one way of reading them. Nothing from inside the service stands in it.

use poem::{
    IntoResponse, Response,
    http::{HeaderValue, StatusCode, header},
};
use serde_json::json;

use super::correlation::CorrelationId;
use crate::graphql::ApiError;

/// A refusal with this status, and the code that goes with it.
pub fn refusal(status: StatusCode, message: &str) -> Response {
    document(
        status,
        json!({ "message": message, "extensions": { "code": code(status) } }),
    )
}

/// Our own failure. The id is all that a client may know of it, and all that is needed to find it in the logs.
pub fn internal(id: &CorrelationId) -> Response {
    document(
        StatusCode::INTERNAL_SERVER_ERROR,
        json!({
            "message": "Something went wrong on our side.",
            "extensions": { "code": "INTERNAL", "correlationId": id.as_str() },
        }),
    )
}

/// What the API's own errors are told as on a route that is not GraphQL's. What clients must not know goes to the log.
pub fn api_refusal(error: &ApiError, id: &CorrelationId) -> Response {
    report(error, id);
    let mut response = match error {
        ApiError::Internal(_) => internal(id),
        _ => document(
            error.status(),
            json!({ "message": error.to_string(), "extensions": error.extensions() }),
        ),
    };
    tell_retry(&mut response, error);
    response
}

/// The log's part of an error.
pub fn report(error: &ApiError, id: &CorrelationId) {
    if let Some(cause) = error.cause() {
        let (code, correlation_id) = (error.code(), id.as_str());
        match error {
            ApiError::Internal(_) => {
                tracing::error!(code, cause, correlation_id, "a request failed");
            }
            _ => tracing::warn!(code, cause, correlation_id, "a request was refused"),
        }
    }
}

/// When to come back, where waiting helps.
pub fn tell_retry(response: &mut Response, error: &ApiError) {
    if let Some(seconds) = error.retry_after() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// What a failed handler, extractor or route answers with.
///
/// An error that already renders itself as JSON was written for clients and stays as it is. Any other is the text of
/// some layer below: its status and headers stay, its words go to the log.
pub fn of_error(error: poem::Error, id: &CorrelationId) -> Response {
    let told = error.to_string();
    let mut response = error.into_response();
    let status = response.status();
    if status.is_server_error() {
        tracing::error!(status = status.as_u16(), error = %told, "a request failed");
    }
    let for_clients = response
        .content_type()
        .is_some_and(|kind| kind.contains("json"));
    if for_clients || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let mut plain = match status {
        StatusCode::INTERNAL_SERVER_ERROR => internal(id),
        StatusCode::NOT_FOUND => refusal(status, "There is nothing here."),
        StatusCode::METHOD_NOT_ALLOWED => refusal(status, "This method is not allowed here."),
        _ => refusal(status, status.canonical_reason().unwrap_or("Refused")),
    };
    response.headers_mut().remove(header::CONTENT_TYPE);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    plain
        .headers_mut()
        .extend(std::mem::take(response.headers_mut()));
    *plain.extensions_mut() = std::mem::take(response.extensions_mut());
    plain
}

fn document(status: StatusCode, error: serde_json::Value) -> Response {
    let mut response = json!({ "errors": [error] }).to_string().into_response();
    response.set_status(status);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "UNAUTHENTICATED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => "TIMEOUT",
        StatusCode::CONFLICT => "CONFLICT",
        StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
        StatusCode::TOO_MANY_REQUESTS => "RATE_LIMITED",
        StatusCode::SERVICE_UNAVAILABLE => "UNAVAILABLE",
        status if status.is_server_error() => "INTERNAL",
        _ => "BAD_REQUEST",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_errors_own_words_stay_inside() {
        let inside = std::io::Error::other("connection to 10.0.0.7 refused");
        let id = CorrelationId::made();
        let answer = of_error(poem::error::InternalServerError(inside), &id);
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let told = answer.into_body().into_string().await.unwrap();
        assert!(!told.contains("10.0.0.7"), "{told}");
        assert!(told.contains(id.as_str()), "{told}");
    }

    #[tokio::test]
    async fn an_error_in_json_was_written_for_clients() {
        let theirs = refusal(StatusCode::CONFLICT, "Still running.");
        let answer = of_error(poem::Error::from_response(theirs), &CorrelationId::made());
        assert_eq!(answer.status(), StatusCode::CONFLICT);
        assert_eq!(
            answer.into_body().into_string().await.unwrap(),
            r#"{"errors":[{"extensions":{"code":"CONFLICT"},"message":"Still running."}]}"#
        );
    }

    #[test]
    fn the_headers_of_an_error_stay() {
        let mut theirs = Response::from((StatusCode::TOO_MANY_REQUESTS, "slow down"));
        theirs
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("7"));
        let answer = of_error(poem::Error::from_response(theirs), &CorrelationId::made());
        assert_eq!(answer.headers()[header::RETRY_AFTER], "7");
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    }
}
