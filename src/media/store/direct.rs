use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::accounts::AccountId;
use crate::db::{Db, Error, Freshness, Statement, Tx};
use crate::media::direct::{
    DirectFailure, DirectStatus, DirectUpload, DirectUploadId, OpenUploads,
};
use crate::media::model::AudioId;

type DirectSql = (
    SqlUuid,
    Nullable<SqlUuid>,
    Text,
    Text,
    BigInt,
    BigInt,
    Nullable<Binary>,
    Nullable<Text>,
    Nullable<Timestamptz>,
    Timestamptz,
);

const DIRECTS: &str = "select id, account_id, status, handle, byte_size, part_size, sha256, failure, claimed_at, expires_at \
                       from direct_uploads where ";

pub async fn insert_direct(
    tx: &mut Tx<'_>,
    upload: &DirectUpload,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let write = Statement::<()>::new(
        "insert into direct_uploads (id, account_id, status, handle, byte_size, part_size, sha256, created_at, expires_at) values (",
    )
    .bind::<SqlUuid, _>(upload.id.0)
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(upload.account_id.map(|account| account.0))
    .text(", 'OPEN', ")
    .bind::<Text, _>(upload.handle.clone())
    .text(", ")
    .bind::<BigInt, _>(upload.byte_size)
    .text(", ")
    .bind::<BigInt, _>(upload.part_size)
    .text(", ")
    .bind::<Nullable<Binary>, _>(upload.sha256.clone())
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(upload.expires_at)
    .text(")");
    tx.execute(&write).await?;
    Ok(())
}

fn open_of(account: AccountId, now: DateTime<Utc>) -> Statement<(BigInt, BigInt)> {
    Statement::new("select count(*), coalesce(sum(byte_size), 0)::bigint from direct_uploads where account_id = ")
        .bind::<SqlUuid, _>(account.0)
        .text(" and (status = 'VERIFYING' or status = 'OPEN' and expires_at > ")
        .bind::<Timestamptz, _>(now)
        .text(")")
}

fn open((count, bytes): (i64, i64)) -> OpenUploads {
    OpenUploads {
        count,
        bytes: bytes.unsigned_abs(),
    }
}

/// The uploads of an account that may come or are read back.
pub async fn open_directs(
    db: &Db,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<OpenUploads, Error> {
    let rows: Vec<(i64, i64)> = db.load(Freshness::Current, &open_of(account, now)).await?;
    Ok(open(rows.first().copied().unwrap_or_default()))
}

/// The same within a transaction that holds the account.
pub async fn open_directs_now(
    tx: &mut Tx<'_>,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<OpenUploads, Error> {
    let counted: Option<(i64, i64)> = tx.first(&open_of(account, now)).await?;
    Ok(open(counted.unwrap_or_default()))
}

fn one_of(account: AccountId, id: DirectUploadId) -> Statement<DirectSql> {
    Statement::new(DIRECTS)
        .text("id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(" and account_id = ")
        .bind::<SqlUuid, _>(account.0)
}

/// An upload of the account.
pub async fn direct_of(
    db: &Db,
    account: AccountId,
    id: DirectUploadId,
) -> Result<Option<DirectUpload>, Error> {
    let found = db.load(Freshness::Current, &one_of(account, id)).await?;
    Ok(found.into_iter().next())
}

/// The same within a transaction.
pub async fn direct_now(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: DirectUploadId,
) -> Result<Option<DirectUpload>, Error> {
    tx.first(&one_of(account, id)).await
}

/// An upload, whoever asks: for what goes on by itself.
pub async fn any_direct(db: &Db, id: DirectUploadId) -> Result<Option<DirectUpload>, Error> {
    let read = Statement::<DirectSql>::new(DIRECTS)
        .text("id = ")
        .bind::<SqlUuid, _>(id.0);
    let found = db.load(Freshness::Current, &read).await?;
    Ok(found.into_iter().next())
}

/// Its parts have come, all of them. Says whether that is new.
pub async fn direct_came(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: DirectUploadId,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<bool, Error> {
    let write =
        Statement::<()>::new("update direct_uploads set status = 'VERIFYING', expires_at = ")
            .bind::<Timestamptz, _>(expires_at)
            .text(" where status = 'OPEN' and expires_at > ")
            .bind::<Timestamptz, _>(now)
            .text(" and id = ")
            .bind::<SqlUuid, _>(id.0)
            .text(" and account_id = ")
            .bind::<SqlUuid, _>(account.0);
    Ok(tx.execute(&write).await? > 0)
}

/// It was read back and is right. Says whether that is new.
pub async fn direct_is_ready(
    tx: &mut Tx<'_>,
    id: DirectUploadId,
    expires_at: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("update direct_uploads set status = 'READY', expires_at = ")
        .bind::<Timestamptz, _>(expires_at)
        .text(" where status = 'VERIFYING' and id = ")
        .bind::<SqlUuid, _>(id.0);
    Ok(tx.execute(&write).await? > 0)
}

/// It was read back and can't be used. Says whether that is new.
pub async fn direct_failed(
    db: &Db,
    id: DirectUploadId,
    failure: DirectFailure,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("update direct_uploads set status = 'FAILED', failure = ")
        .bind::<Text, _>(failure.as_str())
        .text(" where status = 'VERIFYING' and id = ")
        .bind::<SqlUuid, _>(id.0);
    Ok(db.execute(&write).await? > 0)
}

/// Takes the file of an upload, once.
pub async fn claim_direct(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: DirectUploadId,
    now: DateTime<Utc>,
) -> Result<Option<AudioId>, Error> {
    let write = Statement::<SqlUuid>::new("update direct_uploads set claimed_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where status = 'READY' and claimed_at is null and expires_at > ")
        .bind::<Timestamptz, _>(now)
        .text(" and id = ")
        .bind::<SqlUuid, _>(id.0)
        .text(" and account_id = ")
        .bind::<SqlUuid, _>(account.0)
        .text(" returning id");
    tx.first(&write).await
}

/// Some uploads behind an id whose time was over before, and that did not come to an end.
pub async fn directs_over(
    db: &Db,
    behind: Uuid,
    before: DateTime<Utc>,
    some: u32,
) -> Result<Vec<DirectUpload>, Error> {
    let read = Statement::<DirectSql>::new(DIRECTS)
        .text("status in ('OPEN', 'VERIFYING', 'READY') and claimed_at is null and expires_at < ")
        .bind::<Timestamptz, _>(before)
        .text(" and id > ")
        .bind::<SqlUuid, _>(behind)
        .text(" order by id limit ")
        .number(some);
    db.load(Freshness::Current, &read).await
}

/// Its time is over. Says whether that is new.
pub async fn direct_expired(
    db: &Db,
    id: DirectUploadId,
    from: DirectStatus,
    before: DateTime<Utc>,
) -> Result<bool, Error> {
    let write =
        Statement::<()>::new("update direct_uploads set status = 'EXPIRED' where status = ")
            .bind::<Text, _>(from.as_str())
            .text(" and claimed_at is null and expires_at < ")
            .bind::<Timestamptz, _>(before)
            .text(" and id = ")
            .bind::<SqlUuid, _>(id.0);
    Ok(db.execute(&write).await? > 0)
}

/// Deletes some uploads that came to an end and whose time was over before.
pub async fn forget_directs(db: &Db, before: DateTime<Utc>, some: u32) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from direct_uploads where id in (select id from direct_uploads where \
         (status in ('FAILED', 'EXPIRED') or claimed_at is not null) and expires_at < ",
    )
    .bind::<Timestamptz, _>(before)
    .text(" order by expires_at limit ")
    .number(some)
    .text(")");
    db.execute(&write).await
}
