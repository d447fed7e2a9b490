//! A bucket that fails: what is tried again, for how long, and what is told of it.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use empulse::storage::{Patience, Storage, StorageError};
use futures_util::{StreamExt, TryStreamExt};
use tokio::net::TcpSocket;

use super::s3::{BUCKET, Fault, KEY_ID, S3Server, SECRET};
use super::{IMPATIENCE, PATIENCE, bytes, in_bucket, key, octets, open, read};

/// Every call once, each named as the server knows its request.
async fn all(storage: &Storage) -> [(&'static str, Result<(), StorageError>); 6] {
    let a = key("a");
    let put = storage.put(&a, "stored", &octets()).await;
    let get = async { storage.get(&a).await?.into_bytes(100).await }.await;
    let head = storage.head(&a).await;
    let list = storage.list(&a).try_collect::<Vec<_>>().await;
    let ping = storage.ping().await;
    let delete = storage.delete(&a).await;
    [
        ("put", put),
        ("get", get.map(drop)),
        ("head", head.map(drop)),
        ("list", list.map(drop)),
        ("head", ping.map(drop)),
        ("delete", delete),
    ]
}

const KINDS: [&str; 5] = ["put", "get", "head", "list", "delete"];

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again() {
    for fault in [
        Fault::Status(503, "SlowDown"),
        Fault::Status(500, "InternalError"),
        Fault::Cut,
        Fault::LoseAnswer,
    ] {
        let server = S3Server::start().await;
        let storage = in_bucket(&server, PATIENCE);
        for kind in KINDS {
            server.plan.fail(kind, fault, 2);
        }
        for (kind, done) in all(&storage).await {
            assert_eq!(done, Ok(()), "{kind} {fault:?}");
        }
        for (kind, calls) in [
            ("put", 1),
            ("get", 1),
            ("head", 2),
            ("list", 1),
            ("delete", 1),
        ] {
            assert_eq!(server.plan.seen(kind), calls + 2, "{kind} {fault:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_is_given_up_and_told_without_secrets() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    for kind in KINDS {
        server
            .plan
            .fail(kind, Fault::Status(503, "SlowDown"), usize::MAX);
    }
    for (kind, done) in all(&storage).await {
        // The answer to HEAD has nothing that a code could stand in.
        let said = match kind {
            "head" => "503 Service Unavailable",
            _ => "503 Service Unavailable: SlowDown",
        };
        assert_eq!(done, Err(StorageError::Unavailable(said.into())), "{kind}");
    }
    assert_eq!(server.plan.seen("put"), PATIENCE.tries);
    assert_eq!(server.plan.seen("get"), PATIENCE.tries);

    let refusing = S3Server::start().await;
    let storage = in_bucket(&refusing, PATIENCE);
    for kind in KINDS {
        refusing
            .plan
            .fail(kind, Fault::Status(400, "InvalidRequest"), usize::MAX);
    }
    for (kind, done) in all(&storage).await {
        let error = done.unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(matches!(error, StorageError::Refused(_)), "{kind}: {told}");
        for hidden in [KEY_ID, SECRET, "AWS4", "http", "127.0.0.1", "<"] {
            assert!(!told.contains(hidden), "{hidden}: {told}");
        }
    }
    assert_eq!(refusing.plan.seen("put"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_longer_than_is_said() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, IMPATIENCE);
    for kind in KINDS {
        server.plan.fail(kind, Fault::Hang, usize::MAX);
    }
    let began = Instant::now();
    for (kind, done) in all(&storage).await {
        assert_eq!(done, Err(StorageError::Timeout), "{kind}");
    }
    let most = IMPATIENCE.whole * 6 + Duration::from_secs(2);
    assert!(began.elapsed() < most, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_is_asked_again() {
    let server = S3Server::start().await;
    let patience = Patience {
        of_silence: Duration::from_secs(1),
        ..PATIENCE
    };
    let storage = in_bucket(&server, patience);
    for kind in KINDS {
        server.plan.fail(kind, Fault::Hang, 1);
    }
    for (kind, done) in all(&storage).await {
        assert_eq!(done, Ok(()), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_cut_goes_on_where_it_was() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    let (key, stored) = (key("a"), bytes(300_000));
    storage.put(&key, stored.clone(), &octets()).await.unwrap();
    server.plan.fail("get", Fault::CutAfter(100_000), 2);
    assert!(read(&storage, &key).await == stored);
    assert_eq!(server.plan.seen("get"), 3);
    let got = async |range| {
        storage
            .get_range(&key, range)
            .await?
            .into_bytes(1 << 20)
            .await
    };
    server.plan.fail("get", Fault::CutAfter(10), 1);
    assert_eq!(got(5_000..5_100).await.unwrap(), stored.slice(5_000..5_100));

    // What can't be ended is an error, and never taken for the whole.
    let stored = bytes(2 << 20);
    storage.put(&key, stored.clone(), &octets()).await.unwrap();
    server
        .plan
        .fail("get", Fault::CutAfter(100_000), usize::MAX);
    let cut = storage.get(&key).await.unwrap().into_bytes(4 << 20).await;
    let cut = cut.map(|bytes| bytes.len());
    assert!(matches!(cut, Err(StorageError::Unavailable(_))), "{cut:?}");
    let mut pieces = storage.get(&key).await.unwrap().into_stream();
    let mut came = 0;
    let ended = loop {
        match pieces.next().await {
            Some(Ok(piece)) => came += piece.len(),
            other => break other,
        }
    };
    assert!(matches!(ended, Some(Err(_))), "{ended:?}");
    assert!(came < stored.len());
    assert!(pieces.next().await.is_none());
}

/// A version that came meanwhile is not put behind the beginning of another.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_that_is_cut_is_not_ended_with_another_file() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    let key = key("a");
    storage.put(&key, bytes(300_000), &octets()).await.unwrap();
    server.plan.fail("get", Fault::CutAfter(100_000), 1);
    let got = storage.get(&key).await.unwrap();
    storage
        .put(&key, vec![7; 300_000], &octets())
        .await
        .unwrap();
    let read = got.into_bytes(1 << 20).await.map(|bytes| bytes.len());
    assert!(
        matches!(read, Err(StorageError::Unavailable(_))),
        "{read:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_told_so() {
    let server = S3Server::start().await;
    let endpoint = server.url();
    let bucket = format!("s3://{BUCKET}");
    for (url, id, secret, code) in [
        (
            &*bucket,
            KEY_ID,
            "another-secret",
            "403 Forbidden: SignatureDoesNotMatch",
        ),
        (&*bucket, "another-id", SECRET, "403 Forbidden: NotSignedUp"),
        (
            "s3://no-such-bucket",
            KEY_ID,
            SECRET,
            "404 Not Found: NoSuchBucket",
        ),
    ] {
        let settings = [
            ("EMPULSE_STORAGE_URL", url),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        let storage = open(&settings, PATIENCE);
        let list = storage.list(&key("a")).try_collect::<Vec<_>>().await;
        assert_eq!(list, Err(StorageError::Refused(code.into())));
        if url == bucket {
            let put = storage.put(&key("a"), "a", &octets()).await;
            assert_eq!(put, Err(StorageError::Refused(code.into())));
            // An answer without a body has no code.
            let said = StorageError::Refused("403 Forbidden".into());
            assert_eq!(storage.head(&key("a")).await, Err(said));
            assert!(matches!(
                storage.ping().await,
                Err(StorageError::Refused(_))
            ));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_away_may_come_later() {
    // Bound, so that nobody else has it, and not listened to yet.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    let endpoint = format!("http://{address}");
    let settings = [
        (
            "EMPULSE_STORAGE_URL",
            &*format!("s3://{BUCKET}/some/prefix"),
        ),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    let storage = open(&settings, IMPATIENCE);
    for (kind, done) in all(&storage).await {
        let error = done.unwrap_err();
        assert!(
            matches!(&error, StorageError::Unavailable(_)),
            "{kind}: {error}"
        );
        assert!(error.to_string().contains("refused"), "{kind}: {error}");
    }
    let _server = S3Server::on(socket.listen(64).unwrap());
    for (kind, done) in all(&storage).await {
        assert_eq!(done, Ok(()), "{kind}");
    }
}
