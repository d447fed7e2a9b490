//! What was measured, as JSON has it; units stand in the names. `tables.rs` shows it to a person.

use serde::Serialize;

use super::process::Memory;
use super::workloads::Name;
use super::{Bench, pgbench};

#[derive(Serialize)]
pub struct Report {
    pub environment: Environment,
    #[serde(flatten)]
    pub figures: Figures,
}

/// What the figures depend on, besides the machine.
#[derive(Serialize)]
pub struct Environment {
    pub version: &'static str,
    pub is_debug_build: bool,
    pub cores: usize,
    pub postgresql: String,
    pub pgbench: Option<String>,
    pub tracks: u32,
    pub connections: u32,
    pub seconds: u64,
    pub rounds: u32,
    pub settings: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figures {
    Compared(Vec<Compared>),
    Growth(Growth),
    Hostile(Hostile),
    Start(Start),
    Uploads(Uploads),
    SignIns(SignIns),
    Trail(Trail),
}

#[derive(Serialize)]
pub struct Compared {
    pub workload: Name,
    pub median: Round,
    /// The least and the most of all rounds.
    pub ratio_range: Option<(f64, f64)>,
    pub of_typename_range: Option<(f64, f64)>,
    pub rounds: Vec<Round>,
}

#[derive(Serialize)]
pub struct Round {
    pub per_second: f64,
    /// For one of the least requests in the same round.
    pub of_typename: Option<f64>,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub cpu_seconds_a_thousand: f64,
    pub client_cpu_seconds_a_thousand: f64,
    pub resident_bytes_before: u64,
    pub resident_bytes_after: u64,
    pub pgbench: Option<Beside>,
}

#[derive(Serialize)]
pub struct Beside {
    pub per_second: f64,
    pub mean_latency_ms: f64,
    /// The service's requests for one of pgbench's.
    pub ratio: f64,
}

#[derive(Serialize)]
pub struct Growth {
    pub at_rest: Memory,
    pub steps: Vec<Step>,
}

#[derive(Serialize)]
pub struct Step {
    pub answers: u64,
    pub per_second: f64,
    pub memory: Memory,
}

#[derive(Serialize)]
pub struct Hostile {
    pub refused: Vec<Refused>,
    pub database_was_asked: bool,
    pub memory_before: Memory,
    pub memory_after: Memory,
}

#[derive(Serialize)]
pub struct Refused {
    pub attack: &'static str,
    /// Of the whole request.
    pub bytes: usize,
    pub status: u16,
    /// None where it was not refused.
    pub code: Option<String>,
    pub answer_bytes: usize,
    pub median_ms: f64,
    pub max_ms: f64,
}

#[derive(Serialize)]
pub struct Start {
    /// With nothing there: the database is made and filled with the demo catalogue first.
    pub new_embedded: Vec<Started>,
    pub embedded: Vec<Started>,
    pub postgresql: Vec<Started>,
}

#[derive(Serialize)]
pub struct Started {
    pub seconds: f64,
    pub memory: Memory,
}

#[derive(Serialize)]
pub struct Uploads {
    /// Beside a server that writes the same bytes to a file.
    pub folder: UploadsOfAKind,
    /// Beside the driver alone.
    pub bucket: UploadsOfAKind,
    /// Memory beyond what was held before.
    pub one_bytes: u64,
    pub many_bytes: u64,
    /// Open in the middle of an upload, beside those of the upload.
    pub other_files: Vec<String>,
    pub measured: Vec<FileMeasured>,
}

#[derive(Serialize)]
pub struct UploadsOfAKind {
    pub median: UploadRound,
    pub rounds: Vec<UploadRound>,
}

/// In bytes.
#[derive(Serialize)]
pub struct UploadRound {
    pub per_second: f64,
    pub beside_per_second: f64,
    pub ratio: f64,
}

#[derive(Serialize)]
pub struct FileMeasured {
    pub file: String,
    pub bytes: u64,
    pub status: String,
    pub seconds: f64,
    pub peak_bytes: u64,
}

#[derive(Serialize)]
pub struct SignIns {
    pub usual: SignInsOfAKind,
    /// Those that end another session, of which a mail tells.
    pub ending: SignInsOfAKind,
    pub burst: Burst,
}

#[derive(Serialize)]
pub struct SignInsOfAKind {
    pub median: SignInsRound,
    pub ratio_range: Option<(f64, f64)>,
    pub rounds: Vec<SignInsRound>,
}

#[derive(Serialize)]
pub struct SignInsRound {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu_seconds_each: f64,
    /// Mails that were still to be sent when the last client had its answer.
    pub jobs_left: i64,
    /// Of the same hashes, and nothing else.
    pub argon_per_second: f64,
    pub ratio: f64,
}

/// Many sign-ins at once.
#[derive(Serialize)]
pub struct Burst {
    pub sign_ins: u64,
    pub seconds: f64,
    pub at_rest: Memory,
    /// After it, and the most that was held in it.
    pub memory: Memory,
}

#[derive(Serialize)]
pub struct Trail {
    pub median: TrailRound,
    pub rounds: Vec<TrailRound>,
    /// In the trail at the end.
    pub events: i64,
    pub verified_per_second: f64,
}

#[derive(Serialize)]
pub struct TrailRound {
    /// Recorded while nobody chained them.
    pub alone_per_second: f64,
    /// Chained while nobody recorded any.
    pub chaining_per_second: f64,
    /// Recorded while they were chained.
    pub recorded_per_second: f64,
    /// Recorded and chained.
    pub per_second: f64,
    /// From the last one recorded to the last one chained.
    pub behind_ms: f64,
}

impl Environment {
    pub async fn of(bench: &Bench) -> anyhow::Result<Self> {
        let arguments = &bench.arguments;
        let settings = arguments.setting.iter();
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            is_debug_build: cfg!(debug_assertions),
            cores: std::thread::available_parallelism()?.get(),
            postgresql: bench.database.server_version().await?,
            // Whoever needs it will say that it is missing.
            pgbench: pgbench::version().await.ok(),
            tracks: arguments.tracks,
            connections: arguments.connections,
            seconds: arguments.seconds,
            rounds: arguments.rounds,
            settings: settings
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        })
    }
}

impl Figures {
    /// What must not be, however fast it was.
    pub fn failure(&self) -> Option<String> {
        let Self::Hostile(hostile) = self else {
            return None;
        };
        if hostile.database_was_asked {
            return Some("a hostile document reached the database".into());
        }
        let taken = hostile.refused.iter().find(|one| one.code.is_none())?;
        Some(format!("not refused: {}", taken.attack))
    }
}

impl Compared {
    pub fn of(workload: Name, rounds: Vec<Round>) -> Self {
        let of = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
        let beside: Vec<&Beside> = rounds
            .iter()
            .filter_map(|round| round.pgbench.as_ref())
            .collect();
        let of_typename = || rounds.iter().filter_map(|round| round.of_typename);
        let beside_of = |figure: fn(&Beside) -> f64| median(beside.iter().copied().map(figure));
        let median = Round {
            per_second: of(|round| round.per_second),
            of_typename: of_typename().next().map(|_| self::median(of_typename())),
            p50_ms: of(|round| round.p50_ms),
            p95_ms: of(|round| round.p95_ms),
            p99_ms: of(|round| round.p99_ms),
            cpu_seconds_a_thousand: of(|round| round.cpu_seconds_a_thousand),
            client_cpu_seconds_a_thousand: of(|round| round.client_cpu_seconds_a_thousand),
            resident_bytes_before: of(|round| round.resident_bytes_before as f64) as u64,
            resident_bytes_after: of(|round| round.resident_bytes_after as f64) as u64,
            pgbench: (!beside.is_empty()).then(|| Beside {
                per_second: beside_of(|beside| beside.per_second),
                mean_latency_ms: beside_of(|beside| beside.mean_latency_ms),
                // Of the rounds' ratios, not of their medians: the halves of a round met the same machine.
                ratio: beside_of(|beside| beside.ratio),
            }),
        };
        let ratios = || beside.iter().map(|beside| beside.ratio);
        Self {
            workload,
            ratio_range: least_and_most(ratios()),
            of_typename_range: least_and_most(of_typename()),
            median,
            rounds,
        }
    }
}

impl SignInsOfAKind {
    pub fn of(rounds: Vec<SignInsRound>) -> Self {
        let of = |figure: fn(&SignInsRound) -> f64| median(rounds.iter().map(figure));
        let ratios: Vec<f64> = rounds.iter().map(|round| round.ratio).collect();
        Self {
            median: SignInsRound {
                per_second: of(|round| round.per_second),
                p50_ms: of(|round| round.p50_ms),
                p99_ms: of(|round| round.p99_ms),
                cpu_seconds_each: of(|round| round.cpu_seconds_each),
                jobs_left: of(|round| round.jobs_left as f64) as i64,
                argon_per_second: of(|round| round.argon_per_second),
                ratio: of(|round| round.ratio),
            },
            ratio_range: least_and_most(ratios.into_iter()),
            rounds,
        }
    }
}

impl Trail {
    pub fn of(rounds: Vec<TrailRound>, events: i64, verified_per_second: f64) -> Self {
        let of = |figure: fn(&TrailRound) -> f64| median(rounds.iter().map(figure));
        Self {
            median: TrailRound {
                alone_per_second: of(|round| round.alone_per_second),
                chaining_per_second: of(|round| round.chaining_per_second),
                recorded_per_second: of(|round| round.recorded_per_second),
                per_second: of(|round| round.per_second),
                behind_ms: of(|round| round.behind_ms),
            },
            rounds,
            events,
            verified_per_second,
        }
    }
}

/// The least and the most.
pub fn least_and_most(figures: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let least = figures.clone().reduce(f64::min);
    least.zip(figures.reduce(f64::max))
}

pub fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => figures[middle],
        _ => (figures[middle - 1] + figures[middle]) / 2.0,
    }
}
