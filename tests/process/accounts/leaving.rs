//! Erasing, by processes that are killed half way.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::kills::worker;
use super::{KEYS, NO_JOBS, opens};
use crate::support::{Database, Folder, Mail, PASSWORD, Service, bearer, eventually};

const LONG_ENOUGH: Duration = Duration::from_secs(20);
const ERASED: &str = "Your account is erased";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_half_erased_is_erased_by_whoever_is_left() {
    let what = "a worker killed while it erases";
    let Some(database) = Database::at_hand(what).await else {
        return;
    };
    let folder = Folder::new();
    let url = [("DATABASE_URL", database.url.as_str())];
    let service = Service::ready(&folder, &[url[0], KEYS, NO_JOBS]).await;
    for email in ["kim@example.org", "ben@example.org"] {
        opens(&service, &database, email).await;
        service.signs_in(email, PASSWORD).await;
    }
    let tokens = service.signs_in("kim@example.org", PASSWORD).await;
    let (password, authorization) = (json!({ "password": PASSWORD }), bearer(&tokens));
    let closed = service
        .tries(
            "deleteAccount",
            password,
            &[("authorization", authorization.as_str())],
        )
        .await
        .payload("deleteAccount");
    assert_eq!(closed["errors"], json!([]), "{closed}");
    // As if a month had passed; and whoever erases the account comes as far as its last piece and no further.
    let holder = database.sql().await;
    holder
        .batch_execute(
            "update accounts set erase_at = now() - interval '1 hour' where status = 'CLOSED';
             create function waits() returns trigger language plpgsql as
                 'begin perform pg_advisory_xact_lock(7); return old; end';
             create trigger waits before delete on accounts for each row execute function waits();
             select pg_advisory_lock(7)",
        )
        .await
        .unwrap();

    let mut killed = worker(&folder, &url).await;
    let theirs = "select count(*) from sessions s join accounts a on a.id = s.account_id where a.status = 'CLOSED'";
    eventually(
        "what was kept beside the account is gone",
        LONG_ENOUGH,
        async || (database.number(theirs).await == 0).then_some(()),
    )
    .await;
    killed.kill();
    let closed = "select count(*) from accounts where status = 'CLOSED'";
    assert_eq!(database.number(closed).await, 1);
    holder
        .batch_execute("select pg_advisory_unlock(7)")
        .await
        .unwrap();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(
        database.number(closed).await,
        1,
        "nothing of it stands but what was done"
    );

    let other = worker(&folder, &url).await;
    // As if the lease had run out.
    let sql = database.sql().await;
    sql.batch_execute("update jobs set due_at = now(); select pg_notify('empulse_jobs', '')")
        .await
        .unwrap();
    let data = folder.at("data");
    Mail::comes_to(&data, "kim@example.org", ERASED).await;
    eventually("nothing is left to be done", LONG_ENOUGH, async || {
        let left =
            "select count(*) from jobs where kind in ('accounts.erase', 'accounts.erased_mail')";
        (database.number(left).await == 0).then_some(())
    })
    .await;
    assert_eq!(database.number("select count(*) from accounts").await, 1);
    let told = Mail::all_in(&data);
    let told = told.iter().filter(|mail| mail.subject == ERASED).count();
    assert_eq!(told, 1);
    service.signs_in("ben@example.org", PASSWORD).await;
    drop(other);
    service.stops().await;
}
