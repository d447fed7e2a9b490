//! All SQL of this room.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Binary, Bool, Nullable, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Input, Key};
use crate::db::{Db, Error, Statement, Tx};

/// Longer ones are not kept; the table has the same number.
pub const LONGEST_ANSWER: usize = 128 << 10;

/// So many rows are deleted by one statement: it holds none of its locks for long.
pub const CLEANUP_BATCH: usize = 1_000;

/// Which row, and whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub account: Uuid,
    pub key: Key,
    pub attempt: Uuid,
}

/// What there was for a key.
pub enum Found {
    /// Nothing that counts; now it is claimed.
    Claimed,
    /// It was given back in this moment.
    Gone,
    Row(Row),
}

pub struct Row {
    pub input: Vec<u8>,
    pub answer: Option<Vec<u8>>,
    pub files: Option<Vec<u8>>,
    pub is_done: bool,
    pub held_until: DateTime<Utc>,
}

type RowSql = (
    Nullable<Binary>,
    Nullable<Binary>,
    Nullable<Binary>,
    Nullable<Bool>,
    Nullable<Timestamptz>,
);

/// Claims a key that is free: that was never used, or not within the day, or whose holder was not heard of and wrote
/// nothing. Of all who try at once, one succeeds.
pub async fn claim(
    db: &Db,
    held: Held,
    input: &Input,
    held_until: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Found, Error> {
    let write = Statement::<RowSql>::new(
        "with claimed as (insert into idempotency_keys as k (account_id, key, input, attempt, held_until, expires_at) values (",
    )
    .bind::<SqlUuid, _>(held.account)
    .text(", ")
    .bind::<Binary, _>(held.key.hash().to_vec())
    .text(", ")
    .bind::<Binary, _>(input.newest())
    .text(", ")
    .bind::<SqlUuid, _>(held.attempt)
    .text(", ")
    .bind::<Timestamptz, _>(held_until)
    .text(", ")
    .bind::<Timestamptz, _>(expires_at)
    .text(
        ") on conflict (account_id, key) do update set input = excluded.input, attempt = excluded.attempt, \
         held_until = excluded.held_until, is_done = false, answer = null, files = null, expires_at = excluded.expires_at \
         where k.expires_at <= ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" or (not k.is_done and k.answer is null and k.held_until <= ")
    .bind::<Timestamptz, _>(now)
    .text(" and k.input = any(")
    .bind::<Array<Binary>, _>(input.all())
    .text(
        ")) returning 1) select null::bytea, null::bytea, null::bytea, null::boolean, null::timestamptz from claimed \
         union all select input, answer, files, is_done, held_until from idempotency_keys \
         where not exists (select from claimed) and account_id = ",
    )
    .bind::<SqlUuid, _>(held.account)
    .text(" and key = ")
    .bind::<Binary, _>(held.key.hash().to_vec());
    type Read = (
        Option<Vec<u8>>,
        Option<Vec<u8>>,
        Option<Vec<u8>>,
        Option<bool>,
        Option<DateTime<Utc>>,
    );
    let found: Option<Read> = db.write(&write).await?.into_iter().next();
    Ok(match found {
        None => Found::Gone,
        Some((Some(input), answer, files, Some(is_done), Some(held_until))) => Found::Row(Row {
            input,
            answer,
            files,
            is_done,
            held_until,
        }),
        Some(_) => Found::Claimed,
    })
}

/// Marks that something stands: runs in the transaction of whatever does.
pub fn done(held: Held) -> Statement<()> {
    of(
        "update idempotency_keys set is_done = true where account_id = ",
        held,
    )
}

/// That it lives still; false where another has taken it over.
pub async fn hold(db: &Db, held: Held, until: DateTime<Utc>) -> Result<bool, Error> {
    let write = Statement::new("update idempotency_keys set held_until = ")
        .bind::<Timestamptz, _>(until)
        .text(" where account_id = ");
    Ok(db.execute(&with(write, held)).await? > 0)
}

/// Keeps what was answered, and what the files were that it is the answer to.
pub async fn keep(
    db: &Db,
    held: Held,
    answer: &[u8],
    files: Option<&Input>,
) -> Result<usize, Error> {
    let write = Statement::new("update idempotency_keys set answer = ")
        .bind::<Binary, _>(answer.to_vec())
        .text(", files = ")
        .bind::<Nullable<Binary>, _>(files.map(Input::newest))
        .text(" where account_id = ");
    db.execute(&with(write, held)).await
}

/// Gives the key back; false where something stands, or it is another's.
pub async fn give_back(db: &Db, held: Held) -> Result<bool, Error> {
    let write =
        of("delete from idempotency_keys where account_id = ", held).text(" and not is_done");
    Ok(db.execute(&write).await? > 0)
}

/// Of what has come to its end. What runs still goes on to hold its claim.
pub async fn forget_answers(tx: &mut Tx<'_>, account: Uuid) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from idempotency_keys where (is_done or answer is not null) and account_id = ",
    )
    .bind::<SqlUuid, _>(account);
    tx.execute(&write).await
}

fn of(text: &'static str, held: Held) -> Statement<()> {
    with(Statement::new(text), held)
}

fn with(statement: Statement<()>, held: Held) -> Statement<()> {
    statement
        .bind::<SqlUuid, _>(held.account)
        .text(" and key = ")
        .bind::<Binary, _>(held.key.hash().to_vec())
        .text(" and attempt = ")
        .bind::<SqlUuid, _>(held.attempt)
}

/// Deletes some of what counts no more; how many.
pub async fn forget(db: &Db, now: DateTime<Utc>) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from idempotency_keys where (account_id, key) in \
         (select account_id, key from idempotency_keys where expires_at <= ",
    )
    .bind::<Timestamptz, _>(now)
    .text(" limit ")
    .number(CLEANUP_BATCH as u32)
    .text(" for update skip locked)");
    db.execute(&write).await
}
