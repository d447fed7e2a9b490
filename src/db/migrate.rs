//! Brings a database up to date. The migrations are part of the binary; one instance at a time runs them.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Context;
use diesel::migration::{Migration, MigrationSource};
use diesel::pg::Pg;
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio_postgres::Client;

use super::Source;

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Any number that nobody else takes; this one spells "empulse".
const LOCK: i64 = 0x65_6d70_756c_7365;
const LOCK_PATIENCE: Duration = Duration::from_secs(600);

/// Runs what has not run yet, and returns its names in order.
pub async fn run(source: &Source) -> anyhow::Result<Vec<String>> {
    let locked = lock(source).await?;
    let names = pending(source).await?;
    let mut harness = AsyncMigrationHarness::new(connection(source).await?);
    harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| anyhow::anyhow!("a migration failed, and was rolled back: {error}"))?;
    drop(locked);
    Ok(names)
}

/// The names of what has not run yet. Only read: asking must not change a database, and a replica can't be written to.
pub async fn pending(source: &Source) -> anyhow::Result<Vec<String>> {
    let client = source.client().await?;
    let ran = ran(&client).await.context("what has run can't be read")?;
    names(|version| !ran.contains(version))
}

async fn ran(client: &Client) -> Result<HashSet<String>, tokio_postgres::Error> {
    let kept = "select to_regclass('__diesel_schema_migrations') is not null";
    if !client.query_one(kept, &[]).await?.get::<_, bool>(0) {
        return Ok(HashSet::new());
    }
    let versions = "select version from __diesel_schema_migrations";
    let rows = client.query(versions, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Takes everything back, newest first; for the test that each migration can be.
pub async fn revert_all(source: &Source) -> anyhow::Result<usize> {
    let mut harness = AsyncMigrationHarness::new(connection(source).await?);
    let reverted = harness
        .revert_all_migrations(MIGRATIONS)
        .map_err(|error| anyhow::anyhow!("a migration can't be taken back: {error}"))?;
    Ok(reverted.len())
}

/// How many migrations this binary has.
pub fn known() -> usize {
    all().map_or(0, |all| all.len())
}

fn all() -> anyhow::Result<Vec<Box<dyn Migration<Pg>>>> {
    MIGRATIONS
        .migrations()
        .map_err(|error| anyhow::anyhow!("the migrations can't be read: {error}"))
}

/// Of this binary's migrations, those of the wanted versions, in order.
fn names(is_wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<String>> {
    let mut names: Vec<String> = all()?
        .iter()
        .map(|migration| migration.name())
        .filter(|name| is_wanted(&name.version().to_string()))
        .map(ToString::to_string)
        .collect();
    // A name begins with its version.
    names.sort_unstable();
    Ok(names)
}

async fn connection(source: &Source) -> anyhow::Result<AsyncPgConnection> {
    let mut connection = source.connect().await?;
    // An index on a large table takes as long as it takes.
    connection
        .batch_execute("set statement_timeout = 0")
        .await?;
    Ok(connection)
}

/// Held by a connection of its own, so that it is gone when this process is. Asked for again and again rather than
/// waited for in the database, where a waiting statement would hold up what needs all others to end.
async fn lock(source: &Source) -> anyhow::Result<Option<Client>> {
    if source.is_embedded() {
        // One process has it, and that one is this.
        return Ok(None);
    }
    let client = source.client().await?;
    let asked = tokio::time::Instant::now();
    loop {
        let row = client
            .query_one("select pg_try_advisory_lock($1)", &[&LOCK])
            .await?;
        if row.get::<_, bool>(0) {
            return Ok(Some(client));
        }
        anyhow::ensure!(
            asked.elapsed() < LOCK_PATIENCE,
            "another instance has been migrating the database for {LOCK_PATIENCE:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
