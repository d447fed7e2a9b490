use chrono::{DateTime, Utc};
use diesel::sql_types::{Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::db::{Db, Error, Freshness, Statement, Tx};

/// Deletes some of what is personal of somebody; how much.
pub async fn erase(tx: &mut Tx<'_>, whose: Uuid, most: u32) -> Result<usize, Error> {
    let write = Statement::<()>::new(
        "delete from audit_personal where (event_id, part) in (select event_id, part from audit_personal where whose = ",
    )
    .bind::<SqlUuid, _>(whose)
    .text(" limit ")
    .number(most)
    .text(")");
    tx.execute(&write).await
}

/// Deletes some of what is personal of nobody, of events until a time; how much.
pub async fn erase_nobodys(
    tx: &mut Tx<'_>,
    until: DateTime<Utc>,
    most: u32,
) -> Result<usize, Error> {
    // The oldest come first, as their ids tell: so many are looked at, and no more.
    let write = Statement::<()>::new(
        "with oldest as (select event_id, part from audit_personal where whose is null order by event_id limit ",
    )
    .number(most)
    .text(
        ") delete from audit_personal p using oldest o join audit_events e on e.id = o.event_id \
         where p.event_id = o.event_id and p.part = o.part and e.created_at <= ",
    )
    .bind::<Timestamptz, _>(until);
    tx.execute(&write).await
}

/// Some of those of whom all was erased since a time, as an action tells, and of whom there is more now; and what they were
/// called. Not where a detail says that there is to be more.
pub async fn erased_with_more(
    db: &Db,
    action: &'static str,
    unless: &'static str,
    since: DateTime<Utc>,
) -> Result<Vec<(Uuid, String)>, Error> {
    let read = Statement::<(SqlUuid, Text)>::new(
        "select distinct e.person_id, e.subject_id from audit_events e where e.action = ",
    )
    .bind::<Text, _>(action)
    .text(" and e.created_at > ")
    .bind::<Timestamptz, _>(since)
    .text(" and e.details::jsonb -> ")
    .bind::<Text, _>(unless)
    .text(
        " is null and e.person_id is not null and e.subject_id is not null \
         and exists (select from audit_personal p where p.whose = e.person_id) limit 1000",
    );
    db.load(Freshness::Current, &read).await
}
