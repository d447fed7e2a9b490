//! The audit trail as its operators meet it: instances that are killed while events wait, and `empulse audit verify`.

use std::time::Duration;

use crate::support::{
    Database, Folder, PASSWORD, Ran, Service, WRONG, eventually, has_embedded, registration, run,
    sign_in,
};

const LONG_ENOUGH: Duration = Duration::from_secs(20);

const KEYS: (&str, &str) = (
    "EMPULSE_SIGNING_KEYS",
    "2030-01:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
);

/// As the service holds the chain while it adds to it.
const HOLD: &str = "select pg_advisory_lock(x'6175646974'::bigint)";

const WAITING: &str = "select count(*) from audit_pending";
const CHAINED: &str = "select count(*) from audit_events";

/// Past what keeps mistakes from the tables, as their owner can.
async fn tamper(database: &Database, sql: &str) {
    let sql = format!(
        "alter table audit_events disable trigger user; {sql}; alter table audit_events enable trigger user"
    );
    database.sql().await.batch_execute(&sql).await.unwrap();
}

/// What it found, and with what it ended.
#[track_caller]
fn verified(settings: &[(&str, &str)], code: i32, found: &str) -> Ran {
    let ran = run(&["audit", "verify"], settings);
    assert_eq!(ran.code, Some(code), "{ran:?}");
    assert!(ran.out.contains(found), "{found:?} in {ran:?}");
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_instance_had_recorded_is_chained_by_another() {
    let Some(database) = Database::at_hand("a kill between recording and chaining").await else {
        return;
    };
    let folder = Folder::new();
    let data = folder.at("data");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", data.as_str()),
        KEYS,
    ];
    let mut service = Service::ready(&folder, &settings).await;
    eventually("all that is recorded is chained", LONG_ENOUGH, async || {
        (database.number(WAITING).await == 0).then_some(())
    })
    .await;
    let chained = database.number(CHAINED).await;

    // Somebody else is about the chain, and takes their time. Nobody who acts has to wait for that.
    let other = database.sql().await;
    other.batch_execute(HOLD).await.unwrap();
    service
        .does("register", registration("kim@example.org"))
        .await;
    for _ in 0..3 {
        service
            .tries("login", sign_in("kim@example.org", WRONG), &[])
            .await;
    }
    let waiting = database.number(WAITING).await;
    assert!(waiting >= 4, "{waiting} events wait");
    assert_eq!(database.number(CHAINED).await, chained);
    service.process.kill();
    // Who verifies waits for their turn; by a statement's limit, and says so.
    let ran = run(&["audit", "verify"], &settings);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
    assert!(ran.err.contains("empulse: "), "{ran:?}");
    drop(other);

    let service = Service::ready(&folder, &settings).await;
    eventually("what was left is chained", LONG_ENOUGH, async || {
        (database.number(WAITING).await == 0).then_some(())
    })
    .await;
    let failed = "select count(*) from audit_events where action = 'login.failed'";
    assert_eq!(database.number(failed).await, 3);
    service.stops().await;
    let all = database.number(CHAINED).await;
    assert!(all >= chained + waiting, "{all} of {chained} and {waiting}");
    verified(
        &settings,
        0,
        &format!("the trail fits: {all} events in one chain\n"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_ends_with_what_it_found() {
    let Some(database) = Database::at_hand("what `audit verify` ends with").await else {
        return;
    };
    let folder = Folder::new();
    let data = folder.at("data");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", data.as_str()),
        KEYS,
    ];
    // Without tables there is no trail, which is no trail that fits.
    let ran = run(&["audit", "verify"], &settings);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
    assert!(
        ran.err.ends_with("run `empulse migrate` first\n"),
        "{ran:?}"
    );

    let service = Service::ready(&folder, &settings).await;
    for name in ["ada", "ben", "chris"] {
        let email = format!("{name}@example.org");
        service.does("register", registration(&email)).await;
        service.tries("login", sign_in(&email, PASSWORD), &[]).await;
    }
    service.stops().await;
    let all = database.number(CHAINED).await;
    let ran = verified(&settings, 0, &format!("the trail fits: {all} events"));
    assert!(!ran.out.contains("does not fit"), "{ran:?}");

    // To read it is not to change it, and what was altered is named.
    verified(&settings, 0, "the trail fits");
    tamper(
        &database,
        "update audit_events set details = '{\"a\":1}' where sequence = 3",
    )
    .await;
    let ran = verified(&settings, 1, "does not fit: event 3 (audit_");
    assert!(ran.out.contains(") was altered"), "{ran:?}");
    assert!(
        ran.out.contains("as far as it fits: 2 events in one chain"),
        "{ran:?}"
    );

    // A database that is away is no trail that fits, either.
    let away = [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:9/none"),
        settings[1],
        KEYS,
    ];
    let ran = run(&["audit", "verify"], &away);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out, "", "{ran:?}");
    assert!(ran.err.starts_with("empulse: "), "{ran:?}");
    let ran = run(&["audit", "verfy"], &settings);
    assert_eq!(ran.code, Some(2), "{ran:?}");
}

/// While the service runs or not: the embedded engine is one process's.
#[tokio::test(flavor = "multi_thread")]
async fn a_trail_in_the_data_folder_is_verified_once_the_service_has_stopped() {
    if !has_embedded("verifying the trail of the embedded database") {
        return;
    }
    let folder = Folder::new();
    let service = Service::ready(&folder, &[]).await;
    service
        .does("register", registration("kim@example.org"))
        .await;
    let data = folder.at("data");
    let settings = [("EMPULSE_DATA_DIR", data.as_str())];
    let ran = run(&["audit", "verify"], &settings);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    service.stops().await;
    verified(&settings, 0, "the trail fits: ");
}
