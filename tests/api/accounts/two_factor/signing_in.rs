//! The second step of signing in.

use serde_json::json;

use super::*;
use crate::accounts::cookies::Browser;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_chosen_with_the_password_holds_after_the_code() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for (remember, lasts) in [(false, TimeDelta::hours(12)), (true, TimeDelta::days(30))] {
        let token = step_token_with(&app, EMAIL, json!({ "remember": remember })).await;
        let input = json!({ "twoFactorToken": token, "code": ana.authenticator.next(&app) });
        let answer = app.call(None, COMPLETE, input).await;
        assert_eq!(answer.header("set-cookie"), None);
        let completed = only_field(answer.data());
        assert_eq!(mistakes(&completed), NONE);
        let access = text_of(&completed, "accessToken");
        let sessions = me(&app, &access).await["sessions"].take();
        let own = sessions
            .as_array()
            .unwrap()
            .iter()
            .find(|session| session["isCurrent"] == true);
        assert_eq!(own.unwrap()["isRemembered"], remember);
        let expires = text_of(&completed, "refreshTokenExpiresAt");
        let left = expires.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - app.app.clock.now();
        assert!((lasts - left).num_seconds().abs() < 60, "{left}");
        let refreshed = refresh(&app, &text_of(&completed, "refreshToken")).await;
        assert_eq!(mistakes(&refreshed), NONE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_its_secrets_in_cookies_after_the_code_and_none_before() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let mut browser = Browser::default();
    let input = json!({ "email": EMAIL, "password": RIGHT, "remember": true });
    let login = browser.call(&app, LOGIN, input).await;
    assert_eq!(login.header("cache-control"), Some("no-store"));
    let token = only_field(login.data())["twoFactorToken"].take();
    assert!(browser.jar.is_empty(), "{:?}", browser.jar);
    let wrong = json!({ "twoFactorToken": token, "code": "000 000" });
    browser.call(&app, COMPLETE, wrong).await;
    assert!(browser.jar.is_empty(), "{:?}", browser.jar);
    let input = json!({ "twoFactorToken": token, "code": ana.authenticator.next(&app) });
    let answer = browser.call(&app, COMPLETE, input).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let set: Vec<_> = browser.jar.keys().collect();
    assert_eq!(set, ["__Host-csrf", "__Host-device", "__Host-refresh"]);
    let credentials = only_field(answer.data())["credentials"].take();
    assert_eq!(
        (&credentials["refreshToken"], &credentials["deviceToken"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        credentials["csrfToken"],
        browser.cookie("__Host-csrf").unwrap()
    );
    let refreshed = browser.call(&app, REFRESH, Value::Null).await;
    assert_eq!(mistakes(&only_field(refreshed.data())), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_stays_known_and_a_new_one_is_told_of() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let with = json!({ "deviceToken": ana.device });
    let token = step_token_with(&app, EMAIL, with).await;
    let code = ana.authenticator.next(&app);
    let (completed, mails) = with_mails(&app, complete(&app, &token, &code)).await;
    assert!(mails.is_empty(), "{mails:#?}");
    // Under another name, as a copy of the last may be about.
    let device = text_of(&completed, "deviceToken");
    assert_ne!(device, ana.device);
    let with = json!({ "deviceToken": device });
    let token = step_token_with(&app, EMAIL, with).await;
    let code = ana.authenticator.next(&app);
    let (_, mails) = with_mails(&app, complete(&app, &token, &code)).await;
    assert!(mails.is_empty(), "{mails:#?}");
    for unknown in [json!(ana.device), json!(null)] {
        let with = json!({ "deviceToken": unknown });
        let token = step_token_with(&app, EMAIL, with).await;
        let code = ana.authenticator.next(&app);
        let (_, mails) = with_mails(&app, complete(&app, &token, &code)).await;
        assert_eq!(mails.len(), 1, "{mails:#?}");
        assert_eq!(mails[0].subject, "A new device signed in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_counts_once_and_for_five_minutes() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    assert_eq!(
        mistakes(&complete(&app, &token, &ana.authenticator.next(&app)).await),
        NONE
    );
    let again = complete(&app, &token, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&again), ["INVALID_TOKEN twoFactorToken"]);
    assert_eq!(again["credentials"], Value::Null);

    let (early, late) = (step_token(&app, EMAIL).await, step_token(&app, EMAIL).await);
    wait(&app, TimeDelta::seconds(290));
    assert_eq!(
        mistakes(&complete(&app, &early, &ana.authenticator.code(&app)).await),
        NONE
    );
    wait(&app, TimeDelta::seconds(30));
    let expired = complete(&app, &late, &ana.authenticator.code(&app)).await;
    assert_eq!(mistakes(&expired), ["INVALID_TOKEN twoFactorToken"]);
    assert_eq!(count(&app, "select count(*) from second_steps").await, 1);
    forgetting::forget(&app).await;
    assert_eq!(count(&app, "select count(*) from second_steps").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_of_a_second_step_opens_nothing() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let made_up = format!("ems_{}", "A".repeat(43));
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    for token in [
        "",
        "x",
        "ems_",
        made_up.as_str(),
        &ana.device,
        &ben.refresh,
        &ana.access,
    ] {
        let refused = complete(&app, token, &ana.authenticator.next(&app)).await;
        assert_eq!(
            mistakes(&refused),
            ["INVALID_TOKEN twoFactorToken"],
            "{token}"
        );
    }
    assert_eq!(
        count(&app, "select count(*) from sign_in_failures").await,
        0
    );
    // Nor is it anything else.
    let token = step_token(&app, EMAIL).await;
    assert!(!is_believed(&app, &token).await);
    let refused = refresh(&app, &token).await;
    assert_eq!(mistakes(&refused), ["INVALID_TOKEN refreshToken"]);
    let with = json!({ "deviceToken": token });
    let login = first_step(&app, EMAIL, with).await;
    assert!(login["twoFactorToken"].is_string(), "{login}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_code_of_another_account_is_no_code() {
    let app = TestApp::new().await;
    Enabled::new(&app, EMAIL).await;
    let eve = Enabled::new(&app, "eve@example.org").await;
    let token = step_token(&app, EMAIL).await;
    for code in [eve.authenticator.next(&app), eve.recovery[0].clone()] {
        let refused = complete(&app, &token, &code).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    }
    // Eve's are good still, where they belong.
    signed_in(&app, "eve@example.org", &eve.authenticator.code(&app)).await;
    signed_in(&app, "eve@example.org", &eve.recovery[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_answered_alike_with_a_factor_and_without() {
    let app = TestApp::new().await;
    Enabled::new(&app, EMAIL).await;
    app.member("ben@example.org").await;
    let mut answers = Vec::new();
    for email in [EMAIL, "ben@example.org", "nobody@example.org"] {
        let answer = app
            .call(None, LOGIN, login_input(email, WRONG, json!({})))
            .await;
        answers.push((answer.status, answer.body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

/// A client whose access token has run out may send it along.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_believed_is_in_nobodys_way() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    let input = json!({ "twoFactorToken": token, "code": ana.authenticator.next(&app) });
    let answer = app.call(Some("stale"), COMPLETE, input).await;
    assert_eq!(mistakes(&only_field(answer.data())), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_meanwhile_is_not_let_in() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    execute(&app, "update accounts set status = 'SUSPENDED'").await;
    let refused = complete(&app, &token, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&refused), ["SUSPENDED"]);
    assert_eq!(refused["credentials"], Value::Null);
    let refused = first_step(&app, EMAIL, json!({})).await;
    assert_eq!(mistakes(&refused), ["SUSPENDED"]);
    assert_eq!(refused["twoFactorToken"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn second_steps_of_a_network_are_limited_as_sign_ins_are() {
    let lifted = TestApp::new().await;
    let limited = Limited::beside(&lifted).await;
    let input = json!({ "twoFactorToken": "x", "code": "000000" });
    for host in 0..20 {
        let answer = limited.call(host, COMPLETE, &input).await;
        let refused = only_field(answer.data());
        assert_eq!(mistakes(&refused), ["INVALID_TOKEN twoFactorToken"]);
    }
    let answer = limited.call(99, COMPLETE, &input).await;
    assert_eq!(answer.code(), "RATE_LIMITED");
    assert_eq!(answer.body["data"], json!({ "completeTwoFactor": null }));
    let elsewhere = limited.elsewhere();
    assert_eq!(
        elsewhere.call(0, COMPLETE, &input).await.body.get("errors"),
        None
    );
}
