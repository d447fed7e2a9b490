use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::Hash;
use crate::accounts::model::{AccountId, TrustedDevice, TrustedDeviceId, TrustedDeviceSql};
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// Gets to know a device, and forgets what an account has beyond so many: those first that are not trusted, then those that
/// were not used for longest.
pub async fn add_device(
    tx: &mut Tx<'_>,
    account: AccountId,
    token_hash: Hash,
    user_agent: Option<String>,
    most: i64,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    // The new one is not among those that the statement sees.
    let write = Statement::<()>::new(
        "with forgotten as (delete from known_devices where id in (select id from known_devices where account_id = ",
    )
    .bind::<SqlUuid, _>(account)
    .text(" order by coalesce(trusted_until > ")
    .bind::<Timestamptz, _>(now)
    .text(", false) desc, last_used_at desc, id desc offset ")
    .bind::<BigInt, _>(most - 1)
    .text(
        ")) insert into known_devices (id, account_id, token_hash, user_agent, created_at, last_used_at) values (",
    )
    .bind::<SqlUuid, _>(Uuid::now_v7())
    .text(", ")
    .bind::<SqlUuid, _>(account)
    .text(", ")
    .bind::<Binary, _>(token_hash.to_vec())
    .text(", ")
    .bind::<Nullable<Text>, _>(user_agent)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(")");
    tx.execute(&write).await
}

/// Forgets the devices of an account beyond so many, those first that were not used for longest.
pub async fn forget_devices(
    tx: &mut Tx<'_>,
    account: AccountId,
    but_newest: i64,
) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from known_devices where id in (select id from known_devices where account_id = ",
    )
    .bind::<SqlUuid, _>(account)
    .text(" order by last_used_at desc, id desc offset ")
    .bind::<BigInt, _>(but_newest)
    .text(")");
    tx.execute(&write).await
}

/// A known device has another secret from now on; false where it is known no more.
pub async fn renew_device(
    tx: &mut Tx<'_>,
    device: Uuid,
    account: AccountId,
    token_hash: Hash,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("update known_devices set token_hash = ")
        .bind::<Binary, _>(token_hash.to_vec())
        .text(" where id = ")
        .bind::<SqlUuid, _>(device)
        .text(" and account_id = ")
        .bind::<SqlUuid, _>(account);
    Ok(tx.execute(&write).await? > 0)
}

/// A known device is spared the second factor for a while.
pub async fn trust_device(
    tx: &mut Tx<'_>,
    account: AccountId,
    token_hash: Hash,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Option<TrustedDeviceId>, Error> {
    let write = Statement::<SqlUuid>::new("update known_devices set trusted_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", trusted_until = ")
        .bind::<Timestamptz, _>(until)
        .text(" where account_id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and token_hash = ")
        .bind::<Binary, _>(token_hash.to_vec())
        .text(" returning id");
    tx.first(&write).await
}

pub async fn is_trusted(
    tx: &mut Tx<'_>,
    device: Uuid,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let read = Statement::<SqlUuid>::new("select id from known_devices where id = ")
        .bind::<SqlUuid, _>(device)
        .text(" and account_id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and trusted_until > ")
        .bind::<Timestamptz, _>(now);
    Ok(tx.first::<_, Uuid>(&read).await?.is_some())
}

/// A device is asked again; false where it is none of that account's that were trusted.
pub async fn distrust_device(
    tx: &mut Tx<'_>,
    device: TrustedDeviceId,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "update known_devices set trusted_at = null, trusted_until = null where id = ",
    )
    .bind::<SqlUuid, _>(device)
    .text(" and account_id = ")
    .bind::<SqlUuid, _>(account)
    .text(" and trusted_until > ")
    .bind::<Timestamptz, _>(now);
    Ok(tx.execute(&write).await? > 0)
}

/// All devices of an account are asked again.
pub async fn distrust_devices(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "update known_devices set trusted_at = null, trusted_until = null where trusted_until is not null and account_id = ",
    )
    .bind::<SqlUuid, _>(account);
    tx.execute(&write).await
}

macro_rules! trusted_columns {
    () => {
        "d.id, d.account_id, d.user_agent, d.trusted_at, d.last_used_at, d.trusted_until"
    };
}

/// Of several accounts, those used last first.
pub async fn trusted_devices(
    db: &Db,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<Vec<TrustedDevice>, Error> {
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    let read = Statement::<TrustedDeviceSql>::new(concat!(
        "select ",
        trusted_columns!(),
        " from known_devices d where d.trusted_until > "
    ))
    .bind::<Timestamptz, _>(now)
    .text(" and d.account_id = any(")
    .bind::<Array<SqlUuid>, _>(accounts)
    .text(") order by d.last_used_at desc, d.id desc");
    db.load(Freshness::Current, &read).await
}

/// One that is trusted still; anybody's, or that account's.
pub async fn trusted_device(
    db: &Db,
    id: TrustedDeviceId,
    account: Option<AccountId>,
    now: DateTime<Utc>,
) -> Result<Option<TrustedDevice>, Error> {
    let read = Statement::<TrustedDeviceSql>::new(concat!(
        "select ",
        trusted_columns!(),
        " from known_devices d where d.id = "
    ))
    .bind::<SqlUuid, _>(id)
    .text(" and d.account_id = coalesce(")
    .bind::<Nullable<SqlUuid>, _>(account.map(|account| account.0))
    .text(", d.account_id) and d.trusted_until > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}
