//! Devices that are spared the second factor, because their owner chose so when giving it.

use serde_json::json;

use super::*;
use crate::accounts::cookies::Browser;

/// Signs in with a code on a device that is to be trusted; its token, and an access token.
async fn trusting(app: &TestApp, ana: &Enabled, device: Option<&str>) -> (String, String) {
    let with = json!({ "deviceToken": device });
    let token = step_token_with(app, EMAIL, with).await;
    let completed = complete_with(app, &token, &ana.authenticator.next(app), true).await;
    assert_eq!(mistakes(&completed), NONE);
    (
        text_of(&completed, "deviceToken"),
        text_of(&completed, "accessToken"),
    )
}

async fn is_spared(app: &TestApp, email: &str, device: &str) -> bool {
    let login = first_step(app, email, json!({ "deviceToken": device })).await;
    assert_eq!(mistakes(&login), NONE);
    match (
        login["credentials"].is_null(),
        login["twoFactorToken"].is_null(),
    ) {
        (false, true) => {
            // It stays the same device.
            assert_eq!(login["credentials"]["deviceToken"], device);
            true
        }
        (true, false) => false,
        _ => panic!("{login}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_device_is_asked_for_nothing_for_thirty_days() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let chose_nothing = signed_in(&app, EMAIL, &ana.authenticator.next(&app)).await;
    let other = text_of(&chose_nothing, "deviceToken");
    assert!(!is_spared(&app, EMAIL, &other).await);
    assert!(!is_spared(&app, EMAIL, &ana.device).await);
    let (device, access) = trusting(&app, &ana, Some(&ana.device)).await;
    assert!(is_spared(&app, EMAIL, &device).await);
    // What was about before it was trusted is not what is trusted.
    assert!(!is_spared(&app, EMAIL, &ana.device).await);

    let own = factor(&app, &access).await["trustedDevices"].take();
    let own = own.as_array().unwrap();
    assert_eq!(own.len(), 1, "{own:?}");
    let time = |name: &str| {
        own[0][name]
            .as_str()
            .unwrap()
            .parse::<chrono::DateTime<chrono::Utc>>()
            .unwrap()
    };
    assert_eq!(time("expiresAt") - time("createdAt"), TimeDelta::days(30));
    assert!(time("lastUsedAt") >= time("createdAt"));
    assert!(
        own[0]["id"].as_str().unwrap().starts_with("device_"),
        "{own:?}"
    );

    // It is used, and lasts no longer for that.
    wait(&app, TimeDelta::days(29));
    assert!(is_spared(&app, EMAIL, &device).await);
    wait(&app, TimeDelta::hours(25));
    assert!(!is_spared(&app, EMAIL, &device).await);
    let access = text_of(
        &signed_in(&app, EMAIL, &ana.authenticator.code(&app)).await,
        "accessToken",
    );
    assert_eq!(factor(&app, &access).await["trustedDevices"], json!([]));
    assert_eq!(trail(&app, &["device"]).await, ["device.trusted"]);
    // Whoever looks at the trail can tell how each came in.
    for (how, times) in [("CODE", 3), ("TRUSTED_DEVICE", 2)] {
        let told = format!(
            "select count(*) from (select action, details from audit_pending union all select action, details from audit_events) e
             where action = 'login.succeeded' and details::json ->> 'secondFactor' = '{how}'"
        );
        assert_eq!(count(&app, &told).await, times, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_spared_by_its_cookie() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let mut browser = Browser::default();
    let input = json!({ "email": EMAIL, "password": RIGHT });
    let login = only_field(browser.call(&app, LOGIN, input.clone()).await.data());
    let completion = json!({ "twoFactorToken": login["twoFactorToken"],
        "code": ana.authenticator.next(&app), "trustDevice": true });
    browser.call(&app, COMPLETE, completion).await;
    let device = browser.cookie("__Host-device").unwrap().to_owned();
    let login = only_field(browser.call(&app, LOGIN, input.clone()).await.data());
    assert_eq!(login["twoFactorToken"], Value::Null);
    assert!(login["credentials"]["accessToken"].is_string(), "{login}");
    assert_eq!(browser.cookie("__Host-device"), Some(device.as_str()));
    // A copy of the cookie without the password is nothing.
    let mut thief = Browser::default();
    thief.jar.insert("__Host-device".to_owned(), device);
    let wrong = json!({ "email": EMAIL, "password": WRONG });
    let login = only_field(thief.call(&app, LOGIN, wrong).await.data());
    assert_eq!(mistakes(&login), ["INVALID_CREDENTIALS"]);
}

/// However many others come: whoever has the password and a code begins a session on each.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_forgotten_for_another_while_it_is_trusted_only_if_all_others_are() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let (device, _) = trusting(&app, &ana, None).await;
    execute(
        &app,
        "insert into known_devices (id, account_id, token_hash, created_at, last_used_at)
         select gen_random_uuid(), id, sha256(number::text::bytea), now(), now() + interval '60 days'
           from accounts, generate_series(1, 18) number",
    )
    .await;
    let known = "select count(*) from known_devices";
    assert_eq!(count(&app, known).await, 20);
    for _ in 0..2 {
        signed_in(&app, EMAIL, &ana.authenticator.next(&app)).await;
        assert_eq!(count(&app, known).await, 20);
        assert!(is_spared(&app, EMAIL, &device).await);
    }
    // No longer than it is trusted.
    let late = "update known_devices set trusted_until = now() - interval '1 day', last_used_at = now() - interval '1 day'
                 where trusted_until is not null";
    execute(&app, late).await;
    let is_known = "select count(*) from known_devices where trusted_until is not null";
    assert_eq!(count(&app, is_known).await, 1);
    signed_in(&app, EMAIL, &ana.authenticator.next(&app)).await;
    assert_eq!(count(&app, is_known).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_cookie_moved_to_another_account_gives_nothing() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let eve = Enabled::new(&app, "eve@example.org").await;
    let (device, _) = trusting(&app, &ana, None).await;
    assert!(!is_spared(&app, "eve@example.org", &device).await);
    // Nor after Eve has given her own code with it, and had her own device trusted.
    let with = json!({ "deviceToken": device });
    let token = step_token_with(&app, "eve@example.org", with).await;
    let completed = complete_with(&app, &token, &eve.authenticator.next(&app), true).await;
    let hers = text_of(&completed, "deviceToken");
    assert_ne!(hers, device);
    assert!(!is_spared(&app, "eve@example.org", &device).await);
    assert!(!is_spared(&app, EMAIL, &hers).await);
    assert!(is_spared(&app, "eve@example.org", &hers).await);
    assert!(is_spared(&app, EMAIL, &device).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_device_is_revoked_by_its_owner_alone() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    app.member("eve@example.org").await;
    let eve = app.sign_in("eve@example.org").await.access;
    let (device, access) = trusting(&app, &ana, None).await;
    let id = factor(&app, &access).await["trustedDevices"][0]["id"].take();
    let node =
        format!("{{ node(id: {id}) {{ id ... on TrustedDevice {{ userAgent expiresAt }} }} }}");
    assert_eq!(app.data_as(&access, &node).await["node"]["id"], id);
    assert_eq!(app.data_as(&eve, &node).await["node"], Value::Null);
    let input = json!({ "trustedDeviceId": id });
    let unknown = ["NOT_FOUND trustedDeviceId"];
    let refused = payload(&app, Some(&eve), DISTRUST, input.clone()).await;
    assert_eq!(mistakes(&refused), unknown);
    for wrong in [
        "",
        "x",
        "device_01h455vb4pex5vsknk084sn02q",
        "track_01h455vb4pex5vsknk084sn02q",
    ] {
        let input = json!({ "trustedDeviceId": wrong });
        let refused = payload(&app, Some(&access), DISTRUST, input).await;
        assert_eq!(mistakes(&refused), unknown, "{wrong}");
    }
    assert!(is_spared(&app, EMAIL, &device).await);
    let revoked = payload(&app, Some(&access), DISTRUST, input.clone()).await;
    assert_eq!(
        revoked,
        json!({ "revokedId": id, "account": { "trustedDevices": [] }, "errors": [] })
    );
    assert!(!is_spared(&app, EMAIL, &device).await);
    assert_eq!(app.data_as(&access, &node).await["node"], Value::Null);
    let again = payload(&app, Some(&access), DISTRUST, input).await;
    assert_eq!(mistakes(&again), unknown);
    // Known it is still: that it signs in is no news.
    let token = step_token_with(&app, EMAIL, json!({ "deviceToken": device })).await;
    let code = ana.authenticator.next(&app);
    let (_, mails) = with_mails(&app, complete(&app, &token, &code)).await;
    assert!(mails.is_empty(), "{mails:#?}");
    assert_eq!(
        trail(&app, &["device"]).await,
        ["device.trusted", "device.distrusted"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_device_is_trusted_after_another_password_or_a_change_of_the_factor() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let devices = async || {
        count(
            &app,
            "select count(*) from known_devices where trusted_until is not null",
        )
        .await
    };

    let (device, access) = trusting(&app, &ana, None).await;
    assert_eq!(devices().await, 1);
    codes_of(&regenerate(&app, &access, RIGHT, &ana.authenticator.next(&app)).await);
    assert!(!is_spared(&app, EMAIL, &device).await);
    assert_eq!(devices().await, 0);

    let (device, access) = trusting(&app, &ana, None).await;
    let input = json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD });
    let changed = payload(&app, Some(&access), CHANGE_PASSWORD, input).await;
    assert_eq!(mistakes(&changed), NONE);
    let login = login_with(&app, EMAIL, NEW_PASSWORD, json!({ "deviceToken": device })).await;
    assert_eq!(login["credentials"], Value::Null);
    let link = reset_token(&app, EMAIL).await;
    assert_eq!(reset(&app, &link, RIGHT).await["changed"], true);

    let (device, _) = trusting(&app, &ana, None).await;
    let link = reset_token(&app, EMAIL).await;
    // To the same password: that it was set anew is what counts.
    assert_eq!(reset(&app, &link, RIGHT).await["changed"], true);
    assert!(!is_spared(&app, EMAIL, &device).await);

    let (device, access) = trusting(&app, &ana, None).await;
    let code = ana.authenticator.next(&app);
    assert_eq!(mistakes(&disable(&app, &access, RIGHT, &code).await), NONE);
    assert_eq!(devices().await, 0);
    let other = begun(&app, &access).await;
    codes_of(&confirm(&app, &access, &other.code(&app)).await);
    assert!(!is_spared(&app, EMAIL, &device).await);
}

/// What it was begun with is not shown to whoever was handed a part of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_token_shows_neither_devices_nor_how_many_codes_are_left() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let narrowed = tokens::narrowed(&ana.access, r#"check if scope("ACCOUNT_READ")"#);
    for field in ["trustedDevices { id }", "recoveryCodesLeft"] {
        let answer = query(
            &app,
            &format!("Bearer {narrowed}"),
            &format!("{{ me {{ {field} }} }}"),
        )
        .await;
        assert_eq!(answer.code(), "FORBIDDEN", "{field}");
    }
    // Who tried it is on the trail, as at the root.
    for field in ["Account.trustedDevices", "Account.recoveryCodesLeft"] {
        let tried = format!(
            "select count(*) from (select action, details from audit_pending
                                   union all select action, details from audit_events) e
              where action = 'access.refused' and details::json ->> 'field' = '{field}'"
        );
        assert_eq!(count(&app, &tried).await, 1, "{field}");
    }
    let me = app.data_as(&narrowed, "{ me { twoFactorEnabled } }").await;
    assert_eq!(me, json!({ "me": { "twoFactorEnabled": true } }));
}
