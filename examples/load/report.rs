//! What was measured, as a table for a person and as JSON for a program. Units stand in the names.

use std::fmt;

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
}

#[derive(Serialize)]
pub struct Compared {
    pub workload: Name,
    pub median: Round,
    /// The least and the most of all rounds.
    pub ratio_range: Option<(f64, f64)>,
    pub rounds: Vec<Round>,
}

#[derive(Serialize)]
pub struct Round {
    pub per_second: f64,
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
        let beside_of = |figure: fn(&Beside) -> f64| median(beside.iter().copied().map(figure));
        let median = Round {
            per_second: of(|round| round.per_second),
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
        let ratio_range = ratios().reduce(f64::min).zip(ratios().reduce(f64::max));
        Self {
            workload,
            median,
            ratio_range,
            rounds,
        }
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => figures[middle],
        _ => (figures[middle - 1] + figures[middle]) / 2.0,
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.environment)?;
        match &self.figures {
            Figures::Compared(all) => compared(all).fmt(f),
            Figures::Growth(growth) => growth.fmt(f),
            Figures::Hostile(hostile) => hostile.fmt(f),
            Figures::Start(start) => start.fmt(f),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            cores,
            postgresql,
            tracks,
            connections,
            rounds,
            seconds,
            ..
        } = self;
        let build = if self.is_debug_build {
            " (debug build)"
        } else {
            ""
        };
        write!(
            f,
            "empulse {version}{build} on {cores} cores, PostgreSQL {postgresql}, {tracks} tracks, {connections} \
             connections, {rounds} rounds of {seconds} s"
        )?;
        self.settings
            .iter()
            .try_for_each(|setting| write!(f, ", {setting}"))
    }
}

fn compared(all: &[Compared]) -> Table {
    let mut table = Table::new(&[
        "workload",
        "requests/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "pgbench/s",
        "mean ms",
        "ratio",
        "(range)",
        "CPU s/1000",
        "client",
        "MiB",
    ]);
    for Compared {
        workload,
        median,
        ratio_range,
        ..
    } in all
    {
        let beside = median.pgbench.as_ref();
        let beside = |figure: fn(&Beside) -> String| beside.map_or("–".into(), figure);
        table.row([
            workload.as_str().into(),
            format!("{:.0}", median.per_second),
            format!("{:.2}", median.p50_ms),
            format!("{:.2}", median.p95_ms),
            format!("{:.2}", median.p99_ms),
            beside(|beside| format!("{:.0}", beside.per_second)),
            beside(|beside| format!("{:.2}", beside.mean_latency_ms)),
            beside(|beside| format!("{:.2}", beside.ratio)),
            ratio_range.map_or("–".into(), |(least, most)| {
                format!("{least:.2}–{most:.2}")
            }),
            format!("{:.4}", median.cpu_seconds_a_thousand),
            format!("{:.4}", median.client_cpu_seconds_a_thousand),
            mebibytes(median.resident_bytes_after),
        ]);
    }
    table
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["answers", "requests/s", "MiB", "most so far"]);
        table.row([
            "0".into(),
            "–".into(),
            mebibytes(self.at_rest.resident_bytes),
            mebibytes(self.at_rest.peak_bytes),
        ]);
        for step in &self.steps {
            table.row([
                step.answers.to_string(),
                format!("{:.0}", step.per_second),
                mebibytes(step.memory.resident_bytes),
                mebibytes(step.memory.peak_bytes),
            ]);
        }
        table.fmt(f)
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[
            "document",
            "bytes",
            "median ms",
            "max ms",
            "status",
            "code",
            "answer bytes",
        ]);
        for one in &self.refused {
            table.row([
                one.attack.into(),
                one.bytes.to_string(),
                format!("{:.2}", one.median_ms),
                format!("{:.2}", one.max_ms),
                one.status.to_string(),
                one.code.clone().unwrap_or("NOT REFUSED".into()),
                one.answer_bytes.to_string(),
            ]);
        }
        writeln!(f, "{table}")?;
        writeln!(
            f,
            "The database was {}asked for any of it. Memory: {} MiB before, {} after, {} at most.",
            if self.database_was_asked { "" } else { "not " },
            mebibytes(self.memory_before.resident_bytes),
            mebibytes(self.memory_after.resident_bytes),
            mebibytes(self.memory_after.peak_bytes),
        )
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&[
            "database",
            "median s",
            "least",
            "most",
            "MiB at rest",
            "most so far",
        ]);
        for (name, all) in [
            ("embedded, new", &self.new_embedded),
            ("embedded", &self.embedded),
            ("PostgreSQL", &self.postgresql),
        ] {
            let seconds = || all.iter().map(|one| one.seconds);
            let memory = |figure: fn(&Memory) -> u64| {
                mebibytes(median(all.iter().map(|one| figure(&one.memory) as f64)) as u64)
            };
            table.row([
                name.into(),
                format!("{:.3}", median(seconds())),
                format!("{:.3}", seconds().fold(f64::INFINITY, f64::min)),
                format!("{:.3}", seconds().fold(0.0, f64::max)),
                memory(|memory| memory.resident_bytes),
                memory(|memory| memory.peak_bytes),
            ]);
        }
        table.fmt(f)
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}

/// Columns as wide as what stands in them; the first one to the left, figures to the right.
struct Table(Vec<Vec<String>>);

impl Table {
    fn new(head: &[&str]) -> Self {
        Self(vec![head.iter().map(|name| (*name).to_owned()).collect()])
    }

    fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.0.push(cells.into());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.0.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or_default()
            })
            .collect();
        for row in &self.0 {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}
