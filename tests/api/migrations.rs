//! The database that the migrations make: what `tables.rs` says of it, that each migration can be taken back, and that
//! no foreign key is without its index.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use empulse::db::migrate;
use tokio_postgres::Client;

use crate::support::database::TestDatabase;

/// A column as `tables.rs` writes it: its name and its type.
type Column = (String, String);

/// The tables of `tables.rs`, with their keys and columns in order.
fn written() -> BTreeMap<String, (String, Vec<Column>)> {
    let text = include_str!("../../src/db/tables.rs");
    text.split("diesel::table! {")
        .skip(1)
        .map(|table| {
            let (head, body) = table.split_once('{').unwrap();
            let (name, key) = head.trim().split_once(" (").unwrap();
            let columns = body.split('}').next().unwrap();
            let columns = columns
                .lines()
                .filter_map(|line| line.trim().trim_end_matches(',').split_once(" -> "))
                .map(|(name, ty)| (name.to_owned(), ty.to_owned()))
                .collect();
            (
                name.to_owned(),
                (key.trim_end_matches(')').to_owned(), columns),
            )
        })
        .collect()
}

/// What diesel calls PostgreSQL's types.
fn diesel_type(name: &str) -> String {
    if let Some(item) = name.strip_prefix('_') {
        return format!("Array<{}>", diesel_type(item));
    }
    let known = match name {
        "int2" => "SmallInt",
        "int4" => "Integer",
        "int8" => "BigInt",
        "text" => "Text",
        "uuid" => "Uuid",
        "bool" => "Bool",
        "date" => "Date",
        "timestamptz" => "Timestamptz",
        "bytea" => "Bytea",
        "float8" => "Double",
        "jsonb" => "Jsonb",
        other => panic!("this test does not know the type {other} yet"),
    };
    known.to_owned()
}

async fn found(client: &Client) -> BTreeMap<String, (String, Vec<Column>)> {
    let rows = client
        .query(
            "select table_name::text, column_name::text, udt_name::text, is_nullable = 'YES',
                    exists (
                      select from information_schema.table_constraints
                        join information_schema.key_column_usage k using (constraint_schema, constraint_name)
                      where constraint_type = 'PRIMARY KEY' and k.table_schema = c.table_schema
                        and k.table_name = c.table_name and k.column_name = c.column_name
                    )
             from information_schema.columns c
             where table_schema = 'public' and table_name not like '\\_\\_diesel%'
             order by table_name, ordinal_position",
            &[],
        )
        .await
        .unwrap();
    let mut tables: BTreeMap<String, (String, Vec<Column>)> = BTreeMap::new();
    for row in rows {
        let (key, columns) = tables.entry(row.get(0)).or_default();
        let name: String = row.get(1);
        let plain = diesel_type(row.get(2));
        let ty = match row.get(3) {
            true => format!("Nullable<{plain}>"),
            false => plain,
        };
        if row.get(4) {
            let comma = if key.is_empty() { "" } else { ", " };
            key.push_str(&format!("{comma}{name}"));
        }
        columns.push((name, ty));
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_those_that_the_migrations_make() {
    let database = TestDatabase::new().await;
    let client = database.source.client().await.unwrap();
    let written = written();
    assert!(written.len() >= 4, "is tables.rs still read? {written:#?}");
    assert_eq!(written, found(&client).await);
}

/// All that migrations make, in words that compare.
async fn everything(client: &Client) -> BTreeSet<String> {
    let rows = client
        .query(
            "select 'column ' || table_name || '.' || column_name || ' ' || udt_name || ' ' || is_nullable || ' '
                    || coalesce(column_default, '') || ' ' || coalesce(collation_name, '')
               from information_schema.columns where table_schema = 'public'
             union all
             select 'index ' || indexdef from pg_indexes where schemaname = 'public'
             union all
             select 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
               from pg_constraint where connamespace = 'public'::regnamespace
             union all
             select 'function ' || oid::regprocedure from pg_proc f
              where pronamespace = 'public'::regnamespace
                and not exists (select from pg_depend d where d.objid = f.oid and d.deptype = 'e')
             union all
             select 'type ' || typname
               from pg_type where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')
             union all
             select 'trigger ' || tgname || ' ' || tgrelid::regclass from pg_trigger where not tgisinternal
             union all
             select 'extension ' || extname from pg_extension",
            &[],
        )
        .await
        .unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_can_be_taken_back_and_run_again() {
    let database = TestDatabase::new().await;
    let source = &database.source;
    let client = source.client().await.unwrap();
    let before = everything(&client).await;
    assert!(
        before
            .iter()
            .any(|thing| thing.contains("tracks_by_published_at"))
    );

    assert_eq!(migrate::revert_all(source).await.unwrap(), migrate::known());
    let left: Vec<String> = everything(&client)
        .await
        .into_iter()
        .filter(|thing| {
            !thing.contains("__diesel_schema_migrations") && !thing.starts_with("extension ")
        })
        .collect();
    assert_eq!(left, [""; 0], "what a migration makes, its down.sql drops");
    assert_eq!(
        migrate::pending(source).await.unwrap().len(),
        migrate::known()
    );

    assert_eq!(migrate::run(source).await.unwrap().len(), migrate::known());
    assert_eq!(everything(&client).await, before);
    assert_eq!(migrate::run(source).await.unwrap(), [""; 0]);
    let genres: i64 = client
        .query_one("select count(*) from genres", &[])
        .await
        .unwrap()
        .get(0);
    assert_eq!(genres, 32, "what a migration brings is there again");
}

/// What the newest release brings, taken back and brought again while there is something in it.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_newest_is_in_no_migrations_way() {
    let database = TestDatabase::new().await;
    let client = database.source.client().await.unwrap();
    client
        .batch_execute(
            "insert into accounts (id, email, email_key, display_name, password_hash, status, email_verified_at, totp_secret, \
             totp_begun_at, two_factor_at, totp_last_step, erase_at, created_at, updated_at) select gen_random_uuid(), \
             n || '@x.example', n || '@x.example', 'n', 'n', status, now(), 'sealed', now(), now(), 1, erase_at, now(), now() from (values \
             (1, 'CLOSED', now()), (2, 'ACTIVE', null), (3, 'SUSPENDED', now())) as of_each (n, status, erase_at);
             insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, has_second_factor, created_at, \
             last_used_at, expires_at, ended_at, ended_because) select gen_random_uuid(), id, sha256('x'), true, false, true, \
             now(), now(), now() + interval '1 day', now(), 'CLOSED' from accounts;
             insert into data_exports (id, account_id, token_hash, requested_at, expires_at) \
             select gen_random_uuid(), id, sha256(id::text::bytea), now(), now() from accounts;
             insert into recovery_codes (account_id, code_hash) select id, sha256('a code') from accounts;
             insert into second_steps (id, account_id, token_hash, is_remembered, by_cookie, created_at, expires_at) \
             select gen_random_uuid(), id, sha256(id::text::bytea), true, false, now(), now() from accounts;
             insert into idempotency_keys (account_id, key, input, attempt, held_until, expires_at) \
             select id, sha256('a key'), sha256('an input'), gen_random_uuid(), now(), now() from accounts",
        )
        .await
        .unwrap();
    let newest = newest();
    for folder in newest.iter().rev() {
        run(&client, &folder.join("down.sql")).await;
    }
    for folder in &newest {
        run(&client, &folder.join("up.sql")).await;
    }
    let of_closed = "select count(*) from accounts where status = 'CLOSED' and erase_at > now() + interval '29 days'";
    let of_closed: i64 = client.query_one(of_closed, &[]).await.unwrap().get(0);
    assert_eq!(of_closed, 1, "its owner has time from then on");
    let reverted = migrate::revert_all(&database.source).await.unwrap();
    assert_eq!(reverted, migrate::known());
}

/// The folders from the accounts' last ones on, in their order.
fn newest() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort_unstable();
    let day = |path: &Path| path.file_name().unwrap().to_str().unwrap()[..10].to_owned();
    folders.retain(|folder| *day(folder) >= *"2026-11-27");
    assert!(folders.len() > 3, "{folders:?}");
    folders
}

/// As migrations are run: whole or not at all.
async fn run(client: &Client, file: &Path) {
    let sql = format!("begin; {}; commit", std::fs::read_to_string(file).unwrap());
    let ran = client.batch_execute(&sql).await;
    ran.unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
}

/// Places of columns in their table, as PostgreSQL numbers them.
type Columns = Vec<i16>;

fn columns(row: &tokio_postgres::Row, place: usize) -> Columns {
    let text: &str = row.get(place);
    text.split_whitespace()
        .map(|column| column.parse().unwrap())
        .collect()
}

/// Without one, a row that is deleted or renumbered makes PostgreSQL read the whole table that points at it. The index
/// must hold every row, and begin with the key, or with that part of it that names the row pointed at by itself.
#[tokio::test(flavor = "multi_thread")]
async fn every_foreign_key_has_an_index_that_begins_with_it() {
    let database = TestDatabase::new().await;
    let client = database.source.client().await.unwrap();
    let keys = client
        .query(
            "select f.conrelid::regclass::text, pg_get_constraintdef(f.oid), array_to_string(f.conkey, ' '),
                    array_to_string(f.confkey, ' '), array_to_string(p.conkey, ' ')
             from pg_constraint f join pg_constraint p on p.conrelid = f.confrelid and p.contype = 'p'
             where f.contype = 'f' and f.connamespace = 'public'::regnamespace",
            &[],
        )
        .await
        .unwrap();
    let indexes = client
        .query(
            "select indrelid::regclass::text, indkey::text from pg_index
             where indpred is null and indisvalid and indexprs is null",
            &[],
        )
        .await
        .unwrap();
    assert!(keys.len() >= 4, "{} foreign keys", keys.len());
    let mut bare = Vec::new();
    for key in &keys {
        let table: &str = key.get(0);
        let (own, pointed_at, primary) = (columns(key, 2), columns(key, 3), columns(key, 4));
        let enough: Columns = own
            .iter()
            .zip(&pointed_at)
            .filter(|(_, pointed_at)| primary.contains(pointed_at))
            .map(|(own, _)| *own)
            .collect();
        let begins_with = |index: &Columns, wanted: &Columns| {
            !wanted.is_empty()
                && index.len() >= wanted.len()
                && index[..wanted.len()]
                    .iter()
                    .all(|column| wanted.contains(column))
        };
        let has_one = indexes
            .iter()
            .filter(|index| index.get::<_, &str>(0) == table)
            .map(|index| columns(index, 1))
            .any(|index| begins_with(&index, &own) || begins_with(&index, &enough));
        if !has_one {
            bare.push(format!("{table}: {}", key.get::<_, &str>(1)));
        }
    }
    assert_eq!(bare, [""; 0], "these foreign keys have no index");
}
