use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::Hash;
use crate::accounts::model::AccountId;
use crate::db::{Error, Statement, Tx};

/// Gets to know a device, and forgets what an account has beyond so many.
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
    .text(" order by last_used_at desc, id desc offset ")
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
