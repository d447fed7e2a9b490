//! What events promise, tried on whichever they are: told by the one, heard by the other, which may be the same.

use std::time::Duration;

use tokio::time::timeout;

use super::{Event, Events, LARGEST, Listening};
use crate::redis::testing::{eventually, unique};

pub async fn keeps_its_promises(teller: &Events, hearer: &Events) {
    who_listens_hears_what_is_said_from_then_on(teller, hearer).await;
    a_topic_is_heard_by_its_own_listeners(teller, hearer).await;
    who_falls_behind_is_told_to_look_again(teller, hearer).await;
    what_is_too_large_is_to_be_looked_at(teller, hearer).await;
    who_leaves_leaves_nothing(teller, hearer).await;
}

async fn next(listening: &mut Listening) -> Event {
    let next = timeout(Duration::from_secs(10), listening.next()).await;
    next.expect("nothing was told").expect("it ended")
}

async fn who_listens_hears_what_is_said_from_then_on(teller: &Events, hearer: &Events) {
    let topic = unique("order");
    let mut first = hearer.listen(&topic);
    teller.publish(&topic, &1);
    assert_eq!(next(&mut first).await.read(), Some(1));
    let mut second = hearer.listen(&topic);
    teller.publish(&topic, &2);
    teller.publish(&topic, &3);
    for listening in [&mut first, &mut second] {
        for number in [2, 3] {
            assert_eq!(next(listening).await.read(), Some(number));
        }
    }
}

async fn a_topic_is_heard_by_its_own_listeners(teller: &Events, hearer: &Events) {
    let (one, other) = (unique("one"), unique("other"));
    let mut listening = hearer.listen(&one);
    teller.publish(&other, &"not for it");
    teller.publish(&one, &"for it");
    let event = next(&mut listening).await;
    assert_eq!(event.read::<String>().as_deref(), Some("for it"));
    assert_eq!(event.read::<u64>(), None);
}

async fn who_falls_behind_is_told_to_look_again(teller: &Events, hearer: &Events) {
    const MANY: u64 = 500;
    let topic = unique("behind");
    let (mut slow, mut quick) = (hearer.listen(&topic), hearer.listen(&topic));
    for number in 0..MANY {
        teller.publish(&topic, &number);
        // Who takes each as it comes misses none.
        assert_eq!(next(&mut quick).await.read(), Some(number));
    }
    assert_eq!(next(&mut slow).await, Event::LookAgain);
    let mut heard = vec![next(&mut slow).await.read::<u64>().unwrap()];
    while *heard.last().unwrap() != MANY - 1 {
        heard.push(next(&mut slow).await.read().unwrap());
    }
    assert!(heard.len() <= 32, "{} were kept", heard.len());
    assert!(heard.is_sorted());
}

async fn what_is_too_large_is_to_be_looked_at(teller: &Events, hearer: &Events) {
    let topic = unique("large");
    let mut listening = hearer.listen(&topic);
    teller.publish(&topic, &"x".repeat(LARGEST - 2));
    teller.publish(&topic, &"x".repeat(LARGEST));
    assert!(next(&mut listening).await.read::<String>().is_some());
    assert_eq!(next(&mut listening).await, Event::LookAgain);
}

async fn who_leaves_leaves_nothing(teller: &Events, hearer: &Events) {
    let before = hearer.hub.count();
    let topic = unique("left");
    let (one, other) = (hearer.listen(&topic), hearer.listen(&topic));
    assert_eq!(hearer.hub.count(), before + 1);
    drop(one);
    assert_eq!(hearer.hub.count(), before + 1);
    drop(other);
    teller.publish(&topic, &1);
    eventually("the topic is gone", || hearer.hub.count() == before).await;
}

#[tokio::test]
async fn in_process_they_are_kept() {
    let events = Events::in_process(crate::telemetry::Metrics::detached());
    keeps_its_promises(&events, &events).await;
}
