//! Puzzles, solved as a browser would: ALTCHA's proof of work.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::*;

const CREATE: &str = "mutation { createChallenge {
    challenge { provider siteKey parameters expiresAt } errors { code } } }";

/// A new puzzle.
async fn puzzle(app: &TestApp) -> Value {
    let mut payload = only_field(app.data(CREATE).await);
    assert_eq!(payload["errors"], json!([]), "{payload}");
    payload["challenge"].take()
}

/// What a widget would send of a new puzzle.
pub async fn solution(app: &TestApp) -> Value {
    let puzzle = puzzle(app).await["parameters"].take();
    let response = tokio::task::spawn_blocking(move || solve(&puzzle));
    json!({ "response": response.await.unwrap() })
}

fn solve(puzzle: &Value) -> String {
    let parameters = &puzzle["parameters"];
    let bytes = |name: &str| unhex(parameters[name].as_str().unwrap());
    let (nonce, salt, prefix) = (bytes("nonce"), bytes("salt"), bytes("keyPrefix"));
    let cost = parameters["cost"].as_u64().unwrap() as u32;
    let cost = NonZeroU32::new(cost).unwrap();
    let mut key = vec![0; parameters["keyLength"].as_u64().unwrap() as usize];
    for counter in 0_u32.. {
        let password = [&nonce[..], &counter.to_be_bytes()].concat();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, cost, &salt, &password, &mut key);
        if key.starts_with(&prefix) {
            let solution = json!({ "counter": counter, "derivedKey": hex(&key), "time": 1 });
            let response = json!({ "challenge": puzzle, "solution": solution });
            return BASE64_STANDARD.encode(response.to_string());
        }
    }
    panic!("no counter solves {puzzle}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    digits
        .map(|two| u8::from_str_radix(two, 16).unwrap())
        .collect()
}

/// Wrong passwords until a challenge is asked for.
async fn ask_for_one(app: &TestApp, email: &str) {
    for _ in 0..3 {
        let wrong = login(app, email, WRONG).await;
        assert_eq!(mistakes(&wrong), ["INVALID_CREDENTIALS"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_puzzle_says_whose_it_is_and_how_long_it_lasts() {
    let app = TestApp::new().await;
    let puzzle = puzzle(&app).await;
    assert_eq!(puzzle["provider"], "ALTCHA");
    assert_eq!(puzzle["siteKey"], Value::Null);
    let expires_at: chrono::DateTime<chrono::Utc> =
        puzzle["expiresAt"].as_str().unwrap().parse().unwrap();
    let lasts = expires_at - chrono::Utc::now();
    assert!(
        lasts > TimeDelta::minutes(9) && lasts <= TimeDelta::minutes(10),
        "{lasts}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solution_counts_once_whatever_it_was_used_for() {
    let app = TestApp::new().await;
    for email in ["ana@example.org", "ben@example.org"] {
        app.member(email).await;
        ask_for_one(&app, email).await;
    }
    let challenge = solution(&app).await;
    let with = json!({ "challenge": challenge });
    let solved = login_with(&app, "ana@example.org", WRONG, with.clone()).await;
    assert_eq!(mistakes(&solved), ["INVALID_CREDENTIALS"]);
    for email in ["ana@example.org", "ben@example.org"] {
        let again = login_with(&app, email, RIGHT, with.clone()).await;
        assert_eq!(mistakes(&again), ["CHALLENGE_REQUIRED challenge"]);
        assert!(again["credentials"].is_null());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_solves_nothing_is_not_taken() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    ask_for_one(&app, "ana@example.org").await;
    let solved = solution(&app).await["response"]
        .as_str()
        .unwrap()
        .to_owned();
    let read = BASE64_STANDARD.decode(&solved).unwrap();
    let read: Value = serde_json::from_slice(&read).unwrap();
    let altered = |alter: &dyn Fn(&mut Value)| {
        let mut response = read.clone();
        alter(&mut response);
        BASE64_STANDARD.encode(response.to_string())
    };
    let wrong = [
        String::new(),
        "x".to_owned(),
        BASE64_STANDARD.encode("{}"),
        "A".repeat(100_000),
        // Easier than what was asked for.
        altered(&|response| response["challenge"]["parameters"]["cost"] = json!(1)),
        altered(&|response| response["challenge"]["parameters"]["keyPrefix"] = json!("")),
        // For longer than it was given for.
        altered(&|response| {
            response["challenge"]["parameters"]["expiresAt"] = json!(9_999_999_999_i64);
        }),
        altered(&|response| response["solution"]["counter"] = json!(0)),
        altered(&|response| response["solution"]["derivedKey"] = json!("00".repeat(32))),
        altered(&|response| response["challenge"]["signature"] = json!("00".repeat(32))),
    ];
    for response in wrong {
        let with = json!({ "challenge": { "response": response } });
        let refused = login_with(&app, "ana@example.org", RIGHT, with).await;
        assert_eq!(
            mistakes(&refused),
            ["CHALLENGE_REQUIRED challenge"],
            "{response:.80}"
        );
    }
    let with = json!({ "challenge": { "response": solved } });
    let taken = login_with(&app, "ana@example.org", RIGHT, with).await;
    assert_eq!(mistakes(&taken), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_solution_that_comes_too_late_is_not_taken() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    ask_for_one(&app, "ana@example.org").await;
    let challenge = solution(&app).await;
    wait(&app, TimeDelta::minutes(10));
    let with = json!({ "challenge": challenge });
    let late = login_with(&app, "ana@example.org", RIGHT, with).await;
    assert_eq!(mistakes(&late), ["CHALLENGE_REQUIRED challenge"]);
}

/// What was not asked for is not looked at, so that a widget's answer may always be sent along.
#[tokio::test(flavor = "multi_thread")]
async fn a_solution_that_nobody_asked_for_is_no_mistake() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let with = json!({ "challenge": { "response": "x" } });
    let login = login_with(&app, "ana@example.org", RIGHT, with).await;
    assert_eq!(mistakes(&login), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_is_asked_for_after_three_registrations_and_none_goes_after_ten() {
    let lifted = TestApp::new().await;
    let limited = Limited::beside(&lifted).await;
    let input = |number: u32, challenge: Value| {
        json!({
            "email": format!("kim{number}@example.org"), "password": PASSWORD,
            "displayName": "Kim Doe", "challenge": challenge,
        })
    };
    let register = crate::support::REGISTER;
    for number in 0..3 {
        let input = input(number, Value::Null);
        let answer = limited.call(number as u16, register, &input).await;
        assert_eq!(mistakes(&only_field(answer.data())), NONE);
    }
    let answer = limited.call(3, register, &input(3, Value::Null)).await;
    let refused = only_field(answer.data());
    assert_eq!(mistakes(&refused), ["CHALLENGE_REQUIRED challenge"]);
    assert_eq!(refused["accepted"], false);
    for number in 3..10 {
        let input = input(number, solution(&lifted).await);
        let answer = limited.call(number as u16, register, &input).await;
        assert_eq!(mistakes(&only_field(answer.data())), NONE, "{number}");
    }
    let solved = solution(&lifted).await;
    let answer = limited.call(10, register, &input(10, solved)).await;
    assert_eq!(answer.code(), "RATE_LIMITED");
    assert_eq!(count(&lifted, "select count(*) from accounts").await, 10);
}
