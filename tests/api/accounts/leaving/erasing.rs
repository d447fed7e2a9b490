//! What is left of an account whose time has come: nothing.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use empulse::accounts::PERSONAL_TABLES;

use super::exporting::{export, files, fill_the_rest, unlock};
use super::scan::{forms, places_of};
use super::*;
use crate::accounts::api_tokens::api_token;
use crate::audit::heads;
use crate::support::data::{Maker, NewTrack};

const QUILLAN: &str = "quillan.farthing@example.org";
const NAME: &str = "Quillan Farthing";
const ERASED: &str = "Your account is erased";

/// Makes rows of everything that is kept of people, by the ways that lead there; their words.
pub async fn somebody(app: &TestApp, email: &str, name: &str) -> (Vec<String>, Vec<String>) {
    app.member(email).await;
    let set = "update accounts set display_name = $1 where email = $2";
    app.sql()
        .await
        .execute(set, &[&name, &email])
        .await
        .unwrap();
    let session = app.sign_in(email).await;
    api_token(app, &session.access, "ACCOUNT_READ").await;
    let device = json!({ "deviceToken": session.device });
    login_with(app, email, RIGHT, device).await;
    let artist = app.artist(email).await;
    let mut make = Maker::new(app.sql().await);
    let album = make.album(artist, &format!("Best of {name}")).await;
    let track = NewTrack {
        album: Some((album, 1)),
        ..NewTrack::default()
    };
    make.track(artist, track).await;
    make.track(artist, NewTrack::default()).await;
    // An address that waits, and one that can be taken back.
    let input = json!({ "newEmail": format!("new.{email}"), "password": RIGHT });
    payload(app, Some(&session.access), CHANGE_EMAIL, input).await;
    reset_token(app, email).await;
    // Guesses at the address; then, as that is locked, in a session and from a known device.
    for _ in 0..6 {
        let input = json!({ "currentPassword": WRONG, "newPassword": NEW_PASSWORD });
        payload(app, Some(&session.access), CHANGE_PASSWORD, input).await;
    }
    login_with(app, email, WRONG, json!({ "deviceToken": session.device })).await;
    app.run_jobs().await;
    words_of(app, email, name).await
}

/// What is personal, and all ids that rows of this account have.
async fn words_of(app: &TestApp, email: &str, name: &str) -> (Vec<String>, Vec<String>) {
    let sql = app.sql().await;
    let mut ids: Vec<Uuid> = Vec::new();
    let account: String = sql
        .query_one("select id::text from accounts where email = $1", &[&email])
        .await
        .unwrap()
        .get(0);
    ids.push(account.parse().unwrap());
    let of_artist = "artist_id = (select id from artists where account_id = $1::text::uuid)";
    let of_account = "account_id = $1::text::uuid";
    for (table, whose) in [
        ("sessions", of_account),
        ("api_tokens", of_account),
        ("known_devices", of_account),
        ("mailed_tokens", of_account),
        ("second_steps", of_account),
        ("data_exports", of_account),
        ("artists", of_account),
        ("albums", of_artist),
        ("tracks", of_artist),
    ] {
        let read = format!("select id::text from {table} where {whose}");
        let rows = sql.query(&read, &[&account]).await.unwrap();
        ids.extend(
            rows.iter()
                .map(|row| row.get::<_, &str>(0).parse::<Uuid>().unwrap()),
        );
    }
    let mut words = vec![email.to_owned(), name.to_owned(), format!("new.{email}")];
    let as_sorted = name.to_lowercase();
    words.extend([as_sorted.replace(' ', "-"), as_sorted]);
    words.push(hash_of("address", email.as_bytes()));
    let sealed = "select encode(totp_secret, 'hex') from accounts where email = $1 and totp_secret is not null";
    words.extend(
        sql.query(sealed, &[&email])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0)),
    );
    for id in &ids {
        // As failures to sign in are counted.
        words.extend(["device", "session"].map(|kind| hash_of(kind, id.as_bytes())));
    }
    (words, ids.into_iter().flat_map(forms).collect())
}

fn hash_of(kind: &str, of: &[u8]) -> String {
    let hash = Sha256::new()
        .chain_update(kind)
        .chain_update([0])
        .chain_update(of)
        .finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A mail to them that was given up, as a night without a mail server leaves it.
async fn leave_dead_mail(app: &TestApp, email: &str) {
    let sql = app.sql().await;
    let leave = "insert into jobs (id, kind, payload, state, died_at, last_error) values \
                 (gen_random_uuid(), 'accounts.mail', jsonb_build_object('mail', 'locked', 'email_key', $1::text, 'until', now(), \
                  'what', jsonb_build_object('at', now())), 'DEAD', now(), 'gone')";
    sql.execute(leave, &[&email]).await.unwrap();
}

async fn rows_of_all_tables(app: &TestApp) -> BTreeMap<String, i64> {
    let sql = app.sql().await;
    let tables =
        "select table_name::text from information_schema.tables where table_schema = 'public'";
    let mut counts = BTreeMap::new();
    for row in sql.query(tables, &[]).await.unwrap() {
        let table: String = row.get(0);
        let read = format!("select count(*) from \"{table}\"");
        let rows = sql.query_one(&read, &[]).await.unwrap().get(0);
        counts.insert(table, rows);
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn after_thirty_days_no_trace_of_them_is_left() {
    let app = TestApp::new().await;
    let (ben, _) = somebody(&app, "ben@example.org", "Benedikt Orlow").await;
    let without = rows_of_all_tables(&app).await;
    somebody(&app, QUILLAN, NAME).await;
    leave_dead_mail(&app, QUILLAN).await;
    leave_dead_mail(&app, "not.quillan.farthing@example.org").await;
    let failures = "select count(*) from sign_in_failures";
    assert_eq!(
        count(&app, failures).await,
        6,
        "address, device and session of both"
    );
    unlock(&app).await;
    fill_the_rest(&app, QUILLAN).await;
    let access = app.sign_in(QUILLAN).await.access;
    export(&app, QUILLAN, &access).await;
    // Some of the trail is chained, and some waits.
    while empulse::audit::link(&app.app.db).await.unwrap() > 0 {}
    login(&app, QUILLAN, WRONG).await;
    // The scan finds what there is, in each table that has it.
    let (words, ids) = words_of(&app, QUILLAN, NAME).await;
    let places = places_of(&app, &[&words[..], &ids].concat()).await;
    let personal = PERSONAL_TABLES.iter().map(|personal| personal.table);
    for table in personal.chain(["jobs"]) {
        let column = format!("{table}.");
        assert!(
            places.iter().any(|place| place.starts_with(&column)),
            "{table}: {places:?}"
        );
    }
    assert!(
        places.contains(&"accounts.totp_secret".to_owned()),
        "{places:?}"
    );

    close(&app, &access).await;
    login(&app, QUILLAN, WRONG).await;
    app.run_jobs().await;
    wait(&app, TimeDelta::days(30) - TimeDelta::minutes(1));
    erase_what_is_due(&app).await;
    assert_eq!(status_of(&app, QUILLAN).await.as_deref(), Some("CLOSED"));
    wait(&app, TimeDelta::minutes(1));
    let (_, mails) = with_mails(&app, erase_what_is_due(&app)).await;

    let [mail] = &mails[..] else {
        panic!("{mails:#?}")
    };
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), (QUILLAN, ERASED));
    assert!(!mail.text.contains(NAME), "{}", mail.text);
    assert!(files(&app).is_empty());
    // The mail to somebody whose address holds that one is another's.
    let sql = app.sql().await;
    let taken = sql.execute("delete from jobs where state = 'DEAD'", &[]);
    assert_eq!(taken.await.unwrap(), 1);
    assert_eq!(places_of(&app, &words).await, NONE);
    // What happened stays; of whom, nothing knows any more.
    for place in places_of(&app, &ids).await {
        let trail = ["actor_id", "subject_id", "person_id", "details"];
        let stays = trail.iter().any(|column| {
            place == format!("audit_pending.{column}") || place == format!("audit_events.{column}")
        });
        assert!(stays, "{place}");
    }
    // Of others nothing is gone.
    let left = rows_of_all_tables(&app).await;
    for (table, rows) in without {
        // Their sound and their picture are to be deleted a day later.
        let rows = rows + i64::from(table == "gone_files") * 2;
        if !table.starts_with("audit_") {
            assert_eq!(left.get(&table), Some(&rows), "{table}");
        }
    }
    assert!(
        places_of(&app, &ben)
            .await
            .contains(&"accounts.display_name".to_owned())
    );
    assert_eq!(mistakes(&login(&app, "ben@example.org", RIGHT).await), NONE);

    // The trail is whole, and says what went of it.
    heads::sign(&app).await;
    let report = empulse::audit::verify(
        &app.app.db,
        &app.app.keys,
        empulse::audit::found_heads(&app.app.storage).await.unwrap(),
        app.app.clock.now(),
        |_, _| {},
    );
    let report = report.await.unwrap();
    assert!(report.misfits.is_empty(), "{report:?}");
    assert!(report.erased > 0 && report.events > 0, "{report:?}");
    let told = "select count(*) from audit_events where action = 'account.erased'";
    assert_eq!(count(&app, told).await, 1);

    // The address is free, for somebody new.
    assert_eq!(
        mistakes(&login(&app, QUILLAN, RIGHT).await),
        ["INVALID_CREDENTIALS"]
    );
    app.member(QUILLAN).await;
    app.sign_in(QUILLAN).await;
}

/// Without what else is done every hour, by which much of it would go too.
pub async fn erase_what_is_due(app: &TestApp) {
    let sql = app.sql().await;
    let ask = "insert into jobs (id, kind, payload) values (gen_random_uuid(), 'accounts.find_due', '{}')";
    sql.execute(ask, &[]).await.unwrap();
    app.run_jobs().await;
}

/// As an instance that took it before its owner came back would find it.
async fn ask_to_erase(app: &TestApp, email: &str) {
    let sql = app.sql().await;
    let ask = "insert into jobs (id, kind, payload) select gen_random_uuid(), 'accounts.erase', jsonb_build_object('account', id) \
               from accounts where email = $1";
    assert_eq!(sql.execute(ask, &[&email]).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_looks_again_before_it_erases() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    ask_to_erase(&app, ANA).await;
    app.run_jobs().await;
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("ACTIVE"));
    let access = app.sign_in(ANA).await.access;
    close(&app, &access).await;
    let (_, mails) = with_mails(&app, ask_to_erase(&app, ANA)).await;
    assert!(mails.is_empty(), "{mails:#?}");
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
    assert_eq!(mistakes(&login(&app, ANA, RIGHT).await), NONE);
}

/// Whoever signs in while the job comes to their account was in time: all of it is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_signing_in_just_then_comes_first() {
    let app = TestApp::new().await;
    if needs_server(&app, "a sign-in while its account is erased") {
        return;
    }
    closed(&app, ANA).await;
    let tables = ["sessions", "known_devices"].map(|table| format!("select count(*) from {table}"));
    execute(&app, "update accounts set erase_at = now()").await;
    ask_to_erase(&app, ANA).await;
    let signing_in = app.sql().await;
    signing_in
        .batch_execute("begin; update accounts set status = 'ACTIVE', erase_at = null")
        .await
        .unwrap();
    let (_, ()) = tokio::join!(app.run_jobs(), async {
        waiting(&app, 1).await;
        signing_in.batch_execute("commit").await.unwrap();
    });
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("ACTIVE"));
    for rows in &tables {
        assert!(count(&app, rows).await > 0, "{rows}");
    }
    app.sign_in(ANA).await;
}

/// Not even by an instance whose clock is behind.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_back_to_what_is_half_erased() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    wait(&app, TimeDelta::days(30));
    ask_to_erase(&app, ANA).await;
    // What stands in the way of the last piece.
    execute(
        &app,
        "create function stop() returns trigger language plpgsql as 'begin raise exception ''not now''; end'; \
         create trigger stop before delete on accounts execute function stop()",
    )
    .await;
    app.run_jobs().await;
    assert_eq!(count(&app, "select count(*) from known_devices").await, 0);
    wait(&app, TimeDelta::days(-29));
    let late = login(&app, ANA, RIGHT).await;
    assert_eq!(mistakes(&late), ["INVALID_CREDENTIALS"]);
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
    // It is due there too.
    execute(
        &app,
        "drop trigger stop on accounts; update jobs set due_at = now()",
    )
    .await;
    app.run_jobs().await;
    assert_eq!(status_of(&app, ANA).await, None);
}

/// A wrong password that is counted between the first piece and the last.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_guessed_meanwhile_is_forgotten_too() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    wait(&app, TimeDelta::days(30));
    execute(
        &app,
        "create function guess() returns trigger language plpgsql as 'begin insert into sign_in_failures (subject, failures, \
         last_at) values (sha256(''address\\000''::bytea || convert_to(old.email_key, ''UTF8'')), 1, now()); return old; end'; \
         create trigger guess before delete on accounts for each row execute function guess()",
    )
    .await;
    ask_to_erase(&app, ANA).await;
    app.run_jobs().await;
    assert_eq!(status_of(&app, ANA).await, None);
    assert_eq!(
        count(&app, "select count(*) from sign_in_failures").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_jobs_for_one_account_erase_it_once() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    wait(&app, TimeDelta::days(30));
    let (_, mails) = with_mails(&app, async {
        for _ in 0..3 {
            ask_to_erase(&app, ANA).await;
        }
        an_hour_strikes(&app).await;
    })
    .await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].subject, ERASED);
    assert_eq!(count(&app, "select count(*) from jobs").await, 0);
}

/// Of two who erase it, the one who comes late finds the other's mail.
#[tokio::test(flavor = "multi_thread")]
async fn what_tells_of_it_is_not_forgotten_with_all_else_that_speaks_of_somebody() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    wait(&app, TimeDelta::days(30));
    execute(
        &app,
        &format!(
            "insert into jobs (id, kind, payload, due_at)
             select gen_random_uuid(), kind, '{{\"email\": \"{ANA}\"}}', now() + interval '1 day'
             from unnest(array['accounts.erased_mail', 'accounts.other']) kind"
        ),
    )
    .await;
    ask_to_erase(&app, ANA).await;
    app.run_jobs().await;
    assert_eq!(status_of(&app, ANA).await, None);
    let sql = app.sql().await;
    let left = sql.query("select kind from jobs", &[]).await.unwrap();
    let left: Vec<String> = left.iter().map(|row| row.get(0)).collect();
    assert_eq!(left, ["accounts.erased_mail"]);
}

/// It would take too long at once: it goes in pieces, and all of it.
#[tokio::test(flavor = "multi_thread")]
async fn much_is_erased_too() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    app.member("ben@example.org").await;
    app.sign_in("ben@example.org").await;
    execute(
        &app,
        "insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, created_at, last_used_at, expires_at, \
         ended_at, ended_because) select gen_random_uuid(), a.id, sha256('x'), true, false, now(), now(), \
         now() + interval '90 days', now(), 'REVOKED' from accounts a, generate_series(1, 2500) where a.status = 'CLOSED'",
    )
    .await;
    // More jobs than are looked through at once, and the one that is meant among the last.
    execute(
        &app,
        "insert into jobs (id, kind, payload, state, died_at) select gen_random_uuid(), 'accounts.mail', '{}', 'DEAD', now() \
         from generate_series(1, 2500)",
    )
    .await;
    leave_dead_mail(&app, ANA).await;
    wait(&app, TimeDelta::days(30));
    an_hour_strikes(&app).await;
    assert_eq!(status_of(&app, ANA).await, None);
    assert_eq!(count(&app, "select count(*) from sessions").await, 1);
    assert_eq!(count(&app, "select count(*) from jobs").await, 2500);
}

/// Nobody may keep the address of somebody who is erased: the job that holds it is gone even where nothing came of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_takes_no_mail_is_forgotten_all_the_same() {
    let app = TestApp::new().await;
    let sql = app.sql().await;
    let tried = "insert into jobs (id, kind, payload, attempts) values \
                 (gen_random_uuid(), 'accounts.erased_mail', jsonb_build_object('email', 'ana@nowhere'), 20)";
    sql.execute(tried, &[]).await.unwrap();
    let unread = "insert into jobs (id, kind, payload) values (gen_random_uuid(), 'accounts.erased_mail', '{\"mail\": \"ana@nowhere\"}')";
    sql.execute(unread, &[]).await.unwrap();
    assert_eq!(app.run_jobs().await, 2);
    assert_eq!(count(&app, "select count(*) from jobs").await, 0);
    assert_eq!(places_of(&app, &["ana@nowhere".to_owned()]).await, NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_go_once_each() {
    let app = TestApp::new().await;
    execute(
        &app,
        "insert into accounts (id, email, email_key, display_name, password_hash, status, email_verified_at, erase_at, \
         created_at, updated_at) select gen_random_uuid(), n || '@x.example', n || '@x.example', 'n', 'n', 'CLOSED', now(), \
         now() - interval '1 hour', now(), now() from generate_series(1, 250) n",
    )
    .await;
    let (_, mails) = with_mails(&app, an_hour_strikes(&app)).await;
    assert_eq!(count(&app, "select count(*) from accounts").await, 0);
    let mut told: Vec<_> = mails.into_iter().map(|mail| mail.to).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 250);
}
