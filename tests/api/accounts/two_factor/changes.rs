//! What a second factor keeps somebody from who has the password, or reads the mail.

use super::*;
use crate::accounts::api_tokens::CREATE as CREATE_API_TOKEN;

async fn change_email(app: &TestApp, access: &str, code: Option<&str>) -> Value {
    let input = json!({ "newEmail": "new@example.org", "password": RIGHT, "code": code });
    payload(app, Some(access), CHANGE_EMAIL, input).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_mail_leaves_the_factor_on() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let waiting = step_token(&app, EMAIL).await;
    let link = reset_token(&app, EMAIL).await;
    assert_eq!(reset(&app, &link, NEW_PASSWORD).await["changed"], true);
    let login = login(&app, EMAIL, NEW_PASSWORD).await;
    assert_eq!(
        (&login["account"], &login["credentials"]),
        (&Value::Null, &Value::Null)
    );
    let input = login_input(EMAIL, NEW_PASSWORD, json!({}));
    let login = payload(&app, None, LOGIN, input).await;
    let token = login["twoFactorToken"].as_str().unwrap();
    // What was begun with the old password is over.
    let late = complete(&app, &waiting, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&late), ["INVALID_TOKEN twoFactorToken"]);
    assert_eq!(
        mistakes(&complete(&app, token, &ana.recovery[0]).await),
        NONE
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_address_wants_a_code() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let wrong = ana.authenticator.wrong(&app);
    for code in [None, Some(""), Some(wrong.as_str())] {
        let asked = change_email(&app, &ana.access, code);
        let (refused, mails) = with_mails(&app, asked).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
        assert!(mails.is_empty(), "{mails:#?}");
    }
    // One that is missing or empty is no guess.
    let failures = "select coalesce(sum(failures), 0) from sign_in_failures";
    assert_eq!(count(&app, failures).await, 1);
    let code = ana.authenticator.next(&app);
    let asked = change_email(&app, &ana.access, Some(&code));
    let (asked, mails) = with_mails(&app, asked).await;
    assert_eq!(mistakes(&asked), NONE);
    assert_eq!(mails.len(), 2, "{mails:#?}");
    assert_eq!(count(&app, failures).await, 0);
    let again = change_email(&app, &ana.access, Some(&code)).await;
    assert_eq!(mistakes(&again), ["INVALID_CODE code"]);
    let by_recovery = change_email(&app, &ana.access, Some(&ana.recovery[0])).await;
    assert_eq!(mistakes(&by_recovery), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_no_factor_a_code_is_not_looked_at() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    for code in [None, Some("000000")] {
        assert_eq!(mistakes(&change_email(&app, &access, code).await), NONE);
    }
}

/// Asks for a change of address; the link that takes it back.
async fn undo_link(app: &TestApp, access: &str, code: Option<&str>) -> String {
    let (asked, mails) = with_mails(app, change_email(app, access, code)).await;
    assert_eq!(mistakes(&asked), NONE);
    let confirm = token_to(&mails, "new@example.org", "confirm-email#token=");
    assert_eq!(mistakes(&verify(app, &confirm).await), NONE);
    token_to(&mails, EMAIL, "undo-email#token=")
}

/// What whoever has the password sets up to keep the owner out, before they change the address or after it.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_change_of_address_back_is_not_kept_out_by_a_new_factor() {
    for is_before in [true, false] {
        let app = TestApp::new().await;
        app.member(EMAIL).await;
        let thief = app.sign_in(EMAIL).await.access;
        let undo = match is_before {
            true => {
                let authenticator = begun(&app, &thief).await;
                codes_of(&confirm(&app, &thief, &authenticator.code(&app)).await);
                undo_link(&app, &thief, Some(&authenticator.next(&app))).await
            }
            false => {
                let undo = undo_link(&app, &thief, None).await;
                let authenticator = begun(&app, &thief).await;
                codes_of(&confirm(&app, &thief, &authenticator.code(&app)).await);
                undo
            }
        };
        app.run_jobs().await;
        let (undone, mails) = with_mails(&app, verify(&app, &undo)).await;
        assert_eq!(mistakes(&undone), NONE);
        let told = mails
            .iter()
            .find(|mail| mail.to == EMAIL && mail.subject == "Two-factor authentication is off");
        assert!(told.is_some(), "{mails:#?}");
        let link = token_to(&mails, EMAIL, "reset-password#token=");
        assert_eq!(reset(&app, &link, RIGHT).await["changed"], true);
        let access = app.sign_in(EMAIL).await.access;
        let own = factor(&app, &access).await;
        assert_eq!(
            (&own["twoFactorEnabled"], &own["recoveryCodesLeft"]),
            (&json!(false), &json!(0))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_change_of_address_back_does_not_get_around_an_older_factor() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    wait(&app, TimeDelta::days(8));
    let with = json!({ "deviceToken": ana.device });
    let token = step_token_with(&app, EMAIL, with).await;
    let completed = complete_with(&app, &token, &ana.authenticator.code(&app), true).await;
    let (access, device) = (
        text_of(&completed, "accessToken"),
        text_of(&completed, "deviceToken"),
    );
    let undo = undo_link(&app, &access, Some(&ana.authenticator.next(&app))).await;
    let (undone, mails) = with_mails(&app, verify(&app, &undo)).await;
    assert_eq!(mistakes(&undone), NONE);
    let link = token_to(&mails, EMAIL, "reset-password#token=");
    assert_eq!(reset(&app, &link, RIGHT).await["changed"], true);
    // Nor does a device that was trusted.
    let token = step_token_with(&app, EMAIL, json!({ "deviceToken": device })).await;
    assert_eq!(
        mistakes(&complete(&app, &token, &ana.authenticator.next(&app)).await),
        NONE
    );
}

/// Who is put out while they wait gets nothing of what they asked for by the right password and the right code.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_out_by_the_time_that_it_is_their_turn_changes_nothing() {
    let app = TestApp::new().await;
    if needs_server(
        &app,
        "who_is_out_by_the_time_that_it_is_their_turn_changes_nothing",
    ) {
        return;
    }
    app.member(EMAIL).await;
    let out = "update sessions set ended_at = now(), ended_because = 'REVOKED'";
    for changed in [out, "update accounts set status = 'SUSPENDED'"] {
        let access = app.sign_in(EMAIL).await.access;
        let authenticator = begun(&app, &access).await;
        let input = json!({ "code": authenticator.code(&app) });
        let confirmed = app.call(Some(&access), CONFIRM, input);
        let confirmed = held_up(&app, confirmed, changed).await;
        assert_eq!(confirmed.code(), "UNAUTHENTICATED");
        execute(&app, "update accounts set status = 'ACTIVE'").await;

        let access = app.sign_in(EMAIL).await.access;
        let input = json!({ "newEmail": "new@example.org", "password": RIGHT });
        let asked = app.call(Some(&access), CHANGE_EMAIL, input);
        let asked = held_up(&app, asked, changed).await;
        assert_eq!(asked.code(), "UNAUTHENTICATED");
        execute(&app, "update accounts set status = 'ACTIVE'").await;
    }
    let is_on = "select count(*) from accounts where two_factor_at is not null";
    assert_eq!(count(&app, is_on).await, 0);
    let asked = "select count(*) from mailed_tokens where purpose = 'CHANGE_EMAIL'";
    assert_eq!(count(&app, asked).await, 0);
    // A right password is no failure.
    let failures = "select coalesce(sum(failures), 0) from sign_in_failures";
    assert_eq!(count(&app, failures).await, 0);
}

/// The one waits for the other, and finds what it was compared with gone.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_that_race_none_is_made_by_what_counts_no_more() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    for round in 0..5 {
        let access = app.sign_in(EMAIL).await.access;
        let authenticator = begun(&app, &access).await;
        let code = authenticator.code(&app);
        let asks_without = async {
            execute(&app, "delete from mailed_tokens").await;
            change_email(&app, &access, None).await
        };
        let (confirmed, changed) = futures_util::join!(confirm(&app, &access, &code), asks_without);
        codes_of(&confirmed);
        let mistakes_of_change = mistakes(&changed);
        // Before it was on, or not at all.
        match &mistakes_of_change[..] {
            [] => {}
            [only] => assert!(
                ["INVALID_CODE code", "INVALID_CREDENTIALS password"].contains(&only.as_str()),
                "{round}: {only}"
            ),
            several => panic!("{several:?}"),
        }
        let is_asked = count(
            &app,
            "select count(*) from mailed_tokens where purpose = 'CHANGE_EMAIL'",
        )
        .await;
        assert_eq!(is_asked == 1, mistakes_of_change.is_empty(), "{round}");
        execute(&app, "delete from sign_in_failures").await;
        let off = disable(&app, &access, RIGHT, &authenticator.next(&app)).await;
        assert_eq!(mistakes(&off), NONE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_token_wants_a_code() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let create = async |code: Option<&str>| {
        let scopes = ["ACCOUNT_READ"];
        let input = json!({ "name": "x", "scopes": scopes, "password": RIGHT, "code": code });
        payload(&app, Some(&ana.access), CREATE_API_TOKEN, input).await
    };
    let wrong = ana.authenticator.wrong(&app);
    for code in [None, Some(""), Some(wrong.as_str())] {
        let refused = create(code).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
        assert_eq!(refused["secret"], Value::Null);
    }
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 0);
    let code = ana.authenticator.next(&app);
    let (one, two) = tokio::join!(create(Some(&code)), create(Some(&code)));
    let mut told = [mistakes(&one), mistakes(&two)];
    told.sort();
    assert_eq!(told, [vec![], vec!["INVALID_CODE code".to_owned()]]);
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 1);
    // A script has no phone: it is let in without.
    let made = if one["secret"].is_string() { one } else { two };
    let secret = made["secret"].as_str().unwrap();
    assert!(is_believed(&app, secret).await);
}
