use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{
    Array, BigInt, Binary, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};
use uuid::Uuid;

use super::{Hash, account_columns, session_columns};
use crate::accounts::model::{
    Account, AccountId, AccountSql, Ending, Session, SessionId, SessionSql, Status,
};
use crate::audit::{self, Event};
use crate::db::{Db, Error, Freshness, Statement, Topic, Tx};

pub struct NewSession {
    pub id: SessionId,
    pub account_id: AccountId,
    pub token_hash: Hash,
    pub is_remembered: bool,
    pub by_cookie: bool,
    pub has_second_factor: bool,
    pub user_agent: Option<String>,
    pub ip_address: Option<String>,
    pub expires_at: DateTime<Utc>,
}

/// What goes with the beginning of a session, in the statement that begins it: each statement of its own would cost a
/// sign-in a round trip, and there is little else that it costs beside its password.
pub struct Beginning {
    /// Whose wrong passwords are forgotten.
    pub forgiven: Hash,
    /// The known device that it is begun on.
    pub device: Option<Uuid>,
    /// What an account has beyond so many sessions ends, those first that were idle longest.
    pub most: i64,
    /// What the trail is told.
    pub event: Event,
}

/// What came of it.
pub struct Begun {
    /// Whether the account was ever signed in to before, as far as is remembered.
    pub had_others: bool,
    pub ended: Vec<Session>,
}

pub async fn begin_session(
    tx: &mut Tx<'_>,
    new: NewSession,
    with: Beginning,
    now: DateTime<Utc>,
) -> Result<Begun, Error> {
    // What a statement reads is as it was before it wrote: the new one is not among those that are counted.
    let write = audit::recorded_beside::<(Bool, Nullable<SessionSql>)>(with.event)
    .text(", forgiven as (delete from sign_in_failures where subject = ")
    .bind::<Binary, _>(with.forgiven.to_vec())
    .text("), touched as (update known_devices set last_used_at = ")
    .bind::<Timestamptz, _>(now)
    .text(", user_agent = ")
    .bind::<Nullable<Text>, _>(new.user_agent.clone())
    .text(" where id = ")
    .bind::<Nullable<SqlUuid>, _>(with.device)
    .text("), ended as (update sessions s set ended_at = ")
    .bind::<Timestamptz, _>(now)
    .text(", ended_because = ")
    .bind::<Text, _>(Ending::TooMany.as_str())
    .text(" where s.id in (select id from sessions where ended_at is null and account_id = ")
    .bind::<SqlUuid, _>(new.account_id)
    .text(" and expires_at > ")
    .bind::<Timestamptz, _>(now)
    .text(" order by last_used_at desc, id desc offset ")
    .bind::<BigInt, _>(with.most - 1)
    .text(concat!(
        ") returning ",
        session_columns!(),
        "), begun as (insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, has_second_factor, \
         user_agent, ip_address, created_at, last_used_at, expires_at) values ("
    ))
    .bind::<SqlUuid, _>(new.id)
    .text(", ")
    .bind::<SqlUuid, _>(new.account_id)
    .text(", ")
    .bind::<Binary, _>(new.token_hash.to_vec())
    .text(", ")
    .bind::<Bool, _>(new.is_remembered)
    .text(", ")
    .bind::<Bool, _>(new.by_cookie)
    .text(", ")
    .bind::<Bool, _>(new.has_second_factor)
    .text(", ")
    .bind::<Nullable<Text>, _>(new.user_agent)
    .text(", ")
    .bind::<Nullable<Text>, _>(new.ip_address)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(new.expires_at)
    .text(
        ") returning account_id) select exists (select from sessions o where o.account_id = begun.account_id), ended.* \
         from begun left join ended on true",
    );
    let rows: Vec<(bool, Option<Session>)> = tx.load(&write).await?;
    tx.announce(Topic::Audit);
    Ok(Begun {
        had_others: rows.first().is_none_or(|(had_others, _)| *had_others),
        ended: rows.into_iter().filter_map(|(_, ended)| ended).collect(),
    })
}

/// What decides about a refresh token that was not the newest.
#[derive(Debug, Clone, Queryable)]
pub struct Family {
    pub session: Session,
    pub generation: i32,
    pub token_hash: Vec<u8>,
    pub previous_hash: Option<Vec<u8>>,
    pub rotated_at: Option<DateTime<Utc>>,
    pub by_cookie: bool,
    pub is_over: bool,
    pub account: Account,
}

type FamilySql = (
    SessionSql,
    Integer,
    Binary,
    Nullable<Binary>,
    Nullable<Timestamptz>,
    Bool,
    Bool,
    AccountSql,
);

macro_rules! family_columns {
    () => {
        concat!(
            session_columns!(),
            ", s.generation, s.token_hash, s.previous_hash, s.rotated_at, s.by_cookie, s.ended_at is not null, ",
            account_columns!()
        )
    };
}

pub async fn family(db: &Db, id: SessionId) -> Result<Option<Family>, Error> {
    let read = Statement::<FamilySql>::new(concat!(
        "select ",
        family_columns!(),
        " from sessions s join accounts a on a.id = s.account_id where s.id = "
    ))
    .bind::<SqlUuid, _>(id);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

pub struct Turn {
    pub session: SessionId,
    pub generation: i32,
    pub presented: Hash,
    pub child: Hash,
    pub by_cookie: bool,
    pub user_agent: Option<String>,
    pub ip_address: Option<String>,
}

/// Trades the newest refresh token for its child. Of all who present it at once, one succeeds.
pub async fn turn(
    db: &Db,
    turn: Turn,
    remembered_for: chrono::TimeDelta,
    otherwise_for: chrono::TimeDelta,
    now: DateTime<Utc>,
) -> Result<Option<Family>, Error> {
    let write = Statement::<FamilySql>::new(
        "update sessions s set generation = s.generation + 1, previous_hash = s.token_hash, token_hash = ",
    )
    .bind::<Binary, _>(turn.child.to_vec())
    .text(", rotated_at = ")
    .bind::<Timestamptz, _>(now)
    .text(", last_used_at = ")
    .bind::<Timestamptz, _>(now)
    .text(", user_agent = ")
    .bind::<Nullable<Text>, _>(turn.user_agent)
    .text(", ip_address = ")
    .bind::<Nullable<Text>, _>(turn.ip_address)
    .text(", expires_at = case when s.is_remembered then ")
    .bind::<Timestamptz, _>(now + remembered_for)
    .text(" else ")
    .bind::<Timestamptz, _>(now + otherwise_for)
    .text(" end from accounts a where a.id = s.account_id and a.status = 'ACTIVE' and s.ended_at is null and s.id = ")
    .bind::<SqlUuid, _>(turn.session)
    .text(" and s.generation = ")
    .bind::<Integer, _>(turn.generation)
    .text(" and s.token_hash = ")
    .bind::<Binary, _>(turn.presented.to_vec())
    .text(" and s.by_cookie = ")
    .bind::<Bool, _>(turn.by_cookie)
    .text(" and s.expires_at > ")
    .bind::<Timestamptz, _>(now)
    .text(concat!(" returning ", family_columns!()));
    Ok(db.write(&write).await?.into_iter().next())
}

/// Ends one session, and says whose; none where it was over already, or is not that account's.
pub async fn end_session(
    tx: &mut Tx<'_>,
    id: SessionId,
    account: Option<AccountId>,
    because: Ending,
    now: DateTime<Utc>,
) -> Result<Option<AccountId>, Error> {
    let write = Statement::<SqlUuid>::new("update sessions set ended_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", ended_because = ")
        .bind::<Text, _>(because.as_str().to_owned())
        .text(" where ended_at is null and id = ")
        .bind::<SqlUuid, _>(id)
        .text(" and account_id = coalesce(")
        .bind::<Nullable<SqlUuid>, _>(account.map(|account| account.0))
        .text(", account_id) returning account_id");
    tx.first(&write).await
}

/// Ends all sessions of an account, but one perhaps; how many there were.
pub async fn end_sessions(
    tx: &mut Tx<'_>,
    account: AccountId,
    but: Option<SessionId>,
    because: Ending,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update sessions set ended_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", ended_because = ")
        .bind::<Text, _>(because.as_str().to_owned())
        .text(" where ended_at is null and expires_at > ")
        .bind::<Timestamptz, _>(now)
        .text(" and account_id = ")
        .bind::<SqlUuid, _>(account)
        .text(" and id is distinct from ")
        .bind::<Nullable<SqlUuid>, _>(but.map(|session| session.0));
    tx.execute(&write).await
}

/// Whether a session of an account is not over. True until the transaction ends where that holds the account, but for who
/// ends a single session.
pub async fn goes_on(
    tx: &mut Tx<'_>,
    id: SessionId,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let read =
        Statement::<SqlUuid>::new("select id from sessions where ended_at is null and id = ")
            .bind::<SqlUuid, _>(id)
            .text(" and account_id = ")
            .bind::<SqlUuid, _>(account)
            .text(" and expires_at > ")
            .bind::<Timestamptz, _>(now);
    Ok(tx.first::<_, Uuid>(&read).await?.is_some())
}

/// A second factor was given in a session.
pub async fn mark_session(
    tx: &mut Tx<'_>,
    id: SessionId,
    account: AccountId,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update sessions set has_second_factor = true where id = ")
        .bind::<SqlUuid, _>(id)
        .text(" and account_id = ")
        .bind::<SqlUuid, _>(account);
    tx.execute(&write).await
}

/// What was given in the sessions of an account is no second factor of it any more.
pub async fn unmark_sessions(tx: &mut Tx<'_>, account: AccountId) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "update sessions set has_second_factor = false where has_second_factor and account_id = ",
    )
    .bind::<SqlUuid, _>(account);
    tx.execute(&write).await
}

/// Of several accounts, those used last first.
pub async fn sessions_of_accounts(
    db: &Db,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<Vec<Session>, Error> {
    let accounts: Vec<Uuid> = accounts.iter().map(|id| id.0).collect();
    let read = Statement::<SessionSql>::new(concat!(
        "select ",
        session_columns!(),
        " from sessions s where s.ended_at is null and s.expires_at > "
    ))
    .bind::<Timestamptz, _>(now)
    .text(" and s.account_id = any(")
    .bind::<Array<SqlUuid>, _>(accounts)
    .text(") order by s.last_used_at desc, s.id desc");
    db.load(Freshness::Current, &read).await
}

/// One that goes on.
pub async fn session(db: &Db, id: SessionId, now: DateTime<Utc>) -> Result<Option<Session>, Error> {
    let read = Statement::<SessionSql>::new(concat!(
        "select ",
        session_columns!(),
        " from sessions s where s.ended_at is null and s.id = "
    ))
    .bind::<SqlUuid, _>(id)
    .text(" and s.expires_at > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

impl Family {
    pub fn is_usable(&self, now: DateTime<Utc>) -> bool {
        !self.is_over && self.session.expires_at > now && self.account.status == Status::Active
    }
}
