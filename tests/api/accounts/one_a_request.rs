//! One attempt a request: neither aliases nor batches make more of it.

use serde_json::{Value, json};

use super::*;

fn attempt(email: &str) -> String {
    format!(
        r#"login(input: {{ email: "{email}", password: "{WRONG}", delivery: BODY }}) {{ errors {{ code }} }}"#
    )
}

const FAILURES: &str = "select count(*) from sign_in_failures";

#[track_caller]
fn codes(answer: &Value) -> Vec<&str> {
    let errors = answer["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let codes = errors.iter().map(|error| &error["extensions"]["code"]);
    codes.map(|code| code.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_aliases_the_first_is_run() {
    let app = TestApp::new().await;
    let (one, two) = (attempt("ana@example.org"), attempt("ben@example.org"));
    let answer = app
        .query(&format!("mutation {{ one: {one} two: {two} }}"))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(codes(&answer.body), ["BAD_REQUEST"]);
    assert_eq!(answer.body["errors"][0]["path"], json!(["two"]));
    let one = json!({ "errors": [{ "code": "INVALID_CREDENTIALS" }] });
    assert_eq!(answer.body["data"], json!({ "one": one, "two": null }));
    assert_eq!(count(&app, FAILURES).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_one_is_run() {
    let app = TestApp::new().await;
    let batch: Vec<Value> = (0..10)
        .map(|number| json!({ "query": format!("mutation {{ {} }}", attempt(&format!("a{number}@example.org"))) }))
        .collect();
    let answer = app.post(&Value::Array(batch)).await;
    assert_eq!(answer.status, 200);
    let answers = answer.body.as_array().unwrap();
    let ran = answers
        .iter()
        .filter(|answer| codes(answer).is_empty())
        .count();
    assert_eq!(ran, 1, "{:#}", answer.body);
    let refused = answers
        .iter()
        .filter(|answer| codes(answer) == ["BAD_REQUEST"])
        .count();
    assert_eq!(refused, 9, "{:#}", answer.body);
    assert_eq!(count(&app, FAILURES).await, 1);
}

/// Whatever the two are.
#[tokio::test(flavor = "multi_thread")]
async fn any_two_sensitive_mutations_are_one_too_many() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let access = app.sign_in("ana@example.org").await.access;
    let sensitive = [
        r#"register(input: { email: "x", password: "x", displayName: "x" }) { errors { code } }"#,
        r#"verifyEmail(input: { token: "x" }) { errors { code } }"#,
        r#"resendVerification(input: { email: "x" }) { errors { code } }"#,
        r#"login(input: { email: "x", password: "x" }) { errors { code } }"#,
        r#"completeTwoFactor(input: { twoFactorToken: "x", code: "x" }) { errors { code } }"#,
        r#"beginTwoFactor(input: { password: "x" }) { errors { code } }"#,
        r#"confirmTwoFactor(input: { code: "x" }) { errors { code } }"#,
        r#"disableTwoFactor(input: { password: "x", code: "x" }) { errors { code } }"#,
        r#"regenerateRecoveryCodes(input: { password: "x", code: "x" }) { errors { code } }"#,
        r#"requestPasswordReset(input: { email: "x" }) { errors { code } }"#,
        r#"resetPassword(input: { token: "x", newPassword: "x" }) { errors { code } }"#,
        r#"changePassword(input: { currentPassword: "x", newPassword: "x" }) { errors { code } }"#,
        r#"changeEmail(input: { newEmail: "x", password: "x" }) { errors { code } }"#,
        r#"deleteAccount(input: { password: "x" }) { errors { code } }"#,
        r#"createApiToken(input: { name: "x", scopes: [], password: "x" }) { errors { code } }"#,
    ];
    for (at, first) in sensitive.iter().enumerate() {
        let second = sensitive[(at + 1) % sensitive.len()];
        let both = format!("mutation {{ one: {first} two: {second} }}");
        let answer = query(&app, &format!("Bearer {access}"), &both).await;
        assert_eq!(codes(&answer.body), ["BAD_REQUEST"], "{both}");
        assert_eq!(answer.body["errors"][0]["path"], json!(["two"]), "{both}");
        assert!(
            answer.body["data"]["one"]["errors"][0]["code"].is_string(),
            "{both}"
        );
    }
}

/// What may go along with one.
#[tokio::test(flavor = "multi_thread")]
async fn one_beside_what_is_not_sensitive_runs() {
    let app = TestApp::new().await;
    let both = format!(
        "mutation {{ {} createChallenge {{ errors {{ code }} }} }}",
        attempt("ana@example.org")
    );
    let answer = app.query(&both).await;
    assert_eq!(answer.body.get("errors"), None, "{:#}", answer.body);
}

/// The second costs as much as if it had run: its price is known before.
#[tokio::test(flavor = "multi_thread")]
async fn both_are_paid_for() {
    let lifted = TestApp::new().await;
    let limited = Limited::beside(&lifted).await;
    let (one, two) = (attempt(&own_email("ana")), attempt(&own_email("ben")));
    let cost = async |mutation: String| {
        let answer = limited.call(1, &mutation, &Value::Null).await;
        let told = answer.header("ratelimit").unwrap();
        let left = told
            .split(';')
            .find_map(|part| part.strip_prefix("r="))
            .unwrap();
        3_000 - left.parse::<u64>().unwrap()
    };
    let alone = cost(format!("mutation {{ one: {one} }}")).await;
    assert!(alone >= 10, "{alone}");
    let together = cost(format!("mutation {{ one: {one} two: {two} }}")).await - alone;
    assert_eq!(together, 2 * alone);
}
