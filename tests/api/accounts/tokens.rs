//! What an access token opens, and what becomes of a request that brings one that is not believed.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use biscuit_auth::UnverifiedBiscuit;
use biscuit_auth::builder::BlockBuilder;
use serde_json::{Value, json};

use super::*;

/// A token that its holder has narrowed by a check, offline.
pub fn narrowed(access: &str, check: &str) -> String {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(access).unwrap();
    let block = BlockBuilder::new().check(check).unwrap();
    let token = UnverifiedBiscuit::from(bytes)
        .unwrap()
        .append(block)
        .unwrap();
    BASE64_URL_SAFE_NO_PAD.encode(token.to_vec().unwrap())
}

const ONLY_READS: &str = r#"check if scope("ACCOUNT_READ")"#;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_somebody_is_nobody() {
    let app = TestApp::new().await;
    assert_eq!(app.data("{ me { id } }").await, json!({ "me": null }));
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_else_that_is_not_believed_refuses_the_request() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let signed_in = app.sign_in("ana@example.org").await;
    let good = &signed_in.access;
    let mut values = vec![
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer x".to_owned(),
        good.clone(),
        format!("Basic {good}"),
        format!("DPoP {good}"),
        format!("Bearer {good}A"),
        format!("Bearer {good}="),
        format!("Bearer {}", &good[1..]),
        format!("Bearer {good}, Bearer {good}"),
        format!("Bearer {}", signed_in.refresh),
        format!("Bearer {}", "A".repeat(20_000)),
    ];
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(good).unwrap();
    for at in [0, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1] {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        values.push(format!("Bearer {}", BASE64_URL_SAFE_NO_PAD.encode(altered)));
    }
    for value in values {
        let answer = query(&app, &value, "{ me { id } }").await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "UNAUTHENTICATED"),
            "{value:.60}"
        );
        assert_eq!(answer.body.get("data"), None);
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer error=\"invalid_token\"")
        );
    }
    let request = graphql(&app, &json!({ "query": "{ me { id } }" }));
    let twice = request
        .header("authorization", format!("Bearer {good}"))
        .header("authorization", format!("Bearer {good}"));
    assert_eq!(send(twice).await.status, 401, "two headers");
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = query(&app, &format!("{scheme} {good}"), "{ me { id } }").await;
        assert!(answer.data()["me"]["id"].is_string(), "{scheme}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_or_out_may_bring_a_stale_token() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let session = app.sign_in("ana@example.org").await;
    wait(&app, TimeDelta::minutes(16));
    let stale = Some(session.access.as_str());
    let input = login_input(&session.email, RIGHT, json!({}));
    assert_eq!(mistakes(&payload(&app, stale, LOGIN, input).await), NONE);
    let token = json!({ "refreshToken": session.refresh });
    let refreshed = payload(&app, stale, REFRESH, token).await;
    assert_eq!(mistakes(&refreshed), NONE);
    let token = json!({ "refreshToken": refreshed["credentials"]["refreshToken"] });
    assert_eq!(
        mistakes(&payload(&app, stale, LOGOUT, token.clone()).await),
        NONE
    );
    assert_eq!(
        mistakes(&payload(&app, None, REFRESH, token).await),
        ["INVALID_TOKEN refreshToken"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_token_is_borne_where_all_signs_in_or_out() {
    let app = TestApp::new().await;
    let login = r#"login(input: { email: "ana@example.org", password: "x" }) { errors { code } }"#;
    let refresh = r#"refreshSession(input: { refreshToken: "x" }) { errors { code } }"#;
    let logout = "logout { errors { code } }";
    let other = "createChallenge { errors { code } }";
    let borne = [
        format!("mutation {{ {login} }}"),
        format!("mutation {{ {refresh} }}"),
        format!("mutation {{ {logout} }}"),
        format!("mutation {{ {logout} {refresh} {login} }}"),
        format!("mutation {{ out: {logout} }}"),
        format!("mutation {{ __typename {login} }}"),
        format!("mutation {{ ...F }} fragment F on Mutation {{ ... on Mutation {{ {logout} }} }}"),
        format!("mutation A {{ {logout} }} query B {{ __typename }}"),
    ];
    let not_borne = [
        "{ __typename }".to_owned(),
        "{ me { id } }".to_owned(),
        format!("mutation {{ {other} }}"),
        format!("mutation {{ {login} {other} }}"),
        format!("mutation {{ logout: {other} }}"),
        format!("mutation {{ {logout} ...F }} fragment F on Mutation {{ {other} }}"),
        format!("mutation {{ {logout} ... on Mutation {{ {other} }} }}"),
        format!(
            "mutation {{ ...F }} fragment F on Mutation {{ {logout} ...G }} fragment G on Mutation {{ {other} }}"
        ),
        "query { logout: __typename }".to_owned(),
        "mutation {".to_owned(),
        "mutation { nothing }".to_owned(),
        r#"mutation { verifyEmail(input: { token: "x" }) { errors { code } } }"#.to_owned(),
    ];
    let ask = async |query: &Value| {
        let mut body = json!({ "query": query });
        if query.as_str().unwrap().contains("mutation A") {
            body["operationName"] = "A".into();
        }
        send(graphql(&app, &body).header("authorization", "Bearer x")).await
    };
    for query in &borne {
        let answer = ask(&json!(query)).await;
        assert_eq!(answer.status, 200, "{query}: {:#}", answer.body);
        assert!(
            answer.body["data"].is_object(),
            "{query}: {:#}",
            answer.body
        );
    }
    for query in &not_borne {
        let answer = ask(&json!(query)).await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "UNAUTHENTICATED"),
            "{query}"
        );
        assert_eq!(answer.body.get("data"), None, "{query}");
    }
    // A batch is one request: it goes on if all of it may.
    let batch = |queries: [&str; 2]| json!(queries.map(|query| json!({ "query": query })));
    for (queries, status) in [
        ([borne[1].as_str(), borne[2].as_str()], 200),
        ([borne[1].as_str(), not_borne[1].as_str()], 401),
        ([not_borne[1].as_str(), borne[1].as_str()], 401),
    ] {
        let request = graphql(&app, &batch(queries)).header("authorization", "Bearer x");
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{queries:?}");
        assert_eq!(
            answer.body.to_string().contains("\"data\""),
            status == 200,
            "{queries:?}"
        );
    }
    let get = app.client.get(app.url("/graphql?query=%7Bme%7Bid%7D%7D"));
    assert_eq!(
        send(get.header("authorization", "Bearer x")).await.status,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_about_an_account_counts_at_the_next_request_everywhere() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    app.member("ana@example.org").await;
    app.member("ben@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let id = me(&app, &ben.access).await["id"].clone();
    let look = format!("{{ node(id: {id}) {{ id }} }}");
    let sees =
        async |instance: &TestApp| !instance.data_as(&ana.access, &look).await["node"].is_null();

    for instance in [&app, &other] {
        assert!(!sees(instance).await);
    }
    execute(
        &app,
        "update accounts set roles = '{LISTENER,ADMIN}' where email = 'ana@example.org'",
    )
    .await;
    for instance in [&app, &other] {
        assert!(sees(instance).await);
        assert_eq!(
            me(instance, &ana.access).await["roles"],
            json!(["LISTENER", "ADMIN"])
        );
    }
    execute(
        &app,
        "update accounts set roles = '{LISTENER}' where email = 'ana@example.org'",
    )
    .await;
    for instance in [&app, &other] {
        assert!(!sees(instance).await);
    }
    execute(
        &app,
        "update accounts set status = 'SUSPENDED' where email = 'ana@example.org'",
    )
    .await;
    for instance in [&app, &other] {
        assert!(!is_believed(instance, &ana.access).await);
        assert_eq!(
            mistakes(&refresh(instance, &ana.refresh).await),
            ["INVALID_TOKEN refreshToken"]
        );
    }
    for instance in [&app, &other] {
        assert!(is_believed(instance, &ben.access).await);
    }
    let out = payload(&other, Some(&ben.access), LOGOUT, Value::Null).await;
    assert_eq!(mistakes(&out), NONE);
    for instance in [&app, &other] {
        assert!(!is_believed(instance, &ben.access).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_token_opens_what_its_holder_left_of_it() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let session = app.sign_in("ana@example.org").await;
    let reads = narrowed(&session.access, ONLY_READS);
    let data = app.data_as(&reads, "{ me { email } }").await;
    assert_eq!(data, json!({ "me": { "email": "ana@example.org" } }));
    let plays = narrowed(&session.access, r#"check if scope("PLAYLISTS_READ")"#);
    let answer = query(&app, &format!("Bearer {plays}"), "{ me { email } }").await;
    assert_eq!((answer.status, answer.code()), (200, "FORBIDDEN"));
    assert_eq!(answer.body["data"], json!({ "me": null }));
    let nothing = [
        narrowed(&reads, r#"check if scope("PLAYLISTS_READ")"#),
        narrowed(
            &session.access,
            "check if time($t), $t < 2020-01-01T00:00:00Z",
        ),
        narrowed(&session.access, r#"check if ip("203.0.113.7")"#),
    ];
    for token in nothing {
        assert!(!is_believed(&app, &token).await);
    }
    let here = narrowed(&reads, r#"check if ip("127.0.0.1")"#);
    assert!(is_believed(&app, &here).await);
}

/// Nothing that could be used to get more than the token has.
#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_token_changes_and_shows_nothing_of_how_its_owner_signs_in() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let session = app.sign_in("ana@example.org").await;
    let reads = narrowed(&session.access, ONLY_READS);
    let empty = narrowed(&session.access, "check if true");
    let id = me(&app, &session.access).await["sessions"][0]["id"].clone();
    let change = json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD });
    let email = json!({ "newEmail": "eve@example.org", "password": RIGHT });
    for token in [&reads, &empty] {
        for (mutation, input) in [
            (CHANGE_PASSWORD, change.clone()),
            (CHANGE_EMAIL, email.clone()),
            (UPDATE_PROFILE, json!({ "displayName": "Eve" })),
            (REVOKE, json!({ "sessionId": id })),
            (REVOKE_ALL, json!({ "includeCurrent": true })),
        ] {
            let answer = app.call(Some(token), mutation, input).await;
            assert_eq!(answer.code(), "FORBIDDEN", "{mutation}");
            assert!(only_field(answer.body["data"].clone()).is_null());
        }
        let answer = query(
            &app,
            &format!("Bearer {token}"),
            "{ me { id sessions { id } } }",
        )
        .await;
        assert_eq!(answer.code(), "FORBIDDEN");
        let node = format!("{{ node(id: {id}) {{ id }} }}");
        assert_eq!(app.data_as(token, &node).await, json!({ "node": null }));
    }
    assert!(is_believed(&app, &session.access).await);
    assert!(has_password(&app, "ana@example.org", RIGHT).await);
    assert!(
        app.mails()
            .await
            .iter()
            .all(|mail| mail.to != "eve@example.org")
    );
}
