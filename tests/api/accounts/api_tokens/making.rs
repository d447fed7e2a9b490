//! Making them: what it takes, and how many there can be.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_made_used_and_revoked() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let before = app.app.clock.now();
    let (created, mails) = with_mails(&app, create(&app, &session.access, json!({}))).await;
    assert_eq!(mistakes(&created), NONE);
    let (row, secret) = (&created["apiToken"], created["secret"].as_str().unwrap());
    assert!(row["id"].as_str().unwrap().starts_with("api_token_"));
    assert_eq!(row["name"], "Backup");
    assert_eq!(row["scopes"], json!(["ACCOUNT_READ"]));
    assert_eq!(row["lastUsedAt"], Value::Null);
    let lasts = time(&row["expiresAt"]) - before;
    assert!(
        (lasts - TimeDelta::days(30)).abs() < TimeDelta::seconds(10),
        "{lasts}"
    );

    let [mail] = &mails[..] else {
        panic!("{mails:#?}")
    };
    assert_eq!(mail.to, EMAIL);
    assert_eq!(mail.subject, "An API token was made for your account");
    assert!(mail.text.contains("see your account"), "{}", mail.text);
    for hidden in [secret, "Backup"] {
        assert!(!mail.text.contains(hidden), "{}", mail.text);
    }

    let own = app.data_as(secret, "{ me { email } }").await;
    assert_eq!(own, json!({ "me": { "email": EMAIL } }));
    assert_eq!(listed(&app, &session.access).await.len(), 1);
    let node = format!(
        "{{ node(id: {}) {{ id ... on ApiToken {{ name }} }} }}",
        row["id"]
    );
    let node = app.data_as(&session.access, &node).await;
    assert_eq!(node["node"], json!({ "id": row["id"], "name": "Backup" }));

    let revoked = revoke(&app, &session.access, row["id"].as_str().unwrap()).await;
    let gone = json!({ "revokedId": row["id"], "account": { "apiTokens": [] }, "errors": [] });
    assert_eq!(revoked, gone);
    assert!(!is_believed(&app, secret).await);
    let again = revoke(&app, &session.access, row["id"].as_str().unwrap()).await;
    assert_eq!(mistakes(&again), ["NOT_FOUND apiTokenId"]);
    assert!(is_believed(&app, &session.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once_and_nothing_is_made() {
    let app = TestApp::new().await;
    let access = somebody(&app).await.access;
    let now = app.app.clock.now();
    let at = |days| json!({ "expiresAt": (now + TimeDelta::days(days)).to_rfc3339() });
    let long = "ü".repeat(81);
    for (more, expected) in [
        (json!({ "name": "" }), &["INVALID_NAME name"][..]),
        (json!({ "name": long }), &["INVALID_NAME name"]),
        (
            json!({ "name": "see evil.example/x" }),
            &["INVALID_NAME name"],
        ),
        (json!({ "scopes": [] }), &["INVALID_TOKEN scopes"]),
        (
            json!({ "scopes": ["ACCOUNT_READ", "PLAYLISTS_READ", "ACCOUNT_READ"] }),
            &["INVALID_TOKEN scopes"],
        ),
        (at(0), &["INVALID_TOKEN expiresAt"]),
        (at(-1), &["INVALID_TOKEN expiresAt"]),
        (at(367), &["INVALID_TOKEN expiresAt"]),
        (
            json!({ "expiresAt": "9999-12-31T23:59:59Z" }),
            &["INVALID_TOKEN expiresAt"],
        ),
        (
            json!({ "expiresAt": "0001-01-01T00:00:00Z" }),
            &["INVALID_TOKEN expiresAt"],
        ),
        (
            json!({ "name": " ", "scopes": [], "expiresAt": "2020-01-01T00:00:00Z", "password": WRONG }),
            &[
                "INVALID_NAME name",
                "INVALID_TOKEN scopes",
                "INVALID_TOKEN expiresAt",
            ],
        ),
        (
            json!({ "password": WRONG }),
            &["INVALID_CREDENTIALS password"],
        ),
        (json!({ "password": "" }), &["INVALID_CREDENTIALS password"]),
    ] {
        let refused = create(&app, &access, more.clone()).await;
        assert_eq!(mistakes(&refused), expected, "{more}");
        assert_eq!(refused["secret"], Value::Null, "{more}");
        assert_eq!(refused["apiToken"], Value::Null, "{more}");
    }
    let unknown = app
        .call(Some(&access), CREATE, asked(json!({ "scopes": ["ADMIN"] })))
        .await;
    assert_eq!(unknown.code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 0);
    assert!(listed(&app, &access).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_counts_and_locks_as_everywhere() {
    let app = TestApp::new().await;
    let access = somebody(&app).await.access;
    for _ in 0..5 {
        let refused = create(&app, &access, json!({ "password": WRONG })).await;
        assert_eq!(mistakes(&refused), ["INVALID_CREDENTIALS password"]);
    }
    // Of the address, and then of the session that goes on trying.
    for _ in 0..5 {
        create(&app, &access, json!({ "password": WRONG })).await;
    }
    let refused = create(&app, &access, json!({})).await;
    assert_eq!(mistakes(&refused), ["ACCOUNT_LOCKED"]);
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_may_be_a_year_away_and_counts_by_the_clock() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let now = app.app.clock.now();
    let year = (now + TimeDelta::days(365)).to_rfc3339();
    let soon = (now + TimeDelta::seconds(100)).to_rfc3339();
    let long = create(&app, &session.access, json!({ "expiresAt": year })).await;
    let short = create(&app, &session.access, json!({ "expiresAt": soon })).await;
    let usual = create(&app, &session.access, json!({ "expiresAt": null })).await;
    let secret = |created: &Value| created["secret"].as_str().unwrap().to_owned();
    let [long, short, usual] = [&long, &short, &usual].map(secret);
    let believed = async |expected: [bool; 3]| {
        for (token, expected) in [&short, &usual, &long].into_iter().zip(expected) {
            assert_eq!(is_believed(&app, token).await, expected);
        }
    };
    believed([true, true, true]).await;
    wait(&app, TimeDelta::seconds(101));
    believed([false, true, true]).await;
    assert_eq!(listed(&app, &session.access).await.len(), 2);
    wait(&app, TimeDelta::days(30));
    believed([false, false, true]).await;
    wait(&app, TimeDelta::days(334));
    believed([false, false, true]).await;
    wait(&app, TimeDelta::days(1));
    believed([false, false, false]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_fifty_of_them_that_go_on() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let (first, _) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    execute(
        &app,
        "insert into api_tokens (id, account_id, name, scopes, created_at, expires_at, ended_at)
         select gen_random_uuid(), account_id, name, scopes, created_at, expires_at, null::timestamptz from api_tokens, generate_series(1, 48)
         union all select gen_random_uuid(), account_id, name, scopes, created_at, created_at, null from api_tokens, generate_series(1, 5)
         union all select gen_random_uuid(), account_id, name, scopes, created_at, expires_at, created_at from api_tokens, generate_series(1, 5)",
    )
    .await;
    assert_eq!(listed(&app, &session.access).await.len(), 49);
    let both = join_all(
        [json!({ "name": "One" }), json!({ "name": "Two" })]
            .map(|more| create(&app, &session.access, more)),
    )
    .await;
    let mut told: Vec<_> = both.iter().map(mistakes).collect();
    told.sort();
    assert_eq!(told, [vec![], vec!["INVALID_TOKEN".to_owned()]], "{both:?}");
    assert_eq!(listed(&app, &session.access).await.len(), 50);
    let refused = create(&app, &session.access, json!({})).await;
    assert_eq!(mistakes(&refused), ["INVALID_TOKEN"]);
    assert!(
        refused["errors"][0]["message"]
            .as_str()
            .unwrap()
            .contains("at most 50")
    );
    // The password was right, so nothing was counted against anybody.
    assert_eq!(
        count(&app, "select count(*) from sign_in_failures").await,
        0
    );
    revoke(&app, &session.access, &first).await;
    assert_eq!(
        mistakes(&create(&app, &session.access, json!({})).await),
        NONE
    );
}

/// Made with the old password, it would outlive it.
#[tokio::test(flavor = "multi_thread")]
async fn none_is_made_beside_another_password() {
    let app = TestApp::new().await;
    if needs_server(&app, "none_is_made_beside_another_password") {
        return;
    }
    let session = somebody(&app).await;
    for (round, (old, new)) in [(RIGHT, NEW_PASSWORD), (NEW_PASSWORD, RIGHT)]
        .iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        let input = json!({ "currentPassword": old, "newPassword": new });
        let (changed, made) = tokio::join!(
            payload(&app, Some(&session.access), CHANGE_PASSWORD, input),
            create(&app, &session.access, json!({ "password": old })),
        );
        assert_eq!(mistakes(&changed), NONE, "{round}");
        let told = mistakes(&made);
        assert!(
            told.is_empty() || told == ["INVALID_CREDENTIALS password"],
            "{round}: {made}"
        );
        if let Some(token) = made["secret"].as_str() {
            assert!(!is_believed(&app, token).await, "{round}");
        }
        assert!(listed(&app, &session.access).await.is_empty(), "{round}");
        execute(&app, "delete from sign_in_failures").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_that_nobody_is_told_of() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    execute(
        &app,
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 's3cret'; end $$; \
         create trigger refuse before insert on jobs for each row execute function refuse()",
    )
    .await;
    let answer = app
        .call(Some(&session.access), CREATE, asked(json!({})))
        .await;
    assert_eq!(answer.code(), "INTERNAL");
    assert_eq!(count(&app, "select count(*) from api_tokens").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_makes_twenty_an_hour_and_premium_a_hundred() {
    let lifted = TestApp::new().await;
    let email = own_email("ana");
    lifted.member(&email).await;
    let access = lifted.sign_in(&email).await.access;
    let limited = lifted.instance(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    let asks = async || {
        let answer = limited.call(Some(&access), CREATE, asked(json!({}))).await;
        execute(&lifted, "delete from api_tokens").await;
        answer
    };
    for _ in 0..20 {
        assert_eq!(mistakes(&only_field(asks().await.data())), NONE);
    }
    let refused = asks().await;
    assert_eq!(refused.code(), "RATE_LIMITED");
    assert_eq!(refused.body["errors"][0]["extensions"]["limit"], 20);
    execute(&lifted, "update accounts set tier = 'PREMIUM'").await;
    assert_eq!(mistakes(&only_field(asks().await.data())), NONE);
}
