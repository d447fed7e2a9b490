//! Whose keys are, how long they are known, and what takes none.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn keys_count_for_an_account_whichever_session_they_come_by() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    let again = ana.app.sign_in(ANA).await.access;
    sends(&ana.app, Some(&again), KEY, &naming("Ana"))
        .await
        .repeats(&first);
    ana.app.member("ben@example.org").await;
    let ben = ana.app.sign_in("ben@example.org").await.access;
    sends(&ana.app, Some(&ben), KEY, &naming("Ben")).await.ran();
    assert_eq!(me(&ana.app, &ben).await["user"]["displayName"], "Ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_had_for_a_day_and_forgotten_then() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    let forget = async || {
        execute(&ana.app, "delete from job_schedules").await;
        let runner = empulse::worker::runner(&ana.app.accounts);
        runner.run_schedules(&ana.app.app.db).await.unwrap();
        ana.app.run_jobs().await;
    };
    wait(&ana.app, TimeDelta::hours(24) - TimeDelta::minutes(1));
    forget().await;
    let access = ana.app.sign_in(ANA).await.access;
    sends(&ana.app, Some(&access), KEY, &naming("Ana"))
        .await
        .repeats(&first);
    wait(&ana.app, TimeDelta::minutes(1));
    // Whether or not it was forgotten already.
    sends(&ana.app, Some(&access), KEY, &naming("Ben"))
        .await
        .ran();
    wait(&ana.app, TimeDelta::hours(24));
    forget().await;
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_an_account_goes_with_it() {
    let ana = Ana::signed_in().await;
    ana.sends(KEY, &naming("Ana")).await.ran();
    assert_eq!(count(&ana.app, ROWS).await, 1);
    execute(&ana.app, "delete from accounts").await;
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_key_nor_password_stands_in_the_database() {
    let ana = Ana::signed_in().await;
    ana.sends(KEY, &moving()).await.ran();
    let sql =
        "select k::text || coalesce(convert_from(answer, 'utf8'), '') from idempotency_keys k";
    let row: String = ana
        .app
        .sql()
        .await
        .query_one(sql, &[])
        .await
        .unwrap()
        .get(0);
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    for secret in [KEY, PASSWORD, "new@example.org"] {
        assert!(!row.contains(secret), "{row}");
        assert!(!row.contains(&hex(secret.as_bytes())), "{row}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_once_takes_no_key_and_nothing_is_done() {
    let ana = Ana::signed_in().await;
    let refresh = ana.app.sign_in(ANA).await.refresh;
    let sessions = "select count(*) from sessions where ended_at is null and generation = 0";
    let before = count(&ana.app, sessions).await;
    let login = json!({ "email": ANA, "password": PASSWORD, "delivery": "BODY" });
    for body in [
        calling(LOGIN, login.clone()),
        calling(REFRESH, json!({ "refreshToken": refresh })),
        calling(LOGOUT, json!({})),
        json!({ "query": "mutation { createChallenge { challenge { __typename } } }" }),
    ] {
        assert_eq!(
            ana.sends(KEY, &body).await.refused(),
            bad_request(),
            "{body}"
        );
    }
    assert_eq!(
        sends(&ana.app, None, KEY, &calling(LOGIN, login))
            .await
            .refused(),
        bad_request()
    );
    assert_eq!(count(&ana.app, sessions).await, before);
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_nobody_has_no_keys() {
    let app = TestApp::new().await;
    let input = json!({ "email": ANA, "password": PASSWORD, "displayName": "Ana" });
    let refused = sends(&app, None, KEY, &calling(REGISTER, input)).await;
    assert_eq!(refused.refused(), bad_request());
    assert!(refused.text.contains("sign in for it"), "{refused:?}");
    assert_eq!(count(&app, "select count(*) from accounts").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_names_one_mutation() {
    let ana = Ana::signed_in().await;
    let naming_twice = r#"mutation {
        one: updateProfile(input: { displayName: "Ana" }) { errors { code } }
        ...More
    } fragment More on Mutation { two: updateProfile(input: { displayName: "Ben" }) { errors { code } } }"#;
    for body in [
        json!({ "query": naming_twice }),
        json!([naming("Ana")]).clone(),
    ] {
        match ana.sends(KEY, &body).await {
            // A batch of one is one.
            answer if body.is_array() => drop(answer.ran()),
            answer => assert_eq!(answer.refused(), bad_request()),
        }
    }
    ana.is_named("Kim").await;
    let batch = json!([naming("Ana"), { "query": "{ me { id } }" }, naming("Ben")]);
    let answer = ana.sends("batch", &batch).await;
    let answers = answer.body();
    assert_eq!(answer.status, 200);
    for refused in [&answers[0], &answers[2]] {
        assert_eq!(
            refused["errors"][0]["extensions"]["code"], "BAD_REQUEST",
            "{answers}"
        );
        assert_eq!(refused.get("data"), None);
    }
    assert!(answers[1]["data"]["me"]["id"].is_string(), "{answers}");
    assert_eq!(ana.name().await, "Kim");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_nothing_takes_any_key() {
    let ana = Ana::signed_in().await;
    let me = json!({ "query": "{ me { email } }" });
    for key in [KEY, KEY, "not a key", ""] {
        let answer = ana.sends(key, &me).await.ran();
        assert_eq!(answer.body()["data"]["me"]["email"], ANA);
    }
    ana.sends(KEY, &json!({ "query": "mutation { __typename }" }))
        .await
        .ran();
    let by_get = ana
        .app
        .client
        .get(ana.app.url("/graphql?query={__typename}"));
    told(by_get.header("idempotency-key", "not a key"))
        .await
        .ran();
    assert_eq!(count(&ana.app, ROWS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_refused() {
    let ana = Ana::signed_in().await;
    for key in ["", "two words", "\"open", "a\"b", &"k".repeat(256)] {
        let refused = ana.sends(key, &naming("Ana")).await;
        assert_eq!(refused.refused(), bad_request(), "{key}");
    }
    let twice = graphql(&ana.app, &naming("Ana"))
        .bearer_auth(&ana.access)
        .header("idempotency-key", "a")
        .header("idempotency-key", "a");
    assert_eq!(told(twice).await.refused(), bad_request());
    assert_eq!(ana.name().await, "Kim Doe");
}

/// What was answered then is not so any more: whoever closes it once more is not told that it is closed.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_was_answered_before_it_was_reopened_is_forgotten() {
    const DELETE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        eraseAt errors { code path } } }";
    let mut ana = Ana::signed_in().await;
    let body = calling(DELETE, json!({ "password": PASSWORD }));
    let closed = "select count(*) from accounts where status = 'CLOSED'";
    let first = ana.sends(KEY, &body).await.ran();
    assert_eq!(count(&ana.app, closed).await, 1, "{first:?}");
    // Its session is over, so nobody has the answer before they have signed in, which opens it.
    assert_eq!(ana.sends(KEY, &body).await.status, 401);
    ana.access = ana.app.sign_in(ANA).await.access;
    assert_eq!(count(&ana.app, closed).await, 0);
    ana.sends(KEY, &body).await.ran();
    assert_eq!(count(&ana.app, closed).await, 1);
}
