//! Clients that hang up before they are answered: what they began comes to its end, and a stop waits for it.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{COUNT_ACCOUNTS, COUNT_JOBS, KEYS, NO_JOBS};
use crate::support::{Database, Folder, Service, eventually, mutation, registration};

const COUNT_TOKENS: &str = "select count(*) from mailed_tokens";

/// Sends all of a registration, and leaves the connection open.
async fn register(service: &Service, email: &str) -> TcpStream {
    let body = json!({
        "query": mutation("register"),
        "variables": { "input": registration(email) },
    })
    .to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn counts(database: &Database) -> [i64; 3] {
    [
        database.number(COUNT_ACCOUNTS).await,
        database.number(COUNT_TOKENS).await,
        database.number(COUNT_JOBS).await,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_goes_on_without_its_client_and_a_stop_waits_for_it() {
    let Some(database) = Database::at_hand("clients that hang up during a registration").await
    else {
        return;
    };
    for stops in [false, true] {
        let folder = Folder::new();
        let settings = [("DATABASE_URL", database.url.as_str()), KEYS, NO_JOBS];
        let mut service = Service::ready(&folder, &settings).await;
        let before = counts(&database).await;
        // Statements may take 5 s, so this is not held for long.
        let lock = database.sql().await;
        lock.batch_execute("begin; lock table accounts in access exclusive mode")
            .await
            .unwrap();
        let onlooker = database.sql().await;
        let waiting = async || {
            let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
            onlooker
                .query_one(waiting, &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
        };
        let stream = register(&service, &format!("stops-{stops}@example.org")).await;
        eventually(
            "it waits for the lock",
            Duration::from_secs(15),
            async || (waiting().await == 1).then_some(()),
        )
        .await;
        drop(stream);
        if stops {
            service.process.signal("TERM");
        }
        sleep(Duration::from_millis(1_500)).await;
        assert_eq!(waiting().await, 1, "nobody has given it up");
        assert!(service.process.lines("stopped").is_empty());
        lock.batch_execute("commit").await.unwrap();
        let released = Instant::now();
        if stops {
            let (status, took) = service.process.ends_within(Duration::from_secs(5)).await;
            println!("a stop ended {took:.2?} after the last write could go on");
            assert_eq!(status.code(), Some(0), "{}", service.process.said());
        } else {
            eventually("it stands", Duration::from_secs(5), async || {
                (database.number(COUNT_ACCOUNTS).await == before[0] + 1).then_some(())
            })
            .await;
            println!("it stood {:.2?} later", released.elapsed());
            service.stops().await;
        }
        assert_eq!(
            counts(&database).await,
            before.map(|count| count + 1),
            "all of it, once"
        );
    }
}

/// Whether it is begun is a matter of luck; that half of it is done is not.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_at_once_is_registered_or_is_not() {
    const CLIENTS: i64 = 12;
    let Some(database) = Database::at_hand("clients that hang up at once").await else {
        return;
    };
    let folder = Folder::new();
    let settings = [("DATABASE_URL", database.url.as_str()), KEYS, NO_JOBS];
    let mut service = Service::ready(&folder, &settings).await;
    for client in 0..CLIENTS {
        let stream = register(&service, &format!("client-{client}@example.org")).await;
        sleep(Duration::from_millis(u64::try_from(client).unwrap() * 3)).await;
        drop(stream);
    }
    service.process.signal("TERM");
    // Each takes a processor for a while, to hash its password.
    let (status, _) = service.process.ends_within(Duration::from_secs(40)).await;
    assert_eq!(status.code(), Some(0), "{}", service.process.said());
    let counts = counts(&database).await;
    println!(
        "of {CLIENTS} who hung up at once {} were registered",
        counts[0]
    );
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
    assert!(counts[0] > 0 && counts[0] <= CLIENTS, "{counts:?}");
    assert_eq!(
        service
            .process
            .lines("some mutations did not come to their end in time")
            .len(),
        0
    );
}
