//! What somebody gets who asks for all that is kept about them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use chrono::DateTime;
use empulse::accounts::{PERSONAL_TABLES, SEALED};
use empulse::storage::{ContentType, Facts, Key};
use futures_util::future::join_all;

use super::erasing::somebody;
use super::*;
use crate::accounts::cookies::Browser;
use crate::accounts::tokens::narrowed;

const REQUEST: &str = "mutation { requestDataExport { errors { code path } } }";
const READY: &str = "Your data is ready";
const OURS: &str = "http://localhost:8000";

async fn ask(app: &TestApp, access: &str) -> Answer {
    query(app, &format!("Bearer {access}"), REQUEST).await
}

/// Has an archive made; the token of its mail.
pub async fn export(app: &TestApp, email: &str, access: &str) -> String {
    let (asked, mails) = with_mails(app, ask(app, access)).await;
    assert_eq!(mistakes(&only_field(asked.data())), NONE);
    let [mail] = &mails[..] else {
        panic!("{mails:#?}")
    };
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), (email, READY));
    token_to(&mails, email, "export#token=")
}

fn fetching(app: &TestApp, token: &str) -> RequestBuilder {
    app.client
        .post(app.url("/export"))
        .json(&json!({ "token": token }))
}

async fn fetch(app: &TestApp, access: &str, token: &str) -> Answer {
    send(fetching(app, token).bearer_auth(access)).await
}

/// The file behind an address that was handed out, as the clients of this test's service reach it.
async fn download(app: &TestApp, address: &Value) -> reqwest::Response {
    let address = address.as_str().unwrap();
    let path = address.strip_prefix(OURS).unwrap();
    app.client.get(app.url(path)).send().await.unwrap()
}

pub async fn archive(app: &TestApp, access: &str, token: &str) -> Value {
    let answer = fetch(app, access, token).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    let file = download(app, &answer.body["url"]).await;
    assert_eq!(file.status(), 200);
    file.json().await.unwrap()
}

pub fn files(app: &TestApp) -> BTreeSet<PathBuf> {
    let Ok(files) = std::fs::read_dir(app.folder().join("files/exports")) else {
        return BTreeSet::new();
    };
    files.map(|file| file.unwrap().path()).collect()
}

async fn answer_of_nobody(answer: Answer) {
    assert_eq!((answer.status, answer.code()), (404, "BAD_REQUEST"));
    assert_eq!(answer.body.get("url"), None);
}

/// What the ways of the API lead to, and a row of each table that they have not led to.
pub async fn somebody_with_everything(app: &TestApp, email: &str) -> String {
    somebody(app, email, "Quillan Farthing").await;
    fill_the_rest(app, email).await;
    unlock(app).await;
    app.sign_in(email).await.access
}

/// A row of each table that `somebody` has not led to, but for exports; and a second factor that is begun.
pub async fn fill_the_rest(app: &TestApp, email: &str) {
    let sql = app.sql().await;
    for fill in [
        "insert into recovery_codes (account_id, code_hash) select id, sha256('a code') from accounts where email = $1",
        "insert into second_steps (id, account_id, token_hash, is_remembered, by_cookie, created_at, expires_at) \
         select gen_random_uuid(), id, sha256('a step'), true, false, now(), now() from accounts where email = $1",
        "insert into idempotency_keys (account_id, key, input, attempt, held_until, expires_at) \
         select id, sha256('a key'), sha256('an input'), gen_random_uuid(), now(), now() from accounts where email = $1",
        "insert into audios (id, account_id, content_type, byte_size, sha256, received_at) \
         select gen_random_uuid(), id, 'audio/flac', 1, sha256('a sound'), now() from accounts where email = $1",
        "insert into direct_uploads (id, account_id, status, handle, byte_size, part_size, created_at, expires_at) \
         select gen_random_uuid(), id, 'OPEN', 'a handle', 1, 1, now(), now() from accounts where email = $1",
        "insert into images (id, account_id, content_type, byte_size, sha256, width, height, thumb_hash, received_at) \
         select gen_random_uuid(), id, 'image/png', 1, sha256('a picture'), 1, 1, 'thumbs', now() from accounts where email = $1",
        "insert into submissions (id, artist_id, submitted_by, status, created_at, updated_at) \
         select gen_random_uuid(), artists.id, accounts.id, 'PENDING', now(), now() \
         from accounts join artists on artists.account_id = accounts.id where email = $1",
    ] {
        assert_eq!(sql.execute(fill, &[&email]).await.unwrap(), 1);
    }
    let read = "select id::text from accounts where email = $1";
    let id: String = sql.query_one(read, &[&email]).await.unwrap().get(0);
    let column = SEALED.iter().find(|column| column.table == "accounts");
    let place = column.unwrap().of(id.parse().unwrap());
    let sealed = app.app.vault.seal(&place, b"a secret").unwrap();
    let keep = "update accounts set totp_secret = $1, totp_begun_at = now() where email = $2";
    assert_eq!(sql.execute(keep, &[&sealed, &email]).await.unwrap(), 1);
}

/// Whoever guessed too often may go on.
pub async fn unlock(app: &TestApp) {
    execute(
        app,
        "update sign_in_failures set locked_until = null, failures = 0",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_holds_all_that_is_kept_table_by_table() {
    let app = TestApp::new().await;
    let access = somebody_with_everything(&app, ANA).await;
    app.member("ben@example.org").await;
    app.sign_in("ben@example.org").await;
    let own = me(&app, &access).await;
    let token = export(&app, ANA, &access).await;
    let archive = archive(&app, &access, &token).await;

    assert_eq!(archive["format"], "empulse-export");
    assert_eq!(archive["version"], 1);
    assert_eq!(archive["account"], own["id"]);
    let made_at = DateTime::parse_from_rfc3339(archive["madeAt"].as_str().unwrap()).unwrap();
    assert!((app.app.clock.now() - made_at.to_utc()).num_minutes() < 5);
    let sections = archive["sections"].as_object().unwrap();
    assert_eq!(sections.len(), PERSONAL_TABLES.len());

    let sql = app.sql().await;
    for personal in PERSONAL_TABLES {
        let section = sections[&camel(personal.table)].as_array().unwrap();
        let rows: i64 = sql
            .query_one(&super::tables::counting(personal, &own["id"]), &[])
            .await
            .unwrap()
            .get(0);
        // To fetch it is on the trail too, and what is on it is chained in its own time.
        if !personal.table.starts_with("audit_") {
            assert!(rows > 0, "{} is empty", personal.table);
            assert_eq!(section.len() as i64, rows, "{}", personal.table);
        }
        let names: BTreeSet<_> = personal.shown.iter().map(|column| camel(column)).collect();
        let held: BTreeSet<_> = personal
            .withheld
            .iter()
            .map(|column| camel(&format!("has_{column}")))
            .collect();
        for row in section {
            let row = row.as_object().unwrap();
            let all: BTreeSet<_> = row.keys().cloned().collect();
            assert_eq!(all, &names | &held, "{}", personal.table);
            for (name, value) in row {
                let is_time = name.ends_with("At") || name.ends_with("Until");
                if let (true, Some(time)) = (is_time, value.as_str()) {
                    DateTime::parse_from_rfc3339(time).unwrap();
                }
                assert!(
                    !held.contains(name) || value.is_boolean(),
                    "{name}: {value}"
                );
            }
            for (column, prefix) in personal.ids {
                if let Some(id) = row[&camel(column)].as_str() {
                    assert!(id.starts_with(&format!("{prefix}_")), "{id}");
                }
            }
        }
    }
    let trail = ["auditPending", "auditEvents"].map(|name| sections[name].as_array().unwrap());
    let mut actions = trail.iter().flat_map(|section| section.iter());
    assert!(
        actions.any(|event| event["action"] == "export.requested"),
        "{trail:#?}"
    );
    assert!(!sections["auditPersonal"].as_array().unwrap().is_empty());
    let account = &sections["accounts"][0];
    assert_eq!(account["id"], own["id"]);
    assert_eq!(account["email"], ANA);
    assert_eq!(account["displayName"], "Quillan Farthing");
    assert_eq!(account["hasPasswordHash"], true);
    assert_eq!(account["hasTotpSecret"], true);
    let sessions: BTreeSet<_> = own["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].to_string())
        .collect();
    let told = sections["sessions"].as_array().unwrap();
    let told: BTreeSet<_> = told.iter().map(|one| one["id"].to_string()).collect();
    assert!(told.is_superset(&sessions), "{told:?} {sessions:?}");
    let user = format!(
        "{{ node(id: {}) {{ ... on User {{ artist {{ id name tracks {{ nodes {{ id }} }} albums {{ nodes {{ id }} }} }} }} }} }}",
        own["user"]["id"]
    );
    let artist = app.data(&user).await["node"]["artist"].take();
    let told = &sections["artists"][0];
    assert_eq!(
        (&told["id"], &told["name"]),
        (&artist["id"], &artist["name"])
    );
    for (section, shown) in [("tracks", 2), ("albums", 1)] {
        let ids = |rows: &Value| -> BTreeSet<String> {
            let rows = rows.as_array().unwrap().iter();
            rows.map(|row| row["id"].to_string()).collect()
        };
        let told = ids(&sections[section]);
        assert_eq!(told, ids(&artist[section]["nodes"]));
        assert_eq!(told.len(), shown);
    }
    let waiting = sections["mailedTokens"].as_array().unwrap();
    assert!(
        waiting
            .iter()
            .any(|one| one["email"] == format!("new.{ANA}")),
        "{waiting:#?}"
    );
}

/// `user_agent` as `userAgent`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |camel, word| {
        camel + &word[..1].to_uppercase() + &word[1..]
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_holds_no_secret_and_no_hash_of_one() {
    let app = TestApp::new().await;
    let access = somebody_with_everything(&app, ANA).await;
    let token = export(&app, ANA, &access).await;
    let text = archive(&app, &access, &token).await.to_string();
    assert!(text.contains(ANA));
    let sql = app.sql().await;
    let bytes = "select table_name::text, column_name::text from information_schema.columns \
                 where table_schema = 'public' and udt_name = 'bytea'";
    let mut looked_for = 0;
    for column in sql.query(bytes, &[]).await.unwrap() {
        let (table, column): (&str, &str) = (column.get(0), column.get(1));
        let read = format!("select \"{column}\" from \"{table}\" where \"{column}\" is not null");
        for row in sql.query(&read, &[]).await.unwrap() {
            let secret: Vec<u8> = row.get(0);
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            for form in [
                hex,
                BASE64_STANDARD.encode(&secret),
                BASE64_URL_SAFE_NO_PAD.encode(&secret),
            ] {
                assert!(!text.contains(&form), "{table}.{column}");
            }
            looked_for += 1;
        }
    }
    assert!(looked_for > 8, "{looked_for}");
    let hash = sql
        .query_one("select password_hash from accounts", &[])
        .await
        .unwrap();
    assert!(!text.contains(hash.get::<_, &str>(0)));
    for secret in [RIGHT, access.as_str(), token.as_str()] {
        assert!(!text.contains(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn much_is_written_piece_by_piece() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    execute(
        &app,
        "insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, created_at, last_used_at, expires_at, \
         ended_at, ended_because) select gen_random_uuid(), a.id, sha256('x'), true, false, now(), now(), \
         now() + interval '90 days', now(), 'REVOKED' from accounts a, generate_series(1, 2000) where a.email = 'ana@example.org'",
    )
    .await;
    let access = app.sign_in(ANA).await.access;
    let token = export(&app, ANA, &access).await;
    let archive = archive(&app, &access, &token).await;
    let sessions = archive["sections"]["sessions"].as_array().unwrap();
    let ids: BTreeSet<_> = sessions
        .iter()
        .map(|session| session["id"].to_string())
        .collect();
    assert_eq!((sessions.len(), ids.len()), (2001, 2001));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_is_good_for_a_day_and_as_often_as_it_is_followed() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    let token = export(&app, ANA, &access).await;
    let answer = fetch(&app, &access, &token).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let until = DateTime::parse_from_rfc3339(answer.body["expiresAt"].as_str().unwrap()).unwrap();
    let lasts = until.to_utc() - app.app.clock.now();
    assert!(
        lasts.num_minutes() <= 5 && lasts.num_minutes() >= 3,
        "{lasts}"
    );
    let file = download(&app, &answer.body["url"]).await;
    let disposition = file.headers()["content-disposition"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        disposition.starts_with("attachment; filename=\"empulse-export-20"),
        "{disposition}"
    );
    assert_eq!(file.headers()["content-type"], "application/json");
    let first = file.text().await.unwrap();

    wait(&app, TimeDelta::hours(23));
    let access = app.sign_in(ANA).await.access;
    let again = fetch(&app, &access, &token).await;
    let again = download(&app, &again.body["url"]).await;
    assert_eq!(again.text().await.unwrap(), first);
    // The address that was handed out before is not good for as long.
    assert_eq!(download(&app, &answer.body["url"]).await.status(), 403);

    wait(&app, TimeDelta::hours(1));
    let access = app.sign_in(ANA).await.access;
    answer_of_nobody(fetch(&app, &access, &token).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_alone_opens_nothing() {
    let app = TestApp::new().await;
    for email in [ANA, "eve@example.org"] {
        app.member(email).await;
    }
    let access = app.sign_in(ANA).await.access;
    let token = export(&app, ANA, &access).await;
    let nobody = send(fetching(&app, &token)).await;
    assert_eq!((nobody.status, nobody.code()), (401, "UNAUTHENTICATED"));
    let stale = fetch(&app, "x", &token).await;
    assert_eq!((stale.status, stale.code()), (401, "UNAUTHENTICATED"));
    let eve = app.sign_in("eve@example.org").await.access;
    answer_of_nobody(fetch(&app, &eve, &token).await).await;
    assert_eq!(refusals(&app, "eve@example.org", "export").await, 1);
    let reads = narrowed(&access, r#"check if scope("ACCOUNT_READ")"#);
    let reading = fetch(&app, &reads, &token).await;
    assert_eq!((reading.status, reading.code()), (403, "FORBIDDEN"));
    assert_eq!(refusals(&app, ANA, "export").await, 1);
    for wrong in ["", "x", &token[1..], &format!("{token}A")] {
        answer_of_nobody(fetch(&app, &access, wrong).await).await;
    }
    // That is no refusal of what there is.
    assert_eq!(refusals(&app, ANA, "export").await, 1);
    let verified = verify(&app, &token).await;
    assert_eq!(mistakes(&verified), ["INVALID_TOKEN token"]);
    let fetched = "select count(*) from (select action from audit_pending union all select action from audit_events) e \
                   where action = 'export.fetched'";
    assert_eq!(count(&app, fetched).await, 0);
    assert_eq!(fetch(&app, &access, &token).await.status, 200);
    assert_eq!(count(&app, fetched).await, 1);
    // Nor does a session that has ended.
    query(
        &app,
        &format!("Bearer {access}"),
        "mutation { logout { errors { code } } }",
    )
    .await;
    let ended = fetch(&app, &access, &token).await;
    assert_eq!((ended.status, ended.code()), (401, "UNAUTHENTICATED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_fetches_by_its_cookie_with_the_token_of_its_page() {
    let app = TestApp::new().await;
    for email in [ANA, "eve@example.org"] {
        app.member(email).await;
    }
    let access = app.sign_in(ANA).await.access;
    let token = export(&app, ANA, &access).await;
    let (browser, _) = Browser::signed_in(&app, ANA, false).await;
    let (eve, _) = Browser::signed_in(&app, "eve@example.org", false).await;
    let from = |browser: &Browser, origin: Option<&str>, csrf: Option<&str>| {
        let mut request = fetching(&app, &token).header("cookie", browser.header());
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(csrf) = csrf {
            request = request.header("x-csrf-token", csrf);
        }
        request
    };
    for (origin, csrf) in [
        (Some(OURS), None),
        (Some(OURS), Some("x")),
        (Some(OURS), Some(eve.csrf())),
        (None, Some(browser.csrf())),
        (Some("https://evil.example"), Some(browser.csrf())),
    ] {
        let refused = send(from(&browser, origin, csrf)).await;
        assert_eq!(
            (refused.status, refused.code()),
            (403, "CSRF"),
            "{origin:?} {csrf:?}"
        );
    }
    assert_eq!(refusals(&app, ANA, "export").await, 5);
    let fetched = send(from(&browser, Some(OURS), Some(browser.csrf()))).await;
    assert_eq!(fetched.status, 200, "{:#}", fetched.body);
    assert_eq!(download(&app, &fetched.body["url"]).await.status(), 200);
    answer_of_nobody(send(from(&eve, Some(OURS), Some(eve.csrf()))).await).await;
    assert_eq!(refusals(&app, "eve@example.org", "export").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_a_page_of_ours_can_send_is_taken() {
    let app = TestApp::new().await;
    for (kind, body, status) in [
        ("application/x-www-form-urlencoded", "token=x", 415),
        ("text/plain", r#"{"token":"x"}"#, 415),
        ("application/json", "", 400),
        ("application/json", "[\"x\"]", 400),
        ("application/json", r#"{"token":1}"#, 400),
        ("application/json", r#"{}"#, 400),
    ] {
        let request = app
            .client
            .post(app.url("/export"))
            .header("content-type", kind)
            .body(body);
        let answer = send(request).await;
        assert_eq!(
            (answer.status, answer.code()),
            (status, "BAD_REQUEST"),
            "{kind}: {body}"
        );
    }
    let long = fetching(&app, &"a".repeat(10_000));
    let answer = send(long).await;
    assert_eq!((answer.status, answer.code()), (413, "PAYLOAD_TOO_LARGE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_is_made_a_day() {
    let app = TestApp::with(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    // Who registers and signs in is counted by address, which all tests share.
    let lifted = app.instance(&[("EMPULSE_RATE_FACTOR", "0")]).await;
    let email = own_email("ana");
    lifted.member(&email).await;
    let access = lifted.sign_in(&email).await.access;
    export(&app, &email, &access).await;
    for app in [&app, &lifted] {
        wait(app, TimeDelta::hours(12));
    }
    let access = lifted.sign_in(&email).await.access;
    let (refused, mails) = with_mails(&app, ask(&app, &access)).await;
    assert_eq!((refused.status, refused.code()), (200, "RATE_LIMITED"));
    let extensions = &refused.body["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["limit"], &extensions["remaining"]),
        (&json!(1), &json!(0))
    );
    let after = extensions["retryAfter"].as_i64().unwrap();
    assert!((11 * 3600..=12 * 3600).contains(&after), "{after}");
    assert!(mails.is_empty(), "{mails:#?}");
    for app in [&app, &lifted] {
        wait(app, TimeDelta::hours(12));
    }
    let access = lifted.sign_in(&email).await.access;
    export(&app, &email, &access).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_is_made_no_other_is() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    let (answers, mails) = with_mails(&app, async {
        let mut answers = join_all((0..4).map(|_| ask(&app, &access))).await;
        answers.push(ask(&app, &access).await);
        answers
    })
    .await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers
        .into_iter()
        .partition(|answer| answer.body.get("errors").is_none());
    assert_eq!(taken.len(), 1, "{taken:#?}");
    for answer in refused {
        assert_eq!((answer.status, answer.code()), (200, "CONFLICT"));
        assert!(answer.message().contains("being made already"));
    }
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(files(&app).len(), 1);
    // It is made: the next may be asked for, where limits are lifted.
    export(&app, ANA, &access).await;
}

/// Somebody whose archive could not be made does not wait for a day.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_made_may_be_asked_for_again() {
    let app = TestApp::with(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    // Who registers and signs in is counted by address, which all tests share.
    let lifted = app.instance(&[("EMPULSE_RATE_FACTOR", "0")]).await;
    let email = own_email("ana");
    lifted.member(&email).await;
    let access = lifted.sign_in(&email).await.access;
    // A file where the folder would be.
    std::fs::write(app.folder().join("files"), b"").unwrap();
    assert_eq!(mistakes(&only_field(ask(&app, &access).await.data())), NONE);
    app.run_jobs().await;
    assert_eq!(ask(&app, &access).await.code(), "CONFLICT");
    execute(&app, "update jobs set attempts = 9, due_at = now()").await;
    app.run_jobs().await;
    assert_eq!(
        count(&app, "select count(*) from jobs where state = 'DEAD'").await,
        1
    );
    std::fs::remove_file(app.folder().join("files")).unwrap();
    export(&app, &email, &access).await;
}

/// Its last try was cut off, or brought the instance down: nobody was left to say that there is none.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_without_a_word_is_dropped_within_the_hour() {
    let app = TestApp::new().await;
    for email in [ANA, "ben@example.org"] {
        app.member(email).await;
    }
    let access = app.sign_in(ANA).await.access;
    let ben = app.sign_in("ben@example.org").await.access;
    for access in [&access, &ben] {
        assert_eq!(mistakes(&only_field(ask(&app, access).await.data())), NONE);
    }
    // Ben's only rests.
    execute(
        &app,
        "update jobs set due_at = now() + interval '1 day' where kind = 'accounts.make_export'; \
         update jobs set state = 'DEAD', died_at = now() where payload ->> 'export' = (select e.id::text from data_exports e \
         join accounts a on a.id = e.account_id where a.email = 'ana@example.org')",
    )
    .await;
    assert_eq!(ask(&app, &access).await.code(), "CONFLICT");
    an_hour_strikes(&app).await;
    assert_eq!(ask(&app, &ben).await.code(), "CONFLICT");
    export(&app, ANA, &access).await;
}

/// What is made is made of what was there before: whoever closes the account while it is written is told of nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_closes_the_account_while_it_is_made_gets_none() {
    let app = TestApp::new().await;
    if needs_server(&app, "an account that is closed while its archive is made") {
        return;
    }
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    assert_eq!(mistakes(&only_field(ask(&app, &access).await.data())), NONE);
    let closing = app.sql().await;
    closing
        .batch_execute(
            "begin; update accounts set status = 'CLOSED', erase_at = now() + interval '30 days'",
        )
        .await
        .unwrap();
    let before = app.mails_sent().len();
    tokio::join!(app.run_jobs(), async {
        waiting(&app, 1).await;
        assert_eq!(files(&app).len(), 1);
        closing.batch_execute("commit").await.unwrap();
    });
    assert_eq!(app.mails_sent().len(), before);
    assert_eq!(count(&app, "select count(*) from data_exports").await, 0);
    assert!(files(&app).is_empty());
    let access = app.sign_in(ANA).await.access;
    app.run_jobs().await;
    export(&app, ANA, &access).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_of_an_account_that_is_closed_meanwhile() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    let (_, mails) = with_mails(&app, async {
        ask(&app, &access).await.data();
        delete(&app, &access, RIGHT).await;
    })
    .await;
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, ["Your account is closed"]);
    assert_eq!(files(&app).len(), 0);
    let access = app.sign_in(ANA).await.access;
    app.run_jobs().await;
    export(&app, ANA, &access).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_taken_away_after_its_day_and_so_is_what_nobody_knows_of() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    export(&app, ANA, &access).await;
    wait(&app, TimeDelta::hours(23));
    an_hour_strikes(&app).await;
    assert_eq!(files(&app).len(), 1);
    let lost = format!("exports/{}.json", uuid::Uuid::now_v7());
    for key in [lost.as_str(), "exports/other.json"] {
        let key: Key = key.parse().unwrap();
        let facts = Facts::of(ContentType::JSON);
        app.app
            .storage
            .put(&key, Bytes::from("{}"), &facts)
            .await
            .unwrap();
    }
    assert_eq!(files(&app).len(), 3);
    an_hour_strikes(&app).await;
    assert_eq!(files(&app).len(), 3);
    wait(&app, TimeDelta::hours(1));
    an_hour_strikes(&app).await;
    assert_eq!(files(&app).len(), 2);
    // What nobody knows of goes once nobody could fetch it, whoever made it.
    wait(&app, TimeDelta::hours(2));
    an_hour_strikes(&app).await;
    let left = files(&app);
    assert_eq!(left.len(), 1);
    assert!(left.first().unwrap().ends_with("other.json"), "{left:?}");
    assert_eq!(count(&app, "select count(*) from data_exports").await, 0);
}

/// Without the job that takes old ones away.
#[tokio::test(flavor = "multi_thread")]
async fn the_archives_of_somebody_who_is_erased_go_with_them() {
    let app = TestApp::new().await;
    let mut access = Vec::new();
    for email in [ANA, "ben@example.org"] {
        app.member(email).await;
        access.push(app.sign_in(email).await.access);
        export(&app, email, &access[access.len() - 1]).await;
    }
    assert_eq!(files(&app).len(), 2);
    close(&app, &access[0]).await;
    execute(
        &app,
        "update accounts set erase_at = now() - interval '1 minute' where status = 'CLOSED'",
    )
    .await;
    super::erasing::erase_what_is_due(&app).await;
    assert_eq!(status_of(&app, ANA).await, None);
    assert_eq!(files(&app).len(), 1);
    assert_eq!(count(&app, "select count(*) from data_exports").await, 1);
}
