//! All SQL of jobs: one function, one statement.

use std::time::Duration;

use diesel::sql_types::{
    Array, BigInt, Bool, Double, Integer, Jsonb, Nullable, Text, Uuid as SqlUuid,
};
use serde_json::Value;
use uuid::Uuid;

use super::JobId;
use super::enqueue::New;
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// Where the instances tell each other that there is something to do.
pub const CHANNEL: &str = "empulse_jobs";

/// The announcement is part of the transaction: it is heard once the job can be seen.
pub async fn insert(tx: &mut Tx<'_>, new: New) -> Result<Option<JobId>, Error> {
    let insert = Statement::<(SqlUuid, Text)>::new(
        "with made as (insert into jobs (id, kind, payload, unique_key, correlation_id, due_at) values (",
    )
    .bind::<SqlUuid, _>(new.id)
    .text(", ")
    .bind::<Text, _>(new.kind)
    .text(", ")
    .bind::<Jsonb, _>(new.payload)
    .text(", ")
    .bind::<Nullable<Text>, _>(new.unique_key)
    .text(", ")
    .bind::<Nullable<Text>, _>(new.correlation_id)
    .text(", now() + interval '1 second' * ")
    .bind::<Double, _>(new.rest.as_secs_f64())
    .text(
        ") on conflict (kind, unique_key) where unique_key is not null and state <> 'DEAD' do nothing returning id) \
         select id, pg_notify('empulse_jobs', '')::text from made",
    );
    let made: Option<(JobId, String)> = tx.first(&insert).await?;
    Ok(made.map(|(id, _)| id))
}

/// Whether a job of this kind and key waits or runs ([`New::unique`]).
pub async fn is_wanted(db: &Db, kind: &'static str, key: &str) -> Result<bool, Error> {
    let read = Statement::<Bool>::new("select exists (select from jobs where kind = ")
        .bind::<Text, _>(kind)
        .text(" and unique_key = ")
        .bind::<Text, _>(key.to_owned())
        .text(" and state <> 'DEAD')");
    let rows = db.load(Freshness::Current, &read).await?;
    Ok(rows.into_iter().next().unwrap_or(false))
}

/// A job that was taken.
#[derive(Debug)]
pub struct Taken {
    pub id: JobId,
    pub lease: Uuid,
    pub kind: String,
    pub payload: Value,
    /// With this one.
    pub attempts: u32,
    pub correlation_id: Option<String>,
}

/// Takes what is due: what waits, and what was taken by others that have not been heard of since.
pub async fn take(
    db: &Db,
    kinds: Vec<String>,
    most: u32,
    lease: Duration,
) -> Result<Vec<Taken>, Error> {
    let token = Uuid::new_v4();
    let take = Statement::<(SqlUuid, Text, Jsonb, Integer, Nullable<Text>)>::new(
        "with due as materialized (select id from jobs where state <> 'DEAD' and due_at <= now() and kind = any(",
    )
    .bind::<Array<Text>, _>(kinds)
    .text(") order by due_at, id limit ")
    .number(most)
    .text(
        " for update skip locked) update jobs set state = 'RUNNING', attempts = attempts + 1, lease = ",
    )
    .bind::<SqlUuid, _>(token)
    .text(", due_at = now() + interval '1 second' * ")
    .bind::<Double, _>(lease.as_secs_f64())
    .text(
        " from due where jobs.id = due.id \
         returning jobs.id, jobs.kind, jobs.payload, jobs.attempts, jobs.correlation_id",
    );
    let rows: Vec<(JobId, String, Value, i32, Option<String>)> = db.write(&take).await?;
    let taken = |(id, kind, payload, attempts, correlation_id)| Taken {
        id,
        lease: token,
        kind,
        payload,
        attempts: i32::max(attempts, 0).unsigned_abs(),
        correlation_id,
    };
    Ok(rows.into_iter().map(taken).collect())
}

/// Whether it is still held, and now for so long from here.
pub async fn keep(db: &Db, taken: &Taken, lease: Duration) -> Result<bool, Error> {
    let keep = Statement::<()>::new("update jobs set due_at = now() + interval '1 second' * ")
        .bind::<Double, _>(lease.as_secs_f64());
    held(db, keep, taken).await
}

/// Done: there is nothing more to know of it.
pub async fn finish(db: &Db, taken: &Taken) -> Result<bool, Error> {
    held(db, Statement::new("delete from jobs"), taken).await
}

pub async fn rest(db: &Db, taken: &Taken, rest: Duration, error: &str) -> Result<bool, Error> {
    let rest = Statement::<()>::new(
        "update jobs set state = 'READY', lease = null, due_at = now() + interval '1 second' * ",
    )
    .bind::<Double, _>(rest.as_secs_f64())
    .text(", last_error = ")
    .bind::<Text, _>(error.to_owned());
    held(db, rest, taken).await
}

/// Later, and as if it had never been taken.
pub async fn put_off(db: &Db, taken: &Taken, rest: Duration, why: &str) -> Result<bool, Error> {
    let put_off = Statement::<()>::new(
        "update jobs set state = 'READY', lease = null, attempts = attempts - 1, \
         due_at = now() + interval '1 second' * ",
    )
    .bind::<Double, _>(rest.as_secs_f64())
    .text(", last_error = ")
    .bind::<Text, _>(why.to_owned());
    held(db, put_off, taken).await
}

pub async fn bury(db: &Db, taken: &Taken, error: &str) -> Result<bool, Error> {
    let bury = Statement::<()>::new(
        "update jobs set state = 'DEAD', lease = null, died_at = now(), last_error = ",
    )
    .bind::<Text, _>(error.to_owned());
    held(db, bury, taken).await
}

/// As if it had never been taken.
pub async fn give_back(db: &Db, taken: &Taken) -> Result<bool, Error> {
    let give_back = Statement::<()>::new(
        "update jobs set state = 'READY', lease = null, attempts = attempts - 1, due_at = now()",
    );
    held(db, give_back, taken).await
}

/// Does it to a job that is still held as it was taken; says whether it was.
async fn held(db: &Db, change: Statement<()>, taken: &Taken) -> Result<bool, Error> {
    let change = change
        .text(" where id = ")
        .bind::<SqlUuid, _>(taken.id)
        .text(" and lease = ")
        .bind::<SqlUuid, _>(taken.lease);
    Ok(db.execute(&change).await? == 1)
}

/// Whether this slot of a schedule is the caller's to ask for, and how long until the next begins. Decided by the row
/// itself: of several that ask at once, all but the first find it moved on.
pub async fn claim_slot(
    tx: &mut Tx<'_>,
    name: &'static str,
    interval: Duration,
) -> Result<(bool, Duration), Error> {
    let interval = interval.as_secs_f64();
    let claim = Statement::<(Bool, Double)>::new(
        "with current as (select floor(extract(epoch from now())::float8 / ",
    )
    .bind::<Double, _>(interval)
    .text(") * ")
    .bind::<Double, _>(interval)
    .text(" as starts), claimed as (insert into job_schedules as known (name, slot) select ")
    .bind::<Text, _>(name)
    .text(
        ", to_timestamp(starts) from current on conflict (name) do update set slot = excluded.slot \
             where known.slot < excluded.slot returning 1) \
             select exists (select from claimed), starts + ",
    )
    .bind::<Double, _>(interval)
    .text(" - extract(epoch from now())::float8 from current");
    let (claimed, left) = tx.first(&claim).await?.unwrap_or((false, interval));
    Ok((claimed, Duration::from_secs_f64(left.max(0.0))))
}

/// What there is to do, and what was given up.
#[derive(Debug, Default, PartialEq)]
pub struct Queue {
    /// Those that could be taken now.
    pub due: i64,
    /// Those that are not due yet.
    pub resting: i64,
    pub running: i64,
    pub dead: i64,
    /// Seconds for which the one that is due longest has been.
    pub oldest: f64,
}

pub async fn queue(db: &Db) -> Result<Queue, Error> {
    let read = Statement::<(BigInt, BigInt, BigInt, BigInt, Double)>::new(
        // The dead by an index of their own: there may be many of them, and they are nobody's hurry.
        "select count(*) filter (where state = 'READY' and due_at <= now()), \
         count(*) filter (where state = 'READY' and due_at > now()), \
         count(*) filter (where state = 'RUNNING'), (select count(*) from jobs where state = 'DEAD'), \
         coalesce(extract(epoch from now() - min(due_at) filter (where due_at <= now())), 0)::float8 \
         from jobs where state <> 'DEAD'",
    );
    let rows: Vec<(i64, i64, i64, i64, f64)> = db.load(Freshness::Current, &read).await?;
    let queue = |(due, resting, running, dead, oldest)| Queue {
        due,
        resting,
        running,
        dead,
        oldest,
    };
    Ok(rows.into_iter().next().map(queue).unwrap_or_default())
}

/// Deletes some of those that died so long ago; how many. What they were about stands in their payload, and nobody looks
/// for it any more.
pub async fn forget_dead(db: &Db, after: Duration, most: u32) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from jobs where id in (select id from jobs where state = 'DEAD' and died_at < now() - make_interval(secs => ",
    )
    .bind::<Double, _>(after.as_secs_f64())
    .text(") order by died_at limit ")
    .number(most)
    .text(")");
    db.execute(&write).await
}

/// Deletes what waits or was given up and says one of these words somewhere in its payload, or is known by one: a value of
/// it, not a part of one. What runs comes to its end, and finds nobody. One kind is left.
pub async fn forget_about(db: &Db, words: Vec<String>, but: &'static str) -> Result<usize, Error> {
    let mut forgotten = 0;
    let mut behind = Uuid::nil();
    loop {
        // A page at a time: nobody knows how many there are.
        let write = Statement::<(BigInt, Nullable<SqlUuid>)>::new(
            "with page as materialized (select id, payload, unique_key from jobs where id > ",
        )
        .bind::<SqlUuid, _>(behind)
        .text(" and kind <> ")
        .bind::<Text, _>(but)
        .text(" order by id limit 1000), said as (select page.id from page where unique_key = any(")
        .bind::<Array<Text>, _>(words.clone())
        .text(") or exists (select from jsonb_path_query(page.payload, '$.**') as word where word #>> '{}' = any(")
        .bind::<Array<Text>, _>(words.clone())
        .text(
            "))), forgotten as (delete from jobs using said where jobs.id = said.id and jobs.state <> 'RUNNING' returning 1) \
             select (select count(*) from forgotten), (select id from page order by id desc limit 1)",
        );
        let page: Option<(i64, Option<Uuid>)> = db.write(&write).await?.into_iter().next();
        let (some, last) = page.unwrap_or_default();
        forgotten += usize::try_from(some).unwrap_or_default();
        match last {
            Some(last) => behind = last,
            None => return Ok(forgotten),
        }
    }
}
