use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Binary, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Hash, account_columns};
use crate::accounts::model::MailPurpose;
use crate::accounts::model::{Account, AccountId, AccountSql};
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// A link that went out by mail.
#[derive(Debug, Clone, Queryable)]
pub struct MailedToken {
    pub account_id: AccountId,
    pub purpose: MailPurpose,
    pub token_hash: Vec<u8>,
    pub email: String,
    pub email_key: String,
    pub created_at: DateTime<Utc>,
}

type MailedTokenSql = (SqlUuid, Text, Binary, Text, Text, Timestamptz);

pub struct NewMailedToken {
    pub id: Uuid,
    pub purpose: MailPurpose,
    pub token_hash: Hash,
    pub expires_at: DateTime<Utc>,
}

/// Makes a token for the account of an address, if there is one of such a status, and says whose. One statement, whether or not there is
/// an account.
pub async fn add_token_by_address(
    tx: &mut Tx<'_>,
    new: NewMailedToken,
    email_key: &str,
    for_unverified: bool,
    now: DateTime<Utc>,
) -> Result<Option<AccountId>, Error> {
    let write = Statement::<SqlUuid>::new(
        "insert into mailed_tokens (id, account_id, purpose, token_hash, email, email_key, created_at, expires_at) select ",
    )
    .bind::<SqlUuid, _>(new.id)
    .text("::uuid, a.id, ")
    .bind::<Text, _>(new.purpose.as_str().to_owned())
    .text("::text, ")
    .bind::<Binary, _>(new.token_hash.to_vec())
    .text("::bytea, a.email, a.email_key, ")
    .bind::<Timestamptz, _>(now)
    .text("::timestamptz, ")
    .bind::<Timestamptz, _>(new.expires_at)
    .text("::timestamptz from accounts a where a.email_key = ")
    .bind::<Text, _>(email_key.to_owned())
    .text(match for_unverified {
        true => " and a.status = 'UNVERIFIED'",
        // Also of one that is closed: who has forgotten their password gets back to it by a new one.
        false => " and a.status <> 'UNVERIFIED'",
    })
    .text(" returning account_id");
    tx.first(&write).await
}

/// Tokens that went to an address which is not confirmed no longer count. One statement, whether or not there are any.
pub async fn void_verifications(tx: &mut Tx<'_>, email_key: &str) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from mailed_tokens t using accounts a where t.account_id = a.id and t.purpose = 'VERIFY' \
         and a.status = 'UNVERIFIED' and a.email_key = ",
    )
    .bind::<Text, _>(email_key.to_owned());
    tx.execute(&write).await
}

/// Makes a token about an address.
pub async fn add_token(
    tx: &mut Tx<'_>,
    new: NewMailedToken,
    account: AccountId,
    (email, email_key): (&str, &str),
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "insert into mailed_tokens (id, account_id, purpose, token_hash, email, email_key, created_at, expires_at) values (",
    )
    .bind::<SqlUuid, _>(new.id)
    .text(", ")
    .bind::<SqlUuid, _>(account)
    .text(", ")
    .bind::<Text, _>(new.purpose.as_str().to_owned())
    .text(", ")
    .bind::<Binary, _>(new.token_hash.to_vec())
    .text(", ")
    .bind::<Text, _>(email.to_owned())
    .text(", ")
    .bind::<Text, _>(email_key.to_owned())
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(new.expires_at)
    .text(")");
    tx.execute(&write).await
}

/// Tokens of a kind no longer count.
pub async fn void_tokens(
    tx: &mut Tx<'_>,
    account: AccountId,
    purpose: MailPurpose,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from mailed_tokens where account_id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and purpose = ")
        .bind::<Text, _>(purpose.as_str().to_owned());
    tx.execute(&write).await
}

/// Tokens of a kind that were made since a time no longer count; those of before do.
pub async fn void_tokens_since(
    tx: &mut Tx<'_>,
    account: AccountId,
    purpose: MailPurpose,
    since: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from mailed_tokens where account_id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and purpose = ")
        .bind::<Text, _>(purpose.as_str().to_owned())
        .text(" and created_at >= ")
        .bind::<Timestamptz, _>(since);
    tx.execute(&write).await
}

/// Uses a token up. Of all who bring it at once, one gets it.
pub async fn take_token(
    tx: &mut Tx<'_>,
    token_hash: Hash,
    now: DateTime<Utc>,
) -> Result<Option<MailedToken>, Error> {
    let write = Statement::<MailedTokenSql>::new("delete from mailed_tokens where token_hash = ")
        .bind::<Binary, _>(token_hash.to_vec())
        .text(" and expires_at > ")
        .bind::<Timestamptz, _>(now)
        .text(" returning account_id, purpose, token_hash, email, email_key, created_at");
    tx.first(&write).await
}

/// Looks at a token without using it up.
pub async fn peek_token(
    db: &Db,
    token_hash: Hash,
    now: DateTime<Utc>,
) -> Result<Option<(MailedToken, Account)>, Error> {
    let read = Statement::<(MailedTokenSql, AccountSql)>::new(concat!(
        "select t.account_id, t.purpose, t.token_hash, t.email, t.email_key, t.created_at, ",
        account_columns!(),
        " from mailed_tokens t join accounts a on a.id = t.account_id where t.token_hash = "
    ))
    .bind::<Binary, _>(token_hash.to_vec())
    .text(" and t.expires_at > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// A token that is to be mailed: it may be gone by then.
pub async fn token_to_mail(
    db: &Db,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<(MailedToken, Account)>, Error> {
    let read = Statement::<(MailedTokenSql, AccountSql)>::new(concat!(
        "select t.account_id, t.purpose, t.token_hash, t.email, t.email_key, t.created_at, ",
        account_columns!(),
        " from mailed_tokens t join accounts a on a.id = t.account_id where t.id = "
    ))
    .bind::<SqlUuid, _>(id)
    .text(" and t.expires_at > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// Addresses that wait to be confirmed, of several accounts.
pub async fn pending_addresses(
    db: &Db,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<Vec<(AccountId, String)>, Error> {
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    let read = Statement::<(SqlUuid, Text)>::new(
        "select account_id, email from mailed_tokens where purpose = 'CHANGE_EMAIL' and expires_at > ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" and account_id")
    .one_of::<SqlUuid, _>(accounts);
    db.load(Freshness::Current, &read).await
}
