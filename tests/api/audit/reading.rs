//! Administrators read the trail; that they did is on it, and so is who was not let in.

use chrono::TimeDelta;
use empulse::accounts::{AccountId, SessionId};
use empulse::audit::{self, By, Event};
use serde_json::{Value, json};
use uuid::Uuid;

use super::by;
use crate::accounts::tokens::narrowed;
use crate::accounts::{Limited, only_field, send};
use crate::support::{Answer, TestApp};

const PAGE: &str = "query ($first: Int, $after: String, $filter: AuditFilter) {
    auditLog(first: $first, after: $after, filter: $filter) {
        nodes { action details } pageInfo { hasNextPage hasPreviousPage endCursor } } }";

/// An administrator who is signed in, over a trail that begins with what the test records.
async fn administrator(app: &TestApp) -> (String, AccountId) {
    app.member("ada@example.org").await;
    let promoted = "update accounts set roles = '{LISTENER,ADMIN}' where email = 'ada@example.org'";
    app.sql().await.batch_execute(promoted).await.unwrap();
    let access = app.sign_in("ada@example.org").await.access;
    let me = only_field(app.data_as(&access, "{ me { id } }").await);
    (access, me["id"].as_str().unwrap().parse().unwrap())
}

async fn ask(app: &TestApp, access: &str, variables: Value) -> Answer {
    let request = app.client.post(app.url("/graphql"));
    let request = request.bearer_auth(access);
    send(request.json(&json!({ "query": PAGE, "variables": variables }))).await
}

/// The numbers of the events that a filter leaves of what the test recorded.
async fn numbers(app: &TestApp, access: &str, mut filter: Value) -> Vec<u64> {
    let of_test = json!(["test.one", "test.two", "test.three"]);
    let filter = filter.as_object_mut().unwrap();
    filter.entry("actions").or_insert(of_test);
    let page = only_field(
        ask(app, access, json!({ "first": 100, "filter": filter }))
            .await
            .data(),
    );
    let nodes = page["nodes"].as_array().unwrap().clone();
    nodes
        .iter()
        .map(|node| node["details"]["number"].as_u64().unwrap())
        .collect()
}

async fn record(app: &TestApp, event: Event) {
    audit::record_alone(&app.app.db, event).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_shows_all_that_is_kept_of_it() {
    let app = TestApp::new().await;
    let (access, ada) = administrator(&app).await;
    let session = SessionId(Uuid::from_u128(5));
    let now = app.app.clock.now();
    let event = Event::new("test.happened", &by(Some(ada.0)), now)
        .about(session)
        .detail("number", 1)
        .personal("email", "ana@example.org");
    let id = event.id();
    record(&app, event).await;
    record(
        &app,
        Event::new("test.happened", &By::default(), now - TimeDelta::seconds(1)),
    )
    .await;
    let query = "{ auditLog(filter: { actions: [\"test.happened\"] }) { edges { cursor } nodes { id action
        actor { id displayName account { email } } subjectId ipAddress correlationId details hash createdAt } } }";
    let page = only_field(app.data_as(&access, query).await);
    let hash = |at: usize| page["nodes"][at]["hash"].clone();
    assert_eq!(page["edges"].as_array().unwrap().len(), 2);
    let user = ada.to_string().replace("account_", "user_");
    let kept = app.app.clock.now();
    let at = |time: chrono::DateTime<chrono::Utc>| {
        let text = time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        json!(text.replace(".000Z", "Z"))
    };
    assert!(kept >= now);
    assert_eq!(
        page["nodes"],
        json!([
            {
                "id": id.to_string(), "action": "test.happened", "subjectId": session.to_string(),
                "actor": { "id": user, "displayName": "Kim Doe", "account": { "email": "ada@example.org" } },
                "ipAddress": "203.0.113.7", "correlationId": "by-this-id", "hash": hash(0), "createdAt": at(now),
                "details": { "number": 1, "email": "ana@example.org", "userAgent": "Lynx/2.9" },
            },
            {
                "id": page["nodes"][1]["id"], "action": "test.happened", "subjectId": null, "actor": null,
                "ipAddress": null, "correlationId": null, "hash": hash(1), "createdAt": at(now - TimeDelta::seconds(1)),
                "details": {},
            },
        ])
    );
    let kept: String = app
        .sql()
        .await
        .query_one(
            "select encode(hash, 'hex') from audit_events where id::text = $1",
            &[&id.0.to_string()],
        )
        .await
        .unwrap()
        .get(0);
    assert_eq!(hash(0), kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_what_they_say_newest_first() {
    let app = TestApp::new().await;
    let (access, _) = administrator(&app).await;
    let (ana, ben) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
    let start = app.app.clock.now();
    let events = [
        ("test.one", Some(ana), Some(ben)),
        ("test.two", Some(ana), None),
        ("test.one", Some(ben), Some(ben)),
        ("test.three", None, Some(ana)),
        ("test.two", Some(ben), Some(ana)),
        ("test.one", Some(ana), Some(ben)),
    ];
    // Written in another order than they happened.
    for at in [3usize, 0, 5, 1, 4, 2] {
        let (action, actor, about) = events[at];
        let time = start + TimeDelta::minutes(at as i64);
        let event = Event::new(action, &by(actor.map(|actor| actor.0)), time).detail("number", at);
        record(
            &app,
            match about {
                Some(about) => event.about(about),
                None => event,
            },
        )
        .await;
    }
    let user = |account: AccountId| account.to_string().replace("account_", "user_");
    let time = |minutes: i64| (start + TimeDelta::minutes(minutes)).to_rfc3339();
    for (filter, expected) in [
        (json!({}), vec![5, 4, 3, 2, 1, 0]),
        (json!({ "actions": ["test.one"] }), vec![5, 2, 0]),
        (
            json!({ "actions": ["test.three", "test.one", "test.one"] }),
            vec![5, 3, 2, 0],
        ),
        (json!({ "actions": [] }), vec![]),
        (json!({ "actions": ["test.on", "test\u{0}one"] }), vec![]),
        // What is looked for stands on the trail itself, where there is room for so much and no more.
        (
            json!({ "actions": (0..100).map(|at| format!("test.{}", at.to_string().repeat(5_000))).collect::<Vec<_>>() }),
            vec![],
        ),
        (json!({ "actorUserId": user(ana) }), vec![5, 1, 0]),
        (
            json!({ "actorUserId": user(ana), "actions": ["test.one"] }),
            vec![5, 0],
        ),
        (
            json!({ "actorUserId": user(ana), "actions": ["test.one", "test.two"] }),
            vec![5, 1, 0],
        ),
        (json!({ "subjectId": ben.to_string() }), vec![5, 2, 0]),
        // The same person, as everybody may know them.
        (json!({ "subjectId": user(ben) }), vec![5, 2, 0]),
        (
            json!({ "subjectId": user(ana), "actions": ["test.two"] }),
            vec![4],
        ),
        (
            json!({ "subjectId": user(ben), "actorUserId": user(ben) }),
            vec![2],
        ),
        (json!({ "createdAfter": time(2) }), vec![5, 4, 3]),
        (json!({ "createdBefore": time(2) }), vec![1, 0]),
        (
            json!({ "createdAfter": time(0), "createdBefore": time(5), "actorUserId": user(ana) }),
            vec![1],
        ),
        (
            json!({ "createdAfter": time(5), "createdBefore": time(0) }),
            vec![],
        ),
    ] {
        assert_eq!(
            numbers(&app, &access, filter.clone()).await,
            expected,
            "{filter}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_put_together_are_the_trail_whatever_happens_meanwhile() {
    let app = TestApp::new().await;
    let (access, _) = administrator(&app).await;
    let start = app.app.clock.now();
    // Some at the same instant.
    for number in 0..25i64 {
        let at = start + TimeDelta::seconds(number / 4);
        record(
            &app,
            Event::new("test.one", &By::default(), at).detail("number", number),
        )
        .await;
    }
    let whole = numbers(&app, &access, json!({})).await;
    assert_eq!(whole.len(), 25);
    for actions in [json!(["test.one"]), json!(["test.one", "test.two"])] {
        let (mut pages, mut after) = (Vec::new(), Value::Null);
        loop {
            let variables = json!({ "first": 4, "after": after, "filter": { "actions": actions } });
            let page = only_field(ask(&app, &access, variables).await.data());
            let nodes = page["nodes"].as_array().unwrap();
            pages.extend(
                nodes
                    .iter()
                    .map(|node| node["details"]["number"].as_u64().unwrap()),
            );
            assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
            // What comes now is newer than all of these.
            let now = start + TimeDelta::minutes(1);
            record(
                &app,
                Event::new("test.one", &By::default(), now).detail("number", 99),
            )
            .await;
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
            after = page["pageInfo"]["endCursor"].clone();
        }
        pages.retain(|number| *number != 99);
        assert_eq!(pages, whole);
    }
}

/// The newest events of the trail, without what a test did to see them.
async fn newest(app: &TestApp, most: usize) -> Vec<(String, Value, Option<String>)> {
    audit::link(&app.app.db).await.unwrap();
    let rows = app
        .sql()
        .await
        .query(
            "select action, details, actor_id::text from audit_events order by sequence desc",
            &[],
        )
        .await
        .unwrap();
    let read = |row: &tokio_postgres::Row| {
        let details: &str = row.get(1);
        (
            row.get(0),
            serde_json::from_str(details).unwrap(),
            row.get(2),
        )
    };
    rows.iter().take(most).map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_is_on_the_trail_and_so_is_who_is_refused() {
    let app = TestApp::new().await;
    let (access, ada) = administrator(&app).await;
    let ada = Some(ada.0.to_string());
    let filter = json!({ "actions": ["test.one"], "createdAfter": "2026-01-01T00:00:00Z" });
    let page = only_field(ask(&app, &access, json!({ "filter": filter })).await.data());
    assert_eq!(page["nodes"], json!([]));
    let read = json!({
        "filter": { "actions": ["test.one"], "createdAfter": "2026-01-01T00:00:00Z" }, "events": 0,
    });
    assert_eq!(
        newest(&app, 1).await,
        [("audit.read".to_owned(), read, ada.clone())]
    );

    // By a listener, by an administrator's narrowed token, and by nobody.
    app.member("kim@example.org").await;
    let kim = app.sign_in("kim@example.org").await.access;
    let kims = only_field(app.data_as(&kim, "{ me { id } }").await);
    let kims: AccountId = kims["id"].as_str().unwrap().parse().unwrap();
    let narrow = narrowed(&access, r#"check if scope("ACCOUNT_READ")"#);
    for (token, action, reason, actor) in [
        (
            &kim,
            "admin.refused",
            "Your roles do not allow this.",
            Some(kims.0.to_string()),
        ),
        (
            &narrow,
            "access.refused",
            "Neither an API token nor a narrowed one opens this; sign in for it.",
            ada.clone(),
        ),
    ] {
        let answer = ask(&app, token, json!({})).await;
        assert_eq!(answer.code(), "FORBIDDEN");
        assert_eq!(answer.body["data"], json!({ "auditLog": null }));
        let details = json!({ "field": "auditLog", "reason": reason });
        assert_eq!(newest(&app, 1).await, [(action.to_owned(), details, actor)]);
    }
    let before = newest(&app, 1_000).await.len();
    let answer = send(
        app.client
            .post(app.url("/graphql"))
            .json(&json!({ "query": PAGE })),
    )
    .await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    // What is wrong with the question is no reading either.
    for (variables, wrong) in [
        (json!({ "first": 0 }), "first"),
        (json!({ "first": 101 }), "first"),
        (json!({ "after": "x" }), "after"),
        (
            json!({ "filter": { "actorUserId": "x" } }),
            "\"x\" is not an ID",
        ),
        (
            json!({ "filter": { "actorUserId": kims.to_string() } }),
            "another kind",
        ),
        (
            json!({ "filter": { "subjectId": "x" } }),
            "\"x\" is not an ID",
        ),
        (
            json!({ "filter": { "actions": vec!["a"; 101] } }),
            "filter.actions",
        ),
    ] {
        let answer = ask(&app, &access, variables.clone()).await;
        assert_eq!(answer.code(), "BAD_REQUEST", "{variables}");
        assert!(
            answer.message().contains(wrong),
            "{variables}: {}",
            answer.message()
        );
    }
    assert_eq!(newest(&app, 1_000).await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_by_its_id_by_administrators_alone() {
    let app = TestApp::new().await;
    let (access, ada) = administrator(&app).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let event = Event::new("test.one", &by(None), app.app.clock.now()).detail("number", number);
        ids.push(event.id().to_string());
        record(&app, event).await;
    }
    let [first, second, third] = &ids[..] else {
        panic!()
    };
    let unknown = audit::AuditEventId(Uuid::from_u128(9)).to_string();
    let query = format!(
        "{{ node(id: \"{first}\") {{ id ... on AuditEvent {{ details }} }}
            nodes(ids: [\"{third}\", \"{unknown}\", \"{second}\", \"{third}\"]) {{ id }} }}"
    );
    let statements = app.app.db.statements();
    let found = app.data_as(&access, &query).await;
    assert_eq!(found["node"]["id"], json!(first));
    assert_eq!(
        found["node"]["details"],
        json!({ "number": 0, "userAgent": "Lynx/2.9" })
    );
    let shown: Vec<&Value> = found["nodes"].as_array().unwrap().iter().collect();
    assert_eq!(shown[0]["id"], json!(third));
    assert_eq!(shown[1], &Value::Null);
    assert_eq!(shown[2]["id"], json!(second));
    assert_eq!(shown[3]["id"], json!(third));
    // Whose token it is; whether something waits; the chaining of it, if so; the events; that they were read.
    assert!(app.app.db.statements() - statements <= 12);
    let [(action, details, actor)] = &newest(&app, 1).await[..] else {
        panic!()
    };
    assert_eq!(
        (action.as_str(), actor.as_deref()),
        ("audit.read", Some(&*ada.0.to_string()))
    );
    let mut told: Vec<&str> = details["ids"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    told.sort_unstable();
    assert_eq!(told, [first, second, third]);

    app.member("kim@example.org").await;
    let kim = app.sign_in("kim@example.org").await.access;
    let before = newest(&app, 1_000).await.len();
    let nothing = json!({ "node": null, "nodes": [null, null, null, null] });
    assert_eq!(app.data_as(&kim, &query).await, nothing);
    assert_eq!(app.data(&query).await, nothing);
    assert_eq!(newest(&app, 1_000).await.len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_many_costs_as_many_statements_as_a_page_of_two() {
    let app = TestApp::new().await;
    let (access, ada) = administrator(&app).await;
    let mut actors = vec![ada];
    for name in ["kim", "lin"] {
        app.member(&format!("{name}@example.org")).await;
        let signed_in = app.sign_in(&format!("{name}@example.org")).await.access;
        let me = only_field(app.data_as(&signed_in, "{ me { id } }").await);
        actors.push(me["id"].as_str().unwrap().parse().unwrap());
    }
    for number in 0..60usize {
        let actor = actors[number % actors.len()].0;
        record(
            &app,
            Event::new("test.one", &by(Some(actor)), app.app.clock.now()),
        )
        .await;
    }
    let statements = async |first: u32| {
        audit::link(&app.app.db).await.unwrap();
        let before = app.app.db.statements();
        let query = format!(
            "{{ auditLog(first: {first}, filter: {{ actions: [\"test.one\"] }}) {{
                nodes {{ id actor {{ id account {{ email }} }} hash }} }} }}"
        );
        let page = only_field(app.data_as(&access, &query).await);
        assert_eq!(page["nodes"].as_array().unwrap().len(), first as usize);
        app.app.db.statements() - before
    };
    assert_eq!(statements(50).await, statements(2).await);
}

/// What is erased is not shown any more; the rest of it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_is_shown_to_nobody() {
    let app = TestApp::new().await;
    let (access, _) = administrator(&app).await;
    let ana = AccountId(Uuid::from_u128(1));
    let event = Event::new("test.one", &by(Some(ana.0)), app.app.clock.now());
    record(
        &app,
        event
            .about(ana)
            .personal("email", "ana@example.org")
            .detail("number", 1),
    )
    .await;
    let mut tx = app.app.db.begin().await.unwrap();
    audit::erase_personal(&mut tx, ana, app.app.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let query = "{ auditLog(filter: { actions: [\"test.one\", \"personal.erased\"] }) { nodes {
        action actor { id } ipAddress details subjectId } } }";
    let page = only_field(app.data_as(&access, query).await);
    assert_eq!(
        page["nodes"],
        json!([
            { "action": "personal.erased", "actor": null, "ipAddress": null, "details": { "parts": 2 }, "subjectId": ana.to_string() },
            { "action": "test.one", "actor": null, "ipAddress": null, "details": { "number": 1 }, "subjectId": ana.to_string() },
        ])
    );
}

/// Whoever is refused again and again is not heard any more, or they could fill the trail.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_do_not_fill_the_trail() {
    let lifted = TestApp::new().await;
    lifted.member("kim@example.org").await;
    let kim = lifted.sign_in("kim@example.org").await.access;
    let limited = Limited::beside(&lifted).await;
    for _ in 0..60 {
        assert_eq!(ask(&limited.app, &kim, json!({})).await.code(), "FORBIDDEN");
    }
    let before = newest(&lifted, 1_000).await.len();
    let answer = ask(&limited.app, &kim, json!({})).await;
    assert_eq!(
        (answer.code(), &answer.body["data"]),
        ("RATE_LIMITED", &json!({ "auditLog": null }))
    );
    assert_eq!(newest(&lifted, 1_000).await.len(), before);
}
