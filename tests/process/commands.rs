//! The commands, by what they print and how they exit.

use std::fs;

use empulse::config::SETTINGS;
use serde_json::Value;

use crate::support::{
    Database, Folder, PostgresServer, Process, RedisServer, Service, empulse, free_port,
    has_embedded, run,
};

/// The names of all migrations, in their order.
fn migrations() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn one_line_each(did: &str) -> String {
    migrations()
        .iter()
        .map(|name| format!("{did} {name}\n"))
        .collect()
}

#[test]
fn the_schema_is_printed_whatever_the_settings_are() {
    let folder = Folder::new();
    let data = folder.at("data");
    let settings = [
        ("EMPULSE_ENV", "production"),
        ("EMPULSE_LISTEN", "nowhere"),
        ("EMPULSE_DATA_DIR", &data),
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
    ];
    let ran = run(&["schema"], &settings);
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.out, include_str!("../../schema.graphql"));
    assert_eq!(ran.err, "");
    assert!(
        !fs::exists(data).unwrap(),
        "printing a schema leaves nothing behind"
    );
}

#[test]
fn migrate_says_what_it_ran_once() {
    if !has_embedded("migrating the embedded database") {
        return;
    }
    let folder = Folder::new();
    let settings = [("EMPULSE_DATA_DIR", folder.path().to_str().unwrap())];
    for (arguments, says) in [
        (&["migrate", "--dry-run"][..], one_line_each("would run")),
        (&["migrate", "--dry-run"], one_line_each("would run")),
        (&["migrate"], one_line_each("ran")),
        (&["migrate"], "The database is up to date.\n".to_owned()),
        (
            &["migrate", "--dry-run"],
            "The database is up to date.\n".to_owned(),
        ),
    ] {
        let ran = run(arguments, &settings);
        assert_eq!(
            (ran.code, ran.out.as_str(), ran.err.as_str()),
            (Some(0), says.as_str(), ""),
            "{arguments:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_dry_run_nor_a_check_changes_a_database() {
    let Some(database) = Database::at_hand("a dry run on PostgreSQL").await else {
        return;
    };
    let folder = Folder::new();
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
    ];
    let dry = run(&["migrate", "--dry-run"], &settings);
    assert_eq!((dry.code, dry.out), (Some(0), one_line_each("would run")));
    let checked = run(&["check"], &settings);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(database.number(tables).await, 0);

    let ran = run(&["migrate"], &settings);
    assert_eq!((ran.code, ran.out), (Some(0), one_line_each("ran")));
    assert_eq!(database.number("select count(*) from genres").await, 32);
    let again = run(&["migrate"], &settings);
    assert_eq!(
        (again.code, again.out.as_str()),
        (Some(0), "The database is up to date.\n")
    );
}

#[test]
fn check_has_a_line_for_each_setting_and_service_and_exits_0_when_all_is_well() {
    if !has_embedded("checking the embedded database") {
        return;
    }
    let folder = Folder::new();
    let ran = run(
        &["check"],
        &[("EMPULSE_DATA_DIR", folder.path().to_str().unwrap())],
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for setting in SETTINGS {
        let start = format!("setting   {} = ", setting.variable);
        let lines = ran
            .out
            .lines()
            .filter(|line| line.starts_with(&start))
            .count();
        assert_eq!(lines, 1, "{start:?} in\n{}", ran.out);
    }
    let services: Vec<&str> = ran.out.lines().skip(SETTINGS.len()).collect();
    assert_eq!(services.len(), 7, "{services:?}");
    assert_eq!(
        services[0],
        format!(
            "ok        data folder: {} can be written to",
            folder.path().display()
        )
    );
    assert!(
        services[1].starts_with("ok        database: PostgreSQL 17"),
        "{services:?}"
    );
    let files = folder.path().join("files");
    assert_eq!(
        services[2],
        format!("ok        storage: files are kept in {}", files.display())
    );
    for (line, kind, does) in [(3, "signing", "signs"), (4, "encryption", "encrypts")] {
        let made = services[line].strip_prefix(&format!("ok        {kind} keys: made-"));
        assert!(
            made.is_some_and(|rest| rest.ends_with(&format!(" {does}, 1 in all"))),
            "{services:?}"
        );
    }
    assert_eq!(services[5], "ok        breached passwords: can be read");
    assert_eq!(
        services[6],
        "ok        challenge: ALTCHA, made and judged here"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_what_fails_beside_what_is_well_and_exits_1() {
    let Some(server) = PostgresServer::at_hand("checking services") else {
        return;
    };
    let database = server.database().await;
    let folder = Folder::new();
    let (redis, mail, collector) = (free_port(), free_port(), free_port());
    let redis = format!("redis://127.0.0.1:{redis}");
    let mail = format!("smtp://127.0.0.1:{mail}");
    let collector = format!("http://127.0.0.1:{collector}");
    let nowhere = database.url.replace("empulse_process_", "not_there_");
    let ran = run(
        &["check"],
        &[
            ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
            ("DATABASE_URL", &database.url),
            ("DATABASE_REPLICA_URL", &nowhere),
            ("REDIS_URL", &redis),
            ("SMTP_URL", &mail),
            ("EMPULSE_CLAMAV", "unix:///not/there"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector),
            ("EMPULSE_TRUSTED_DOCUMENTS", "/not/there.json"),
        ],
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let found: Vec<(&str, &str)> = ran
        .out
        .lines()
        .filter(|line| !line.starts_with("setting "))
        .filter_map(|line| line.split_once(':'))
        .map(|(found, why)| (found, why.trim()))
        .collect();
    let names: Vec<&str> = found.iter().map(|(found, _)| *found).collect();
    assert_eq!(
        names,
        [
            "ok        data folder",
            "ok        database",
            "FAILED    replica",
            "FAILED    redis",
            "ok        storage",
            "ok        signing keys",
            "ok        encryption keys",
            "ok        breached passwords",
            "ok        challenge",
            "FAILED    mail server",
            "FAILED    scanner",
            "FAILED    collector",
            "FAILED    trusted documents",
        ]
    );
    assert!(found[2].1.contains("does not exist"), "{found:?}");
    assert!(found[9].1.contains("refused"), "{found:?}");
}

/// A replica can only be read, so nothing may be written to find out how it is.
#[tokio::test(flavor = "multi_thread")]
async fn check_finds_a_replica_well_that_can_only_be_read() {
    let Some(database) = Database::at_hand("checking a replica").await else {
        return;
    };
    let folder = Folder::new();
    let read_only = format!(
        "{}?options=-c%20default_transaction_read_only%3Don",
        database.url
    );
    let settings = [
        ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
        ("DATABASE_URL", database.url.as_str()),
        ("DATABASE_REPLICA_URL", read_only.as_str()),
    ];
    for _ in ["empty", "migrated"] {
        let ran = run(&["check"], &settings);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.out.contains("\nok        replica: PostgreSQL "),
            "{ran:?}"
        );
        assert_eq!(run(&["migrate"], &settings).code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_is_loaded_once_and_served() {
    if !has_embedded("a demo in the embedded database") {
        return;
    }
    let folder = Folder::new();
    demo_is_loaded_once_and_served(&folder, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_on_postgresql_is_loaded_once_and_served() {
    let Some(database) = Database::at_hand("a demo on PostgreSQL").await else {
        return;
    };
    let folder = Folder::new();
    demo_is_loaded_once_and_served(&folder, &[("DATABASE_URL", &database.url)]).await;
}

async fn demo_is_loaded_once_and_served(folder: &Folder, settings: &[(&str, &str)]) {
    let data = folder.at("data");
    let mut settings = settings.to_vec();
    settings.push(("EMPULSE_DATA_DIR", &data));
    let demo = ["demo", "--tracks", "300", "--sound", "3"];

    let first = run(&demo, &settings);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.out.contains(" and 300 tracks, "), "{first:?}");
    assert!(first.out.contains("\nAdded 300 tracks in "), "{first:?}");
    assert!(
        first.out.contains("\nMade music for 3 tracks and "),
        "{first:?}"
    );
    assert!(
        first.err.contains("\n3 of 3 tracks can be heard\n"),
        "{first:?}"
    );
    let again = run(&demo, &settings);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.out.contains("nothing changed"), "{again:?}");
    let nothing = "\nMade music for 0 tracks and 0 pictures, 0 MB.\n";
    assert!(again.out.contains(nothing), "{again:?}");
    let counts = |out: &str| out.lines().next().unwrap().to_owned();
    assert_eq!(counts(&again.out), counts(&first.out));

    let service = Service::ready(folder, &settings).await;
    // Beside that which the demo's artist has handed in.
    let published = format!(
        " {} of them published.",
        all_tracks(&service).await.len() - 1
    );
    assert!(
        counts(&first.out).ends_with(&published),
        "{published} in {first:?}"
    );
    let (_, example) = first
        .out
        .split_once("Try this in the console:\n\n")
        .unwrap();
    let (example, _) = example.split_once("\nSign in by ").unwrap();
    let shown = service.data(example).await;
    assert_ne!(
        shown["artist"]["tracks"]["nodes"]
            .as_array()
            .map_or(0, Vec::len),
        0,
        "{shown}"
    );
    service.stops().await;
}

/// The ids of everything that is listed, page by page.
pub async fn all_tracks(service: &Service) -> Vec<String> {
    let mut ids = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let query = format!(
            "{{ tracks(first: 100, after: {cursor}) {{ nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"
        );
        let page = service.data(&query).await["tracks"].take();
        ids.extend(
            page["nodes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|node| node["id"].as_str().unwrap().to_owned()),
        );
        if page["pageInfo"]["hasNextPage"] == false {
            return ids;
        }
        cursor = page["pageInfo"]["endCursor"].clone();
    }
}

#[test]
fn bad_usage_exits_2_and_says_where_help_is() {
    for arguments in [
        &["sing"][..],
        &["serve", "loudly"],
        &["--volume", "11"],
        &["demo", "--tracks", "0"],
        &["demo", "--tracks", "1000001"],
        &["migrate", "--dry-run=perhaps"],
    ] {
        let ran = run(arguments, &[]);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(2), ""),
            "{arguments:?}: {ran:?}"
        );
        assert!(ran.err.contains("--help"), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn wrong_settings_exit_1_with_all_that_is_wrong() {
    for command in ["serve", "worker", "migrate", "check", "demo"] {
        let ran = run(
            &[command, "--database-pool", "many"],
            &[
                ("EMPULSE_LISTEN", "nowhere"),
                ("EMPULSE_RATE_FACTOR", "-1"),
                ("EMPULSE_LISTENN", "127.0.0.1:0"),
                ("REDIS_URL", "http://127.0.0.1"),
                ("DATABASE_REPLICA_URL", "postgres://127.0.0.1/copy"),
            ],
        );
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(1), ""),
            "{command}: {ran:?}"
        );
        let mut named: Vec<&str> = ran
            .err
            .lines()
            .map(|line| line.split(':').next().unwrap())
            .collect();
        named.sort_unstable();
        assert_eq!(
            named,
            [
                "--database-pool",
                "DATABASE_REPLICA_URL",
                "EMPULSE_LISTEN",
                "EMPULSE_LISTENN",
                "EMPULSE_RATE_FACTOR",
                "REDIS_URL"
            ],
            "{command}: {}",
            ran.err
        );
    }
}

#[test]
fn production_refuses_to_start_and_names_all_that_is_missing() {
    let ran = run(&["serve"], &[("EMPULSE_ENV", "production")]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    let mut missing: Vec<&str> = ran
        .err
        .lines()
        .map(|line| {
            line.split_once(": production needs it")
                .unwrap_or_else(|| panic!("{line}"))
                .0
        })
        .collect();
    missing.sort_unstable();
    assert_eq!(
        missing,
        [
            "DATABASE_URL",
            "EMPULSE_ALLOWED_ORIGINS",
            "EMPULSE_ENCRYPTION_KEYS",
            "EMPULSE_PUBLIC_URL",
            "EMPULSE_SIGNING_KEYS",
            "EMPULSE_STORAGE_URL",
            "REDIS_URL",
            "SMTP_URL",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn production_starts_when_nothing_is_missing() {
    let what = "a start in production";
    let Some(database) = Database::at_hand(what).await else {
        return;
    };
    let Some(redis) = RedisServer::start(what) else {
        return;
    };
    let folder = Folder::new();
    let storage = format!("file://{}", folder.at("files"));
    let key = format!("2030-01:{}", "5e".repeat(32));
    let settings = [
        ("EMPULSE_ENV", "production"),
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", &redis.url()),
        ("EMPULSE_STORAGE_URL", &storage),
        ("SMTP_URL", "smtp://127.0.0.1:1"),
        ("EMPULSE_SIGNING_KEYS", &key),
        ("EMPULSE_ENCRYPTION_KEYS", &key),
        ("EMPULSE_PUBLIC_URL", "https://api.example.org"),
        ("EMPULSE_ALLOWED_ORIGINS", "https://www.example.org"),
        ("EMPULSE_RATE_FACTOR", "1"),
    ];
    let service = Service::ready(&folder, &settings).await;
    let genres = service.data("{ genres { slug } }").await;
    assert_eq!(genres["genres"].as_array().map(Vec::len), Some(32));
    let introspecting = service.ask("{ __schema { queryType { name } } }").await;
    assert_eq!(introspecting.unwrap().code(), "GRAPHQL_VALIDATION_FAILED");
    assert!(
        !fs::exists(folder.at("data")).unwrap(),
        "nothing embedded is made beside what was named"
    );
    service.stops().await;
}

#[test]
fn help_lists_every_setting_by_flag_and_variable() {
    let ran = run(&["--help"], &[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    // Wherever the lines are broken.
    let help = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in SETTINGS {
        for part in [
            format!("--{} <", setting.flag()),
            format!("[env: {}", setting.variable),
            setting.meaning().to_owned(),
        ] {
            assert!(help.contains(&part), "{part:?} in\n{}", ran.out);
        }
        if let Some(file) = setting.file_variable() {
            assert!(help.contains(&format!("{file}]")), "{file} in\n{}", ran.out);
        }
    }
}

#[test]
fn an_address_that_is_taken_is_named() {
    if !has_embedded("an address that is taken") {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let data = folder.path().to_str().unwrap();
    for variable in ["EMPULSE_LISTEN", "EMPULSE_METRICS_LISTEN"] {
        let mut settings = vec![
            ("EMPULSE_LISTEN", "127.0.0.1:0"),
            ("EMPULSE_DATA_DIR", data),
        ];
        settings.push((variable, &address));
        let ran = run(&["serve"], &settings);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
        let line = format!("empulse: {variable}: {address} can't be listened to: ");
        assert!(ran.err.starts_with(&line), "{ran:?}");
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_in_use_is_refused_in_one_line_that_says_what_to_do() {
    if !has_embedded("two processes on one data folder") {
        return;
    }
    let folder = Folder::new();
    let service = Service::ready(&folder, &[]).await;
    let data = folder.at("data");
    let settings = [
        ("EMPULSE_DATA_DIR", data.as_str()),
        ("EMPULSE_LISTEN", "127.0.0.1:0"),
    ];
    let says = format!(
        "another process is using the embedded database in {data}/postgres; \
         stop it first, or name another folder by EMPULSE_DATA_DIR"
    );
    for command in ["serve", "worker", "migrate", "demo"] {
        let ran = run(&[command], &settings);
        assert_eq!(
            (ran.code, ran.out.as_str()),
            (Some(1), ""),
            "{command}: {ran:?}"
        );
        assert_eq!(ran.err, format!("empulse: {says}\n"), "{command}");
    }
    let checked = run(&["check"], &settings);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked
            .out
            .contains(&format!("\nFAILED    database: {says}\n")),
        "{checked:?}"
    );
    // The first is none the worse for it.
    assert_eq!(
        service.data("{ genres { slug } }").await["genres"]
            .as_array()
            .map(Vec::len),
        Some(32)
    );
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_work_until_it_is_stopped() {
    let Some(database) = Database::at_hand("a worker").await else {
        return;
    };
    let folder = Folder::new();
    let settings = [
        ("EMPULSE_LOG_FORMAT", "json"),
        ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
        ("DATABASE_URL", database.url.as_str()),
    ];
    let mut worker = Process::start(&mut empulse(&["worker"], &settings));
    worker.line("ready").await;
    worker.signal("TERM");
    let (status, _) = worker.ends_within(std::time::Duration::from_secs(10)).await;
    assert_eq!(status.code(), Some(0), "{}", worker.said());
    assert_eq!(worker.lines("stopped").len(), 1);
}
