//! What each setting is by default, what it takes, and what it refuses.

use std::path::Path;

use secrecy::ExposeSecret;

use super::*;

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
