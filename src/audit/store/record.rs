use diesel::sql_types::{Array, Binary, Nullable, Text, Timestamptz, Uuid as SqlUuid};

use crate::audit::event::Event;
use crate::audit::personal::Personal;
use crate::db::Statement;

/// Writes events down, to be chained, and what is personal in them.
pub fn insertion(events: Vec<Event>) -> Statement<()> {
    recorded(Statement::new("with "), events).text("select from audit_recorded")
}

/// The same as parts of a statement: `audit_parts as (…), audit_recorded as (…)`. By arrays, so that the text is one however
/// many there are.
pub fn recorded<ST>(statement: Statement<ST>, events: Vec<Event>) -> Statement<ST> {
    let (contents, parts): (Vec<_>, Vec<_>) = events.into_iter().map(Event::sealed).unzip();
    let parts: Vec<Personal> = parts.into_iter().flatten().collect();
    macro_rules! column {
        ($statement:expr, $rows:ident, $sql:ty, $field:expr) => {
            $statement.bind::<Array<$sql>, _>($rows.iter().map($field).collect::<Vec<_>>())
        };
    }
    let write = statement.text(
        "audit_parts as (insert into audit_personal (event_id, part, whose, salt, content) select * from unnest(",
    );
    let write = column!(write, parts, SqlUuid, |part| part.event.0).text(", ");
    let write = column!(write, parts, Text, |part| part.part.as_str()).text(", ");
    let write = column!(write, parts, Nullable<SqlUuid>, |part| part.whose).text(", ");
    let write = column!(write, parts, Binary, |part| part.salt.to_vec()).text(", ");
    let write = column!(write, parts, Text, |part| part.content.clone()).text(
        ")), audit_recorded as (insert into audit_pending (id, action, actor_id, subject_id, person_id, correlation_id, \
         details, origin_commitment, facts_commitment, created_at) select * from unnest(",
    );
    let write = column!(write, contents, SqlUuid, |one| one.id.0).text(", ");
    let write = column!(write, contents, Text, |one| one.action.clone()).text(", ");
    let write = column!(write, contents, Nullable<SqlUuid>, |one| one.actor).text(", ");
    let write = column!(write, contents, Nullable<Text>, |one| one.subject.clone()).text(", ");
    let write = column!(write, contents, Nullable<SqlUuid>, |one| one.person).text(", ");
    let write = column!(write, contents, Nullable<Text>, |one| one
        .correlation_id
        .clone())
    .text(", ");
    let write = column!(write, contents, Text, |one| one.details.clone()).text(", ");
    let write = column!(write, contents, Nullable<Binary>, |one| one.origin.clone()).text(", ");
    let write = column!(write, contents, Nullable<Binary>, |one| one.facts.clone()).text(", ");
    column!(write, contents, Timestamptz, |one| one.at).text(") returning 1) ")
}
