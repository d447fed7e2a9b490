//! Mutations that are sent under an `Idempotency-Key`: done once, and answered again as they were.

use chrono::TimeDelta;
use empulse::idempotency::{Begun, Claim, Ended, Input, Key};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::accounts::tokens::narrowed;
use crate::accounts::{
    CHANGE_EMAIL, CHANGE_PASSWORD, LOGOUT, Limited, REFRESH, REVOKE, UPDATE_PROFILE, WRONG, count,
    execute, graphql, me, needs_server, wait,
};
use crate::support::{LOGIN, PASSWORD, REGISTER, TestApp};

const ANA: &str = "ana@example.org";
const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";
const ROWS: &str = "select count(*) from idempotency_keys";

/// An answer as it came, byte for byte.
#[derive(Debug)]
struct Told {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Told {
    fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn is_replayed(&self) -> bool {
        self.headers
            .get("idempotency-replayed")
            .is_some_and(|value| value == "true")
    }

    /// Ran, and for the first time.
    #[track_caller]
    fn ran(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(!self.is_replayed(), "{self:?}");
        assert_eq!(self.body().get("errors"), None, "{self:?}");
        self
    }

    /// Is the same again.
    #[track_caller]
    fn repeats(&self, first: &Self) {
        assert_eq!((self.status, &self.text), (first.status, &first.text));
        assert!(self.is_replayed(), "{self:?}");
    }

    /// Refused whole, with this code.
    #[track_caller]
    fn refused(&self) -> (u16, String) {
        let body = self.body();
        assert_eq!(body.get("data"), None, "{self:?}");
        assert!(!self.is_replayed(), "{self:?}");
        let code = body["errors"][0]["extensions"]["code"].as_str().unwrap();
        (self.status, code.to_owned())
    }

    /// The code of the only error of what ran.
    #[track_caller]
    fn code(&self) -> String {
        let body = self.body();
        assert_eq!(
            (self.status, body.get("data").is_some()),
            (200, true),
            "{self:?}"
        );
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{self:?}");
        body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn bad_request() -> (u16, String) {
    (400, "BAD_REQUEST".to_owned())
}

fn conflict() -> (u16, String) {
    (409, "CONFLICT".to_owned())
}

async fn told(request: reqwest::RequestBuilder) -> Told {
    let response = request.send().await.unwrap();
    Told {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

/// Somebody who sends a body under a key.
async fn sends(app: &TestApp, access: Option<&str>, key: &str, body: &Value) -> Told {
    let mut request = graphql(app, body).header("idempotency-key", key);
    if let Some(access) = access {
        request = request.bearer_auth(access);
    }
    told(request).await
}

fn calling(mutation: &str, input: Value) -> Value {
    json!({ "query": mutation, "variables": { "input": input } })
}

fn naming(name: &str) -> Value {
    calling(UPDATE_PROFILE, json!({ "displayName": name }))
}

struct Ana {
    app: TestApp,
    access: String,
}

impl Ana {
    async fn signed_in() -> Self {
        let app = TestApp::new().await;
        app.member(ANA).await;
        let access = app.sign_in(ANA).await.access;
        Self { app, access }
    }

    async fn sends(&self, key: &str, body: &Value) -> Told {
        sends(&self.app, Some(&self.access), key, body).await
    }

    /// Without a key.
    async fn is_named(&self, name: &str) {
        told(graphql(&self.app, &naming(name)).bearer_auth(&self.access))
            .await
            .ran();
    }

    async fn name(&self) -> Value {
        me(&self.app, &self.access).await["user"]["displayName"].take()
    }
}

/// How much is mailed, as jobs: two for each change of address that was asked for.
async fn mails(app: &TestApp) -> i64 {
    count(
        app,
        "select count(*) from jobs where kind = 'accounts.mail'",
    )
    .await
}

fn moving() -> Value {
    let input = json!({ "newEmail": "new@example.org", "password": PASSWORD });
    calling(CHANGE_EMAIL, input)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_done_once_and_answered_as_before() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    assert_eq!(ana.name().await, "Ana");
    ana.is_named("Ben").await;
    ana.sends(KEY, &naming("Ana")).await.repeats(&first);
    assert_eq!(ana.name().await, "Ben");

    // In the other form too: what is told is the same.
    let json = graphql(&ana.app, &naming("Ana"))
        .header("accept", "application/json")
        .header("idempotency-key", format!("\"{KEY}\""))
        .bearer_auth(&ana.access);
    let again = told(json).await;
    again.repeats(&first);
    assert_eq!(again.headers["cache-control"], "no-store");

    ana.sends("another", &naming("Ana")).await.ran();
    assert_eq!(ana.name().await, "Ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_may_be_written_otherwise() {
    const NAMED: &str = "mutation Name($input: UpdateProfileInput! = { displayName: \"Ana\" }) {
        updateProfile(input: $input) { account { user { displayName } } errors { code } } }";
    let ana = Ana::signed_in().await;
    let send = async |body: String| {
        let request = ana
            .app
            .client
            .post(ana.app.url("/graphql"))
            .header("content-type", "application/json")
            .header("idempotency-key", KEY)
            .bearer_auth(&ana.access)
            .body(body);
        told(request).await
    };
    let query = json!(NAMED);
    let hash: String = Sha256::digest(NAMED)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let first = send(format!(
        r#"{{"query":{query},"variables":{{"input":{{"displayName":"Ana"}},"unknown":1}}}}"#
    ))
    .await
    .ran();
    ana.is_named("Ben").await;
    for same in [
        format!(
            r#" {{ "variables" : {{ "input" : {{ "displayName" : "\u0041na" }} }}, "operationName": "Name", "query" : {query} }} "#
        ),
        // What is left out has its default.
        format!(r#"{{"query":{query}}}"#),
        format!(
            r#"{{"query":{query},"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}}}}}"#
        ),
        format!(r#"{{"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}}}}}"#),
    ] {
        send(same).await.repeats(&first);
    }
    assert_eq!(ana.name().await, "Ben");
    for other in [
        format!(r#"{{"query":{query},"variables":{{"input":{{"displayName":"ana"}}}}}}"#),
        format!(r#"{{"query":{query},"variables":{{"input":{{}}}}}}"#),
        format!(
            r#"{{"query":{},"variables":{{"input":{{"displayName":"Ana"}}}}}}"#,
            json!(format!("{NAMED} "))
        ),
    ] {
        let answer = send(other).await;
        assert_eq!(answer.refused(), bad_request());
    }
    assert_eq!(ana.name().await, "Ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_can_mend_is_answered_again_and_mended_under_another_key() {
    let ana = Ana::signed_in().await;
    let wrong = ana.sends(KEY, &naming("see www.example.org")).await.ran();
    assert!(wrong.text.contains("INVALID_NAME"), "{wrong:?}");
    ana.sends(KEY, &naming("see www.example.org"))
        .await
        .repeats(&wrong);
    let mended = ana.sends(KEY, &naming("Ana")).await;
    assert_eq!(mended.refused(), bad_request());
    ana.sends("mended", &naming("Ana")).await.ran();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_may_be_tried_again() {
    let ana = Ana::signed_in().await;
    let less = narrowed(&ana.access, r#"check if scope("ACCOUNT_READ")"#);
    let refused = sends(&ana.app, Some(&less), KEY, &naming("Ana")).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    assert_eq!(count(&ana.app, ROWS).await, 0);
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    // And who may less is not told what was answered to who may more.
    let refused = sends(&ana.app, Some(&less), KEY, &naming("Ana")).await;
    assert_eq!(refused.refused(), bad_request());
    execute(
        &ana.app,
        "update accounts set roles = '{LISTENER,MODERATOR}'",
    )
    .await;
    assert_eq!(
        ana.sends(KEY, &naming("Ana")).await.refused(),
        bad_request()
    );
    execute(&ana.app, "update accounts set roles = '{LISTENER}'").await;
    ana.sends(KEY, &naming("Ana")).await.repeats(&first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_too_often_is_done_later() {
    let ana = Ana::signed_in().await;
    let limited = Limited::beside(&ana.app).await;
    let input = json!({ "currentPassword": WRONG, "newPassword": "too short" });
    for _ in 0..2 {
        // Mistakes, which cost nothing of the quota.
        let answer = sends(
            &limited.app,
            Some(&ana.access),
            "a",
            &calling(CHANGE_PASSWORD, input.clone()),
        )
        .await;
        assert_eq!(answer.status, 200);
    }
    let change = calling(
        CHANGE_PASSWORD,
        json!({ "currentPassword": PASSWORD, "newPassword": "lantern-gravel-opera-4" }),
    );
    // What is counted, wherever it is counted, is spent.
    let back = calling(
        CHANGE_PASSWORD,
        json!({ "currentPassword": PASSWORD, "newPassword": PASSWORD }),
    );
    for number in 0..10 {
        sends(
            &limited.app,
            Some(&ana.access),
            &format!("spends-{number}"),
            &back,
        )
        .await
        .ran();
    }
    for _ in 0..2 {
        let answer = sends(&limited.app, Some(&ana.access), KEY, &change).await;
        assert_eq!(answer.code(), "RATE_LIMITED");
    }
    // A repeat is not an action: it is had although nothing more may be done.
    let again = sends(&limited.app, Some(&ana.access), "spends-0", &back).await;
    assert!(again.is_replayed(), "{again:?}");
    ana.sends(KEY, &change).await.ran();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_by_our_fault_is_done_later() {
    let ana = Ana::signed_in().await;
    execute(
        &ana.app,
        "alter table accounts add constraint no_ana check (display_name <> 'Ana') not valid",
    )
    .await;
    for _ in 0..2 {
        assert_eq!(ana.sends(KEY, &naming("Ana")).await.code(), "INTERNAL");
        assert_eq!(count(&ana.app, ROWS).await, 0);
    }
    execute(&ana.app, "alter table accounts drop constraint no_ana").await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    ana.sends(KEY, &naming("Ana")).await.repeats(&first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_could_not_be_told_is_not_done_again() {
    const RENAMING: &str = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
        account { lockedUntil } errors { code } } }";
    let ana = Ana::signed_in().await;
    let body = calling(RENAMING, json!({ "displayName": "Ana" }));
    execute(&ana.app, "alter table sign_in_failures rename to elsewhere").await;
    assert_eq!(ana.sends(KEY, &body).await.code(), "INTERNAL");
    execute(&ana.app, "alter table elsewhere rename to sign_in_failures").await;
    assert_eq!(ana.name().await, "Ana");
    ana.is_named("Ben").await;
    for _ in 0..2 {
        let again = ana.sends(KEY, &body).await;
        assert_eq!(again.refused(), conflict());
        assert!(again.text.contains("its answer is lost"), "{again:?}");
    }
    assert_eq!(ana.name().await, "Ben");
    wait(&ana.app, TimeDelta::hours(24));
    let access = ana.app.sign_in(ANA).await.access;
    sends(&ana.app, Some(&access), KEY, &body).await.ran();
    assert_eq!(me(&ana.app, &access).await["user"]["displayName"], "Ana");
}

/// A mutation that is answered with so many names of browsers, of 400 letters each.
async fn telling(ana: &Ana, names: usize) -> String {
    execute(
        &ana.app,
        "insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, user_agent, created_at, last_used_at, expires_at) \
         select gen_random_uuid(), a.id, sha256(n::text::bytea), false, false, repeat('u', 400), now(), now(), now() + interval '1 day' \
         from accounts a, generate_series(1, 50) n",
    )
    .await;
    // What is asked for again by another name costs nothing.
    let agents: String = (0..names / 50)
        .map(|at| format!("a{at}: userAgent "))
        .collect();
    format!(
        "mutation ($input: UpdateProfileInput!) {{ updateProfile(input: $input) {{ account {{ sessions {{ {agents} }} }} }} }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_long_is_not_kept_and_nothing_is_done_twice() {
    let ana = Ana::signed_in().await;
    let query = telling(&ana, 500).await;
    let body = calling(&query, json!({ "displayName": "Ana" }));
    let first = ana.sends(KEY, &body).await.ran();
    assert!(first.text.len() > 128 << 10, "{}", first.text.len());
    ana.is_named("Ben").await;
    assert_eq!(ana.sends(KEY, &body).await.refused(), conflict());
    assert_eq!(ana.name().await, "Ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_much_kept_is_answered_all_the_same_and_nothing_is_done_twice() {
    let ana = Ana::signed_in().await;
    let limited = Limited::beside(&ana.app).await;
    let query = telling(&ana, 300).await;
    let body = calling(&query, json!({ "displayName": "Ana" }));
    let mut kept: u64 = 0;
    let mut number = 0;
    let key = |number: u64| format!("much-{number}");
    loop {
        let first = sends(&limited.app, Some(&ana.access), &key(number), &body).await;
        let first = first.ran();
        let length = first.text.len() as u64;
        assert!((100 << 10..128 << 10).contains(&length), "{length}");
        ana.is_named("Ben").await;
        let again = sends(&limited.app, Some(&ana.access), &key(number), &body).await;
        assert_eq!(ana.name().await, "Ben");
        if !again.is_replayed() {
            assert_eq!(again.refused(), conflict());
            break;
        }
        kept += length.div_ceil(1 << 10);
        assert!(kept <= 5_000, "{kept} KiB within an hour");
        number += 1;
    }
    assert!(kept > 5_000 - 128, "{kept} KiB are kept");
    // What was kept is had still, and little things are kept again.
    let again = sends(&limited.app, Some(&ana.access), &key(0), &body).await;
    assert!(again.is_replayed(), "{again:?}");
    let little = naming("Ana");
    let first = sends(&limited.app, Some(&ana.access), KEY, &little)
        .await
        .ran();
    sends(&limited.app, Some(&ana.access), KEY, &little)
        .await
        .repeats(&first);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_over_two_instances_one_is_done() {
    let ana = Ana::signed_in().await;
    ana.app.run_jobs().await;
    let other = ana.app.instance(&[]).await;
    for round in 0..3 {
        let key = format!("round-{round}");
        let before = mails(&ana.app).await;
        let body = moving();
        let all = (0..16).map(|number| {
            let app = if number % 2 == 0 { &ana.app } else { &other };
            sends(app, Some(&ana.access), &key, &body)
        });
        let answers = futures_util::future::join_all(all).await;
        let first = answers
            .iter()
            .find(|answer| answer.status == 200 && !answer.is_replayed())
            .unwrap();
        let mut ran = 0;
        for answer in &answers {
            match answer.status {
                200 if answer.is_replayed() => answer.repeats(first),
                200 => ran += 1,
                _ => assert_eq!(answer.refused(), conflict()),
            }
        }
        assert_eq!(ran, 1);
        assert_eq!(mails(&ana.app).await - before, 2);
        sends(&other, Some(&ana.access), &key, &body)
            .await
            .repeats(first);
    }
}

/// Holds the account, so that whatever changes it waits.
async fn holding(app: &TestApp) -> tokio_postgres::Client {
    let lock = app.sql().await;
    lock.batch_execute("begin; select from accounts for no key update")
        .await
        .unwrap();
    lock
}

/// Waits until so many wait for a lock.
pub async fn waiting(app: &TestApp, wanted: i64) {
    let onlooker = app.sql().await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..1_000 {
        let found: i64 = onlooker.query_one(waiting, &[]).await.unwrap().get(0);
        if found == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("never {wanted} wait for a lock");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_runs_there_is_a_conflict_and_who_hung_up_has_the_answer_later() {
    let ana = Ana::signed_in().await;
    if needs_server(&ana.app, "a repeat while the first runs") {
        return;
    }
    let lock = holding(&ana.app).await;
    let body = naming("Ana");
    let request = graphql(&ana.app, &body)
        .header("idempotency-key", KEY)
        .bearer_auth(&ana.access)
        .send();
    let first = tokio::spawn(request);
    waiting(&ana.app, 1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let again = ana.sends(KEY, &body).await;
    assert_eq!(again.refused(), conflict());
    assert!(again.text.contains("still runs"), "{again:?}");
    // What differs is told first: to wait would not help.
    assert_eq!(
        ana.sends(KEY, &naming("Ben")).await.refused(),
        bad_request()
    );
    lock.batch_execute("commit").await.unwrap();
    let mut told = ana.sends(KEY, &body).await;
    while told.status == 409 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        told = ana.sends(KEY, &body).await;
    }
    assert!(told.is_replayed(), "{told:?}");
    assert_eq!(
        told.body()["data"]["updateProfile"]["account"]["user"]["displayName"],
        "Ana"
    );
    assert_eq!(ana.name().await, "Ana");
}

/// Whoever is not heard of may only have been slow; then what it does late must not stand beside what another did.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_taken_over_writes_nothing() {
    let ana = Ana::signed_in().await;
    if needs_server(&ana.app, "a repeat that takes over") {
        return;
    }
    ana.app.run_jobs().await;
    let lock = holding(&ana.app).await;
    let body = moving();
    let send = || {
        let request = graphql(&ana.app, &body)
            .header("idempotency-key", KEY)
            .bearer_auth(&ana.access);
        tokio::spawn(told(request))
    };
    let first = send();
    waiting(&ana.app, 1).await;
    wait(&ana.app, TimeDelta::seconds(29));
    assert_eq!(ana.sends(KEY, &body).await.refused(), conflict());
    wait(&ana.app, TimeDelta::seconds(2));
    let second = send();
    waiting(&ana.app, 2).await;
    lock.batch_execute("commit").await.unwrap();
    let (first, second) = (first.await.unwrap(), second.await.unwrap().ran());
    assert_eq!(first.code(), "CONFLICT");
    assert_eq!(mails(&ana.app).await, 2);
    ana.sends(KEY, &body).await.repeats(&second);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_count_for_an_account_whichever_session_they_come_by() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    let again = ana.app.sign_in(ANA).await.access;
    sends(&ana.app, Some(&again), KEY, &naming("Ana"))
        .await
        .repeats(&first);
    ana.app.member("ben@example.org").await;
    let ben = ana.app.sign_in("ben@example.org").await.access;
    sends(&ana.app, Some(&ben), KEY, &naming("Ben")).await.ran();
    assert_eq!(me(&ana.app, &ben).await["user"]["displayName"], "Ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_had_for_a_day_and_forgotten_then() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    let forget = async || {
        execute(&ana.app, "delete from job_schedules").await;
        let runner = empulse::worker::runner(&ana.app.accounts);
        runner.run_schedules(&ana.app.app.db).await.unwrap();
        ana.app.run_jobs().await;
    };
    wait(&ana.app, TimeDelta::hours(24) - TimeDelta::minutes(1));
    forget().await;
    let access = ana.app.sign_in(ANA).await.access;
    sends(&ana.app, Some(&access), KEY, &naming("Ana"))
        .await
        .repeats(&first);
    wait(&ana.app, TimeDelta::minutes(1));
    // Whether or not it was forgotten already.
    sends(&ana.app, Some(&access), KEY, &naming("Ben"))
        .await
        .ran();
    wait(&ana.app, TimeDelta::hours(24));
    forget().await;
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_an_account_goes_with_it() {
    let ana = Ana::signed_in().await;
    ana.sends(KEY, &naming("Ana")).await.ran();
    assert_eq!(count(&ana.app, ROWS).await, 1);
    execute(&ana.app, "delete from accounts").await;
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_key_nor_password_stands_in_the_database() {
    let ana = Ana::signed_in().await;
    ana.sends(KEY, &moving()).await.ran();
    let sql =
        "select k::text || coalesce(convert_from(answer, 'utf8'), '') from idempotency_keys k";
    let row: String = ana
        .app
        .sql()
        .await
        .query_one(sql, &[])
        .await
        .unwrap()
        .get(0);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    for secret in [KEY, PASSWORD, "new@example.org"] {
        assert!(!row.contains(secret), "{row}");
        assert!(!row.contains(&hex(secret.as_bytes())), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_once_takes_no_key_and_nothing_is_done() {
    let ana = Ana::signed_in().await;
    let refresh = ana.app.sign_in(ANA).await.refresh;
    let sessions = "select count(*) from sessions where ended_at is null and generation = 0";
    let before = count(&ana.app, sessions).await;
    let login = json!({ "email": ANA, "password": PASSWORD, "delivery": "BODY" });
    for body in [
        calling(LOGIN, login.clone()),
        calling(REFRESH, json!({ "refreshToken": refresh })),
        calling(LOGOUT, json!({})),
        json!({ "query": "mutation { createChallenge { challenge { __typename } } }" }),
    ] {
        assert_eq!(
            ana.sends(KEY, &body).await.refused(),
            bad_request(),
            "{body}"
        );
    }
    assert_eq!(
        sends(&ana.app, None, KEY, &calling(LOGIN, login))
            .await
            .refused(),
        bad_request()
    );
    assert_eq!(count(&ana.app, sessions).await, before);
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_nobody_has_no_keys() {
    let app = TestApp::new().await;
    let input = json!({ "email": ANA, "password": PASSWORD, "displayName": "Ana" });
    let refused = sends(&app, None, KEY, &calling(REGISTER, input)).await;
    assert_eq!(refused.refused(), bad_request());
    assert!(refused.text.contains("sign in for it"), "{refused:?}");
    assert_eq!(count(&app, "select count(*) from accounts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_names_one_mutation() {
    let ana = Ana::signed_in().await;
    let naming_twice = r#"mutation {
        one: updateProfile(input: { displayName: "Ana" }) { errors { code } }
        ...More
    } fragment More on Mutation { two: updateProfile(input: { displayName: "Ben" }) { errors { code } } }"#;
    for body in [
        json!({ "query": naming_twice }),
        json!([naming("Ana")]).clone(),
    ] {
        match ana.sends(KEY, &body).await {
            // A batch of one is one.
            answer if body.is_array() => drop(answer.ran()),
            answer => assert_eq!(answer.refused(), bad_request()),
        }
    }
    ana.is_named("Kim").await;
    let batch = json!([naming("Ana"), { "query": "{ me { id } }" }, naming("Ben")]);
    let answer = ana.sends("batch", &batch).await;
    let answers = answer.body();
    assert_eq!(answer.status, 200);
    for refused in [&answers[0], &answers[2]] {
        assert_eq!(
            refused["errors"][0]["extensions"]["code"], "BAD_REQUEST",
            "{answers}"
        );
        assert_eq!(refused.get("data"), None);
    }
    assert!(answers[1]["data"]["me"]["id"].is_string(), "{answers}");
    assert_eq!(ana.name().await, "Kim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_one_is_answered_as_a_batch_again() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &json!([naming("Ana")])).await.ran();
    assert!(first.text.starts_with('['), "{first:?}");
    ana.sends(KEY, &json!([naming("Ana")]))
        .await
        .repeats(&first);
    let alone = ana.sends(KEY, &naming("Ana")).await;
    assert!(alone.is_replayed());
    assert_eq!(format!("[{}]", alone.text), first.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_takes_any_key() {
    let ana = Ana::signed_in().await;
    let me = json!({ "query": "{ me { email } }" });
    for key in [KEY, KEY, "not a key", ""] {
        let answer = ana.sends(key, &me).await.ran();
        assert_eq!(answer.body()["data"]["me"]["email"], ANA);
    }
    ana.sends(KEY, &json!({ "query": "mutation { __typename }" }))
        .await
        .ran();
    let by_get = ana
        .app
        .client
        .get(ana.app.url("/graphql?query={__typename}"));
    told(by_get.header("idempotency-key", "not a key"))
        .await
        .ran();
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_refused() {
    let ana = Ana::signed_in().await;
    for key in ["", "two words", "\"open", "a\"b", &"k".repeat(256)] {
        let refused = ana.sends(key, &naming("Ana")).await;
        assert_eq!(refused.refused(), bad_request(), "{key}");
    }
    let twice = graphql(&ana.app, &naming("Ana"))
        .bearer_auth(&ana.access)
        .header("idempotency-key", "a")
        .header("idempotency-key", "a");
    assert_eq!(told(twice).await.refused(), bad_request());
    assert_eq!(ana.name().await, "Kim Doe");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_costs_its_price() {
    let ana = Ana::signed_in().await;
    let limited = Limited::beside(&ana.app).await;
    let left = async || {
        let answer = sends(&limited.app, Some(&ana.access), KEY, &naming("Ana")).await;
        let told = answer.headers["ratelimit"].to_str().unwrap();
        let left = told.split(';').find_map(|part| part.strip_prefix("r="));
        left.unwrap().parse::<u64>().unwrap()
    };
    let (first, second, third) = (left().await, left().await, left().await);
    assert!(first - second >= 10, "{first} {second}");
    assert!(second - third >= 10, "{second} {third}");
}

/// What was revoked is not there to be revoked; the answer is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_done_only_once_is_answered_as_done() {
    let ana = Ana::signed_in().await;
    let other = ana.app.sign_in(ANA).await.access;
    let other = me(&ana.app, &other).await;
    let sessions = other["sessions"].as_array().unwrap();
    let current = sessions
        .iter()
        .find(|one| one["isCurrent"] == true)
        .unwrap();
    let body = calling(REVOKE, json!({ "sessionId": current["id"] }));
    let first = ana.sends(KEY, &body).await.ran();
    assert_eq!(
        first.body()["data"]["revokeSession"]["revokedId"],
        current["id"]
    );
    ana.sends(KEY, &body).await.repeats(&first);
    let anew = ana.sends("anew", &body).await.ran();
    assert!(anew.text.contains("NOT_FOUND"), "{anew:?}");
}

/// A claim by itself: who has it, what is left of it, and who may have it then.
mod claims {
    use super::*;

    struct Asking {
        ana: Ana,
        account: uuid::Uuid,
        key: Key,
    }

    impl Asking {
        async fn new() -> Self {
            let ana = Ana::signed_in().await;
            let id = ana.app.sql().await;
            let id = id.query_one("select id::text from accounts", &[]).await;
            let id: String = id.unwrap().get(0);
            Self {
                account: id.parse().unwrap(),
                key: Key::read([KEY.as_bytes()]).unwrap().unwrap(),
                ana,
            }
        }

        async fn begin(&self, input: &str) -> Begun {
            let app = &self.ana.app.app;
            let input = Input::of(&app.keys, &[input.as_bytes()]);
            Claim::begin(app, self.account, self.key, &input)
                .await
                .unwrap()
        }

        async fn claims(&self) -> Claim {
            match self.begin("this").await {
                Begun::Ours(claim) => claim,
                other => panic!("{}", name(&other)),
            }
        }

        async fn finds(&self, input: &str) -> &'static str {
            name(&self.begin(input).await)
        }

        /// Something is written, as an action does.
        async fn writes(&self) -> Result<(), empulse::db::Error> {
            let db = &self.ana.app.app.db;
            let write = empulse::db::Statement::<()>::new(
                "update accounts set display_name = display_name || '!'",
            );
            db.execute(&write).await.map(drop)
        }
    }

    fn name(begun: &Begun) -> &'static str {
        match begun {
            Begun::Ours(_) => "ours",
            Begun::Answered(_) => "answered",
            Begun::Running => "running",
            Begun::Unanswered => "unanswered",
            Begun::OtherInput => "other",
        }
    }

    fn half_a_minute() -> TimeDelta {
        TimeDelta::seconds(30)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_left_before_it_wrote_is_for_the_next_with_the_same_input() {
        let asking = Asking::new().await;
        let _left = asking.claims().await;
        assert_eq!(asking.finds("this").await, "running");
        assert_eq!(asking.finds("that").await, "other");
        wait(&asking.ana.app, half_a_minute());
        assert_eq!(asking.finds("that").await, "other");
        assert_eq!(asking.finds("this").await, "ours");
        assert_eq!(asking.finds("this").await, "running");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_left_after_it_wrote_is_for_nobody() {
        let asking = Asking::new().await;
        let left = asking.claims().await;
        left.run(asking.writes()).await.unwrap().unwrap();
        drop(left);
        assert_eq!(asking.finds("this").await, "running");
        wait(&asking.ana.app, half_a_minute());
        assert_eq!(asking.finds("this").await, "unanswered");
        wait(&asking.ana.app, TimeDelta::hours(24));
        assert_eq!(asking.finds("this").await, "ours");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_taken_over_can_neither_write_nor_answer() {
        let asking = Asking::new().await;
        let slow = asking.claims().await;
        wait(&asking.ana.app, half_a_minute());
        let next = asking.claims().await;
        let written = slow.run(asking.writes()).await.unwrap();
        assert!(
            matches!(written, Err(empulse::db::Error::Overtaken)),
            "{written:?}"
        );
        slow.end(Ended::Answered(b"slow".to_vec())).await;
        assert_eq!(asking.finds("this").await, "running");
        next.run(asking.writes()).await.unwrap().unwrap();
        next.end(Ended::Answered(b"next".to_vec())).await;
        match asking.begin("this").await {
            Begun::Answered(answer) => assert_eq!(answer, b"next"),
            other => panic!("{}", name(&other)),
        }
        assert_eq!(asking.ana.name().await, "Kim Doe!", "written once");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_refusal_is_kept_only_if_something_stands() {
        let asking = Asking::new().await;
        asking
            .claims()
            .await
            .end(Ended::Refused(b"no".to_vec()))
            .await;
        let claim = asking.claims().await;
        claim.end(Ended::Unanswered).await;
        let claim = asking.claims().await;
        claim.run(asking.writes()).await.unwrap().unwrap();
        claim.end(Ended::Refused(b"in part".to_vec())).await;
        assert_eq!(asking.finds("this").await, "answered");
    }

    /// What is counted whatever comes of it says nothing of the work.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_written_apart_is_no_part_of_it() {
        let asking = Asking::new().await;
        let claim = asking.claims().await;
        claim
            .run(empulse::db::apart(asking.writes()))
            .await
            .unwrap()
            .unwrap();
        claim.end(Ended::Unanswered).await;
        assert_eq!(asking.finds("this").await, "ours");
    }

    /// A transaction that is rolled back takes its mark along.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_rolled_back_was_not_done() {
        let asking = Asking::new().await;
        let claim = asking.claims().await;
        let refused = empulse::db::Statement::<()>::new("update accounts set display_name = ''");
        let db = &asking.ana.app.app.db;
        assert!(claim.run(db.execute(&refused)).await.unwrap().is_err());
        claim.end(Ended::Unanswered).await;
        assert_eq!(asking.finds("this").await, "ours");
    }
}

/// What was answered then is not so any more: whoever closes it once more is not told that it is closed.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_was_answered_before_it_was_reopened_is_forgotten() {
    const DELETE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        eraseAt errors { code path } } }";
    let mut ana = Ana::signed_in().await;
    let body = calling(DELETE, json!({ "password": PASSWORD }));
    let closed = "select count(*) from accounts where status = 'CLOSED'";
    let first = ana.sends(KEY, &body).await.ran();
    assert_eq!(count(&ana.app, closed).await, 1, "{first:?}");
    // Its session is over, so nobody has the answer before they have signed in, which opens it.
    assert_eq!(ana.sends(KEY, &body).await.status, 401);
    ana.access = ana.app.sign_in(ANA).await.access;
    assert_eq!(count(&ana.app, closed).await, 0);
    ana.sends(KEY, &body).await.ran();
    assert_eq!(count(&ana.app, closed).await, 1);
}
