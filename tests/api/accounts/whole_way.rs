//! From registering to recovering, as one person goes it.

use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_opened_used_and_recovered() {
    let app = TestApp::new().await;
    let email = "ana@example.org";

    let (registered, mails) = with_mails(&app, register(&app, email, PASSWORD, "Ana")).await;
    assert_eq!(registered, json!({ "accepted": true, "errors": [] }));
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let link = token_to(&mails, email, "verify?token=");
    let early = login(&app, email, PASSWORD).await;
    assert_eq!(mistakes(&early), ["UNVERIFIED"]);

    let (verified, welcome) = with_mails(&app, verify(&app, &link)).await;
    assert_eq!(verified, json!({ "verified": true, "errors": [] }));
    assert_eq!(welcome.len(), 1, "{welcome:#?}");
    assert_eq!(welcome[0].to, email);

    let login_payload = login(&app, email, PASSWORD).await;
    assert_eq!(mistakes(&login_payload), NONE);
    let credentials = &login_payload["credentials"];
    let access = credentials["accessToken"].as_str().unwrap();
    let own = me(&app, access).await;
    assert_eq!(own["email"], email);
    assert_eq!(own["status"], "ACTIVE");
    assert_eq!(own["roles"], json!(["LISTENER"]));
    assert_eq!(own["user"]["displayName"], "Ana");

    let refreshed = refresh(&app, credentials["refreshToken"].as_str().unwrap()).await;
    let access = refreshed["credentials"]["accessToken"].as_str().unwrap();
    assert_eq!(me(&app, access).await["id"], own["id"]);

    let change = json!({ "currentPassword": PASSWORD, "newPassword": NEW_PASSWORD });
    let change = payload(&app, Some(access), CHANGE_PASSWORD, change);
    let (changed, mails) = with_mails(&app, change).await;
    assert_eq!(mistakes(&changed), NONE);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert!(!has_password(&app, email, PASSWORD).await);
    assert!(has_password(&app, email, NEW_PASSWORD).await);

    let token = reset_token(&app, email).await;
    let recovered = reset(&app, &token, WRONG).await;
    assert_eq!(recovered, json!({ "changed": true, "errors": [] }));
    assert!(!has_password(&app, email, NEW_PASSWORD).await);
    assert!(has_password(&app, email, WRONG).await);
    assert!(!is_believed(&app, access).await, "from before the reset");
    let newest = refreshed["credentials"]["refreshToken"].as_str().unwrap();
    let from_before = refresh(&app, newest).await;
    assert_eq!(mistakes(&from_before), ["INVALID_TOKEN refreshToken"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirming_link_counts_once() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    let (_, mails) = with_mails(&app, register(&app, email, PASSWORD, "Ana")).await;
    let link = token_to(&mails, email, "verify?token=");
    let one = verify(&app, &link);
    let (one, two) = tokio::join!(one, verify(&app, &link));
    let mut verified = [one["verified"].clone(), two["verified"].clone()];
    verified.sort_by_key(|verified| verified.as_bool());
    assert_eq!(verified, [false, true]);
    app.run_jobs().await;
    let (again, mails) = with_mails(&app, verify(&app, &link)).await;
    assert_eq!(mistakes(&again), ["INVALID_TOKEN token"]);
    assert_eq!(again["verified"], false);
    assert!(mails.is_empty(), "{mails:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirming_link_is_good_for_a_day() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    let (_, mails) = with_mails(&app, register(&app, email, PASSWORD, "Ana")).await;
    let link = token_to(&mails, email, "verify?token=");
    wait(&app, TimeDelta::hours(24));
    assert_eq!(
        mistakes(&verify(&app, &link).await),
        ["INVALID_TOKEN token"]
    );
    let resend = payload(&app, None, RESEND, json!({ "email": email }));
    let (_, mails) = with_mails(&app, resend).await;
    let link = token_to(&mails, email, "verify?token=");
    wait(&app, TimeDelta::hours(23));
    assert_eq!(mistakes(&verify(&app, &link).await), NONE);
}

/// By the page that the mail leads to, rather than by the API.
#[tokio::test(flavor = "multi_thread")]
async fn the_mailed_page_confirms_the_address() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    let (_, mails) = with_mails(&app, register(&app, email, PASSWORD, "Ana")).await;
    let link = token_to(&mails, email, "verify?token=");
    let seen = app.client.get(app.url(&format!("/verify?token={link}")));
    assert_eq!(seen.send().await.unwrap().status(), 200);
    let still = login(&app, email, PASSWORD).await;
    assert_eq!(mistakes(&still), ["UNVERIFIED"], "a mail scanner's visit");
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let press = || client.post(app.url("/verify")).form(&[("token", &link)]);
    let pressed = press().send().await.unwrap();
    assert_eq!(pressed.status(), 303);
    let to = pressed.headers()["location"].to_str().unwrap();
    assert!(to.ends_with("/login?verified=true"), "{to}");
    assert!(has_password(&app, email, PASSWORD).await);
    assert_ne!(press().send().await.unwrap().status(), 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_mailed_token_opens_nothing() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let reset_link = reset_token(&app, "ana@example.org").await;
    let random = "A".repeat(43);
    let long = "A".repeat(100_000);
    for token in [
        "",
        "x",
        &random,
        &long,
        &reset_link,
        &format!("{reset_link} "),
    ] {
        let verified = verify(&app, token).await;
        assert_eq!(mistakes(&verified), ["INVALID_TOKEN token"], "{token:.50}");
    }
    // A link for one thing, brought to another, is as good as before.
    let done = reset(&app, &reset_link, NEW_PASSWORD).await;
    assert_eq!(mistakes(&done), NONE);
    let (_, mails) = with_mails(&app, register(&app, "ben@example.org", PASSWORD, "Ben")).await;
    let verify_link = token_to(&mails, "ben@example.org", "verify?token=");
    for token in ["", "x", &random, &long, &reset_link, &verify_link] {
        let done = reset(&app, token, NEW_PASSWORD).await;
        assert_eq!(mistakes(&done), ["INVALID_TOKEN token"], "{token:.50}");
    }
    assert_eq!(mistakes(&verify(&app, &verify_link).await), NONE);
}
