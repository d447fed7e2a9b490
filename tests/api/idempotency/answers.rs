//! What is answered to whoever sends something again.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_is_done_once_and_answered_as_before() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    assert_eq!(ana.name().await, "Ana");
    ana.is_named("Ben").await;
    ana.sends(KEY, &naming("Ana")).await.repeats(&first);
    assert_eq!(ana.name().await, "Ben");

    // In the other form too: what is told is the same.
    let json = graphql(&ana.app, &naming("Ana"))
        .header("accept", "application/json")
        .header("idempotency-key", format!("\"{KEY}\""))
        .bearer_auth(&ana.access);
    let again = told(json).await;
    again.repeats(&first);
    assert_eq!(again.headers["cache-control"], "no-store");

    ana.sends("another", &naming("Ana")).await.ran();
    assert_eq!(ana.name().await, "Ana");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_may_be_written_otherwise() {
    const NAMED: &str = "mutation Name($input: UpdateProfileInput! = { displayName: \"Ana\" }) {
        updateProfile(input: $input) { account { user { displayName } } errors { code } } }";
    let ana = Ana::signed_in().await;
    let send = async |body: String| {
        let request = ana
            .app
            .client
            .post(ana.app.url("/graphql"))
            .header("content-type", "application/json")
            .header("idempotency-key", KEY)
            .bearer_auth(&ana.access)
            .body(body);
        told(request).await
    };
    let query = json!(NAMED);
    let hash: String = Sha256::digest(NAMED)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let first = send(format!(
        r#"{{"query":{query},"variables":{{"input":{{"displayName":"Ana"}},"unknown":1}}}}"#
    ))
    .await
    .ran();
    ana.is_named("Ben").await;
    for same in [
        format!(
            r#" {{ "variables" : {{ "input" : {{ "displayName" : "\u0041na" }} }}, "operationName": "Name", "query" : {query} }} "#
        ),
        // What is left out has its default.
        format!(r#"{{"query":{query}}}"#),
        format!(
            r#"{{"query":{query},"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}}}}}"#
        ),
        format!(r#"{{"extensions":{{"persistedQuery":{{"version":1,"sha256Hash":"{hash}"}}}}}}"#),
    ] {
        send(same).await.repeats(&first);
    }
    assert_eq!(ana.name().await, "Ben");
    for other in [
        format!(r#"{{"query":{query},"variables":{{"input":{{"displayName":"ana"}}}}}}"#),
        format!(r#"{{"query":{query},"variables":{{"input":{{}}}}}}"#),
        format!(
            r#"{{"query":{},"variables":{{"input":{{"displayName":"Ana"}}}}}}"#,
            json!(format!("{NAMED} "))
        ),
    ] {
        let answer = send(other).await;
        assert_eq!(answer.refused(), bad_request());
    }
    assert_eq!(ana.name().await, "Ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_can_mend_is_answered_again_and_mended_under_another_key() {
    let ana = Ana::signed_in().await;
    let wrong = ana.sends(KEY, &naming("see www.example.org")).await.ran();
    assert!(wrong.text.contains("INVALID_NAME"), "{wrong:?}");
    ana.sends(KEY, &naming("see www.example.org"))
        .await
        .repeats(&wrong);
    let mended = ana.sends(KEY, &naming("Ana")).await;
    assert_eq!(mended.refused(), bad_request());
    ana.sends("mended", &naming("Ana")).await.ran();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_may_be_tried_again() {
    let ana = Ana::signed_in().await;
    let less = narrowed(&ana.access, r#"check if scope("ACCOUNT_READ")"#);
    let refused = sends(&ana.app, Some(&less), KEY, &naming("Ana")).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    assert_eq!(count(&ana.app, ROWS).await, 0);
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    // And who may less is not told what was answered to who may more.
    let refused = sends(&ana.app, Some(&less), KEY, &naming("Ana")).await;
    assert_eq!(refused.refused(), bad_request());
    execute(
        &ana.app,
        "update accounts set roles = '{LISTENER,MODERATOR}'",
    )
    .await;
    assert_eq!(
        ana.sends(KEY, &naming("Ana")).await.refused(),
        bad_request()
    );
    execute(&ana.app, "update accounts set roles = '{LISTENER}'").await;
    ana.sends(KEY, &naming("Ana")).await.repeats(&first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_too_often_is_done_later() {
    let ana = Ana::signed_in().await;
    let limited = Limited::beside(&ana.app).await;
    let input = json!({ "currentPassword": WRONG, "newPassword": "too short" });
    for _ in 0..2 {
        // Mistakes, which cost nothing of the quota.
        let answer = sends(
            &limited.app,
            Some(&ana.access),
            "a",
            &calling(CHANGE_PASSWORD, input.clone()),
        )
        .await;
        assert_eq!(answer.status, 200);
    }
    let change = calling(
        CHANGE_PASSWORD,
        json!({ "currentPassword": PASSWORD, "newPassword": "lantern-gravel-opera-4" }),
    );
    // What is counted, wherever it is counted, is spent.
    let back = calling(
        CHANGE_PASSWORD,
        json!({ "currentPassword": PASSWORD, "newPassword": PASSWORD }),
    );
    for number in 0..10 {
        sends(
            &limited.app,
            Some(&ana.access),
            &format!("spends-{number}"),
            &back,
        )
        .await
        .ran();
    }
    for _ in 0..2 {
        let answer = sends(&limited.app, Some(&ana.access), KEY, &change).await;
        assert_eq!(answer.code(), "RATE_LIMITED");
    }
    // A repeat is not an action: it is had although nothing more may be done.
    let again = sends(&limited.app, Some(&ana.access), "spends-0", &back).await;
    assert!(again.is_replayed(), "{again:?}");
    ana.sends(KEY, &change).await.ran();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_by_our_fault_is_done_later() {
    let ana = Ana::signed_in().await;
    execute(
        &ana.app,
        "alter table accounts add constraint no_ana check (display_name <> 'Ana') not valid",
    )
    .await;
    for _ in 0..2 {
        assert_eq!(ana.sends(KEY, &naming("Ana")).await.code(), "INTERNAL");
        assert_eq!(count(&ana.app, ROWS).await, 0);
    }
    execute(&ana.app, "alter table accounts drop constraint no_ana").await;
    let first = ana.sends(KEY, &naming("Ana")).await.ran();
    ana.sends(KEY, &naming("Ana")).await.repeats(&first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_could_not_be_told_is_not_done_again() {
    const RENAMING: &str = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
        account { lockedUntil } errors { code } } }";
    let ana = Ana::signed_in().await;
    let body = calling(RENAMING, json!({ "displayName": "Ana" }));
    execute(&ana.app, "alter table sign_in_failures rename to elsewhere").await;
    assert_eq!(ana.sends(KEY, &body).await.code(), "INTERNAL");
    execute(&ana.app, "alter table elsewhere rename to sign_in_failures").await;
    assert_eq!(ana.name().await, "Ana");
    ana.is_named("Ben").await;
    for _ in 0..2 {
        let again = ana.sends(KEY, &body).await;
        assert_eq!(again.refused(), conflict());
        assert!(again.text.contains("its answer is lost"), "{again:?}");
    }
    assert_eq!(ana.name().await, "Ben");
    wait(&ana.app, TimeDelta::hours(24));
    let access = ana.app.sign_in(ANA).await.access;
    sends(&ana.app, Some(&access), KEY, &body).await.ran();
    assert_eq!(me(&ana.app, &access).await["user"]["displayName"], "Ana");
}

/// A mutation that is answered with so many names of browsers, of 400 letters each.
async fn telling(ana: &Ana, names: usize) -> String {
    execute(
        &ana.app,
        "insert into sessions (id, account_id, token_hash, is_remembered, by_cookie, user_agent, created_at, last_used_at, expires_at) \
         select gen_random_uuid(), a.id, sha256(n::text::bytea), false, false, repeat('u', 400), now(), now(), now() + interval '1 day' \
         from accounts a, generate_series(1, 50) n",
    )
    .await;
    // What is asked for again by another name costs nothing.
    let agents: String = (0..names / 50)
        .map(|at| format!("a{at}: userAgent "))
        .collect();
    format!(
        "mutation ($input: UpdateProfileInput!) {{ updateProfile(input: $input) {{ account {{ sessions {{ {agents} }} }} }} }}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_long_is_not_kept_and_nothing_is_done_twice() {
    let ana = Ana::signed_in().await;
    let query = telling(&ana, 500).await;
    let body = calling(&query, json!({ "displayName": "Ana" }));
    let first = ana.sends(KEY, &body).await.ran();
    assert!(first.text.len() > 128 << 10, "{}", first.text.len());
    ana.is_named("Ben").await;
    assert_eq!(ana.sends(KEY, &body).await.refused(), conflict());
    assert_eq!(ana.name().await, "Ben");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_much_kept_is_answered_all_the_same_and_nothing_is_done_twice() {
    let ana = Ana::signed_in().await;
    let limited = Limited::beside(&ana.app).await;
    let query = telling(&ana, 300).await;
    let body = calling(&query, json!({ "displayName": "Ana" }));
    let mut kept: u64 = 0;
    let mut number = 0;
    let key = |number: u64| format!("much-{number}");
    loop {
        let first = sends(&limited.app, Some(&ana.access), &key(number), &body).await;
        let first = first.ran();
        let length = first.text.len() as u64;
        assert!((100 << 10..128 << 10).contains(&length), "{length}");
        ana.is_named("Ben").await;
        let again = sends(&limited.app, Some(&ana.access), &key(number), &body).await;
        assert_eq!(ana.name().await, "Ben");
        if !again.is_replayed() {
            assert_eq!(again.refused(), conflict());
            break;
        }
        kept += length.div_ceil(1 << 10);
        assert!(kept <= 5_000, "{kept} KiB within an hour");
        number += 1;
    }
    assert!(kept > 5_000 - 128, "{kept} KiB are kept");
    // What was kept is had still, and little things are kept again.
    let again = sends(&limited.app, Some(&ana.access), &key(0), &body).await;
    assert!(again.is_replayed(), "{again:?}");
    let little = naming("Ana");
    let first = sends(&limited.app, Some(&ana.access), KEY, &little)
        .await
        .ran();
    sends(&limited.app, Some(&ana.access), KEY, &little)
        .await
        .repeats(&first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_one_is_answered_as_a_batch_again() {
    let ana = Ana::signed_in().await;
    let first = ana.sends(KEY, &json!([naming("Ana")])).await.ran();
    assert!(first.text.starts_with('['), "{first:?}");
    ana.sends(KEY, &json!([naming("Ana")]))
        .await
        .repeats(&first);
    let alone = ana.sends(KEY, &naming("Ana")).await;
    assert!(alone.is_replayed());
    assert_eq!(format!("[{}]", alone.text), first.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_costs_its_price() {
    let ana = Ana::signed_in().await;
    let limited = Limited::beside(&ana.app).await;
    let left = async || {
        let answer = sends(&limited.app, Some(&ana.access), KEY, &naming("Ana")).await;
        let told = answer.headers["ratelimit"].to_str().unwrap();
        let left = told.split(';').find_map(|part| part.strip_prefix("r="));
        left.unwrap().parse::<u64>().unwrap()
    };
    let (first, second, third) = (left().await, left().await, left().await);
    assert!(first - second >= 10, "{first} {second}");
    assert!(second - third >= 10, "{second} {third}");
}

/// What was revoked is not there to be revoked; the answer is as it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_done_only_once_is_answered_as_done() {
    let ana = Ana::signed_in().await;
    let other = ana.app.sign_in(ANA).await.access;
    let other = me(&ana.app, &other).await;
    let sessions = other["sessions"].as_array().unwrap();
    let current = sessions
        .iter()
        .find(|one| one["isCurrent"] == true)
        .unwrap();
    let body = calling(REVOKE, json!({ "sessionId": current["id"] }));
    let first = ana.sends(KEY, &body).await.ran();
    assert_eq!(
        first.body()["data"]["revokeSession"]["revokedId"],
        current["id"]
    );
    ana.sends(KEY, &body).await.repeats(&first);
    let anew = ana.sends("anew", &body).await.ran();
    assert!(anew.text.contains("NOT_FOUND"), "{anew:?}");
}
