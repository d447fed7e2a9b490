//! The list among very many accounts, on a server: what is read for a page, and how long it takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use empulse::accounts::{
    AccountFilter, AccountOrder, AccountOrderField, Actor, Client, Principal, Role, Status, Term,
    Tier,
};
use empulse::db::keyset::{Direction, End, Position, SortValue, Window};
use uuid::Uuid;

use super::*;
use crate::support::plan::{Notebook, Plan, Planned, Statement};

/// Enough that each way to read a page differs from each other by much.
const MANY: u32 = 200_000;

const FIELDS: [(AccountOrderField, &str, &str); 3] = [
    (
        AccountOrderField::CreatedAt,
        "created_at",
        "accounts_by_created_at",
    ),
    (
        AccountOrderField::DisplayName,
        "search_text",
        "accounts_by_name",
    ),
    (AccountOrderField::Email, "email_key", "accounts_email_key"),
];

/// First names of people, family names with a number or without, and hosts of which some are common. What somebody is
/// called has nothing to do with when they came, nor with what they are.
async fn make(client: &tokio_postgres::Client, many: u32) {
    let make = format!(
        "set statement_timeout = 0;
         insert into accounts (id, email, email_key, display_name, password_hash, roles, tier, status, email_verified_at,
                               created_at, updated_at, erase_at)
         select (lpad(to_hex(1700000000000 + n::bigint * 60000), 12, '0') || '7' || substr(hash, 1, 3) || '8'
                  || substr(hash, 4, 15))::uuid,
                lower(first || '.' || last) || n || '@' || host, lower(first || '.' || last) || n || '@' || host,
                first || ' ' || last, '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$' || hash || hash,
                case when n % 100003 = 7 then '{{LISTENER,ADMIN}}' when n % 20011 = 3 then '{{LISTENER,MODERATOR}}'
                     when n % 23 = 1 then '{{LISTENER,ARTIST}}' else '{{LISTENER}}' end::text[],
                case when n % 13 = 0 then 'PREMIUM' else 'FREE' end,
                case when n % 1009 = 5 then 'SUSPENDED' when n % 2003 = 9 then 'CLOSED' when n % 97 = 0 then 'UNVERIFIED'
                     else 'ACTIVE' end,
                '2024-01-01', '2024-01-01'::timestamptz + n * interval '1 minute', '2024-01-01',
                case when n % 1009 <> 5 and n % 2003 = 9 then '2024-01-01'::timestamptz end
           from (select n, hash,
                        (array['Ana','Ben','Chloe','David','Emil','Freya','Greta','Hugo','Ines','Jonas','Kim','Lena','Mateo',
                               'Nora','Oskar','Paula','Quentin','Rosa','Sami','Tilda','Umar','Vera','Wanda','Xenia','Yann',
                               'Zoe'])[1 + ('x' || substr(hash, 20, 7))::bit(28)::int % 26] as first,
                        (array['Abel','Berg','Costa','Dahl','Eriksen','Fontaine','Garcia','Holm','Ivanov','Jensen','Keller',
                               'Lindqvist','Moreau','Novak','Okafor','Petrov','Quist','Rossi','Santos','Tanaka','Ueda',
                               'Virtanen','Weber','Xu','Yilmaz','Zimmer'])[1 + ('x' || substr(hash, 26, 7))::bit(28)::int % 26]
                          || case n % 3 when 0 then '' else to_hex(n % 4096) end as last,
                        (array['example.org', 'mail.example', 'post.example', 'example.net'])[1 + n % 4] as host
                   from (select n, md5(n::text) as hash from generate_series(1, {many}) n) hashed) named
         on conflict do nothing;
         vacuum analyze accounts"
    );
    for statement in make.split_inclusive(';') {
        client.batch_execute(statement).await.unwrap();
    }
}

/// How common what is asked for is, and so how it may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All that is listed stands side by side.
    Stretch,
    /// A page is full soon, read along the order.
    Common,
    /// Few: found by such an index.
    Rare(&'static [&'static str]),
}

fn term(text: &str) -> AccountFilter {
    AccountFilter {
        term: Term::parse(text).unwrap(),
        ..AccountFilter::default()
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    Some(text.parse().unwrap())
}

fn filters() -> Vec<(&'static str, AccountFilter, Kind)> {
    let all = AccountFilter::default;
    let search: &[&str] = &["accounts_search"];
    vec![
        ("everybody", all(), Kind::Stretch),
        ("a part of all addresses", term("example"), Kind::Common),
        ("a letter", term("a"), Kind::Common),
        (
            "most",
            AccountFilter {
                statuses: Some(vec![Status::Active]),
                tiers: Some(vec![Tier::Free]),
                ..all()
            },
            Kind::Common,
        ),
        ("an address", term("77777@example.net"), Kind::Rare(search)),
        ("nobody's name", term("nobody at all"), Kind::Rare(search)),
        (
            "parts that are common, and are not together",
            term("zoe@example"),
            Kind::Rare(search),
        ),
        (
            "administrators",
            AccountFilter {
                roles: Some(vec![Role::Admin]),
                ..all()
            },
            Kind::Rare(&["accounts_by_role"]),
        ),
        (
            "suspended",
            AccountFilter {
                statuses: Some(vec![Status::Suspended]),
                ..all()
            },
            Kind::Rare(&["accounts_by_status"]),
        ),
        (
            "closed, and had paid",
            AccountFilter {
                statuses: Some(vec![Status::Closed]),
                tiers: Some(vec![Tier::Premium]),
                ..all()
            },
            Kind::Rare(&["accounts_by_status"]),
        ),
        (
            "of an hour",
            AccountFilter {
                created_after: time("2024-03-01T12:00:00Z"),
                created_before: time("2024-03-01T13:00:00Z"),
                ..all()
            },
            Kind::Rare(&["accounts_by_created_at"]),
        ),
    ]
}

/// Within its order by time, those of an hour stand side by side.
fn kind(kind: Kind, filter: &AccountFilter, field: AccountOrderField) -> Kind {
    match filter.created_after.is_some() && field == AccountOrderField::CreatedAt {
        true => Kind::Stretch,
        false => kind,
    }
}

/// Somebody who lists accounts, and what the service asks for it.
struct Reader {
    app: TestApp,
    client: tokio_postgres::Client,
    principal: Arc<Principal>,
    notebook: Notebook,
}

impl Reader {
    async fn new(notebook: Notebook, many: u32) -> Self {
        let app = TestApp::new().await;
        let admin = administrator(&app, "admin@example.org").await;
        let actor = app.accounts.authenticate(&admin.access, None).await;
        let Some(Actor::SignedIn(principal)) = actor.unwrap() else {
            panic!("nobody is signed in");
        };
        let client = app.sql().await;
        make(&client, many).await;
        Self {
            principal,
            app,
            client,
            notebook,
        }
    }

    async fn page(&self, filter: &AccountFilter, order: AccountOrder, window: &Window) -> usize {
        let by = Client::default();
        let page = self
            .app
            .accounts
            .list_accounts(&self.principal, filter, order, window, &by)
            .await;
        page.unwrap_or_else(|fault| panic!("{fault:?}: {filter:?} {order:?}"))
            .items
            .len()
    }

    /// What a page is read by: all statements but the record of it.
    async fn statements(
        &self,
        filter: &AccountFilter,
        order: AccountOrder,
        window: &Window,
    ) -> Vec<Statement> {
        self.notebook.take();
        self.page(filter, order, window).await;
        let written = self.notebook.take();
        let reads = written
            .iter()
            .filter(|text| !text.starts_with("with audit"));
        reads.map(|text| Statement::read(text)).collect()
    }

    /// A page at each end of the list and two in its middle.
    async fn windows(
        &self,
        field: AccountOrderField,
        column: &str,
        size: u32,
    ) -> Vec<(&'static str, Window)> {
        let window = |end, after: Option<&Position>, before: Option<&Position>| Window {
            end,
            count: size,
            after: after.cloned(),
            before: before.cloned(),
        };
        let shown = match field {
            AccountOrderField::CreatedAt => {
                "(extract(epoch from created_at) * 1000000)::bigint::text"
            }
            _ => column,
        };
        let read = format!(
            "select {shown}, id::text from accounts order by {column}, id limit 1 offset (select count(*) / 2 from accounts)"
        );
        let row = self.client.query_one(&read, &[]).await.unwrap();
        let (value, id): (String, &str) = (row.get(0), row.get(1));
        let middle = Position {
            value: match field {
                AccountOrderField::CreatedAt => SortValue::Time(
                    DateTime::from_timestamp_micros(value.parse().unwrap()).unwrap(),
                ),
                _ => SortValue::Text(value),
            },
            id: Uuid::parse_str(id).unwrap(),
        };
        vec![
            ("first", window(End::First, None, None)),
            ("last", window(End::Last, None, None)),
            ("after the middle", window(End::First, Some(&middle), None)),
            ("before the middle", window(End::Last, None, Some(&middle))),
        ]
    }
}

fn complaint(kind: Kind, index: &str, size: u64, matches: u64, plans: &[Plan]) -> Option<String> {
    if plans.iter().any(|plan| plan.scanned.contains("accounts")) {
        return Some("all accounts are read".into());
    }
    // A row more than the page, rounded up.
    let wanted = size + 1;
    let rows: u64 = plans.iter().map(|plan| plan.rows).sum();
    let most = match kind {
        // By address, where the index ends before the ID, one more on each side tells that the place is nobody else's.
        Kind::Stretch => wanted + 2,
        // Along the order, and the page by its keys.
        Kind::Common => 21 * wanted,
        Kind::Rare(_) => 21 * wanted + 2 * matches + 50,
    };
    if rows > most {
        return Some(format!("{rows} rows are looked at, at most {most}"));
    }
    // What an index passes over is no row.
    let pages: u64 = plans.iter().map(|plan| plan.buffers).sum();
    if kind == Kind::Stretch && pages > 2 * wanted + 50 {
        return Some(format!("{pages} pages are looked at"));
    }
    let uses = |plan: Option<&Plan>, any: &[&str]| {
        plan.is_some_and(|plan| any.iter().any(|index| plan.indexes.contains(*index)))
    };
    if !uses(plans.first(), &[index]) {
        return Some(format!("{index} is not used"));
    }
    match kind {
        Kind::Stretch | Kind::Common if plans.len() != 1 => {
            Some(format!("{} statements", plans.len()))
        }
        Kind::Rare(_) if plans.len() != 2 => Some(format!("{} statements", plans.len())),
        Kind::Rare(any) if !uses(plans.last(), any) => Some(format!("{any:?} is not used")),
        _ => None,
    }
}

async fn every_page(notebook: Notebook) {
    let reader = Reader::new(notebook, MANY).await;
    let mut complaints = Vec::new();
    let (mut judged, mut apart) = (0, 0);
    for (name, filter, found) in filters() {
        let matches = empulse::accounts::count_accounts(&reader.app.app, &filter)
            .await
            .unwrap() as u64;
        for (field, column, index) in FIELDS {
            for direction in [Direction::Ascending, Direction::Descending] {
                let order = AccountOrder { field, direction };
                for (place, window) in reader.windows(field, column, 100).await {
                    let kind = kind(found, &filter, field);
                    let ways: &[Planned] = match name {
                        "everybody" => &[Planned::ForTheValues, Planned::OnceForAll],
                        _ => &[Planned::ForTheValues],
                    };
                    for planned in ways {
                        let mut plans = Vec::new();
                        let statements = reader.statements(&filter, order, &window).await;
                        judged += 1;
                        // The hour and the window lie apart: nothing needs to be asked.
                        if statements.is_empty() && name == "of an hour" && kind == Kind::Stretch {
                            apart += 1;
                            continue;
                        }
                        for statement in statements {
                            plans.push(statement.explain(&reader.client, *planned).await);
                        }
                        if let Some(complaint) = complaint(kind, index, 100, matches, &plans) {
                            complaints.push(format!(
                                "{name}, {field:?} {direction:?}, {place}, {planned:?}: {complaint}\n  {plans:?}"
                            ));
                        }
                    }
                }
            }
        }
    }
    assert!(
        complaints.is_empty(),
        "{} complaints of {judged} pages:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
    assert!(judged > 250, "{judged} pages were judged");
    // In either direction, on the side of the middle where the hour is not.
    assert_eq!(apart, 2);
}

fn is_on_a_server(test: &str) -> bool {
    let is = std::env::var("DATABASE_URL").is_ok_and(|url| !url.is_empty());
    if !is {
        eprintln!("not run: {test} (DATABASE_URL is not set)");
    }
    is
}

#[test]
fn a_page_is_found_by_an_index_however_common_or_rare_it_is() {
    if is_on_a_server("a_page_is_found_by_an_index_however_common_or_rare_it_is") {
        Notebook::run(every_page);
    }
}

/// How long a page takes among so many: with the record of it, and its reads alone as PostgreSQL answers them.
async fn times(notebook: Notebook, many: u32) -> BTreeMap<String, (Duration, Duration)> {
    let reader = Reader::new(notebook, many).await;
    let mut lists = filters();
    // As common as they are seldom side by side: where names are the order, they all stand together.
    lists.push(("a first name", term("tilda"), Kind::Common));
    lists.push(("a family name", term("jensen"), Kind::Common));
    lists.push(("a family name with a number", term("abel1"), Kind::Common));
    lists.push(("two letters that nobody has", term("qx"), Kind::Common));
    let mut times = BTreeMap::new();
    // What comes between makes a page slow once; what makes it slow by itself does so each time.
    for _ in 0..ROUNDS {
        time_once(&reader, &lists, &mut times).await;
    }
    times
}

const ROUNDS: usize = 2;

/// The medians of each page, or those that were had before where they are shorter.
async fn time_once(
    reader: &Reader,
    lists: &[(&'static str, AccountFilter, Kind)],
    times: &mut BTreeMap<String, (Duration, Duration)>,
) {
    for (name, filter, _) in lists {
        for (field, column, _) in FIELDS {
            for direction in [Direction::Ascending, Direction::Descending] {
                let order = AccountOrder { field, direction };
                let windows = reader.windows(field, column, 20).await;
                for (place, window) in &windows[..3] {
                    let statements = reader.statements(filter, order, window).await;
                    let (mut whole, mut reads) = (Vec::new(), Vec::new());
                    for _ in 0..9 {
                        let began = Instant::now();
                        reader.page(filter, order, window).await;
                        whole.push(began.elapsed());
                        let mut read = Duration::ZERO;
                        for statement in &statements {
                            read += statement.time(&reader.client).await;
                        }
                        reads.push(read);
                    }
                    whole.sort_unstable();
                    reads.sort_unstable();
                    let page = format!("{name}, {field:?} {direction:?}, {place}");
                    let least = times.entry(page).or_insert((whole[4], reads[4]));
                    least.0 = least.0.min(whole[4]);
                    least.1 = least.1.min(reads[4]);
                }
            }
        }
    }
}

const BY_NAME: [AccountOrderField; 2] = [AccountOrderField::DisplayName, AccountOrderField::Email];
const IN_ANY: [AccountOrderField; 3] = [
    AccountOrderField::CreatedAt,
    AccountOrderField::DisplayName,
    AccountOrderField::Email,
];

/// What is not promised, in which orders, and why.
const NOT_PROMISED: [(&str, &[AccountOrderField], &str); 4] = [
    (
        "a first name",
        &BY_NAME,
        "those called so stand together, far from most pages: each of the 38,000 is fetched, and sorted",
    ),
    (
        "a family name",
        &BY_NAME,
        "those called so stand together within each first name: the same",
    ),
    (
        "a family name with a number",
        &IN_ANY,
        "too few to be met along the order, and 3,000 to fetch",
    ),
    (
        "two letters that nobody has",
        &IN_ANY,
        "the index knows three in a row: all accounts are read",
    ),
];

async fn a_million(notebook: Notebook) {
    let few = times(notebook.clone(), 1_000).await;
    let many = times(notebook, 1_000_000).await;
    let millis = |time: Duration| time.as_secs_f64() * 1_000.0;
    let mut late = Vec::new();
    for (name, (whole, reads)) in &many {
        let (few_whole, few_reads) = few[name];
        let ratio = whole.as_secs_f64() / few_whole.as_secs_f64();
        let line = format!(
            "{ratio:6.1} {:8.2} {:8.2} {:8.2} {:8.2}  {name}",
            millis(few_whole),
            millis(*whole),
            millis(few_reads),
            millis(*reads),
        );
        eprintln!("{line}");
        let excuse = NOT_PROMISED.iter().find(|(other, fields, _)| {
            let starts = |field| name.starts_with(&format!("{other}, {field:?} "));
            fields.iter().any(starts)
        });
        match excuse {
            Some((_, _, reason)) if ratio > 3.0 => eprintln!("{:45}not promised: {reason}", ""),
            None if ratio > 3.0 => late.push(line),
            _ => {}
        }
    }
    assert!(
        late.is_empty(),
        "more than three times as long:\n{}",
        late.join("\n")
    );
}

/// Minutes: it makes a million accounts.
#[test]
#[ignore = "a measurement, of minutes"]
fn a_page_among_a_million_takes_at_most_three_times_as_long_as_among_a_thousand() {
    if is_on_a_server(
        "a_page_among_a_million_takes_at_most_three_times_as_long_as_among_a_thousand",
    ) {
        Notebook::run(a_million);
    }
}
