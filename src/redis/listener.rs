//! A connection that listens to one channel. It is another than the one for commands: as long as it listens, Redis takes
//! nothing else by it.

use bytes::Bytes;
use fred::{
    prelude::{Client, ClientLike, EventInterface, PubsubInterface, Server},
    types::{ConnectHandle, Message, Value},
};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::sleep,
};

use super::{LOOK_AGAIN, RedisError};

/// Messages that have come and were not taken yet. What comes beyond them pushes out the oldest, which is told.
pub(super) const WAITING: usize = 1_024;

pub enum Heard {
    Said(Bytes),
    /// It listens, from now on or again: whatever was said before was not heard, perhaps.
    Joined,
    /// Too much was said at once; some of it was not heard.
    Missed,
}

/// Comes and goes with Redis, by itself; dropping this ends it.
pub struct Listener {
    client: Client,
    channel: String,
    connection: ConnectHandle,
    connected: Receiver<Server>,
    messages: Receiver<Message>,
    has_joined: bool,
}

impl Listener {
    pub(super) fn new(client: Client, channel: String) -> Self {
        let (connected, messages) = (client.reconnect_rx(), client.message_rx());
        Self {
            connection: client.connect(),
            client,
            channel,
            connected,
            messages,
            has_joined: false,
        }
    }

    pub async fn next(&mut self) -> Heard {
        loop {
            if !self.has_joined && self.client.is_connected() {
                match self.client.subscribe(self.channel.as_str()).await {
                    Ok(()) => {
                        self.has_joined = true;
                        return Heard::Joined;
                    }
                    Err(error) => tracing::debug!(%error, "Redis could not be listened to"),
                }
            }
            tokio::select! {
                biased;
                // Each connection has to be told anew what is listened to.
                connected = self.connected.recv() => match connected {
                    Ok(_) | Err(RecvError::Lagged(_)) => self.has_joined = false,
                    Err(RecvError::Closed) => sleep(LOOK_AGAIN).await,
                },
                message = self.messages.recv() => match message {
                    Ok(message) => match message.value {
                        Value::Bytes(bytes) => return Heard::Said(bytes),
                        Value::String(text) => return Heard::Said(text.into_inner()),
                        _ => {}
                    },
                    Err(RecvError::Lagged(_)) => return Heard::Missed,
                    Err(RecvError::Closed) => sleep(LOOK_AGAIN).await,
                },
                () = sleep(LOOK_AGAIN), if !self.has_joined => {
                    // fred stops for good over what it takes for a wrong setting.
                    if self.connection.is_finished() {
                        self.connection = self.client.connect();
                    }
                }
            }
        }
    }

    /// Leaves a connection that looks well and by which nothing is heard.
    pub async fn reconnect(&mut self) -> Result<(), RedisError> {
        self.has_joined = false;
        self.client
            .force_reconnection()
            .await
            .map_err(RedisError::Command)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
