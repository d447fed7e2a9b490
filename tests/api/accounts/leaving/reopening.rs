//! Coming back to an account before it is erased.

use futures_util::future::join_all;

use super::*;

const REOPENED: &str = "Your account is open again";

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_again_in_time_has_everything_as_it_was() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    execute(
        &app,
        "update accounts set roles = '{LISTENER,ARTIST}', tier = 'PREMIUM'",
    )
    .await;
    let before = app.sign_in(ANA).await;
    let own = me(&app, &before.access).await;
    close(&app, &before.access).await;
    wait(&app, TimeDelta::days(29));
    an_hour_strikes(&app).await;

    let device = json!({ "deviceToken": before.device });
    let (login, mails) = with_mails(&app, login_with(&app, ANA, RIGHT, device)).await;
    assert_eq!(mistakes(&login), NONE);
    assert_eq!(login["account"]["status"], "ACTIVE");
    let subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, [REOPENED], "the device is known still");
    let access = login["credentials"]["accessToken"].as_str().unwrap();
    let again = me(&app, access).await;
    for field in ["id", "email", "status", "roles", "user"] {
        assert_eq!(again[field], own[field], "{field}");
    }
    // Nobody else came back with them.
    assert!(!is_believed(&app, &before.access).await);
    let refreshed = refresh(&app, &before.refresh).await;
    assert_eq!(mistakes(&refreshed), ["INVALID_TOKEN refreshToken"]);

    // What was to come does not.
    wait(&app, TimeDelta::days(10));
    an_hour_strikes(&app).await;
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("ACTIVE"));
    assert_eq!(
        count(
            &app,
            "select count(*) from accounts where erase_at is not null"
        )
        .await,
        0
    );
    assert_eq!(mistakes(&super::super::login(&app, ANA, RIGHT).await), NONE);
}

/// Whether or not it is erased by then.
#[tokio::test(flavor = "multi_thread")]
async fn from_the_moment_that_was_told_there_is_no_way_back() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    let due = "update accounts set erase_at = now() + interval '1 minute'";
    execute(&app, due).await;
    wait(&app, TimeDelta::minutes(1));
    let late = login(&app, ANA, RIGHT).await;
    assert_eq!(mistakes(&late), ["INVALID_CREDENTIALS"]);
    assert_eq!(late["account"], Value::Null);
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
    wait(&app, TimeDelta::minutes(-1));
    assert_eq!(mistakes(&login(&app, ANA, RIGHT).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_brings_nobody_back_and_says_what_it_always_says() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    let (wrong, mails) = with_mails(&app, login(&app, ANA, WRONG)).await;
    assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"]);
    assert!(mails.is_empty(), "{mails:#?}");
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
}

/// The mail shows whose the account is, but it is the sign-in that opens it.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_forgotten_the_password_comes_back_by_a_new_one() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    let token = reset_token(&app, ANA).await;
    assert_eq!(mistakes(&reset(&app, &token, NEW_PASSWORD).await), NONE);
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
    assert_eq!(
        mistakes(&login(&app, ANA, RIGHT).await),
        ["INVALID_CREDENTIALS"]
    );
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
    let (login, mails) = with_mails(&app, login(&app, ANA, NEW_PASSWORD)).await;
    assert_eq!(login["account"]["status"], "ACTIVE", "{login}");
    assert!(
        mails.iter().any(|mail| mail.subject == REOPENED),
        "{mails:#?}"
    );
}

/// A thief changes the address and closes the account: its owner has it back by the link that went to the old one.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_back_a_change_of_address_takes_back_the_account() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let thief = app.sign_in(ANA).await.access;
    let input = json!({ "newEmail": "eve@example.org", "password": RIGHT });
    let asked = payload(&app, Some(&thief), CHANGE_EMAIL, input);
    let (_, mails) = with_mails(&app, asked).await;
    let undo = token_to(&mails, ANA, "undo-email#token=");
    let confirm = token_to(&mails, "eve@example.org", "confirm-email#token=");
    assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
    close(&app, &thief).await;
    wait(&app, TimeDelta::days(6));
    assert_eq!(mistakes(&verify(&app, &undo).await), NONE);
    let token = token_to(&app.mails().await, ANA, "reset-password#token=");
    assert_eq!(mistakes(&reset(&app, &token, NEW_PASSWORD).await), NONE);
    let login = login(&app, ANA, NEW_PASSWORD).await;
    assert_eq!(login["account"]["status"], "ACTIVE", "{login}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_was_suspended_is_not_reopened_and_is_erased_all_the_same() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    execute(&app, "update accounts set status = 'SUSPENDED'").await;
    assert_eq!(mistakes(&login(&app, ANA, RIGHT).await), ["SUSPENDED"]);
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("SUSPENDED"));
    wait(&app, TimeDelta::days(30));
    an_hour_strikes(&app).await;
    assert_eq!(status_of(&app, ANA).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_who_sign_in_at_once_all_are_in_and_one_mail_tells_of_it() {
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    let logins = join_all((0..3).map(|_| login(&app, ANA, RIGHT)));
    let (logins, mails) = with_mails(&app, logins).await;
    for login in logins {
        assert_eq!(login["account"]["status"], "ACTIVE", "{login}");
    }
    let told = mails.iter().filter(|mail| mail.subject == REOPENED).count();
    assert_eq!(told, 1, "{mails:#?}");
}

/// Whoever runs the service makes an administrator of that address.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_makes_an_account_opens_it_again_in_time() {
    use empulse::accounts::{Installation, Role};
    let app = TestApp::new().await;
    closed(&app, ANA).await;
    let installation = || Installation {
        email: ANA.into(),
        display_name: "Ana".into(),
        password: NEW_PASSWORD.to_owned().into(),
        roles: vec![Role::Admin],
    };
    wait(&app, TimeDelta::days(31));
    assert!(
        app.accounts
            .install(installation(), empulse::catalogue::artist_of_account)
            .await
            .is_err()
    );
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("CLOSED"));
    wait(&app, TimeDelta::days(-2));
    let factor = "update accounts set two_factor_at = now(), totp_secret = '\\x00', totp_begun_at = now(), totp_last_step = 0";
    execute(&app, factor).await;
    let (_, mails) = with_mails(
        &app,
        app.accounts
            .install(installation(), empulse::catalogue::artist_of_account),
    )
    .await;
    let mut subjects: Vec<_> = mails.iter().map(|mail| mail.subject.as_str()).collect();
    subjects.sort_unstable();
    let told = [
        "Two-factor authentication is off",
        REOPENED,
        "Your password was changed",
    ];
    assert_eq!(subjects, told);
    for action in ["account.reopened", "two_factor.disabled"] {
        let told = format!(
            "select count(*) from (select action from audit_pending union all select action from audit_events) e
              where action = '{action}'"
        );
        assert_eq!(count(&app, &told).await, 1, "{action}");
    }
    assert_eq!(status_of(&app, ANA).await.as_deref(), Some("ACTIVE"));
    assert!(has_password(&app, ANA, NEW_PASSWORD).await);
}
