//! Staying signed in: each refresh token is good once, and a stolen one ends the session of which it is.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;

/// The two tokens of a payload that must have them.
#[track_caller]
fn pair(payload: &Value) -> (String, String) {
    assert_eq!(mistakes(payload), NONE);
    let token = |name: &str| payload["credentials"][name].as_str().unwrap().to_owned();
    (token("accessToken"), token("refreshToken"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_traded_for_a_new_pair() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    let refreshed = refresh(&app, &first.refresh).await;
    assert_eq!(refreshed["account"]["email"], "ana@example.org");
    assert_eq!(refreshed["credentials"]["csrfToken"], Value::Null);
    assert_eq!(refreshed["credentials"]["deviceToken"], Value::Null);
    let (access, token) = pair(&refreshed);
    assert_ne!(token, first.refresh);
    assert!(is_believed(&app, &access).await);
    assert!(
        is_believed(&app, &first.access).await,
        "until it has run out"
    );
    assert_eq!(
        me(&app, &access).await["sessions"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_get_one_child() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    let all = join_all((0..100).map(|_| refresh(&app, &first.refresh))).await;
    let pairs: Vec<_> = all.iter().map(pair).collect();
    assert!(pairs.iter().all(|(_, token)| *token == pairs[0].1));
    assert_eq!(
        count(&app, "select generation::bigint from sessions").await,
        1
    );
    for (access, _) in [&pairs[0], &pairs[99]] {
        assert!(is_believed(&app, access).await);
    }
    pair(&refresh(&app, &pairs[0].1).await);
}

/// Several tabs, or an answer that was lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_within_ten_seconds_gets_the_same_again() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    let (_, token) = pair(&refresh(&app, &first.refresh).await);
    wait(&app, TimeDelta::seconds(5));
    let (access, again) = pair(&refresh(&app, &first.refresh).await);
    assert_eq!(again, token);
    assert!(is_believed(&app, &access).await);
}

/// What a thief's use, or the owner's after it, brings about.
async fn assert_ends(app: &TestApp, reused: &str, newest: &str, access: &[&str]) {
    let (ended, mails) = with_mails(app, refresh(app, reused)).await;
    assert_eq!(mistakes(&ended), ["INVALID_TOKEN refreshToken"]);
    assert_eq!(ended["credentials"], Value::Null);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].to, "ana@example.org");
    for access in access {
        assert!(!is_believed(app, access).await);
    }
    for token in [newest, reused] {
        let (over, mails) = with_mails(app, refresh(app, token)).await;
        assert_eq!(mistakes(&over), ["INVALID_TOKEN refreshToken"]);
        assert!(mails.is_empty(), "told once: {mails:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_later_ends_the_session_at_once_and_tells_its_owner() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    let (access, token) = pair(&refresh(&app, &first.refresh).await);
    wait(&app, TimeDelta::seconds(10));
    assert_ends(&app, &first.refresh, &token, &[&first.access, &access]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_generation_ends_the_session_even_in_time() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    let (_, second) = pair(&refresh(&app, &first.refresh).await);
    let (access, third) = pair(&refresh(&app, &second).await);
    assert_ends(&app, &first.refresh, &third, &[&access]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_out_in_one_session_ends_no_other() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let other = app.sign_in("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    pair(&refresh(&app, &first.refresh).await);
    wait(&app, TimeDelta::seconds(11));
    assert_eq!(
        mistakes(&refresh(&app, &first.refresh).await),
        ["INVALID_TOKEN refreshToken"]
    );
    assert!(is_believed(&app, &other.access).await);
    pair(&refresh(&app, &other.refresh).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_and_forgeries_end_nothing() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    let (access, token) = pair(&refresh(&app, &first.refresh).await);
    wait(&app, TimeDelta::seconds(11));
    let body = token.strip_prefix("emr_").unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(body).unwrap();
    let mut forged = vec![
        String::new(),
        "x".to_owned(),
        "emr_".to_owned(),
        body.to_owned(),
        access.clone(),
        format!("{token}A"),
        token[..token.len() - 1].to_owned(),
        "A".repeat(100_000),
    ];
    // Of the same session, an earlier or later generation, another secret, another tag.
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        forged.push(format!("emr_{}", BASE64_URL_SAFE_NO_PAD.encode(altered)));
    }
    for forged in &forged {
        let refused = refresh(&app, forged).await;
        assert_eq!(
            mistakes(&refused),
            ["INVALID_TOKEN refreshToken"],
            "{forged:.100}"
        );
    }
    assert!(is_believed(&app, &access).await);
    pair(&refresh(&app, &token).await);
    assert_eq!(
        app.mails()
            .await
            .iter()
            .filter(|mail| mail.to == "ana@example.org")
            .count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_token_is_good_for_a_quarter_of_an_hour() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let before = app.app.clock.now();
    let login = login(&app, "ana@example.org", RIGHT).await;
    let (access, _) = pair(&login);
    let told = &login["credentials"]["accessTokenExpiresAt"];
    let told: DateTime<Utc> = told.as_str().unwrap().parse().unwrap();
    let lasts = told - before;
    // Told in whole seconds, and never too late.
    let least = TimeDelta::minutes(15) - TimeDelta::seconds(1);
    assert!(lasts >= least && lasts < TimeDelta::minutes(16), "{lasts}");
    wait(&app, TimeDelta::minutes(14));
    assert!(is_believed(&app, &access).await);
    wait(&app, TimeDelta::minutes(1));
    assert!(!is_believed(&app, &access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lasts_as_long_as_it_is_used_often_enough() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    for (remember, long) in [(false, TimeDelta::hours(12)), (true, TimeDelta::days(30))] {
        let nearly = long - TimeDelta::minutes(2);
        let with = json!({ "remember": remember });
        let login = login_with(&app, "ana@example.org", RIGHT, with).await;
        let told = &login["credentials"]["refreshTokenExpiresAt"];
        let told: DateTime<Utc> = told.as_str().unwrap().parse().unwrap();
        let lasts = told - app.app.clock.now();
        assert!(lasts > nearly && lasts <= long, "{lasts}");
        let (_, mut token) = pair(&login);
        for _ in 0..3 {
            wait(&app, nearly);
            (_, token) = pair(&refresh(&app, &token).await);
        }
        wait(&app, long);
        let over = refresh(&app, &token).await;
        assert_eq!(
            mistakes(&over),
            ["INVALID_TOKEN refreshToken"],
            "remembered: {remember}"
        );
    }
}

/// A session that has little left gives no access token that outlives it.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_of_a_session_is_useless_with_it() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let first = app.sign_in("ana@example.org").await;
    execute(
        &app,
        "update sessions set expires_at = now() + interval '1 minute'",
    )
    .await;
    assert!(is_believed(&app, &first.access).await);
    wait(&app, TimeDelta::minutes(2));
    assert!(!is_believed(&app, &first.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_eleven_sessions_the_one_idle_longest_ends_and_its_owner_is_told() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    let first = app.sign_in(email).await;
    let with = json!({ "deviceToken": first.device });
    let mut sessions = vec![(first.access, first.refresh)];
    for _ in 1..10 {
        wait(&app, TimeDelta::seconds(20));
        sessions.push(pair(&login_with(&app, email, RIGHT, with.clone()).await));
    }
    // The first is used, so the second is idle longest.
    wait(&app, TimeDelta::seconds(20));
    sessions[0] = pair(&refresh(&app, &sessions[0].1).await);
    let login = login_with(&app, email, RIGHT, with);
    let (eleventh, mails) = with_mails(&app, login).await;
    pair(&eleventh);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].to, email);
    for (number, (access, _)) in sessions.iter().enumerate() {
        assert_eq!(is_believed(&app, access).await, number != 1, "{number}");
    }
    assert_eq!(
        mistakes(&refresh(&app, &sessions[1].1).await),
        ["INVALID_TOKEN refreshToken"]
    );
    let listed = me(&app, &sessions[0].0).await["sessions"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(listed, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_often_at_once_has_ten_sessions() {
    let app = TestApp::new().await;
    if needs_server(&app, "who_signs_in_often_at_once_has_ten_sessions") {
        return;
    }
    app.member("ana@example.org").await;
    let mut all = Vec::new();
    // Three at once: of more, the fourth is asked for a challenge, as long as it is not known that the others are right.
    for _ in 0..6 {
        let three = (0..3).map(|_| login(&app, "ana@example.org", RIGHT));
        all.extend(join_all(three).await);
    }
    let mut believed = 0;
    for login in &all {
        believed += usize::from(is_believed(&app, &pair(login).0).await);
    }
    assert_eq!(believed, 10);
}

/// A refresh that races with the end of its session must not bring it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_it_is_refreshed_has_ended() {
    let app = TestApp::new().await;
    if needs_server(&app, "a_session_that_ends_while_it_is_refreshed_has_ended") {
        return;
    }
    app.member("ana@example.org").await;
    for _ in 0..10 {
        let session = app.sign_in("ana@example.org").await;
        let out = json!({ "refreshToken": session.refresh });
        let (refreshed, _, other) = tokio::join!(
            refresh(&app, &session.refresh),
            app.call(Some(&session.access), LOGOUT, out),
            refresh(&app, &session.refresh),
        );
        for payload in [refreshed, other] {
            if let Some(access) = payload["credentials"]["accessToken"].as_str() {
                assert!(!is_believed(&app, access).await);
            }
            if let Some(token) = payload["credentials"]["refreshToken"].as_str() {
                assert_eq!(
                    mistakes(&refresh(&app, token).await),
                    ["INVALID_TOKEN refreshToken"]
                );
            }
        }
    }
}
