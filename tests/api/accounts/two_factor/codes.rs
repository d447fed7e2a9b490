//! Codes: which count, and that each does so once.

use futures_util::future::join_all;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_code_counts_once_and_none_after_a_later_one() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let (earlier, code) = (ana.authenticator.code(&app), ana.authenticator.next(&app));
    signed_in(&app, EMAIL, &code).await;
    let token = step_token(&app, EMAIL).await;
    for used in [&code, &earlier] {
        let refused = complete(&app, &token, used).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    }
    // Nor for anything else.
    let refused = disable(&app, &ana.access, RIGHT, &code).await;
    assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    let next = ana.authenticator.next(&app);
    assert_eq!(mistakes(&complete(&app, &token, &next).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_codes_of_the_steps_beside_count_too() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for (step, counts) in [(-2, false), (-1, true), (1, true), (2, false)] {
        execute(&app, "delete from sign_in_failures").await;
        wait(&app, TimeDelta::minutes(10));
        let token = step_token(&app, EMAIL).await;
        begin_step(&[&app]);
        let code = ana.authenticator.code_of_step(&app, step);
        let completed = complete(&app, &token, &code).await;
        assert_eq!(
            mistakes(&completed).is_empty(),
            counts,
            "{step}: {completed}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_read_as_people_type_them() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let code = ana.authenticator.next(&app);
    signed_in(&app, EMAIL, &format!(" {} {}\n", &code[..3], &code[3..])).await;
    let [first, second, third, ..] = &ana.recovery[..] else {
        panic!()
    };
    signed_in(&app, EMAIL, &first.to_uppercase()).await;
    signed_in(&app, EMAIL, &second.replace('-', "")).await;
    signed_in(&app, EMAIL, &third.replace('-', " ")).await;
    for odd in ["", " ", "\0", &"1".repeat(100_000), "१२३४५६"] {
        execute(&app, "delete from sign_in_failures").await;
        let token = step_token(&app, EMAIL).await;
        let refused = complete(&app, &token, odd).await;
        assert_eq!(mistakes(&refused), ["INVALID_CODE code"], "{odd:.20}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_code_counts_once_and_its_use_is_told() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let with = json!({ "deviceToken": ana.device });
    let token = step_token_with(&app, EMAIL, with).await;
    let (completed, mails) = with_mails(&app, complete(&app, &token, &ana.recovery[0])).await;
    assert_eq!(mistakes(&completed), NONE);
    assert_eq!(mails.len(), 1, "{mails:#?}");
    assert_eq!(mails[0].subject, "A recovery code was used");
    assert!(
        mails[0].text.contains("\nRecovery codes left: 9"),
        "{}",
        mails[0].text
    );
    assert_eq!(factor(&app, &ana.access).await["recoveryCodesLeft"], 9);
    let token = step_token(&app, EMAIL).await;
    let (again, mails) = with_mails(&app, complete(&app, &token, &ana.recovery[0])).await;
    assert_eq!(mistakes(&again), ["INVALID_CODE code"]);
    assert!(mails.is_empty(), "{mails:#?}");
    // The wrong one is told from the used one by nobody.
    let wrong = complete(&app, &token, "0000-0000-0000-0000").await;
    assert_eq!(wrong["errors"], again["errors"]);
    let wrong = complete(&app, &token, &ana.authenticator.wrong(&app)).await;
    assert_eq!(wrong["errors"], again["errors"]);
    let told = ["login.second_factor_failed"; 3];
    assert_eq!(trail(&app, &["login.second_factor_failed"]).await, told);
    assert_eq!(
        trail(&app, &["recovery_code"]).await,
        ["recovery_code.used"]
    );
}

/// Of two who had one code found right, one is told that it is wrong, as is its owner by the trail.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_somebody_else_used_meanwhile_is_a_failure_like_others() {
    let app = TestApp::new().await;
    if needs_server(
        &app,
        "a_code_that_somebody_else_used_meanwhile_is_a_failure_like_others",
    ) {
        return;
    }
    let ana = Enabled::new(&app, EMAIL).await;
    let code = ana.authenticator.next(&app);
    let asks = regenerate(&app, &ana.access, RIGHT, &code);
    let uses = "update accounts set totp_last_step = totp_last_step + 100";
    let refused = held_up(&app, asks, uses).await;
    assert_eq!(mistakes(&refused), ["INVALID_CODE code"]);
    let told = trail(&app, &["second_factor"]).await;
    assert_eq!(told, ["second_factor.failed"]);
    let failures = "select coalesce(sum(failures), 0) from sign_in_failures";
    assert_eq!(count(&app, failures).await, 1);
}

/// So many sign-ins that wait for their codes.
async fn waiting(app: &TestApp, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..count {
        tokens.push(step_token(app, EMAIL).await);
    }
    tokens
}

/// One code, each by a sign-in of its own, so that nothing but the code itself keeps the others out.
async fn tried_at_once(app: &TestApp, tokens: &[String], code: &str) -> Vec<String> {
    let tries = tokens.iter().map(|token| complete(app, token, code));
    let came = join_all(tries).await;
    let said = came.iter().map(|completed| match &mistakes(completed)[..] {
        [] => "IN".to_owned(),
        [only] => only.clone(),
        several => panic!("{several:?}"),
    });
    said.collect()
}

fn times(came: &[String], what: &str) -> usize {
    came.iter().filter(|said| *said == what).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_who_bring_one_code_at_once_one_is_let_in() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for by_authenticator in [true, false] {
        execute(&app, "delete from sign_in_failures").await;
        let tokens = waiting(&app, 100).await;
        let code = match by_authenticator {
            true => ana.authenticator.next(&app),
            false => ana.recovery[0].clone(),
        };
        let came = tried_at_once(&app, &tokens, &code).await;
        assert_eq!(times(&came, "IN"), 1, "{came:?}");
        let wrong = times(&came, "INVALID_CODE code");
        // The others find the address locked, but for those who come after the one that was let in, and begin anew.
        assert!(wrong <= 9, "{came:?}");
        assert_eq!(1 + wrong + times(&came, "ACCOUNT_LOCKED"), 100, "{came:?}");
    }
    let begun = "select count(*) from sessions where has_second_factor";
    // The one in which it was set up, and two.
    assert_eq!(count(&app, begun).await, 3);
    assert_eq!(factor(&app, &ana.access).await["recoveryCodesLeft"], 9);
}

/// So few that no lock comes in between: the statement alone decides, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn of_four_who_bring_one_code_at_once_one_is_let_in_each_time() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    for round in 0..10 {
        let code = match round % 2 {
            0 => ana.authenticator.next(&app),
            _ => ana.recovery[round / 2].clone(),
        };
        execute(&app, "delete from sign_in_failures").await;
        let tokens = waiting(&app, 4).await;
        let came = tried_at_once(&app, &tokens, &code).await;
        assert_eq!(
            (times(&came, "IN"), times(&came, "INVALID_CODE code")),
            (1, 3),
            "{came:?}"
        );
    }
}

/// One sign-in, two codes that are both good.
#[tokio::test(flavor = "multi_thread")]
async fn of_those_who_bring_one_token_at_once_one_is_let_in() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let token = step_token(&app, EMAIL).await;
    let tries = ana.recovery[..4]
        .iter()
        .map(|code| complete(&app, &token, code));
    let came = join_all(tries).await;
    let let_in = came
        .iter()
        .filter(|completed| mistakes(completed).is_empty())
        .count();
    assert_eq!(let_in, 1, "{came:?}");
    for completed in came
        .iter()
        .filter(|completed| !mistakes(completed).is_empty())
    {
        assert_eq!(mistakes(completed), ["INVALID_TOKEN twoFactorToken"]);
    }
    // The codes of the others are as good as before.
    assert_eq!(factor(&app, &ana.access).await["recoveryCodesLeft"], 9);
}

/// What is not done uses no code up.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_used_by_what_is_done_with_it_alone() {
    let app = TestApp::new().await;
    let ana = Enabled::new(&app, EMAIL).await;
    let code = &ana.recovery[0];
    let refused = disable(&app, &ana.access, WRONG, code).await;
    assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS password"]);
    let made_up = format!("ems_{}", "A".repeat(43));
    complete(&app, &made_up, code).await;
    assert_eq!(factor(&app, &ana.access).await["recoveryCodesLeft"], 10);
    assert_eq!(
        mistakes(&disable(&app, &ana.access, RIGHT, code).await),
        NONE
    );
}
