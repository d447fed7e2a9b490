//! What an access token costs: to make one, to judge one that was never seen, one that is known, and one that its holder
//! has narrowed. On one thread, without HTTP or a database.
//!
//! ```sh
//! cargo run --release --example tokens
//! ```
//!
//! Of each the median and the 99th percentile are printed. Figures of a debug build mean nothing.

#![expect(
    clippy::print_stdout,
    reason = "a program for a terminal: what it prints is what it is for"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biscuit_auth::UnverifiedBiscuit;
use biscuit_auth::builder::BlockBuilder;
use chrono::Utc;
use empulse::accounts::{AccessTokens, AccountId, Claims, MadeFor, Role, SessionId};
use empulse::keys::Keys;
use uuid::Uuid;

const TIMES: usize = 5_000;
const NARROWING: &str =
    r#"check if scope("ACCOUNT_READ"); check if time($t), $t < 2100-01-01T00:00:00Z"#;

fn main() -> anyhow::Result<()> {
    let ring = format!("measured:{}", "2a".repeat(32)).parse();
    let keys = Keys::of(&ring.map_err(|fault| anyhow::anyhow!("{fault}"))?)?;
    let tokens = AccessTokens::new(keys, "https://api.example.org".to_owned());
    let now = Utc::now();
    let mint = || {
        tokens.mint(&Claims {
            account: AccountId(Uuid::now_v7()),
            made_for: MadeFor::Session(SessionId(Uuid::now_v7()), &[Role::Listener]),
            expires_at: now + Duration::from_secs(900),
        })
    };
    let judge = |token: &str| tokens.verify(token, now, None);

    let whole: Vec<String> = (0..TIMES).map(|_| mint()).collect::<Result<_, _>>()?;
    let narrowed: Vec<String> = whole
        .iter()
        .map(|token| narrowed(token))
        .collect::<Result<_, _>>()?;
    let length = whole.first().map_or(0, String::len);
    println!("A token is {length} characters long; {TIMES} of each kind, in microseconds.");
    println!("{:32} {:>8} {:>8}", "", "median", "p99");
    show("made", measured(&whole, |_| mint().is_ok())?);
    show(
        "judged, never seen before",
        measured(&whole, |token| judge(token).is_ok())?,
    );
    show(
        "judged, known",
        measured(&whole, |token| judge(token).is_ok())?,
    );
    show(
        "judged, narrowed by its holder",
        measured(&narrowed, |token| judge(token).is_ok())?,
    );
    Ok(())
}

/// As its holder does it, without our keys.
fn narrowed(token: &str) -> anyhow::Result<String> {
    let held = UnverifiedBiscuit::from(URL_SAFE_NO_PAD.decode(token)?)?;
    let block = BlockBuilder::new().code(NARROWING)?;
    Ok(URL_SAFE_NO_PAD.encode(held.append(block)?.to_vec()?))
}

/// How long each took, shortest first. What fails is quicker, and no figure.
fn measured(tokens: &[String], work: impl Fn(&str) -> bool) -> anyhow::Result<Vec<Duration>> {
    let mut each = Vec::with_capacity(tokens.len());
    for token in tokens {
        let began = Instant::now();
        let is_good = black_box(work(black_box(token)));
        each.push(began.elapsed());
        anyhow::ensure!(is_good, "a token of ours is not believed");
    }
    each.sort_unstable();
    Ok(each)
}

fn show(what: &str, each: Vec<Duration>) {
    let of = |share: usize| each.get(each.len() * share / 100).map_or(0.0, micros);
    println!("{what:32} {:8.1} {:8.1}", of(50), of(99));
}

fn micros(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
