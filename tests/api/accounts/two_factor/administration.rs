//! Moderators and administrators need a second factor to use their rights in production.

use super::*;
use crate::accounts::admin::UPDATE;

const KEY: &str = "one:abababababababababababababababababababababababababababababababab";

/// An instance as production has it, over the stores of one that is not.
async fn in_production(app: &TestApp) -> TestApp {
    let settings = [
        ("EMPULSE_ENV", "production"),
        ("EMPULSE_RATE_FACTOR", "1000"),
        ("EMPULSE_PUBLIC_URL", "https://api.example.org"),
        ("EMPULSE_ALLOWED_ORIGINS", "https://www.example.org"),
        ("EMPULSE_SIGNING_KEYS", KEY),
        ("EMPULSE_ENCRYPTION_KEYS", KEY),
        ("EMPULSE_STORAGE_URL", "s3://bucket"),
        ("SMTP_URL", "smtps://mail.example.org"),
        // Named because production must name them. The test's own database is used, and a Redis that is away is done
        // without.
        ("DATABASE_URL", "postgres://127.0.0.1:1/none"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
    ];
    app.instance(&settings).await
}

/// Whether somebody's rights open what is for administrators: all of it, or nothing.
async fn may_administer(app: &TestApp, access: &str, other: &str) -> bool {
    let look = format!(
        "{{ node(id: \"{other}\") {{ id }} accounts(first: 1) {{ nodes {{ id }} }} auditLog(first: 1) {{ nodes {{ id }} }} }}"
    );
    let seen = query(app, &format!("Bearer {access}"), &look).await.body;
    let input = json!({ "accountId": other, "reason": "Nothing" });
    let changed = app.call(Some(access), UPDATE, input).await.body;
    let opened = [
        &seen["data"]["node"],
        &seen["data"]["accounts"],
        &seen["data"]["auditLog"],
        &changed["data"]["updateAccountAsAdmin"]["account"],
    ]
    .map(|found| !found.is_null());
    assert!(
        opened.iter().all(|is_open| *is_open == opened[0]),
        "{seen:#} {changed:#}"
    );
    opened[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_has_rights_in_production_by_a_second_factor_alone() {
    let app = TestApp::new().await;
    app.member("other@example.org").await;
    let other = me(&app, &app.sign_in("other@example.org").await.access).await["id"].take();
    let other = other.as_str().unwrap();
    app.member(EMAIL).await;
    execute(
        &app,
        &format!("update accounts set roles = '{{LISTENER,ADMIN}}' where email = '{EMAIL}'"),
    )
    .await;
    let here = app.sign_in(EMAIL).await.access;
    assert!(
        may_administer(&app, &here, other).await,
        "in development without"
    );

    let production = in_production(&app).await;
    let earlier = production.sign_in(EMAIL).await.access;
    let access = production.sign_in(EMAIL).await.access;
    assert!(!may_administer(&production, &access, other).await);
    let authenticator = begun(&production, &access).await;
    assert!(
        !may_administer(&production, &access, other).await,
        "not confirmed yet"
    );
    let recovery = codes_of(&confirm(&production, &access, &authenticator.code(&production)).await);
    // The session that showed it has the rights at once; one that knows the password alone has not.
    assert!(may_administer(&production, &access, other).await);
    assert!(!may_administer(&production, &earlier, other).await);

    let completed = signed_in(&production, EMAIL, &authenticator.next(&production)).await;
    let by_code = text_of(&completed, "accessToken");
    assert!(may_administer(&production, &by_code, other).await);
    let by_recovery = signed_in(&production, EMAIL, &recovery[0]).await;
    assert!(may_administer(&production, &text_of(&by_recovery, "accessToken"), other).await);
    let refreshed = refresh(&production, &text_of(&completed, "refreshToken")).await;
    assert!(may_administer(&production, &text_of(&refreshed, "accessToken"), other).await);

    // A device that is trusted has given one.
    let token = step_token(&production, EMAIL).await;
    let code = authenticator.next(&production);
    let trusting = complete_with(&production, &token, &code, true).await;
    let with = json!({ "deviceToken": text_of(&trusting, "deviceToken") });
    let spared = first_step(&production, EMAIL, with).await;
    assert!(may_administer(&production, &text_of(&spared, "accessToken"), other).await);

    // Without the factor nobody has them, however they signed in; with another, only those who gave that one.
    let code = authenticator.next(&production);
    assert_eq!(
        mistakes(&disable(&production, &access, RIGHT, &code).await),
        NONE
    );
    for access in [&access, &by_code] {
        assert!(!may_administer(&production, access, other).await);
    }
    let another = begun(&production, &access).await;
    codes_of(&confirm(&production, &access, &another.code(&production)).await);
    assert!(may_administer(&production, &access, other).await);
    assert!(!may_administer(&production, &by_code, other).await);
}

/// Whoever has no rights that need it has the same without: to send it again is the same request.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_it_away_and_administers_nothing_may_send_that_again() {
    let app = TestApp::new().await;
    let production = in_production(&app).await;
    app.member(EMAIL).await;
    let access = production.sign_in(EMAIL).await.access;
    let authenticator = begun(&production, &access).await;
    codes_of(&confirm(&production, &access, &authenticator.code(&production)).await);
    let code = authenticator.code_of_step(&production, 1);
    let input = json!({ "password": RIGHT, "code": code });
    let disables = || {
        let request = calling(&production, DISABLE, &input).bearer_auth(&access);
        send(request.header("idempotency-key", "8e03978e-40d5-43dd-bc93-6894a57f9324"))
    };
    let first = disables().await;
    assert_eq!(
        first.body["data"]["disableTwoFactor"]["errors"],
        json!([]),
        "{:#}",
        first.body
    );
    let again = disables().await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
}
