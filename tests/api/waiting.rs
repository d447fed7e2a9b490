//! Reads that wait for somebody else's lock: what they hold up, and what becomes of them when nobody waits any more.
//! Only on a server; the embedded engine runs one statement at a time.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::support::TestApp;

const QUERY: &str = "{ tracks { nodes { id } } }";

/// Reads of the database that wait for a lock.
async fn waiting(app: &TestApp) -> i64 {
    let sql = app.sql().await;
    let row = sql
        .query_one(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
            &[],
        )
        .await;
    row.unwrap().get(0)
}

async fn until_waiting(app: &TestApp, count: i64, limit: Duration) {
    let end = Instant::now() + limit;
    while waiting(app).await != count {
        assert!(
            Instant::now() < end,
            "{} wait and not {count}",
            waiting(app).await
        );
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_nobody_waits_for_is_ended() {
    let app = TestApp::new().await;
    if app.database.url.is_none() {
        eprintln!("not run: a_read_that_nobody_waits_for_is_ended (DATABASE_URL is not set)");
        return;
    }
    let lock = app.sql().await;
    lock.batch_execute("begin; lock table tracks")
        .await
        .unwrap();
    let left = timeout(Duration::from_millis(500), app.query(QUERY)).await;
    assert!(left.is_err(), "the read did not wait");
    // Before PostgreSQL's own limit of 5 s; that the client is gone is clear after a second.
    until_waiting(&app, 0, Duration::from_secs(4)).await;
    lock.batch_execute("rollback").await.unwrap();
    assert_eq!(app.data(QUERY).await, json!({ "tracks": { "nodes": [] } }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_connections_are_all_busy_is_ready() {
    let app = TestApp::with(&[("EMPULSE_DATABASE_POOL", "4")]).await;
    if app.database.url.is_none() {
        eprintln!(
            "not run: an_instance_whose_connections_are_all_busy_is_ready (DATABASE_URL is not set)"
        );
        return;
    }
    let lock = app.sql().await;
    lock.batch_execute("begin; lock table tracks")
        .await
        .unwrap();
    let (_, _, ready) = tokio::join!(app.query(QUERY), app.query(QUERY), async {
        until_waiting(&app, 2, Duration::from_secs(4)).await;
        let answer = app
            .client
            .get(app.url("/health/ready"))
            .send()
            .await
            .unwrap();
        lock.batch_execute("rollback").await.unwrap();
        answer
    });
    assert_eq!(ready.status(), 200);
}

/// Two connections, one of which waits for a lock. What stands behind that goes on to the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_read_holds_up_those_behind_it_for_a_moment_only() {
    let app = TestApp::with(&[("EMPULSE_DATABASE_POOL", "4")]).await;
    if app.database.url.is_none() {
        eprintln!(
            "not run: a_slow_read_holds_up_those_behind_it_for_a_moment_only (DATABASE_URL is not set)"
        );
        return;
    }
    let quick = "{ artists { nodes { id } } }";
    app.data(quick).await;
    let lock = app.sql().await;
    lock.batch_execute("begin; lock table tracks")
        .await
        .unwrap();
    let began = Instant::now();
    let (_, took) = tokio::join!(app.query(QUERY), async {
        until_waiting(&app, 1, Duration::from_secs(4)).await;
        let began = Instant::now();
        let many = (0..40).map(|_| app.data(quick));
        futures_util::future::join_all(many).await;
        let took = began.elapsed();
        lock.batch_execute("rollback").await.unwrap();
        took
    });
    assert!(
        took < Duration::from_millis(3_500),
        "{took:?} of {:?}",
        began.elapsed()
    );
}

/// Reads that were left behind one that waits must not be forgotten: the line is as long as they make it.
#[tokio::test(flavor = "multi_thread")]
async fn reads_that_were_left_leave_nothing_behind() {
    let app = TestApp::with(&[("EMPULSE_DATABASE_POOL", "4")]).await;
    if app.database.url.is_none() {
        eprintln!("not run: reads_that_were_left_leave_nothing_behind (DATABASE_URL is not set)");
        return;
    }
    let lock = app.sql().await;
    lock.batch_execute("begin; lock table tracks")
        .await
        .unwrap();
    let many = (0..20).map(|_| timeout(Duration::from_millis(300), app.query(QUERY)));
    futures_util::future::join_all(many).await;
    // Those that had begun end one after the other; how soon one does is another test's.
    until_waiting(&app, 0, Duration::from_secs(30)).await;
    lock.batch_execute("rollback").await.unwrap();
    let end = Instant::now() + Duration::from_secs(10);
    while app.app.db.connections().0 > 0 {
        assert!(
            Instant::now() < end,
            "{:?} in use",
            app.app.db.connections()
        );
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(app.data(QUERY).await, json!({ "tracks": { "nodes": [] } }));
}
