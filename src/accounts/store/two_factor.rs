use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::Hash;
use crate::accounts::model::AccountId;
use crate::db::{Db, Error, Freshness, Statement, Tx};
use crate::vault::Sealed;

/// What one-time codes of an account are compared with.
#[derive(Debug, Clone, Queryable)]
pub struct Factor {
    /// The secret, as it is kept.
    pub sealed: Vec<u8>,
    pub begun_at: DateTime<Utc>,
    /// None while it waits to be confirmed.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// Of the code that was used last.
    pub last_step: Option<i64>,
}

type FactorSql = (Binary, Timestamptz, Nullable<Timestamptz>, Nullable<BigInt>);

/// Where its secret is kept.
pub const TOTP_SECRET: Sealed = Sealed {
    table: "accounts",
    key: "id",
    column: "totp_secret",
};

pub async fn factor(db: &Db, account: AccountId) -> Result<Option<Factor>, Error> {
    let read = Statement::<FactorSql>::new(
        "select totp_secret, totp_begun_at, two_factor_at, totp_last_step from accounts where totp_secret is not null and id = ",
    )
    .bind::<SqlUuid, _>(account);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// Keeps a secret that waits to be confirmed, in the place of any other; false where the account has a factor in use.
pub async fn begin_factor(
    tx: &mut Tx<'_>,
    account: AccountId,
    sealed: Vec<u8>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("update accounts set totp_secret = ")
        .bind::<Binary, _>(sealed)
        .text(", totp_begun_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where two_factor_at is null and id = ")
        .bind::<SqlUuid, _>(account);
    Ok(tx.execute(&write).await? > 0)
}

/// A second factor is asked for from now on; false where it is not the one that was begun then, or in use already.
pub async fn confirm_factor(
    tx: &mut Tx<'_>,
    account: AccountId,
    begun_at: DateTime<Utc>,
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("update accounts set two_factor_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", totp_last_step = ")
        .bind::<BigInt, _>(step)
        .text(" where two_factor_at is null and id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and totp_begun_at = ")
        .bind::<Timestamptz, _>(begun_at);
    Ok(tx.execute(&write).await? > 0)
}

/// Takes away what there is of a factor; whether one was in use.
pub async fn drop_factor(
    tx: &mut Tx<'_>,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "update accounts set totp_secret = null, totp_begun_at = null, totp_last_step = null, two_factor_at = null, \
         updated_at = ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" where two_factor_at is not null and id = ")
    .bind::<SqlUuid, _>(account);
    Ok(tx.execute(&write).await? > 0)
}

/// Forgets one that was begun and not confirmed.
pub async fn drop_begun_factor(
    tx: &mut Tx<'_>,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let write = Statement::<()>::new(
        "update accounts set totp_secret = null, totp_begun_at = null, totp_last_step = null, updated_at = ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" where two_factor_at is null and totp_secret is not null and id = ")
    .bind::<SqlUuid, _>(account);
    tx.execute(&write).await?;
    Ok(())
}

/// Uses up the code of a step; false where it, or a later one, was used, or the factor is another by now. The step only
/// moves on, so that of all who bring a code at once one is let in.
pub async fn spend_step(
    tx: &mut Tx<'_>,
    account: AccountId,
    confirmed_at: DateTime<Utc>,
    step: i64,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("update accounts set totp_last_step = ")
        .bind::<BigInt, _>(step)
        .text(" where id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and two_factor_at = ")
        .bind::<Timestamptz, _>(confirmed_at)
        .text(" and totp_last_step < ")
        .bind::<BigInt, _>(step);
    Ok(tx.execute(&write).await? > 0)
}

pub async fn add_recovery_codes(
    tx: &mut Tx<'_>,
    account: AccountId,
    hashes: &[Hash],
) -> Result<usize, Error> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
    let write = Statement::<()>::new("insert into recovery_codes (account_id, code_hash) select ")
        .bind::<SqlUuid, _>(account)
        .text("::uuid, unnest(")
        .bind::<Array<Binary>, _>(hashes)
        .text("::bytea[])");
    tx.execute(&write).await
}

pub async fn void_recovery_codes(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from recovery_codes where account_id = ")
        .bind::<SqlUuid, _>(account);
    tx.execute(&write).await
}

pub async fn has_recovery_code(db: &Db, account: AccountId, code: Hash) -> Result<bool, Error> {
    let read =
        Statement::<SqlUuid>::new("select account_id from recovery_codes where account_id = ")
            .bind::<SqlUuid, _>(account)
            .text(" and code_hash = ")
            .bind::<Binary, _>(code.to_vec());
    let found: Vec<Uuid> = db.load(Freshness::Current, &read).await?;
    Ok(!found.is_empty())
}

/// Uses a code up; how many are left, or none where it is no code any more. Of all who bring it at once, one gets it.
pub async fn spend_recovery_code(
    tx: &mut Tx<'_>,
    account: AccountId,
    code: Hash,
) -> Result<Option<i64>, Error> {
    // What a statement reads is as it was before it wrote.
    let write =
        Statement::<BigInt>::new("with spent as (delete from recovery_codes where account_id = ")
            .bind::<SqlUuid, _>(account)
            .text(" and code_hash = ")
            .bind::<Binary, _>(code.to_vec())
            .text(" returning 1) select (select count(*) from recovery_codes where account_id = ")
            .bind::<SqlUuid, _>(account)
            .text(") - 1 from spent");
    tx.first(&write).await
}

/// Of several accounts; those that have none are left out.
pub async fn recovery_codes_left(
    db: &Db,
    accounts: &[AccountId],
) -> Result<Vec<(AccountId, i64)>, Error> {
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    let read = Statement::<(SqlUuid, BigInt)>::new(
        "select account_id, count(*) from recovery_codes where account_id",
    )
    .one_of::<SqlUuid, _>(accounts)
    .text(" group by account_id");
    db.load(Freshness::Current, &read).await
}
