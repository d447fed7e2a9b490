use diesel::Queryable;
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Uuid as SqlUuid};
use uuid::Uuid;

use super::content_columns;
use crate::audit::chain::{Content, ContentSql};
use crate::db::{Db, Error, Freshness, Statement};

/// An event as it stands in the chain, with what is personal in it.
#[derive(Debug, Queryable)]
pub struct Chained {
    pub sequence: i64,
    pub previous: Vec<u8>,
    pub hash: Vec<u8>,
    pub content: Content,
    pub origin: Kept,
    pub facts: Kept,
}

/// A personal part as it is kept; nothing of it where there was none, or it was erased.
#[derive(Debug, Queryable)]
pub struct Kept {
    pub whose: Option<Uuid>,
    pub salt: Option<Vec<u8>>,
    pub content: Option<String>,
}

type KeptSql = (Nullable<SqlUuid>, Nullable<Binary>, Nullable<Text>);
type ChainedSql = (BigInt, Binary, Binary, ContentSql, KeptSql, KeptSql);

/// What comes after an event, in the chain's order.
pub async fn chained_after(db: &Db, sequence: i64, most: u32) -> Result<Vec<Chained>, Error> {
    let read = Statement::<ChainedSql>::new(concat!(
        "select e.sequence, e.previous, e.hash, ",
        content_columns!(),
        ", o.whose, o.salt, o.content, f.whose, f.salt, f.content from audit_events e \
         left join audit_personal o on o.event_id = e.id and o.part = 'ORIGIN' \
         left join audit_personal f on f.event_id = e.id and f.part = 'FACTS' where e.sequence > "
    ))
    .bind::<BigInt, _>(sequence)
    .text(" order by e.sequence limit ")
    .number(most);
    db.load(Freshness::Current, &read).await
}

/// The hashes alone.
pub async fn hashes_after(db: &Db, sequence: i64, most: u32) -> Result<Vec<(i64, Vec<u8>)>, Error> {
    let read = Statement::<(BigInt, Binary)>::new(
        "select sequence, hash from audit_events where sequence > ",
    )
    .bind::<BigInt, _>(sequence)
    .text(" order by sequence limit ")
    .number(most);
    db.load(Freshness::Current, &read).await
}

/// The last event of the chain and its hash.
pub async fn head(db: &Db) -> Result<Option<(i64, Vec<u8>)>, Error> {
    let read = Statement::<(BigInt, Binary)>::new(
        "select sequence, hash from audit_events order by sequence desc limit 1",
    );
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}
