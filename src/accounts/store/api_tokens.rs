use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::account_columns;
use crate::accounts::model::{
    Account, AccountId, AccountSql, ApiToken, ApiTokenId, ApiTokenSql, Scope,
};
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// The columns of [`ApiToken`], in its order.
macro_rules! api_token_columns {
    () => {
        "t.id, t.account_id, t.name, t.scopes, t.created_at, t.last_used_at, t.expires_at"
    };
}

pub struct NewApiToken {
    pub id: ApiTokenId,
    pub account_id: AccountId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub expires_at: DateTime<Utc>,
}

/// None where the account has so many already that go on. Whoever calls holds the account, so that two at once are
/// counted one after the other.
pub async fn add_api_token(
    tx: &mut Tx<'_>,
    new: NewApiToken,
    most: i64,
    now: DateTime<Utc>,
) -> Result<Option<ApiToken>, Error> {
    let scopes = new.scopes.iter().map(|scope| scope.as_str().to_owned());
    let write = Statement::<ApiTokenSql>::new(
        "insert into api_tokens as t (id, account_id, name, scopes, created_at, expires_at) select ",
    )
    .bind::<SqlUuid, _>(new.id)
    .text(", ")
    .bind::<SqlUuid, _>(new.account_id)
    .text(", ")
    .bind::<Text, _>(new.name)
    .text(", ")
    .bind::<Array<Text>, _>(scopes.collect::<Vec<_>>())
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(new.expires_at)
    .text(" where (select count(*) from api_tokens where ended_at is null and account_id = ")
    .bind::<SqlUuid, _>(new.account_id)
    .text(" and expires_at > ")
    .bind::<Timestamptz, _>(now)
    .text(") < ")
    .bind::<BigInt, _>(most)
    .text(concat!(" returning ", api_token_columns!()));
    tx.first(&write).await
}

/// Ends one of an account; none where it was over already, or is not that account's.
pub async fn end_api_token(
    tx: &mut Tx<'_>,
    account: AccountId,
    id: ApiTokenId,
    now: DateTime<Utc>,
) -> Result<Option<ApiToken>, Error> {
    let write = Statement::<ApiTokenSql>::new("update api_tokens t set ended_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where t.ended_at is null and t.id = ")
        .bind::<SqlUuid, _>(id)
        .text(" and t.account_id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and t.expires_at > ")
        .bind::<Timestamptz, _>(now)
        .text(concat!(" returning ", api_token_columns!()));
    tx.first(&write).await
}

/// Ends all of an account; how many there were. Whoever calls holds the account.
pub async fn end_api_tokens(
    tx: &mut Tx<'_>,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update api_tokens set ended_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where ended_at is null and account_id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and expires_at > ")
        .bind::<Timestamptz, _>(now);
    tx.execute(&write).await
}

/// Of several accounts, those made last first.
pub async fn api_tokens_of_accounts(
    db: &Db,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<Vec<ApiToken>, Error> {
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    let read = Statement::<ApiTokenSql>::new(concat!(
        "select ",
        api_token_columns!(),
        " from api_tokens t where t.ended_at is null and t.expires_at > "
    ))
    .bind::<Timestamptz, _>(now)
    .text(" and t.account_id = any(")
    .bind::<Array<SqlUuid>, _>(accounts)
    .text(") order by t.created_at desc, t.id desc");
    db.load(Freshness::Current, &read).await
}

/// One that goes on; anybody's, or that account's.
pub async fn api_token(
    db: &Db,
    account: Option<AccountId>,
    id: ApiTokenId,
    now: DateTime<Utc>,
) -> Result<Option<ApiToken>, Error> {
    let read = Statement::<ApiTokenSql>::new(concat!(
        "select ",
        api_token_columns!(),
        " from api_tokens t where t.ended_at is null and t.id = "
    ))
    .bind::<SqlUuid, _>(id)
    .text(" and t.account_id = coalesce(")
    .bind::<Nullable<SqlUuid>, _>(account.map(|account| account.0))
    .text(", t.account_id) and t.expires_at > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// One and whose it is, whether or not it is over: to tell of it.
pub async fn api_token_to_tell(
    db: &Db,
    id: ApiTokenId,
) -> Result<Option<(ApiToken, Account)>, Error> {
    let read = Statement::<(ApiTokenSql, AccountSql)>::new(concat!(
        "select ",
        api_token_columns!(),
        ", ",
        account_columns!(),
        " from api_tokens t join accounts a on a.id = t.account_id where t.id = "
    ))
    .bind::<SqlUuid, _>(id);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// Notes that some were used, where no use since a time is noted. One that somebody holds is left for its next use.
pub async fn note_uses(
    db: &Db,
    ids: Vec<ApiTokenId>,
    noted_after: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let write = Statement::<()>::new("update api_tokens set last_used_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where id in (select id from api_tokens where id = any(")
        .bind::<Array<SqlUuid>, _>(ids)
        .text(") and (last_used_at is null or last_used_at <= ")
        .bind::<Timestamptz, _>(noted_after)
        .text(") for update skip locked)");
    db.execute(&write).await
}
