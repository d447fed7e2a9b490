//! Processes that are killed between what they promised and its mail.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::{COUNT_ACCOUNTS, COUNT_JOBS, KEYS, NO_JOBS, VERIFICATION};
use crate::support::{
    Database, Folder, Hangs, Mail, MailServer, PASSWORD, Process, Service, empulse, eventually,
    registration,
};

const LONG_ENOUGH: Duration = Duration::from_secs(15);

pub async fn worker(folder: &Folder, settings: &[(&str, &str)]) -> Process {
    let data = folder.at("data");
    let mut all = vec![
        ("EMPULSE_LOG_FORMAT", "json"),
        ("EMPULSE_DATA_DIR", data.as_str()),
        KEYS,
    ];
    all.extend(settings);
    let mut worker = Process::start(&mut empulse(&["worker"], &all));
    worker.line("running background jobs").await;
    worker
}

async fn all_are_done(database: &Database) {
    eventually("no mail is to be sent any more", LONG_ENOUGH, async || {
        (database.number(COUNT_JOBS).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_stands_is_mailed_once_by_whoever_is_left() {
    let Some(database) = Database::at_hand("a kill between a registration and its mail").await
    else {
        return;
    };
    let folder = Folder::new();
    let url = [("DATABASE_URL", database.url.as_str())];
    let settings = [url[0], KEYS, NO_JOBS];
    let mut service = Service::ready(&folder, &settings).await;
    let answer = {
        let body = json!({
            "query": crate::support::mutation("register"),
            "variables": { "input": registration("kim@example.org") },
        });
        let request = service.client().post(service.url("/graphql")).json(&body);
        tokio::spawn(request.send())
    };
    let onlooker = database.sql().await;
    eventually("the account stands", LONG_ENOUGH, async || {
        let count = onlooker.query_one(COUNT_ACCOUNTS, &[]).await.unwrap();
        (count.get::<_, i64>(0) == 1).then_some(())
    })
    .await;
    service.process.kill();
    // Perhaps it came, perhaps it did not.
    let _ = answer.await.unwrap();
    assert_eq!(database.number(COUNT_JOBS).await, 1);
    let data = folder.at("data");
    assert!(Mail::all_in(&data).is_empty());

    let workers = [worker(&folder, &url).await, worker(&folder, &url).await];
    let mail = Mail::comes_to(&data, "kim@example.org", VERIFICATION).await;
    all_are_done(&database).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(Mail::all_in(&data).len(), 1, "{:?}", Mail::all_in(&data));
    drop(workers);

    let service = Service::ready(&folder, &settings).await;
    let verified = service
        .does("verifyEmail", json!({ "token": mail.token() }))
        .await;
    assert_eq!(verified["verified"], true, "{verified}");
    service.signs_in("kim@example.org", PASSWORD).await;
    service.stops().await;
}

/// What the next one finds depends on how far the server had come.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_a_worker_that_was_killed_is_sent_by_another_after_the_lease() {
    let what = "a worker killed while it sends a mail";
    let Some(database) = Database::at_hand(what).await else {
        return;
    };
    let folder = Folder::new();
    let settings = [("DATABASE_URL", database.url.as_str()), KEYS, NO_JOBS];
    let service = Service::ready(&folder, &settings).await;
    for (hangs, email, arrive) in [
        (Hangs::Before, "before@example.org", 1),
        (Hangs::After, "after@example.org", 2),
    ] {
        let server = MailServer::start(hangs).await;
        let smtp = server.url();
        let settings = [
            ("DATABASE_URL", database.url.as_str()),
            ("SMTP_URL", smtp.as_str()),
        ];
        let mut killed = worker(&folder, &settings).await;
        service.does("register", registration(email)).await;
        server.holds_somebody().await;
        killed.kill();
        server.hangs(Hangs::Never);

        let other = worker(&folder, &settings).await;
        sleep(Duration::from_millis(1_500)).await;
        // Nothing else that it was about: what is due by the clock may have been under way as well.
        let held = "select count(*) from jobs where kind = 'accounts.mail' \
                    and state = 'RUNNING' and attempts = 1 and due_at > now()";
        assert_eq!(database.number(held).await, 1, "the lease is kept to");
        // As if half a minute had passed, and somebody looked.
        let sql = database.sql().await;
        sql.batch_execute(
            "update jobs set due_at = now() where kind = 'accounts.mail'; select pg_notify('empulse_jobs', '')",
        )
        .await
        .unwrap();
        server.takes(arrive, email, VERIFICATION).await;
        all_are_done(&database).await;
        let taken = server.taken();
        assert_eq!(taken.len(), arrive, "{taken:?}");
        for mail in &taken {
            assert_eq!(mail.id, taken[0].id, "known for the same");
            assert_eq!(mail.text, taken[0].text, "{hangs:?}");
        }
        let verified = service
            .does("verifyEmail", json!({ "token": taken[0].token() }))
            .await;
        assert_eq!(verified["verified"], true, "{verified}");
        server.takes(1, email, "Welcome to Empulse").await;
        // Whoever is killed between a mail and the end of its job leaves that for another.
        all_are_done(&database).await;
        drop(other);
    }
    service.stops().await;
}
