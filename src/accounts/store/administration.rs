//! What administrators change of an account.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid};

use super::account_columns;
use crate::accounts::model::{Account, AccountId, AccountSql, Role, Status, Tier};
use crate::db::{Error, Statement, Tx};

/// What an account may do, and whether it may be used at all.
pub async fn set_standing(
    tx: &mut Tx<'_>,
    id: AccountId,
    roles: &[Role],
    tier: Tier,
    status: Status,
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let roles: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
    let write = Statement::<AccountSql>::new("update accounts a set roles = ")
        .bind::<Array<Text>, _>(roles)
        .text(", tier = ")
        .bind::<Text, _>(tier.as_str())
        .text(", status = ")
        .bind::<Text, _>(status.as_str())
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where a.id = ")
        .bind::<SqlUuid, _>(id)
        .text(concat!(" returning ", account_columns!()));
    tx.first(&write).await
}
