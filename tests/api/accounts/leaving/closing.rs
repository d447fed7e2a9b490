//! Closing an account.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::*;
use crate::accounts::api_tokens::api_token;

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_is_out_everywhere_at_once_and_told_how_to_come_back() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let (one, other) = (app.sign_in(ANA).await, app.sign_in(ANA).await);
    let script = api_token(&app, &one.access, "ACCOUNT_READ").await;
    assert!(is_believed(&app, &script).await);
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let (closed, mails) = with_mails(&app, delete(&app, &one.access, RIGHT)).await;
    assert_eq!(mistakes(&closed), NONE);
    let erase_at: DateTime<Utc> = closed["eraseAt"].as_str().unwrap().parse().unwrap();
    let away = erase_at - app.app.clock.now();
    assert_eq!((away + TimeDelta::minutes(1)).num_days(), 30, "{away}");
    for session in [&one, &other] {
        assert!(!is_believed(&app, &session.access).await);
        let refreshed = refresh(&app, &session.refresh).await;
        assert_eq!(mistakes(&refreshed), ["INVALID_TOKEN refreshToken"]);
    }
    assert!(!is_believed(&app, &script).await);
    assert!(is_believed(&app, &ben.access).await);
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
    let endings = "select count(*) from sessions where ended_because = 'CLOSED'";
    assert_eq!(count(&app, endings).await, 2);

    let [mail] = &mails[..] else {
        panic!("{mails:#?}")
    };
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        (ANA, "Your account is closed")
    );
    let told = erase_at.format("%-d %B %Y, %H:%M UTC").to_string();
    assert!(mail.text.contains(&told), "{}", mail.text);
    assert!(
        mail.text
            .contains("sign in, and your account is open again"),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("/login"), "{}", mail.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_needed_and_guessing_it_is_counted() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    for _ in 0..4 {
        let (refused, mails) = with_mails(&app, delete(&app, &access, WRONG)).await;
        assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS password"]);
        assert_eq!(refused["eraseAt"], Value::Null);
        assert!(mails.is_empty(), "{mails:#?}");
    }
    assert_eq!(
        mistakes(&delete(&app, &access, WRONG).await),
        ["INVALID_CREDENTIALS password"]
    );
    assert_eq!(mistakes(&login(&app, ANA, RIGHT).await), ["ACCOUNT_LOCKED"]);
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("ACTIVE"));
    assert!(is_believed(&app, &access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_a_closed_account_but_administrators() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    let own = me(&app, &access).await;
    let (account, user) = (own["id"].clone(), own["user"]["id"].clone());
    app.member("admin@example.org").await;
    make_admin(&app, "admin@example.org").await;
    let admin = app.sign_in("admin@example.org").await.access;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await.access;
    let look = format!(
        "{{ user: node(id: {user}) {{ id }} account: node(id: {account}) {{ ... on Account {{ status }} }} }}"
    );
    assert_eq!(app.data(&look).await["user"]["id"], user);

    close(&app, &access).await;
    let nothing = json!({ "user": null, "account": null });
    assert_eq!(app.data(&look).await, nothing);
    assert_eq!(app.data_as(&ben, &look).await, nothing);
    let seen = app.data_as(&admin, &look).await;
    assert_eq!(seen["account"]["status"], "CLOSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_stays_taken() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    let (again, mails) = with_mails(&app, register(&app, ANA, NEW_PASSWORD, "Ana")).await;
    assert_eq!(again["accepted"], true, "{again}");
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].subject, "You already have an account");
    assert_eq!(
        mistakes(&login(&app, ANA, NEW_PASSWORD).await),
        ["INVALID_CREDENTIALS"]
    );

    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await.access;
    let input = json!({ "newEmail": ANA, "password": RIGHT });
    let asked = payload(&app, Some(&ben), CHANGE_EMAIL, input);
    let (asked, mails) = with_mails(&app, asked).await;
    assert_eq!(mistakes(&asked), NONE);
    let to_ana: Vec<_> = mails.iter().filter(|mail| mail.to == ANA).collect();
    assert_eq!(to_ana.len(), 1, "{mails:#?}");
    assert_eq!(to_ana[0].subject, "You already have an account");
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
}

/// Of several at once one closes, and all are told the same.
#[tokio::test(flavor = "multi_thread")]
async fn closing_twice_closes_once() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let session = app.sign_in(ANA).await;
    let input = json!({ "password": RIGHT });
    let calls = (0..4).map(|_| app.call(Some(&session.access), DELETE, input.clone()));
    let (answers, mails) = with_mails(&app, join_all(calls)).await;
    let mut told = Vec::new();
    for answer in answers {
        match answer.status {
            200 => {
                let closed = only_field(answer.data());
                assert_eq!(mistakes(&closed), NONE);
                told.push(closed["eraseAt"].clone());
            }
            // Whoever came later was out already.
            _ => assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED")),
        }
    }
    assert!(!told.is_empty());
    assert!(told.iter().all(|erase_at| *erase_at == told[0]), "{told:?}");
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let later = app.call(Some(&session.access), DELETE, input).await;
    assert_eq!((later.status, later.code()), (401, "UNAUTHENTICATED"));
}

/// What waits to be confirmed is void: it was asked for by somebody who is out now.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_address_that_waits_does_not_come_to_pass() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    let input = json!({ "newEmail": "new@example.org", "password": RIGHT });
    let asked = payload(&app, Some(&access), CHANGE_EMAIL, input);
    let (_, mails) = with_mails(&app, asked).await;
    let confirm = token_to(&mails, "new@example.org", "confirm-email#token=");
    close(&app, &access).await;
    assert_eq!(
        mistakes(&verify(&app, &confirm).await),
        ["INVALID_TOKEN token"]
    );
    app.sign_in(ANA).await;
    assert_eq!(
        mistakes(&verify(&app, &confirm).await),
        ["INVALID_TOKEN token"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    make_admin(&app, ANA).await;
    // Neither of these administers.
    for (email, change) in [
        (
            "closed@example.org",
            "status = 'CLOSED', erase_at = now() + interval '30 days'",
        ),
        ("suspended@example.org", "status = 'SUSPENDED'"),
        ("moderator@example.org", "roles = '{LISTENER,MODERATOR}'"),
    ] {
        app.member(email).await;
        make_admin(&app, email).await;
        execute(
            &app,
            &format!("update accounts set {change} where email = '{email}'"),
        )
        .await;
    }
    let access = app.sign_in(ANA).await.access;
    // However often: a right password is no guess.
    for _ in 0..6 {
        let input = json!({ "password": RIGHT });
        let (answer, mails) = with_mails(&app, app.call(Some(&access), DELETE, input)).await;
        assert_eq!((answer.status, answer.code()), (200, "FORBIDDEN"));
        assert_eq!(answer.body["data"], json!({ "deleteAccount": null }));
        assert!(mails.is_empty(), "{mails:#?}");
    }
    assert!(is_believed(&app, &access).await);
    app.member("ben@example.org").await;
    make_admin(&app, "ben@example.org").await;
    close(&app, &access).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_last_administrators_who_leave_at_once_one_stays() {
    let app = TestApp::new().await;
    for round in 0..3 {
        let emails = [
            format!("a{round}@example.org"),
            format!("b{round}@example.org"),
        ];
        let mut calls = Vec::new();
        for email in &emails {
            app.member(email).await;
            make_admin(&app, email).await;
            let access = app.sign_in(email).await.access;
            calls.push(async {
                let access = access;
                app.call(Some(&access), DELETE, json!({ "password": RIGHT }))
                    .await
            });
        }
        let answers = join_all(calls).await;
        let refused = answers
            .iter()
            .filter(|answer| answer.body.get("errors").is_some());
        assert_eq!(refused.count(), 1, "{answers:#?}");
        execute(&app, "update accounts set roles = '{LISTENER}'").await;
    }
}
