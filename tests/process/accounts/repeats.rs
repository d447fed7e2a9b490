//! Requests that are sent again under a key: after whoever had them was killed, and to two instances at once.

use std::time::Duration;

use serde_json::{Value, json};

use super::{COUNT_JOBS, KEYS, NO_JOBS, opens};
use crate::support::{
    Answer, Database, Folder, PASSWORD, Service, Tokens, bearer, eventually, mutation,
};

const KIM: &str = "kim@example.org";
const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";
const LONG_ENOUGH: Duration = Duration::from_secs(15);

/// Two mails are asked for by each time that it is done.
const MAILS: &str = COUNT_JOBS;
const RENAMED: &str = "select count(*) from accounts where display_name = 'Ana'";
const DONE: &str = "select count(*) from idempotency_keys where is_done";

struct Kim {
    database: Database,
    folder: Folder,
    tokens: Tokens,
}

impl Kim {
    async fn signed_in(what: &str) -> Option<(Self, Service)> {
        let database = Database::at_hand(what).await?;
        let folder = Folder::new();
        let service = start(&database, &folder).await;
        opens(&service, &database, KIM).await;
        let sql = database.sql().await;
        sql.batch_execute("delete from jobs").await.unwrap();
        let tokens = service.signs_in(KIM, PASSWORD).await;
        sql.batch_execute("delete from jobs").await.unwrap();
        let kim = Self {
            database,
            folder,
            tokens,
        };
        Some((kim, service))
    }

    async fn another(&self) -> Service {
        start(&self.database, &self.folder).await
    }

    fn request(
        &self,
        service: &Service,
        key: &str,
        name: &str,
        input: Value,
    ) -> reqwest::RequestBuilder {
        let body = json!({ "query": mutation(name), "variables": { "input": input } });
        service
            .client()
            .post(service.url("/graphql"))
            .header("accept", "application/graphql-response+json")
            .header("authorization", bearer(&self.tokens))
            .header("idempotency-key", key)
            .json(&body)
    }

    async fn renames(&self, service: &Service) -> Answer {
        Answer::to(self.request(service, KEY, "updateProfile", renaming()))
            .await
            .unwrap()
    }

    async fn moves(&self, service: &Service, key: &str) -> Answer {
        Answer::to(self.request(service, key, "changeEmail", moving()))
            .await
            .unwrap()
    }

    /// As if half a minute had passed.
    async fn time_passes(&self) {
        let sql = self.database.sql().await;
        sql.batch_execute("update idempotency_keys set held_until = now() where answer is null")
            .await
            .unwrap();
    }
}

async fn start(database: &Database, folder: &Folder) -> Service {
    let settings = [("DATABASE_URL", database.url.as_str()), KEYS, NO_JOBS];
    Service::ready(folder, &settings).await
}

fn renaming() -> Value {
    json!({ "displayName": "Ana" })
}

fn moving() -> Value {
    json!({ "newEmail": "new@example.org", "password": PASSWORD })
}

fn is_conflict(answer: &Answer, because: &str) {
    assert_eq!((answer.status, answer.code()), (409, "CONFLICT"));
    let message = answer.body["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains(because), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_before_it_stood_is_done_by_a_repeat() {
    let what = "a kill before a keyed mutation stands";
    let Some((kim, mut service)) = Kim::signed_in(what).await else {
        return;
    };
    let lock = kim.database.sql().await;
    lock.batch_execute("begin; select from accounts for no key update")
        .await
        .unwrap();
    let request = kim.request(&service, KEY, "updateProfile", renaming());
    let sent = tokio::spawn(request.send());
    let onlooker = kim.database.sql().await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let waiting = async || {
        let row = onlooker.query_one(waiting, &[]).await.unwrap();
        row.get::<_, i64>(0)
    };
    eventually("it waits for the lock", LONG_ENOUGH, async || {
        (waiting().await == 1).then_some(())
    })
    .await;
    service.process.kill();
    assert!(sent.await.unwrap().is_err());
    // The server does not know yet that nobody waits for what it is about to do.
    lock.batch_execute("commit").await.unwrap();
    eventually("it was given up", LONG_ENOUGH, async || {
        (waiting().await == 0).then_some(())
    })
    .await;

    let service = kim.another().await;
    is_conflict(&kim.renames(&service).await, "still runs");
    assert_eq!(
        kim.database.number(RENAMED).await,
        0,
        "nothing of it stands"
    );
    kim.time_passes().await;
    let payload = kim.renames(&service).await.payload("updateProfile");
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(kim.database.number(RENAMED).await, 1);
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_killed_after_it_stood_is_not_done_again() {
    let what = "a kill between a keyed mutation and its answer";
    let Some((kim, mut service)) = Kim::signed_in(what).await else {
        return;
    };
    let sql = kim.database.sql().await;
    sql.batch_execute(
        "create function hang() returns trigger language plpgsql as \
         $$ begin perform pg_sleep(2); raise exception 'never'; end $$; \
         create trigger hang before update on idempotency_keys for each row when (new.answer is not null) \
         execute function hang()",
    )
    .await
    .unwrap();
    let request = kim.request(&service, KEY, "changeEmail", moving());
    let sent = tokio::spawn(request.send());
    eventually("it stands", LONG_ENOUGH, async || {
        (kim.database.number(DONE).await == 1).then_some(())
    })
    .await;
    service.process.kill();
    assert!(sent.await.unwrap().is_err());
    sql.batch_execute("drop trigger hang on idempotency_keys")
        .await
        .unwrap();
    assert_eq!(kim.database.number(MAILS).await, 2);

    let service = kim.another().await;
    is_conflict(&kim.moves(&service, KEY).await, "still runs");
    kim.time_passes().await;
    for _ in 0..2 {
        is_conflict(&kim.moves(&service, KEY).await, "its answer is lost");
    }
    assert_eq!(kim.database.number(MAILS).await, 2);
    // Whoever has looked may ask for it anew.
    kim.moves(&service, "another").await.payload("changeEmail");
    assert_eq!(kim.database.number(MAILS).await, 4);
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_who_come_at_once_to_two_instances_one_is_done() {
    let what = "a keyed mutation at two instances at once";
    let Some((kim, one)) = Kim::signed_in(what).await else {
        return;
    };
    let two = kim.another().await;
    let all = (0..24).map(|number| {
        let service = if number % 2 == 0 { &one } else { &two };
        kim.moves(service, KEY)
    });
    let answers = futures_util::future::join_all(all).await;
    assert!(answers.iter().any(|answer| answer.status == 200));
    for answer in &answers {
        match answer.status {
            200 => assert_eq!(answer.body["data"]["changeEmail"]["errors"], json!([])),
            _ => is_conflict(answer, "still runs"),
        }
    }
    assert_eq!(kim.database.number(MAILS).await, 2);
    for service in [&one, &two] {
        kim.moves(service, KEY).await.payload("changeEmail");
    }
    assert_eq!(kim.database.number(MAILS).await, 2);
    one.stops().await;
    two.stops().await;
}
