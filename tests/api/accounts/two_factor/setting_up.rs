//! Setting up a second factor: nothing changes until a code shows that the authenticator has the secret.

use super::*;

/// Nobody could read them again.
#[tokio::test(flavor = "multi_thread")]
async fn recovery_codes_are_shown_although_the_account_can_not_be_read_any_more() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    let authenticator = begun(&app, &access).await;
    // From the commit on that gives them.
    execute(
        &app,
        "create function take_away() returns trigger language plpgsql as $$ begin
           if to_regclass('accounts') is not null then alter table accounts rename to taken_away; end if;
           return null;
         end $$;
         create constraint trigger take_away after insert on recovery_codes
           deferrable initially deferred for each row execute function take_away()",
    )
    .await;
    let back = "alter table taken_away rename to accounts";
    let confirmed = confirm(&app, &access, &authenticator.code(&app)).await;
    execute(&app, back).await;
    let code = authenticator.next(&app);
    let renewed = regenerate(&app, &access, RIGHT, &code).await;
    execute(&app, back).await;
    for payload in [confirmed, renewed] {
        assert_eq!(codes_of(&payload).len(), 10);
        assert_eq!(payload["account"], Value::Null);
    }
    assert_eq!(factor(&app, &access).await["recoveryCodesLeft"], 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factor_is_begun_shown_confirmed_and_asked_for() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    let begun = begin(&app, &access, RIGHT).await;
    assert_eq!(mistakes(&begun), NONE);
    let authenticator = Authenticator::reading(begun["otpauthUri"].as_str().unwrap());
    assert_eq!(authenticator.issuer, "Empulse");
    assert_eq!(authenticator.account, EMAIL);
    assert_eq!(authenticator.secret_bytes(), 20);
    let picture = begun["qrCode"].as_str().unwrap();
    assert!(
        picture.contains("<svg ") && picture.ends_with("</svg>"),
        "{picture}"
    );
    // So far it is asked for nowhere.
    let own = factor(&app, &access).await;
    assert_eq!(
        (&own["twoFactorEnabled"], &own["recoveryCodesLeft"]),
        (&json!(false), &json!(0))
    );
    let login = first_step(&app, EMAIL, json!({})).await;
    assert_eq!(login["twoFactorToken"], Value::Null);
    assert!(login["credentials"]["accessToken"].is_string());

    let code = authenticator.code(&app);
    let (confirmed, mails) = with_mails(&app, confirm(&app, &access, &code)).await;
    let codes = codes_of(&confirmed);
    assert_eq!(
        confirmed["account"],
        json!({ "twoFactorEnabled": true, "recoveryCodesLeft": 10 })
    );
    let mut different = codes.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 10, "{codes:?}");
    assert!(codes.iter().all(|code| code.len() == 19), "{codes:?}");
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(
        (mails[0].to.as_str(), mails[0].subject.as_str()),
        (EMAIL, "Two-factor authentication is on")
    );

    // Who is signed in stays so; from now on a password alone signs nobody in.
    assert!(is_believed(&app, &access).await);
    let login = first_step(&app, EMAIL, json!({})).await;
    assert_eq!(mistakes(&login), NONE);
    assert_eq!(
        (&login["account"], &login["credentials"]),
        (&Value::Null, &Value::Null)
    );
    let token = login["twoFactorToken"].as_str().unwrap();
    let completed = complete(&app, token, &authenticator.next(&app)).await;
    assert_eq!(mistakes(&completed), NONE);
    assert_eq!(completed["account"]["email"], EMAIL);
    assert!(is_believed(&app, &text_of(&completed, "accessToken")).await);
    let told = [
        "two_factor.begun",
        "two_factor.enabled",
        "login.second_factor_asked",
    ];
    assert_eq!(
        trail(&app, &["two_factor", "login.second_factor"]).await,
        told
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_wants_what_it_says() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    assert_eq!(
        mistakes(&confirm(&app, &access, "000000").await),
        ["NOT_ENABLED"]
    );
    assert_eq!(
        mistakes(&disable(&app, &access, RIGHT, "000000").await),
        ["NOT_ENABLED"]
    );
    assert_eq!(
        mistakes(&regenerate(&app, &access, RIGHT, "000000").await),
        ["NOT_ENABLED"]
    );
    let wrong = begin(&app, &access, WRONG).await;
    assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS password"]);
    assert_eq!(
        (&wrong["otpauthUri"], &wrong["qrCode"]),
        (&Value::Null, &Value::Null)
    );

    let authenticator = begun(&app, &access).await;
    let wrong = authenticator.wrong(&app);
    for code in [wrong.as_str(), "", "12345", "7kq2-m9xa-0b1c-z5yt"] {
        execute(&app, "delete from sign_in_failures").await;
        let refused = confirm(&app, &access, code).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"], "{code}");
        assert_eq!(refused["recoveryCodes"], Value::Null);
    }
    let confirmed = confirm(&app, &access, &authenticator.code(&app)).await;
    codes_of(&confirmed);
    let again = confirm(&app, &access, &authenticator.next(&app)).await;
    assert_eq!(mistakes(&again), ["ALREADY_ENABLED"]);
    assert_eq!(
        mistakes(&begin(&app, &access, RIGHT).await),
        ["ALREADY_ENABLED"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_last_counts() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    let first = begun(&app, &access).await;
    let second = begun(&app, &access).await;
    let refused = confirm(&app, &access, &first.code(&app)).await;
    assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    codes_of(&confirm(&app, &access, &second.code(&app)).await);
}

/// Whoever began it knew a password that counts no more.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_before_another_password_is_nothing() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    let authenticator = begun(&app, &access).await;
    let input = json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD });
    let changed = payload(&app, Some(&access), CHANGE_PASSWORD, input).await;
    assert_eq!(mistakes(&changed), NONE);
    let late = confirm(&app, &access, &authenticator.code(&app)).await;
    assert_eq!(mistakes(&late), ["NOT_ENABLED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_confirms_within_an_hour_is_nothing() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let authenticator = begun(&app, &app.sign_in(EMAIL).await.access).await;
    wait(&app, TimeDelta::minutes(59));
    let access = app.sign_in(EMAIL).await.access;
    let pending = "select count(*) from accounts where totp_secret is not null";
    forgetting::forget(&app).await;
    assert_eq!(count(&app, pending).await, 1);
    wait(&app, TimeDelta::minutes(2));
    let late = confirm(&app, &access, &authenticator.code(&app)).await;
    assert_eq!(mistakes(&late), ["NOT_ENABLED"]);
    forgetting::forget(&app).await;
    assert_eq!(count(&app, pending).await, 0);
    // One in use is not forgotten, however old.
    let authenticator = begun(&app, &access).await;
    codes_of(&confirm(&app, &access, &authenticator.code(&app)).await);
    wait(&app, TimeDelta::days(400));
    forgetting::forget(&app).await;
    signed_in(&app, EMAIL, &authenticator.code(&app)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_confirmed_counts_no_more() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    let used = complete(&app, &token, &ana.authenticator.code(&app)).await;
    assert_eq!(mistakes(&used), ["INVALID_CODE code"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_who_confirm_at_once_one_gets_the_recovery_codes() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    let authenticator = begun(&app, &access).await;
    let code = authenticator.code(&app);
    let five = (0..5).map(|_| confirm(&app, &access, &code));
    let mut got = Vec::new();
    for confirmed in futures_util::future::join_all(five).await {
        match confirmed["recoveryCodes"].is_null() {
            false => got.push(codes_of(&confirmed)),
            true => assert_eq!(mistakes(&confirmed), ["ALREADY_ENABLED"]),
        }
    }
    assert_eq!(got.len(), 1);
    assert_eq!(count(&app, "select count(*) from recovery_codes").await, 10);
    let token = step_token(&app, EMAIL).await;
    assert_eq!(mistakes(&complete(&app, &token, &got[0][3]).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factor_is_taken_away_by_password_and_code() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let code = ana.authenticator.next(&app);
    for (password, code, mistake) in [
        (WRONG, code.as_str(), "INVALID_CREDENTIALS password"),
        (RIGHT, "", "INVALID_CODE code"),
        (RIGHT, "nonsense", "INVALID_CODE code"),
        (RIGHT, &ana.authenticator.wrong(&app), "INVALID_CODE code"),
    ] {
        execute(&app, "delete from sign_in_failures").await;
        let refused = disable(&app, &ana.access, password, code).await;
        assert_eq!(mistakes(&refused), [mistake]);
    }
    assert_eq!(factor(&app, &ana.access).await["twoFactorEnabled"], true);
    let waiting = step_token(&app, EMAIL).await;
    let (disabled, mails) = with_mails(&app, disable(&app, &ana.access, RIGHT, &code)).await;
    assert_eq!(mistakes(&disabled), NONE);
    assert_eq!(
        disabled["account"],
        json!({ "twoFactorEnabled": false, "recoveryCodesLeft": 0 })
    );
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].subject, "Two-factor authentication is off");
    assert!(is_believed(&app, &ana.access).await);
    app.sign_in(EMAIL).await;
    // What waited for a code waits in vain; it can be signed in without.
    let late = complete(&app, &waiting, &ana.recovery[0]).await;
    assert_eq!(mistakes(&late), ["INVALID_TOKEN twoFactorToken"]);
    let left =
        "select count(*) from accounts where totp_secret is not null or totp_last_step is not null";
    assert_eq!(count(&app, left).await, 0);

    // Another has another secret, and other codes.
    let again = begun(&app, &ana.access).await;
    assert_ne!(again.code(&app), ana.authenticator.code(&app));
    codes_of(&confirm(&app, &ana.access, &again.code(&app)).await);
    let token = step_token(&app, EMAIL).await;
    let old = complete(&app, &token, &ana.recovery[1]).await;
    assert_eq!(mistakes(&old), ["INVALID_CODE code"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_codes_are_renewed_by_password_and_code() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let refused = regenerate(&app, &ana.access, WRONG, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS password"]);
    let refused = regenerate(&app, &ana.access, RIGHT, &ana.authenticator.wrong(&app)).await;
    assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    let code = ana.authenticator.code(&app);
    let (renewed, mails) = with_mails(&app, regenerate(&app, &ana.access, RIGHT, &code)).await;
    let codes = codes_of(&renewed);
    assert_eq!(
        renewed["account"],
        json!({ "twoFactorEnabled": true, "recoveryCodesLeft": 10 })
    );
    assert!(codes.iter().all(|code| !ana.recovery.contains(code)));
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].subject, "Your recovery codes were renewed");
    let token = step_token(&app, EMAIL).await;
    let old = complete(&app, &token, &ana.recovery[0]).await;
    assert_eq!(mistakes(&old), ["INVALID_CODE code"]);
    assert_eq!(mistakes(&complete(&app, &token, &codes[9]).await), NONE);
    // By a recovery code too: who has lost the authenticator needs new ones.
    codes_of(&regenerate(&app, &ana.access, RIGHT, &codes[8]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_secret_nor_code_stands_in_the_database() {
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    let access = app.sign_in(EMAIL).await.access;
    let uri = begin(&app, &access, RIGHT).await["otpauthUri"].take();
    let authenticator = Authenticator::reading(uri.as_str().unwrap());
    let codes = codes_of(&confirm(&app, &access, &authenticator.code(&app)).await);
    let token = step_token(&app, EMAIL).await;
    let client = app.sql().await;
    let secret = authenticator.hex();
    for table in [
        "accounts",
        "recovery_codes",
        "second_steps",
        "jobs",
        "audit_pending",
        "audit_personal",
    ] {
        let rows = client
            .query(&format!("select t::text from {table} t"), &[])
            .await
            .unwrap();
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            let text: String = row.get(0);
            let plain: Vec<String> = codes.iter().map(|code| code.replace('-', "")).collect();
            let all = codes.iter().chain(&plain).chain([&secret, &token]);
            for secret in all {
                assert!(!text.contains(secret.as_str()), "{table}: {text}");
            }
        }
    }
    // Sealed for its row: in another's it opens nothing.
    app.member("eve@example.org").await;
    execute(
        &app,
        "update accounts e set totp_secret = a.totp_secret, totp_begun_at = a.totp_begun_at, \
         totp_last_step = a.totp_last_step, two_factor_at = a.two_factor_at \
         from accounts a where a.email = 'ana@example.org' and e.email = 'eve@example.org'",
    )
    .await;
    let token = step_token(&app, "eve@example.org").await;
    let input = json!({ "twoFactorToken": token, "code": authenticator.next(&app) });
    assert_eq!(app.call(None, COMPLETE, input).await.code(), "INTERNAL");
}
