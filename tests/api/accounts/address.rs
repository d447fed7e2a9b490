//! Changing the address of an account: the new one has to be confirmed, and the old one can take it back.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::*;

const OLD: &str = "old@example.org";
const NEW: &str = "new@example.org";

async fn change(app: &TestApp, access: &str, new: &str) -> Value {
    let input = json!({ "newEmail": new, "password": RIGHT });
    payload(app, Some(access), CHANGE_EMAIL, input).await
}

/// Asks for a change; the token to confirm it, and the one to take it back.
async fn asked(app: &TestApp, access: &str, old: &str, new: &str) -> (String, String) {
    let (asked, mails) = with_mails(app, change(app, access, new)).await;
    assert_eq!(mistakes(&asked), NONE);
    assert_eq!(mails.len(), 2, "{mails:#?}");
    let confirm = token_to(&mails, new, "confirm-email#token=");
    (confirm, token_to(&mails, old, "undo-email#token="))
}

async fn addresses(app: &TestApp, access: &str) -> (Value, Value) {
    let own = me(app, access).await;
    (own["email"].clone(), own["pendingEmail"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_when_the_new_one_is_confirmed() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    let (confirm, _) = asked(&app, &access, OLD, NEW).await;
    assert_eq!(addresses(&app, &access).await, (json!(OLD), json!(NEW)));
    assert!(has_password(&app, OLD, RIGHT).await, "until then");
    assert!(!has_password(&app, NEW, RIGHT).await);
    assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
    assert_eq!(addresses(&app, &access).await, (json!(NEW), Value::Null));
    assert!(has_password(&app, NEW, RIGHT).await);
    assert!(!has_password(&app, OLD, RIGHT).await);
    assert_eq!(
        mistakes(&verify(&app, &confirm).await),
        ["INVALID_TOKEN token"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_and_an_address_are_needed() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    for (new, password, mistake) in [
        ("x", RIGHT, "INVALID_EMAIL newEmail"),
        ("", RIGHT, "INVALID_EMAIL newEmail"),
        (NEW, WRONG, "INVALID_CREDENTIALS password"),
    ] {
        let input = json!({ "newEmail": new, "password": password });
        let asked = payload(&app, Some(&access), CHANGE_EMAIL, input);
        let (refused, mails) = with_mails(&app, asked).await;
        assert_eq!(mistakes(&refused), [mistake]);
        assert!(mails.is_empty(), "{mails:#?}");
    }
    assert_eq!(addresses(&app, &access).await, (json!(OLD), Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_link_is_good_for_a_day_and_the_one_asked_for_last_counts() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    let (first, _) = asked(&app, &access, OLD, NEW).await;
    let (second, _) = asked(&app, &access, OLD, "newer@example.org").await;
    assert_eq!(addresses(&app, &access).await.1, "newer@example.org");
    assert_eq!(
        mistakes(&verify(&app, &first).await),
        ["INVALID_TOKEN token"]
    );
    wait(&app, TimeDelta::hours(24));
    assert_eq!(
        mistakes(&verify(&app, &second).await),
        ["INVALID_TOKEN token"]
    );
    let access = app.sign_in(OLD).await.access;
    assert_eq!(addresses(&app, &access).await, (json!(OLD), Value::Null));
}

/// Neither the answer nor what the account shows tells whether somebody has the address, who is told nothing they could
/// be tricked by.
#[tokio::test(flavor = "multi_thread")]
async fn a_taken_address_answers_like_one_that_is_free() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    app.member("taken@example.org").await;
    let access = app.sign_in(OLD).await.access;
    let mut seen = Vec::new();
    for new in ["taken@example.org", NEW] {
        let input = json!({ "newEmail": new, "password": RIGHT });
        let asked = app.call(Some(&access), CHANGE_EMAIL, input);
        let (answer, mails) = with_mails(&app, asked).await;
        let told: Vec<_> = mails.iter().filter(|mail| mail.to == OLD).collect();
        assert_eq!(told.len(), 1, "{mails:#?}");
        let (email, pending) = addresses(&app, &access).await;
        assert_eq!((email, pending), (json!(OLD), json!(new)));
        seen.push((answer.status, answer.body, told[0].subject.clone()));
        if let Some(mail) = mails
            .iter()
            .find(|mail| mail.to == new && mail.text.contains("token="))
        {
            let confirmed = verify(&app, &mail.token()).await;
            let expected = if new == NEW {
                vec![]
            } else {
                vec!["INVALID_TOKEN token"]
            };
            assert_eq!(mistakes(&confirmed), expected);
        } else {
            assert_ne!(new, NEW, "{mails:#?}");
        }
    }
    assert_eq!(seen[0], seen[1]);
    assert!(has_password(&app, "taken@example.org", RIGHT).await);
    assert_eq!(count(&app, "select count(*) from accounts").await, 2);
}

/// The address is, or stays, the old one, and whoever changed it is out.
#[tokio::test(flavor = "multi_thread")]
async fn the_old_address_takes_it_back_before_and_after() {
    for confirmed in [false, true] {
        let app = TestApp::new().await;
        app.member(OLD).await;
        let session = app.sign_in(OLD).await;
        let (confirm, undo) = asked(&app, &session.access, OLD, NEW).await;
        let mut waiting = Vec::new();
        if confirmed {
            assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
            waiting.push(reset_token(&app, NEW).await);
            wait(&app, TimeDelta::minutes(1));
        }
        assert_eq!(
            mistakes(&verify(&app, &undo).await),
            NONE,
            "confirmed: {confirmed}"
        );
        assert!(!is_believed(&app, &session.access).await);
        assert_eq!(
            mistakes(&refresh(&app, &session.refresh).await),
            ["INVALID_TOKEN refreshToken"]
        );
        for token in [&confirm, &undo] {
            assert_eq!(
                mistakes(&verify(&app, token).await),
                ["INVALID_TOKEN token"]
            );
        }
        for token in &waiting {
            let refused = reset(&app, token, NEW_PASSWORD).await;
            assert_eq!(mistakes(&refused), ["INVALID_TOKEN token"]);
        }
        // Whoever asked for the change knows the password, so it is nobody's now.
        for email in [OLD, NEW] {
            assert!(!has_password(&app, email, RIGHT).await, "{email}");
        }
        // The owner gets on from there, by a link that came without asking.
        let token = token_to(&app.mails().await, OLD, "reset-password#token=");
        assert_eq!(mistakes(&reset(&app, &token, NEW_PASSWORD).await), NONE);
        let login = login(&app, OLD, NEW_PASSWORD).await;
        let access = login["credentials"]["accessToken"].as_str().unwrap();
        assert_eq!(addresses(&app, access).await, (json!(OLD), Value::Null));
    }
}

/// Who is in changes it twice, so that the newer notice goes to an address of theirs.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_address_takes_it_back_from_all_later_ones() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    let (confirm, undo) = asked(&app, &access, OLD, NEW).await;
    assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
    let (confirm, later_undo) = asked(&app, &access, NEW, "newer@example.org").await;
    assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
    wait(&app, TimeDelta::days(6));
    assert_eq!(mistakes(&verify(&app, &undo).await), NONE);
    assert_eq!(
        mistakes(&verify(&app, &later_undo).await),
        ["INVALID_TOKEN token"]
    );
    assert_eq!(address_of_only_account(&app).await, OLD);
}

/// Who is in uses the newer notice, which went to an address of theirs: that must not take the older link from the owner.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_undo_leaves_the_first_one_good() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    let (confirm, undo) = asked(&app, &access, OLD, NEW).await;
    assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
    wait(&app, TimeDelta::minutes(1));
    let (_, later_undo) = asked(&app, &access, NEW, "newer@example.org").await;
    assert_eq!(mistakes(&verify(&app, &later_undo).await), NONE);
    assert_eq!(address_of_only_account(&app).await, NEW);
    assert_eq!(mistakes(&verify(&app, &undo).await), NONE);
    assert_eq!(address_of_only_account(&app).await, OLD);
}

async fn address_of_only_account(app: &TestApp) -> String {
    let sql = app.sql().await;
    let rows = sql.query("select email from accounts", &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    rows[0].get(0)
}

/// Anybody can begin an account with any address. That must not keep its owner from getting theirs back.
#[tokio::test(flavor = "multi_thread")]
async fn an_unconfirmed_registration_holds_up_neither_a_change_nor_its_undoing() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    register(&app, NEW, WRONG, "Eve").await;
    let (confirm, undo) = asked(&app, &access, OLD, NEW).await;
    assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
    register(&app, OLD, WRONG, "Eve").await;
    let registered = app.mails().await;
    assert_eq!(mistakes(&verify(&app, &undo).await), NONE);
    assert_eq!(address_of_only_account(&app).await, OLD);
    // What was begun there is gone.
    let link = token_to(&registered, OLD, "verify?token=");
    assert_eq!(
        mistakes(&verify(&app, &link).await),
        ["INVALID_TOKEN token"]
    );
    assert!(!has_password(&app, OLD, WRONG).await);
}

/// A link that went to an address which is the account's no more; its mailbox may have another reader by now.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_was_mailed_to_the_old_address_is_void_with_the_change() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    let (confirm, _) = asked(&app, &access, OLD, NEW).await;
    let mailed_before = reset_token(&app, OLD).await;
    assert_eq!(mistakes(&verify(&app, &confirm).await), NONE);
    let refused = reset(&app, &mailed_before, NEW_PASSWORD).await;
    assert_eq!(mistakes(&refused), ["INVALID_TOKEN token"]);
    assert!(has_password(&app, NEW, RIGHT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_accounts_that_want_one_address_one_gets_it() {
    let app = TestApp::new().await;
    let mut links = Vec::new();
    for email in ["ana@example.org", "ben@example.org"] {
        app.member(email).await;
        let access = app.sign_in(email).await.access;
        links.push(asked(&app, &access, email, NEW).await.0);
    }
    let done = join_all(links.iter().map(|link| verify(&app, link))).await;
    let got = done
        .iter()
        .filter(|payload| payload["verified"] == true)
        .count();
    assert_eq!(got, 1, "{done:?}");
    let lost = done
        .iter()
        .find(|payload| payload["verified"] == false)
        .unwrap();
    assert_eq!(mistakes(lost), ["INVALID_TOKEN token"]);
    assert_eq!(
        count(
            &app,
            "select count(*) from accounts where email_key = 'new@example.org'"
        )
        .await,
        1
    );
    assert_eq!(count(&app, "select count(*) from accounts").await, 2);
}

/// Who was told that the password changed meanwhile has no use for what was asked for before.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_voids_a_change_that_waits() {
    let app = TestApp::new().await;
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    let (confirm, _) = asked(&app, &access, OLD, NEW).await;
    let token = reset_token(&app, OLD).await;
    assert_eq!(mistakes(&reset(&app, &token, NEW_PASSWORD).await), NONE);
    assert_eq!(
        mistakes(&verify(&app, &confirm).await),
        ["INVALID_TOKEN token"]
    );
    assert!(has_password(&app, OLD, NEW_PASSWORD).await);
}

/// Confirming and asking anew hold the same rows; nobody gets an error for that.
#[tokio::test(flavor = "multi_thread")]
async fn following_links_while_others_are_asked_for_never_fails() {
    let app = TestApp::new().await;
    if needs_server(
        &app,
        "following_links_while_others_are_asked_for_never_fails",
    ) {
        return;
    }
    app.member(OLD).await;
    let access = app.sign_in(OLD).await.access;
    for round in 0..12 {
        // Another spelling of the address each time.
        let (is, becomes) = match addresses(&app, &access).await.0 == OLD {
            true => (OLD, "Old@example.org"),
            false => ("Old@example.org", OLD),
        };
        let (confirm, _) = asked(&app, &access, is, becomes).await;
        let input = json!({ "newEmail": becomes, "password": RIGHT });
        let (one, two, three, four) = tokio::join!(
            app.call(None, crate::support::VERIFY, json!({ "token": confirm })),
            app.call(Some(&access), CHANGE_EMAIL, input.clone()),
            app.call(Some(&access), CHANGE_EMAIL, input.clone()),
            app.call(
                Some(&access),
                CHANGE_PASSWORD,
                json!({ "currentPassword": RIGHT, "newPassword": RIGHT }),
            ),
        );
        for answer in [one, two, three, four] {
            assert_eq!(
                answer.body.get("errors"),
                None,
                "{round}: {:#}",
                answer.body
            );
        }
    }
}
