//! The main measurement: each workload by the service and by pgbench, in turn, round by round.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Load, NOW_AND_THEN, Until};
use super::process;
use super::report::{Beside, Compared, Round};
use super::service::Service;
use super::workloads::{self, Name, Workload};
use super::{Bench, pgbench};

/// Before each half that the service has, so that its connections are made and their plans kept. pgbench begins cold,
/// which costs it less than a hundredth of its time.
const WARM_UP: Duration = Duration::from_millis(500);

struct Contender {
    name: Name,
    load: Load,
    script: Option<pgbench::Script>,
}

pub async fn run(bench: &Bench) -> anyhow::Result<Vec<Compared>> {
    let samples = bench.database.samples().await?;
    let mut service = bench.service().await?;
    service.first_answer(&workloads::page()).await?;
    let mut rounds: Vec<(Name, Vec<Round>)> = Vec::new();
    // Round by round rather than workload by workload: what slows the machine down for a while slows them all.
    for number in 1..=bench.arguments.rounds {
        // Anew for each round, since access tokens end.
        let contenders = workloads::wanted(bench, &service, &samples).await?;
        let mut least = None;
        for (place, workload) in contenders.into_iter().enumerate() {
            let contender = contender(bench, &service, workload);
            let name = contender.name;
            eprintln!(
                "round {number} of {}: {} …",
                bench.arguments.rounds,
                name.as_str()
            );
            let mut round = round(bench, &service, &contender).await?;
            if name == Name::Typename {
                least = Some(round.per_second);
            }
            round.of_typename = least.map(|least| round.per_second / least);
            match rounds.get_mut(place) {
                Some((_, rounds)) => rounds.push(round),
                None => rounds.push((name, vec![round])),
            }
        }
    }
    service.stop().await?;
    Ok(rounds
        .into_iter()
        .map(|(name, rounds)| Compared::of(name, rounds))
        .collect())
}

fn contender(bench: &Bench, service: &Service, workload: Workload) -> Contender {
    Contender {
        name: workload.name,
        load: Load {
            address: service.address,
            connections: bench.connections(),
            kinds: vec![Arc::new([workload.requests])],
            check_every: NOW_AND_THEN,
        },
        script: workload.script,
    }
}

async fn round(bench: &Bench, service: &Service, contender: &Contender) -> anyhow::Result<Round> {
    contender.load.run(Until::Passed(WARM_UP)).await?;
    let memory_before = process::memory(service.pid)?;
    let own = std::process::id();
    let cpu_before = (process::cpu(service.pid)?, process::cpu(own)?);
    let measured = contender.load.run(Until::Passed(bench.seconds())).await?;
    let cpu_after = (process::cpu(service.pid)?, process::cpu(own)?);
    let memory_after = process::memory(service.pid)?;

    let per_second = measured.per_second();
    let for_a_thousand = |before: Duration, after: Duration| {
        (after - before).as_secs_f64() * 1_000.0 / measured.answers.max(1) as f64
    };
    let beside = match &contender.script {
        Some(script) => {
            let (database, scratch) = (bench.database.url(), &bench.scratch);
            let figures = script
                .run(database, scratch, bench.connections(), bench.seconds())
                .await?;
            Some(Beside {
                per_second: figures.per_second,
                mean_latency_ms: figures.mean_latency_ms,
                ratio: per_second / figures.per_second,
            })
        }
        None => None,
    };
    Ok(Round {
        per_second,
        of_typename: None,
        p50_ms: measured.percentile_ms(50),
        p95_ms: measured.percentile_ms(95),
        p99_ms: measured.percentile_ms(99),
        cpu_seconds_a_thousand: for_a_thousand(cpu_before.0, cpu_after.0),
        client_cpu_seconds_a_thousand: for_a_thousand(cpu_before.1, cpu_after.1),
        resident_bytes_before: memory_before.resident_bytes,
        resident_bytes_after: memory_after.resident_bytes,
        pgbench: beside,
    })
}
