//! The queue, and an artist's own list.

use serde_json::{Value, json};

use super::{ANA, Ana, done, moderator};
use crate::accounts::{count, execute};
use crate::support::TestApp;

async fn titles(app: &TestApp, access: &str, arguments: &str) -> Vec<String> {
    let query =
        format!("{{ submissions{arguments} {{ nodes {{ track {{ title }} }} totalCount }} }}");
    let found = app.data_as(access, &query).await["submissions"].take();
    let nodes = found["nodes"].as_array().unwrap();
    let titles = nodes
        .iter()
        .map(|node| node["track"]["title"].as_str().unwrap().to_owned());
    titles.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_oldest_first_and_held_to_what_is_asked_for() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let ben = Ana::new(&app, "ben@example.org").await;
    let mo = moderator(&app, "mo@example.org").await;
    let mut ids = Vec::new();
    for title in ["Äpfel", "Birnen", "Clementinen"] {
        ids.push(ana.submits_well(&app, title).await);
    }
    ben.submits_well(&app, "Datteln").await;
    done(ana.withdraws(&app, &ids[1]).await);
    let all = ["Äpfel", "Birnen", "Clementinen", "Datteln"];
    assert_eq!(titles(&app, &mo.access, "").await, all);
    assert_eq!(titles(&app, &mo.access, "(last: 2)").await, all[2..]);
    for (filter, found) in [
        ("statuses: [WITHDRAWN]", &["Birnen"][..]),
        ("statuses: [WITHDRAWN, PROCESSING]", &all),
        ("statuses: [PENDING, FAILED]", &[]),
        ("statuses: []", &[]),
        ("query: \"APFEL\"", &["Äpfel"]),
        ("query: \"kim doe 2\"", &["Datteln"]),
        ("query: \"%\"", &[]),
    ] {
        let arguments = format!("(filter: {{ {filter} }})");
        assert_eq!(
            titles(&app, &mo.access, &arguments).await,
            found,
            "{filter}"
        );
    }
    let of_ben = format!(
        "(filter: {{ artistId: \"{}\", statuses: [PROCESSING] }})",
        ben.artist
    );
    assert_eq!(titles(&app, &mo.access, &of_ben).await, ["Datteln"]);
    // Page by page it is the same.
    let mut paged = Vec::new();
    let mut after = Value::Null;
    loop {
        let query = "query ($after: String) { submissions(first: 3, after: $after, filter: { statuses: [PROCESSING, WITHDRAWN] }) {
            nodes { track { title } } pageInfo { hasNextPage endCursor } totalCount } }";
        let body = json!({ "query": query, "variables": { "after": after } });
        let request = crate::accounts::graphql(&app, &body).bearer_auth(&mo.access);
        let page = crate::accounts::send(request).await.data()["submissions"].take();
        assert_eq!(page["totalCount"], 4);
        let nodes = page["nodes"].as_array().unwrap().clone();
        paged.extend(
            nodes
                .iter()
                .map(|node| node["track"]["title"].as_str().unwrap().to_owned()),
        );
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(paged, all);
    let own = "{ me { submissions(first: 2) { totalCount nodes { track { title } } } } }";
    assert_eq!(
        app.data_as(&ana.access, own).await["me"]["submissions"],
        json!({ "totalCount": 3, "nodes": [{ "track": { "title": "Clementinen" } }, { "track": { "title": "Birnen" } }] })
    );
    let read = "select (select count(*) from audit_pending where action = 'submissions.read')
                     + (select count(*) from audit_events where action = 'submissions.read')";
    let before = count(&app, read).await;
    titles(&app, &mo.access, "").await;
    assert_eq!(count(&app, read).await, before + 1);
    // Whoever is no artist any more finds none of it by any way.
    let demote = "update accounts set roles = '{LISTENER}' where email = 'ana@example.org'";
    execute(&app, demote).await;
    let query = format!(
        "{{ me {{ submissions {{ totalCount nodes {{ status }} }} }} node(id: \"{}\") {{ id }} }}",
        ids[0]
    );
    assert_eq!(
        app.data_as(&ana.access, &query).await,
        json!({ "me": { "submissions": { "totalCount": 0, "nodes": [] } }, "node": null })
    );
}
