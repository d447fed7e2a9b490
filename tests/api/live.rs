//! Subscriptions as clients have them, by the protocol's own client. What the protocol itself says (its codes, its order) is
//! held where it is spoken; this is about who is told what, and what that costs.

use std::time::Duration;

use chrono::TimeDelta;
use empulse::catalogue::{ArtistId, SubmissionId, news};
use empulse::media::Stage;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::accounts::tokens::narrowed;
use crate::support::{Heard, TestApp};

const LOGOUT: &str = "mutation { logout { errors { code } } }";

/// A submission of this artist, whose file is being read.
pub async fn submission(app: &TestApp, artist: ArtistId) -> SubmissionId {
    let id = SubmissionId(Uuid::now_v7());
    let insert = format!(
        "insert into submissions (id, artist_id, status, created_at, updated_at) \
         values ('{}', '{}', 'PROCESSING', now(), now())",
        id.0, artist.0
    );
    app.sql().await.batch_execute(&insert).await.unwrap();
    id
}

async fn becomes(app: &TestApp, submission: SubmissionId, set: &str) {
    let update = format!("update submissions set {set} where id = '{}'", submission.0);
    app.sql().await.batch_execute(&update).await.unwrap();
}

fn watching(submission: SubmissionId) -> String {
    format!(
        "subscription {{ mediaProgress(submissionId: \"{submission}\") {{ submissionId stage fraction }} }}"
    )
}

fn progress(submission: SubmissionId, stage: &str, fraction: f64) -> Value {
    json!({ "mediaProgress": {
        "submissionId": submission.to_string(),
        "stage": stage,
        "fraction": fraction,
    } })
}

fn tell(app: &TestApp, submission: SubmissionId, stage: Stage, fraction: f64) {
    news::progressed(&app.app, submission, stage, fraction);
}

/// An artist with a submission, and a token of theirs.
async fn an_artist(app: &TestApp) -> (String, SubmissionId) {
    app.member("ana@example.org").await;
    let artist = app.artist("ana@example.org").await;
    let access = app.sign_in("ana@example.org").await.access;
    (access, submission(app, artist).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artist_is_told_how_things_are_then_each_step_and_the_end() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let mut socket = app.socket(Some(&access)).await;
    socket.subscribe("1", &watching(submission)).await;
    assert_eq!(socket.data("1").await, progress(submission, "QUEUED", 0.0));
    for (stage, name, fraction) in [
        (Stage::Scanning, "SCANNING", 0.5),
        (Stage::Measuring, "MEASURING", 0.0),
        (Stage::Measuring, "MEASURING", 0.75),
    ] {
        tell(&app, submission, stage, fraction);
        assert_eq!(socket.data("1").await, progress(submission, name, fraction));
    }
    becomes(&app, submission, "status = 'PENDING'").await;
    tell(&app, submission, Stage::Ready, 1.0);
    assert_eq!(socket.data("1").await, progress(submission, "READY", 1.0));
    socket.completes("1").await;
    // Who asks later is told the same at once.
    socket.subscribe("1", &watching(submission)).await;
    assert_eq!(socket.data("1").await, progress(submission, "READY", 1.0));
    socket.completes("1").await;
}

/// A file that nobody reads is neither good nor of no use.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_ends_without_a_word() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let mut socket = app.socket(Some(&access)).await;
    socket.subscribe("1", &watching(submission)).await;
    assert_eq!(socket.data("1").await, progress(submission, "QUEUED", 0.0));
    becomes(&app, submission, "status = 'WITHDRAWN'").await;
    tell(&app, submission, Stage::Measuring, 0.5);
    socket.completes("1").await;
    socket.subscribe("1", &watching(submission)).await;
    socket.completes("1").await;
}

/// The right to it is that of all that is about a submission.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_opens_the_artist_opens_what_they_handed_in() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let sql = app.sql().await;
    let read = "select id::text from artists";
    let artist: String = sql.query_one(read, &[]).await.unwrap().get(0);
    let artist = ArtistId(artist.parse().unwrap());
    let other = ArtistId(Uuid::now_v7());
    for (resource, opens) in [
        (artist.to_string(), true),
        (submission.to_string(), true),
        (other.to_string(), false),
    ] {
        let check = format!(r#"check if scope("UPLOADS_WRITE"), resource("{resource}")"#);
        let mut socket = app.socket(Some(&narrowed(&access, &check))).await;
        socket.subscribe("1", &watching(submission)).await;
        match opens {
            true => assert_eq!(socket.data("1").await, progress(submission, "QUEUED", 0.0)),
            false => assert_eq!(socket.error("1").await.0, "FORBIDDEN"),
        }
    }
    // Somebody who is no artist any more has none of it.
    let demote = "update accounts set roles = '{LISTENER}' where email = 'ana@example.org'";
    sql.batch_execute(demote).await.unwrap();
    let mut socket = app.socket(Some(&access)).await;
    socket.subscribe("1", &watching(submission)).await;
    assert_eq!(socket.error("1").await.0, "BAD_REQUEST");
}

/// What was told is what to look for; what is told of it is what is so.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_overtaken_shows_how_things_are() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let mut socket = app.socket(Some(&access)).await;
    socket.subscribe("1", &watching(submission)).await;
    socket.data("1").await;
    becomes(&app, submission, "status = 'FAILED', failure = 'No music.'").await;
    tell(&app, submission, Stage::Measuring, 0.5);
    assert_eq!(socket.data("1").await, progress(submission, "FAILED", 1.0));
    socket.completes("1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_seen_is_told_of_like_what_is_not_there() {
    let app = TestApp::new().await;
    let (_, submission) = an_artist(&app).await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await.access;
    let mut socket = app.socket(Some(&ben)).await;
    socket.subscribe("1", &watching(submission)).await;
    let hidden = socket.error("1").await;
    assert_eq!(hidden.0, "BAD_REQUEST");
    let unknown = SubmissionId(Uuid::now_v7());
    socket.subscribe("1", &watching(unknown)).await;
    assert_eq!(socket.error("1").await, hidden);
    let no_id = "subscription { mediaProgress(submissionId: \"x\") { stage } }";
    socket.subscribe("1", no_id).await;
    assert_eq!(socket.error("1").await.0, "BAD_REQUEST");

    let mut nobody = app.socket(None).await;
    nobody.subscribe("1", &watching(submission)).await;
    assert_eq!(nobody.error("1").await.0, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_operation_has_its_own_way() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let mut socket = app.socket(Some(&access)).await;
    for query in ["{ me { id } }", LOGOUT] {
        socket.subscribe("1", query).await;
        let (code, message) = socket.error("1").await;
        assert_eq!(code, "BAD_REQUEST");
        assert!(message.contains("only subscriptions"), "{message}");
    }
    assert_eq!(
        app.data_as(&access, "{ me { email } }").await["me"]["email"],
        "ana@example.org"
    );

    let by_post = app.query(&watching(submission)).await;
    assert_eq!((by_post.status, by_post.code()), (400, "BAD_REQUEST"));
    assert!(by_post.message().contains("WebSocket"), "{by_post:?}");
    let query = [("query", watching(submission))];
    let url = reqwest::Url::parse_with_params(&app.url("/graphql"), &query).unwrap();
    let by_get = app.client.get(url);
    assert_eq!(by_get.send().await.unwrap().status(), 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_found_and_judged_as_everywhere() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let mut socket = app.socket(Some(&access)).await;
    for (query, code) in [
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        (
            "subscription { mediaProgress { stage } }",
            "GRAPHQL_VALIDATION_FAILED",
        ),
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("", "GRAPHQL_PARSE_FAILED"),
    ] {
        socket.subscribe("1", query).await;
        assert_eq!(socket.error("1").await.0, code, "{query}");
    }
    let two = watching(submission).replacen(
        '{',
        &format!("{{ other: mediaProgress(submissionId: \"{submission}\") {{ stage }} "),
        1,
    );
    socket.subscribe("1", &two).await;
    let (code, message) = socket.error("1").await;
    assert_eq!(code, "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(
        message,
        "Anonymous Subscription must select only one top level field."
    );

    // By fragments, variables and a name.
    let query = "subscription Watch($id: ID!, $more: Boolean = false) { ...Root }
        fragment Root on Subscription { ... on Subscription { p: mediaProgress(submissionId: $id) { stage } }
            p: mediaProgress(submissionId: $id) { stage fraction @include(if: $more) } }
        query Other { __typename }";
    let variables = json!({ "id": submission.to_string(), "more": true });
    let payload = json!({ "query": query, "operationName": "Watch", "variables": variables });
    socket.subscribe_with("2", payload).await;
    let expected = json!({ "p": { "stage": "QUEUED", "fraction": 0.0 } });
    assert_eq!(socket.data("2").await, expected);
    // A root field that is left out leaves nothing to tell.
    let query = "subscription ($id: ID!, $w: Boolean!) { mediaProgress(submissionId: $id) @include(if: $w) { stage } }";
    let variables = json!({ "id": submission.to_string(), "w": false });
    socket
        .subscribe_with("3", json!({ "query": query, "variables": variables }))
        .await;
    socket.completes("3").await;
    let variables = json!({ "id": submission.to_string(), "w": "yes" });
    socket
        .subscribe_with("3", json!({ "query": query, "variables": variables }))
        .await;
    assert_eq!(socket.error("3").await.0, "GRAPHQL_VALIDATION_FAILED");

    let unknown = json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": "0".repeat(64) } } });
    socket.subscribe_with("3", unknown).await;
    assert_eq!(socket.error("3").await.0, "PERSISTED_QUERY_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_the_access_token_and_not_the_session() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let ana = app.sign_in("ana@example.org").await.access;
    let mut socket = app.socket(Some(&access)).await;
    let mut other = app.socket(Some(&ana)).await;
    for socket in [&mut socket, &mut other] {
        socket.subscribe("1", &watching(submission)).await;
        socket.data("1").await;
    }
    app.app.clock.advance(TimeDelta::minutes(20));
    tell(&app, submission, Stage::Scanning, 0.5);
    for socket in [&mut socket, &mut other] {
        assert_eq!(
            socket.data("1").await,
            progress(submission, "SCANNING", 0.5)
        );
    }
    // With a token that has run out nobody begins.
    let mut late = app.socket_with(&[]).await.unwrap();
    late.init(json!({ "token": access })).await;
    late.is_closed_with(4401).await;

    let sql = app.sql().await;
    let end = "update sessions set ended_at = now(), ended_because = 'REVOKED' \
        where id = (select id from sessions order by created_at, id limit 1)";
    assert_eq!(sql.execute(end, &[]).await.unwrap(), 1);
    tell(&app, submission, Stage::Scanning, 0.75);
    socket.is_closed_with(4401).await;
    assert_eq!(
        other.data("1").await,
        progress(submission, "SCANNING", 0.75)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_opens_less_than_a_session_ends_when_it_says() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let open = narrowed(&access, r#"check if scope("UPLOADS_WRITE")"#);
    let mut socket = app.socket(Some(&open)).await;
    socket.subscribe("1", &watching(submission)).await;
    socket.data("1").await;
    app.app.clock.advance(TimeDelta::minutes(20));
    tell(&app, submission, Stage::Scanning, 0.5);
    socket.is_closed_with(4401).await;
}

/// Its end is judged when it is brought, and again at each event.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_narrowed_to_an_earlier_end_ends_then() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let end = app.app.clock.now() + TimeDelta::minutes(2);
    let end = end.format("%Y-%m-%dT%H:%M:%SZ");
    let early = narrowed(&access, &format!("check if time($t), $t < {end}"));
    let mut socket = app.socket(Some(&early)).await;
    socket.subscribe("1", &watching(submission)).await;
    socket.data("1").await;
    app.app.clock.advance(TimeDelta::minutes(1));
    tell(&app, submission, Stage::Scanning, 0.25);
    assert_eq!(
        socket.data("1").await,
        progress(submission, "SCANNING", 0.25)
    );
    app.app.clock.advance(TimeDelta::minutes(2));
    tell(&app, submission, Stage::Scanning, 0.5);
    socket.is_closed_with(4401).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_away_ends_what_it_allowed() {
    let app = TestApp::new().await;
    let (_, submission) = an_artist(&app).await;
    app.member("mo@example.org").await;
    let roles = |roles: &str| {
        format!("update accounts set roles = '{{{roles}}}' where email = 'mo@example.org'")
    };
    let sql = app.sql().await;
    sql.batch_execute(&roles("LISTENER,MODERATOR"))
        .await
        .unwrap();
    let mo = app.sign_in("mo@example.org").await.access;
    let mut socket = app.socket(Some(&mo)).await;
    socket.subscribe("1", &watching(submission)).await;
    assert_eq!(socket.data("1").await, progress(submission, "QUEUED", 0.0));
    sql.batch_execute(&roles("LISTENER")).await.unwrap();
    tell(&app, submission, Stage::Scanning, 0.5);
    assert_eq!(socket.error("1").await.0, "BAD_REQUEST");
    // The session is none the worse for it.
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.says().await, json!({ "type": "pong" }));
}

/// An instance by whose limits so much less is let through; and an address of its own to come from, as others may count in
/// the same Redis.
async fn limited(app: &TestApp, factor: &str) -> (TestApp, String) {
    let settings = [
        ("EMPULSE_RATE_FACTOR", factor),
        ("EMPULSE_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let [a, b, c]: [u16; 3] = rand::random();
    let address = format!("2001:{a:x}:{b:x}:{c:x}::1");
    (app.instance(&settings).await, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_is_charged_for() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    // The same with a budget of four points a minute.
    let (poor, address) = limited(&app, "0.0004").await;
    let from = [("x-forwarded-for", &*address)];
    let mut socket = poor.socket_with(&from).await.unwrap();
    socket.init(json!({ "token": access })).await;
    assert_eq!(socket.says().await["type"], "connection_ack");
    socket.subscribe("1", &watching(submission)).await;
    socket.data("1").await;
    for fraction in [0.25, 0.5, 0.75] {
        tell(&poor, submission, Stage::Scanning, fraction);
        assert_eq!(
            socket.data("1").await,
            progress(submission, "SCANNING", fraction)
        );
    }
    let request = poor.client.post(poor.url("/graphql")).bearer_auth(&access);
    let request = request
        .header("accept", "application/graphql-response+json")
        .json(&json!({ "query": "{ rateLimit { remaining } }" }));
    let answer = crate::support::Answer::of(request.send().await.unwrap()).await;
    assert_eq!((answer.status, answer.code()), (429, "RATE_LIMITED"));
    // Another subscription can't begin; the one that goes on waits.
    socket.subscribe("2", &watching(submission)).await;
    assert_eq!(socket.error("2").await.0, "RATE_LIMITED");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_told_once_what_kept_it_back_has_passed() {
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let mut socket = app.socket(Some(&access)).await;
    socket.subscribe("1", &watching(submission)).await;
    socket.data("1").await;
    let mut sql = app.sql().await;
    let held = sql.transaction().await.unwrap();
    held.batch_execute("lock table submissions in access exclusive mode")
        .await
        .unwrap();
    tell(&app, submission, Stage::Scanning, 0.5);
    // Longer than a statement may take.
    tokio::time::sleep(Duration::from_millis(5_500)).await;
    held.rollback().await.unwrap();
    assert_eq!(
        socket.data("1").await,
        progress(submission, "SCANNING", 0.5)
    );
}

/// Whoever says who they are costs a read, be they believed or not.
#[tokio::test(flavor = "multi_thread")]
async fn sockets_that_begin_are_counted() {
    let app = TestApp::new().await;
    // Four in a minute of what costs no points; one socket at once.
    let (limited, address) = limited(&app, "0.004").await;
    let from = [("x-forwarded-for", &*address)];
    let mut refused = Vec::new();
    while refused.len() < 5 {
        let mut socket = limited.socket_with(&from).await.unwrap();
        socket.init(json!({ "token": "nobody's" })).await;
        match socket.hears().await {
            // The one before has not left yet.
            Heard::Closes(4429, why) if why.contains("address") => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Heard::Closes(code, _) => refused.push(code),
            Heard::Says(message) => panic!("{message}"),
        }
    }
    assert_eq!(refused, [4401, 4401, 4401, 4401, 4429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_allowed_origins_may_and_others_are_told_that_they_may_not() {
    let app = TestApp::with(&[("EMPULSE_ALLOWED_ORIGINS", "https://www.example.com")]).await;
    let ours = [("origin", "https://www.example.com")];
    let mut socket = app.socket_with(&ours).await.unwrap();
    socket.init(Value::Null).await;
    assert_eq!(socket.says().await["type"], "connection_ack");
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        let mut socket = app.socket_with(headers).await.unwrap();
        socket.is_closed_with(4403).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_has_five_sockets_and_an_address_ten() {
    let app = TestApp::new().await;
    let (access, _) = an_artist(&app).await;
    let limited = app.instance(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(limited.socket(Some(&access)).await);
    }
    let mut sixth = limited.socket_with(&[]).await.unwrap();
    sixth
        .init(json!({ "Authorization": format!("Bearer {access}") }))
        .await;
    sixth.is_closed_with(4429).await;
    for _ in 0..5 {
        sockets.push(limited.socket(None).await);
    }
    let mut eleventh = limited.socket_with(&[]).await.unwrap();
    eleventh.is_closed_with(4429).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_database_is_up_to_date_there_are_no_sockets() {
    let app = TestApp::new().await;
    app.standing
        .migrated
        .store(false, std::sync::atomic::Ordering::Release);
    assert_eq!(app.socket_with(&[]).await.err(), Some(503));
}

/// With Redis each hears of what the other does; without it an instance has its own alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_instance_does_is_told_as_well() {
    if std::env::var("REDIS_URL").is_err() {
        eprintln!("not run: events of another instance (REDIS_URL is not set)");
        return;
    }
    let app = TestApp::new().await;
    let (access, submission) = an_artist(&app).await;
    let other = app.instance(&[]).await;
    for app in [&app, &other] {
        for _ in 0..200 {
            if app.app.events.reach_all() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(app.app.events.reach_all());
    }
    let mut here = app.socket(Some(&access)).await;
    let mut there = other.socket(Some(&access)).await;
    for socket in [&mut here, &mut there] {
        socket.subscribe("1", &watching(submission)).await;
        socket.data("1").await;
    }
    for (from, fraction) in [(&app, 0.25), (&other, 0.5)] {
        tell(from, submission, Stage::Measuring, fraction);
        for socket in [&mut here, &mut there] {
            let expected = progress(submission, "MEASURING", fraction);
            assert_eq!(socket.data("1").await, expected);
        }
    }
}
