//! Closing an account that has a second factor, and coming back to it.

use super::*;

const DELETE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) {
    eraseAt errors { code path } } }";

async fn delete(app: &TestApp, access: &str, code: Option<&str>) -> Value {
    let input = json!({ "password": RIGHT, "code": code });
    payload(app, Some(access), DELETE, input).await
}

async fn status(app: &TestApp) -> String {
    let sql = app.sql().await;
    let row = sql.query_one("select status from accounts", &[]);
    row.await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_wants_a_code() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let wrong = ana.authenticator.wrong(&app);
    for code in [None, Some(""), Some(wrong.as_str())] {
        let refused = delete(&app, &ana.access, code).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"], "{code:?}");
        assert_eq!(refused["eraseAt"], Value::Null);
    }
    assert_eq!(status(&app).await, "ACTIVE");
    let code = ana.authenticator.next(&app);
    assert_eq!(
        mistakes(&delete(&app, &ana.access, Some(&code)).await),
        NONE
    );
    assert_eq!(status(&app).await, "CLOSED");
}

/// Whoever has the password alone brings nobody back.
#[tokio::test(flavor = "multi_thread")]
async fn coming_back_takes_both_steps() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let code = &ana.recovery[0];
    assert_eq!(mistakes(&delete(&app, &ana.access, Some(code)).await), NONE);
    let token = step_token(&app, EMAIL).await;
    assert_eq!(status(&app).await, "CLOSED");
    let wrong = complete(&app, &token, &ana.authenticator.wrong(&app)).await;
    assert_eq!(mistakes(&wrong), ["INVALID_CODE code"]);
    assert_eq!(status(&app).await, "CLOSED");
    let completed = complete(&app, &token, &ana.authenticator.next(&app)).await;
    assert_eq!(mistakes(&completed), NONE);
    assert_eq!(status(&app).await, "ACTIVE");
    let told = trail(&app, &["account."]).await;
    assert_eq!(
        told[told.len() - 2..],
        ["account.closed", "account.reopened"]
    );
}
