//! Tokens that people make for scripts and other services: what they open, what they never do, and what ends them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Parser;
use empulse::accounts::{Installation, Role};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::tokens::narrowed;
use super::*;
use crate::support::SignedIn;

#[expect(dead_code, reason = "cargo runs its `main`")]
#[path = "../../../examples/attenuate.rs"]
mod attenuate;

pub const CREATE: &str = "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) {
    apiToken { id name scopes createdAt lastUsedAt expiresAt } secret errors { code message path } } }";
pub const REVOKE_TOKEN: &str =
    "mutation ($input: RevokeApiTokenInput!) { revokeApiToken(input: $input) {
    revokedId account { apiTokens { id } } errors { code path } } }";
const LIST: &str = "{ me { apiTokens { id name scopes createdAt lastUsedAt expiresAt } } }";
const EMAIL: &str = "ana@example.org";

/// What is asked for, with more or other of it.
fn asked(more: Value) -> Value {
    let mut input = json!({ "name": "Backup", "scopes": ["ACCOUNT_READ"], "password": RIGHT });
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    input
}

async fn create(app: &TestApp, access: &str, more: Value) -> Value {
    payload(app, Some(access), CREATE, asked(more)).await
}

/// One that is made; its id and its secret.
async fn made(app: &TestApp, access: &str, scopes: Value) -> (String, String) {
    let made = create(app, access, json!({ "scopes": scopes })).await;
    assert_eq!(mistakes(&made), NONE, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["apiToken"]["id"]), text(&made["secret"]))
}

/// One with a scope.
pub async fn api_token(app: &TestApp, access: &str, scope: &str) -> String {
    made(app, access, json!([scope])).await.1
}

/// Uses one, and waits until that of all of them is noted.
pub async fn use_until_noted(app: &TestApp, token: &str) {
    const UNUSED: &str = "select count(*) from api_tokens where last_used_at is null";
    app.data_as(token, "{ __typename }").await;
    for _ in 0..500 {
        if count(app, UNUSED).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a use is not noted")
}

async fn revoke(app: &TestApp, access: &str, id: &str) -> Value {
    let input = json!({ "apiTokenId": id });
    payload(app, Some(access), REVOKE_TOKEN, input).await
}

async fn listed(app: &TestApp, access: &str) -> Vec<Value> {
    let mut data = app.data_as(access, LIST).await;
    serde_json::from_value(data["me"]["apiTokens"].take()).unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn somebody(app: &TestApp) -> SignedIn {
    app.member(EMAIL).await;
    app.sign_in(EMAIL).await
}

/// As its holder would, by the program that shows how: what it prints.
async fn attenuated(token: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let arguments = ["attenuate"].iter().chain(arguments);
    let arguments = attenuate::Arguments::try_parse_from(arguments)?;
    attenuate::run(arguments, token.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_used_and_revoked() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let before = app.app.clock.now();
    let (created, mails) = with_mails(&app, create(&app, &session.access, json!({}))).await;
    assert_eq!(mistakes(&created), NONE);
    let (row, secret) = (&created["apiToken"], created["secret"].as_str().unwrap());
    assert!(row["id"].as_str().unwrap().starts_with("api_token_"));
    assert_eq!(row["name"], "Backup");
    assert_eq!(row["scopes"], json!(["ACCOUNT_READ"]));
    assert_eq!(row["lastUsedAt"], Value::Null);
    let lasts = time(&row["expiresAt"]) - before;
    assert!(
        (lasts - TimeDelta::days(30)).abs() < TimeDelta::seconds(10),
        "{lasts}"
    );

    let [mail] = &mails[..] else {
        panic!("{mails:#?}")
    };
    assert_eq!(mail.to, EMAIL);
    assert_eq!(mail.subject, "An API token was made for your account");
    assert!(mail.text.contains("see your account"), "{}", mail.text);
    for hidden in [secret, "Backup"] {
        assert!(!mail.text.contains(hidden), "{}", mail.text);
    }

    let own = app.data_as(secret, "{ me { email } }").await;
    assert_eq!(own, json!({ "me": { "email": EMAIL } }));
    assert_eq!(listed(&app, &session.access).await.len(), 1);
    let node = format!(
        "{{ node(id: {}) {{ id ... on ApiToken {{ name }} }} }}",
        row["id"]
    );
    let node = app.data_as(&session.access, &node).await;
    assert_eq!(node["node"], json!({ "id": row["id"], "name": "Backup" }));

    let revoked = revoke(&app, &session.access, row["id"].as_str().unwrap()).await;
    let gone = json!({ "revokedId": row["id"], "account": { "apiTokens": [] }, "errors": [] });
    assert_eq!(revoked, gone);
    assert!(!is_believed(&app, secret).await);
    let again = revoke(&app, &session.access, row["id"].as_str().unwrap()).await;
    assert_eq!(mistakes(&again), ["NOT_FOUND apiTokenId"]);
    assert!(is_believed(&app, &session.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once_and_nothing_is_made() {
    let app = TestApp::new().await;
    let access = somebody(&app).await.access;
    let now = app.app.clock.now();
    let at = |days| json!({ "expiresAt": (now + TimeDelta::days(days)).to_rfc3339() });
    let long = "ü".repeat(81);
    for (more, expected) in [
        (json!({ "name": "" }), &["INVALID_NAME name"][..]),
        (json!({ "name": long }), &["INVALID_NAME name"]),
        (
            json!({ "name": "see evil.example/x" }),
            &["INVALID_NAME name"],
        ),
        (json!({ "scopes": [] }), &["INVALID_TOKEN scopes"]),
        (
            json!({ "scopes": ["ACCOUNT_READ", "PLAYLISTS_READ", "ACCOUNT_READ"] }),
            &["INVALID_TOKEN scopes"],
        ),
        (at(0), &["INVALID_TOKEN expiresAt"]),
        (at(-1), &["INVALID_TOKEN expiresAt"]),
        (at(367), &["INVALID_TOKEN expiresAt"]),
        (
            json!({ "expiresAt": "9999-12-31T23:59:59Z" }),
            &["INVALID_TOKEN expiresAt"],
        ),
        (
            json!({ "expiresAt": "0001-01-01T00:00:00Z" }),
            &["INVALID_TOKEN expiresAt"],
        ),
        (
            json!({ "name": " ", "scopes": [], "expiresAt": "2020-01-01T00:00:00Z", "password": WRONG }),
            &[
                "INVALID_NAME name",
                "INVALID_TOKEN scopes",
                "INVALID_TOKEN expiresAt",
            ],
        ),
        (
            json!({ "password": WRONG }),
            &["INVALID_CREDENTIALS password"],
        ),
        (json!({ "password": "" }), &["INVALID_CREDENTIALS password"]),
    ] {
        let refused = create(&app, &access, more.clone()).await;
        assert_eq!(mistakes(&refused), expected, "{more}");
        assert_eq!(refused["secret"], Value::Null, "{more}");
        assert_eq!(refused["apiToken"], Value::Null, "{more}");
    }
    let unknown = app
        .call(Some(&access), CREATE, asked(json!({ "scopes": ["ADMIN"] })))
        .await;
    assert_eq!(unknown.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 0);
    assert!(listed(&app, &access).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_counts_and_locks_as_everywhere() {
    let app = TestApp::new().await;
    let access = somebody(&app).await.access;
    for _ in 0..5 {
        let refused = create(&app, &access, json!({ "password": WRONG })).await;
        assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS password"]);
    }
    // Of the address, and then of the session that goes on trying.
    for _ in 0..5 {
        create(&app, &access, json!({ "password": WRONG })).await;
    }
    let refused = create(&app, &access, json!({})).await;
    assert_eq!(mistakes(&refused), ["ACCOUNT_LOCKED"]);
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_may_be_a_year_away_and_counts_by_the_clock() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let now = app.app.clock.now();
    let year = (now + TimeDelta::days(365)).to_rfc3339();
    let soon = (now + TimeDelta::seconds(100)).to_rfc3339();
    let long = create(&app, &session.access, json!({ "expiresAt": year })).await;
    let short = create(&app, &session.access, json!({ "expiresAt": soon })).await;
    let usual = create(&app, &session.access, json!({ "expiresAt": null })).await;
    let secret = |created: &Value| created["secret"].as_str().unwrap().to_owned();
    let [long, short, usual] = [&long, &short, &usual].map(secret);
    let believed = async |expected: [bool; 3]| {
        for (token, expected) in [&short, &usual, &long].into_iter().zip(expected) {
            assert_eq!(is_believed(&app, token).await, expected);
        }
    };
    believed([true, true, true]).await;
    wait(&app, TimeDelta::seconds(101));
    believed([false, true, true]).await;
    assert_eq!(listed(&app, &session.access).await.len(), 2);
    wait(&app, TimeDelta::days(30));
    believed([false, false, true]).await;
    wait(&app, TimeDelta::days(334));
    believed([false, false, true]).await;
    wait(&app, TimeDelta::days(1));
    believed([false, false, false]).await;
}

/// Where somebody gets in, or what they may do to others, is never for a token that lies in a script.
#[tokio::test(flavor = "multi_thread")]
async fn it_never_does_what_a_session_is_for_whosever_it_is() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let ben = me(&app, &ben.access).await["id"].clone();
    execute(
        &app,
        "update accounts set roles = '{LISTENER,MODERATOR,ADMIN}' where email = 'ana@example.org'",
    )
    .await;
    let sees_ben = format!("{{ node(id: {ben}) {{ id }} }}");
    let seen = app.data_as(&session.access, &sees_ben).await;
    assert_eq!(seen["node"]["id"], ben, "an administrator");
    let own = me(&app, &session.access).await["sessions"][0]["id"].clone();
    let scopes = json!([
        "ACCOUNT_READ",
        "CATALOGUE_WRITE",
        "PLAYLISTS_READ",
        "PLAYLISTS_WRITE",
        "UPLOADS_WRITE",
    ]);
    let (id, token) = made(&app, &session.access, scopes).await;
    for (mutation, input) in [
        (
            CHANGE_PASSWORD,
            json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD }),
        ),
        (
            CHANGE_EMAIL,
            json!({ "newEmail": "eve@example.org", "password": RIGHT }),
        ),
        (UPDATE_PROFILE, json!({ "displayName": "Eve" })),
        (REVOKE, json!({ "sessionId": own })),
        (REVOKE_ALL, json!({ "includeCurrent": true })),
        (CREATE, asked(json!({}))),
        (REVOKE_TOKEN, json!({ "apiTokenId": id })),
        (LOGOUT, Value::Null),
    ] {
        let answer = app.call(Some(&token), mutation, input).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{mutation}");
        assert!(only_field(answer.body["data"].clone()).is_null());
    }
    for field in ["sessions", "apiTokens"] {
        let answer = query(
            &app,
            &format!("Bearer {token}"),
            &format!("{{ me {{ {field} {{ id }} }} }}"),
        )
        .await;
        assert_eq!(answer.code(), "FORBIDDEN", "{field}");
    }
    for hidden in [
        sees_ben,
        format!("{{ node(id: {own}) {{ id }} }}"),
        format!("{{ node(id: \"{id}\") {{ id }} }}"),
    ] {
        assert_eq!(
            app.data_as(&token, &hidden).await,
            json!({ "node": null }),
            "{hidden}"
        );
    }
    // It is no refresh token, and there is no session that a page could act in.
    assert_eq!(
        mistakes(&refresh(&app, &token).await),
        ["INVALID_TOKEN refreshToken"]
    );
    let csrf = app
        .client
        .get(app.url("/csrf"))
        .header("cookie", format!("__Host-refresh={token}"));
    assert_ne!(csrf.send().await.unwrap().status(), 200);
    let out = payload(&app, None, LOGOUT, json!({ "refreshToken": token })).await;
    assert_eq!(mistakes(&out), NONE, "nothing to mend");
    assert!(is_believed(&app, &token).await);
    assert!(is_believed(&app, &session.access).await);
    assert!(has_password(&app, EMAIL, RIGHT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_open_what_they_are_for_and_nothing_else() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let reads = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let plays = api_token(&app, &session.access, "PLAYLISTS_READ").await;
    assert_eq!(
        app.data_as(&reads, "{ me { email } }").await["me"]["email"],
        EMAIL
    );
    let answer = query(&app, &format!("Bearer {plays}"), "{ me { email } }").await;
    assert_eq!((answer.status, answer.code()), (200, "FORBIDDEN"));
    assert_eq!(answer.body["data"], json!({ "me": null }));
    // What is for everybody is for them too.
    app.data_as(&plays, "{ genres { slug } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_narrowed_offline_by_scope_end_network_and_album() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let scopes = json!(["ACCOUNT_READ", "PLAYLISTS_READ", "CATALOGUE_WRITE"]);
    let (_, token) = made(&app, &session.access, scopes).await;
    for whole in [&token, &session.access] {
        let reads = attenuated(
            whole,
            &["--scope", "ACCOUNT_READ", "--scope", "UPLOADS_WRITE"],
        );
        let reads = reads.await.unwrap();
        assert_eq!(
            app.data_as(&reads, "{ me { email } }").await["me"]["email"],
            EMAIL
        );
        let plays = attenuated(whole, &["--scope", "PLAYLISTS_READ"])
            .await
            .unwrap();
        let answer = query(&app, &format!("Bearer {plays}"), "{ me { email } }").await;
        assert_eq!(answer.code(), "FORBIDDEN");
        let neither = attenuated(&plays, &["--scope", "ACCOUNT_READ"])
            .await
            .unwrap();
        assert!(!is_believed(&app, &neither).await);

        let here = attenuated(
            whole,
            &["--network", "198.51.100.7", "--network", "127.3.2.1/8"],
        );
        assert!(is_believed(&app, &here.await.unwrap()).await);
        let elsewhere = attenuated(whole, &["--network", "198.51.100.0/24"])
            .await
            .unwrap();
        assert!(!is_believed(&app, &elsewhere).await);

        // It opens nothing that is not that album, but is as good as none for what everybody may see.
        let album = ["--album", "album_01h455vb4pex5vsknk084sn02q"];
        let album = attenuated(whole, &album).await.unwrap();
        let answer = query(&app, &format!("Bearer {album}"), "{ me { email } }").await;
        assert_eq!((answer.status, answer.code()), (200, "FORBIDDEN"));
        app.data_as(&album, "{ genres { slug } }").await;

        let until = (app.app.clock.now() + TimeDelta::minutes(2)).to_rfc3339();
        let short = attenuated(whole, &["--until", &until]).await.unwrap();
        let album = attenuated(&album, &["--until", &until]).await.unwrap();
        for token in [&short, &album] {
            let answer = query(&app, &format!("Bearer {token}"), "{ genres { slug } }").await;
            assert_eq!(answer.status, 200);
        }
        wait(&app, TimeDelta::minutes(3));
        for token in [&short, &album] {
            let answer = query(&app, &format!("Bearer {token}"), "{ genres { slug } }").await;
            assert_eq!(answer.status, 401);
        }
    }
    // A scope that it never had.
    let uploads = attenuated(&token, &["--scope", "UPLOADS_WRITE"])
        .await
        .unwrap();
    assert!(!is_believed(&app, &uploads).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_what_it_made_and_what_came_of_it() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let url = app.url("/graphql");
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let reading = [
        "--scope",
        "ACCOUNT_READ",
        "--try",
        &url,
        "--query",
        "{ me { email } }",
    ];
    let said = attenuated(&token, &reading).await.unwrap();
    let (narrower, answer) = said.split_once('\n').unwrap();
    assert!(is_believed(&app, narrower).await);
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer, json!({ "data": { "me": { "email": EMAIL } } }));
    let argument = attenuated("", &["--scope", "ACCOUNT_READ", &token])
        .await
        .unwrap();
    assert!(is_believed(&app, &argument).await);
    for wrong in [
        &[][..],
        &["--network", "somewhere"],
        &["--until", "tomorrow"],
        &["--album", "track_01h455vb4pex5vsknk084sn02q"],
    ] {
        assert!(attenuated(&token, wrong).await.is_err(), "{wrong:?}");
    }
    assert!(attenuated("x", &["--scope", "ACCOUNT_READ"]).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_revokes_one_ends_all_that_was_made_of_it_on_every_instance() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let scopes = json!(["ACCOUNT_READ", "PLAYLISTS_READ"]);
    let (id, token) = made(&app, &session.access, scopes).await;
    let (_, stays) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let child = narrowed(&token, r#"check if scope("ACCOUNT_READ")"#);
    let grandchild = narrowed(&child, "check if time($t), $t < 2100-01-01T00:00:00Z");
    for instance in [&app, &other] {
        for token in [&token, &child, &grandchild, &stays] {
            assert!(is_believed(instance, token).await);
        }
    }
    assert_eq!(mistakes(&revoke(&other, &session.access, &id).await), NONE);
    for instance in [&app, &other] {
        for token in [&token, &child, &grandchild] {
            assert!(!is_believed(instance, token).await);
        }
        assert!(is_believed(instance, &stays).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_of_ones_own_is_not_found() {
    let app = TestApp::new().await;
    let ana = somebody(&app).await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let (of_ben, token) = made(&app, &ben.access, json!(["ACCOUNT_READ"])).await;
    let account = me(&app, &ana.access).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let unknown = "api_token_01h455vb4pex5vsknk084sn02q";
    for id in [
        &of_ben,
        unknown,
        &account,
        "",
        "x",
        "api_token_",
        &of_ben[10..],
    ] {
        let refused = revoke(&app, &ana.access, id).await;
        assert_eq!(mistakes(&refused), ["NOT_FOUND apiTokenId"], "{id:?}");
        assert_eq!(refused["revokedId"], Value::Null);
    }
    let node = format!("{{ node(id: \"{of_ben}\") {{ id }} }}");
    assert_eq!(
        app.data_as(&ana.access, &node).await,
        json!({ "node": null })
    );
    assert!(listed(&app, &ana.access).await.is_empty());
    assert!(is_believed(&app, &token).await);
}

/// Whatever ends the sessions of whoever knew the password ends their tokens too, on every instance.
#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_all_of_them() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let change = json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD });
    let back = json!({ "currentPassword": NEW_PASSWORD, "newPassword": RIGHT });
    for input in [change, back] {
        let password = input["currentPassword"].clone();
        let made = create(&app, &session.access, json!({ "password": password })).await;
        let token = made["secret"].as_str().unwrap();
        assert!(is_believed(&other, token).await);
        let changed = payload(&app, Some(&session.access), CHANGE_PASSWORD, input).await;
        assert_eq!(mistakes(&changed), NONE);
        for instance in [&app, &other] {
            assert!(!is_believed(instance, token).await);
            assert!(is_believed(instance, &session.access).await);
        }
    }
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let link = reset_token(&app, EMAIL).await;
    assert!(is_believed(&app, &token).await);
    assert_eq!(mistakes(&reset(&app, &link, NEW_PASSWORD).await), NONE);
    for instance in [&app, &other] {
        assert!(!is_believed(instance, &token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_back_a_change_of_address_ends_them() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let input = json!({ "newEmail": "eve@example.org", "password": RIGHT });
    let change = payload(&app, Some(&session.access), CHANGE_EMAIL, input);
    let (_, mails) = with_mails(&app, change).await;
    let undo = token_to(&mails, EMAIL, "undo-email#token=");
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    assert!(is_believed(&app, &token).await);
    assert_eq!(mistakes(&verify(&app, &undo).await), NONE);
    assert!(!is_believed(&app, &token).await);
}

/// As a command does it, whose operator wants nobody else in.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_given_a_password_by_a_command_has_none_of_them() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let installation = Installation {
        email: EMAIL.to_owned(),
        display_name: "Ana".to_owned(),
        password: NEW_PASSWORD.to_owned().into(),
        roles: vec![Role::Admin],
    };
    app.accounts
        .install(installation, empulse::catalogue::artist_of_account)
        .await
        .unwrap();
    assert!(!is_believed(&app, &token).await);
}

/// Not until its owner comes back, but for good.
#[tokio::test(flavor = "multi_thread")]
async fn who_closes_the_account_ends_them() {
    const DELETE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        errors { code path } } }";
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let input = json!({ "password": RIGHT });
    let closed = payload(&app, Some(&session.access), DELETE, input).await;
    assert_eq!(mistakes(&closed), NONE);
    assert!(!is_believed(&app, &token).await);
    let session = app.sign_in(EMAIL).await;
    assert!(is_believed(&app, &session.access).await);
    assert!(!is_believed(&app, &token).await);
    assert!(listed(&app, &session.access).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_account_that_may_not_be_used_none_is_believed() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    for (status, expected) in [("SUSPENDED", false), ("ACTIVE", true)] {
        execute(&app, &format!("update accounts set status = '{status}'")).await;
        for instance in [&app, &other] {
            assert_eq!(is_believed(instance, &token).await, expected, "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_fifty_of_them_that_go_on() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let (first, _) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    execute(
        &app,
        "insert into api_tokens (id, account_id, name, scopes, created_at, expires_at, ended_at)
         select gen_random_uuid(), account_id, name, scopes, created_at, expires_at, null::timestamptz from api_tokens, generate_series(1, 48)
         union all select gen_random_uuid(), account_id, name, scopes, created_at, created_at, null from api_tokens, generate_series(1, 5)
         union all select gen_random_uuid(), account_id, name, scopes, created_at, expires_at, created_at from api_tokens, generate_series(1, 5)",
    )
    .await;
    assert_eq!(listed(&app, &session.access).await.len(), 49);
    let both = join_all(
        [json!({ "name": "One" }), json!({ "name": "Two" })]
            .map(|more| create(&app, &session.access, more)),
    )
    .await;
    let mut told: Vec<_> = both.iter().map(mistakes).collect();
    told.sort();
    assert_eq!(told, [vec![], vec!["INVALID_TOKEN".to_owned()]], "{both:?}");
    assert_eq!(listed(&app, &session.access).await.len(), 50);
    let refused = create(&app, &session.access, json!({})).await;
    assert_eq!(mistakes(&refused), ["INVALID_TOKEN"]);
    assert!(
        refused["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("at most 50")
    );
    // The password was right, so nothing was counted against anybody.
    assert_eq!(
        count(&app, "select count(*) from sign_in_failures").await,
        0
    );
    revoke(&app, &session.access, &first).await;
    assert_eq!(
        mistakes(&create(&app, &session.access, json!({})).await),
        NONE
    );
}

/// Made with the old password, it would outlive it.
#[tokio::test(flavor = "multi_thread")]
async fn none_is_made_beside_another_password() {
    let app = TestApp::new().await;
    if needs_server(&app, "none_is_made_beside_another_password") {
        return;
    }
    let session = somebody(&app).await;
    for (round, (old, new)) in [(RIGHT, NEW_PASSWORD), (NEW_PASSWORD, RIGHT)]
        .iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        let input = json!({ "currentPassword": old, "newPassword": new });
        let (changed, made) = tokio::join!(
            payload(&app, Some(&session.access), CHANGE_PASSWORD, input),
            create(&app, &session.access, json!({ "password": old })),
        );
        assert_eq!(mistakes(&changed), NONE, "{round}");
        let told = mistakes(&made);
        assert!(
            told.is_empty() || told == ["INVALID_CREDENTIALS password"],
            "{round}: {made}"
        );
        if let Some(token) = made["secret"].as_str() {
            assert!(!is_believed(&app, token).await, "{round}");
        }
        assert!(listed(&app, &session.access).await.is_empty(), "{round}");
        execute(&app, "delete from sign_in_failures").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_that_nobody_is_told_of() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    execute(
        &app,
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 's3cret'; end $$; \
         create trigger refuse before insert on jobs for each row execute function refuse()",
    )
    .await;
    let answer = app
        .call(Some(&session.access), CREATE, asked(json!({})))
        .await;
    assert_eq!(answer.code(), "INTERNAL");
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_made_and_revoked_one_stands_in_the_trail() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let (id, secret) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let refused = create(&app, &session.access, json!({ "name": "" })).await;
    assert_eq!(mistakes(&refused), ["INVALID_NAME name"]);
    revoke(&app, &session.access, &id).await;
    revoke(&app, &session.access, &id).await;
    let trail = app
        .sql()
        .await
        .query(
            "select action, details, actor_id = (select id from accounts) from (
               select action, details, actor_id, subject_id, created_at, id from audit_pending
               union all select action, details, actor_id, subject_id, created_at, id from audit_events
             ) events where subject_id = $1 order by created_at, id",
            &[&id],
        )
        .await
        .unwrap();
    let [made, revoked] = &trail[..] else {
        panic!("{} events", trail.len())
    };
    let told = |row: &tokio_postgres::Row| row.get::<_, String>(0);
    assert_eq!(
        (told(made), told(revoked)),
        ("api_token.created".into(), "api_token.revoked".into())
    );
    assert!(made.get::<_, bool>(2) && revoked.get::<_, bool>(2));
    let details: Value = serde_json::from_str(made.get(1)).unwrap();
    assert_eq!(details["scopes"], json!(["ACCOUNT_READ"]));
    assert!(!details.to_string().contains(&secret));
    // What somebody calls it is theirs, and goes with them.
    assert!(!details.to_string().contains("Backup"), "{details}");
    const NAMED: &str =
        "select count(*) from audit_personal where content::json ->> 'name' = 'Backup'";
    assert_eq!(count(&app, NAMED).await, 2);
}

/// About: each minute at most once, and off the way of the request.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_known_when_it_was_used_last() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let (id, token) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let (unused, _) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let used = async |id: &str| {
        let tokens = listed(&app, &session.access).await;
        let one = tokens.into_iter().find(|token| token["id"] == *id).unwrap();
        one["lastUsedAt"].as_str().map(str::to_owned)
    };
    let noted = async |before: Option<&String>| {
        for _ in 0..200 {
            let now = used(&id).await;
            if now.as_ref() != before {
                return now.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("its use is not noted")
    };
    assert_eq!(used(&id).await, None);
    assert!(is_believed(&app, &token).await);
    let first = noted(None).await;
    for instance in [&app, &other, &app] {
        let child = narrowed(&token, r#"check if scope("ACCOUNT_READ")"#);
        assert!(is_believed(instance, &child).await);
    }
    wait(&app, TimeDelta::seconds(50));
    let before = app.app.db.statements();
    assert!(is_believed(&app, &token).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(app.app.db.statements() - before, 1, "the one read");
    assert_eq!(used(&id).await.as_ref(), Some(&first));
    wait(&app, TimeDelta::seconds(20));
    assert!(is_believed(&app, &token).await);
    let second = noted(Some(&first)).await;
    assert!(second > first);
    assert_eq!(used(&unused).await, None);
}

/// However many come, with whatever tokens, what decides is one read. In one thread, so that they come at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sessions_and_tokens_that_come_at_once_are_read_together() {
    let app = TestApp::new().await;
    let ana = somebody(&app).await.access;
    let of_ana = api_token(&app, &ana, "ACCOUNT_READ").await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await.access;
    let of_ben = api_token(&app, &ben, "ACCOUNT_READ").await;
    app.data_as(&of_ana, "{ __typename }").await;
    use_until_noted(&app, &of_ben).await;

    let tokens = [ana, of_ana, ben, of_ben];
    let asked: Vec<String> = tokens.iter().cycle().take(40).cloned().collect();
    let accounts = app.accounts.clone();
    let authenticated = move |token: String| {
        let accounts = accounts.clone();
        async move {
            let actor = accounts.authenticate(&token, None).await.unwrap();
            actor.unwrap().account_id().unwrap()
        }
    };
    let all = join_all(asked.into_iter().map(authenticated));
    let before = app.app.db.statements();
    let found = tokio::spawn(all).await.unwrap();
    assert_eq!(app.app.db.statements() - before, 1);
    let (ana, ben) = (found[0], found[2]);
    assert_ne!(ana, ben);
    for four in found.chunks(4) {
        assert_eq!(four, [ana, ana, ben, ben]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_makes_twenty_an_hour_and_premium_a_hundred() {
    let lifted = TestApp::new().await;
    let email = own_email("ana");
    lifted.member(&email).await;
    let access = lifted.sign_in(&email).await.access;
    let limited = lifted.instance(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    let asks = async || {
        let answer = limited.call(Some(&access), CREATE, asked(json!({}))).await;
        execute(&lifted, "delete from api_tokens").await;
        answer
    };
    for _ in 0..20 {
        assert_eq!(mistakes(&only_field(asks().await.data())), NONE);
    }
    let refused = asks().await;
    assert_eq!(refused.code(), "RATE_LIMITED");
    assert_eq!(refused.body["errors"][0]["extensions"]["limit"], 20);
    execute(&lifted, "update accounts set tier = 'PREMIUM'").await;
    assert_eq!(mistakes(&only_field(asks().await.data())), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_ended_long_ago_are_forgotten() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let (revoked, _) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let (_, usual) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    revoke(&app, &session.access, &revoked).await;
    let left = async |days, expected| {
        wait(&app, TimeDelta::days(days));
        super::forgetting::forget(&app).await;
        assert_eq!(
            count(&app, "select count(*) from api_tokens").await,
            expected
        );
    };
    left(29, 2).await;
    assert!(is_believed(&app, &usual).await);
    left(2, 1).await;
    left(28, 1).await;
    left(2, 0).await;
}
