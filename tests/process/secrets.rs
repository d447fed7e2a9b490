//! No secret shows in what any command says, whatever goes wrong with the service that the secret is for.

use std::net::TcpListener;
use std::time::Duration;

use crate::support::{Cluster, Folder, Process, RedisServer, empulse, free_port, run};

/// Stands in every password.
const CANARY: &str = "c4n4ry";
const SIGNING: &str = "5167ac0e5167ac0e5167ac0e5167ac0e5167ac0e5167ac0e5167ac0e5167ac0e";
const ENCRYPTION: &str = "e2c7f00de2c7f00de2c7f00de2c7f00de2c7f00de2c7f00de2c7f00de2c7f00d";

/// Settings with a secret in each that can hold one.
struct Secrets {
    folder: Folder,
    database: String,
    replica: String,
    redis: String,
    mail: String,
    signing: String,
    encryption: String,
    challenge: String,
    headers: String,
}

impl Secrets {
    /// For a database and a Redis at these places.
    fn at(database: &str, redis: &str) -> Self {
        Self {
            folder: Folder::new(),
            database: format!("postgres://ana:{CANARY}-d%40ta@{database}/music"),
            replica: format!("postgres://ana:{CANARY}-replica@{database}/copy"),
            redis: format!("redis://ana:{CANARY}-redis@{redis}"),
            mail: format!("smtp://ana:{CANARY}-mail@127.0.0.1:{}", free_port()),
            signing: format!("2030-01:{SIGNING}"),
            encryption: format!("2030-01:{ENCRYPTION}"),
            challenge: format!("turnstile:site:{CANARY}-challenge"),
            headers: format!("authorization=Basic {CANARY}-collector"),
        }
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("EMPULSE_DATA_DIR", self.folder.path().to_str().unwrap()),
            ("EMPULSE_LISTEN", "127.0.0.1:0"),
            ("EMPULSE_LOG_FORMAT", "json"),
            ("RUST_LOG", "trace"),
            ("DATABASE_URL", &self.database),
            ("DATABASE_REPLICA_URL", &self.replica),
            ("REDIS_URL", &self.redis),
            ("SMTP_URL", &self.mail),
            ("EMPULSE_SIGNING_KEYS", &self.signing),
            ("EMPULSE_ENCRYPTION_KEYS", &self.encryption),
            ("EMPULSE_CHALLENGE", &self.challenge),
            // Its provider is not to be asked in earnest.
            ("HTTPS_PROXY", "http://127.0.0.1:9"),
            ("OTEL_EXPORTER_OTLP_HEADERS", &self.headers),
        ]
    }
}

#[track_caller]
fn keeps_them(what: &str, said: &str) {
    assert!(!said.is_empty(), "{what} says something");
    for secret in [CANARY, SIGNING, ENCRYPTION] {
        assert!(!said.contains(secret), "{what} shows {secret}:\n{said}");
    }
}

/// Every command that opens the database, against one that can't be had.
async fn nothing_shows(what: &str, secrets: &Secrets, reason: &str) {
    let settings = secrets.settings();
    for command in ["check", "migrate", "demo"] {
        let ran = run(&[command], &settings);
        assert_eq!(ran.code, Some(1), "{command} with {what}: {ran:?}");
        let said = format!("{}{}", ran.out, ran.err);
        keeps_them(&format!("{command} with {what}"), &said);
        assert!(
            said.contains(reason),
            "{command} with {what} says why:\n{said}"
        );
    }
    for command in ["serve", "worker"] {
        let mut process = Process::start(&mut empulse(&[command], &settings));
        let waiting = process.line("waiting for the database").await;
        process.signal("TERM");
        let (status, _) = process.ends_within(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(0), "{}", process.said());
        keeps_them(&format!("{command} with {what}"), &process.said());
        let error = waiting["error"].as_str().unwrap();
        assert!(
            error.contains(reason),
            "{command} with {what} says why: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_when_nothing_listens() {
    let secrets = Secrets::at(
        &format!("127.0.0.1:{}", free_port()),
        &format!("127.0.0.1:{}", free_port()),
    );
    nothing_shows("a closed port", &secrets, "refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_when_the_host_is_unknown() {
    let secrets = Secrets::at("database.invalid", "redis.invalid");
    nothing_shows("an unknown host", &secrets, "lookup").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_when_the_password_is_refused() {
    let what = "secrets when a password is refused";
    let Some(cluster) = Cluster::prepare(what) else {
        return;
    };
    cluster.admit("host all all 127.0.0.1/32 scram-sha-256\n");
    cluster.run();
    let Some(redis) = RedisServer::with_password(what, Some("another")) else {
        return;
    };
    let secrets = Secrets::at(
        &format!("127.0.0.1:{}", cluster.port),
        &format!("127.0.0.1:{}", redis.port),
    );
    nothing_shows(
        "a refused password",
        &secrets,
        "password authentication failed",
    )
    .await;
}

/// Something takes the connection and answers with what is no PostgreSQL and no Redis.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_shows_when_somebody_else_answers() {
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = somebody.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in somebody.incoming().flatten().take(1_000) {
            // Says it and hangs up; whether the other side still hears it does not matter.
            let _ = std::io::Write::write_all(&mut &stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let secrets = Secrets::at(&address, &address);
    nothing_shows("somebody else", &secrets, "").await;
}

#[test]
fn no_secret_shows_when_its_setting_is_wrong() {
    let wrong = [
        ("DATABASE_URL", format!("mysql://ana:{CANARY}@host/music")),
        (
            "DATABASE_REPLICA_URL",
            format!("postgres://ana:{CANARY}@host:port/music"),
        ),
        ("REDIS_URL", format!("redis://ana:{CANARY}@host:99999")),
        ("SMTP_URL", format!("imap://ana:{CANARY}@host")),
        ("EMPULSE_SIGNING_KEYS", format!("2030-01:{SIGNING}00")),
        ("EMPULSE_ENCRYPTION_KEYS", ENCRYPTION.to_owned()),
        ("EMPULSE_CHALLENGE", format!("turnstyle:site:{CANARY}")),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://ana:{CANARY}@collector"),
        ),
        ("EMPULSE_PUBLIC_URL", format!("http://ana:{CANARY}@host")),
        ("EMPULSE_STORAGE_URL", format!("s3://ana:{CANARY}@bucket")),
    ];
    let settings: Vec<(&str, &str)> = wrong
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    for command in ["serve", "check", "migrate", "demo", "worker"] {
        let ran = run(&[command], &settings);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        keeps_them(command, &format!("{}{}", ran.out, ran.err));
        for (name, _) in &wrong {
            assert!(
                ran.err.contains(&format!("{name}: ")),
                "{name} in {}",
                ran.err
            );
        }
    }
    let flag = format!("--database-url=mysql://ana:{CANARY}@host/music");
    let ran = run(&["check", &flag], &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.starts_with("--database-url: "), "{ran:?}");
    keeps_them("a flag", &ran.err);
}
