//! `pgbench`, PostgreSQL's own measuring program, with a script of ours.

use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;
use url::Url;

use super::scratch::Scratch;

/// It has that many threads at most: as many as the cores that the figures are given for.
const THREADS: usize = 2;

/// What each of its connections does again and again.
pub struct Script {
    text: String,
    variables: Vec<(&'static str, String)>,
}

pub struct Figures {
    /// How often the script ran to its end, without the time it took to connect.
    pub per_second: f64,
    pub mean_latency_ms: f64,
}

impl Script {
    pub fn new(text: String) -> Self {
        // A command of pgbench's own begins its line.
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        Self {
            text: lines.join("\n") + "\n",
            variables: Vec::new(),
        }
    }

    /// Gives `:name` in the script a value, sent as a parameter.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub async fn run(
        &self,
        database: &Url,
        scratch: &Scratch,
        connections: usize,
        time: Duration,
    ) -> anyhow::Result<Figures> {
        let file = scratch.write("script.sql", &self.text)?;
        let mut command = Command::new("pgbench");
        command
            .args(["--no-vacuum", "--protocol=prepared"])
            .arg(format!("--client={connections}"))
            .arg(format!("--jobs={}", connections.min(THREADS)))
            .arg(format!("--time={}", time.as_secs()))
            .arg("--file")
            .arg(file);
        for (name, value) in &self.variables {
            command.arg(format!("--define={name}={value}"));
        }
        let mut database = database.clone();
        // Whoever lists processes sees their arguments.
        if let Some(password) = database.password().map(str::to_owned) {
            command.env("PGPASSWORD", percent_decoded(&password));
            if database.set_password(None).is_err() {
                anyhow::bail!("the database's address can't do without a password");
            }
        }
        command.arg(database.as_str());
        let output = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("pgbench can't be started; it comes with PostgreSQL")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "pgbench failed: {errors}");
        read(&said).with_context(|| format!("pgbench said what is not understood: {said}"))
    }
}

pub async fn version() -> anyhow::Result<String> {
    let output = Command::new("pgbench")
        .arg("--version")
        .output()
        .await
        .context("pgbench can't be started; it comes with PostgreSQL")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn read(said: &str) -> Option<Figures> {
    let figure = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    Some(Figures {
        per_second: figure("tps = ")?,
        mean_latency_ms: figure("latency average = ")?,
    })
}

/// As an address has a password, to as it is.
fn percent_decoded(text: &str) -> String {
    // A form reads `+` as a space, which an address does not.
    let form = format!("={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(form.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}
