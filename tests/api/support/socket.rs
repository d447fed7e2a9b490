//! A client of subscriptions: `graphql-transport-ws` in its own words.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::TestApp;

const SOON: Duration = Duration::from_secs(10);

pub struct Socket(WebSocketStream<TcpStream>);

/// What the service says.
#[derive(Debug, PartialEq)]
pub enum Heard {
    Says(Value),
    Closes(u16, String),
}

impl TestApp {
    /// With further headers; or the status that it was refused with.
    pub async fn socket_with(&self, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        let url = format!("ws://{}/graphql", self.address);
        let mut request = url.into_client_request().unwrap();
        let protocol = ("sec-websocket-protocol", "graphql-transport-ws");
        for (name, value) in headers.iter().copied().chain([protocol]) {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// One that has said who it is.
    pub async fn socket(&self, access: Option<&str>) -> Socket {
        let mut socket = self.socket_with(&[]).await.unwrap();
        let payload = access.map(|access| json!({ "Authorization": format!("Bearer {access}") }));
        socket.init(payload.unwrap_or(Value::Null)).await;
        assert_eq!(socket.says().await["type"], "connection_ack");
        socket
    }
}

impl Socket {
    pub async fn send(&mut self, message: &Value) {
        let message = Message::text(message.to_string());
        // It may be closed already; what is heard then tells.
        let _ = self.0.send(message).await;
    }

    pub async fn init(&mut self, payload: Value) {
        self.send(&json!({ "type": "connection_init", "payload": payload }))
            .await;
    }

    pub async fn subscribe(&mut self, id: &str, query: &str) {
        self.subscribe_with(id, json!({ "query": query })).await;
    }

    pub async fn subscribe_with(&mut self, id: &str, payload: Value) {
        self.send(&json!({ "type": "subscribe", "id": id, "payload": payload }))
            .await;
    }

    pub async fn hears(&mut self) -> Heard {
        loop {
            let next = timeout(SOON, self.0.next()).await;
            match next.expect("nothing was said") {
                Some(Ok(Message::Text(text))) => {
                    return Heard::Says(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Heard::Closes(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[track_caller]
    pub fn says(&mut self) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        async move {
            match self.hears().await {
                Heard::Says(message) => message,
                closed => panic!("{closed:?}, at {caller}"),
            }
        }
    }

    /// The data of what is told next, which must be without an error.
    pub async fn data(&mut self, id: &str) -> Value {
        let mut message = self.says().await;
        assert_eq!(message["type"], "next", "{message}");
        assert_eq!(message["id"], id, "{message}");
        assert_eq!(message["payload"].get("errors"), None, "{message}");
        message["payload"]["data"].take()
    }

    /// The code and words of the only error by which a subscription ends.
    pub async fn error(&mut self, id: &str) -> (String, String) {
        let message = self.says().await;
        assert_eq!(message["type"], "error", "{message}");
        assert_eq!(message["id"], id, "{message}");
        let errors = message["payload"].as_array().unwrap();
        assert_eq!(errors.len(), 1, "{message}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (
            text(&errors[0]["extensions"]["code"]),
            text(&errors[0]["message"]),
        )
    }

    pub async fn completes(&mut self, id: &str) {
        let message = self.says().await;
        assert_eq!(message, json!({ "type": "complete", "id": id }));
    }

    pub async fn is_closed_with(&mut self, code: u16) {
        match self.hears().await {
            Heard::Closes(closed, _) if closed == code => {}
            other => panic!("not closed with {code}: {other:?}"),
        }
    }
}
