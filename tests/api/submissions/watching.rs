//! Whoever hands in is told what becomes of it, while it is theirs and they may.

use std::time::Duration;

use chrono::TimeDelta;
use empulse::catalogue::{Submission, news, submission};
use serde_json::{Value, json};

use super::{ANA, Ana, done, id_of, moderator, review};
use crate::accounts::execute;
use crate::accounts::tokens::narrowed;
use crate::support::Socket;
use crate::support::TestApp;

const WATCH: &str =
    "subscription { submissionChanged { submission { id status reviewNote reviewedBy { id }
    track { title } } } }";

/// Told that any of them may have changed.
fn look() -> Value {
    json!({ "submissionChanged": { "submission": null } })
}

async fn watching(app: &TestApp, access: &str) -> Socket {
    let mut socket = app.socket(Some(access)).await;
    socket.subscribe("1", WATCH).await;
    assert_eq!(socket.data("1").await, look());
    socket
}

/// What is told next: of which submission, and its status.
async fn told(socket: &mut Socket) -> (String, String) {
    let mut data = socket.data("1").await;
    let told = data["submissionChanged"]["submission"].take();
    let text = |name: &str| told[name].as_str().map(str::to_owned);
    let both = text("id").zip(text("status"));
    both.unwrap_or_else(|| panic!("{told}"))
}

async fn row(app: &TestApp, id: &str) -> Submission {
    submission(&app.app.db, id_of(id)).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artist_is_told_each_step_of_what_they_handed_in() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let reviewer = moderator(&app, "mo@example.org").await;
    let mut socket = watching(&app, &ana.access).await;
    let id = ana.submits_well(&app, "First Light").await;
    let status = |status: &str| (id.clone(), status.to_owned());
    assert_eq!(told(&mut socket).await, status("PROCESSING"));
    app.run_jobs().await;
    assert_eq!(told(&mut socket).await, status("PENDING"));
    let note = Some("Louder, please.");
    done(review(&app, &reviewer, &id, "REQUEST_CHANGES", note).await);
    assert_eq!(
        socket.data("1").await["submissionChanged"]["submission"],
        json!({
            "id": id, "status": "CHANGES_REQUESTED", "reviewNote": "Louder, please.", "reviewedBy": null,
            "track": { "title": "First Light" },
        })
    );
    done(ana.resubmits(&app, &id, "It is.").await);
    assert_eq!(told(&mut socket).await, status("PENDING"));
    done(review(&app, &reviewer, &id, "APPROVE", None).await);
    assert_eq!(told(&mut socket).await, status("APPROVED"));

    let other = ana.submits_well(&app, "Second Light").await;
    assert_eq!(
        told(&mut socket).await,
        (other.clone(), "PROCESSING".into())
    );
    done(ana.withdraws(&app, &other).await);
    assert_eq!(told(&mut socket).await, (other, "WITHDRAWN".into()));
}

/// Neither other artists nor reviewers: for these there is the queue.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_of_what_others_handed_in() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let ben = Ana::new(&app, "ben@example.org").await;
    let reviewer = moderator(&app, "mo@example.org").await;
    let mut others = [
        watching(&app, &ben.access).await,
        watching(&app, &reviewer.access).await,
    ];
    let mut own = watching(&app, &ana.access).await;
    ana.submits_well(&app, "First Light").await;
    told(&mut own).await;
    // What is told to others would have been told before the answer.
    for socket in &mut others {
        socket.send(&json!({ "type": "ping" })).await;
        assert_eq!(socket.says().await, json!({ "type": "pong" }));
    }
    let theirs = ben.submits_well(&app, "Last Light").await;
    assert_eq!(told(&mut others[0]).await, (theirs, "PROCESSING".into()));
}

/// An event says whose submission it was when it was told; whose it is by now is what counts.
#[tokio::test(flavor = "multi_thread")]
async fn an_artist_that_is_somebody_elses_by_now_is_not_told_of() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = ana.submits_well(&app, "First Light").await;
    let before = row(&app, &id).await;
    let mut socket = watching(&app, &ana.access).await;
    execute(&app, "update artists set account_id = null").await;
    news::changed(&app.app, &before);
    execute(&app, "delete from submissions").await;
    news::changed(&app.app, &before);
    let again = format!(
        "update artists set account_id = '{}' where id = '{}'",
        ana.account.id.0, ana.artist.0
    );
    execute(&app, &again).await;
    let next = ana.submits_well(&app, "Second Light").await;
    assert_eq!(told(&mut socket).await, (next, "PROCESSING".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_nobody_or_opens_something_else_is_refused() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let mut nobody = app.socket(None).await;
    nobody.subscribe("1", WATCH).await;
    assert_eq!(nobody.error("1").await.0, "UNAUTHENTICATED");
    for (check, opens) in [
        (r#"check if scope("UPLOADS_WRITE")"#, true),
        (r#"check if scope("CATALOGUE_WRITE")"#, true),
        (r#"check if scope("ACCOUNT_READ")"#, true),
        (r#"check if scope("PLAYLISTS_READ")"#, false),
        // It is about all that is handed in, and this opens one thing.
        (
            r#"check if resource("album_01h455vb4pex5vsknk084sn02q")"#,
            false,
        ),
    ] {
        let mut socket = app.socket(Some(&narrowed(&ana.access, check))).await;
        socket.subscribe("1", WATCH).await;
        match opens {
            true => assert_eq!(socket.data("1").await, look(), "{check}"),
            false => assert_eq!(socket.error("1").await.0, "FORBIDDEN", "{check}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_with_the_session_and_with_the_account() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let other = app.sign_in(ANA).await.access;
    let id = ana.submits_well(&app, "First Light").await;
    let (mut first, mut second) = (
        watching(&app, &ana.access).await,
        watching(&app, &other).await,
    );
    // It outlives the token.
    app.app.clock.advance(TimeDelta::minutes(20));
    news::changed(&app.app, &row(&app, &id).await);
    for socket in [&mut first, &mut second] {
        assert_eq!(told(socket).await, (id.clone(), "PROCESSING".into()));
    }
    let end = "update sessions set ended_at = now(), ended_because = 'REVOKED' \
        where id = (select id from sessions order by created_at, id limit 1)";
    execute(&app, end).await;
    news::changed(&app.app, &row(&app, &id).await);
    first.is_closed_with(4401).await;
    assert_eq!(told(&mut second).await, (id.clone(), "PROCESSING".into()));
    execute(&app, "update accounts set status = 'SUSPENDED'").await;
    news::changed(&app.app, &row(&app, &id).await);
    second.is_closed_with(4401).await;
}

/// As none of it is in a list or behind an ID any more.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_artist_any_more_is_told_nothing() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = ana.submits_well(&app, "First Light").await;
    let mut socket = watching(&app, &ana.access).await;
    execute(&app, "update accounts set roles = '{LISTENER}'").await;
    news::changed(&app.app, &row(&app, &id).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let end = "update sessions set ended_at = now(), ended_because = 'REVOKED'";
    execute(&app, end).await;
    news::changed(&app.app, &row(&app, &id).await);
    // Which is the next that it is told.
    socket.is_closed_with(4401).await;
}

/// More than is kept for whoever is slow: they are told to look, and then of what came last.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_falls_behind_is_told_to_look_again() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = ana.submits_well(&app, "First Light").await;
    let before = row(&app, &id).await;
    let mut socket = watching(&app, &ana.access).await;
    // As fast as this thread can, which is faster than any of it can be read.
    const TOLD: usize = 2_000;
    for _ in 0..TOLD {
        news::changed(&app.app, &before);
    }
    // What comes next is told as before.
    let next = ana.submits_well(&app, "Second Light").await;
    let (mut events, mut looks) = (0, 0);
    loop {
        let data = socket.data("1").await;
        match data["submissionChanged"]["submission"]["id"].as_str() {
            Some(told) if told == next => break,
            Some(told) => {
                assert_eq!(told, id);
                events += 1;
            }
            None => looks += 1,
        }
    }
    assert!(looks >= 1 && events >= 1, "{events} events, {looks} looks");
    assert!(events + looks < TOLD / 2, "{events} events, {looks} looks");
}

/// With Redis each instance hears of what the other does. One that may have missed something looks again.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_instance_decides_is_told_as_well() {
    if std::env::var("REDIS_URL").is_err() {
        eprintln!("not run: submissions of another instance (REDIS_URL is not set)");
        return;
    }
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let reviewer = moderator(&app, "mo@example.org").await;
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
    let mut here = watching(&app, &ana.access).await;
    let mut there = watching(&other, &ana.access).await;
    let id = ana.submits_well(&app, "First Light").await;
    app.run_jobs().await;
    done(review(&other, &reviewer, &id, "APPROVE", None).await);
    for socket in [&mut here, &mut there] {
        // An event that is overtaken shows how things are by then.
        let mut last = String::new();
        for _ in 0..3 {
            let (told_of, status) = told(socket).await;
            assert_eq!(told_of, id);
            last = status;
        }
        assert_eq!(last, "APPROVED");
    }
}
