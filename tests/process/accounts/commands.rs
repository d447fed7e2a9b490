//! The commands that make accounts.

use serde_json::json;

use super::{COUNT_ACCOUNTS, KEYS, VERIFICATION, opens};
use crate::support::{
    Database, Folder, Mail, PASSWORD, Ran, RedisServer, Service, WRONG, has_embedded, registration,
    run, run_with_input, sign_in,
};

const ANOTHER: &str = "pebble-harvest-tunnel-7";

fn create(email: &str, settings: &[(&str, &str)], input: &str) -> Ran {
    run_with_input(&["admin", "create", "--email", email], settings, input)
}

/// One line, which says why.
#[track_caller]
fn refused(ran: &Ran, why: &str) {
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.err.starts_with("empulse: "), "{ran:?}");
    assert!(ran.err.contains(why), "{why:?} in {ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_create_makes_promotes_or_takes_over() {
    let Some(database) = Database::at_hand("admin create").await else {
        return;
    };
    let folder = Folder::new();
    let data = folder.at("data");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", &data),
        KEYS,
    ];

    // Also where nothing was migrated yet.
    for (input, why) in [
        ("", "no password was given"),
        ("\n", "no password was given"),
        ("short\n", "at least 12 characters"),
        ("password1234\n", "known"),
        ("ada@example.org\n", "address"),
    ] {
        let ran = create("ada@example.org", &settings, input);
        refused(&ran, why);
        let secret = input.trim_end();
        assert!(secret.is_empty() || !ran.err.contains(secret), "{ran:?}");
    }
    let wrong = create("ada", &settings, PASSWORD);
    refused(&wrong, "exactly one @, as in name@example.org.");
    let nothing = run(
        &["admin", "create", "--email", "ada@example.org"],
        &settings,
    );
    refused(&nothing, "no password was given");
    assert_eq!(database.number(COUNT_ACCOUNTS).await, 0);

    // A new one.
    let ran = create("ada@example.org", &settings, &format!("{PASSWORD}\r\n"));
    let says = "ada@example.org can sign in as an administrator.\n";
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (Some(0), says, "")
    );
    let service = Service::ready(&folder, &settings).await;
    let login = service
        .does("login", sign_in("ada@example.org", PASSWORD))
        .await;
    let account =
        json!({ "email": "ada@example.org", "status": "ACTIVE", "roles": ["LISTENER", "ADMIN"] });
    assert_eq!(login["account"], account, "{login}");

    // One that is in use: nothing is asked, and the password and the sessions stay.
    opens(&service, &database, "kim@example.org").await;
    let session = service.signs_in("kim@example.org", PASSWORD).await;
    for _ in ["once", "twice"] {
        let ran = create("Kim@Example.ORG", &settings, WRONG);
        let says = "kim@example.org is an administrator now; the password stays as it was.\n";
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), says), "{ran:?}");
    }
    let me = service.me(&session).await;
    let account =
        json!({ "email": "kim@example.org", "status": "ACTIVE", "roles": ["LISTENER", "ADMIN"] });
    assert_eq!(me.body["data"]["me"], account, "{me:?}");
    service.signs_in("kim@example.org", PASSWORD).await;
    let tried = service
        .tries("login", sign_in("kim@example.org", WRONG), &[])
        .await;
    assert_eq!(tried.mistake("login"), "INVALID_CREDENTIALS");

    // One that somebody opened with an address that may not be theirs.
    service
        .does("register", registration("eve@example.org"))
        .await;
    let mail = Mail::comes_to(&data, "eve@example.org", VERIFICATION).await;
    let ran = create("eve@example.org", &settings, ANOTHER);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let tried = service
        .tries("login", sign_in("eve@example.org", PASSWORD), &[])
        .await;
    assert_eq!(tried.mistake("login"), "INVALID_CREDENTIALS");
    let tried = service
        .tries("verifyEmail", json!({ "token": mail.token() }), &[])
        .await;
    assert_eq!(tried.mistake("verifyEmail"), "INVALID_TOKEN");
    let login = service
        .does("login", sign_in("eve@example.org", ANOTHER))
        .await;
    assert_eq!(login["account"]["roles"], json!(["LISTENER", "ADMIN"]));
    assert_eq!(database.number(COUNT_ACCOUNTS).await, 3);
    service.stops().await;

    let nowhere = [
        ("DATABASE_URL", "postgres://127.0.0.1:1/none"),
        settings[1],
        KEYS,
    ];
    refused(&create("ada@example.org", &nowhere, PASSWORD), "refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn admin_create_goes_into_the_embedded_database_too() {
    if !has_embedded("admin create in the embedded database") {
        return;
    }
    let folder = Folder::new();
    let data = folder.at("data");
    let settings = [("EMPULSE_DATA_DIR", data.as_str())];
    let ran = create("ada@example.org", &settings, PASSWORD);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let service = Service::ready(&folder, &[]).await;
    service.signs_in("ada@example.org", PASSWORD).await;
    let ran = create("ada@example.org", &settings, PASSWORD);
    refused(&ran, "another process is using the embedded database");
    service.stops().await;
}

/// The password and the addresses that a demo prints.
fn printed(out: &str) -> (String, Vec<String>) {
    let (_, after) = out.split_once("the password is ").unwrap();
    let mut lines = after.lines();
    let password = lines.next().unwrap().to_owned();
    let emails = lines
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| line.contains('@'))
        .map(str::to_owned)
        .collect();
    (password, emails)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_prints_accounts_that_can_sign_in() {
    let Some(database) = Database::at_hand("the accounts of a demo").await else {
        return;
    };
    let folder = Folder::new();
    let data = folder.at("data");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", &data),
    ];
    let demo = ["demo", "--tracks", "60", "--sound", "0"];
    let first = run(&demo, &settings);
    assert_eq!(first.code, Some(0), "{first:?}");
    let (old, _) = printed(&first.out);
    let service = Service::ready(&folder, &settings).await;
    let session = service.signs_in("admin@example.org", &old).await;

    let again = run(&demo, &settings);
    assert_eq!(again.code, Some(0), "{again:?}");
    let (password, emails) = printed(&again.out);
    assert_ne!(password, old);
    let mut roles = Vec::new();
    for email in &emails {
        let login = service.does("login", sign_in(email, &password)).await;
        assert_eq!(login["account"]["status"], "ACTIVE", "{login}");
        roles.push(login["account"]["roles"].clone());
    }
    let wanted = [
        json!(["LISTENER"]),
        json!(["LISTENER", "ARTIST"]),
        json!(["LISTENER", "MODERATOR"]),
        json!(["LISTENER", "ADMIN"]),
    ];
    assert_eq!(roles, wanted);
    // What was printed before opens nothing any more.
    let tried = service
        .tries("login", sign_in("admin@example.org", &old), &[])
        .await;
    assert_eq!(tried.mistake("login"), "INVALID_CREDENTIALS");
    assert_eq!(service.me(&session).await.status, 401);
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_in_production_makes_no_accounts() {
    let what = "a demo in production";
    let Some(database) = Database::at_hand(what).await else {
        return;
    };
    let Some(redis) = RedisServer::start(what) else {
        return;
    };
    let folder = Folder::new();
    let storage = format!("file://{}", folder.at("files"));
    let settings = [
        ("EMPULSE_ENV", "production"),
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", &redis.url()),
        ("EMPULSE_STORAGE_URL", &storage),
        ("SMTP_URL", "smtp://127.0.0.1:1"),
        KEYS,
        ("EMPULSE_ENCRYPTION_KEYS", KEYS.1),
        ("EMPULSE_PUBLIC_URL", "https://api.example.org"),
        ("EMPULSE_ALLOWED_ORIGINS", "https://www.example.org"),
    ];
    let ran = run(&["demo", "--tracks", "60", "--sound", "0"], &settings);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("No accounts were made"), "{ran:?}");
    assert!(!ran.out.contains("password is"), "{ran:?}");
    assert_eq!(database.number(COUNT_ACCOUNTS).await, 0);
    // But an administrator is made there by whoever asks for one, and told what the rights need.
    for says in [
        "ada@example.org can sign in as an administrator. The rights count once two-factor authentication is set up",
        "ada@example.org is an administrator now; the password stays as it was. The rights count once",
    ] {
        let ran = create("ada@example.org", &settings, PASSWORD);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.starts_with(says), "{ran:?}");
    }
    assert_eq!(database.number(COUNT_ACCOUNTS).await, 1);
}
