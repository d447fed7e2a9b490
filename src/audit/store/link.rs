use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Timestamptz};

use super::content_columns;
use crate::audit::chain::{Content, ContentSql};
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// Any number that nobody else takes; this one spells "audit".
const LOCK: i64 = 0x61_7564_6974;

/// The place of whatever came last of those that wait; none where none waits.
pub async fn newest_pending(db: &Db) -> Result<Option<i64>, Error> {
    let read = Statement::<Nullable<BigInt>>::new("select max(position) from audit_pending");
    let rows: Vec<Option<i64>> = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next().flatten())
}

/// How many wait.
pub async fn count_pending(db: &Db) -> Result<i64, Error> {
    let read = Statement::<BigInt>::new("select count(*) from audit_pending");
    let rows: Vec<i64> = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next().unwrap_or(0))
}

/// When what waits longest was recorded.
pub async fn oldest_pending(db: &Db) -> Result<Option<DateTime<Utc>>, Error> {
    let read = Statement::<Nullable<Timestamptz>>::new("select min(created_at) from audit_pending");
    let rows: Vec<Option<DateTime<Utc>>> = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next().flatten())
}

/// Whether whoever asks may chain what waits, or only read.
pub async fn may_link(db: &Db) -> Result<bool, Error> {
    let read = Statement::<Bool>::new(
        "select not current_setting('transaction_read_only')::boolean \
         and has_table_privilege('audit_pending', 'delete') and has_table_privilege('audit_events', 'insert')",
    );
    let mut tx = db.begin().await?;
    let may = tx.first(&read).await?.unwrap_or(false);
    tx.rollback().await;
    Ok(may)
}

/// From here to the end of the transaction nobody else adds to the chain.
pub async fn hold_chain(tx: &mut Tx<'_>) -> Result<(), Error> {
    let write = Statement::<()>::new("select pg_advisory_xact_lock(")
        .bind::<BigInt, _>(LOCK)
        .text(")");
    tx.execute(&write).await?;
    Ok(())
}

/// The same, if nobody else does so now.
pub async fn try_hold_chain(tx: &mut Tx<'_>) -> Result<bool, Error> {
    let write = Statement::<Bool>::new("select pg_try_advisory_xact_lock(")
        .bind::<BigInt, _>(LOCK)
        .text(")");
    Ok(tx.first(&write).await?.unwrap_or(false))
}

/// The last event of the chain and its hash.
pub async fn last(tx: &mut Tx<'_>) -> Result<Option<(i64, Vec<u8>)>, Error> {
    let read = Statement::<(BigInt, Binary)>::new(
        "select sequence, hash from audit_events order by sequence desc limit 1",
    );
    tx.first(&read).await
}

/// What waits, in the order in which it was written.
pub async fn pending(tx: &mut Tx<'_>, most: u32) -> Result<Vec<(i64, Content)>, Error> {
    let read = Statement::<(BigInt, ContentSql)>::new(concat!(
        "select e.position, ",
        content_columns!(),
        " from audit_pending e order by e.position limit "
    ))
    .number(most);
    tx.load(&read).await
}

/// Where an event that waited comes to stand.
pub struct Link {
    pub position: i64,
    pub sequence: i64,
    pub previous: Vec<u8>,
    pub hash: Vec<u8>,
}

/// Moves events into the chain; how many.
pub async fn link(tx: &mut Tx<'_>, links: &[Link]) -> Result<usize, Error> {
    let numbers = |of: fn(&Link) -> i64| links.iter().map(of).collect::<Vec<_>>();
    let hashes = |of: fn(&Link) -> &Vec<u8>| links.iter().map(of).cloned().collect::<Vec<_>>();
    let write = Statement::<()>::new("with e as (delete from audit_pending where position = any(")
        .bind::<Array<BigInt>, _>(numbers(|link| link.position))
        .text(concat!(
            ") returning *) insert into audit_events (sequence, previous, hash, id, action, actor_id, subject_id, person_id, \
             correlation_id, details, origin_commitment, facts_commitment, created_at) select l.sequence, l.previous, l.hash, ",
            content_columns!(),
            " from e join unnest("
        ))
        .bind::<Array<BigInt>, _>(numbers(|link| link.position))
        .text(", ")
        .bind::<Array<BigInt>, _>(numbers(|link| link.sequence))
        .text(", ")
        .bind::<Array<Binary>, _>(hashes(|link| &link.previous))
        .text(", ")
        .bind::<Array<Binary>, _>(hashes(|link| &link.hash))
        .text(") as l (position, sequence, previous, hash) on l.position = e.position order by l.sequence");
    tx.execute(&write).await
}
