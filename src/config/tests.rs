//! The settings as the outside meets them: through `read`, with everything passed in.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use super::*;

const CANARY: &str = "canary-5f1d";

fn run(args: &[&str], env: &[(&str, &str)]) -> Result<Invocation, Problem> {
    read(
        std::iter::once("empulse")
            .chain(args.iter().copied())
            .map(OsString::from),
        env.iter().map(|(name, value)| (name.into(), value.into())),
    )
}

fn config(env: &[(&str, &str)]) -> Config {
    run(&[], env).unwrap().config
}

fn problems(args: &[&str], env: &[(&str, &str)]) -> Vec<String> {
    match run(args, env) {
        Err(Problem::Settings(problems)) => problems,
        other => panic!("expected wrong settings, got {other:?}"),
    }
}

fn key(digit: char) -> String {
    digit.to_string().repeat(64)
}

/// A file of its own for a test, gone with it.
struct SecretFile(PathBuf);

impl SecretFile {
    fn new(name: &str, text: &[u8]) -> Self {
        let path =
            std::env::temp_dir().join(format!("empulse-config-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn with_nothing_set_each_setting_has_its_default() {
    let config = config(&[]);
    assert_eq!(config.environment, Environment::Development);
    assert_eq!(config.data_dir, Path::new("./data"));
    assert!(config.jobs);
    assert!(config.introspection);
    assert_eq!(config.trusted_documents, None);
    assert_eq!(config.rate_factor, 1.0);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.public_url.as_str(), "http://localhost:8000/");
    assert_eq!(config.web_url, config.public_url);
    assert!(config.allowed_origins.is_empty());
    assert!(config.trusted_proxies.is_empty());
    assert_eq!(config.web_dir, None);
    assert!(config.database_url.is_none());
    assert_eq!(config.database_pool, 10);
    assert!(config.database_replica_url.is_none());
    assert!(config.redis_url.is_none());
    assert_eq!(config.storage_url, None);
    assert!(config.aws_access_key_id.is_none());
    assert!(config.aws_secret_access_key.is_none());
    assert!(config.aws_session_token.is_none());
    assert_eq!(config.aws_region, None);
    assert_eq!(config.aws_endpoint_url, None);
    assert_eq!(config.aws, []);
    assert_eq!(config.cdn_url, None);
    assert!(config.smtp_url.is_none());
    assert_eq!(config.mail_from, "Empulse <no-reply@localhost>");
    assert!(config.signing_keys.is_none());
    assert!(config.encryption_keys.is_none());
    assert!(matches!(config.challenge, Challenge::Altcha));
    assert_eq!(config.clamav, None);
    assert_eq!(config.breached_passwords, None);
    assert_eq!(config.otlp_endpoint, None);
    assert_eq!(config.metrics_listen, None);
    assert_eq!(config.log_filter, "info");
    assert_eq!(config.log_format, LogFormat::Auto);
    assert_eq!(config.described.len(), SETTINGS.len());
    assert!(
        config
            .described
            .iter()
            .all(|setting| setting.source == Source::Default)
    );
}

#[test]
fn right_values_become_typed_fields() {
    let ring = format!("new-2:{}, old-1:{}", key('a'), key('B'));
    let config = config(&[
        ("EMPULSE_JOBS", "off"),
        ("EMPULSE_INTROSPECTION", "off"),
        ("EMPULSE_RATE_FACTOR", "0"),
        ("EMPULSE_LISTEN", "[::]:0"),
        ("EMPULSE_PUBLIC_URL", "https://api.example.org/base"),
        (
            "EMPULSE_ALLOWED_ORIGINS",
            "HTTPS://Www.Exämple.org:443/, http://localhost:3000",
        ),
        ("EMPULSE_TRUSTED_PROXIES", "10.1.2.3/8, 192.168.1.7,::1"),
        (
            "DATABASE_URL",
            "postgres://u:p%2Fw@a:5432,b:5433/d?sslmode=verify-full&sslrootcert=/ca.pem",
        ),
        (
            "REDIS_URL",
            "rediss-sentinel://u:p@h:26379/1?sentinelServiceName=main&node=i:26379",
        ),
        ("EMPULSE_STORAGE_URL", "file:///srv/files"),
        ("SMTP_URL", "smtps://u:p@mail.example.org"),
        ("EMPULSE_SIGNING_KEYS", &ring),
        ("EMPULSE_CHALLENGE", "turnstile:site:se:cret"),
        ("EMPULSE_CLAMAV", "tcp://[::1]"),
        ("RUST_LOG", " warn, empulse=debug"),
        ("EMPULSE_LOG_FORMAT", "json"),
    ]);
    assert!(!config.jobs && !config.introspection);
    assert_eq!(config.rate_factor, 0.0);
    assert_eq!(config.listen.to_string(), "[::]:0");
    assert_eq!(config.web_url.as_str(), "https://api.example.org/base");
    assert_eq!(
        config.allowed_origins,
        ["https://www.xn--exmple-cua.org", "http://localhost:3000"]
    );
    let proxies: Vec<String> = config
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["10.0.0.0/8", "192.168.1.7/32", "::1/128"]);
    assert!(
        config
            .database_url
            .unwrap()
            .expose_secret()
            .ends_with("/ca.pem")
    );
    let ring = config.signing_keys.unwrap();
    assert_eq!(ring.first().id, "new-2");
    assert_eq!(ring.first().expose(), &[0xaa; 32]);
    assert_eq!(ring.get("old-1").unwrap().expose(), &[0xbb; 32]);
    assert!(ring.get("none").is_none());
    match config.challenge {
        Challenge::Turnstile { site, secret } => {
            assert_eq!((site.as_str(), secret.expose_secret()), ("site", "se:cret"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        config.clamav,
        Some(Clamav::Tcp {
            host: "::1".into(),
            port: 3310
        })
    );
    assert_eq!(config.log_filter, "warn,empulse=debug");
    assert_eq!(config.log_format, LogFormat::Json);

    let socket = self::config(&[("EMPULSE_CLAMAV", "unix:///run/clamd.sock")]).clamav;
    assert_eq!(socket, Some(Clamav::Unix("/run/clamd.sock".into())));
}

#[test]
fn a_wrong_value_is_refused_by_name_with_what_would_be_right() {
    let origin = "; such as https://www.example.org";
    let base = "is not an http or https address";
    for (variable, value, message) in [
        (
            "EMPULSE_ENV",
            "prod",
            r#""prod" is neither development nor production"#,
        ),
        ("EMPULSE_JOBS", "yes", r#""yes" is neither on nor off"#),
        (
            "EMPULSE_INTROSPECTION",
            "true",
            r#""true" is neither on nor off"#,
        ),
        (
            "EMPULSE_RATE_FACTOR",
            "-1",
            r#""-1" is not a number of 0 or more; such as 0.5"#,
        ),
        (
            "EMPULSE_RATE_FACTOR",
            "NaN",
            r#""NaN" is not a number of 0 or more; such as 0.5"#,
        ),
        (
            "EMPULSE_RATE_FACTOR",
            "inf",
            r#""inf" is not a number of 0 or more; such as 0.5"#,
        ),
        (
            "EMPULSE_LISTEN",
            "8000",
            r#""8000" is not an address; such as 127.0.0.1:8000"#,
        ),
        (
            "EMPULSE_LISTEN",
            "localhost:8000",
            r#""localhost:8000" is not an address; such as 127.0.0.1:8000"#,
        ),
        (
            "EMPULSE_PUBLIC_URL",
            "ftp://h",
            &format!(r#""ftp://h" {base}; such as https://api.example.org"#),
        ),
        (
            "EMPULSE_WEB_URL",
            "www",
            &format!(r#""www" {base}{origin}"#),
        ),
        (
            "EMPULSE_WEB_URL",
            "https://h/?a",
            &format!(r#""https://h/?a" goes on after its path{origin}"#),
        ),
        (
            "EMPULSE_ALLOWED_ORIGINS",
            "*",
            &format!(
                r#""*" would let any website act for those signed in; name each origin{origin}"#
            ),
        ),
        (
            "EMPULSE_ALLOWED_ORIGINS",
            "https://a,https://b/c",
            &format!(r#""https://b/c" has a path, and an origin has none{origin}"#),
        ),
        (
            "EMPULSE_ALLOWED_ORIGINS",
            "null",
            &format!(r#""null" is not an origin{origin}"#),
        ),
        (
            "EMPULSE_ALLOWED_ORIGINS",
            " , ",
            &format!(r#"" , " names none{origin}"#),
        ),
        (
            "EMPULSE_TRUSTED_PROXIES",
            "10.0.0.0/33",
            r#""10.0.0.0/33" is not a network or an address; such as 10.0.0.0/8,192.168.1.7"#,
        ),
        (
            "EMPULSE_DATABASE_POOL",
            "0",
            r#""0" is not a whole number from 2 to 500; such as 10"#,
        ),
        (
            "EMPULSE_DATABASE_POOL",
            "501",
            r#""501" is not a whole number from 2 to 500; such as 10"#,
        ),
        (
            "EMPULSE_STORAGE_URL",
            "file://relative",
            r#""file://relative" is neither a folder by file:///… nor a bucket by s3://…; such as s3://bucket/prefix"#,
        ),
        (
            "EMPULSE_STORAGE_URL",
            "s3:///prefix",
            r#""s3:///prefix" is neither a folder by file:///… nor a bucket by s3://…; such as s3://bucket/prefix"#,
        ),
        (
            "EMPULSE_STORAGE_URL",
            "s3://bucket/a//b",
            r#""s3://bucket/a//b" has a prefix that is not of letters, digits, -, _ and ., with / between; such as s3://bucket/prefix"#,
        ),
        (
            "AWS_REGION",
            "eu.west",
            r#""eu.west" is not the name of a region; such as eu-central-1"#,
        ),
        (
            "AWS_ENDPOINT_URL",
            "minio:9000",
            &format!(r#""minio:9000" {base}; such as https://<account>.r2.cloudflarestorage.com"#),
        ),
        (
            "EMPULSE_CDN_URL",
            "cdn.example.org",
            &format!(r#""cdn.example.org" {base}; such as https://cdn.example.org"#),
        ),
        (
            "EMPULSE_MAIL_FROM",
            "nobody",
            r#""nobody" is not an e-mail address, alone or after a name; such as Empulse <no-reply@example.org>"#,
        ),
        (
            "EMPULSE_MAIL_FROM",
            "A\nBcc <a@b>",
            r#""A\nBcc <a@b>" is not an e-mail address, alone or after a name; such as Empulse <no-reply@example.org>"#,
        ),
        (
            "EMPULSE_CLAMAV",
            "http://h",
            r#""http://h" is neither tcp://host:port nor unix:///…; such as tcp://localhost:3310"#,
        ),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "localhost:4318",
            &format!(r#""localhost:4318" {base}; such as http://localhost:4318"#),
        ),
        (
            "EMPULSE_METRICS_LISTEN",
            "9464",
            r#""9464" is not an address; such as 127.0.0.1:9464"#,
        ),
        (
            "RUST_LOG",
            "empulse=loud",
            r#""empulse=loud" is not a filter of logs; such as info,empulse=debug"#,
        ),
        (
            "RUST_LOG",
            " é=?",
            r#"" é=?" is not a filter of logs; such as info,empulse=debug"#,
        ),
        (
            "EMPULSE_LOG_FORMAT",
            "xml",
            r#""xml" is none of auto, text and json"#,
        ),
    ] {
        assert_eq!(
            problems(&[], &[(variable, value)]),
            [format!("{variable}: {message}")]
        );
    }
}

#[test]
fn a_wrong_secret_is_refused_without_being_shown() {
    let pg = "; such as postgres://user:password@host:5432/empulse?sslmode=verify-full";
    let keys = "; such as 2030-01:<64 digits, by openssl rand -hex 32>";
    let provider = "is none of altcha, turnstile:SITE:SECRET and hcaptcha:SITE:SECRET";
    let redis = "; such as rediss://user:password@host:6379";
    let smtp = "is not an address of a mail server; such as smtp://user:password@host:587";
    let twice = format!("a:{0},a:{0}", key('1'));
    for (variable, value, why) in [
        (
            "DATABASE_URL",
            format!("mysql://u:{CANARY}@h/d"),
            format!("is not an address of PostgreSQL{pg}"),
        ),
        (
            "DATABASE_URL",
            format!("postgres://u:{CANARY}@h:port/d"),
            format!("is not an address of PostgreSQL{pg}"),
        ),
        (
            "DATABASE_URL",
            format!("postgres://u:p@h/d?{CANARY}=1"),
            format!("is not an address of PostgreSQL{pg}"),
        ),
        (
            "DATABASE_URL",
            format!("postgres://u:{CANARY}@h/d?sslmode=allow"),
            format!(
                "has an sslmode that is none of disable, prefer, require, verify-ca and verify-full{pg}"
            ),
        ),
        (
            "DATABASE_URL",
            format!("postgres://u:{CANARY}#@h/d"),
            format!("has a /, ? or # before its @; write %2F, %3F or %23 for it{pg}"),
        ),
        (
            "DATABASE_URL",
            format!("postgres://u:{CANARY}@/d"),
            format!("names no host{pg}"),
        ),
        (
            "REDIS_URL",
            format!("http://:{CANARY}@h"),
            format!("is not an address of Redis{redis}"),
        ),
        (
            "REDIS_URL",
            format!("redis://:{CANARY}@/1"),
            format!("is not an address of Redis{redis}"),
        ),
        (
            "REDIS_URL",
            format!("redis://:{CANARY}@h/one"),
            format!("is not an address of Redis{redis}"),
        ),
        (
            "REDIS_URL",
            format!("redis-sentinel://:{CANARY}@h"),
            format!("names no sentinelServiceName{redis}"),
        ),
        ("SMTP_URL", format!("http://u:{CANARY}@h"), smtp.to_owned()),
        ("SMTP_URL", format!("smtp:{CANARY}"), smtp.to_owned()),
        (
            "EMPULSE_SIGNING_KEYS",
            CANARY.to_owned(),
            format!("has a key that is not written as id:hex{keys}"),
        ),
        (
            "EMPULSE_SIGNING_KEYS",
            format!("a:{CANARY}"),
            format!("has a key that is not 32 bytes, 64 digits of hex{keys}"),
        ),
        (
            "EMPULSE_ENCRYPTION_KEYS",
            format!("a:+{}", "1".repeat(63)),
            format!("has a key that is not 32 bytes, 64 digits of hex{keys}"),
        ),
        (
            "EMPULSE_ENCRYPTION_KEYS",
            format!("{CANARY}_:{}", key('1')),
            format!("has an id that is not 1 to 32 of a-z, 0-9 and -{keys}"),
        ),
        (
            "EMPULSE_ENCRYPTION_KEYS",
            twice,
            format!("has two keys of one id{keys}"),
        ),
        (
            "EMPULSE_CHALLENGE",
            format!("turnstile:{CANARY}"),
            provider.to_owned(),
        ),
        (
            "EMPULSE_CHALLENGE",
            format!("recaptcha:s:{CANARY}"),
            provider.to_owned(),
        ),
    ] {
        let found = problems(&[], &[(variable, &value)]);
        assert_eq!(found, [format!("{variable}: its value {why}")]);
        assert!(!found[0].contains(CANARY));
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let found = problems(
        &["--database-pool", "many"],
        &[
            ("EMPULSE_ENV", "production"),
            ("EMPULSE_LISTEN", "8000"),
            ("EMPULSE_PUBLIC_URL", "nowhere"),
            ("EMPULSE_LISTN", "x"),
            ("EMPULSE_RATE_FACTOR", "0.0"),
        ],
    );
    let names: Vec<&str> = found
        .iter()
        .filter_map(|line| line.split(':').next())
        .collect();
    assert_eq!(
        names,
        [
            "EMPULSE_LISTN",
            "DATABASE_URL",
            "REDIS_URL",
            "EMPULSE_STORAGE_URL",
            "SMTP_URL",
            "EMPULSE_SIGNING_KEYS",
            "EMPULSE_ENCRYPTION_KEYS",
            "EMPULSE_ALLOWED_ORIGINS",
            "EMPULSE_RATE_FACTOR",
            "EMPULSE_LISTEN",
            "EMPULSE_PUBLIC_URL",
            "--database-pool",
        ]
    );
    let count = names.len();
    let printed = Problem::Settings(found).to_string();
    assert_eq!(printed.lines().count(), count);
}

fn production() -> Vec<(&'static str, String)> {
    vec![
        ("EMPULSE_ENV", "production".into()),
        (
            "DATABASE_URL",
            format!("postgres://u:{CANARY}@h/d?sslmode=require"),
        ),
        (
            "DATABASE_REPLICA_URL",
            format!("postgresql://u:{CANARY}@h/d"),
        ),
        (
            "REDIS_URL",
            format!("redis-cluster://u:{CANARY}@h:6379?node=i:6379"),
        ),
        ("EMPULSE_STORAGE_URL", "s3://bucket/prefix".into()),
        ("AWS_ACCESS_KEY_ID", CANARY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", CANARY.to_owned()),
        ("AWS_SESSION_TOKEN", CANARY.to_owned()),
        ("SMTP_URL", format!("smtp://u:{CANARY}@h:587")),
        (
            "EMPULSE_SIGNING_KEYS",
            format!("a:{}", "c0ffee00".repeat(8)),
        ),
        (
            "EMPULSE_ENCRYPTION_KEYS",
            format!("b:{}", "c0ffee00".repeat(8)),
        ),
        ("EMPULSE_CHALLENGE", format!("hcaptcha:site:{CANARY}")),
        ("EMPULSE_PUBLIC_URL", "https://api.example.org".into()),
        ("EMPULSE_ALLOWED_ORIGINS", "https://www.example.org".into()),
    ]
}

fn production_but(variable: &'static str, value: &str) -> Result<Invocation, Problem> {
    let mut env = production();
    env.retain(|(name, _)| *name != variable);
    env.push((variable, value.to_owned()));
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    run(&[], &env)
}

#[test]
fn production_refuses_what_only_suits_development() {
    let config = production_but("EMPULSE_JOBS", "on").unwrap().config;
    assert_eq!(config.environment, Environment::Production);
    assert!(!config.introspection);
    assert!(
        production_but("EMPULSE_INTROSPECTION", "on")
            .unwrap()
            .config
            .introspection
    );

    for (variable, value, message) in [
        (
            "EMPULSE_RATE_FACTOR",
            "0",
            "EMPULSE_RATE_FACTOR: 0 lifts every limit, which production refuses; such as 1",
        ),
        (
            "EMPULSE_PUBLIC_URL",
            "http://a.example",
            "EMPULSE_PUBLIC_URL: production needs https; such as https://api.example.org",
        ),
        (
            "REDIS_URL",
            "",
            "REDIS_URL: production needs it; such as rediss://user:password@host:6379",
        ),
    ] {
        let problem = production_but(variable, value).unwrap_err();
        assert_eq!(problem.to_string(), message);
        assert_eq!(problem.exit_code(), 1);
    }
}

#[test]
fn a_build_without_an_embedded_database_asks_for_one() {
    let mut found = Vec::new();
    rules::check(&Given::default(), false, &mut found);
    assert_eq!(
        found,
        [
            "DATABASE_URL: this build has no embedded database; set it, such as postgres://user:password@host:5432/empulse"
        ]
    );
    found.clear();
    rules::check(&Given::default(), true, &mut found);
    assert!(found.is_empty());
}

#[test]
fn a_copy_of_the_database_needs_its_original() {
    let found = problems(&[], &[("DATABASE_REPLICA_URL", "postgres://h/d")]);
    assert_eq!(
        found,
        ["DATABASE_REPLICA_URL: a copy needs its original; set DATABASE_URL too, or neither"]
    );
}

#[test]
fn parts_of_credentials_come_together() {
    for (given, other) in [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"),
    ] {
        assert_eq!(
            problems(&[], &[(given, "x")]),
            [format!(
                "{given}: it says nothing without {other}; set that too, or neither"
            )]
        );
    }
    let file = SecretFile::new("aws", b"from-a-file\n");
    let config = config(&[
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY_FILE", file.path()),
    ]);
    let secret = config.aws_secret_access_key.unwrap();
    assert_eq!(secret.expose_secret(), "from-a-file");
}

#[test]
fn aws_own_names_are_taken_as_they_are() {
    let config = config(&[
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token"),
        ("AWS_ALLOW_INVALID_CERTIFICATES", "true"),
        ("AWS_SKIP_SIGNATURE", "true"),
    ]);
    assert_eq!(
        config.aws,
        [
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token".to_owned()),
        ]
    );
}

#[test]
fn a_flag_counts_more_than_its_variable_before_and_after_the_command() {
    let env = [
        ("EMPULSE_LISTEN", "127.0.0.1:1"),
        ("DATABASE_URL", "postgres://h/env"),
    ];
    for args in [
        ["--listen", "127.0.0.1:2", "serve"],
        ["serve", "--listen", "127.0.0.1:2"],
    ] {
        let config = run(&args, &env).unwrap().config;
        assert_eq!(config.listen.port(), 2);
        assert_eq!(
            config.database_url.unwrap().expose_secret(),
            "postgres://h/env"
        );
    }
    // An empty flag takes away what the environment holds.
    assert!(
        run(&["--database-url="], &env)
            .unwrap()
            .config
            .database_url
            .is_none()
    );
    assert_eq!(
        problems(&["--listen", "8000"], &env),
        [r#"--listen: "8000" is not an address; such as 127.0.0.1:8000"#]
    );
}

#[test]
fn empty_values_count_as_unset() {
    let config = config(&[
        ("EMPULSE_LISTEN", ""),
        ("DATABASE_URL_FILE", ""),
        ("EMPULSE_NOTHING", ""),
    ]);
    assert_eq!(config.listen.port(), 8000);
}

#[test]
fn a_secret_can_come_from_a_file() {
    let file = SecretFile::new("right", b"postgres://u:p@h/d\r\n");
    for setting in SETTINGS {
        assert_eq!(setting.file_variable().is_some(), setting.secret);
    }
    let config = config(&[("DATABASE_URL_FILE", file.path())]);
    assert_eq!(
        config.database_url.as_ref().unwrap().expose_secret(),
        "postgres://u:p@h/d"
    );
    let shown = describe(&config)
        .find(|setting| setting.name == "DATABASE_URL")
        .unwrap();
    assert_eq!((shown.value.as_str(), shown.source), ("set", Source::File));

    let both = [
        ("DATABASE_URL", "postgres://h/d"),
        ("DATABASE_URL_FILE", file.path()),
    ];
    assert_eq!(
        problems(&[], &both),
        ["DATABASE_URL: DATABASE_URL_FILE is set too; only one of them can count"]
    );
    assert!(run(&["--database-url", "postgres://flag/d"], &both).is_ok());
}

#[test]
fn a_file_that_can_not_be_used_is_named() {
    let refused = |path: &str| problems(&[], &[("SMTP_URL_FILE", path)]).remove(0);
    assert_eq!(
        refused("/nowhere/smtp"),
        r#"SMTP_URL_FILE: the file "/nowhere/smtp" can't be read: No such file or directory (os error 2)"#
    );
    let empty = SecretFile::new("empty", b"\n");
    assert_eq!(
        refused(empty.path()),
        format!("SMTP_URL_FILE: the file {:?} is empty", empty.path())
    );
    let wrong = SecretFile::new("wrong", CANARY.as_bytes());
    assert_eq!(
        refused(wrong.path()),
        "SMTP_URL_FILE: its value is not an address of a mail server; such as smtp://user:password@host:587"
    );
    // The secret itself where its file should be named.
    assert!(!refused(&format!("smtp://u:{CANARY}@h")).contains(CANARY));
    let binary = SecretFile::new("binary", b"\xff\xfe");
    assert!(refused(binary.path()).contains("can't be read"));
}

#[cfg(unix)]
#[test]
fn what_is_not_text_is_refused_by_name() {
    use std::os::unix::ffi::OsStringExt;
    let broken = OsString::from_vec(b"\xff".to_vec());
    let found = read(
        ["empulse".into()].into_iter(),
        [("EMPULSE_MAIL_FROM".into(), broken)].into_iter(),
    );
    assert_eq!(
        found.unwrap_err().to_string(),
        "EMPULSE_MAIL_FROM: its value is not UTF-8 text; such as Empulse <no-reply@example.org>"
    );
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_known_one() {
    for (name, meant) in [
        ("EMPULSE_LISTN", "EMPULSE_LISTEN"),
        ("EMPULSE_DATABASE_URL", "DATABASE_URL"),
        ("EMPULSE_REDIS_URL_FILE", "REDIS_URL_FILE"),
        ("EMPULSE_SIGNING_KEY", "EMPULSE_SIGNING_KEYS"),
        ("EMPULSE_SIGNING_KEYS_FIL", "EMPULSE_SIGNING_KEYS_FILE"),
        ("EMPULSE_LISTEN_FILE", "EMPULSE_LISTEN"),
        ("EMPULSE_RUST_LOG", "RUST_LOG"),
    ] {
        assert_eq!(
            problems(&[], &[(name, "x")]),
            [format!(
                "{name}: there is no such setting; did you mean {meant}?"
            )]
        );
    }
    for name in ["EMPULSE_PORT", "EMPULSE_COLOUR_OF_THE_SKY"] {
        assert_eq!(
            problems(&[], &[(name, "9000")]),
            [format!(
                "{name}: there is no such setting; `empulse --help` lists those there are"
            )]
        );
    }
    assert!(
        run(
            &[],
            &[
                ("EMPULSES", "x"),
                ("PATH", "/bin"),
                ("OTEL_SERVICE_NAME", "x")
            ]
        )
        .is_ok()
    );
}

#[test]
fn what_kubernetes_injects_is_ignored() {
    let mut env = Vec::new();
    for service in ["EMPULSE", "EMPULSE_API", "EMPULSE_METRICS_V2"] {
        env.extend([
            (format!("{service}_SERVICE_HOST"), "10.0.0.1"),
            (format!("{service}_SERVICE_PORT"), "8000"),
            (format!("{service}_SERVICE_PORT_HTTP_ALT"), "8000"),
            (format!("{service}_PORT"), "tcp://10.0.0.1:8000"),
            (format!("{service}_PORT_8000_TCP"), "tcp://10.0.0.1:8000"),
            (format!("{service}_PORT_8000_TCP_PROTO"), "tcp"),
            (format!("{service}_PORT_8000_TCP_PORT"), "8000"),
            (format!("{service}_PORT_8000_TCP_ADDR"), "10.0.0.1"),
            (format!("{service}_PORT_53_UDP_ADDR"), "10.0.0.1"),
        ]);
    }
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect();
    assert!(run(&[], &env).is_ok());
    for stray in [
        "EMPULSE_PORT_8000",
        "EMPULSE_PORT_8000_TLS",
        "EMPULSE_PORT_X_TCP",
        "EMPULSE_PORT_1_TCP_NAME",
    ] {
        assert_eq!(problems(&[], &[(stray, "1")]).len(), 1, "{stray}");
    }
}

#[test]
fn secrets_show_nowhere() {
    let env = production();
    let env: Vec<(&str, &str)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let invocation = run(&[], &env).unwrap();
    let mut shown = format!("{invocation:?}\n{invocation:#?}");
    for setting in describe(&invocation.config) {
        shown += &setting.value;
    }
    for args in [
        &["--help"][..],
        &["-h"],
        &["migrate", "--help"],
        &["--listne=canary-5f1d"],
        &["--tracks", "no"],
    ] {
        let problem = run(args, &env).unwrap_err();
        shown += &format!("{problem}{problem:?}");
    }
    assert!(!shown.contains(CANARY));
    assert!(!shown.to_lowercase().contains("c0ffee"));
    assert!(!shown.contains("192, 255, 238"), "the key's bytes");

    // A password in a setting that is shown is refused, and not repeated.
    for variable in [
        "EMPULSE_PUBLIC_URL",
        "EMPULSE_CDN_URL",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "EMPULSE_LISTEN",
    ] {
        let found = problems(&[], &[(variable, &format!("https://u:{CANARY}@h"))]);
        assert!(
            found
                .iter()
                .all(|line| line.starts_with(variable) && !line.contains(CANARY))
        );
    }
    assert!(
        !problems(
            &[],
            &[("EMPULSE_STORAGE_URL", &format!("s3://k:{CANARY}@b"))]
        )[0]
        .contains(CANARY)
    );
}

#[test]
fn help_shows_each_meaning_default_and_name_and_no_value() {
    let problem = run(&["--help"], &[("EMPULSE_LISTEN", "9.9.9.9:9999")]).unwrap_err();
    assert_eq!(problem.exit_code(), 0);
    let help: String = problem
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    assert!(!help.contains("9.9.9.9"));
    assert!(help.contains("README.md"));
    for setting in SETTINGS {
        let variables = match setting.file_variable() {
            Some(file) => format!("{}, {file}", setting.variable),
            None => setting.variable.to_owned(),
        };
        let line = format!(
            "--{} <{}> {} [default: {}] [env: {variables}]",
            setting.flag(),
            setting.placeholder,
            setting.meaning(),
            setting.default_shown(),
        );
        assert!(help.contains(&line), "{line}\n{help}");
    }
}

#[test]
fn flags_are_named_after_their_variables() {
    let flags: BTreeSet<String> = SETTINGS.iter().map(Setting::flag).collect();
    assert_eq!(flags.len(), SETTINGS.len());
    for flag in [
        "listen",
        "env",
        "database-url",
        "otel-exporter-otlp-endpoint",
        "log",
        "log-format",
        "smtp-url",
    ] {
        assert!(flags.contains(flag), "{flag}");
    }
}

#[test]
fn commands() {
    for (args, command) in [
        (&[][..], Command::Serve),
        (&["serve"], Command::Serve),
        (&["worker"], Command::Worker),
        (&["migrate"], Command::Migrate { dry_run: false }),
        (
            &["migrate", "--dry-run"],
            Command::Migrate { dry_run: true },
        ),
        (&["schema"], Command::Schema),
        (&["check"], Command::Check),
        (
            &["demo"],
            Command::Demo {
                tracks: 2000,
                seed: 1,
            },
        ),
        (
            &["demo", "--tracks", "5", "--seed", "7"],
            Command::Demo { tracks: 5, seed: 7 },
        ),
    ] {
        assert_eq!(run(args, &[]).unwrap().command, command);
    }
    super::command().debug_assert();
}

#[test]
fn bad_usage_is_told_from_wrong_settings() {
    for (args, code) in [
        (&["--version"][..], 0),
        (&["help"], 0),
        (&["--listne", "x"], 2),
        (&["dance"], 2),
        (&["demo", "--tracks", "0"], 2),
        (&["demo", "--tracks", "1000001"], 2),
        (&["migrate", "--listen"], 2),
        (&["--listen", "x"], 1),
    ] {
        assert_eq!(run(args, &[]).unwrap_err().exit_code(), code, "{args:?}");
    }
}

#[test]
fn the_schema_is_printed_whatever_is_set() {
    let invocation = run(
        &["schema", "--listen", "x"],
        &[
            ("EMPULSE_ENV", "production"),
            ("EMPULSE_WHAT", "x"),
            ("DATABASE_URL", "x"),
        ],
    );
    assert_eq!(invocation.unwrap().command, Command::Schema);
}

#[test]
fn every_setting_is_described_with_its_source() {
    let config = run(
        &["--jobs", "off"],
        &[("RUST_LOG", "warn"), ("REDIS_URL", "redis://h")],
    )
    .unwrap()
    .config;
    let described: Vec<(&str, &str, String)> = describe(&config)
        .map(|setting| {
            (
                setting.name,
                setting.value.as_str(),
                setting.source.to_string(),
            )
        })
        .collect();
    assert!(
        described
            .iter()
            .map(|setting| setting.0)
            .eq(SETTINGS.iter().map(|setting| setting.variable))
    );
    for (name, value, source) in [
        ("EMPULSE_JOBS", "off", "flag"),
        ("RUST_LOG", "warn", "environment"),
        ("REDIS_URL", "set", "environment"),
        ("DATABASE_URL", "unset: embedded", "default"),
        ("EMPULSE_CHALLENGE", "altcha", "default"),
        ("EMPULSE_WEB_URL", "http://localhost:8000", "default"),
        ("EMPULSE_INTROSPECTION", "on", "default"),
    ] {
        assert!(
            described.contains(&(name, value, source.to_owned())),
            "{name}: {described:?}"
        );
    }
}

#[test]
fn the_example_file_holds_every_setting_and_nothing_else() {
    let mut expected = Vec::new();
    let mut group = "";
    for setting in SETTINGS {
        if setting.group != group {
            group = setting.group;
            expected.push(format!("## {group}"));
        }
        expected.push(format!("# {}", setting.meaning()));
        let value = match setting.otherwise {
            setting::Otherwise::Value(default) => default,
            _ => {
                expected.push(format!("# Default: {}", setting.default_shown()));
                // A setting without an example has its values listed in its meaning or its placeholder.
                setting.example.unwrap_or("on")
            }
        };
        // As shells and Docker Compose read it.
        let quote = if value.contains([' ', '<']) { "\"" } else { "" };
        expected.push(format!("#{}={quote}{value}{quote}", setting.variable));
    }
    let example = include_str!("../../.env.example");
    let found: Vec<&str> = example
        .lines()
        .skip_while(|line| !line.starts_with("## "))
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(found, expected);
}
