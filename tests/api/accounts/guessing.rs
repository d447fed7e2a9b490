//! Against guessing: challenges after three wrong passwords, a lock after five, and no way around them.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::challenges::solution;
use super::*;
use crate::support::SignedIn;

const FAILURES: &str = "select coalesce(sum(failures), 0) from sign_in_failures";

/// A try with a challenge solved.
async fn solved(app: &TestApp, email: &str, password: &str) -> Value {
    let challenge = solution(app).await;
    login_with(app, email, password, json!({ "challenge": challenge })).await
}

/// As many wrong passwords as there may be.
async fn lock(app: &TestApp, email: &str) {
    for number in 0..5 {
        let wrong = match number {
            0..3 => login(app, email, WRONG).await,
            _ => solved(app, email, WRONG).await,
        };
        assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"], "{number}");
    }
}

#[track_caller]
fn assert_locked(payload: &Value, app: &TestApp) {
    assert_eq!(mistakes(payload), ["ACCOUNT_LOCKED"]);
    assert_eq!(payload["credentials"], Value::Null);
    let retry_at = payload["errors"][0]["retryAt"].as_str().unwrap();
    let left = retry_at.parse::<DateTime<Utc>>().unwrap() - app.app.clock.now();
    assert!(
        left > TimeDelta::minutes(13) && left <= TimeDelta::minutes(15),
        "{left}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn challenge_and_lock_come_alike_with_an_account_and_without() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let mut stories = Vec::new();
    for email in ["ana@example.org", "nobody@example.org"] {
        let mut story = Vec::new();
        for _ in 0..4 {
            story.extend(mistakes(&login(&app, email, WRONG).await));
        }
        // The right one is not looked at either.
        story.extend(mistakes(&login(&app, email, RIGHT).await));
        for _ in 0..2 {
            story.extend(mistakes(&solved(&app, email, WRONG).await));
        }
        for password in [WRONG, RIGHT] {
            let locked = login(&app, email, password).await;
            assert_locked(&locked, &app);
            let locked = solved(&app, email, password).await;
            assert_locked(&locked, &app);
            story.push(locked["errors"][0]["message"].to_string());
        }
        stories.push(story);
    }
    let wrong = "INVALID_CREDENTIALS";
    let challenge = "CHALLENGE_REQUIRED challenge";
    assert_eq!(
        stories[0][..7],
        [wrong, wrong, wrong, challenge, challenge, wrong, wrong]
    );
    assert_eq!(stories[0], stories[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_ends_after_a_quarter_of_an_hour_and_leaves_nothing() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    let signed_in = app.sign_in(email).await;
    assert_eq!(
        me(&app, &signed_in.access).await["lockedUntil"],
        Value::Null
    );
    lock(&app, email).await;
    assert!(me(&app, &signed_in.access).await["lockedUntil"].is_string());
    wait(&app, TimeDelta::minutes(14));
    assert_eq!(
        mistakes(&login(&app, email, RIGHT).await),
        ["ACCOUNT_LOCKED"]
    );
    wait(&app, TimeDelta::minutes(1));
    for number in 0..3 {
        let wrong = login(&app, email, WRONG).await;
        assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"], "{number}");
    }
    assert_eq!(
        mistakes(&login(&app, email, RIGHT).await),
        ["CHALLENGE_REQUIRED challenge"]
    );
    assert_eq!(mistakes(&solved(&app, email, RIGHT).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_begins_anew() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    for _ in 0..3 {
        for _ in 0..2 {
            let wrong = login(&app, email, WRONG).await;
            assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"]);
        }
        assert_eq!(mistakes(&login(&app, email, RIGHT).await), NONE);
    }
    assert_eq!(count(&app, FAILURES).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_address_failed_is_not_held_against_another() {
    let app = TestApp::new().await;
    app.member("ben@example.org").await;
    lock(&app, "ana@example.org").await;
    assert_eq!(mistakes(&login(&app, "ben@example.org", RIGHT).await), NONE);
}

/// Spelling an address in another way is no way around the count.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_count_for_the_address_however_it_is_spelled() {
    let app = TestApp::new().await;
    register(&app, "jo@münchen.example", PASSWORD, "Kim Doe").await;
    let link = app.mails().await.last().unwrap().token();
    assert_eq!(mistakes(&verify(&app, &link).await), NONE);
    for email in [
        "jo@münchen.example",
        "JO@xn--mnchen-3ya.example",
        " Jo@MÜNCHEN.example",
    ] {
        let wrong = login(&app, email, WRONG).await;
        assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"]);
    }
    let next = login(&app, "jo@münchen.example", RIGHT).await;
    assert_eq!(mistakes(&next), ["CHALLENGE_REQUIRED challenge"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_device_may_still_try_during_a_lock_and_is_locked_by_itself() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    app.member("ben@example.org").await;
    let SignedIn { device, .. } = app.sign_in(email).await;
    let of_ben = app.sign_in("ben@example.org").await.device;
    lock(&app, email).await;
    for device in [json!(null), json!("emd_none"), json!(of_ben)] {
        let with = json!({ "deviceToken": device });
        assert_locked(&login_with(&app, email, RIGHT, with).await, &app);
    }
    let with = json!({ "deviceToken": device });
    let login = login_with(&app, email, RIGHT, with.clone()).await;
    assert_eq!(mistakes(&login), NONE);
    // Whoever guesses from elsewhere has gained nothing by that.
    assert_locked(&login_with(&app, email, RIGHT, json!({})).await, &app);

    for number in 0..5 {
        let mut with = with.clone();
        if number >= 3 {
            with["challenge"] = solution(&app).await;
        }
        let wrong = login_with(&app, email, WRONG, with).await;
        assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"], "{number}");
    }
    assert_locked(&login_with(&app, email, RIGHT, with).await, &app);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_told_of_a_lock_once() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    app.member(email).await;
    let ((), mails) = with_mails(&app, async {
        lock(&app, email).await;
        for _ in 0..3 {
            login(&app, email, WRONG).await;
        }
    })
    .await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].to, email);
    let ((), mails) = with_mails(&app, lock(&app, "nobody@example.org")).await;
    assert!(mails.is_empty(), "{mails:#?}");
    // The next lock is news again.
    wait(&app, TimeDelta::minutes(16));
    let ((), mails) = with_mails(&app, lock(&app, email)).await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_guesses_at_once_five_are_tried_and_all_are_counted() {
    let app = TestApp::new().await;
    if needs_server(
        &app,
        "of_forty_guesses_at_once_five_are_tried_and_all_are_counted",
    ) {
        return;
    }
    let email = "ana@example.org";
    app.member(email).await;
    let solutions = join_all((0..40).map(|_| solution(&app))).await;
    let guesses = solutions
        .into_iter()
        .map(|challenge| login_with(&app, email, WRONG, json!({ "challenge": challenge })));
    let came = join_all(guesses).await;
    let came: Vec<String> = came.iter().flat_map(mistakes).collect();
    let tried = came
        .iter()
        .filter(|code| *code == "INVALID_CREDENTIALS")
        .count();
    assert_eq!(tried, 5, "{came:?}");
    let locked = came.iter().filter(|code| *code == "ACCOUNT_LOCKED").count();
    assert_eq!(locked, 35, "{came:?}");
    assert_eq!(count(&app, FAILURES).await, 40);
    assert_locked(&login(&app, email, RIGHT).await, &app);
}

/// The same from a device that is known, which a lock does not hold up.
#[tokio::test(flavor = "multi_thread")]
async fn a_known_device_that_guesses_tries_ten_at_most() {
    let app = TestApp::new().await;
    if needs_server(&app, "a_known_device_that_guesses_tries_ten_at_most") {
        return;
    }
    let email = "ana@example.org";
    app.member(email).await;
    let device = app.sign_in(email).await.device;
    let solutions = join_all((0..20).map(|_| solution(&app))).await;
    let guesses = solutions.into_iter().map(|challenge| {
        let with = json!({ "challenge": challenge, "deviceToken": device });
        login_with(&app, email, WRONG, with)
    });
    let came = join_all(guesses).await;
    let came: Vec<String> = came.iter().flat_map(mistakes).collect();
    let tried = came
        .iter()
        .filter(|code| *code == "INVALID_CREDENTIALS")
        .count();
    assert!((5..=10).contains(&tried), "{came:?}");
}
