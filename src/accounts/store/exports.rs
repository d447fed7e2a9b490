use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Hash, account_columns};
use crate::accounts::model::{Account, AccountId, AccountSql};
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// So many archives are taken away at a time.
pub const SOME_EXPORTS: usize = 100;

pub struct NewExport {
    pub id: Uuid,
    pub account: AccountId,
    pub token_hash: Hash,
    /// How long it is waited for.
    pub expires_at: DateTime<Utc>,
}

/// When an account asked for archives since a time, and which of them are made; the newest first.
pub async fn exports_since(
    tx: &mut Tx<'_>,
    account: AccountId,
    since: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, Option<DateTime<Utc>>)>, Error> {
    let read = Statement::<(Timestamptz, Nullable<Timestamptz>)>::new(
        "select requested_at, made_at from data_exports where account_id = ",
    )
    .bind::<SqlUuid, _>(account)
    .text(" and requested_at > ")
    .bind::<Timestamptz, _>(since)
    .text(" order by requested_at desc");
    tx.load(&read).await
}

/// Asks for an archive, in place of one that was never made.
pub async fn add_export(
    tx: &mut Tx<'_>,
    new: NewExport,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "insert into data_exports (id, account_id, token_hash, requested_at, expires_at) values (",
    )
    .bind::<SqlUuid, _>(new.id)
    .text(", ")
    .bind::<SqlUuid, _>(new.account)
    .text(", ")
    .bind::<Binary, _>(new.token_hash.to_vec())
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(new.expires_at)
    .text(
        ") on conflict (account_id) where made_at is null do update set id = excluded.id, token_hash = excluded.token_hash, \
         requested_at = excluded.requested_at, expires_at = excluded.expires_at",
    );
    tx.execute(&write).await
}

/// Of whom an archive is to be made: of an account that is in use, and only once.
pub async fn export_to_make(db: &Db, id: Uuid) -> Result<Option<AccountId>, Error> {
    let read = Statement::<SqlUuid>::new(
        "select a.id from data_exports e join accounts a on a.id = e.account_id where a.status = 'ACTIVE' and e.made_at is null \
         and e.id = ",
    )
    .bind::<SqlUuid, _>(id);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// An archive was made. False where nobody waits for it any more, or its account was closed while it was made: whoever
/// closes it just now comes first, or comes after.
pub async fn export_was_made(
    tx: &mut Tx<'_>,
    id: Uuid,
    size_bytes: i64,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "with held as materialized (select e.id from data_exports e join accounts a on a.id = e.account_id \
         where a.status = 'ACTIVE' and e.id = ",
    )
    .bind::<SqlUuid, _>(id)
    .text(" for share of a) update data_exports set made_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", size_bytes = ")
        .bind::<BigInt, _>(size_bytes)
        .text(", expires_at = ")
        .bind::<Timestamptz, _>(expires_at)
        .text(" where made_at is null and id in (select id from held)");
    Ok(tx.execute(&write).await? == 1)
}

/// An archive that is told of by mail: whose, its token's hash, and until when that is good.
pub async fn export_to_mail(
    db: &Db,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<(Account, Vec<u8>, DateTime<Utc>)>, Error> {
    let read = Statement::<(AccountSql, Binary, Timestamptz)>::new(concat!(
        "select ",
        account_columns!(),
        ", e.token_hash, e.expires_at from data_exports e join accounts a on a.id = e.account_id \
         where a.status = 'ACTIVE' and e.made_at is not null and e.id = "
    ))
    .bind::<SqlUuid, _>(id)
    .text(" and e.expires_at > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// The archive that a token is of, and whose.
pub async fn export_by_token(
    db: &Db,
    token_hash: Hash,
    now: DateTime<Utc>,
) -> Result<Option<(Uuid, AccountId, DateTime<Utc>)>, Error> {
    let read = Statement::<(SqlUuid, SqlUuid, Timestamptz)>::new(
        "select id, account_id, made_at from data_exports where made_at is not null and token_hash = ",
    )
    .bind::<Binary, _>(token_hash.to_vec())
    .text(" and expires_at > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// Of an account, whether or not they are made.
pub async fn exports_of(db: &Db, account: AccountId) -> Result<Vec<Uuid>, Error> {
    let read = Statement::<SqlUuid>::new("select id from data_exports where account_id = ")
        .bind::<SqlUuid, _>(account);
    db.load(Freshness::Current, &read).await
}

/// Some of those that are of no use any more.
pub async fn ended_exports(db: &Db, now: DateTime<Utc>) -> Result<Vec<Uuid>, Error> {
    let read = Statement::<SqlUuid>::new("select id from data_exports where expires_at <= ")
        .bind::<Timestamptz, _>(now)
        .text(" order by expires_at limit ")
        .number(SOME_EXPORTS as u32);
    db.load(Freshness::Current, &read).await
}

/// Those of these that somebody may still ask for.
pub async fn known_exports(db: &Db, ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    let read = Statement::<SqlUuid>::new("select id from data_exports where id = any(")
        .bind::<Array<SqlUuid>, _>(ids.to_vec())
        .text(")");
    db.load(Freshness::Current, &read).await
}

pub async fn drop_exports(db: &Db, ids: &[Uuid]) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from data_exports where id = any(")
        .bind::<Array<SqlUuid>, _>(ids.to_vec())
        .text(")");
    db.execute(&write).await
}

/// Of one that is not made: nobody waits for it any more.
pub async fn drop_unmade_export(db: &Db, id: Uuid) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from data_exports where made_at is null and id = ")
        .bind::<SqlUuid, _>(id);
    db.execute(&write).await
}

/// Drops those that are not made and that no job is to make: it was given up, and had no time to say so.
pub async fn drop_given_up_exports(db: &Db, kind: &'static str) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from data_exports e where e.made_at is null and not exists (select from jobs j where j.state <> 'DEAD' \
         and j.payload ->> 'export' = e.id::text and j.kind = ",
    )
    .bind::<Text, _>(kind)
    .text(")");
    db.execute(&write).await
}
