//! The list of accounts: what it is held to, how it is ordered, and that its pages put together are it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::*;

const FIELDS: [&str; 3] = ["CREATED_AT", "DISPLAY_NAME", "EMAIL"];
const DIRECTIONS: [&str; 2] = ["ASC", "DESC"];

/// So many people: names that are equal but for case and accents, times that several share, and of each role, tier and
/// standing some. By one statement; they have no password.
pub async fn people(app: &TestApp, many: usize) {
    let make = format!(
        "insert into accounts (id, email, email_key, display_name, password_hash, roles, tier, status, email_verified_at,
                               created_at, updated_at, erase_at)
         select (lpad(to_hex(1767225600000 + n / 4), 12, '0') || '7' || lpad(to_hex(n * 7919 % 4096), 3, '0')
                  || '8' || lpad(to_hex(n), 15, '0'))::uuid,
                case when n % 3 = 0 then 'Person' else 'person' end || n || '@' || host,
                'person' || n || '@' || host,
                (array['Ana Berg', 'ana berg', 'Ána Bérg', 'Zoé', 'zoe', 'Zoe Lund', 'Björk 100%', 'Ben_1', 'Ben\\2', '山田'])[1 + n % 10],
                'none',
                case when n % 40 = 7 then '{{LISTENER,MODERATOR}}' when n % 7 = 1 then '{{LISTENER,ARTIST}}'
                     else '{{LISTENER}}' end::text[],
                case when n % 5 = 2 then 'PREMIUM' else 'FREE' end,
                case when n % 11 = 3 then 'SUSPENDED' when n % 13 = 4 then 'UNVERIFIED' when n = 20 then 'CLOSED'
                     else 'ACTIVE' end,
                case when n % 13 = 4 then null else '2026-01-01'::timestamptz end,
                '2026-01-01'::timestamptz + n / 4 * interval '1 minute',
                '2026-01-01'::timestamptz,
                case when n = 20 then '2026-02-01'::timestamptz end
           from (select n, case when n % 50 = 9 then 'rare.example.com' else 'example.org' end as host
                   from generate_series(1, {many}) n) numbered"
    );
    execute(app, &make).await;
}

/// An account as the test knows it, past the service.
#[derive(Debug, Clone)]
struct Known {
    id: String,
    uuid: String,
    email: String,
    key: String,
    name: String,
    roles: Vec<String>,
    tier: String,
    status: String,
    micros: i64,
}

async fn known(app: &TestApp) -> Vec<Known> {
    let rows = app
        .sql()
        .await
        .query(
            "select id::text, email, email_key, display_name, roles, tier, status,
                    (extract(epoch from created_at) * 1000000)::bigint from accounts",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let uuid: String = row.get(0);
            Known {
                id: empulse::accounts::AccountId(uuid.parse().unwrap()).to_string(),
                uuid,
                email: row.get(1),
                key: row.get(2),
                name: row.get(3),
                roles: row.get(4),
                tier: row.get(5),
                status: row.get(6),
                micros: row.get(7),
            }
        })
        .collect()
}

/// Without the accents that these names have, in lower case.
fn folded(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .map(|letter| match letter {
            'á' => 'a',
            'é' => 'e',
            'ö' => 'o',
            other => other,
        })
        .collect()
}

impl Known {
    fn compare(&self, other: &Self, field: &str) -> Ordering {
        let first = match field {
            "CREATED_AT" => self.micros.cmp(&other.micros),
            "DISPLAY_NAME" => folded(&self.name)
                .cmp(&folded(&other.name))
                .then_with(|| folded(&self.email).cmp(&folded(&other.email))),
            _ => self.key.cmp(&other.key),
        };
        first.then_with(|| self.uuid.cmp(&other.uuid))
    }

    fn holds(&self, term: &str) -> bool {
        let term = folded(term);
        folded(&self.name).contains(&term) || folded(&self.email).contains(&term)
    }
}

type Fits = Box<dyn Fn(&Known) -> bool>;

/// Filters, each with what it means.
fn filters() -> Vec<(&'static str, Fits)> {
    fn fits(of: impl Fn(&Known) -> bool + 'static) -> Fits {
        Box::new(of)
    }
    fn is_in(value: &str, any: &[&str]) -> bool {
        any.contains(&value)
    }
    vec![
        ("{}", fits(|_| true)),
        ("{ query: \"\" }", fits(|_| true)),
        (
            "{ query: \"EXAMPLE.org\" }",
            fits(|one| one.holds("example.org")),
        ),
        ("{ query: \"@rare.\" }", fits(|one| one.holds("@rare."))),
        (
            "{ query: \" ANA  bérg \" }",
            fits(|one| one.holds("ana berg")),
        ),
        ("{ query: \"zoe\" }", fits(|one| one.holds("zoe"))),
        ("{ query: \"o\" }", fits(|one| one.holds("o"))),
        ("{ query: \"山\" }", fits(|one| one.holds("山"))),
        ("{ query: \"%\" }", fits(|one| one.holds("%"))),
        ("{ query: \"_1\" }", fits(|one| one.holds("_1"))),
        ("{ query: \"n\\\\2\" }", fits(|one| one.holds("n\\2"))),
        (
            "{ query: \"person77@\" }",
            fits(|one| one.holds("person77@")),
        ),
        ("{ query: \"nobody at all\" }", fits(|_| false)),
        (
            "{ roles: [ARTIST] }",
            fits(|one| one.roles.contains(&"ARTIST".into())),
        ),
        (
            "{ roles: [MODERATOR, ADMIN] }",
            fits(|one| {
                one.roles
                    .iter()
                    .any(|role| is_in(role, &["MODERATOR", "ADMIN"]))
            }),
        ),
        ("{ roles: [LISTENER, ADMIN] }", fits(|_| true)),
        ("{ roles: [] }", fits(|_| false)),
        ("{ statuses: [ACTIVE] }", fits(|one| one.status == "ACTIVE")),
        (
            "{ statuses: [SUSPENDED, CLOSED] }",
            fits(|one| is_in(&one.status, &["SUSPENDED", "CLOSED"])),
        ),
        ("{ statuses: [] }", fits(|_| false)),
        ("{ tiers: [PREMIUM] }", fits(|one| one.tier == "PREMIUM")),
        ("{ tiers: [PREMIUM, FREE, FREE] }", fits(|_| true)),
        ("{ tiers: [] }", fits(|_| false)),
        // In microseconds since 1970: half an hour and an hour into 2026.
        (
            "{ createdAfter: \"2026-01-01T00:30:00Z\" }",
            fits(|one| one.micros > 1_767_227_400_000_000),
        ),
        (
            "{ createdAfter: \"2026-01-01T00:30:00Z\", createdBefore: \"2026-01-01T01:00:00+00:00\" }",
            fits(|one| one.micros > 1_767_227_400_000_000 && one.micros < 1_767_229_200_000_000),
        ),
        (
            "{ query: \"ana\", roles: [ARTIST], statuses: [ACTIVE, SUSPENDED], tiers: [FREE],
               createdBefore: \"2026-01-01T01:10:00Z\" }",
            fits(|one| {
                one.holds("ana")
                    && one.roles.contains(&"ARTIST".into())
                    && is_in(&one.status, &["ACTIVE", "SUSPENDED"])
                    && one.tier == "FREE"
                    && one.micros < 1_767_229_800_000_000
            }),
        ),
    ]
}

/// All ids of the list, page by page.
async fn walk(
    app: &TestApp,
    admin: &SignedIn,
    arguments: &str,
    size: usize,
    forward: bool,
) -> Vec<String> {
    let (count, place) = match forward {
        true => ("first", "after"),
        false => ("last", "before"),
    };
    let mut met: Vec<String> = Vec::new();
    let mut bound = String::new();
    loop {
        let query = format!(
            "{{ accounts({count}: {size}, {arguments} {bound}) {{
                edges {{ cursor node {{ id }} }} nodes {{ id }}
                pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}"
        );
        let page = app.data_as(&admin.access, &query).await["accounts"].take();
        let edges = page["edges"].as_array().unwrap();
        let info = &page["pageInfo"];
        let cursor = |edge: Option<&Value>| edge.map_or(Value::Null, |edge| edge["cursor"].clone());
        assert_eq!(info["startCursor"], cursor(edges.first()));
        assert_eq!(info["endCursor"], cursor(edges.last()));
        let mut ids: Vec<String> = edges
            .iter()
            .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
            .collect();
        let nodes: Vec<&str> = page["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["id"].as_str().unwrap())
            .collect();
        assert_eq!(nodes, ids);
        assert!(ids.len() <= size);
        let (more, next, back) = match forward {
            true => ("hasNextPage", "endCursor", "hasPreviousPage"),
            false => ("hasPreviousPage", "startCursor", "hasNextPage"),
        };
        assert_eq!(info[back], !bound.is_empty());
        if !forward {
            ids.reverse();
        }
        met.extend(ids);
        if info[more] == false {
            break;
        }
        bound = format!(", {place}: {}", info[next]);
    }
    if !forward {
        met.reverse();
    }
    met
}

/// In every order, from either end, by pages of several sizes, with each filter; counted as they are met.
#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_list_whatever_it_is_held_to() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    people(&app, 300).await;
    let known = known(&app).await;
    for (filter, fits) in filters() {
        for field in FIELDS {
            for direction in DIRECTIONS {
                let mut expected: Vec<&Known> = known.iter().filter(|one| fits(one)).collect();
                expected.sort_by(|one, other| one.compare(other, field));
                if direction == "DESC" {
                    expected.reverse();
                }
                let expected: Vec<&str> = expected.iter().map(|one| &*one.id).collect();
                let arguments = format!(
                    "filter: {filter}, orderBy: {{ field: {field}, direction: {direction} }}"
                );
                let sizes: &[usize] = match expected.len() {
                    0..=60 => &[1, 7, 100],
                    _ => &[33, 100],
                };
                for size in sizes {
                    for forward in [true, false] {
                        let met = walk(&app, &admin, &arguments, *size, forward).await;
                        assert_eq!(met, expected, "{arguments}, {size}, {forward}");
                    }
                }
                let counted = format!("{{ accounts(first: 1, {arguments}) {{ totalCount }} }}");
                let counted = app.data_as(&admin.access, &counted).await;
                assert_eq!(
                    counted["accounts"]["totalCount"],
                    expected.len(),
                    "{arguments}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_stand_first_unless_they_are_ordered() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    people(&app, 30).await;
    let ids = async |arguments: &str| {
        let query = format!("{{ accounts{arguments} {{ nodes {{ id }} }} }}");
        app.data_as(&admin.access, &query).await["accounts"]["nodes"].take()
    };
    let newest = ids("(orderBy: { field: CREATED_AT, direction: DESC })").await;
    assert_eq!(newest.as_array().unwrap().len(), 20);
    assert_eq!(newest[0]["id"], id_of(&app, "admin@example.org").await);
    for arguments in [
        "",
        "(filter: null, orderBy: null, first: null)",
        "(filter: {})",
    ] {
        assert_eq!(ids(arguments).await, newest, "{arguments}");
    }
    let blank = "(filter: { query: null, roles: null, statuses: null, tiers: null, createdAfter: null, createdBefore: null })";
    assert_eq!(ids(blank).await, newest);
}

/// Between two cursors, from either end.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_may_have_a_bound_on_either_side() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    people(&app, 60).await;
    for (filter, order) in [
        ("{}", "{ field: EMAIL, direction: ASC }"),
        (
            "{ query: \"person\" }",
            "{ field: DISPLAY_NAME, direction: DESC }",
        ),
        (
            "{ roles: [ARTIST] }",
            "{ field: CREATED_AT, direction: ASC }",
        ),
    ] {
        let ask = async |page: &str| {
            let query = format!(
                "{{ accounts({page}, filter: {filter}, orderBy: {order}) {{
                    edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage }} }} }}"
            );
            app.data_as(&admin.access, &query).await["accounts"].take()
        };
        let all = ask("first: 100").await["edges"].take();
        let all = all.as_array().unwrap();
        let within = format!("after: {}, before: {}", all[1]["cursor"], all[7]["cursor"]);
        for (count, expected, has) in [
            ("first: 5", &all[2..7], (true, true)),
            ("last: 5", &all[2..7], (true, true)),
            ("first: 2", &all[2..4], (true, true)),
            ("last: 2", &all[5..7], (true, true)),
        ] {
            let page = ask(&format!("{count}, {within}")).await;
            assert_eq!(page["edges"], json!(expected), "{filter} {order} {count}");
            let info = &page["pageInfo"];
            assert_eq!(
                (&info["hasPreviousPage"], &info["hasNextPage"]),
                (&json!(has.0), &json!(has.1))
            );
        }
    }
}

/// A cursor may come from a list that was held to nothing, and stand before, among or behind those of the times.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_lies_within_the_times_wherever_its_bound_stands() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    people(&app, 60).await;
    // Four people a minute, from 2026 on: those of five minutes, without both ends.
    let times =
        "{ createdAfter: \"2026-01-01T00:05:00Z\", createdBefore: \"2026-01-01T00:11:00Z\" }";
    for direction in DIRECTIONS {
        let ask = async |page: &str| {
            let query = format!(
                "{{ accounts({page}, orderBy: {{ field: CREATED_AT, direction: {direction} }}) {{
                    edges {{ cursor node {{ id }} }} pageInfo {{ hasNextPage hasPreviousPage }} }} }}"
            );
            app.data_as(&admin.access, &query).await["accounts"].take()
        };
        let edges = async |page: &str| -> Vec<Value> {
            let page = ask(page).await;
            page["edges"].as_array().unwrap().clone()
        };
        let all = edges("first: 100").await;
        let held = edges(&format!("first: 100, filter: {times}")).await;
        assert_eq!(held.len(), 20, "{direction}");
        let from = all.iter().position(|edge| *edge == held[0]).unwrap();
        let to = from + held.len();
        // Both ends of the times are somebody's, and so are the cursors next to them.
        for at in [
            0,
            from - 4,
            from - 1,
            from,
            from + 7,
            to - 1,
            to,
            to + 3,
            60,
        ] {
            let cursor = &all[at]["cursor"];
            let after: Vec<Value> = all[(at + 1).clamp(from, to)..to].to_vec();
            let before: Vec<Value> = all[from..at.clamp(from, to)].to_vec();
            for (end, place, expected) in [
                ("first", "after", &after),
                ("last", "after", &after),
                ("first", "before", &before),
                ("last", "before", &before),
            ] {
                let arguments = format!("{end}: 100, {place}: {cursor}, filter: {times}");
                let page = ask(&arguments).await;
                assert_eq!(
                    page["edges"],
                    json!(expected),
                    "{direction} {at} {arguments}"
                );
                // Behind a cursor stands whoever it was given for.
                let info = &page["pageInfo"];
                let has = (&info["hasPreviousPage"], &info["hasNextPage"]);
                let is_after = place == "after";
                assert_eq!(has, (&json!(is_after), &json!(!is_after)), "{arguments}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_is_of_one_order_and_what_is_made_up_is_none() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    people(&app, 5).await;
    let orders: Vec<String> = FIELDS
        .iter()
        .flat_map(|field| {
            DIRECTIONS.map(|direction| format!("{{ field: {field}, direction: {direction} }}"))
        })
        .collect();
    let ask = async |order: &str, page: &str| {
        let query =
            format!("{{ accounts({page}, orderBy: {order}) {{ pageInfo {{ endCursor }} }} }}");
        super::super::query(&app, &format!("Bearer {}", admin.access), &query).await
    };
    let mut seen = BTreeSet::new();
    for own in &orders {
        let cursor = ask(own, "first: 2").await.data()["accounts"]["pageInfo"]["endCursor"].take();
        assert!(seen.insert(cursor.to_string()), "{own}");
        for other in &orders {
            for place in ["after", "before"] {
                let answer = ask(other, &format!("first: 1, {place}: {cursor}")).await;
                if own == other {
                    answer.data();
                    continue;
                }
                assert_eq!(answer.code(), "BAD_REQUEST", "{own} in {other}");
                assert_eq!(
                    answer.message(),
                    format!(
                        "{place}: this cursor is of another list or order; begin again without it."
                    )
                );
                assert_eq!(answer.body["data"], json!({ "accounts": null }));
            }
        }
    }
    // Of a list of other things.
    let tracks =
        "{ tracks(first: 1) { pageInfo { endCursor } } artists { pageInfo { endCursor } } }";
    let mut make = crate::support::data::Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    make.tracks(artist, 1).await;
    let others = app.data(tracks).await;
    for list in ["tracks", "artists"] {
        let cursor = &others[list]["pageInfo"]["endCursor"];
        let answer = ask(&orders[1], &format!("after: {cursor}")).await;
        assert_eq!(answer.code(), "BAD_REQUEST");
    }
    for (page, message) in [
        (
            "first: 1, last: 1",
            "`first` and `last` can't be asked for together; take one of them.",
        ),
        ("first: 0", "first: 0 is out of range; from 1 to 100."),
        ("last: 101", "last: 101 is out of range; from 1 to 100."),
        (
            "after: \"AAAA\"",
            "after: this is not a cursor; take one from `pageInfo` or an edge of the same list.",
        ),
    ] {
        let (answer, events) = recorded_by(&app, ask(&orders[0], page)).await;
        assert_eq!((answer.code(), answer.message()), ("BAD_REQUEST", message));
        assert_eq!(answer.body["errors"][0]["path"], json!(["accounts"]));
        assert_eq!(actions(&events), NONE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_name_and_no_address_holds_is_not_looked_for() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    for (term, message) in [
        (
            "x".repeat(321),
            "filter.query: no name and no address is longer than 320 letters.",
        ),
        (
            "a\\u0000b".into(),
            "filter.query: no name and no address holds characters that can't be seen.",
        ),
    ] {
        let query = format!("{{ accounts(filter: {{ query: \"{term}\" }}) {{ totalCount }} }}");
        let answer = super::super::query(&app, &format!("Bearer {}", admin.access), &query).await;
        assert_eq!((answer.code(), answer.message()), ("BAD_REQUEST", message));
    }
    // A line's end is a space like others: nothing matches across a name and its address.
    let across = "{ accounts(filter: { query: \"Kim Doe\\nadmin\" }) { nodes { id } } }";
    assert_eq!(
        app.data_as(&admin.access, across).await["accounts"]["nodes"],
        json!([])
    );
    for part in ["kim doe", "KIM", "Doe", "admin@example.org", "@EXAMPLE"] {
        let query = format!("{{ accounts(filter: {{ query: \"{part}\" }}) {{ totalCount }} }}");
        assert_eq!(
            app.data_as(&admin.access, &query).await["accounts"]["totalCount"],
            1,
            "{part}"
        );
    }
}

/// Of any script and whatever length; also where a sign stands for many letters.
#[tokio::test(flavor = "multi_thread")]
async fn every_name_that_may_be_can_be_found() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    for (name, part) in [
        ("Björk Guðmundsdóttir", "bjork guð"),
        ("ЁЛКА", "елка"),
        ("Ελένη", "ΕΛΕΝΗ"),
        ("Ｆｕｌｌ Ｗｉｄｔｈ", "full w"),
        ("ﬁne", "FINE"),
        ("한국어", "국"),
        (&"ﷺ".repeat(80), "ﷺ"),
        (&"한".repeat(80), "한한한"),
        (&"😀".repeat(80), "😀😀"),
    ] {
        let input = json!({ "displayName": name });
        let renamed = payload(&app, Some(&ana.access), UPDATE_PROFILE, input).await;
        assert_eq!(mistakes(&renamed), NONE, "{name}");
        for field in FIELDS {
            let query = format!(
                "{{ accounts(filter: {{ query: \"{part}\" }}, orderBy: {{ field: {field}, direction: ASC }}) {{
                    nodes {{ id user {{ displayName }} }} pageInfo {{ endCursor }} }} }}"
            );
            let shown = app.data_as(&admin.access, &query).await["accounts"].take();
            assert_eq!(
                shown["nodes"],
                json!([{ "id": id, "user": { "displayName": name } }]),
                "{part}"
            );
            // Its place can be gone on from.
            let after = format!(
                "{{ accounts(after: {}, filter: {{ query: \"{part}\" }}, orderBy: {{ field: {field}, direction: ASC }}) {{
                    nodes {{ id }} }} }}",
                shown["pageInfo"]["endCursor"]
            );
            assert_eq!(
                app.data_as(&admin.access, &after).await["accounts"]["nodes"],
                json!([])
            );
        }
    }
}

/// What was asked for, not whom it showed.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_was_held_to_is_recorded() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    people(&app, 30).await;
    let (_, events) = recorded_by(
        &app,
        app.data_as(&admin.access, "{ accounts { totalCount } }"),
    )
    .await;
    let [event] = &events[..] else {
        panic!("{events:#?}")
    };
    assert_eq!(
        (&*event.action, &event.details, &event.facts),
        (
            "accounts.read",
            &json!({ "orderBy": "CREATED_AT DESC", "size": 20, "end": "FIRST" }),
            &Value::Null
        )
    );
    assert_eq!(event.actor, Some(id_of(&app, "admin@example.org").await));
    assert_eq!(event.subject, None);
    let query = "{ accounts(last: 5, orderBy: { field: EMAIL, direction: ASC }, filter: {
        query: \" Person1@example.org\", roles: [ADMIN, ARTIST], statuses: [CLOSED], tiers: [FREE],
        createdAfter: \"2026-01-01T00:00:00Z\", createdBefore: \"2027-01-01T00:00:00Z\" }) { nodes { id } } }";
    let (_, events) = recorded_by(&app, app.data_as(&admin.access, query)).await;
    let [event] = &events[..] else {
        panic!("{events:#?}")
    };
    assert_eq!(
        event.details,
        json!({
            "orderBy": "EMAIL ASC", "size": 5, "end": "LAST", "roles": ["ARTIST", "ADMIN"], "statuses": ["CLOSED"], "tiers": ["FREE"],
            "createdAfter": "2026-01-01T00:00:00+00:00", "createdBefore": "2027-01-01T00:00:00+00:00",
        })
    );
    // It may be somebody's address: so it goes with what is personal.
    assert_eq!(event.facts, json!({ "query": "Person1@example.org" }));
    // And which page it was, by whom it lay between.
    let page = "pageInfo { startCursor endCursor } nodes { id }";
    let query = format!("{{ accounts(first: 9) {{ {page} }} }}");
    let shown = app.data_as(&admin.access, &query).await["accounts"].take();
    let query = format!(
        "{{ accounts(after: {}, before: {}) {{ nodes {{ id }} }} }}",
        shown["pageInfo"]["startCursor"], shown["pageInfo"]["endCursor"]
    );
    let (_, events) = recorded_by(&app, app.data_as(&admin.access, &query)).await;
    assert_eq!(
        events[0].details,
        json!({
            "orderBy": "CREATED_AT DESC", "size": 20, "end": "FIRST",
            "after": shown["nodes"][0]["id"], "before": shown["nodes"][8]["id"],
        })
    );
}

/// As many for a page of fifty as for a page of two, whatever is shown of each; and one more where they are counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_costs_as_many_statements_whatever_it_holds() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    people(&app, 120).await;
    let statements = async |arguments: &str, shown: &str| {
        let before = app.app.db.statements();
        let query = format!("{{ accounts({arguments}) {{ {shown} }} }}");
        app.data_as(&admin.access, &query).await;
        app.app.db.statements() - before
    };
    let plain = "nodes { id email roles tier status user { id displayName } createdAt }";
    let whole = "edges { cursor node { id email lockedUntil pendingEmail user { account { id } }
        sessions { id userAgent ipAddress isCurrent } } } pageInfo { endCursor }";
    let size = async |size: usize, shown: &str| statements(&format!("first: {size}"), shown).await;
    // Who asks, the record of it, the page.
    assert_eq!(size(2, plain).await, 3);
    assert_eq!(size(50, plain).await, 3);
    assert_eq!(size(50, "totalCount").await, 4);
    assert_eq!(size(50, &format!("totalCount {plain}")).await, 4);
    assert_eq!(
        size(50, &format!("{plain} more: nodes {{ status }}")).await,
        3
    );
    // Locks, addresses that wait, one's own sessions, the record of a look at those of others, and these.
    assert_eq!(size(2, whole).await, 8);
    assert_eq!(size(50, whole).await, 8);
    // With a filter at most three instead of one: along the order, farther along it, and all that match.
    for (filter, most) in [
        ("query: \"person\"", 3),
        ("tiers: [PREMIUM]", 5),
        ("query: \"@rare\"", 5),
        ("roles: [ADMIN]", 5),
        ("query: \"nobody\"", 4),
    ] {
        for size in [2, 50] {
            let arguments = format!("first: {size}, filter: {{ {filter} }}");
            let cost = statements(&arguments, plain).await;
            assert!((3..=most).contains(&cost), "{arguments}: {cost}");
        }
    }
    // What can't be there is not looked for.
    assert_eq!(
        statements("filter: { roles: [] }", &format!("totalCount {plain}")).await,
        2
    );
}
