//! The load: connections that each ask, wait for the answer and ask again, all on one thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::{Rng, SeedableRng, rngs::Xoshiro256PlusPlus};
use tokio::task::JoinSet;

use super::http::{Connection, Request};

/// As often as answers are checked that cost little.
pub const NOW_AND_THEN: u64 = 256;

/// The requests of each kind; kinds are drawn evenly, and then a request of the kind.
pub type Kinds = Arc<[Vec<Request>]>;

#[derive(Clone)]
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
    /// What each connection asks; shared out by turns.
    pub kinds: Vec<Kinds>,
    /// The first answer of each connection is read and checked, then one in so many; of the others, only the status is.
    pub check_every: u64,
}

#[derive(Clone, Copy)]
pub enum Until {
    Passed(Duration),
    /// Shared evenly by the connections.
    Answered(u64),
}

pub struct Measured {
    pub answers: u64,
    pub elapsed: Duration,
    /// In microseconds, in order.
    latencies: Vec<u32>,
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that so many of a hundred answers kept to, in milliseconds.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let rank = (self.latencies.len() * percent).div_ceil(100).max(1);
        let latency = self.latencies.get(rank - 1).copied().unwrap_or_default();
        f64::from(latency) / 1_000.0
    }
}

impl Load {
    /// Runs on a thread and a runtime of its own: what else this process does must not come between.
    pub async fn run(&self, until: Until) -> anyhow::Result<Measured> {
        let load = self.clone();
        tokio::task::spawn_blocking(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(load.drive(until))
        })
        .await?
    }

    async fn drive(self, until: Until) -> anyhow::Result<Measured> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let connection = Connection::open(self.address).await;
            connections.push(connection.context("the service takes no connection")?);
        }
        let mut asking = JoinSet::new();
        let began = Instant::now();
        let sharing = self.connections as u64;
        let kinds = self.kinds.iter().cycle();
        for ((number, connection), kinds) in (0..).zip(connections).zip(kinds) {
            let end = match until {
                Until::Passed(time) => End::At(began + time),
                Until::Answered(count) => {
                    End::After(count / sharing + u64::from(number < count % sharing))
                }
            };
            // Each draws what it asks by a seed of its own, the same in each round.
            asking.spawn(ask(
                connection,
                kinds.clone(),
                self.check_every,
                number,
                end,
            ));
        }
        let mut latencies = Vec::new();
        while let Some(asked) = asking.join_next().await {
            latencies.extend(asked??);
        }
        let elapsed = began.elapsed();
        latencies.sort_unstable();
        Ok(Measured {
            answers: latencies.len() as u64,
            elapsed,
            latencies,
        })
    }
}

#[derive(Clone, Copy)]
enum End {
    At(Instant),
    After(u64),
}

/// One connection's part, and how long each of its answers took.
async fn ask(
    mut connection: Connection,
    kinds: Kinds,
    check_every: u64,
    seed: u64,
    end: End,
) -> anyhow::Result<Vec<u32>> {
    let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut latencies = Vec::with_capacity(1 << 14);
    let mut began = Instant::now();
    loop {
        let asked = latencies.len() as u64;
        let is_over = match end {
            End::At(time) => began >= time,
            End::After(count) => asked >= count,
        };
        if is_over {
            return Ok(latencies);
        }
        let kind = pick(&kinds, &mut dice);
        let request = pick(kind, &mut dice);
        let answer = connection.ask(&request.bytes).await?;
        let answered = Instant::now();
        let latency = (answered - began).as_micros();
        if answer.status != 200 {
            anyhow::bail!("an answer is not what was asked for: {}", answer.shown());
        }
        if asked.is_multiple_of(check_every) {
            request.check(&answer)?;
        }
        latencies.push(u32::try_from(latency).unwrap_or(u32::MAX));
        began = Instant::now();
    }
}

/// Any of them, each as likely as the others; there is one at least.
fn pick<'a, T>(choices: &'a [T], dice: &mut Xoshiro256PlusPlus) -> &'a T {
    let high = dice.next_u64() >> 32;
    &choices[((high * choices.len() as u64) >> 32) as usize]
}
