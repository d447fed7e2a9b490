//! PostgreSQL for tests: clusters of their own, which they may stop and freeze, and databases of their own on whatever
//! server is at hand.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use empulse::db::Server;
use secrecy::SecretString;
use tokio_postgres::Client;
use url::Url;

use super::process::signal;
use super::{Folder, free_port};

/// A cluster in a folder of its own. Stopped, and gone, with the test.
pub struct Cluster {
    programs: PathBuf,
    folder: Folder,
    pub port: u16,
}

impl Cluster {
    /// Running, open to everybody on this machine; none, with a line that says so, where PostgreSQL is not installed.
    pub fn start(what: &str) -> Option<Self> {
        let cluster = Self::prepare(what)?;
        cluster.run();
        Some(cluster)
    }

    /// Made, but not started yet.
    pub fn prepare(what: &str) -> Option<Self> {
        let Some(programs) = programs() else {
            eprintln!("not run: {what} (no PostgreSQL is installed below /usr/lib/postgresql)");
            return None;
        };
        let cluster = Self {
            programs,
            folder: Folder::new(),
            port: free_port(),
        };
        if is_root() {
            own(cluster.folder.path().to_str().unwrap());
        }
        let mut initdb = cluster.program("initdb");
        initdb
            .args([
                "--pgdata",
                &cluster.data(),
                "--username",
                "postgres",
                "--auth",
                "trust",
            ])
            .args([
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--no-sync",
                "--no-instructions",
            ]);
        let made = initdb.output().unwrap();
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            eprintln!("not run: {what} (no cluster could be made: {said})");
            return None;
        }
        cluster.configure(&format!(
            "port = {}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nfsync = off\n",
            cluster.port,
            cluster.folder.path().display(),
        ));
        Some(cluster)
    }

    /// Adds to its settings; to be called before it runs.
    pub fn configure(&self, lines: &str) {
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(self.file("postgresql.conf"))
            .unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    }

    /// Says who may come in; to be called before it runs.
    pub fn admit(&self, lines: &str) {
        fs::write(self.file("pg_hba.conf"), lines).unwrap();
    }

    /// Puts a file into the data folder that only the server may read.
    pub fn keep(&self, name: &str, contents: &[u8]) {
        let path = self.file(name);
        fs::write(&path, contents).unwrap();
        let path = path.to_str().unwrap();
        assert!(
            Command::new("chmod")
                .args(["600", path])
                .status()
                .unwrap()
                .success()
        );
        if is_root() {
            own(path);
        }
    }

    pub fn run(&self) {
        self.control(&["start", "--wait"]);
    }

    /// `fast` as an operator stops it, `immediate` as a crash does.
    pub fn stop(&self, mode: &str) {
        self.control(&["stop", "--wait", "--mode", mode]);
    }

    pub fn restart(&self) {
        self.control(&["restart", "--wait", "--mode", "fast"]);
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// It and everything that it started stand still, with their connections open and silent.
    pub fn freeze(&self) {
        let main = self.main_process().unwrap();
        // First the one that makes the others, so that there are no more of them afterwards.
        assert!(signal(main, "STOP"));
        for child in children(main) {
            signal(child, "STOP");
        }
    }

    pub fn thaw(&self) {
        let Some(main) = self.main_process() else {
            return;
        };
        for process in [children(main), vec![main]].concat() {
            signal(process, "CONT");
        }
    }

    fn main_process(&self) -> Option<u32> {
        let text = fs::read_to_string(self.file("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    fn data(&self) -> String {
        self.folder.at("data")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    fn control(&self, arguments: &[&str]) {
        let done = self.try_control(arguments);
        let log = || fs::read_to_string(self.folder.at("log")).unwrap_or_default();
        assert!(done, "pg_ctl {arguments:?} failed:\n{}", log());
    }

    fn try_control(&self, arguments: &[&str]) -> bool {
        let mut pg_ctl = self.program("pg_ctl");
        pg_ctl
            .args(arguments)
            .args([
                "--timeout",
                "30",
                "--pgdata",
                &self.data(),
                "--log",
                &self.folder.at("log"),
            ])
            // The server would keep a pipe open for as long as it runs.
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        pg_ctl.status().unwrap().success()
    }

    /// One of PostgreSQL's programs, which refuse to run as root.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--"]).arg(path);
                command
            }
            false => Command::new(path),
        };
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.main_process().is_some() {
            self.thaw();
            if !self.try_control(&["stop", "--wait", "--mode", "immediate"]) {
                eprintln!(
                    "a test's PostgreSQL in {} does not stop",
                    self.folder.path().display()
                );
            }
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn own(path: &str) {
    let done = Command::new("chown").args(["postgres", path]).status();
    assert!(
        done.unwrap().success(),
        "there is no user postgres to run PostgreSQL as"
    );
}

/// The newest there is.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .filter_map(|version| {
            let path = version.ok()?.path();
            let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let programs = path.join("bin");
            programs
                .join("initdb")
                .exists()
                .then_some((number, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

fn children(parent: u32) -> Vec<u32> {
    let parent = format!("PPid:\t{parent}");
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let id = path.file_name()?.to_str()?.parse().ok()?;
            let status = fs::read_to_string(path.join("status")).ok()?;
            status.lines().any(|line| line == parent).then_some(id)
        })
        .collect()
}

/// The server that `DATABASE_URL` names, or else a cluster of the test's own.
pub struct PostgresServer {
    url: Url,
    _cluster: Option<Cluster>,
}

impl PostgresServer {
    pub fn at_hand(what: &str) -> Option<Arc<Self>> {
        let given = std::env::var("DATABASE_URL")
            .ok()
            .filter(|url| !url.is_empty());
        let (url, cluster) = match given {
            Some(url) => (url, None),
            None => {
                let cluster = Cluster::start(what)?;
                (cluster.url(), Some(cluster))
            }
        };
        Some(Arc::new(Self {
            url: url.parse().unwrap(),
            _cluster: cluster,
        }))
    }

    /// An empty database, dropped with the test.
    pub async fn database(self: &Arc<Self>) -> Database {
        let name = format!("empulse_process_{}", uuid::Uuid::now_v7().simple());
        let admin = connect(self.url.as_str()).await;
        admin
            .batch_execute(&format!("create database {name}"))
            .await
            .unwrap();
        let mut url = self.url.clone();
        url.set_path(&name);
        Database {
            url: url.into(),
            name,
            server: self.clone(),
        }
    }
}

pub struct Database {
    pub url: String,
    name: String,
    server: Arc<PostgresServer>,
}

impl Database {
    /// One on whatever server is at hand.
    pub async fn at_hand(what: &str) -> Option<Self> {
        Some(PostgresServer::at_hand(what)?.database().await)
    }

    /// A client of the test's own, past the service.
    pub async fn sql(&self) -> Client {
        connect(&self.url).await
    }

    /// The number that a query is about.
    pub async fn number(&self, query: &str) -> i64 {
        self.sql().await.query_one(query, &[]).await.unwrap().get(0)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A thread and a runtime of its own: the test's may be ending, and a test that failed cleans up as well.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let admin = connect(server.url.as_str()).await;
                let drop = format!("drop database if exists {name} with (force)");
                admin.batch_execute(&drop).await.unwrap();
            });
        });
        if dropped.join().is_err() {
            eprintln!("a test's database was left behind: {}", self.name);
        }
    }
}

pub async fn connect(url: &str) -> Client {
    let server = Server::new(&SecretString::from(url)).unwrap();
    let client = server.connect().await.unwrap();
    client
        // A test may hold a lock for as long as it looks at who waits for it.
        .batch_execute("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0")
        .await
        .unwrap();
    client
}
