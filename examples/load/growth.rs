//! `--growth N`: whether the memory that the service holds grows with the requests that it has answered. All workloads
//! by turns, and among them documents that it has never seen, each under a name of its own: what it keeps of documents
//! and of operations' names must have an end.

use std::sync::Arc;

use serde_json::json;

use super::Bench;
use super::client::{Load, NOW_AND_THEN, Until};
use super::database::Samples;
use super::http::Request;
use super::process;
use super::report::{Growth, Step};
use super::service::Service;
use super::workloads;

const STEP: u64 = 100_000;
/// More than the service would keep.
const DOCUMENTS: u32 = 50_000;

pub async fn run(bench: &Bench, requests: u64) -> anyhow::Result<Growth> {
    let samples = bench.database.samples().await?;
    let mut service = bench.service().await?;
    service.first_answer(&workloads::page()).await?;

    let at_rest = process::memory(service.pid)?;
    let mut steps = Vec::new();
    let mut answers = 0;
    // A short run, to try this, has ten steps too.
    let step = STEP.min(requests.div_ceil(10));
    while answers < requests {
        let measured = load(bench, &service, &samples)
            .await?
            .run(Until::Answered(step.min(requests - answers)))
            .await?;
        answers += measured.answers;
        let memory = process::memory(service.pid)?;
        eprintln!(
            "{answers} answers: {:.1} MiB",
            memory.resident_bytes as f64 / f64::from(1 << 20)
        );
        steps.push(Step {
            answers,
            per_second: measured.per_second(),
            memory,
        });
    }
    service.stop().await?;
    Ok(Growth { at_rest, steps })
}

/// Anew for each step, since access tokens end.
async fn load(bench: &Bench, service: &Service, samples: &Samples) -> anyhow::Result<Load> {
    let mut kinds: Vec<Vec<Request>> = workloads::wanted(bench, service, samples)
        .await?
        .into_iter()
        .map(|workload| workload.requests)
        .collect();
    kinds.push((0..DOCUMENTS).map(document).collect());
    Ok(Load {
        address: service.address,
        connections: bench.connections(),
        kinds: vec![Arc::from(kinds)],
        check_every: NOW_AND_THEN,
    })
}

fn document(number: u32) -> Request {
    let document = format!("query Document{number} {{ genres {{ slug name }} }}");
    Request::query(&document, json!({}), |data| data["genres"].is_array())
}
