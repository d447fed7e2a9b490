//! Events: that something has changed, told to whoever listens for it at the moment, on any instance. Nothing is kept. An
//! event may be lost, so it only says when to look: what is so stands in the database, and who is told
//! [`Event::LookAgain`] asks there, as does who begins to listen.
//!
//! In process they go straight to their listeners (`hub`). Where there is Redis, they go to those of the own instance
//! likewise and then by its pub/sub to the others (`relay`): without Redis each instance has its own.

mod hub;
mod relay;

#[cfg(test)]
mod suite;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::hub::Hub;
pub use self::hub::Listening;
use self::relay::Relay;
use crate::redis::{Redis, RedisError};
use crate::telemetry::Metrics;

/// An event is a few words. Of a larger one only that there was one is told.
const LARGEST: usize = 4 << 10;

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Said(Said),
    /// Something may have been missed.
    LookAgain,
}

/// An event's own words, as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(Arc<str>);

impl Event {
    /// What was said; none where one has to look.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        match self {
            // What an instance of another version says in another way.
            Self::Said(Said(json)) => serde_json::from_str(json).ok(),
            Self::LookAgain => None,
        }
    }
}

pub struct Events {
    hub: Arc<Hub>,
    relay: Option<Relay>,
    metrics: Arc<Metrics>,
}

impl Events {
    pub fn in_process(metrics: Arc<Metrics>) -> Self {
        Self {
            hub: Arc::default(),
            relay: None,
            metrics,
        }
    }

    /// Those of all instances that share a Redis.
    pub fn shared(redis: Arc<Redis>, metrics: Arc<Metrics>) -> Result<Self, RedisError> {
        let hub = Arc::<Hub>::default();
        Ok(Self {
            relay: Some(Relay::start(redis, Arc::clone(&hub), Arc::clone(&metrics))?),
            hub,
            metrics,
        })
    }

    /// Tells everybody who listens to a topic. To be called after what it is about has been committed. It waits for nobody
    /// and never fails; those of other instances hear of it a moment later.
    pub fn publish(&self, topic: &str, event: &impl Serialize) {
        let json = serde_json::to_string(event).ok();
        let json = json.filter(|json| json.len() <= LARGEST);
        self.hub.tell(topic, json.as_deref());
        match &self.relay {
            Some(relay) => relay.pass_on(topic, json),
            None => self.metrics.event("everybody"),
        }
    }

    /// Listens from now on. Who then looks how things are, and goes by what is told after that, misses nothing.
    pub fn listen(&self, topic: &str) -> Listening {
        Hub::listen(&self.hub, topic)
    }

    /// Whether the other instances hear this one and are heard; true where there are none.
    pub fn reach_all(&self) -> bool {
        self.relay.as_ref().is_none_or(Relay::is_heard)
    }

    /// Sees out what is still to be told to others.
    pub async fn close(&self) {
        if let Some(relay) = &self.relay {
            relay.close().await;
        }
    }
}
