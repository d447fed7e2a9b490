//! `--trail`: how many events a second the audit trail takes, by the service's own code on the bench's database.
//!
//! Each writer records one event after the other, each in a transaction of its own, as an action does that does nothing
//! else. In the first half of a round nobody chains them; what is left is then chained by itself. In the second half they
//! are chained as they come, as a service does it, and the clock stops when the last of them is in its place. So the halves
//! say what writers lose by the chain, and whether the chain keeps up with them. At the end the whole trail is verified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use chrono::Utc;
use empulse::accounts::AccountId;
use empulse::audit::{self, By, Event};
use empulse::db::Db;
use empulse::keys::Keys;
use empulse::telemetry::Metrics;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Bench;
use super::report::{Trail, TrailRound};

const WARM_UP: Duration = Duration::from_secs(1);
/// Between rounds.
const REST: Duration = Duration::from_millis(300);

pub async fn run(bench: &Bench) -> anyhow::Result<Trail> {
    // As many for writers as there are writers, and some for what reads.
    let connections = bench.arguments.connections * 2;
    let db = Arc::new(Db::open(
        bench.database.source(),
        None,
        connections,
        Metrics::detached(),
    ));
    // So that connections are made.
    recorded(&db, bench.connections(), WARM_UP).await?;
    audit::link(&db).await?;

    let mut rounds = Vec::new();
    for number in 1..=bench.arguments.rounds {
        eprintln!("round {number} of {} …", bench.arguments.rounds);
        let began = Instant::now();
        let alone = recorded(&db, bench.connections(), bench.seconds()).await?;
        let alone_per_second = per_second(alone, began);
        let began = Instant::now();
        let chained = audit::link(&db).await? as u64;
        anyhow::ensure!(chained == alone, "{chained} of {alone} were chained");
        let chaining_per_second = per_second(chained, began);

        let stop = CancellationToken::new();
        let chaining = {
            let (db, stop) = (Arc::clone(&db), stop.clone());
            tokio::spawn(async move { audit::keep_chained(&db, stop).await })
        };
        let began = Instant::now();
        let together = recorded(&db, bench.connections(), bench.seconds()).await?;
        let recorded_per_second = per_second(together, began);
        let ended = Instant::now();
        // Asked to stop, it chains what is left first.
        stop.cancel();
        chaining.await?;
        rounds.push(TrailRound {
            alone_per_second,
            chaining_per_second,
            recorded_per_second,
            per_second: per_second(together, began),
            behind_ms: ended.elapsed().as_secs_f64() * 1_000.0,
        });
        sleep(REST).await;
    }

    let ring = format!("measured:{}", "2a".repeat(32)).parse();
    let keys = Keys::of(&ring.map_err(|fault| anyhow::anyhow!("{fault}"))?)?;
    let began = Instant::now();
    let verified = audit::verify(&db, &keys, Vec::new(), Utc::now(), |_, _| {}).await?;
    anyhow::ensure!(
        verified.misfits.is_empty() && verified.waiting == 0,
        "the trail does not fit: {verified:?}"
    );
    let verified_per_second = per_second(verified.events.try_into()?, began);
    Ok(Trail::of(rounds, verified.events, verified_per_second))
}

fn per_second(events: u64, began: Instant) -> f64 {
    events as f64 / began.elapsed().as_secs_f64()
}

/// Events that so many writers record within a while.
async fn recorded(db: &Arc<Db>, writers: usize, time: Duration) -> anyhow::Result<u64> {
    let enough = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU64::new(0));
    let mut all = JoinSet::new();
    for _ in 0..writers {
        let (db, enough, count) = (Arc::clone(db), Arc::clone(&enough), Arc::clone(&count));
        all.spawn(async move {
            while !enough.load(Ordering::Relaxed) {
                let mut tx = db.begin().await?;
                audit::record(&mut tx, event()).await?;
                tx.commit().await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    sleep(time).await;
    enough.store(true, Ordering::Relaxed);
    while let Some(ended) = all.join_next().await {
        ended??;
    }
    Ok(count.load(Ordering::Relaxed))
}

/// As full as those of a sign-in.
fn event() -> Event {
    let account = Uuid::now_v7();
    let by = By {
        actor: Some(account),
        address: Some([192, 0, 2, 1].into()),
        user_agent: Some(
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".into(),
        ),
        correlation_id: Some(Uuid::now_v7().to_string()),
    };
    Event::new("login.succeeded", &by, Utc::now())
        .about(AccountId(account))
        .detail("remember", true)
        .personal("email", "somebody@example.org")
}
