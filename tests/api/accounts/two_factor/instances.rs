//! Two instances over one database: what one was told counts at the other.

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_factor_of_one_instance_is_asked_for_by_the_other() {
    let one = TestApp::new().await;
    let two = one.instance(&[]).await;
    one.member(EMAIL).await;
    let access = one.sign_in(EMAIL).await.access;
    let authenticator = begun(&one, &access).await;
    begin_step(&[&one, &two]);
    codes_of(&confirm(&two, &access, &authenticator.code_of_step(&one, -1)).await);
    // Begun at one, gone on with at the other, and used up at both.
    let token = step_token(&one, EMAIL).await;
    let code = authenticator.code(&one);
    let completed = complete_with(&two, &token, &code, true).await;
    assert_eq!(mistakes(&completed), NONE);
    let again = complete(&one, &token, &code).await;
    assert_eq!(mistakes(&again), ["INVALID_TOKEN twoFactorToken"]);
    let token = step_token(&two, EMAIL).await;
    assert_eq!(
        mistakes(&complete(&one, &token, &code).await),
        ["INVALID_CODE code"]
    );
    let with = json!({ "deviceToken": text_of(&completed, "deviceToken") });
    let spared = first_step(&one, EMAIL, with).await;
    assert!(is_believed(&two, &text_of(&spared, "accessToken")).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_brought_to_two_instances_at_once_counts_once() {
    let one = TestApp::new().await;
    let two = one.instance(&[]).await;
    let ana = Enabled::new(&one, EMAIL).await;
    for code in &ana.recovery[..5] {
        execute(&one, "delete from sign_in_failures").await;
        let mut tries = Vec::new();
        for at in [&one, &two, &one, &two] {
            tries.push((at, step_token(at, EMAIL).await));
        }
        let tries = tries.iter().map(|(at, token)| complete(at, token, code));
        let came = join_all(tries).await;
        let let_in = came
            .iter()
            .filter(|completed| mistakes(completed).is_empty());
        assert_eq!(let_in.count(), 1, "{came:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tries_at_two_instances_are_counted_together() {
    let one = TestApp::new().await;
    let two = one.instance(&[]).await;
    let ana = Enabled::new(&one, EMAIL).await;
    let token = step_token(&one, EMAIL).await;
    let wrong = ana.authenticator.wrong(&one);
    let tries = (0..20).map(|at| complete([&one, &two][at % 2], &token, &wrong));
    let came: Vec<String> = join_all(tries).await.iter().flat_map(mistakes).collect();
    let looked_at = came
        .iter()
        .filter(|code| *code == "INVALID_CODE code")
        .count();
    assert_eq!(looked_at, 5, "{came:?}");
    let locked = first_step(&two, EMAIL, json!({})).await;
    assert_eq!(mistakes(&locked), ["ACCOUNT_LOCKED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_that_secrets_are_sealed_by_may_come_and_go() {
    let ring = |ids: &[&str]| {
        let keys = ids.iter().map(|id| format!("{id}:{}", id.repeat(64)));
        keys.collect::<Vec<_>>().join(",")
    };
    let one = TestApp::with(&[("EMPULSE_ENCRYPTION_KEYS", &ring(&["a"]))]).await;
    let ana = Enabled::new(&one, EMAIL).await;
    let two = one
        .instance(&[("EMPULSE_ENCRYPTION_KEYS", &ring(&["b", "a"]))])
        .await;
    signed_in(&two, EMAIL, &ana.authenticator.next(&two)).await;
    // Without the key nobody can tell whether a code is right, and nobody is let in.
    let three = one
        .instance(&[("EMPULSE_ENCRYPTION_KEYS", &ring(&["b"]))])
        .await;
    let token = step_token(&three, EMAIL).await;
    let code = ana.authenticator.code_of_step(&three, 1);
    let input = json!({ "twoFactorToken": token, "code": code });
    let answer = three.call(None, COMPLETE, input).await;
    assert_eq!(answer.code(), "INTERNAL");
    assert_eq!(answer.body["data"], json!({ "completeTwoFactor": null }));
}
