//! Against guessing: wrong codes count as wrong passwords do, and who has the password gains no tries by it.

use futures_util::future::join_all;

use super::*;
use crate::accounts::challenges::solution;

const FAILURES: &str = "select coalesce(sum(failures), 0) from sign_in_failures";

#[track_caller]
fn assert_locked(payload: &Value) {
    assert_eq!(mistakes(payload), ["ACCOUNT_LOCKED"]);
    assert_eq!(payload["credentials"], Value::Null);
    assert!(payload["errors"][0]["retryAt"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn five_wrong_codes_lock_the_address_and_its_owner_learns_that_the_password_is_known() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let guessing = async {
        for number in 0..5 {
            // The right password each time, as whoever has it would begin.
            let token = match number {
                0..3 => step_token(&app, EMAIL).await,
                _ => {
                    let with = json!({ "challenge": solution(&app).await });
                    step_token_with(&app, EMAIL, with).await
                }
            };
            let wrong = complete(&app, &token, &ana.authenticator.wrong(&app)).await;
            assert_eq!(mistakes(&wrong), ["INVALID_CODE code"], "{number}");
        }
    };
    let waiting = step_token(&app, EMAIL).await;
    let ((), mails) = with_mails(&app, guessing).await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(
        mails[0].text.contains("your right password"),
        "{}",
        mails[0].text
    );
    assert_locked(&first_step(&app, EMAIL, json!({})).await);
    // Neither a right code of a sign-in that was begun before.
    assert_locked(&complete(&app, &waiting, &ana.authenticator.next(&app)).await);
    assert_eq!(
        trail(&app, &["login.second_factor_refused"]).await,
        ["login.second_factor_refused"]
    );
    assert_eq!(count(&app, "select count(*) from sessions").await, 1);
    wait(&app, TimeDelta::minutes(15));
    signed_in(&app, EMAIL, &ana.authenticator.code(&app)).await;
    assert_eq!(count(&app, FAILURES).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_takes_no_failure_back_and_adds_none() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for _ in 0..20 {
        step_token(&app, EMAIL).await;
    }
    assert_eq!(count(&app, FAILURES).await, 0);
    let mut failures = 0;
    for _ in 0..2 {
        login(&app, EMAIL, WRONG).await;
        failures += 1;
        step_token(&app, EMAIL).await;
        assert_eq!(count(&app, FAILURES).await, failures);
    }
    let token = step_token(&app, EMAIL).await;
    complete(&app, &token, &ana.authenticator.wrong(&app)).await;
    assert_eq!(count(&app, FAILURES).await, 3);
    // Both together begin anew.
    assert_eq!(
        mistakes(&complete(&app, &token, &ana.authenticator.next(&app)).await),
        NONE
    );
    assert_eq!(count(&app, FAILURES).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_session_may_do_by_the_password_alone_takes_no_failure_back() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for failures in 1..=3 {
        let refused = disable(&app, &ana.access, RIGHT, &ana.authenticator.wrong(&app)).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
        let input = json!({ "currentPassword": RIGHT, "newPassword": RIGHT });
        let changed = payload(&app, Some(&ana.access), CHANGE_PASSWORD, input).await;
        assert_eq!(mistakes(&changed), NONE);
        assert_eq!(count(&app, FAILURES).await, failures);
    }
}

/// Whoever reads the mail could go on guessing codes else, five resets an hour.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_lifts_no_lock_where_there_is_a_second_factor() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    for _ in 0..5 {
        complete(&app, &token, &ana.authenticator.wrong(&app)).await;
    }
    let link = reset_token(&app, EMAIL).await;
    assert_eq!(reset(&app, &link, NEW_PASSWORD).await["changed"], true);
    assert_locked(&login(&app, EMAIL, NEW_PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_five_tries() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    for _ in 0..5 {
        let wrong = complete(&app, &token, &ana.authenticator.wrong(&app)).await;
        assert_eq!(mistakes(&wrong), ["INVALID_CODE code"]);
    }
    // Whatever the address' own count says.
    execute(&app, "delete from sign_in_failures").await;
    let sixth = complete(&app, &token, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&sixth), ["INVALID_TOKEN twoFactorToken"]);
    assert_eq!(count(&app, FAILURES).await, 0);
    let refused = async || trail(&app, &["login.second_factor_refused"]).await;
    assert_eq!(refused().await, ["login.second_factor_refused"]);
    // One that is over is nobody's.
    wait(&app, TimeDelta::minutes(5));
    let late = complete(&app, &token, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&late), ["INVALID_TOKEN twoFactorToken"]);
    assert_eq!(refused().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_forty_tries_at_once_five_are_looked_at() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let wrong = ana.authenticator.wrong(&app);
    // By one token, and each by its own.
    for count_of_tokens in [1, 8] {
        execute(&app, "delete from sign_in_failures").await;
        let mut tokens = Vec::new();
        for _ in 0..count_of_tokens {
            tokens.push(step_token(&app, EMAIL).await);
        }
        let tries = (0..40).map(|at| complete(&app, &tokens[at % tokens.len()], &wrong));
        let came: Vec<String> = join_all(tries).await.iter().flat_map(mistakes).collect();
        let looked_at = came
            .iter()
            .filter(|code| *code == "INVALID_CODE code")
            .count();
        assert_eq!(looked_at, 5, "{came:?}");
        assert_eq!(came.len(), 40);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_of_a_session_count_for_the_address() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for _ in 0..5 {
        let refused = disable(&app, &ana.access, RIGHT, &ana.authenticator.wrong(&app)).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    }
    assert_locked(&first_step(&app, EMAIL, json!({})).await);
    // As with passwords, who is signed in has some tries of their own, and then none either.
    for _ in 0..5 {
        let refused = regenerate(&app, &ana.access, RIGHT, &ana.authenticator.wrong(&app)).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    }
    let refused = disable(&app, &ana.access, RIGHT, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&refused), ["ACCOUNT_LOCKED"]);
    assert_eq!(
        trail(&app, &["second_factor"]).await,
        ["second_factor.failed"; 10]
    );
    assert_eq!(trail(&app, &["password"]).await, ["password.refused"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_of_what_is_not_confirmed_yet_are_guessed_no_oftener() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    let authenticator = begun(&app, &access).await;
    let wrong = authenticator.wrong(&app);
    for _ in 0..10 {
        assert_eq!(
            mistakes(&confirm(&app, &access, &wrong).await),
            ["INVALID_CODE code"]
        );
    }
    let refused = confirm(&app, &access, &authenticator.code(&app)).await;
    assert_eq!(mistakes(&refused), ["ACCOUNT_LOCKED"]);
    assert_eq!(
        trail(&app, &["two_factor.refused"]).await,
        ["two_factor.refused"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_device_may_give_its_code_during_a_lock() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for number in 0..5 {
        let with = match number {
            0..3 => json!({}),
            _ => json!({ "challenge": solution(&app).await }),
        };
        login_with(&app, EMAIL, WRONG, with).await;
    }
    assert_locked(&first_step(&app, EMAIL, json!({})).await);
    let with = json!({ "deviceToken": ana.device });
    let token = step_token_with(&app, EMAIL, with).await;
    assert_eq!(
        mistakes(&complete(&app, &token, &ana.authenticator.next(&app)).await),
        NONE
    );
}

/// Nobody finds a code by what can be none; whoever mistypes one is not to be locked out for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_no_code_is_not_counted() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    for typed in [
        "",
        " ",
        "1",
        "12345",
        "1234567",
        "abc",
        "no-code-at-all",
        "１２３４５６",
    ] {
        for tried in [
            complete(&app, &token, typed).await,
            disable(&app, &ana.access, RIGHT, typed).await,
            regenerate(&app, &ana.access, RIGHT, typed).await,
        ] {
            assert_eq!(mistakes(&tried), ["INVALID_CODE code"], "{typed:?}");
        }
    }
    assert_eq!(count(&app, FAILURES).await, 0);
    let code = ana.authenticator.next(&app);
    assert_eq!(mistakes(&complete(&app, &token, &code).await), NONE);
}
