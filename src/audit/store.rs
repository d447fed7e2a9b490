//! All SQL of the trail: one function, one statement.

use diesel::sql_types::{Array, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use super::event::Event;
use super::personal::Personal;
use crate::db::Statement;

/// Writes events down, to be chained, and what is personal in them.
pub fn insertion(events: Vec<Event>) -> Statement<()> {
    recorded(Statement::new("with "), events).text("select from audit_recorded")
}

/// The same as parts of a statement: `audit_parts as (…), audit_recorded as (…)`. In rows of arrays, so that the text is one
/// however many there are.
pub fn recorded<ST>(statement: Statement<ST>, events: Vec<Event>) -> Statement<ST> {
    let (contents, parts): (Vec<_>, Vec<_>) = events.into_iter().map(Event::sealed).unzip();
    let parts: Vec<Personal> = parts.into_iter().flatten().collect();
    let statement = statement
        .text("audit_parts as (insert into audit_personal (event_id, part, whose, salt, content) select * from unnest(")
        .bind::<Array<SqlUuid>, _>(parts.iter().map(|part| part.event.0).collect::<Vec<_>>())
        .text(", ")
        .bind::<Array<Text>, _>(parts.iter().map(|part| part.part.as_str()).collect::<Vec<_>>())
        .text(", ")
        .bind::<Array<Nullable<SqlUuid>>, _>(parts.iter().map(|part| part.whose).collect::<Vec<_>>())
        .text(", ")
        .bind::<Array<Binary>, _>(parts.iter().map(|part| part.salt.to_vec()).collect::<Vec<_>>())
        .text(", ")
        .bind::<Array<Text>, _>(parts.into_iter().map(|part| part.content).collect::<Vec<_>>())
        .text(")), audit_recorded as (insert into audit_pending (id, action, actor_id, subject_id, correlation_id, details, \
               origin_commitment, facts_commitment, created_at) select * from unnest(");
    macro_rules! column {
        ($statement:expr, $sql:ty, $one:expr) => {
            $statement.bind::<Array<$sql>, _>(contents.iter().map($one).collect::<Vec<_>>())
        };
    }
    let statement = column!(statement, SqlUuid, |one| one.id.0).text(", ");
    let statement = column!(statement, Text, |one| one.action.clone()).text(", ");
    let statement = column!(statement, Nullable<SqlUuid>, |one| one.actor).text(", ");
    let statement = column!(statement, Nullable<Text>, |one| one.subject.clone()).text(", ");
    let statement = column!(statement, Nullable<Text>, |one| one.correlation_id.clone()).text(", ");
    let statement = column!(statement, Text, |one| one.details.clone()).text(", ");
    let statement = column!(statement, Nullable<Binary>, |one| one
        .origin
        .map(|hash| hash.to_vec()))
    .text(", ");
    let statement = column!(statement, Nullable<Binary>, |one| one
        .facts
        .map(|hash| hash.to_vec()))
    .text(", ");
    column!(statement, Timestamptz, |one| one.at).text(") returning 1) ")
}
