//! How administrators see somebody else's account, by every way to it, and what is recorded of that.

use super::*;
use crate::support::Answer;

const ACCOUNT: &str =
    "id email emailVerifiedAt roles tier status lockedUntil pendingEmail twoFactorEnabled recoveryCodesLeft createdAt updatedAt
    user { id displayName createdAt account { id } }
    sessions { id userAgent ipAddress isCurrent isRemembered createdAt lastUsedAt expiresAt }
    trustedDevices { id userAgent createdAt lastUsedAt expiresAt }
    apiTokens { id name scopes createdAt lastUsedAt expiresAt }";

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_of_an_account_what_its_owner_does() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    let change = json!({ "newEmail": "new@example.org", "password": RIGHT });
    payload(&app, Some(&ana.access), CHANGE_EMAIL, change).await;
    app.run_jobs().await;
    let id = id_of(&app, "ana@example.org").await;
    let user = user_of(&id);
    let own = app
        .data_as(&ana.access, &format!("{{ me {{ {ACCOUNT} }} }}"))
        .await["me"]
        .take();
    assert_eq!(own["pendingEmail"], "new@example.org");
    // But for which session is theirs.
    let mut expected = own.clone();
    assert_eq!(expected["sessions"][0]["isCurrent"], true);
    expected["sessions"][0]["isCurrent"] = json!(false);

    for (query, path) in [
        (
            format!("{{ node(id: \"{id}\") {{ ... on Account {{ {ACCOUNT} }} }} }}"),
            "/node",
        ),
        (
            format!("{{ node(id: \"{user}\") {{ ... on User {{ account {{ {ACCOUNT} }} }} }} }}"),
            "/node/account",
        ),
        (
            format!(
                "{{ nodes(ids: [\"{user}\"]) {{ ... on User {{ account {{ {ACCOUNT} }} }} }} }}"
            ),
            "/nodes/0/account",
        ),
    ] {
        let (shown, events) = recorded_by(&app, app.data_as(&admin.access, &query)).await;
        assert_eq!(shown.pointer(path), Some(&expected), "{query}");
        let [event] = &events[..] else {
            panic!("{query}: {events:#?}")
        };
        assert_eq!(
            (&*event.action, event.subject.as_deref()),
            ("account.read", Some(&*id))
        );
        assert_eq!(event.actor, Some(id_of(&app, "admin@example.org").await));
    }
    let list = format!(
        "{{ accounts(first: 5, filter: {{ query: \"ana@\" }}) {{ nodes {{ {ACCOUNT} }} edges {{ node {{ {ACCOUNT} }} }} }} }}"
    );
    let (shown, events) = recorded_by(&app, app.data_as(&admin.access, &list)).await;
    assert_eq!(shown["accounts"]["nodes"], json!([expected]));
    assert_eq!(shown["accounts"]["edges"], json!([{ "node": expected }]));
    // What a list was held to is recorded, and whose sessions, devices and tokens were looked at, once.
    assert_eq!(actions(&events), ["accounts.read", "account.read"]);
    assert_eq!(events[1].subject.as_deref(), Some(&*id));
    assert_eq!(
        events[1].actor,
        Some(id_of(&app, "admin@example.org").await)
    );
    // One's own are no matter of administration, nor is what the list itself shows.
    for part in ["sessions", "trustedDevices", "apiTokens"] {
        let list = format!("{{ accounts {{ nodes {{ id email lockedUntil {part} {{ id }} }} }} }}");
        let (_, events) = recorded_by(&app, app.data_as(&admin.access, &list)).await;
        assert_eq!(actions(&events), ["accounts.read", "account.read"]);
        assert_eq!(events[1].subject.as_deref(), Some(&*id));
    }
    let list = "{ accounts { nodes { id email lockedUntil pendingEmail recoveryCodesLeft } } }";
    let (_, events) = recorded_by(&app, app.data_as(&admin.access, list)).await;
    assert_eq!(actions(&events), ["accounts.read"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_somebody_elses_is_found_by_an_administrator_alone() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    app.member("ben@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let session = me(&app, &ana.access).await["sessions"][0]["id"].take();
    let node =
        format!("{{ node(id: {session}) {{ id ... on Session {{ isCurrent ipAddress }} }} }}");
    assert_eq!(
        app.data_as(&ana.access, &node).await["node"]["isCurrent"],
        true
    );
    assert_eq!(app.data_as(&ben.access, &node).await["node"], Value::Null);
    let (shown, events) = recorded_by(&app, app.data_as(&admin.access, &node)).await;
    assert_eq!(
        shown["node"],
        json!({ "id": session, "isCurrent": false, "ipAddress": "127.0.0.1" })
    );
    assert_eq!(actions(&events), ["account.read"]);
    assert_eq!(
        events[0].subject.as_deref(),
        Some(&*id_of(&app, "ana@example.org").await)
    );
    assert_eq!(events[0].details, json!({ "part": session }));
    let ((), events) = recorded_by(&app, async {
        let own = me(&app, &admin.access).await["sessions"][0]["id"].take();
        let node = format!("{{ node(id: {own}) {{ id }} }}");
        assert_eq!(app.data_as(&admin.access, &node).await["node"]["id"], own);
    })
    .await;
    assert_eq!(actions(&events), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_are_devices_that_are_asked_for_no_second_factor_and_api_tokens() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    trust_devices(&app, "ana@example.org").await;
    let list = "{ me { trustedDevices { id } apiTokens { id } } }";
    api_tokens::api_token(&app, &ana.access, "ACCOUNT_READ").await;
    let own = app.data_as(&ana.access, list).await["me"].take();
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    for part in [&own["trustedDevices"][0]["id"], &own["apiTokens"][0]["id"]] {
        let node = format!("{{ node(id: {part}) {{ id }} }}");
        let found = json!({ "node": { "id": part } });
        assert_eq!(app.data_as(&ana.access, &node).await, found);
        let (shown, events) = recorded_by(&app, app.data_as(&admin.access, &node)).await;
        assert_eq!(shown, found);
        assert_eq!(actions(&events), ["account.read"]);
        assert_eq!(events[0].details, json!({ "part": part }));
        assert_eq!(app.data_as(&ben.access, &node).await["node"], Value::Null);
    }
}

/// What everybody may see of themselves is nobody's business.
#[tokio::test(flavor = "multi_thread")]
async fn ones_own_account_is_no_matter_of_administration() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    let id = id_of(&app, "admin@example.org").await;
    let user = user_of(&id);
    let query = format!(
        "{{ me {{ id user {{ account {{ id }} }} }} node(id: \"{id}\") {{ id }}
            nodes(ids: [\"{user}\"]) {{ ... on User {{ account {{ sessions {{ isCurrent }} }} }} }} }}"
    );
    let (shown, events) = recorded_by(&app, app.data_as(&admin.access, &query)).await;
    assert_eq!(
        shown["nodes"][0]["account"]["sessions"][0]["isCurrent"],
        true
    );
    assert_eq!(actions(&events), NONE);
    // Nor who it is that is not there.
    let unknown = "{ node(id: \"account_01h455vb4pex5vsknk084sn02q\") { id } }";
    let (shown, events) = recorded_by(&app, app.data_as(&admin.access, unknown)).await;
    assert_eq!((&shown["node"], actions(&events)), (&Value::Null, vec![]));
}

/// An address that nobody may see, an ID that nobody has, a token that opens less: all are alike.
#[tokio::test(flavor = "multi_thread")]
async fn others_find_nothing() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let narrowed = tokens::narrowed(&admin.access, r#"check if scope("ACCOUNT_READ")"#);
    let user = user_of(&id);
    let query = format!(
        "{{ node(id: \"{id}\") {{ id }} user: node(id: \"{user}\") {{ ... on User {{ account {{ id }} }} }} }}"
    );
    for access in [&ben.access, &narrowed] {
        let (shown, events) = recorded_by(&app, app.data_as(access, &query)).await;
        assert_eq!(shown, json!({ "node": null, "user": { "account": null } }));
        assert_eq!(actions(&events), NONE);
    }
}

/// However many accounts are looked at, each is recorded, by as many statements.
#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_are_looked_at_by_as_many_statements_as_one() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    list::people(&app, 50).await;
    let client = app.sql().await;
    let rows = client
        .query("select id::text from accounts where status = 'ACTIVE' and email like 'person%' order by id limit 20", &[])
        .await
        .unwrap();
    let ids: Vec<String> = rows
        .iter()
        .map(|row| {
            let id: &str = row.get(0);
            format!("\"{}\"", empulse::accounts::UserId(id.parse().unwrap()))
        })
        .collect();
    let statements = async |many: usize| {
        let ids = ids[..many].join(", ");
        let query = format!(
            "{{ nodes(ids: [{ids}]) {{ ... on User {{ account {{
                email sessions {{ id }} lockedUntil submissions(first: 1) {{ totalCount }} }} }} }} }}"
        );
        let before = app.app.db.statements();
        let (shown, events) = recorded_by(&app, app.data_as(&admin.access, &query)).await;
        assert_eq!(shown["nodes"].as_array().unwrap().len(), many);
        assert_eq!(events.len(), many);
        app.app.db.statements() - before
    };
    assert_eq!(statements(2).await, statements(20).await);
}

/// A list that is refused is recorded; one whose arguments are wrong was never looked at.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_list_accounts_has_tried() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    let list = "{ accounts { nodes { id } } }";
    let ask =
        async |access: &str| -> Answer { query(&app, &format!("Bearer {access}"), list).await };
    let (answer, events) = recorded_by(&app, ask(&ana.access)).await;
    assert_eq!(answer.code(), "FORBIDDEN");
    assert_eq!(answer.body["data"], json!({ "accounts": null }));
    assert_eq!(actions(&events), ["admin.refused"]);
    assert_eq!(
        events[0].details,
        json!({ "field": "accounts", "reason": "Your roles do not allow this." })
    );
    let (answer, events) = recorded_by(&app, app.query(list)).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    assert_eq!(actions(&events), NONE);
}
