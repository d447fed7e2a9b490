//! The commands. What they do stands in the library.

#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command answers who typed it, on the terminal"
)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use empulse::accounts::Accounts;
use empulse::app::{self, App};
use empulse::clock::Clock;
use empulse::config::{self, Command, Config, Environment};
use empulse::db::migrate;
use empulse::telemetry::{self, Metrics, Telemetry};
use empulse::{audit, check, demo, graphql, install, locksmith, serve};
use secrecy::ExposeSecret;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let invocation = match config::read(std::env::args_os(), std::env::vars_os()) {
        Ok(invocation) => invocation,
        Err(problem) => return problem.report(),
    };
    let done = run(invocation.command, invocation.config);
    match done {
        Ok(code) => code,
        Err(error) => {
            let said = format!("{error:#}");
            // What somebody is to mend is said as it stands, the example address in it too.
            let said = match error.is::<install::Mistyped>() {
                true => said.as_str().into(),
                false => telemetry::redact::mask(&said),
            };
            eprintln!("empulse: {said}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    if command == Command::Schema {
        print!("{}", graphql::sdl());
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::GenerateKeys { only, id } = command {
        let lines = locksmith::generate(only, id.as_deref(), Clock::default().now())?;
        print!("{}", lines.expose_secret());
        return Ok(ExitCode::SUCCESS);
    }
    // Whatever speaks TLS takes it from here, so that there is one in the process.
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        anyhow::bail!("another TLS provider is installed already");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(command_in_runtime(command, Arc::new(config)));
    // Everything that had to end has; what still blocks a thread must not keep the process.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn command_in_runtime(command: Command, config: Arc<Config>) -> anyhow::Result<ExitCode> {
    match command {
        Command::Schema | Command::GenerateKeys { .. } => {}
        Command::Serve => {
            let telemetry = start_telemetry(&config)?;
            let served = serve::serve(config, &telemetry).await;
            telemetry.shutdown().await;
            served?;
        }
        Command::Worker => {
            let telemetry = start_telemetry(&config)?;
            let worked = serve::work(config, &telemetry).await;
            telemetry.shutdown().await;
            worked?;
        }
        Command::Migrate { dry_run } => {
            let source = app::source(&config).await?;
            let names = match dry_run {
                true => migrate::pending(&source).await?,
                false => migrate::run(&source).await?,
            };
            let did = if dry_run { "would run" } else { "ran" };
            match names.as_slice() {
                [] => println!("The database is up to date."),
                names => names.iter().for_each(|name| println!("{did} {name}")),
            }
        }
        Command::Check => {
            if !check::run(&config, &mut std::io::stdout()).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Demo {
            tracks,
            seed,
            sound,
        } => {
            let app = App::open(config, Metrics::detached()).await?;
            let source = app.db.source();
            migrate::run(source).await?;
            let mut client = source.client().await.context("the database")?;
            let target = demo::Target {
                client: &mut client,
                // The embedded engine knows no COPY.
                copy: !source.is_embedded(),
            };
            let catalogue = demo::Catalogue::new(seed, tracks);
            let summary =
                demo::load(target, &catalogue, |progress| eprintln!("{progress}")).await?;
            println!("{summary}");
            let accounts = Accounts::open(app.clone())?;
            match app.config.environment {
                Environment::Development => {
                    install::demo(&accounts, |line| println!("{line}")).await?
                }
                Environment::Production => println!("No accounts were made: this is production."),
            }
            // Last, as it takes the longest: what was printed can be used meanwhile.
            let seen = catalogue.seen_first(sound as usize);
            let filled = demo::fill(&app, &seen, |progress| eprintln!("{progress}")).await?;
            println!("{filled}");
            app.close().await;
        }
        Command::CreateAdmin { email, name } => {
            let app = App::open(config, Metrics::detached()).await?;
            migrate::run(app.db.source()).await?;
            let accounts = Accounts::open(app)?;
            println!("{}", install::create_admin(&accounts, email, name).await?);
        }
        Command::VerifyAudit => {
            let app = App::open(config, Metrics::detached()).await?;
            let (mut found, mut progress) = (std::io::stdout(), std::io::stderr());
            if !audit::verify_command(&app, &mut found, &mut progress).await? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::RotateKeys => {
            let app = App::open(config, Metrics::detached()).await?;
            let summary = locksmith::rotate(&app, |progress| eprintln!("{progress}")).await?;
            println!("{summary}");
            summary.judged()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn start_telemetry(config: &Config) -> anyhow::Result<Telemetry> {
    Ok(telemetry::init(telemetry::Settings {
        log_filter: config.log_filter.clone(),
        log_format: match config.log_format {
            config::LogFormat::Auto => telemetry::LogFormat::Auto,
            config::LogFormat::Text => telemetry::LogFormat::Text,
            config::LogFormat::Json => telemetry::LogFormat::Json,
        },
        otlp_endpoint: config.otlp_endpoint.clone(),
        prometheus: config.metrics_listen.is_some(),
        service_version: env!("CARGO_PKG_VERSION"),
    })?)
}
