//! Every table is looked at by whoever adds it: it speaks of people, and is declared with each of its columns, so that it
//! goes into archives and is erased; or it does not, for a reason.

use std::collections::{BTreeMap, BTreeSet};

use empulse::accounts::{AccountId, OTHER_TRACES, PERSONAL_TABLES, PersonalTable};
use tokio_postgres::Client;

use super::exporting::{export, somebody_with_everything};
use super::*;

/// Tables that hold nothing of anybody's.
const OF_NOBODY: [(&str, &str); 5] = [
    ("__diesel_schema_migrations", "which migrations have run"),
    (
        "files_owner",
        "what the database calls itself to the storage",
    ),
    ("genres", "the same for everybody"),
    ("job_schedules", "when something was last asked for"),
    (
        "used_challenges",
        "hashes of solved puzzles; nobody is told by them",
    ),
];

/// What columns of people are called, besides those with a foreign key.
fn tells_of_somebody(column: &str) -> bool {
    const PARTS: [&str; 13] = [
        "account",
        "actor",
        "address",
        "device",
        "display_name",
        "email",
        "owner",
        "payload",
        "person",
        "subject",
        "token",
        "user",
        "whose",
    ];
    PARTS.iter().any(|part| column.contains(part))
}

async fn columns(sql: &Client) -> BTreeMap<String, BTreeSet<String>> {
    let read = "select table_name::text, column_name::text from information_schema.columns where table_schema = 'public'";
    let mut tables = BTreeMap::<String, BTreeSet<String>>::new();
    for row in sql.query(read, &[]).await.unwrap() {
        tables.entry(row.get(0)).or_default().insert(row.get(1));
    }
    tables
}

/// Those that refer to an account, by however many tables in between.
async fn by_foreign_keys(sql: &Client) -> BTreeSet<String> {
    let read = "with recursive reached (id) as (select 'public.accounts'::regclass::oid union \
                select c.conrelid from pg_constraint c join reached r on c.confrelid = r.id where c.contype = 'f') \
                select relname::text from reached join pg_class on oid = id";
    let rows = sql.query(read, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_that_speaks_of_people_is_shown_to_them_and_erased() {
    let app = TestApp::new().await;
    let sql = app.sql().await;
    let tables = columns(&sql).await;
    let referring = by_foreign_keys(&sql).await;
    assert!(referring.contains("sessions"), "{referring:?}");
    let declared: BTreeMap<_, _> = PERSONAL_TABLES.iter().map(|one| (one.table, one)).collect();
    assert_eq!(declared.len(), PERSONAL_TABLES.len(), "declared twice");
    let traces: BTreeSet<_> = OTHER_TRACES.iter().map(|(table, _)| *table).collect();
    let of_nobody: BTreeSet<_> = OF_NOBODY.iter().map(|(table, _)| *table).collect();

    for (table, columns) in &tables {
        let table = table.as_str();
        let told = [
            declared.contains_key(table),
            traces.contains(table),
            of_nobody.contains(table),
        ];
        assert_eq!(
            told.iter().filter(|is| **is).count(),
            1,
            "{table}: declare it in src/accounts/leaving/tables.rs, so that an archive shows it and it is erased; or say here \
             why it is nobody's"
        );
        let telling: Vec<_> = columns
            .iter()
            .filter(|column| tells_of_somebody(column))
            .collect();
        if of_nobody.contains(table) {
            assert!(!referring.contains(table), "{table} refers to an account");
            assert!(
                telling.is_empty(),
                "{table} tells of somebody by {telling:?}"
            );
        }
        if referring.contains(table) {
            assert!(declared.contains_key(table), "{table} refers to an account");
        }
        let Some(personal) = declared.get(table) else {
            continue;
        };
        let listed: BTreeSet<_> = personal
            .shown
            .iter()
            .chain(personal.withheld)
            .map(|column| (*column).to_owned())
            .collect();
        assert_eq!(
            listed, *columns,
            "{table}: each column is shown, or withheld because it works as a secret"
        );
    }
    let all: BTreeSet<_> = tables.keys().map(String::as_str).collect();
    for known in declared.keys().chain(&traces).chain(&of_nobody) {
        assert!(all.contains(known), "{known} is no table any more");
    }
    assert_eq!(
        PERSONAL_TABLES.last().unwrap().table,
        "accounts",
        "it goes last"
    );
}

/// What is bytes is a hash or sealed here, and no more to be handed out than what is called a secret.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shown_that_works_as_a_secret() {
    let app = TestApp::new().await;
    let sql = app.sql().await;
    let read = "select table_name::text || '.' || column_name from information_schema.columns \
                where table_schema = 'public' and udt_name = 'bytea'";
    let rows = sql.query(read, &[]).await.unwrap();
    let bytes: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert!(bytes.contains("sessions.token_hash"), "{bytes:?}");
    for personal in PERSONAL_TABLES {
        for column in personal.shown {
            let full = format!("{}.{column}", personal.table);
            assert!(!bytes.contains(&full), "{full} is bytes");
            for part in ["hash", "secret", "sealed", "salt"] {
                assert!(!column.contains(part), "{full} is called a secret");
            }
        }
        for (table, why) in OTHER_TRACES {
            assert!(why.len() > 20, "{table} needs a reason");
        }
    }
}

/// How many rows a table keeps of an account.
pub fn counting(personal: &PersonalTable, account: &Value) -> String {
    let outside = account.as_str().unwrap();
    let id: AccountId = outside.parse().unwrap();
    let user = outside.replace("account_", "user_");
    let whose = personal.whose.replace("$1", &format!("'{}'::uuid", id.0));
    let whose = whose.replace("$2", &format!("'{outside}'"));
    let whose = whose.replace("$3", &format!("'{user}'"));
    format!("select count(*) from {} k where {whose}", personal.table)
}

/// Each condition is SQL that runs, and no row is somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn each_declared_table_finds_the_rows_of_its_account() {
    let app = TestApp::new().await;
    let access = somebody_with_everything(&app, ANA).await;
    export(&app, ANA, &access).await;
    // Some of the trail is chained, and some waits.
    while empulse::audit::link(&app.app.db).await.unwrap() > 0 {}
    login(&app, ANA, WRONG).await;
    let sql = app.sql().await;
    let account: String = sql
        .query_one("select id::text from accounts", &[])
        .await
        .unwrap()
        .get(0);
    for personal in PERSONAL_TABLES {
        let own = AccountId(account.parse().unwrap()).to_string();
        let nobody = AccountId(uuid::Uuid::nil()).to_string();
        let own: i64 = sql
            .query_one(&counting(personal, &json!(own)), &[])
            .await
            .unwrap()
            .get(0);
        let nobody = sql
            .query_one(&counting(personal, &json!(nobody)), &[])
            .await
            .unwrap();
        assert_eq!(nobody.get::<_, i64>(0), 0, "{}", personal.table);
        assert!(own > 0, "{}", personal.table);
    }
}
