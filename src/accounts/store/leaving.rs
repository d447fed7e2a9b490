use chrono::{DateTime, Utc};
use diesel::sql_types::{Timestamptz, Uuid as SqlUuid};

use super::account_columns;
use crate::accounts::model::{Account, AccountId, AccountSql};
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// So many accounts are looked at by one statement.
pub const SOME_ACCOUNTS: usize = 100;

/// Closes an account that is in use.
pub async fn close_account(
    tx: &mut Tx<'_>,
    id: AccountId,
    erase_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update accounts set status = 'CLOSED', erase_at = ")
        .bind::<Timestamptz, _>(erase_at)
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where status = 'ACTIVE' and id = ")
        .bind::<SqlUuid, _>(id);
    tx.execute(&write).await
}

/// Takes back that an account was closed, as long as there is time.
pub async fn reopen_account(
    tx: &mut Tx<'_>,
    id: AccountId,
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let write = Statement::<AccountSql>::new(
        "update accounts a set status = 'ACTIVE', erase_at = null, updated_at = ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" where a.status = 'CLOSED' and a.erase_at > ")
    .bind::<Timestamptz, _>(now)
    .text(" and a.id = ")
    .bind::<SqlUuid, _>(id)
    .text(concat!(" returning ", account_columns!()));
    tx.first(&write).await
}

/// Some of the accounts whose time has come, behind one of them perhaps.
pub async fn accounts_to_erase(
    db: &Db,
    behind: Option<(DateTime<Utc>, AccountId)>,
    now: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, AccountId)>, Error> {
    let mut read = Statement::<(Timestamptz, SqlUuid)>::new(
        "select erase_at, id from accounts where erase_at <= ",
    )
    .bind::<Timestamptz, _>(now);
    if let Some((erase_at, id)) = behind {
        read = read
            .text(" and (erase_at, id) > (")
            .bind::<Timestamptz, _>(erase_at)
            .text(", ")
            .bind::<SqlUuid, _>(id)
            .text(")");
    }
    let read = read
        .text(" order by erase_at, id limit ")
        .number(SOME_ACCOUNTS as u32);
    db.load(Freshness::Current, &read).await
}

/// Begins to erase an account whose time has come. Whoever signs in to it just now comes first, or comes too late; from then
/// on it is due by every instance's clock, so that nobody comes back to what is half erased. None where its time has not
/// come.
pub async fn begin_erasing(
    db: &Db,
    id: AccountId,
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let write = Statement::<AccountSql>::new(
        "update accounts a set erase_at = least(a.erase_at, a.created_at) where a.id = ",
    )
    .bind::<SqlUuid, _>(id)
    .text(" and a.erase_at <= ")
    .bind::<Timestamptz, _>(now)
    .text(concat!(" returning ", account_columns!()));
    Ok(db.write(&write).await?.into_iter().next())
}

/// The end of an account whose time has come, and of all that stands by it alone. None where somebody else was there first.
pub async fn erase_account(
    tx: &mut Tx<'_>,
    id: AccountId,
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let write = Statement::<AccountSql>::new("delete from accounts a where a.id = ")
        .bind::<SqlUuid, _>(id)
        .text(" and a.erase_at <= ")
        .bind::<Timestamptz, _>(now)
        .text(concat!(" returning ", account_columns!()));
    tx.first(&write).await
}
