//! Events between instances, by Redis' pub/sub: one channel for all of them. To listen to a topic is then nothing that could
//! fail or be late, and as each instance hears everything, it knows for all its listeners at once when it did not.
//!
//! Redis tells those who are there and forgets. So whoever may have missed something says so to all listeners: an instance
//! when its connection has come back, or was not listening though it looked well, which it finds by hearing itself; and
//! one that could not pass on an event tells the others to look again once it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fred::prelude::PubsubInterface;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::hub::Hub;
use crate::redis::{self, Heard, Listener, Redis, RedisError};
use crate::telemetry::Metrics;

/// Events on their way to Redis. If more come than it takes, the others are told to look again instead.
const QUEUE: usize = 1_024;
/// Each instance says that it is there so often, and hears itself.
const BEAT: Duration = Duration::from_secs(2);
/// Beats in a row that were sent and not heard, until the connection that should have heard them is left.
const UNHEARD: u64 = 3;
const GOODBYE: Duration = Duration::from_secs(1);

fn channel() -> String {
    redis::key("events", "all")
}

/// What goes through Redis.
#[derive(Serialize, Deserialize)]
struct Letter {
    from: Uuid,
    says: Says,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Says {
    Event {
        topic: String,
        json: Option<String>,
    },
    /// Events could not be passed on.
    LookAgain,
    /// For whoever sent it.
    Beat(u64),
}

pub(super) struct Relay {
    queue: Sender<Says>,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

struct Shared {
    instance: Uuid,
    redis: Arc<Redis>,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    /// Others have not heard an event of ours.
    owes: AtomicBool,
    /// Whether our last beats came back.
    is_heard: AtomicBool,
    sent: AtomicU64,
    heard: AtomicU64,
}

impl Relay {
    pub fn start(
        redis: Arc<Redis>,
        hub: Arc<Hub>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, RedisError> {
        let listener = redis.listener(channel())?;
        let shared = Arc::new(Shared {
            instance: Uuid::now_v7(),
            redis,
            hub,
            metrics,
            owes: AtomicBool::new(false),
            is_heard: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        });
        let (queue, said) = mpsc::channel(QUEUE);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(listen(Arc::clone(&shared), listener, stop.clone()));
        tasks.spawn(speak(Arc::clone(&shared), said, stop.clone()));
        tasks.close();
        Ok(Self {
            queue,
            shared,
            stop,
            tasks,
        })
    }

    pub fn pass_on(&self, topic: &str, json: Option<String>) {
        let topic = topic.to_owned();
        if self.queue.try_send(Says::Event { topic, json }).is_err() {
            self.shared.could_not_pass_on();
        }
    }

    pub fn is_heard(&self) -> bool {
        self.shared.is_heard.load(Ordering::Relaxed) && self.shared.redis.is_up()
    }

    pub async fn close(&self) {
        self.stop.cancel();
        if timeout(GOODBYE, self.tasks.wait()).await.is_err() {
            tracing::debug!("some events were not passed on");
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Passes on what was said, and sees to it that what could not be is made up for.
async fn speak(shared: Arc<Shared>, mut said: Receiver<Says>, stop: CancellationToken) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(says) = said.recv() => shared.pass_on(says).await,
            _ = beats.tick() => shared.beat().await,
        }
    }
    while let Ok(says) = said.try_recv() {
        shared.pass_on(says).await;
    }
    if shared.owes.load(Ordering::Acquire) {
        // Nobody is left to make up for it. It fails again only if Redis is away still, and then all look again.
        let _ = shared.send(&Says::LookAgain).await;
    }
}

impl Shared {
    async fn pass_on(&self, says: Says) {
        match self.send(&says).await {
            Ok(()) => self.metrics.event("everybody"),
            Err(_) => self.could_not_pass_on(),
        }
    }

    fn could_not_pass_on(&self) {
        self.metrics.event("own_instance");
        if !self.owes.swap(true, Ordering::AcqRel) {
            tracing::warn!(
                "an event was told on this instance alone; the others are told to look again once Redis takes it"
            );
        }
    }

    async fn beat(&self) {
        if self.owes.swap(false, Ordering::AcqRel) && self.send(&Says::LookAgain).await.is_err() {
            self.owes.store(true, Ordering::Release);
        }
        let number = self.sent.load(Ordering::Acquire) + 1;
        if self.send(&Says::Beat(number)).await.is_ok() {
            self.sent.store(number, Ordering::Release);
        }
        // Of one that was sent just now the echo is on its way; that it has come back is found where it is heard.
        if self.unheard() > 1 || !self.redis.is_up() {
            self.is_heard.store(false, Ordering::Relaxed);
        }
    }

    fn unheard(&self) -> u64 {
        let sent = self.sent.load(Ordering::Acquire);
        sent.saturating_sub(self.heard.load(Ordering::Acquire))
    }

    async fn send(&self, says: &Says) -> Result<(), RedisError> {
        #[derive(Serialize)]
        struct Written<'a> {
            from: Uuid,
            says: &'a Says,
        }
        let letter = Written {
            from: self.instance,
            says,
        };
        // Strings and numbers; there is JSON for those.
        let letter = serde_json::to_vec(&letter).unwrap_or_default();
        self.redis
            .run(|redis| async move {
                redis
                    .publish::<(), _, _>(channel(), letter.as_slice())
                    .await
            })
            .await
    }

    fn hear(&self, letter: &[u8]) {
        let Ok(Letter { from, says }) = serde_json::from_slice(letter) else {
            // Another version has more to say than this one knows.
            return self.hub.tell_all_to_look_again();
        };
        match says {
            // Its own listeners were told at once.
            Says::Event { .. } | Says::LookAgain if from == self.instance => {}
            Says::Event { topic, json } => self.hub.tell(&topic, json.as_deref()),
            Says::LookAgain => self.hub.tell_all_to_look_again(),
            Says::Beat(number) if from == self.instance => {
                self.heard.fetch_max(number, Ordering::AcqRel);
                self.is_heard.store(true, Ordering::Relaxed);
            }
            Says::Beat(_) => {}
        }
    }
}

async fn listen(shared: Arc<Shared>, mut listener: Listener, stop: CancellationToken) {
    let mut looks = interval(BEAT);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut left_at = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            heard = listener.next() => match heard {
                Heard::Said(letter) => shared.hear(&letter),
                Heard::Joined => {
                    tracing::debug!("listening for events of other instances");
                    // Those that were sent before nobody heard.
                    shared.heard.store(shared.sent.load(Ordering::Acquire), Ordering::Release);
                    shared.hub.tell_all_to_look_again();
                }
                Heard::Missed => shared.hub.tell_all_to_look_again(),
            },
            _ = looks.tick() => {
                if shared.unheard() >= UNHEARD && left_at.elapsed() > BEAT * 4 {
                    left_at = Instant::now();
                    tracing::warn!("events of other instances are not heard; listening by another connection");
                    if let Err(error) = listener.reconnect().await {
                        tracing::debug!(%error, "the connection that listens could not be left");
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, Events, Listening, suite};
    use crate::redis::testing::{OwnServer, eventually, shared, unique};

    async fn instance(url: &secrecy::SecretString) -> (Arc<Redis>, Events) {
        let redis = Arc::new(Redis::connect(url, unique("test")).await.unwrap());
        let events = Events::shared(Arc::clone(&redis), Metrics::detached()).unwrap();
        (redis, events)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn keeps_the_promises_of_events_between_two_instances() {
        let what = "events over Redis";
        let (Some(one), Some(two)) = (shared(what).await, shared(what).await) else {
            return;
        };
        let metrics = Metrics::detached();
        let one = Events::shared(Arc::new(one), metrics.clone()).unwrap();
        let two = Events::shared(Arc::new(two), metrics).unwrap();
        eventually("both are heard", || one.reach_all() && two.reach_all()).await;
        suite::keeps_its_promises(&one, &two).await;
        suite::keeps_its_promises(&one, &one).await;
    }

    /// The next that is said; how often it was told to look before that.
    async fn said(listening: &mut Listening) -> (u64, usize) {
        let mut looked = 0;
        loop {
            let next = timeout(Duration::from_secs(15), listening.next());
            match next.await.unwrap().unwrap() {
                Event::LookAgain => looked += 1,
                event => return (event.read().unwrap(), looked),
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_redis_its_own_flow_and_all_look_again_when_it_is_back() {
        let Some(mut server) = OwnServer::start("events without Redis") else {
            return;
        };
        let (_redis, one) = instance(&server.url()).await;
        let (_redis, two) = instance(&server.url()).await;
        let both = || one.reach_all() && two.reach_all();
        eventually("both are heard", both).await;
        let (mut at_one, mut at_two) = (one.listen("a"), two.listen("a"));
        one.publish("a", &1);
        assert_eq!(said(&mut at_one).await, (1, 0));
        assert_eq!(said(&mut at_two).await, (1, 0));

        for (number, is_killed) in [(10, true), (20, false)] {
            match is_killed {
                true => server.kill(),
                false => server.signal("STOP"),
            }
            eventually("neither is heard", || !one.reach_all() && !two.reach_all()).await;
            one.publish("a", &number);
            assert_eq!(said(&mut at_one).await.0, number);

            match is_killed {
                true => assert!(server.run()),
                false => server.signal("CONT"),
            }
            eventually("both are heard again", both).await;
            // Of what was said meanwhile the other may hear late, or never; that it must look it always hears.
            one.publish("a", &(number + 1));
            let mut looks = 0;
            loop {
                let (heard, looked) = said(&mut at_two).await;
                looks += looked;
                if heard == number + 1 {
                    break;
                }
            }
            assert!(looks > 0, "after {number}");
            assert_eq!(said(&mut at_one).await.0, number + 1);
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_listener_that_lost_its_connection_alone_comes_back_and_looks_again() {
        let Some(server) = OwnServer::start("events whose listener is cut off") else {
            return;
        };
        let (_redis, one) = instance(&server.url()).await;
        let (_redis, two) = instance(&server.url()).await;
        eventually("both are heard", || one.reach_all() && two.reach_all()).await;
        let mut listening = two.listen("a");
        server.tell("CLIENT KILL TYPE pubsub");
        let next = timeout(Duration::from_secs(15), listening.next()).await;
        assert_eq!(next, Ok(Some(Event::LookAgain)));
        one.publish("a", &7);
        assert_eq!(said(&mut listening).await.0, 7);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_published_last_is_passed_on_before_it_closes() {
        let Some(server) = OwnServer::start("the last events of an instance") else {
            return;
        };
        let (redis, one) = instance(&server.url()).await;
        let (_redis, two) = instance(&server.url()).await;
        eventually("both are heard", || one.reach_all() && two.reach_all()).await;
        let mut listening = two.listen("a");
        for number in 0..10 {
            one.publish("a", &number);
        }
        one.close().await;
        redis.quit().await;
        for number in 0..10 {
            assert_eq!(said(&mut listening).await, (number, 0));
        }
    }
}
