//! `--start`: how long it takes from starting the process to the first good answer of a real query, and how much memory
//! the service holds when nobody asks. What it reads from disk is in the system's cache, as after a restart.

use std::time::Duration;

use anyhow::Context;

use super::Bench;
use super::process;
use super::report::{Start, Started};
use super::service;
use super::workloads;

const TIMES: usize = 5;
/// By then what starting took has been given back, as far as it will be.
const REST: Duration = Duration::from_secs(2);

pub async fn run(bench: &Bench) -> anyhow::Result<Start> {
    let data = bench.scratch.path().join("data");

    let mut new_embedded = Vec::new();
    for _ in 0..TIMES {
        // A folder that is not there is what somebody has who starts the service for the first time.
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        new_embedded.push(start(bench, &[]).await?);
    }

    let filled = service::command(&bench.binary, &bench.scratch, &[])
        .arg("demo")
        .output()
        .await?;
    anyhow::ensure!(
        filled.status.success(),
        "`empulse demo` failed: {}",
        String::from_utf8_lossy(&filled.stderr)
    );
    let mut embedded = Vec::new();
    for _ in 0..TIMES {
        embedded.push(start(bench, &[]).await?);
    }

    let mut postgresql = Vec::new();
    let database = ("DATABASE_URL", bench.database.url().as_str());
    for _ in 0..TIMES {
        postgresql.push(start(bench, &[database]).await?);
    }
    Ok(Start {
        new_embedded,
        embedded,
        postgresql,
    })
}

async fn start(bench: &Bench, settings: &[(&str, &str)]) -> anyhow::Result<Started> {
    let mut service = bench.service_with(settings).await?;
    service
        .first_answer(&workloads::page())
        .await
        .context("the first query")?;
    let took = service.started.elapsed();
    tokio::time::sleep(REST).await;
    let memory = process::memory(service.pid)?;
    service.stop().await?;
    Ok(Started {
        seconds: took.as_secs_f64(),
        memory,
    })
}
