//! What is known of their use.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_made_and_revoked_one_stands_in_the_trail() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let (id, secret) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let refused = create(&app, &session.access, json!({ "name": "" })).await;
    assert_eq!(mistakes(&refused), ["INVALID_NAME name"]);
    revoke(&app, &session.access, &id).await;
    revoke(&app, &session.access, &id).await;
    let trail = app
        .sql()
        .await
        .query(
            "select action, details, actor_id = (select id from accounts) from (
               select action, details, actor_id, subject_id, created_at, id from audit_pending
               union all select action, details, actor_id, subject_id, created_at, id from audit_events
             ) events where subject_id = $1 order by created_at, id",
            &[&id],
        )
        .await
        .unwrap();
    let [made, revoked] = &trail[..] else {
        panic!("{} events", trail.len())
    };
    let told = |row: &tokio_postgres::Row| row.get::<_, String>(0);
    assert_eq!(
        (told(made), told(revoked)),
        ("api_token.created".into(), "api_token.revoked".into())
    );
    assert!(made.get::<_, bool>(2) && revoked.get::<_, bool>(2));
    let details: Value = serde_json::from_str(made.get(1)).unwrap();
    assert_eq!(details["scopes"], json!(["ACCOUNT_READ"]));
    assert!(!details.to_string().contains(&secret));
    // What somebody calls it is theirs, and goes with them.
    assert!(!details.to_string().contains("Backup"), "{details}");
    const NAMED: &str =
        "select count(*) from audit_personal where content::json ->> 'name' = 'Backup'";
    assert_eq!(count(&app, NAMED).await, 2);
}

/// About: each minute at most once, and off the way of the request.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_known_when_it_was_used_last() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let (id, token) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let (unused, _) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let used = async |id: &str| {
        let tokens = listed(&app, &session.access).await;
        let one = tokens.into_iter().find(|token| token["id"] == *id).unwrap();
        one["lastUsedAt"].as_str().map(str::to_owned)
    };
    let noted = async |before: Option<&String>| {
        for _ in 0..200 {
            let now = used(&id).await;
            if now.as_ref() != before {
                return now.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("its use is not noted")
    };
    assert_eq!(used(&id).await, None);
    assert!(is_believed(&app, &token).await);
    let first = noted(None).await;
    for instance in [&app, &other, &app] {
        let child = narrowed(&token, r#"check if scope("ACCOUNT_READ")"#);
        assert!(is_believed(instance, &child).await);
    }
    wait(&app, TimeDelta::seconds(50));
    let before = app.app.db.statements();
    assert!(is_believed(&app, &token).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(app.app.db.statements() - before, 1, "the one read");
    assert_eq!(used(&id).await.as_ref(), Some(&first));
    wait(&app, TimeDelta::seconds(20));
    assert!(is_believed(&app, &token).await);
    let second = noted(Some(&first)).await;
    assert!(second > first);
    assert_eq!(used(&unused).await, None);
}

/// However many come, with whatever tokens, what decides is one read. In one thread, so that they come at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn sessions_and_tokens_that_come_at_once_are_read_together() {
    let app = TestApp::new().await;
    let ana = somebody(&app).await.access;
    let of_ana = api_token(&app, &ana, "ACCOUNT_READ").await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await.access;
    let of_ben = api_token(&app, &ben, "ACCOUNT_READ").await;
    app.data_as(&of_ana, "{ __typename }").await;
    use_until_noted(&app, &of_ben).await;

    let tokens = [ana, of_ana, ben, of_ben];
    let asked: Vec<String> = tokens.iter().cycle().take(40).cloned().collect();
    let accounts = app.accounts.clone();
    let authenticated = move |token: String| {
        let accounts = accounts.clone();
        async move {
            let actor = accounts.authenticate(&token, None).await.unwrap();
            actor.unwrap().account_id().unwrap()
        }
    };
    let all = join_all(asked.into_iter().map(authenticated));
    let before = app.app.db.statements();
    let found = tokio::spawn(all).await.unwrap();
    assert_eq!(app.app.db.statements() - before, 1);
    let (ana, ben) = (found[0], found[2]);
    assert_ne!(ana, ben);
    for four in found.chunks(4) {
        assert_eq!(four, [ana, ana, ben, ben]);
    }
}
