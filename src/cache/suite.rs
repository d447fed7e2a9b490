//! What every cache promises, tried on whichever it is given.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{Cache, read_through};
use crate::redis::testing::unique;

const MINUTE: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_millis(500);

/// `fresh` makes one that keeps removed keys closed for so long; it may share what it keeps with the others.
pub async fn keeps_its_promises<C: Cache + 'static>(fresh: impl Fn(Duration) -> C) {
    let cache: Arc<dyn Cache> = Arc::new(fresh(MINUTE));
    keeps_and_expires(&*cache).await;
    a_removed_key_stays_closed(&*cache).await;
    a_removed_key_opens_again(&fresh(SOON)).await;
    reads_through_once(&*cache).await;
    many_askers_cause_one_load(Arc::clone(&cache)).await;
    a_failed_load_is_shared_and_not_kept(Arc::clone(&cache)).await;
    a_cancelled_load_strands_nobody(Arc::clone(&cache)).await;
    a_removal_parts_a_load_from_later_askers(Arc::clone(&cache)).await;
    what_is_of_another_shape_is_loaded(Arc::clone(&cache)).await;
}

async fn keeps_and_expires(cache: &dyn Cache) {
    let (long, short, empty) = (unique("long"), unique("short"), unique("empty"));
    assert_eq!(cache.get(&long).await, None);
    cache.put(&long, "a".into(), MINUTE).await;
    cache.put(&short, "b".into(), SOON).await;
    cache.put(&empty, "".into(), MINUTE).await;
    assert_eq!(cache.get(&long).await, Some("a".into()));
    assert_eq!(cache.get(&short).await, Some("b".into()));
    assert_eq!(cache.get(&empty).await, None);
    cache.put(&long, "second".into(), MINUTE).await;
    assert_eq!(cache.get(&long).await, Some("a".into()));

    sleep(SOON + SOON / 2).await;
    assert_eq!(cache.get(&short).await, None);
    cache.put(&short, "c".into(), MINUTE).await;
    sleep(SOON + SOON / 2).await;
    assert_eq!(cache.get(&short).await, Some("c".into()));
}

async fn a_removed_key_stays_closed(cache: &dyn Cache) {
    let key = unique("closed");
    for _ in 0..2 {
        cache.put(&key, "old".into(), MINUTE).await;
        cache.remove(&key).await;
        assert_eq!(cache.get(&key).await, None);
    }
}

async fn a_removed_key_opens_again(cache: &dyn Cache) {
    let key = unique("open");
    cache.put(&key, "old".into(), MINUTE).await;
    cache.remove(&key).await;
    sleep(SOON + SOON / 2).await;
    cache.put(&key, "new".into(), MINUTE).await;
    assert_eq!(cache.get(&key).await, Some("new".into()));
}

type Loaded = Result<u64, String>;

async fn reads_through_once(cache: &dyn Cache) {
    let key = unique("through");
    let first: Loaded = read_through(cache, &key, MINUTE, async { Ok(1) }).await;
    let again: Loaded = read_through(cache, &key, MINUTE, async { Ok(2) }).await;
    assert_eq!((first, again), (Ok(1), Ok(1)));
    cache.remove(&key).await;
    let after: Loaded = read_through(cache, &key, MINUTE, async { Ok(3) }).await;
    assert_eq!(after, Ok(3));
}

/// Fifty that ask at once, with a load slow enough for all to arrive; how often it ran, and what each was given.
async fn ask_at_once(cache: Arc<dyn Cache>, key: &str, answer: Loaded) -> (usize, Vec<Loaded>) {
    let loads = Arc::new(AtomicUsize::new(0));
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let (cache, key) = (Arc::clone(&cache), key.to_owned());
        let (loads, answer) = (Arc::clone(&loads), answer.clone());
        asking.spawn(async move {
            let load = async {
                loads.fetch_add(1, Ordering::Relaxed);
                sleep(2 * SOON).await;
                answer
            };
            read_through(&*cache, &key, MINUTE, load).await
        });
    }
    let answers = asking.join_all().await;
    (loads.load(Ordering::Relaxed), answers)
}

async fn many_askers_cause_one_load(cache: Arc<dyn Cache>) {
    let (loads, answers) = ask_at_once(cache, &unique("many"), Ok(7)).await;
    assert_eq!(loads, 1);
    assert!(answers.iter().all(|answer| *answer == Ok(7)));
}

async fn a_failed_load_is_shared_and_not_kept(cache: Arc<dyn Cache>) {
    let key = unique("failed");
    let (loads, answers) = ask_at_once(Arc::clone(&cache), &key, Err("no".to_owned())).await;
    assert_eq!(loads, 1);
    assert!(answers.iter().all(Result::is_err));
    let (loads, answers) = ask_at_once(cache, &key, Ok(7)).await;
    assert_eq!(loads, 1);
    assert!(answers.iter().all(Result::is_ok));
}

/// A load that says when it has begun and then never ends.
fn endless(
    cache: Arc<dyn Cache>,
    key: String,
) -> (tokio::task::JoinHandle<Loaded>, oneshot::Receiver<()>) {
    let (begin, begun) = oneshot::channel();
    let task = tokio::spawn(async move {
        let load = async {
            begin.send(()).unwrap();
            std::future::pending().await
        };
        read_through(&*cache, &key, MINUTE, load).await
    });
    (task, begun)
}

async fn a_cancelled_load_strands_nobody(cache: Arc<dyn Cache>) {
    let key = unique("cancelled");
    let (stuck, begun) = endless(Arc::clone(&cache), key.clone());
    begun.await.unwrap();
    let waiting = tokio::spawn({
        let (cache, key) = (Arc::clone(&cache), key.clone());
        async move { ask_at_once(cache, &key, Ok(7)).await }
    });
    sleep(SOON).await;
    assert!(!waiting.is_finished());
    stuck.abort();
    let (loads, answers) = timeout(20 * SOON, waiting).await.unwrap().unwrap();
    assert_eq!(loads, 1);
    assert!(answers.iter().all(|answer| *answer == Ok(7)));
}

async fn a_removal_parts_a_load_from_later_askers(cache: Arc<dyn Cache>) {
    let key = unique("parted");
    let (release, released) = oneshot::channel::<()>();
    let (begin, begun) = oneshot::channel();
    let before = tokio::spawn({
        let (cache, key) = (Arc::clone(&cache), key.clone());
        async move {
            let load = async {
                begin.send(()).unwrap();
                released.await.unwrap();
                Ok(1)
            };
            let read: Loaded = read_through(&*cache, &key, MINUTE, load).await;
            read
        }
    });
    begun.await.unwrap();
    cache.remove(&key).await;

    // Their own change: they neither wait for the old load nor get its answer.
    let load = async { Ok(2) };
    let after: Loaded = timeout(20 * SOON, read_through(&*cache, &key, MINUTE, load))
        .await
        .unwrap();
    assert_eq!(after, Ok(2));
    release.send(()).unwrap();
    assert_eq!(before.await.unwrap(), Ok(1));
    assert_eq!(cache.get(&key).await, None);
}

async fn what_is_of_another_shape_is_loaded(cache: Arc<dyn Cache>) {
    let key = unique("shape");
    cache.put(&key, "\"a text\"".into(), MINUTE).await;
    let number: Loaded = read_through(&*cache, &key, MINUTE, async { Ok(7) }).await;
    assert_eq!(number, Ok(7));

    // Two types under one key at once: each gets its own.
    let key = unique("two shapes");
    let text = tokio::spawn({
        let (cache, key) = (Arc::clone(&cache), key.clone());
        async move {
            let load = async {
                sleep(SOON).await;
                Ok("a text".to_owned())
            };
            let read: Result<String, String> = read_through(&*cache, &key, MINUTE, load).await;
            read
        }
    });
    sleep(SOON / 3).await;
    let number: Loaded = read_through(&*cache, &key, MINUTE, async { Ok(7) }).await;
    assert_eq!(number, Ok(7));
    assert_eq!(text.await.unwrap(), Ok("a text".to_owned()));
}
