//! Signing in, by those who have the password and by those who have not.

use serde_json::{Value, json};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let known = app
        .call(
            None,
            LOGIN,
            login_input("ana@example.org", WRONG, json!({})),
        )
        .await;
    let unknown = app
        .call(
            None,
            LOGIN,
            login_input("ben@example.org", WRONG, json!({})),
        )
        .await;
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    let refused = only_field(known.data());
    assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS"]);
    assert_eq!(refused["account"], Value::Null);
    assert_eq!(refused["credentials"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_told_so() {
    let app = TestApp::new().await;
    let refused = login(&app, "ana", PASSWORD).await;
    assert_eq!(mistakes(&refused), ["INVALID_EMAIL email"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_that_none_can_be_are_wrong_and_nothing_else() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let with_zero = format!("{PASSWORD}\0");
    let twice = PASSWORD.repeat(2);
    let long = "x".repeat(200_000);
    for password in ["", " ", &with_zero, &twice, &long, &PASSWORD[1..]] {
        execute(&app, "delete from sign_in_failures").await;
        let refused = login(&app, "ana@example.org", password).await;
        assert_eq!(
            mistakes(&refused),
            ["INVALID_CREDENTIALS"],
            "{password:.40}"
        );
    }
}

/// Nobody learns of an account's state who has not its password.
#[tokio::test(flavor = "multi_thread")]
async fn unconfirmed_and_suspended_are_said_after_the_right_password_only() {
    let app = TestApp::new().await;
    register(&app, "una@example.org", PASSWORD, "Kim Doe").await;
    app.member("sue@example.org").await;
    execute(
        &app,
        "update accounts set status = 'SUSPENDED' where email = 'sue@example.org'",
    )
    .await;
    for (email, state) in [
        ("una@example.org", "UNVERIFIED"),
        ("sue@example.org", "SUSPENDED"),
    ] {
        let wrong = login(&app, email, WRONG).await;
        assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"]);
        let right = login(&app, email, PASSWORD).await;
        assert_eq!(mistakes(&right), [state]);
        assert_eq!(right["account"], Value::Null);
        assert_eq!(right["credentials"], Value::Null);
    }
    assert_eq!(count(&app, "select count(*) from sessions").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_in_the_answers_body_where_they_are_wanted_there() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let answer = app
        .call(
            None,
            LOGIN,
            login_input("ana@example.org", RIGHT, json!({})),
        )
        .await;
    assert_eq!(answer.header("set-cookie"), None);
    let login = only_field(answer.data());
    let credentials = &login["credentials"];
    for secret in ["accessToken", "refreshToken", "deviceToken"] {
        assert!(
            credentials[secret].as_str().unwrap().len() > 40,
            "{credentials}"
        );
    }
    assert_eq!(credentials["csrfToken"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_keeps_its_mark_and_a_new_one_is_told_of() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    let (first, mails) = with_mails(&app, login(&app, email, RIGHT)).await;
    assert!(mails.is_empty(), "the first device is no news: {mails:#?}");
    let device = first["credentials"]["deviceToken"].clone();
    let with = json!({ "deviceToken": device });
    let (again, mails) = with_mails(&app, login_with(&app, email, RIGHT, with)).await;
    assert_eq!(again["credentials"]["deviceToken"], device);
    assert!(mails.is_empty(), "{mails:#?}");
    let made_up = format!("emd_{}", "A".repeat(43));
    for unknown in ["", "emd_none", made_up.as_str()] {
        let with = json!({ "deviceToken": unknown });
        let (new, mails) = with_mails(&app, login_with(&app, email, RIGHT, with)).await;
        let mark = &new["credentials"]["deviceToken"];
        assert!(
            mark.is_string() && *mark != device && mark != unknown,
            "{new}"
        );
        assert_eq!(mails.len(), 1, "{mails:#?}");
        assert_eq!(mails[0].to, email);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_device_is_not_ones_own() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    app.member("ben@example.org").await;
    let device = app.sign_in("ana@example.org").await.device;
    app.sign_in("ben@example.org").await;
    let with = json!({ "deviceToken": device });
    let login = login_with(&app, "ben@example.org", RIGHT, with);
    let (login, mails) = with_mails(&app, login).await;
    assert_ne!(login["credentials"]["deviceToken"], json!(device));
    assert_eq!(mails.len(), 1, "{mails:#?}");
}

/// Hashes of the system before this one, and of weaker parameters, are kept until their owner comes.
#[tokio::test(flavor = "multi_thread")]
async fn an_older_hash_is_renewed_at_sign_in() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    // bcrypt of cost 4.
    let old = bcrypt::hash(RIGHT, 4).unwrap();
    execute(
        &app,
        &format!("update accounts set password_hash = '{old}'"),
    )
    .await;
    assert!(!has_password(&app, email, WRONG).await);
    let kept = "select count(*) from accounts where password_hash like '$2%'";
    assert_eq!(count(&app, kept).await, 1, "by whom had it wrong");
    assert!(has_password(&app, email, RIGHT).await);
    assert_eq!(count(&app, kept).await, 0);
    let new =
        "select count(*) from accounts where password_hash like '$argon2id$v=19$m=19456,t=2,%'";
    assert_eq!(count(&app, new).await, 1);
    assert!(has_password(&app, email, RIGHT).await);
}

/// The one renews what the other has just compared with; it is the same password still.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_have_the_right_password_at_once_both_sign_in_while_its_hash_is_renewed() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    for _ in 0..3 {
        let old = bcrypt::hash(RIGHT, 4).unwrap();
        execute(
            &app,
            &format!("update accounts set password_hash = '{old}'"),
        )
        .await;
        let two = (0..2).map(|_| login(&app, email, RIGHT));
        for login in futures_util::future::join_all(two).await {
            assert_eq!(mistakes(&login), NONE);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_signs_in_twenty_times_an_hour() {
    let lifted = TestApp::new().await;
    let email = own_email("ana");
    lifted.member(&email).await;
    let limited = Limited::beside(&lifted).await;
    let input = login_input(&email, RIGHT, json!({}));
    for host in 0..20 {
        // Of one /64, and whether it succeeds or not.
        let wrong = login_input(&format!("{host}{email}"), WRONG, json!({}));
        let input = if host % 2 == 0 { &input } else { &wrong };
        let answer = limited.call(host, LOGIN, input).await;
        assert_eq!(answer.status, 200, "{host}: {:#}", answer.body);
    }
    let answer = limited.call(99, LOGIN, &input).await;
    assert_eq!(answer.code(), "RATE_LIMITED");
    assert_eq!(answer.body["data"], json!({ "login": null }));
    let extensions = &answer.body["errors"][0]["extensions"];
    assert_eq!(
        (&extensions["limit"], &extensions["remaining"]),
        (&json!(20), &json!(0))
    );
    let retry_after = extensions["retryAfter"].as_u64().unwrap();
    assert!((1..=7_200).contains(&retry_after), "{extensions}");
    assert_eq!(
        answer.header("retry-after"),
        Some(retry_after.to_string().as_str())
    );
    let elsewhere = limited.elsewhere();
    let answer = elsewhere.call(0, LOGIN, &input).await;
    assert_eq!(
        mistakes(&only_field(answer.data())),
        NONE,
        "another network"
    );
}
