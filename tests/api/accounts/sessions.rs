//! Where somebody is signed in, as they see it and end it.

use serde_json::{Value, json};

use super::*;
use crate::support::SignedIn;

/// The ids of the sessions that somebody sees, used last first.
async fn listed(app: &TestApp, access: &str) -> Vec<String> {
    let own = me(app, access).await;
    let sessions = own["sessions"].as_array().unwrap();
    sessions
        .iter()
        .map(|session| session["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn current(app: &TestApp, access: &str) -> String {
    let own = me(app, access).await;
    let sessions = own["sessions"].as_array().unwrap();
    let mut current = sessions
        .iter()
        .filter(|session| session["isCurrent"] == true);
    let id = current.next().unwrap()["id"].as_str().unwrap().to_owned();
    assert!(current.next().is_none(), "{own:#}");
    id
}

async fn revoke(app: &TestApp, access: &str, id: &str) -> Value {
    payload(app, Some(access), REVOKE, json!({ "sessionId": id })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_session_is_listed_with_where_it_came_from() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    app.member("ben@example.org").await;
    app.sign_in("ben@example.org").await;
    let one = app.sign_in("ana@example.org").await;
    wait(&app, TimeDelta::seconds(30));
    let agent = format!("Phone/1 {}", "x".repeat(1_000));
    let input = login_input("ana@example.org", RIGHT, json!({ "remember": true }));
    let request = calling(&app, LOGIN, &input).header("user-agent", &agent);
    let login = only_field(send(request).await.data());
    let two = login["credentials"]["accessToken"].as_str().unwrap();

    let own = me(&app, two).await;
    let sessions = own["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{own:#}");
    let [newer, older] = &sessions[..] else {
        panic!("{own:#}");
    };
    assert_eq!(
        (&newer["isCurrent"], &older["isCurrent"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&newer["isRemembered"], &older["isRemembered"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(newer["ipAddress"], "127.0.0.1");
    assert_eq!(newer["userAgent"], agent[..400]);
    assert!(newer["createdAt"].as_str().unwrap() > older["createdAt"].as_str().unwrap());
    assert_eq!(
        current(&app, &one.access).await,
        older["id"].as_str().unwrap()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_of_ones_own_is_ended() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let one = app.sign_in("ana@example.org").await;
    let two = app.sign_in("ana@example.org").await;
    let of_two = current(&app, &two.access).await;
    let revoked = revoke(&app, &one.access, &of_two).await;
    assert_eq!(mistakes(&revoked), NONE);
    assert_eq!(revoked["revokedId"], of_two);
    assert_eq!(revoked["account"]["sessions"].as_array().unwrap().len(), 1);
    assert!(!is_believed(&app, &two.access).await);
    assert_eq!(
        mistakes(&refresh(&app, &two.refresh).await),
        ["INVALID_TOKEN refreshToken"]
    );
    assert!(is_believed(&app, &one.access).await);
    let again = revoke(&app, &one.access, &of_two).await;
    assert_eq!(mistakes(&again), ["NOT_FOUND sessionId"]);
    // Also the one by which it is asked.
    let own = current(&app, &one.access).await;
    assert_eq!(mistakes(&revoke(&app, &one.access, &own).await), NONE);
    assert!(!is_believed(&app, &one.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_session_of_ones_own_is_not_found() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    app.member("ben@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let of_ben = current(&app, &ben.access).await;
    let account = me(&app, &ana.access).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let unknown = "session_01h455vb4pex5vsknk084sn02q";
    for id in [
        of_ben.as_str(),
        unknown,
        &account,
        "",
        "x",
        "session_",
        &of_ben[8..],
    ] {
        let refused = revoke(&app, &ana.access, id).await;
        assert_eq!(mistakes(&refused), ["NOT_FOUND sessionId"], "{id:?}");
        assert_eq!(refused["revokedId"], Value::Null);
    }
    assert!(is_believed(&app, &ben.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_sessions_are_ended_but_the_current_unless_asked() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    for (input, keeps) in [
        (Value::Null, true),
        (json!({}), true),
        (json!({ "includeCurrent": false }), true),
        (json!({ "includeCurrent": true }), false),
    ] {
        let mut sessions: Vec<SignedIn> = Vec::new();
        for _ in 0..3 {
            sessions.push(app.sign_in("ana@example.org").await);
        }
        let asking = sessions.pop().unwrap();
        let before = listed(&app, &asking.access).await.len() as u64;
        let revoked = payload(&app, Some(&asking.access), REVOKE_ALL, input.clone()).await;
        assert_eq!(mistakes(&revoked), NONE);
        assert_eq!(revoked["revoked"], before - u64::from(keeps), "{input}");
        for session in &sessions {
            assert!(!is_believed(&app, &session.access).await);
        }
        assert_eq!(is_believed(&app, &asking.access).await, keeps, "{input}");
        assert!(is_believed(&app, &ben.access).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_what_it_was_shown() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        sessions.push(app.sign_in("ana@example.org").await);
    }
    // By the access token, by the refresh token, by both of two sessions.
    let out = async |access: Option<&str>, refresh: Option<&str>| {
        let input = json!({ "refreshToken": refresh });
        assert_eq!(mistakes(&payload(&app, access, LOGOUT, input).await), NONE);
    };
    let [a, b, c, d] = &sessions[..] else {
        panic!()
    };
    out(Some(&a.access), None).await;
    assert!(!is_believed(&app, &a.access).await);
    assert!(is_believed(&app, &b.access).await);
    out(None, Some(&b.refresh)).await;
    assert!(!is_believed(&app, &b.access).await);
    out(Some(&c.access), Some(&d.refresh)).await;
    assert!(!is_believed(&app, &c.access).await);
    assert!(!is_believed(&app, &d.access).await);
    // Of nothing, and of what is over: there is nothing to mend about it.
    out(None, None).await;
    out(None, Some(&b.refresh)).await;
    out(None, Some("emr_x")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_refresh_token_signs_nobody_out() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    let second = refresh(&app, &first.refresh).await["credentials"].clone();
    let third = refresh(&app, second["refreshToken"].as_str().unwrap()).await;
    let access = third["credentials"]["accessToken"].as_str().unwrap();
    let input = json!({ "refreshToken": first.refresh });
    assert_eq!(mistakes(&payload(&app, None, LOGOUT, input).await), NONE);
    assert!(is_believed(&app, access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_seen_by_whom_they_concern() {
    let app = TestApp::new().await;
    for email in [
        "ana@example.org",
        "ben@example.org",
        "admin@example.org",
        "mod@example.org",
    ] {
        app.member(email).await;
    }
    execute(
        &app,
        "update accounts set roles = '{LISTENER,ADMIN}' where email = 'admin@example.org'; \
         update accounts set roles = '{LISTENER,MODERATOR}' where email = 'mod@example.org'",
    )
    .await;
    let ana = app.sign_in("ana@example.org").await.access;
    let ben = app.sign_in("ben@example.org").await.access;
    let admin = app.sign_in("admin@example.org").await.access;
    let moderator = app.sign_in("mod@example.org").await.access;
    let own = me(&app, &ana).await;
    let (account, user) = (&own["id"], &own["user"]["id"]);
    let session = current(&app, &ana).await;
    let sees = async |access: Option<&str>, query: String| {
        let answer = match access {
            Some(access) => app.data_as(access, &query).await,
            None => app.data(&query).await,
        };
        answer["node"].clone()
    };
    let everybody = [
        None,
        Some(&*ana),
        Some(&*ben),
        Some(&*moderator),
        Some(&*admin),
    ];
    for caller in everybody {
        let privileged = caller == Some(&ana) || caller == Some(&admin);
        let seen = sees(
            caller,
            format!("{{ node(id: {account}) {{ id ... on Account {{ email }} }} }}"),
        )
        .await;
        let expected = match privileged {
            true => json!({ "id": account, "email": "ana@example.org" }),
            false => Value::Null,
        };
        assert_eq!(seen, expected);
        let seen = sees(caller, format!("{{ node(id: \"{session}\") {{ id }} }}")).await;
        assert_eq!(seen.is_null(), !privileged);
        let query = format!(
            "{{ node(id: {user}) {{ ... on User {{ displayName account {{ email }} }} }} }}"
        );
        let seen = sees(caller, query).await;
        assert_eq!(seen["displayName"], "Kim Doe");
        assert_eq!(seen["account"].is_null(), !privileged);
    }
    // Somebody who does not use the service yet, or may not any more, is nobody to others.
    register(&app, "una@example.org", PASSWORD, "Una").await;
    let client = app.sql().await;
    execute(
        &app,
        "update accounts set status = 'SUSPENDED' where email = 'ben@example.org'",
    )
    .await;
    for email in ["una@example.org", "ben@example.org"] {
        let row = client
            .query_one("select id::text from accounts where email = $1", &[&email])
            .await
            .unwrap();
        let uuid: uuid::Uuid = row.get::<_, String>(0).parse().unwrap();
        let id = empulse::accounts::UserId(uuid);
        let seen = sees(Some(&ana), format!("{{ node(id: \"{id}\") {{ id }} }}")).await;
        assert_eq!(seen, Value::Null, "{email}");
    }
}
