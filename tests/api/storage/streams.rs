//! Storing what comes bit by bit.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use empulse::storage::{PutError, StorageError};
use futures_util::stream::{self, StreamExt};

use super::s3::Fault;
use super::{PATIENCE, Places, S3Server, bytes, in_bucket, key, octets, read};

const PART: usize = 8 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_pieces_is_stored_as_one() {
    let places = Places::new().await;
    for storage in &places.each {
        for (size, piece) in [
            (0, 1),
            (5, 1),
            (70_000, 999),
            (PART, 65_536),
            (PART + 1, 1_000_003),
            (2 * PART, PART),
        ] {
            let (key, stored) = (key(&format!("a/{size}")), bytes(size));
            let pieces: Vec<Result<Bytes, Infallible>> = stored
                .chunks(piece)
                .map(|piece| Ok(Bytes::copy_from_slice(piece)))
                .collect();
            let came = storage
                .put_stream(&key, stream::iter(pieces), &octets())
                .await;
            assert_eq!(came.unwrap(), size as u64);
            assert!(read(storage, &key).await == stored, "{size} by {piece}");
        }
        // Large at once is the same.
        let large = bytes(PART + 77);
        storage
            .put(&key("large"), large.clone(), &octets())
            .await
            .unwrap();
        assert!(read(storage, &key("large")).await == large);
    }
    places.are_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_equal_and_few_at_a_time() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    // Two parts that are not answered hold all up, and no more is taken from where it comes.
    server.plan.fail("part", Fault::Hang, 2);
    let taken = Arc::new(AtomicUsize::new(0));
    let counting = taken.clone();
    let pieces = stream::repeat(Bytes::from(vec![1_u8; 1 << 20])).map(move |piece| {
        counting.fetch_add(piece.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(piece)
    });
    let (storing, key) = (storage.clone(), key("endless"));
    let task = tokio::spawn(async move { storing.put_stream(&key, pieces, &octets()).await });
    let mut before = usize::MAX;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = taken.load(Ordering::Relaxed);
        if now == before {
            break;
        }
        before = now;
    }
    assert_eq!(server.plan.seen("part"), 2);
    assert!(
        (2 * PART..=3 * PART + (2 << 20)).contains(&before),
        "{before}"
    );

    // Whoever wanted it has left: what was sent is taken away again.
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    storage.close().await;
    assert_eq!((server.plan.seen("abort"), server.unfinished()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_breaks_off_nothing_is_stored() {
    let places = Places::new().await;
    for storage in &places.each {
        for whole in [0, 3, 17] {
            let key = key("broken/off");
            let pieces = stream::iter(0..whole)
                .map(|_| Ok(Bytes::from(vec![1_u8; 1 << 20])))
                .chain(stream::iter([Err("the client left")]));
            match storage.put_stream(&key, pieces, &octets()).await {
                Err(PutError::Source(why)) => assert_eq!(why, "the client left"),
                other => panic!("{other:?}"),
            }
            let head = storage.head(&key).await;
            assert_eq!(head, Err(StorageError::NotFound), "{}", storage.kind());
        }
    }
    places.are_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_can_not_be_sent_ends_it_at_once() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    server
        .plan
        .fail("part", Fault::Status(503, "SlowDown"), usize::MAX);
    // It never ends by itself.
    let pieces = stream::repeat(Bytes::from(vec![1_u8; 1 << 20])).map(Ok::<_, Infallible>);
    match storage.put_stream(&key("a"), pieces, &octets()).await {
        Err(PutError::Storage(error)) => {
            assert_eq!(
                error,
                StorageError::Unavailable("503 Service Unavailable: SlowDown".into())
            );
        }
        other => panic!("{other:?}"),
    }
    storage.close().await;
    assert_eq!((server.plan.seen("abort"), server.unfinished()), (1, 0));
    assert_eq!(storage.head(&key("a")).await, Err(StorageError::NotFound));
}

async fn two_parts(storage: &empulse::storage::Storage) -> Result<u64, PutError<Infallible>> {
    let pieces = bytes(PART + 100);
    storage
        .put_stream(&key("a"), stream::iter([Ok(pieces)]), &octets())
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_word_may_get_no_answer() {
    for fault in [
        Fault::LoseAnswer,
        Fault::Cut,
        Fault::Status(500, "InternalError"),
    ] {
        let server = S3Server::start().await;
        let storage = in_bucket(&server, PATIENCE);
        server.plan.fail("finish", fault, 1);
        assert_eq!(
            two_parts(&storage).await.unwrap(),
            PART as u64 + 100,
            "{fault:?}"
        );
        assert!(read(&storage, &key("a")).await == bytes(PART + 100));
        storage.close().await;
        assert_eq!(
            (server.plan.seen("abort"), server.unfinished()),
            (0, 0),
            "{fault:?}"
        );
    }
}

/// The file that was there before is not taken for the one that was not stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_last_word_that_is_not_heard_leaves_what_was_there() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    two_parts(&storage).await.unwrap();
    let before = storage.head(&key("a")).await.unwrap();
    server
        .plan
        .fail("finish", Fault::Status(503, "SlowDown"), usize::MAX);
    match two_parts(&storage).await {
        Err(PutError::Storage(StorageError::Unavailable(_))) => {}
        other => panic!("{other:?}"),
    }
    storage.close().await;
    assert_eq!((server.plan.seen("abort"), server.unfinished()), (1, 0));
    assert_eq!(storage.head(&key("a")).await.unwrap(), before);
}
