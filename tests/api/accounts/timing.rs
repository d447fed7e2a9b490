//! How long a refusal takes tells nobody whether an address has an account.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

/// How long wrong passwords took, one after the other: for an address with an account, and for one without.
async fn refusals(app: &TestApp, rounds: usize) -> [Vec<Duration>; 2] {
    let email = "ana@example.org";
    app.member(email).await;
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        // So that it goes on being an ordinary try.
        execute(app, "delete from sign_in_failures").await;
        let unknown = format!("nobody{round}@example.org");
        let mut both = [(0, email), (1, unknown.as_str())];
        if round % 2 == 1 {
            both.reverse();
        }
        for (kind, email) in both {
            let input = login_input(email, WRONG, json!({}));
            let began = Instant::now();
            let answer = app.call(None, LOGIN, input).await;
            took[kind].push(began.elapsed());
            let refused = only_field(answer.data());
            assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS"]);
        }
    }
    took
}

fn median<'a>(times: impl Iterator<Item = &'a Duration>) -> Duration {
    let mut times: Vec<_> = times.copied().collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Nearly all of the time goes into hashing. Where there is nothing to compare with and none is done, what is left is a
/// fraction.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_hashed_for_addresses_without_an_account_too() {
    let app = TestApp::new().await;
    let [known, unknown] = refusals(&app, 30).await.map(|times| median(times.iter()));
    let difference = known.abs_diff(unknown);
    assert!(
        difference < known.min(unknown) / 2,
        "known {known:?}, unknown {unknown:?}"
    );
}

/// The difference is no larger than what the same kind differs by in two halves, generously taken. For a machine that
/// does nothing else: `cargo test --release --test api -- --ignored nobody_learns`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes, and a machine that does nothing else"]
async fn nobody_learns_by_a_clock_who_has_an_account() {
    let app = TestApp::new().await;
    let times = refusals(&app, 500).await;
    let [known, unknown] = times.each_ref().map(|times| median(times.iter()));
    let noise = times.iter().map(|times| {
        let odd = median(times.iter().skip(1).step_by(2));
        odd.abs_diff(median(times.iter().step_by(2)))
    });
    let noise = noise.max().unwrap().max(known / 200);
    println!("known {known:?}, unknown {unknown:?}, noise {noise:?}");
    assert!(known.abs_diff(unknown) <= 4 * noise);
}
