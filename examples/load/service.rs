//! The service under measurement: the binary as it is deployed, in a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{sleep, timeout};

use super::http::{Connection, Request};
use super::scratch::Scratch;

/// Until it listens; a new embedded database is made before that.
const START_LIMIT: Duration = Duration::from_secs(60);
/// From then until it answers; a new embedded database is filled before that.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// Longer than it gives to requests in flight.
const STOP_LIMIT: Duration = Duration::from_secs(40);
const ASK_AGAIN: Duration = Duration::from_millis(1);

/// What a program needs that is nobody's setting. All else is left out, so that the caller's environment decides
/// nothing.
const PASSED_ON: [&str; 5] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "LD_LIBRARY_PATH",
];

const SETTINGS: [(&str, &str); 5] = [
    ("EMPULSE_LISTEN", "127.0.0.1:0"),
    ("EMPULSE_RATE_FACTOR", "0"),
    ("EMPULSE_JOBS", "off"),
    ("EMPULSE_LOG_FORMAT", "json"),
    // The port that it took stands in the log, in the line of this part of it.
    ("RUST_LOG", "warn,empulse::serve=info"),
];

/// Ends with this value, at once and without a word where it was not stopped before.
pub struct Service {
    child: Child,
    pub pid: u32,
    pub address: SocketAddr,
    pub started: Instant,
}

/// The binary of this example's own build.
pub fn binary() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).unwrap_or(&own);
    let binary = folder.join(format!("empulse{}", std::env::consts::EXE_SUFFIX));
    let release = if cfg!(debug_assertions) {
        ""
    } else {
        " --release"
    };
    anyhow::ensure!(
        binary.is_file(),
        "{} is missing; `cargo build{release}` makes it",
        binary.display()
    );
    Ok(binary)
}

/// A command of the binary, with these settings and no others.
pub fn command(binary: &Path, scratch: &Scratch, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .envs(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        )
        .env("EMPULSE_DATA_DIR", scratch.path().join("data"))
        .envs(settings.iter().copied())
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

impl Service {
    /// Starts the service, and waits until it listens.
    pub async fn start(
        binary: &Path,
        scratch: &Scratch,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let settings = [&SETTINGS[..], settings].concat();
        let mut command = command(binary, scratch, &settings);
        command
            .arg("serve")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| format!("{} can't be started", binary.display()))?;
        let pid = child.id().context("the service ended at once")?;
        let stderr = child.stderr.take().context("the service has no log")?;
        let mut log = BufReader::new(stderr).lines();
        let address = timeout(START_LIMIT, listening(&mut log))
            .await
            .context("the service does not listen")??;
        tokio::spawn(pass_on(log));
        Ok(Self {
            child,
            pid,
            address,
            started,
        })
    }

    /// Asks until the answer is a good one.
    pub async fn first_answer(&mut self, request: &Request) -> anyhow::Result<()> {
        let patience = Instant::now() + READY_LIMIT;
        while let Err(error) = self.ask(request).await {
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("the service ended with {status}");
            }
            if Instant::now() > patience {
                return Err(error.context("the service listens, but gives no good answer"));
            }
            sleep(ASK_AGAIN).await;
        }
        Ok(())
    }

    async fn ask(&self, request: &Request) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.ask(&request.bytes).await?;
        request.check(&answer)
    }

    /// Asks the service to stop, as an operator would, and waits until it has.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.pid.to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status().await;
        if asked.is_ok_and(|status| status.success())
            && let Ok(status) = timeout(STOP_LIMIT, self.child.wait()).await
        {
            let status = status?;
            anyhow::ensure!(status.success(), "the service ended with {status}");
            return Ok(());
        }
        self.child.kill().await?;
        anyhow::bail!("the service did not stop when it was asked to")
    }
}

/// The address in the log's line that names it.
async fn listening(log: &mut Lines<BufReader<ChildStderr>>) -> anyhow::Result<SocketAddr> {
    let mut said = String::new();
    while let Some(line) = log.next_line().await? {
        if let Ok(record) = serde_json::from_str::<Value>(&line)
            && record["message"] == "listening"
        {
            let address = record["listen"].as_str().unwrap_or_default();
            return address
                .parse()
                .with_context(|| format!("the service listens on \"{address}\""));
        }
        said.push('\n');
        said.push_str(&line);
    }
    anyhow::bail!("the service ended before it listened:{said}")
}

/// What the service warns of is for whoever reads the figures.
async fn pass_on(mut log: Lines<BufReader<ChildStderr>>) {
    while let Ok(Some(line)) = log.next_line().await {
        let is_info =
            serde_json::from_str::<Value>(&line).is_ok_and(|line| line["level"] == "INFO");
        if !is_info {
            eprintln!("{line}");
        }
    }
}
