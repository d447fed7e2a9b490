//! `empulse check`: tries every setting and every service it is pointed at, a line each.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::accounts;
use crate::app;
use crate::clock::Clock;
use crate::config::{self, Clamav, Config};
use crate::db::{Db, Server, Source, migrate};
use crate::keys::Keys;
use crate::locksmith;
use crate::mail::Mailer;
use crate::redis::Redis;
use crate::storage;
use crate::telemetry::Metrics;
use crate::vault::Vault;

/// Another service gets this long to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const OLDEST_POSTGRESQL: i32 = 150_000;

/// Prints what was found, and says whether all of it is well.
pub async fn run(config: &Config, out: &mut dyn Write) -> io::Result<bool> {
    for setting in config::describe(config) {
        writeln!(
            out,
            "setting   {} = {} ({})",
            setting.name, setting.value, setting.source
        )?;
    }
    let mut report = Report { out, well: true };
    report.line("data folder", data_folder(config))?;
    let source = app::source(config).await;
    let found = patiently(async { database(source.as_ref()).await }).await;
    let is_up_to_date = found.as_ref().is_ok_and(|found| found.pending == 0);
    report.line("database", found)?;
    if let Some(url) = &config.database_replica_url {
        report.line(
            "replica",
            patiently(async { database(Ok(&Source::Server(Server::new(url)?))).await }).await,
        )?;
    }
    if let Some(url) = &config.redis_url {
        report.line("redis", patiently(redis(url)).await)?;
    }
    report.line("storage", patiently(storage::check(config)).await)?;
    report.line("signing keys", signing_keys(config))?;
    let stored = source.ok().filter(|_| is_up_to_date);
    report.line(
        "encryption keys",
        patiently(encryption_keys(config, stored)).await,
    )?;
    report.line("breached passwords", accounts::check_passwords(config))?;
    report.line("challenge", accounts::check_challenge(config).await)?;
    if config.smtp_url.is_some() {
        report.line("mail server", mail_server(config).await)?;
    }
    if let Some(scanner) = &config.clamav {
        report.line("scanner", patiently(clamav(scanner)).await)?;
    }
    if let Some(url) = &config.otlp_endpoint {
        report.line("collector", patiently(reachable(url)).await)?;
    }
    if let Some(path) = &config.trusted_documents {
        report.line("trusted documents", trusted_documents(path))?;
    }
    Ok(report.well)
}

struct Report<'a> {
    out: &'a mut dyn Write,
    well: bool,
}

impl Report<'_> {
    fn line(&mut self, what: &str, found: anyhow::Result<impl Display>) -> io::Result<()> {
        match found {
            Ok(found) => writeln!(self.out, "ok        {what}: {found}"),
            Err(error) => {
                self.well = false;
                writeln!(self.out, "FAILED    {what}: {error:#}")
            }
        }
    }
}

async fn patiently<T>(asked: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(PATIENCE, asked)
        .await
        .map_err(|_| anyhow::anyhow!("no answer within {PATIENCE:?}"))?
}

fn data_folder(config: &Config) -> anyhow::Result<String> {
    let folder = &config.data_dir;
    std::fs::create_dir_all(folder)?;
    let probe = folder.join(format!(".check-{}", std::process::id()));
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(&probe)?;
    Ok(format!("{} can be written to", folder.display()))
}

/// A database as it was found.
struct Found {
    version: i32,
    pending: usize,
}

impl Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, pending } = self;
        match pending {
            0 => write!(out, "PostgreSQL {version}, up to date"),
            some => write!(
                out,
                "PostgreSQL {version}, {some} of {} migrations to run",
                migrate::known()
            ),
        }
    }
}

async fn database(source: Result<&Source, &anyhow::Error>) -> anyhow::Result<Found> {
    let source = source.map_err(|error| anyhow::anyhow!("{error:#}"))?;
    let client = source.client().await?;
    let version: String = client
        .query_one("show server_version_num", &[])
        .await?
        .get(0);
    let number: i32 = version.parse()?;
    anyhow::ensure!(
        number >= OLDEST_POSTGRESQL,
        "PostgreSQL 15 or newer is needed; this is {number}"
    );
    let pending = migrate::pending(source).await?.len();
    Ok(Found {
        version: number,
        pending,
    })
}

fn signing_keys(config: &Config) -> anyhow::Result<String> {
    Ok(ring(Keys::open(config)?.ids(), "signs"))
}

/// Also whether all that is stored can be read by them.
async fn encryption_keys(config: &Config, stored: Option<Source>) -> anyhow::Result<String> {
    let vault = Vault::unlocked(config)?;
    if let Some(source) = stored {
        let db = Db::open(source, None, 1, Metrics::detached());
        let missing = vault.missing_key(&db, &locksmith::SEALED.concat()).await?;
        if let Some(key) = missing {
            anyhow::bail!(
                "something is stored under {key}, which is not in {}: put that key behind the others again",
                vault.origin()
            );
        }
    }
    Ok(ring(vault.ids(), "encrypts"))
}

fn ring<'a>(mut ids: impl Iterator<Item = &'a str>, does: &str) -> String {
    let first = ids.next().unwrap_or("none");
    format!("{first} {does}, {} in all", 1 + ids.count())
}

async fn redis(url: &secrecy::SecretString) -> anyhow::Result<String> {
    let redis = Redis::connect(url, format!("check-{}", std::process::id())).await?;
    let latency = redis.ping().await;
    redis.quit().await;
    Ok(format!("answers in {:?}", latency?))
}

/// As far as a mail would go, without one. It has a limit of its own.
async fn mail_server(config: &Config) -> anyhow::Result<String> {
    let mailer = Mailer::open(config, Clock::default())?;
    Ok(mailer.check().await?)
}

async fn clamav(scanner: &Clamav) -> anyhow::Result<String> {
    async fn ping(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin) -> anyhow::Result<String> {
        stream.write_all(b"zPING\0").await?;
        let mut said = [0; 5];
        stream.read_exact(&mut said).await?;
        anyhow::ensure!(&said == b"PONG\0", "it does not answer as clamd does");
        Ok("answers".into())
    }
    match scanner {
        Clamav::Tcp { host, port } => ping(TcpStream::connect((host.as_str(), *port)).await?).await,
        #[cfg(unix)]
        Clamav::Unix(path) => ping(tokio::net::UnixStream::connect(path).await?).await,
        #[cfg(not(unix))]
        Clamav::Unix(_) => anyhow::bail!("there are no such sockets on this system"),
    }
}

async fn reachable(url: &Url) -> anyhow::Result<String> {
    connect(url, 4318).await?;
    Ok("takes connections".into())
}

async fn connect(url: &Url, usual_port: u16) -> anyhow::Result<TcpStream> {
    let host = url
        .host_str()
        .ok_or_else(|| anyhow::anyhow!("no host is named"))?;
    let port = url.port_or_known_default().unwrap_or(usual_port);
    Ok(TcpStream::connect((host.trim_matches(['[', ']']), port)).await?)
}

fn trusted_documents(path: &std::path::Path) -> anyhow::Result<String> {
    let known = crate::graphql::check_manifest(path)?;
    Ok(format!("{known} ids and hashes"))
}
