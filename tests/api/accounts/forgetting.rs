//! What is forgotten, and when; and how many mails an address gets.

use chrono::TimeDelta;
use serde_json::json;

use super::{count, login, mistakes, payload, register, reset_token, token_to, verify, wait};
use crate::support::TestApp;

const EMAIL: &str = "kim@example.org";
const PASSWORD: &str = crate::support::PASSWORD;
const RESEND: &str = "mutation ($input: ResendVerificationInput!) {
    resendVerification(input: $input) { errors { code path } } }";

/// Lets the hour of forgetting come.
pub async fn forget(app: &TestApp) {
    let sql = app.sql().await;
    sql.batch_execute("delete from job_schedules")
        .await
        .unwrap();
    let runner = empulse::worker::runner(&app.accounts);
    assert!(runner.run_schedules(&app.app.db).await.unwrap() > 0);
    app.run_jobs().await;
    assert_eq!(count(app, "select count(*) from jobs").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_nobody_confirms_goes_after_seven_days() {
    let app = TestApp::new().await;
    register(&app, EMAIL, PASSWORD, "Kim").await;
    app.member("ana@example.org").await;
    wait(&app, TimeDelta::days(7) - TimeDelta::minutes(1));
    forget(&app).await;
    assert_eq!(
        mistakes(&login(&app, EMAIL, PASSWORD).await),
        ["UNVERIFIED"]
    );
    wait(&app, TimeDelta::minutes(2));
    forget(&app).await;
    assert_eq!(
        mistakes(&login(&app, EMAIL, PASSWORD).await),
        ["INVALID_CREDENTIALS"]
    );
    // Whoever did confirm stays.
    assert_eq!(count(&app, "select count(*) from accounts").await, 1);
    app.sign_in("ana@example.org").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_forgotten_and_what_goes_on_is_not() {
    const LEFT: &str = "select (select count(*) from sessions) + (select count(*) from mailed_tokens) \
                        + (select count(*) from sign_in_failures)";
    let app = TestApp::new().await;
    app.member(EMAIL).await;
    app.sign_in(EMAIL).await;
    reset_token(&app, EMAIL).await;
    login(&app, "nobody@example.org", "wrong-wrong-wrong").await;
    assert_eq!(count(&app, LEFT).await, 3);
    forget(&app).await;
    assert_eq!(count(&app, LEFT).await, 3);
    // The link is good for an hour, a failure counts for one and is kept for a day.
    wait(&app, TimeDelta::hours(2));
    forget(&app).await;
    assert_eq!(count(&app, LEFT).await, 2);
    wait(&app, TimeDelta::days(1));
    forget(&app).await;
    assert_eq!(count(&app, LEFT).await, 1);
    // A session is over after 12 hours, and known for a month more.
    wait(&app, TimeDelta::days(30));
    forget(&app).await;
    assert_eq!(count(&app, LEFT).await, 0);
}

/// What is not mailed must not make what was mailed worthless.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_five_mails_of_a_kind_an_hour_and_the_last_of_them_is_good() {
    let app = TestApp::with(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    let email = format!("{}@example.org", uuid::Uuid::now_v7().simple());
    register(&app, &email, PASSWORD, "Kim").await;
    for _ in 0..6 {
        let resent = payload(&app, None, RESEND, json!({ "email": email })).await;
        assert_eq!(mistakes(&resent), Vec::<String>::new());
    }
    let mails = app.mails().await;
    let to_them = mails.iter().filter(|mail| mail.to == email).count();
    assert_eq!(to_them, 5, "{mails:#?}");
    let token = token_to(&mails, &email, "verify?token=");
    assert_eq!(mistakes(&verify(&app, &token).await), Vec::<String>::new());
}
