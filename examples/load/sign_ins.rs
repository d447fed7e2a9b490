//! `--sign-ins`: how many sign-ins a second the service gives, beside what Argon2id alone would allow on the same cores, and
//! the memory that many at once take.
//!
//! Each client signs in to accounts of its own, with the right password and from devices that are known there, again and
//! again. Usual sign-ins are to accounts that have room for another session. The others are to accounts that have as many
//! as they may, so each ends one and sends a mail; background jobs run in the service as it is measured. (In the burst the
//! devices are new too.) The second half of each round is a plain loop of the same hashing and nothing else (`argon.rs`).
//! In between, the service comes to rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Bench;
use super::accounts;
use super::argon::Comparing;
use super::client::{Kinds, Load, Until};
use super::process;
use super::report::{Burst, SignIns, SignInsOfAKind, SignInsRound};
use super::service::Service;
use super::workloads;

/// A debug build would refuse most of so many, as its hashing takes too long.
const AT_ONCE: u32 = if cfg!(debug_assertions) { 8 } else { 200 };
/// So that usual sign-ins find room for their sessions during a round.
const ACCOUNTS_EACH: u32 = 4;
/// Before all rounds, so that connections are made and the files of the first mails are there.
const WARM_UP: Duration = Duration::from_secs(1);
/// A service that takes less of a core than this for so long does nothing that would slow others down.
const LITTLE: f64 = 0.1;
const A_WHILE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(60);

const LEFT: &str = "select count(*) from jobs where state <> 'DEAD' and due_at <= now()";

pub async fn run(bench: &Bench) -> anyhow::Result<SignIns> {
    accounts::make(bench).await?;
    let client = bench.database.client().await?;
    let comparing = Arc::new(Comparing::with(&accounts::password_hash(&client).await?)?);
    let database = ("DATABASE_URL", bench.database.url().as_str());
    let mut service = bench
        .service_with(&[database, ("EMPULSE_JOBS", "on")])
        .await?;
    service.first_answer(&workloads::page()).await?;

    let burst = burst(&service).await?;
    let clients = bench.arguments.connections;
    let devices = accounts::devices(&service, clients * ACCOUNTS_EACH).await?;
    let load = sign_ins(&service, clients, &devices);
    load.run(Until::Passed(WARM_UP)).await?;
    let (mut usual, mut ending) = (Vec::new(), Vec::new());
    for number in 1..=bench.arguments.rounds {
        eprintln!("round {number} of {} …", bench.arguments.rounds);
        for (rounds, sessions) in [(&mut usual, 0), (&mut ending, accounts::MOST_SESSIONS)] {
            accounts::set_sessions(&client, clients * ACCOUNTS_EACH, sessions).await?;
            come_to_rest(&service).await?;
            let cpu_before = process::cpu(service.pid)?;
            let measured = load.run(Until::Passed(bench.seconds())).await?;
            let cpu = process::cpu(service.pid)? - cpu_before;
            let jobs_left = client.query_one(LEFT, &[]).await?.try_get(0)?;
            come_to_rest(&service).await?;
            let argon = comparing.per_second(bench.seconds()).await?;
            let per_second = measured.per_second();
            rounds.push(SignInsRound {
                per_second,
                p50_ms: measured.percentile_ms(50),
                p99_ms: measured.percentile_ms(99),
                cpu_seconds_each: cpu.as_secs_f64() / measured.answers.max(1) as f64,
                jobs_left,
                argon_per_second: argon,
                ratio: per_second / argon,
            });
        }
    }
    service.stop().await?;
    Ok(SignIns {
        usual: SignInsOfAKind::of(usual),
        ending: SignInsOfAKind::of(ending),
        burst,
    })
}

/// The first sign-ins of a service that has just been started: all that they need is new.
async fn burst(service: &Service) -> anyhow::Result<Burst> {
    come_to_rest(service).await?;
    let at_rest = process::memory(service.pid)?;
    process::forget_peak(service.pid)?;
    let measured = sign_ins(service, AT_ONCE, &[])
        .run(Until::Answered(AT_ONCE.into()))
        .await?;
    Ok(Burst {
        sign_ins: measured.answers,
        seconds: measured.elapsed.as_secs_f64(),
        at_rest,
        memory: process::memory(service.pid)?,
    })
}

/// No account is two clients': attempts side by side at one would count as guessing.
fn sign_ins(service: &Service, clients: u32, devices: &[String]) -> Load {
    let own = |client: u32| -> Kinds {
        let numbers = client * ACCOUNTS_EACH..(client + 1) * ACCOUNTS_EACH;
        let logins = numbers.map(|number| {
            let device = devices.get(number as usize).map(String::as_str);
            accounts::login_from(number, device)
        });
        Arc::new([logins.collect()])
    };
    Load {
        address: service.address,
        connections: clients as usize,
        kinds: (0..clients).map(own).collect(),
        // What is refused costs less than what is not.
        check_every: 1,
    }
}

async fn come_to_rest(service: &Service) -> anyhow::Result<()> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let before = process::cpu(service.pid)?;
        sleep(A_WHILE).await;
        let used = process::cpu(service.pid)? - before;
        if used.as_secs_f64() < LITTLE * A_WHILE.as_secs_f64() {
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < patience,
            "the service does not come to rest"
        );
    }
}
