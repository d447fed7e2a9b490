use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Binary, Bool, Nullable, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Hash, account_columns};
use crate::accounts::model::{Account, AccountId, AccountSql};
use crate::db::{Db, Error, Freshness, Statement, Tx, apart};

/// A sign-in that waits for its second factor, and what was chosen with the password.
#[derive(Debug, Clone, Queryable)]
pub struct SecondStep {
    pub id: Uuid,
    /// The known device that it comes from.
    pub device_id: Option<Uuid>,
    pub is_remembered: bool,
    pub by_cookie: bool,
}

type SecondStepSql = (SqlUuid, Nullable<SqlUuid>, Bool, Bool);

pub async fn add_second_step(
    tx: &mut Tx<'_>,
    step: SecondStep,
    account: AccountId,
    token_hash: Hash,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "insert into second_steps (id, account_id, token_hash, device_id, is_remembered, by_cookie, created_at, expires_at) \
         values (",
    )
    .bind::<SqlUuid, _>(step.id)
    .text(", ")
    .bind::<SqlUuid, _>(account)
    .text(", ")
    .bind::<Binary, _>(token_hash.to_vec())
    .text(", ")
    .bind::<Nullable<SqlUuid>, _>(step.device_id)
    .text(", ")
    .bind::<Bool, _>(step.is_remembered)
    .text(", ")
    .bind::<Bool, _>(step.by_cookie)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(expires_at)
    .text(")");
    tx.execute(&write).await
}

/// Counts a try before it is made, if there may be another; whose sign-in it is. A single statement, so that tries side
/// by side are counted one after the other.
pub async fn try_second_step(
    db: &Db,
    token_hash: Hash,
    most: u32,
    now: DateTime<Utc>,
) -> Result<Option<(SecondStep, Account)>, Error> {
    let write = Statement::<(SecondStepSql, AccountSql)>::new(
        "update second_steps s set tries = s.tries + 1 from accounts a where a.id = s.account_id and s.token_hash = ",
    )
    .bind::<Binary, _>(token_hash.to_vec())
    .text(" and s.expires_at > ")
    .bind::<Timestamptz, _>(now)
    .text(" and s.tries < ")
    .number(most)
    .text(concat!(
        " returning s.id, s.device_id, s.is_remembered, s.by_cookie, ",
        account_columns!()
    ));
    Ok(apart(db.write(&write)).await?.into_iter().next())
}

/// Whose one is that is not over yet, however often it was tried.
pub async fn whose_second_step(
    db: &Db,
    token_hash: Hash,
    now: DateTime<Utc>,
) -> Result<Option<AccountId>, Error> {
    let read = Statement::<SqlUuid>::new("select account_id from second_steps where token_hash = ")
        .bind::<Binary, _>(token_hash.to_vec())
        .text(" and expires_at > ")
        .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// Uses one up; false where it counts no more. Of all who bring it at once, one gets it.
pub async fn take_second_step(
    tx: &mut Tx<'_>,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("delete from second_steps where id = ")
        .bind::<SqlUuid, _>(id)
        .text(" and expires_at > ")
        .bind::<Timestamptz, _>(now);
    Ok(tx.execute(&write).await? > 0)
}

/// Whatever waits for its second factor begins anew.
pub async fn void_second_steps(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from second_steps where account_id = ")
        .bind::<SqlUuid, _>(account);
    tx.execute(&write).await
}
