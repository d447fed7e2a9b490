//! Who listens to what in this process.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};

use super::{Event, Said};

/// What a listener may leave lying. Beyond that it is told to look again, and goes on with what came last.
const WAITING: usize = 16;

#[derive(Default)]
pub(super) struct Hub {
    topics: Mutex<HashMap<Box<str>, Sender<Event>>>,
}

impl Hub {
    pub fn listen(hub: &Arc<Self>, topic: &str) -> Listening {
        let events = match hub.topics().entry(topic.into()) {
            Entry::Occupied(entry) => entry.get().subscribe(),
            Entry::Vacant(entry) => {
                let (tell, events) = broadcast::channel(WAITING);
                entry.insert(tell);
                events
            }
        };
        Listening {
            hub: Arc::clone(hub),
            topic: topic.into(),
            events: Some(events),
        }
    }

    /// An event without words is one to look after.
    pub fn tell(&self, topic: &str, json: Option<&str>) {
        if let Some(listeners) = self.topics().get(topic) {
            let event = json.map_or(Event::LookAgain, |json| Event::Said(Said(json.into())));
            // All of them may have left just now.
            let _ = listeners.send(event);
        }
    }

    pub fn tell_all_to_look_again(&self) {
        for listeners in self.topics().values() {
            let _ = listeners.send(Event::LookAgain);
        }
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<Box<str>, Sender<Event>>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.topics().len()
    }
}

/// Somebody who listens to a topic, until this is dropped.
pub struct Listening {
    hub: Arc<Hub>,
    topic: Box<str>,
    events: Option<Receiver<Event>>,
}

impl Listening {
    /// The next event. Nothing is lost if this is given up.
    pub async fn next(&mut self) -> Option<Event> {
        match self.events.as_mut()?.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(_)) => Some(Event::LookAgain),
            Err(RecvError::Closed) => None,
        }
    }

    pub fn stream(self) -> impl Stream<Item = Event> + Send {
        stream::unfold(self, async |mut listening| {
            let event = listening.next().await?;
            Some((event, listening))
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut topics = self.hub.topics();
        self.events = None;
        let is_deserted = |listeners: &Sender<Event>| listeners.receiver_count() == 0;
        if topics.get(&self.topic).is_some_and(is_deserted) {
            topics.remove(&self.topic);
        }
    }
}
