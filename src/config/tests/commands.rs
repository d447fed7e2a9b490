//! Commands, and what they print of settings.

use std::collections::BTreeSet;

use super::*;

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
                sound: 2000,
            },
        ),
        (
            &["demo", "--tracks", "5", "--seed", "7", "--sound", "0"],
            Command::Demo {
                tracks: 5,
                seed: 7,
                sound: 0,
            },
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
    let example = include_str!("../../../.env.example");
    let found: Vec<&str> = example
        .lines()
        .skip_while(|line| !line.starts_with("## "))
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(found, expected);
}
