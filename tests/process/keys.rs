//! The commands that look after keys.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::time::Duration;

use empulse::accounts::SEALED;
use empulse::config;
use empulse::vault::{Place, Vault};
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{Database, Folder, Process, Ran, empulse, eventually, has_embedded, run};

const LONG_ENOUGH: Duration = Duration::from_secs(60);

/// One line, which says why.
#[track_caller]
fn refused(ran: &Ran, why: &str) {
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.starts_with("empulse: "), "{ran:?}");
    assert!(ran.err.contains(why), "{why:?} in {ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
}

/// The keys of what `keys generate` prints, by their setting.
#[track_caller]
fn lines(ran: &Ran) -> Vec<(&str, &str)> {
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    ran.out
        .lines()
        .map(|line| line.split_once('=').unwrap_or_else(|| panic!("{line}")))
        .collect()
}

#[test]
fn generate_prints_lines_that_the_settings_take() {
    if !has_embedded("trying keys with the embedded database") {
        return;
    }
    let folder = Folder::new();
    let ran = run(&["keys", "generate"], &[]);
    let lines = lines(&ran);
    let names: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["EMPULSE_SIGNING_KEYS", "EMPULSE_ENCRYPTION_KEYS"]);
    let mut settings = lines.clone();
    settings.push(("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()));
    let checked = run(&["check"], &settings);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    for ((_, key), what) in lines.iter().zip([
        "signing keys: {} signs, 1",
        "encryption keys: {} encrypts, 1",
    ]) {
        let (id, _) = key.split_once(':').unwrap();
        // A day, and what tells it from another of that day.
        assert_eq!(id.len(), "2030-01-01-abcdef".len(), "{id}");
        let line = format!("ok        {}", what.replace("{}", id));
        assert!(checked.out.contains(&line), "{line:?} in {checked:?}");
    }
    assert!(
        !std::fs::exists(folder.at("keys")).unwrap(),
        "none are made beside those that are set"
    );
}

#[test]
fn generate_makes_other_keys_each_time() {
    let mut seen = HashSet::new();
    for _ in 0..5 {
        let ran = run(&["keys", "generate"], &[]);
        for (_, key) in lines(&ran) {
            let (id, hex) = key.split_once(':').unwrap();
            assert!(seen.insert(id.to_owned()), "{id} twice");
            assert!(seen.insert(hex.to_owned()), "a key twice");
        }
    }
}

#[test]
fn generate_makes_what_was_asked_for_whatever_the_settings_are() {
    let folder = Folder::new();
    let data = folder.at("data");
    // Before there are keys, production lacks them.
    let settings = [
        ("EMPULSE_ENV", "production"),
        ("EMPULSE_LISTEN", "nowhere"),
        ("EMPULSE_DATA_DIR", data.as_str()),
    ];
    for (only, name) in [
        ("signing", "EMPULSE_SIGNING_KEYS"),
        ("encryption", "EMPULSE_ENCRYPTION_KEYS"),
    ] {
        let arguments = ["keys", "generate", "--only", only, "--id", "2030-01"];
        let ran = run(&arguments, &settings);
        let lines = lines(&ran);
        assert_eq!(lines.len(), 1, "{ran:?}");
        assert_eq!(lines[0].0, name);
        let hex = lines[0].1.strip_prefix("2030-01:").unwrap();
        assert_eq!(hex.len(), 64, "{ran:?}");
    }
    assert!(!std::fs::exists(data).unwrap(), "nothing is left behind");
}

#[test]
fn bad_usage_exits_2_and_says_where_help_is() {
    for arguments in [
        &["keys"][..],
        &["keys", "sing"],
        &["keys", "generate", "--only", "both"],
        &["keys", "generate", "--id", ""],
        &["keys", "generate", "--id", "of:two"],
        &["keys", "generate", "--id", "Capital"],
        &[
            "keys",
            "generate",
            "--id",
            "an-id-of-more-than-thirty-two-characters",
        ],
        &["keys", "rotate", "--id", "2030-01"],
        &["keys", "rotate", "now"],
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
fn help_says_what_the_commands_do() {
    for (arguments, says) in [
        (&["keys", "--help"][..], &["generate", "rotate"][..]),
        (
            &["keys", "generate", "--help"],
            &["--only <KIND>", "signing", "encryption", "--id <ID>"],
        ),
        (&["keys", "rotate", "--help"], &["run again"]),
    ] {
        let ran = run(arguments, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        for part in says {
            assert!(ran.out.contains(part), "{part:?} in {}", ran.out);
        }
    }
}

#[test]
fn rotate_refuses_what_it_can_not_work_with() {
    let folder = Folder::new();
    let data = ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap());
    let wrong = run(
        &["keys", "rotate"],
        &[data, ("EMPULSE_ENCRYPTION_KEYS", "2030-01:abc")],
    );
    assert_eq!((wrong.code, wrong.out.as_str()), (Some(1), ""), "{wrong:?}");
    assert!(
        wrong.err.starts_with("EMPULSE_ENCRYPTION_KEYS: "),
        "{wrong:?}"
    );
    let nowhere = run(
        &["keys", "rotate"],
        &[data, ("DATABASE_URL", "postgres://127.0.0.1:1/none")],
    );
    refused(&nowhere, "refused");
    if has_embedded("a rotation of the embedded database") {
        refused(&run(&["keys", "rotate"], &[data]), "`empulse migrate`");
        assert_eq!(run(&["migrate"], &[data]).code, Some(0));
        let ran = run(&["keys", "rotate"], &[data]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        assert!(ran.out.starts_with("0 re-encrypted; 0 in all"), "{ran:?}");
    }
}

fn key(id: &str) -> String {
    let digit = format!("{:02x}", id.as_bytes()[0]);
    format!("{id}:{}", digit.repeat(32))
}

/// What the service makes of such a setting.
fn vault(ring: &str) -> Vault {
    let env = [("EMPULSE_ENCRYPTION_KEYS", ring)];
    let env = env.map(|(name, value)| (name.into(), value.into()));
    let read = config::read(["empulse".into()].into_iter(), env.into_iter());
    Vault::unlocked(&read.unwrap().config).unwrap()
}

/// Where the secret of an account's second factor stands.
fn place(number: u128) -> Place {
    let column = SEALED.iter().find(|column| column.table == "accounts");
    column.unwrap().of(Uuid::from_u128(number))
}

fn text(number: u128) -> Vec<u8> {
    format!("the secret of {number}").into_bytes()
}

/// Accounts by number, each with a secret.
async fn fill(database: &Database, vault: &Vault, numbers: Range<u128>) {
    let (ids, values): (Vec<_>, Vec<_>) = numbers
        .map(|number| {
            let value = vault.seal(&place(number), &text(number)).unwrap();
            (Uuid::from_u128(number).to_string(), value)
        })
        .unzip();
    let insert = "insert into accounts
        (id, email, email_key, display_name, password_hash, status, created_at, updated_at, totp_secret, totp_begun_at)
        select id::uuid, id, id, 'Kim', '', 'UNVERIFIED', now(), now(), secret, now()
        from unnest($1::text[], $2::bytea[]) as made (id, secret)";
    let sql = database.sql().await;
    sql.execute(insert, &[&ids, &values]).await.unwrap();
}

async fn stored(database: &Database) -> BTreeMap<u128, Vec<u8>> {
    let sql = database.sql().await;
    let rows = sql.query("select id::text, totp_secret from accounts", &[]);
    let number = |id: &str| id.parse::<Uuid>().unwrap().as_u128();
    let rows = rows.await.unwrap();
    let rows = rows.iter().map(|row| (number(row.get(0)), row.get(1)));
    rows.collect()
}

const UNDER_NEW: &str =
    "select count(*) from accounts where substring(totp_secret from 3 for 3) = 'new'::bytea";

/// Gives accounts other secrets without end, and sees each time that what it wrote before still stands. What it wrote
/// last.
async fn write(
    database: std::sync::Arc<Database>,
    numbers: Range<u128>,
    ring: String,
    stop: CancellationToken,
) -> BTreeMap<u128, Vec<u8>> {
    let sql = database.sql().await;
    let vault = vault(&ring);
    let read = "select totp_secret from accounts where id = $1::text::uuid";
    let write = "update accounts set totp_secret = $2 where id = $1::text::uuid";
    let mut written = BTreeMap::new();
    let mut turn = 0;
    while !stop.is_cancelled() {
        let number = rand::random_range(numbers.clone());
        let id = Uuid::from_u128(number).to_string();
        let stands: Vec<u8> = sql.query_one(read, &[&id]).await.unwrap().get(0);
        let stands = vault.open(&place(number), &stands).unwrap();
        let expected = written.get(&number).cloned();
        let expected = expected.unwrap_or_else(|| text(number));
        assert_eq!(stands.expose_secret(), expected, "{number} in turn {turn}");
        let text = format!("another of {number} in turn {turn}").into_bytes();
        let value = vault.seal(&place(number), &text).unwrap();
        sql.execute(write, &[&id, &value]).await.unwrap();
        written.insert(number, text);
        turn += 1;
    }
    assert!(turn > 20, "only {turn} were written");
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_goes_on_beside_others_who_write() {
    const ROWS: u128 = 20_000;
    let Some(database) = Database::at_hand("a rotation that is killed").await else {
        return;
    };
    let database = std::sync::Arc::new(database);
    let folder = Folder::new();
    let (old, new) = (key("old"), key("new"));
    let both = format!("{new},{old}");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
        ("EMPULSE_ENCRYPTION_KEYS", both.as_str()),
    ];
    assert_eq!(run(&["migrate"], &settings).code, Some(0));
    fill(&database, &vault(&old), 0..ROWS).await;

    let mut expected: BTreeMap<_, _> = (0..ROWS).map(|number| (number, text(number))).collect();
    // At first an instance is left that has the old key first.
    let rings = [[&both, &format!("{old},{new}")], [&both, &both]];
    for (rings, parts) in rings
        .into_iter()
        .zip([[0, 2_000, 4_000], [4_000, 6_000, 8_000]])
    {
        let stop = CancellationToken::new();
        let writers: Vec<_> = (0..2)
            .map(|at| {
                let numbers = parts[at]..parts[at + 1];
                let ring = rings[at].clone();
                tokio::spawn(write(database.clone(), numbers, ring, stop.clone()))
            })
            .collect();
        let before = database.number(UNDER_NEW).await;
        let mut rotation = Process::start(&mut empulse(&["keys", "rotate"], &settings));
        let sql = database.sql().await;
        eventually("some are under the new key", LONG_ENOUGH, async || {
            let count: i64 = sql.query_one(UNDER_NEW, &[]).await.unwrap().get(0);
            (count > before + 4_000).then_some(())
        })
        .await;
        rotation.kill();
        let done = database.number(UNDER_NEW).await;
        assert!((done as u128) < ROWS, "it was killed in the middle");
        assert!(
            rotation
                .said()
                .starts_with("accounts.totp_secret, walk 1: "),
            "{}",
            rotation.said()
        );
        stop.cancel();
        for writer in writers {
            expected.extend(writer.await.unwrap());
        }
    }

    // Those that were killed began, and that is all that is known of them.
    let on_trail = async |action: &str| {
        let count = format!(
            "select count(*) from (select action from audit_pending union all select action from audit_events) e \
             where action = '{action}'"
        );
        database.number(&count).await
    };
    assert_eq!(on_trail("keys.rotation_begun").await, 2);
    assert_eq!(on_trail("keys.rotated").await, 0);

    // What was sent last before a kill may still be on its way.
    let active = "select count(*) from pg_stat_activity \
                  where datname = current_database() and pid <> pg_backend_pid() and state <> 'idle' \
                  and backend_type = 'client backend'";
    eventually(
        "nobody writes any more",
        Duration::from_secs(20),
        async || (database.number(active).await == 0).then_some(()),
    )
    .await;
    let left = ROWS as i64 - database.number(UNDER_NEW).await;
    let ran = run(&["keys", "rotate"], &settings);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.out,
        format!(
            "{left} re-encrypted; {ROWS} in all are under new now.\n\
             Nothing is under old any more. Run this once more right before you take out of EMPULSE_ENCRYPTION_KEYS what is \
             not used, and keep that for as long as backups of before.\n"
        )
    );
    assert_eq!(on_trail("keys.rotation_begun").await, 3);
    assert_eq!(on_trail("keys.rotated").await, 1);
    let only = vault(&new);
    let found: BTreeMap<_, _> = stored(&database)
        .await
        .into_iter()
        .map(|(number, value)| {
            let text = only.open(&place(number), &value).unwrap();
            (number, text.expose_secret().to_vec())
        })
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_says_which_key_is_missing() {
    let Some(database) = Database::at_hand("a rotation without a key").await else {
        return;
    };
    let folder = Folder::new();
    let (old, new, lost) = (key("old"), key("new"), key("lost"));
    let both = format!("{new},{old}");
    let settings = [
        ("DATABASE_URL", database.url.as_str()),
        ("EMPULSE_DATA_DIR", folder.path().to_str().unwrap()),
        ("EMPULSE_ENCRYPTION_KEYS", both.as_str()),
    ];
    assert_eq!(run(&["migrate"], &settings).code, Some(0));
    fill(&database, &vault(&old), 0..3).await;
    fill(&database, &vault(&lost), 3..5).await;
    let before = stored(&database).await;
    let ran = run(&["keys", "rotate"], &settings);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.out
            .starts_with("3 re-encrypted; 3 in all are under new now.\n"),
        "{ran:?}"
    );
    let named = "was encrypted by the key lost, which EMPULSE_ENCRYPTION_KEYS does not hold; put it back, behind the first";
    assert_eq!(ran.out.matches(named).count(), 2, "{ran:?}");
    assert!(
        ran.out.contains("Nothing is under old any more."),
        "{ran:?}"
    );
    let last = ran.err.lines().last().unwrap();
    assert!(
        last.starts_with("empulse: 2 can't be decrypted and stay as they are: "),
        "{last}"
    );
    assert!(last.ends_with(named), "{last}");
    for hex in [&new[4..], &old[4..]] {
        assert!(!format!("{ran:?}").contains(hex), "{ran:?}");
    }
    // Whoever looks before they start the service is told of it, too.
    let checked = run(&["check"], &settings);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    let missing =
        "encryption keys: something is stored under lost, which is not in EMPULSE_ENCRYPTION_KEYS";
    assert!(checked.out.contains(missing), "{checked:?}");
    let after = stored(&database).await;
    for number in [3, 4] {
        assert_eq!(before[&number], after[&number]);
    }

    let all = format!("{both},{lost}");
    let settings = [settings[0], settings[1], ("EMPULSE_ENCRYPTION_KEYS", &all)];
    let ran = run(&["keys", "rotate"], &settings);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out
            .starts_with("2 re-encrypted; 5 in all are under new now.\n"),
        "{ran:?}"
    );
    assert!(
        ran.out.contains("Nothing is under old, lost any more."),
        "{ran:?}"
    );
}
