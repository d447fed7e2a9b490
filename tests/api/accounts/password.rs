//! A new password: by a mailed link, or by whoever has the old one.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::challenges::solution;
use super::*;

async fn change(app: &TestApp, access: &str, current: &str, new: &str) -> Value {
    let input = json!({ "currentPassword": current, "newPassword": new });
    payload(app, Some(access), CHANGE_PASSWORD, input).await
}

/// Passwords that nobody may have, each with its mistake.
const REFUSED: [(&str, &str); 4] = [
    ("short", "PASSWORD_TOO_SHORT newPassword"),
    ("password1234", "PASSWORD_COMPROMISED newPassword"),
    ("hello kim doe!", "PASSWORD_COMPROMISED newPassword"),
    ("annabel@example.org", "PASSWORD_COMPROMISED newPassword"),
];
const EMAIL: &str = "annabel@example.org";

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_not_taken_leaves_the_link_as_it_was() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let token = reset_token(&app, EMAIL).await;
    let long = "x y-".repeat(40);
    for (password, mistake) in REFUSED
        .into_iter()
        .chain([(&*long, "PASSWORD_TOO_LONG newPassword")])
    {
        let refused = reset(&app, &token, password).await;
        assert_eq!(mistakes(&refused), [mistake], "{password}");
        assert_eq!(refused["changed"], false);
    }
    assert!(has_password(&app, EMAIL, RIGHT).await);
    assert_eq!(mistakes(&reset(&app, &token, NEW_PASSWORD).await), NONE);
    assert!(has_password(&app, EMAIL, NEW_PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_reset_counts_once() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let token = reset_token(&app, EMAIL).await;
    let all = join_all((0..4).map(|_| reset(&app, &token, NEW_PASSWORD))).await;
    let changed = all
        .iter()
        .filter(|payload| payload["changed"] == true)
        .count();
    assert_eq!(changed, 1, "{all:?}");
    assert_eq!(
        mistakes(&reset(&app, &token, WRONG).await),
        ["INVALID_TOKEN token"]
    );
    assert!(!has_password(&app, EMAIL, WRONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_reset_is_good_for_an_hour_and_until_one_was_used() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let first = reset_token(&app, EMAIL).await;
    wait(&app, TimeDelta::hours(1));
    assert_eq!(
        mistakes(&reset(&app, &first, NEW_PASSWORD).await),
        ["INVALID_TOKEN token"]
    );
    // Somebody who asks again for another's address takes no link from them.
    let second = reset_token(&app, EMAIL).await;
    let third = reset_token(&app, EMAIL).await;
    wait(&app, TimeDelta::minutes(58));
    assert_eq!(mistakes(&reset(&app, &second, NEW_PASSWORD).await), NONE);
    assert_eq!(
        mistakes(&reset(&app, &third, NEW_PASSWORD).await),
        ["INVALID_TOKEN token"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_ends_all_sessions_forgets_all_devices_and_signs_nobody_in() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let one = app.sign_in(EMAIL).await;
    let two = app.sign_in(EMAIL).await;
    let token = reset_token(&app, EMAIL).await;
    let (done, mails) = with_mails(&app, reset(&app, &token, NEW_PASSWORD)).await;
    assert_eq!(mistakes(&done), NONE);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].to, EMAIL);
    for session in [&one, &two] {
        assert!(!is_believed(&app, &session.access).await);
        assert_eq!(
            mistakes(&refresh(&app, &session.refresh).await),
            ["INVALID_TOKEN refreshToken"]
        );
    }
    assert_eq!(
        count(&app, "select count(*) from sessions where ended_at is null").await,
        0
    );
    let with = json!({ "deviceToken": one.device });
    let login = login_with(&app, EMAIL, NEW_PASSWORD, with).await;
    assert_ne!(
        login["credentials"]["deviceToken"],
        json!(one.device),
        "it is a new device"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_lifts_the_lock() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    for number in 0..5 {
        let more = match number {
            0..3 => json!({}),
            _ => json!({ "challenge": solution(&app).await }),
        };
        login_with(&app, EMAIL, WRONG, more).await;
    }
    assert_eq!(
        mistakes(&login(&app, EMAIL, RIGHT).await),
        ["ACCOUNT_LOCKED"]
    );
    let token = reset_token(&app, EMAIL).await;
    assert_eq!(
        mistakes(&login(&app, EMAIL, RIGHT).await),
        ["ACCOUNT_LOCKED"]
    );
    assert_eq!(mistakes(&reset(&app, &token, NEW_PASSWORD).await), NONE);
    assert_eq!(mistakes(&login(&app, EMAIL, NEW_PASSWORD).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_a_reset_changes_nothing_and_tells_nobody_who_has_an_account() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let session = app.sign_in(EMAIL).await;
    register(&app, "una@example.org", PASSWORD, "Una").await;
    app.mails().await;
    let mut answers = Vec::new();
    for (email, links) in [
        (EMAIL, 1),
        ("una@example.org", 0),
        ("nobody@example.org", 0),
    ] {
        let request = app.call(None, REQUEST_RESET, json!({ "email": email }));
        let (answer, mails) = with_mails(&app, request).await;
        answers.push((answer.status, answer.body));
        let with_link = mails
            .iter()
            .filter(|mail| mail.text.contains("token="))
            .count();
        assert_eq!(with_link, links, "{email}: {mails:#?}");
        assert!(mails.iter().all(|mail| mail.to == email));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    assert!(is_believed(&app, &session.access).await);
    assert!(has_password(&app, EMAIL, RIGHT).await);
    let refused = payload(&app, None, REQUEST_RESET, json!({ "email": "x" })).await;
    assert_eq!(mistakes(&refused), ["INVALID_EMAIL email"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_resets_an_hour_are_asked_for_an_address_known_or_not() {
    let lifted = TestApp::new().await;
    let known = own_email("ana");
    lifted.member(&known).await;
    let limited = Limited::beside(&lifted).await;
    for email in [known, own_email("nobody")] {
        let mut elsewhere = 0;
        let mut ask = async |email: &str| {
            elsewhere += 1;
            limited
                .call(elsewhere, REQUEST_RESET, &json!({ "email": email }))
                .await
        };
        for _ in 0..5 {
            assert_eq!(mistakes(&only_field(ask(&email).await.data())), NONE);
        }
        for spelled in [email.clone(), email.to_uppercase()] {
            let answer = ask(&spelled).await;
            assert_eq!(answer.code(), "RATE_LIMITED");
            assert_eq!(answer.body["errors"][0]["extensions"]["limit"], 5);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_resets_an_hour_are_asked_for_by_a_network() {
    let lifted = TestApp::new().await;
    let limited = Limited::beside(&lifted).await;
    for host in 0..20 {
        let input = json!({ "email": own_email("nobody") });
        let answer = limited.call(host, REQUEST_RESET, &input).await;
        assert_eq!(mistakes(&only_field(answer.data())), NONE, "{host}");
    }
    let input = json!({ "email": own_email("nobody") });
    let answer = limited.call(20, REQUEST_RESET, &input).await;
    assert_eq!(answer.code(), "RATE_LIMITED");
    assert_eq!(answer.body["errors"][0]["extensions"]["limit"], 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_ends_the_other_sessions_only_and_tells_its_owner() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let other = app.sign_in(EMAIL).await;
    let own = app.sign_in(EMAIL).await;
    let waiting = reset_token(&app, EMAIL).await;
    let (changed, mails) = with_mails(&app, change(&app, &own.access, RIGHT, NEW_PASSWORD)).await;
    assert_eq!(mistakes(&changed), NONE);
    assert_eq!(changed["account"]["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(!is_believed(&app, &other.access).await);
    assert_eq!(
        mistakes(&refresh(&app, &other.refresh).await),
        ["INVALID_TOKEN refreshToken"]
    );
    assert!(is_believed(&app, &own.access).await);
    assert_eq!(mistakes(&refresh(&app, &own.refresh).await), NONE);
    assert!(!has_password(&app, EMAIL, RIGHT).await);
    assert!(has_password(&app, EMAIL, NEW_PASSWORD).await);
    // Who reads the mail comes before who knows the password.
    assert_eq!(mistakes(&reset(&app, &waiting, WRONG).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_refused_with_the_field_that_is_wrong() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let session = app.sign_in(EMAIL).await;
    for (password, mistake) in REFUSED {
        let refused = change(&app, &session.access, RIGHT, password).await;
        assert_eq!(mistakes(&refused), [mistake], "{password}");
        assert_eq!(refused["account"], Value::Null);
    }
    let refused = change(&app, &session.access, WRONG, NEW_PASSWORD).await;
    assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS currentPassword"]);
    assert!(has_password(&app, EMAIL, RIGHT).await);
    let anonymous = app
        .call(
            None,
            CHANGE_PASSWORD,
            json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD }),
        )
        .await;
    assert_eq!(anonymous.code(), "UNAUTHENTICATED");
}

/// Who has found somebody's device unlocked must not guess the password on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_current_password_counts_like_a_failed_sign_in() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let session = app.sign_in(EMAIL).await;
    let mut change_email = false;
    let mut guess = async |password: &str| {
        change_email = !change_email;
        match change_email {
            true => {
                let input = json!({ "newEmail": "new@example.org", "password": password });
                payload(&app, Some(&session.access), CHANGE_EMAIL, input).await
            }
            false => change(&app, &session.access, password, NEW_PASSWORD).await,
        }
    };
    for number in 0..5 {
        let code = mistakes(&guess(WRONG).await).remove(0);
        assert!(code.starts_with("INVALID_CREDENTIALS "), "{number}: {code}");
    }
    assert_eq!(
        mistakes(&login(&app, EMAIL, RIGHT).await),
        ["ACCOUNT_LOCKED"]
    );
    // Whoever is signed in has some tries of their own, so that others can't keep them from changing it.
    for number in 0..5 {
        let code = mistakes(&guess(WRONG).await).remove(0);
        assert!(code.starts_with("INVALID_CREDENTIALS "), "{number}: {code}");
    }
    for _ in 0..2 {
        let locked = guess(RIGHT).await;
        assert_eq!(mistakes(&locked), ["ACCOUNT_LOCKED"]);
        assert!(locked["errors"][0]["retryAt"].is_string());
    }
    wait(&app, TimeDelta::minutes(14));
    let renewed = refresh(&app, &session.refresh).await["credentials"].clone();
    wait(&app, TimeDelta::minutes(2));
    let access = renewed["accessToken"].as_str().unwrap();
    assert_eq!(
        mistakes(&change(&app, access, RIGHT, NEW_PASSWORD).await),
        NONE
    );
}

/// Two who know the old password set two new ones: the second has not known the password that it replaces.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_at_once_one_is_made() {
    let app = TestApp::new().await;
    if needs_server(&app, "of_two_changes_at_once_one_is_made") {
        return;
    }
    app.member(EMAIL).await;
    let one = app.sign_in(EMAIL).await;
    let two = app.sign_in(EMAIL).await;
    let (by_one, by_two) = tokio::join!(
        change(&app, &one.access, RIGHT, NEW_PASSWORD),
        change(&app, &two.access, RIGHT, WRONG),
    );
    let made = [&by_one, &by_two].map(|payload| payload["errors"] == json!([]));
    assert!(made[0] != made[1], "{by_one} {by_two}");
    assert_eq!(has_password(&app, EMAIL, NEW_PASSWORD).await, made[0]);
    assert_eq!(is_believed(&app, &one.access).await, made[0]);
    assert_eq!(is_believed(&app, &two.access).await, made[1]);
}

/// What is done at once to one account waits for the other; nobody gets an error for that.
#[tokio::test(flavor = "multi_thread")]
async fn signing_in_resetting_and_changing_at_once_never_fail_for_one_another() {
    let app = TestApp::new().await;
    if needs_server(
        &app,
        "signing_in_resetting_and_changing_at_once_never_fail_for_one_another",
    ) {
        return;
    }
    app.member(EMAIL).await;
    for round in 0..12 {
        let session = app.sign_in(EMAIL).await;
        let token = reset_token(&app, EMAIL).await;
        // A failure that is there to be forgiven by all.
        login(&app, EMAIL, WRONG).await;
        let (reset, changed, asked, logins) = tokio::join!(
            app.call(None, RESET, json!({ "token": token, "newPassword": RIGHT })),
            app.call(
                Some(&session.access),
                CHANGE_PASSWORD,
                json!({ "currentPassword": RIGHT, "newPassword": RIGHT }),
            ),
            app.call(
                Some(&session.access),
                CHANGE_EMAIL,
                json!({ "newEmail": "new@example.org", "password": RIGHT }),
            ),
            join_all((0..3).map(|_| app.call(None, LOGIN, login_input(EMAIL, RIGHT, json!({}))))),
        );
        for answer in [reset, changed, asked].into_iter().chain(logins) {
            let refused = answer.body["errors"][0]["extensions"]["code"].as_str();
            assert!(
                matches!(refused, None | Some("UNAUTHENTICATED")),
                "{round}: {:#}",
                answer.body
            );
        }
        execute(&app, "delete from sign_in_failures").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_is_done_whole_or_not_at_all() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let session = app.sign_in(EMAIL).await;
    let token = reset_token(&app, EMAIL).await;
    execute(
        &app,
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 's3cret'; end $$; \
         create trigger refuse before insert on jobs for each row execute function refuse()",
    )
    .await;
    let input = json!({ "token": token, "newPassword": NEW_PASSWORD });
    let answer = app.call(None, RESET, input).await;
    assert_eq!(answer.code(), "INTERNAL");
    execute(&app, "drop trigger refuse on jobs").await;
    assert!(is_believed(&app, &session.access).await);
    assert!(has_password(&app, EMAIL, RIGHT).await);
    assert_eq!(mistakes(&reset(&app, &token, NEW_PASSWORD).await), NONE);
}
