//! Re-encrypting what is stored, beside a service that goes on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use empulse::db::Db;
use empulse::telemetry::Metrics;
use empulse::vault::{Progress, Rotation, Sealed, Vault, VaultError};
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::config;
use crate::support::database::TestDatabase;

const SECRETS: Sealed = Sealed {
    table: "secrets",
    key: "id",
    column: "secret",
};
const OTHERS: Sealed = Sealed {
    column: "other",
    ..SECRETS
};

struct Bench {
    db: Db,
    database: TestDatabase,
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let bench = Self {
            db: Db::open(database.source.clone(), None, 10, Metrics::detached()),
            database,
        };
        let table = "create table secrets (id uuid primary key, secret bytea, other bytea)";
        bench.sql().await.batch_execute(table).await.unwrap();
        bench
    }

    async fn sql(&self) -> Client {
        self.database.source.client().await.unwrap()
    }

    /// Rows from a number on, each with a value that is its text under the ring's first key.
    async fn fill(&self, vault: &Vault, numbers: Range<u128>) {
        let (ids, values): (Vec<_>, Vec<_>) = numbers
            .map(|number| {
                let id = Uuid::from_u128(number);
                let value = vault.seal(&SECRETS.of(id), &text(number)).unwrap();
                (id.to_string(), value)
            })
            .unzip();
        let insert = "insert into secrets (id, secret) select * from unnest($1::text[]::uuid[], $2::bytea[])";
        let sql = self.sql().await;
        sql.execute(insert, &[&ids, &values]).await.unwrap();
    }

    async fn rotate(&self, vault: &Vault) -> Rotation {
        let rotation = vault.rotate(&self.db, &[SECRETS, OTHERS], |_| {}).await;
        rotation.unwrap()
    }

    /// What stands in the rows, as it is stored.
    async fn stored(&self) -> BTreeMap<u128, Option<Vec<u8>>> {
        let sql = self.sql().await;
        let rows = sql.query("select id::text, secret from secrets", &[]).await;
        rows.unwrap()
            .iter()
            .map(|row| (number_of(row.get(0)), row.get(1)))
            .collect()
    }

    /// How many values are under this key.
    async fn under(&self, id: &str) -> usize {
        let stored = self.stored().await;
        let values = stored.values().flatten();
        values.filter(|value| is_under(value, id)).count()
    }
}

fn is_under(value: &[u8], id: &str) -> bool {
    value[2..].starts_with(id.as_bytes())
}

fn number_of(id: &str) -> u128 {
    id.parse::<Uuid>().unwrap().as_u128()
}

fn text(number: u128) -> Vec<u8> {
    format!("the secret of {number}").into_bytes()
}

/// Keys named by letters: the same letter is the same key.
fn with_keys(letters: &str) -> Vault {
    let keys = letters.chars().map(|letter| {
        format!(
            "key-{letter}:{}",
            format!("{:02x}", letter as u8).repeat(32)
        )
    });
    let ring = keys.collect::<Vec<_>>().join(",");
    Vault::unlocked(&config(&[("EMPULSE_ENCRYPTION_KEYS", &ring)])).unwrap()
}

fn opened(vault: &Vault, number: u128, value: &[u8]) -> Vec<u8> {
    let place = SECRETS.of(Uuid::from_u128(number));
    vault.open(&place, value).unwrap().expose_secret().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_under_older_keys_comes_under_the_first_once() {
    let bench = Bench::new().await;
    // More than two batches, and each key in each of them.
    for hundred in 0..13 {
        let from = hundred * 100;
        bench.fill(&with_keys("a"), from..from + 40).await;
        bench.fill(&with_keys("ba"), from + 40..from + 60).await;
        bench.fill(&with_keys("cba"), from + 60..from + 90).await;
    }
    let sql = bench.sql().await;
    let empty = "insert into secrets (id) select gen_random_uuid() from generate_series(1, 700)";
    sql.batch_execute(empty).await.unwrap();
    // A column of its own, in a row that has no other value.
    let id = Uuid::from_u128(5_000);
    let other = with_keys("a").seal(&OTHERS.of(id), b"another").unwrap();
    let insert = "insert into secrets (id, other) values ($1::text::uuid, $2)";
    sql.execute(insert, &[&id.to_string(), &other])
        .await
        .unwrap();

    let before = bench.stored().await;
    let vault = with_keys("cbad");
    let mut told: Vec<Progress> = Vec::new();
    let rotation = vault
        .rotate(&bench.db, &[SECRETS, OTHERS], |progress| {
            told.push(progress)
        })
        .await
        .unwrap();
    assert_eq!(rotation.re_encrypted, 13 * 60 + 1);
    assert_eq!(rotation.under_first, 13 * 90 + 1);
    assert_eq!(rotation.unused, ["key-b", "key-a", "key-d"]);
    assert!(rotation.under_older.is_empty());
    assert_eq!((rotation.broken, rotation.named.len()), (0, 0));
    let last = told.last().unwrap();
    assert_eq!(
        (last.walk, last.seen, last.re_encrypted),
        (2, 1, 13 * 60 + 1)
    );
    let seen: Vec<_> = told
        .iter()
        .map(|one| (one.walk, one.re_encrypted))
        .collect();
    assert!(seen.is_sorted(), "{seen:?}");

    let only = with_keys("c");
    let after = bench.stored().await;
    assert_eq!(before.len(), after.len());
    for (number, value) in &after {
        match value {
            Some(value) => assert_eq!(opened(&only, *number, value), text(*number)),
            None => assert_eq!(before[number], None),
        }
        // What was right already is not touched.
        let was = &before[number];
        if was.as_ref().is_some_and(|was| is_under(was, "key-c")) {
            assert_eq!(was, value);
        }
    }
    let other: Vec<u8> = sql
        .query_one(
            "select other from secrets where id = $1::text::uuid",
            &[&id.to_string()],
        )
        .await
        .unwrap()
        .get(0);
    let other = only.open(&OTHERS.of(id), &other).unwrap();
    assert_eq!(other.expose_secret(), b"another");

    let again = bench.rotate(&vault).await;
    assert_eq!((again.re_encrypted, again.under_first), (0, 13 * 90 + 1));
    assert_eq!(again.unused, rotation.unused);
    assert_eq!(bench.stored().await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_stored_no_older_key_is_used() {
    let bench = Bench::new().await;
    let rotation = bench.rotate(&with_keys("ba")).await;
    assert_eq!((rotation.re_encrypted, rotation.under_first), (0, 0));
    assert_eq!(rotation.unused, ["key-a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_ended_in_the_middle_is_gone_on_with() {
    let bench = Bench::new().await;
    bench.fill(&with_keys("a"), 1..2_001).await;
    let vault = with_keys("ba");
    let ended = CancellationToken::new();
    let rotation = vault.rotate(&bench.db, &[SECRETS], |progress| {
        if progress.seen == 1_000 {
            ended.cancel();
        }
    });
    tokio::select! {
        biased;
        () = ended.cancelled() => {}
        done = rotation => panic!("not ended: {done:?}"),
    }
    let done = bench.under("key-b").await;
    assert!((1_000..2_000).contains(&done), "{done}");

    let rotation = bench.rotate(&vault).await;
    assert_eq!(rotation.re_encrypted as usize, 2_000 - done);
    assert_eq!(rotation.under_first, 2_000);
    assert_eq!(rotation.unused, ["key-a"]);
    let only = with_keys("b");
    for (number, value) in bench.stored().await {
        assert_eq!(opened(&only, number, &value.unwrap()), text(number));
    }
}

/// Some of the instances have the new key first already, and others not yet.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_meanwhile_is_never_lost() {
    const WRITERS: u128 = 4;
    let bench = Arc::new(Bench::new().await);
    let (stop, count) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let numbers = writer * ROWS..(writer + 1) * ROWS;
            tokio::spawn(write(bench.clone(), numbers, stop.clone(), count.clone()))
        })
        .collect();
    let vault = with_keys("ba");
    loop {
        if count.load(Ordering::Relaxed) > ENOUGH || writers.iter().any(JoinHandle::is_finished) {
            break;
        }
        // Ended wherever it is: as long as somebody writes by the older key, there is something to do.
        let rotation = vault.rotate(&bench.db, &[SECRETS], |_| {});
        let _ = tokio::time::timeout(Duration::from_millis(100), rotation).await;
    }
    stop.cancel();
    let mut expected = BTreeMap::new();
    for writer in writers {
        expected.extend(writer.await.unwrap());
    }
    let rotation = bench.rotate(&vault).await;
    assert_eq!(rotation.unused, ["key-a"]);
    assert_eq!(rotation.under_first as usize, expected.len());
    let only = with_keys("b");
    let found: BTreeMap<_, _> = bench
        .stored()
        .await
        .into_iter()
        .map(|(number, value)| (number, opened(&only, number, &value.unwrap())))
        .collect();
    assert_eq!(found, expected);
}

const ROWS: u128 = 20;
const ENOUGH: usize = 1_000;

/// Writes without end, by the older and the newer key in turn, and sees each time that what it wrote before still stands.
/// What it wrote last.
async fn write(
    bench: Arc<Bench>,
    numbers: Range<u128>,
    stop: CancellationToken,
    count: Arc<AtomicUsize>,
) -> BTreeMap<u128, Vec<u8>> {
    let sql = bench.sql().await;
    let vaults = [with_keys("ab"), with_keys("ba")];
    let read = "select secret from secrets where id = $1::text::uuid";
    let delete = "delete from secrets where id = $1::text::uuid";
    let upsert = "insert into secrets (id, secret) values ($1::text::uuid, $2)
        on conflict (id) do update set secret = excluded.secret";
    let mut written = BTreeMap::new();
    for turn in 0.. {
        let number = numbers.start + turn % ROWS;
        let place = SECRETS.of(Uuid::from_u128(number));
        let id = Uuid::from_u128(number).to_string();
        let row = sql.query_opt(read, &[&id]).await.unwrap();
        let stands = row.map(|row| opened(&vaults[0], number, row.get(0)));
        assert_eq!(stands.as_ref(), written.get(&number), "in turn {turn}");
        if turn % 11 == 0 {
            sql.execute(delete, &[&id]).await.unwrap();
            written.remove(&number);
        } else {
            let text = format!("written in turn {turn}").into_bytes();
            let value = vaults[(turn % 2) as usize].seal(&place, &text).unwrap();
            sql.execute(upsert, &[&id, &value]).await.unwrap();
            written.insert(number, text);
        }
        count.fetch_add(1, Ordering::Relaxed);
        if stop.is_cancelled() {
            break;
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_decrypted_stays_and_is_named() {
    let bench = Bench::new().await;
    bench.fill(&with_keys("a"), 0..20).await;
    bench.fill(&with_keys("x"), 20..50).await;
    let sql = bench.sql().await;
    let sealed = with_keys("a").seal(&OTHERS.of(Uuid::from_u128(60)), b"moved");
    for (number, value) in [(60, sealed.unwrap()), (61, b"no value".to_vec())] {
        let insert = "insert into secrets (id, secret) values ($1::text::uuid, $2)";
        let id = Uuid::from_u128(number);
        sql.execute(insert, &[&id.to_string(), &value])
            .await
            .unwrap();
    }
    let before = bench.stored().await;
    let rotation = bench.rotate(&with_keys("bac")).await;
    assert_eq!((rotation.re_encrypted, rotation.under_first), (20, 20));
    assert_eq!(rotation.broken, 32);
    assert_eq!(rotation.named.len(), 10);
    let unknown = &rotation.named[0];
    assert!(matches!(unknown, VaultError::UnknownKey { key_id, .. } if key_id == "key-x"));
    // The moved value is under it.
    assert_eq!(rotation.unused, ["key-c"]);
    let after = bench.stored().await;
    for number in (20..50).chain([60, 61]) {
        assert_eq!(before[&number], after[&number]);
    }

    // Once the missing key is back, there are two left that nothing helps.
    let rotation = bench.rotate(&with_keys("baxc")).await;
    assert_eq!((rotation.re_encrypted, rotation.under_first), (30, 50));
    let refused = |place: Sealed, number| place.of(Uuid::from_u128(number));
    assert_eq!(
        rotation.named,
        [
            VaultError::Refused {
                place: refused(SECRETS, 60),
                key_id: "key-a".into()
            },
            VaultError::NotSealed(refused(SECRETS, 61)),
        ]
    );
    assert_eq!(rotation.unused, ["key-x", "key-c"]);
}

/// Nobody is waited for with rows in hand, so that nobody waits for us.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_somebody_holds_come_later() {
    let bench = Bench::new().await;
    if bench.database.url.is_none() {
        eprintln!("not run: a row that somebody holds (the embedded engine has one session)");
        return;
    }
    bench.fill(&with_keys("a"), 0..10).await;
    let holder = bench.sql().await;
    let hold =
        "begin; update secrets set id = id where id = '00000000-0000-0000-0000-000000000003'";
    holder.batch_execute(hold).await.unwrap();
    let vault = with_keys("ba");
    let rotation = bench.rotate(&vault).await;
    assert_eq!((rotation.re_encrypted, rotation.under_first), (9, 9));
    assert_eq!(rotation.under_older, BTreeMap::from([("key-a".into(), 1)]));
    assert!(rotation.unused.is_empty());

    let release = async {
        sleep(Duration::from_millis(1_200)).await;
        holder.batch_execute("commit").await.unwrap();
    };
    let (rotation, ()) = tokio::join!(bench.rotate(&vault), release);
    assert_eq!((rotation.re_encrypted, rotation.under_first), (1, 10));
    assert!(rotation.under_older.is_empty());
    assert_eq!(rotation.unused, ["key-a"]);
}
