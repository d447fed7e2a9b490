//! A child process that ends with the test, whatever becomes of it, and what it said.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::eventually;

/// No command that ends by itself takes longer.
const LONGEST_COMMAND: Duration = Duration::from_secs(60);
const LONGEST_WAIT_FOR_A_LINE: Duration = Duration::from_secs(20);

/// The binary under test, with none of the settings that the tests themselves run with.
pub fn empulse(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_empulse"));
    command.args(arguments).env_clear();
    // The embedded engine keeps its compiled form below the home folder.
    for kept in ["HOME", "PATH"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.envs(settings.iter().copied());
    command
}

pub struct Process {
    child: Child,
    out: Heard,
    err: Heard,
}

/// What a command that has ended came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    fn start_with(command: &mut Command, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = Heard::from(child.stdout.take().unwrap());
        let err = Heard::from(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        assert!(signal(self.id(), name), "it has ended:\n{}", self.said());
    }

    /// Everything that it wrote to either stream, so far.
    pub fn said(&self) -> String {
        format!("{}{}", self.out.text(), self.err.text())
    }

    /// The log's lines with this message, so far.
    pub fn lines(&self, message: &str) -> Vec<Value> {
        self.err
            .text()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["message"] == message)
            .collect()
    }

    /// The log's first line with this message.
    pub async fn line(&mut self, message: &str) -> Value {
        let what = format!("the line {message:?}");
        let found = eventually(&what, LONGEST_WAIT_FOR_A_LINE, async || {
            let found = self.lines(message).into_iter().next();
            match (found, self.child.try_wait().unwrap()) {
                (None, Some(status)) => Some(Err(status)),
                (found, _) => found.map(Ok),
            }
        });
        match found.await {
            Ok(line) => line,
            Err(status) => panic!("{what} never came ({status}):\n{}", self.said()),
        }
    }

    /// How it ended, and how long that took from now.
    pub async fn ends_within(&mut self, limit: Duration) -> (ExitStatus, Duration) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let took = began.elapsed();
                // What it said last has been heard then, too.
                self.out.all();
                self.err.all();
                return (status, took);
            }
            assert!(
                began.elapsed() < limit,
                "not ended within {limit:?}:\n{}",
                self.said()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it without a chance to tidy up.
    pub fn kill(&mut self) {
        // It may have ended already, which is all that is wanted.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether there was somebody to hear it.
pub fn signal(id: u32, name: &str) -> bool {
    let mut kill = Command::new("kill");
    kill.args(["-s", name, &id.to_string()])
        .stderr(Stdio::null());
    kill.status().is_ok_and(|status| status.success())
}

/// Runs a command to its end.
pub fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Ran {
    let process = Process::start(&mut empulse(arguments, settings));
    to_its_end(process, arguments)
}

/// The same, with something on its standard input.
pub fn run_with_input(arguments: &[&str], settings: &[(&str, &str)], input: &str) -> Ran {
    let mut command = empulse(arguments, settings);
    let mut process = Process::start_with(&mut command, Stdio::piped());
    let mut stdin = process.child.stdin.take().unwrap();
    // It may end without having read it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    to_its_end(process, arguments)
}

fn to_its_end(mut process: Process, arguments: &[&str]) -> Ran {
    let began = Instant::now();
    let status = loop {
        if let Some(status) = process.child.try_wait().unwrap() {
            break status;
        }
        assert!(
            began.elapsed() < LONGEST_COMMAND,
            "{arguments:?} does not end:\n{}",
            process.said()
        );
        std::thread::sleep(Duration::from_millis(5));
    };
    Ran {
        code: status.code(),
        out: process.out.all(),
        err: process.err.all(),
    }
}

/// One stream, read as it comes so that the child is never held up.
struct Heard {
    text: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

impl Heard {
    fn from(stream: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<String>>::default();
        let heard = text.clone();
        let reading = std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut line = Vec::new();
            while stream
                .read_until(b'\n', &mut line)
                .is_ok_and(|read| read > 0)
            {
                heard
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self {
            text,
            reading: Some(reading),
        }
    }

    fn text(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// To the stream's end.
    fn all(&mut self) -> String {
        if let Some(reading) = self.reading.take() {
            reading.join().unwrap();
        }
        self.text()
    }
}
