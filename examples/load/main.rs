//! What the service costs, measured over HTTP on PostgreSQL, beside what PostgreSQL itself gives for the same rows.
//!
//! ```sh
//! cargo build --release && cargo run --release --example load
//! ```
//!
//! **The figures.** Each workload runs in rounds of two halves, one right after the other, so that whatever else the
//! machine does meets both: the release binary `empulse serve`, asked over HTTP by as many connections that each wait
//! for their answer and then ask again; and `pgbench -M prepared` by as many connections, with the least SQL that a
//! program written by hand would send for the same rows (`workloads.rs`). Client, service and PostgreSQL share the
//! machine's cores in the first half, pgbench and PostgreSQL in the second.
//!
//! - `ratio` is the service's requests a second divided by pgbench's. pgbench neither reads GraphQL nor writes JSON: 1 is
//!   what a service would reach that cost nothing and asked PostgreSQL as pgbench does, each client by a connection of
//!   its own.
//! - `of typename` is the requests a second divided by those of `{ __typename }` in the same round: what is left of the
//!   least that a request costs.
//! - Latencies are those of a machine that is full: as many requests as there are connections are always under way. They
//!   tell how even the answers come, not how fast one is when nobody else asks.
//! - CPU is that of the service's process in seconds for a thousand requests, in user and kernel mode; `client` is
//!   this process's own, to show what the measuring takes from the measured. Memory is what the process holds (RSS).
//! - A figure is the median of its rounds; the ratio's range stands beside it. Figures of a debug build mean nothing.
//!
//! Rate limits are lifted, and nothing is kept in Redis. Answers are not compressed and connections not encrypted,
//! unless the database's address says how they should be (`sslmode`), which then holds for both halves.
//!
//! Everything happens in a database of its own, which is dropped at the end. `--growth`, `--hostile`, `--start`,
//! `--sign-ins`, `--trail` and `--uploads` measure other things; each is told in its file. Linux only, as it reads `/proc`.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for a terminal: what it prints is what it is for"
)]

mod accounts;
mod argon;
mod beside;
mod client;
mod compare;
mod database;
mod growth;
mod hostile;
mod http;
mod pgbench;
mod process;
mod report;
mod scratch;
mod service;
mod sign_ins;
mod start;
mod tables;
mod trail;
mod uploads;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, value_parser};
use empulse::demo;

use self::beside::Role;
use self::database::Database;
use self::report::{Environment, Figures, Report};
use self::scratch::Scratch;
use self::service::Service;
use self::workloads::Name;

/// Measures the service over HTTP on PostgreSQL, beside pgbench with the least SQL for the same.
#[derive(Parser)]
struct Arguments {
    /// The PostgreSQL server on which a database is made for this, and dropped afterwards.
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        default_value = "postgres://postgres@127.0.0.1:5432/postgres"
    )]
    database_url: String,

    /// Tracks of the demo catalogue in it.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = value_parser!(u32).range(5_000..=i64::from(demo::MAX_TRACKS)))]
    tracks: u32,

    /// Connections to the service, and pgbench's to PostgreSQL.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u32).range(1..=1_000))]
    connections: u32,

    /// How long each half of a round takes.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(1..=3_600))]
    seconds: u64,

    /// How often each workload is measured.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = value_parser!(u32).range(1..=100))]
    rounds: u32,

    /// Only this workload; may be given more than once.
    #[arg(long, value_name = "NAME")]
    only: Vec<Name>,

    /// A setting of the service, such as EMPULSE_DATABASE_POOL=20; may be given more than once.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    setting: Vec<(String, String)>,

    /// Instead: how much memory the service holds as it answers so many requests of all kinds.
    #[arg(long, value_name = "N", conflicts_with_all = ["hostile", "start", "sign_ins", "trail", "uploads"], value_parser = value_parser!(u64).range(1_000..))]
    growth: Option<u64>,

    /// Instead: how soon documents made to do harm are refused.
    #[arg(long, conflicts_with_all = ["start", "sign_ins", "trail", "uploads"])]
    hostile: bool,

    /// Instead: how soon the service answers after it was started, and the memory it holds at rest.
    #[arg(long, conflicts_with_all = ["sign_ins", "trail", "uploads"])]
    start: bool,

    /// Instead: how many sign-ins a second there can be, beside what Argon2id alone allows, and what many at once take.
    #[arg(long, conflicts_with_all = ["trail", "uploads"])]
    sign_ins: bool,

    /// Instead: how many events a second the audit trail takes.
    #[arg(long, conflicts_with = "uploads")]
    trail: bool,

    /// Instead: how fast music comes in, and what it takes.
    #[arg(long)]
    uploads: bool,

    /// With `--uploads`: also how long it takes to measure this file; may be given more than once.
    #[arg(long, value_name = "FILE", requires = "uploads")]
    file: Vec<PathBuf>,

    /// Is one of the servers beside which uploads are measured.
    #[arg(long, hide = true, requires = "folder")]
    beside: Option<Role>,

    #[arg(long, hide = true)]
    folder: Option<PathBuf>,

    /// Keeps the database, and uses the one that was kept.
    #[arg(long)]
    keep: bool,

    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is expected")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// What every measurement stands on.
struct Bench {
    arguments: Arguments,
    binary: PathBuf,
    database: Database,
    scratch: Scratch,
}

impl Bench {
    /// A service on the bench's own database.
    async fn service(&self) -> anyhow::Result<Service> {
        let database = ("DATABASE_URL", self.database.url().as_str());
        self.service_with(&[database]).await
    }

    async fn service_with(&self, settings: &[(&str, &str)]) -> anyhow::Result<Service> {
        let given = self.arguments.setting.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        let settings: Vec<_> = settings.iter().copied().chain(given).collect();
        Service::start(&self.binary, &self.scratch, &settings).await
    }

    fn connections(&self) -> usize {
        self.arguments.connections as usize
    }

    fn seconds(&self) -> Duration {
        Duration::from_secs(self.arguments.seconds)
    }

    /// Workloads that were asked for; all where none was.
    fn wants(&self, name: Name) -> bool {
        self.arguments.only.is_empty() || self.arguments.only.contains(&name)
    }
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // A database whose address asks for TLS takes it from here, as the service does.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    if let (Some(role), Some(folder)) = (arguments.beside, &arguments.folder) {
        runtime.block_on(beside::serve(role, folder.clone()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let code = runtime.block_on(with_database(arguments));
    // A load that was interrupted ends with its service, but is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn with_database(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let asked_to_stop = asked_to_stop()?;
    let bench = Bench {
        binary: service::binary()?,
        database: Database::new(&arguments.database_url, arguments.tracks, arguments.keep)?,
        scratch: Scratch::new()?,
        arguments,
    };
    // Not to be interrupted: what is only half made would not be found to be dropped.
    bench.database.create().await?;
    let measured = tokio::select! {
        measured = measure(&bench) => measured,
        () = asked_to_stop => Err(anyhow::anyhow!("interrupted")),
    };
    // The service and pgbench are gone by now, also when they were interrupted: each ends with the future that ran it.
    let dropped = bench.database.close().await;
    if let Err(error) = &dropped {
        eprintln!("the database could not be dropped: {error:#}");
    }
    let report = measured?;
    match bench.arguments.json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => println!("{report}"),
    }
    dropped?;
    if let Some(failure) = report.figures.failure() {
        anyhow::bail!("{failure}");
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(bench: &Bench) -> anyhow::Result<Report> {
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: it shows that all this works, and nothing more.");
    }
    let arguments = &bench.arguments;
    bench.database.fill(arguments.tracks).await?;
    let environment = Environment::of(bench).await?;
    let figures = match arguments.growth {
        Some(requests) => Figures::Growth(growth::run(bench, requests).await?),
        None if arguments.hostile => Figures::Hostile(hostile::run(bench).await?),
        None if arguments.start => Figures::Start(start::run(bench).await?),
        None if arguments.sign_ins => Figures::SignIns(sign_ins::run(bench).await?),
        None if arguments.uploads => Figures::Uploads(uploads::run(bench).await?),
        None if arguments.trail => Figures::Trail(trail::run(bench).await?),
        None => Figures::Compared(compare::run(bench).await?),
    };
    Ok(Report {
        environment,
        figures,
    })
}

/// SIGTERM or Ctrl-C, listened for from the call on.
#[cfg(unix)]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a way to be told, it is never told.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
