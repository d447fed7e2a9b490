//! How PostgreSQL reads the trail when it is long: a page looks at its own events, wherever it stands and whatever it is
//! held to.

use empulse::audit::TrailFilter;
use empulse::db::keyset::{End, Position, SortValue, Window};

use super::*;
use crate::support::plan::{Notebook, Planned, Statement};

const MANY: u32 = 200_000;
const SIZE: u32 = 100;

/// Somebody who does much, and somebody who did a little long ago.
const BUSY: Uuid = Uuid::from_u128(1);
const IDLE: Uuid = Uuid::from_u128(2);

/// Events a second apart. Most are sign-ins of many; every tenth is the busy one's, who reads of a thousand accounts;
/// forty are the idle one's.
async fn make(client: &Client) {
    let make = format!(
        "set statement_timeout = 0;
         alter table audit_events disable trigger user;
         insert into audit_events (sequence, id, action, actor_id, subject_id, details, created_at, previous, hash)
         select n, (lpad(to_hex(1700000000000 + n::bigint * 1000), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
                case when n % 10 = 0 then 'account.read' when n % 5000 = 7 then 'role.changed' when n % 17 = 0 then 'login.failed'
                     else 'login.succeeded' end,
                case when n % 10 = 0 then '{BUSY}'::uuid when n < 401 and n % 10 = 1 then '{IDLE}'
                     else lpad(to_hex(1000000 + n % 5003), 32, '0')::uuid end,
                case when n % 10 = 0 then 'account_' || n % 997 when n < 401 and n % 10 = 1 then 'account_idle'
                     else 'account_of_' || n % 5003 end,
                '{{}}', '2024-01-01'::timestamptz + n * interval '1 second', sha256(''), sha256('')
           from generate_series(1, {MANY}) n;
         alter table audit_events enable trigger user;
         vacuum analyze audit_events"
    );
    for statement in make.split_inclusive(';') {
        client.batch_execute(statement).await.unwrap();
    }
}

/// How many events may be looked at for a page.
#[derive(Clone, Copy)]
enum Looks {
    /// At those of the page.
    Page,
    /// At a page of each of so many.
    Pages(u64),
    /// At all that there are of somebody, or about something: so few.
    Few(u64),
}

fn filters() -> Vec<(&'static str, TrailFilter, Looks, &'static [&'static str])> {
    let all = TrailFilter::default;
    let actions = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
    let time = |text: &str| Some(text.parse().unwrap());
    vec![
        ("all", all(), Looks::Page, &["audit_events_by_time"]),
        (
            "a common action",
            TrailFilter {
                actions: actions(&["login.failed"]),
                ..all()
            },
            Looks::Page,
            &["audit_events_of_action", "audit_events_by_time"],
        ),
        (
            "a rare action",
            TrailFilter {
                actions: actions(&["role.changed"]),
                ..all()
            },
            Looks::Page,
            &["audit_events_of_action"],
        ),
        (
            "several actions, one of them never",
            TrailFilter {
                actions: actions(&["account.read", "role.changed", "never.happened"]),
                ..all()
            },
            Looks::Pages(3),
            &["audit_events_of_action"],
        ),
        (
            "the busy one",
            TrailFilter {
                actor: Some(BUSY),
                ..all()
            },
            Looks::Page,
            &["audit_events_of_actor"],
        ),
        (
            "the idle one",
            TrailFilter {
                actor: Some(IDLE),
                ..all()
            },
            Looks::Page,
            &["audit_events_of_actor", "audit_events_of_actor_and_action"],
        ),
        (
            "what the busy one never did",
            TrailFilter {
                actor: Some(BUSY),
                actions: actions(&["role.changed"]),
                ..all()
            },
            Looks::Page,
            &["audit_events_of_actor_and_action"],
        ),
        (
            "about one account",
            TrailFilter {
                subject: Some("account_77".into()),
                ..all()
            },
            Looks::Page,
            &["audit_events_of_subject"],
        ),
        (
            "one action about one account",
            TrailFilter {
                subject: Some("account_77".into()),
                actions: actions(&["account.read"]),
                ..all()
            },
            Looks::Page,
            &[
                "audit_events_of_subject",
                "audit_events_of_subject_and_action",
            ],
        ),
        (
            "by the busy one, about one account",
            TrailFilter {
                actor: Some(BUSY),
                subject: Some("account_77".into()),
                ..all()
            },
            Looks::Few(201),
            &["audit_events_of_subject"],
        ),
        (
            "of an hour",
            TrailFilter {
                after: time("2024-01-02T12:00:00Z"),
                before: time("2024-01-02T13:00:00Z"),
                ..all()
            },
            Looks::Page,
            &["audit_events_by_time"],
        ),
        (
            "by the busy one, within an hour",
            TrailFilter {
                actor: Some(BUSY),
                after: time("2024-01-02T12:00:00Z"),
                before: time("2024-01-02T13:00:00Z"),
                ..all()
            },
            Looks::Page,
            &["audit_events_of_actor"],
        ),
    ]
}

/// A page at each end and two in the middle.
fn windows() -> [(&'static str, Window); 4] {
    let middle = Position {
        value: SortValue::Time("2024-01-02T12:30:00Z".parse().unwrap()),
        id: Uuid::max(),
    };
    let window = |end, after, before| Window {
        end,
        count: SIZE,
        after,
        before,
    };
    [
        ("first", window(End::First, None, None)),
        ("last", window(End::Last, None, None)),
        (
            "after the middle",
            window(End::First, Some(middle.clone()), None),
        ),
        ("before the middle", window(End::Last, None, Some(middle))),
    ]
}

async fn every_page(notebook: Notebook) {
    let bench = Bench::new().await;
    let client = bench.sql().await;
    make(&client).await;
    let wanted = u64::from(SIZE) + 1;
    let mut complaints = Vec::new();
    let mut judged = 0;
    for (name, filter, looks, indexes) in filters() {
        for (place, window) in windows() {
            notebook.take();
            audit::trail(&bench.db, &filter, &window).await.unwrap();
            // What waits to be chained is looked for first.
            let written = notebook.take();
            let [waits, page] = written.as_slice() else {
                panic!("{name}: {} statements ran: {written:#?}", written.len());
            };
            assert!(waits.contains("audit_pending"), "{waits}");
            let plan = Statement::read(page)
                .explain(&client, Planned::ForTheValues)
                .await;
            judged += 1;
            let most = match looks {
                Looks::Page => wanted,
                Looks::Pages(of) => of * wanted,
                Looks::Few(all) => all,
            };
            let complaint = if plan.scanned.contains("audit_events") {
                "the trail is read from end to end".into()
            } else if !indexes.iter().any(|index| plan.indexes.contains(*index)) {
                format!("none of {indexes:?} is used")
            } else if plan.rows > most {
                format!("{} events are looked at, at most {most}", plan.rows)
            } else {
                continue;
            };
            complaints.push(format!("{name}, {place}: {complaint}\n  {plan:?}"));
        }
    }
    assert!(
        complaints.is_empty(),
        "{} complaints of {judged} pages:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert_eq!(judged, 48);
}

#[test]
fn a_page_of_a_long_trail_looks_at_its_own_events() {
    if !std::env::var("DATABASE_URL").is_ok_and(|url| !url.is_empty()) {
        eprintln!(
            "not run: a_page_of_a_long_trail_looks_at_its_own_events (DATABASE_URL is not set)"
        );
        return;
    }
    Notebook::run(every_page);
}
