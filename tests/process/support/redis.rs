//! A Redis of the test's own, which it may kill and start again.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{Process, free_port};

pub struct RedisServer {
    pub port: u16,
    password: Option<&'static str>,
    running: Option<Process>,
}

impl RedisServer {
    pub fn start(what: &str) -> Option<Self> {
        Self::with_password(what, None)
    }

    pub fn with_password(what: &str, password: Option<&'static str>) -> Option<Self> {
        let is_there = Command::new("redis-server")
            .arg("--version")
            .output()
            .is_ok();
        if !is_there {
            eprintln!("not run: {what} (no redis-server is installed)");
            return None;
        }
        let mut server = Self {
            port: free_port(),
            password,
            running: None,
        };
        server.run();
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Starts it, empty, and waits until it takes connections.
    pub fn run(&mut self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string()]).args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        if let Some(password) = self.password {
            command.args(["--requirepass", password]);
        }
        self.running = Some(Process::start(&mut command));
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(10),
                "Redis does not start"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn kill(&mut self) {
        self.running = None;
    }

    /// What it answers to one command, without the lines that only give lengths.
    pub fn ask(&self, command: &str) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "{command}\r\nQUIT\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let mut lines: Vec<String> = answer
            .lines()
            .filter(|line| !line.starts_with(['*', '$']))
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.pop().as_deref(), Some("+OK"), "{answer}");
        lines
    }
}
