use diesel::Queryable;
use diesel::sql_types::{Array, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::content_columns;
use crate::audit::chain::{Content, ContentSql};
use crate::audit::event::AuditEventId;
use crate::audit::trail::TrailFilter;
use crate::db::keyset::{Direction, Order, Window};
use crate::db::{Db, Error, Freshness, Statement};

/// An event that is shown: with its hash, and what is left of what is personal in it.
#[derive(Debug, Queryable)]
pub struct Shown {
    pub content: Content,
    pub hash: Vec<u8>,
    pub origin: Option<String>,
    pub facts: Option<String>,
}

type ShownSql = (ContentSql, Binary, Nullable<Text>, Nullable<Text>);

/// Newest first. By when it happened, not by its place in the chain: that is what filters and people ask for, and what
/// was chained late belongs where it happened.
const BY_TIME: Order = Order {
    column: "e.created_at",
    id: "e.id",
    direction: Direction::Descending,
};

macro_rules! shown {
    () => {
        concat!(
            "select ",
            content_columns!(),
            ", e.hash, o.content, f.content from "
        )
    };
}

/// What is personal is looked for once the page is known.
macro_rules! with_personal {
    () => {
        " e left join audit_personal o on o.event_id = e.id and o.part = 'ORIGIN' \
         left join audit_personal f on f.event_id = e.id and f.part = 'FACTS'"
    };
}

pub async fn page(db: &Db, filter: &TrailFilter, window: &Window) -> Result<Vec<Shown>, Error> {
    let read = Statement::<ShownSql>::new(concat!(shown!(), "("));
    let read = rows(read, filter, window).text(concat!(")", with_personal!()));
    let read = BY_TIME.sorted(read, window);
    db.load(Freshness::Current, &read).await
}

/// The rows of a page and no others. Several actions are a page of each, merged: an index can't serve `in (…)` in order.
fn rows<ST>(read: Statement<ST>, filter: &TrailFilter, window: &Window) -> Statement<ST> {
    let read = match filter.actions.as_deref() {
        None => read.text("select e.* from audit_events e where true"),
        Some([action]) => read
            .text("select e.* from audit_events e where e.action = ")
            .bind::<Text, _>(action.clone()),
        Some(actions) => {
            let read = read
                .text("select e.* from unnest(")
                .bind::<Array<Text>, _>(actions.to_vec())
                .text(") as wanted (action) cross join lateral (select e.* from audit_events e where e.action = wanted.action");
            let read = BY_TIME.limited(narrowed(read, filter, window), window);
            return BY_TIME.limited(read.text(") e"), window);
        }
    };
    BY_TIME.limited(narrowed(read, filter, window), window)
}

fn narrowed<ST>(mut read: Statement<ST>, filter: &TrailFilter, window: &Window) -> Statement<ST> {
    if let Some(actor) = filter.actor {
        read = read.text(" and e.actor_id = ").bind::<SqlUuid, _>(actor);
    }
    if let Some(subject) = &filter.subject {
        read = read
            .text(" and e.subject_id = ")
            .bind::<Text, _>(subject.clone());
    }
    for (bound, relation) in [
        (filter.after, " and e.created_at > "),
        (filter.before, " and e.created_at < "),
    ] {
        if let Some(time) = bound {
            read = read.text(relation).bind::<Timestamptz, _>(time);
        }
    }
    // Of many shapes, and how much there is of somebody or something differs beyond any plan for all.
    BY_TIME.within(read, window).planned_each_time()
}

pub async fn by_ids(db: &Db, ids: &[AuditEventId]) -> Result<Vec<Shown>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let read = Statement::<ShownSql>::new(concat!(
        shown!(),
        "audit_events",
        with_personal!(),
        " where e.id"
    ))
    .one_of::<SqlUuid, _>(ids);
    db.load(Freshness::Current, &read).await
}
