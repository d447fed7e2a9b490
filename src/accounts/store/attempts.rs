use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{Binary, Bool, Integer, Nullable, Timestamptz};

use super::Hash;
use crate::db::{Db, Error, Freshness, Statement, Tx, apart};

/// What may be tried, and when it is forgotten.
#[derive(Debug, Clone, Copy)]
pub struct AttemptRules {
    pub before_challenge: i32,
    pub before_lock: i32,
    pub locked_for: TimeDelta,
    pub forgotten_after: TimeDelta,
}

/// Until when no more may be tried, if there were too many failures.
pub type LockedUntil = Option<DateTime<Utc>>;

/// Counts an attempt as a failure before it is made, if it may be made at all; none where it may not. A single
/// statement, so that attempts side by side are counted one after the other.
pub async fn count_attempt(
    db: &Db,
    subject: Hash,
    rules: AttemptRules,
    is_challenged: bool,
    now: DateTime<Utc>,
) -> Result<Option<LockedUntil>, Error> {
    // What was before begins anew after a lock, and after a while.
    let write = Statement::<Nullable<Timestamptz>>::new(
        "insert into sign_in_failures as f (subject, failures, last_at) values (",
    )
    .bind::<Binary, _>(subject.to_vec())
    .text(", 1, ")
    .bind::<Timestamptz, _>(now)
    .text(") on conflict (subject) do update set failures = case when f.locked_until <= excluded.last_at or f.last_at <= ")
    .bind::<Timestamptz, _>(now - rules.forgotten_after)
    .text(" then 1 else f.failures + 1 end, last_at = excluded.last_at, is_told = false, locked_until = case when f.failures + 1 >= ")
    .bind::<Integer, _>(rules.before_lock)
    .text(" and f.locked_until is null and f.last_at > ")
    .bind::<Timestamptz, _>(now - rules.forgotten_after)
    .text(" then ")
    .bind::<Timestamptz, _>(now + rules.locked_for)
    .text("::timestamptz end where (f.locked_until is null or f.locked_until <= excluded.last_at) and (")
    .bind::<Bool, _>(is_challenged)
    .text(" or f.locked_until is not null or f.last_at <= ")
    .bind::<Timestamptz, _>(now - rules.forgotten_after)
    .text(" or f.failures < ")
    .bind::<Integer, _>(rules.before_challenge)
    .text(") returning locked_until");
    Ok(apart(db.write(&write)).await?.into_iter().next())
}

/// An attempt while no more may be made is a failure too, and changes nothing else.
pub async fn count_refused_attempt(db: &Db, subject: Hash) -> Result<usize, Error> {
    let write = Statement::<()>::new("update sign_in_failures set failures = failures + 1 where locked_until is not null and subject = ")
        .bind::<Binary, _>(subject.to_vec());
    apart(db.execute(&write)).await
}

pub async fn locks(db: &Db, subjects: &[Hash]) -> Result<Vec<(Vec<u8>, LockedUntil)>, Error> {
    let subjects: Vec<Vec<u8>> = subjects.iter().map(|subject| subject.to_vec()).collect();
    let read = Statement::<(Binary, Nullable<Timestamptz>)>::new(
        "select subject, locked_until from sign_in_failures where subject",
    )
    .one_of::<Binary, _>(subjects);
    db.load(Freshness::Current, &read).await
}

/// The password was right, or its owner showed in another way who they are.
pub async fn forgive(tx: &mut Tx<'_>, subject: Hash) -> Result<usize, Error> {
    let write = Statement::<()>::new("delete from sign_in_failures where subject = ")
        .bind::<Binary, _>(subject.to_vec());
    tx.execute(&write).await
}

/// An attempt that was counted and not made, or was right as far as it went: it was no failure, and the lock that it led
/// to is none.
pub async fn take_back(db: &Db, subject: Hash, locked_until: LockedUntil) -> Result<usize, Error> {
    apart(db.execute(&taken_back(subject, locked_until))).await
}

/// The same in the transaction of what it was made for.
pub async fn take_back_in(
    tx: &mut Tx<'_>,
    subject: Hash,
    locked_until: LockedUntil,
) -> Result<usize, Error> {
    tx.execute(&taken_back(subject, locked_until)).await
}

fn taken_back(subject: Hash, locked_until: LockedUntil) -> Statement<()> {
    Statement::new(
        "update sign_in_failures set failures = failures - 1, locked_until = nullif(locked_until, ",
    )
    .bind::<Nullable<Timestamptz>, _>(locked_until)
    .text(") where failures > 0 and subject = ")
    .bind::<Binary, _>(subject.to_vec())
}

/// Whether somebody is to be told of a lock: the first who asks is.
pub async fn tell_lock(tx: &mut Tx<'_>, subject: Hash) -> Result<bool, Error> {
    let write = Statement::<()>::new(
        "update sign_in_failures set is_told = true where not is_told and locked_until is not null and subject = ",
    )
    .bind::<Binary, _>(subject.to_vec());
    Ok(tx.execute(&write).await? > 0)
}

/// Whether a solution counts: it does once.
pub async fn use_solution(
    db: &Db,
    solution: Hash,
    expires_at: DateTime<Utc>,
) -> Result<bool, Error> {
    let write = Statement::<()>::new("insert into used_challenges (solution, expires_at) values (")
        .bind::<Binary, _>(solution.to_vec())
        .text(", ")
        .bind::<Timestamptz, _>(expires_at)
        .text(") on conflict do nothing");
    Ok(apart(db.execute(&write)).await? > 0)
}
