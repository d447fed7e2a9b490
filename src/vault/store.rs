//! All SQL of rotation: one function, one statement.

use diesel::sql_types::{Array, Binary, Nullable, Uuid as SqlUuid};
use uuid::Uuid;

use super::Sealed;
use crate::db::{Db, Error, Freshness, Statement};

/// So many rows are looked at, and so many changed, by one statement: it is soon over, however few of a large table hold
/// a value.
const BATCH: u32 = 500;

/// A row's key, and its value.
pub type Stored = (Uuid, Option<Vec<u8>>);

/// The value of a row as it was read, and what is to stand in its place.
pub struct Change {
    pub row: Uuid,
    pub old: Vec<u8>,
    pub new: Vec<u8>,
}

/// Those of the next rows that hold a value, and always the last row, from which to go on. None where there are no more.
pub async fn next(db: &Db, column: Sealed, after: Option<Uuid>) -> Result<Vec<Stored>, Error> {
    let Sealed { table, key, column } = column;
    let mut read =
        Statement::<(SqlUuid, Nullable<Binary>)>::new("with looked_at as materialized (select ")
            .text(key)
            .text(" as id, ")
            .text(column)
            .text(" as value from ")
            .text(table);
    if let Some(after) = after {
        read = read
            .text(" where ")
            .text(key)
            .text(" > ")
            .bind::<SqlUuid, _>(after);
    }
    let read = read
        .text(" order by ")
        .text(key)
        .text(" limit ")
        .number(BATCH)
        .text(
            ") select id, value from looked_at \
             where value is not null or id = (select id from looked_at order by id desc limit 1) order by id",
        );
    db.load(Freshness::Current, &read).await
}

/// A value that begins with none of these; none where all do.
pub async fn beginning_otherwise(
    db: &Db,
    column: Sealed,
    heads: Vec<Vec<u8>>,
) -> Result<Option<Vec<u8>>, Error> {
    let Sealed { table, column, .. } = column;
    let read = Statement::<Binary>::new("select ")
        .text(column)
        .text(" from ")
        .text(table)
        .text(" where ")
        .text(column)
        .text(" is not null and not exists (select from unnest(")
        .bind::<Array<Binary>, _>(heads)
        .text(") as known (head) where substring(")
        .text(column)
        .text(" for length(head)) = head) limit 1");
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// Puts what is new where what was read still stands; how often. A row that somebody holds is left for another time, so
/// that nobody is waited for while others wait for us.
pub async fn replace(db: &Db, column: Sealed, changes: Vec<Change>) -> Result<usize, Error> {
    let Sealed { table, key, column } = column;
    let rows: Vec<Uuid> = changes.iter().map(|change| change.row).collect();
    let (old, new): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .map(|change| (change.old, change.new))
        .unzip();
    let write = Statement::<()>::new("with held as materialized (select ")
        .text(key)
        .text(" as id from ")
        .text(table)
        .text(" where ")
        .text(key)
        .text(" = any(")
        .bind::<Array<SqlUuid>, _>(rows.clone())
        .text(") order by ")
        .text(key)
        .text(" for no key update skip locked) update ")
        .text(table)
        .text(" as stored set ")
        .text(column)
        .text(" = change.new from held join unnest(")
        .bind::<Array<SqlUuid>, _>(rows)
        .text(", ")
        .bind::<Array<Binary>, _>(old)
        .text(", ")
        .bind::<Array<Binary>, _>(new)
        .text(") as change (id, old, new) on change.id = held.id where stored.")
        .text(key)
        .text(" = held.id and stored.")
        .text(column)
        .text(" = change.old");
    db.execute(&write).await
}
