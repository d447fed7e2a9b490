//! Where settings come from: flags, variables and files; and that secrets show nowhere.

use secrecy::ExposeSecret;

use super::*;

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
