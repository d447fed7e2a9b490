//! Published tracks that moderators take down, and show again.

use serde_json::{Value, json};

use super::{Owner, STATES, recorded};
use crate::accounts::admin::administrator;
use crate::accounts::{NONE, execute, mistakes, own_email, payload};
use crate::support::data::{Maker, NewTrack};
use crate::support::{Mail, TestApp};

const TAKE_DOWN: &str = "mutation ($input: TakeDownTrackInput!) { takeDownTrack(input: $input) {
    track { id status } errors { code message path } } }";

#[tokio::test(flavor = "multi_thread")]
async fn a_track_is_taken_down_and_shown_again_and_its_artist_is_told() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let admin = administrator(&app, "admin@example.org").await.access;
    let mut make = Maker::new(app.sql().await);
    let track = make
        .track(ana.artist, NewTrack::default())
        .await
        .to_string();
    let seen = format!(
        "{{ track(id: \"{track}\") {{ status publishedAt }} tracks {{ nodes {{ id }} }} }}"
    );
    let before = app.data(&seen).await;
    let take = async |taken_down: Value| {
        let mut input = json!({ "trackId": track, "reason": "Not theirs." });
        if !taken_down.is_null() {
            input["takenDown"] = taken_down;
        }
        payload(&app, Some(&admin), TAKE_DOWN, input).await
    };
    let mails = app.mails().await.len();
    // At once by two, it is done by one.
    let (one, two) = tokio::join!(take(Value::Null), take(json!(true)));
    let mut told = [mistakes(&one), mistakes(&two)];
    told.sort();
    assert_eq!(told, [vec![], vec!["INVALID_STATE trackId".to_owned()]]);
    assert_eq!(
        app.data(&seen).await,
        json!({ "track": null, "tracks": { "nodes": [] } })
    );
    let own = app.data_as(&ana.access, &seen).await;
    assert_eq!(own["track"]["status"], "TAKEN_DOWN");
    let mails = app.mails().await.split_off(mails);
    let told: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(told, ["ana@example.org"]);
    assert!(mails[0].text.contains("Not theirs."), "{}", mails[0].text);
    assert_eq!(mistakes(&take(json!(false)).await), NONE);
    assert_eq!(app.data(&seen).await, before);
    assert_eq!(
        mistakes(&take(json!(false)).await),
        ["INVALID_STATE trackId"]
    );
    for action in ["track.taken_down", "track.shown_again"] {
        assert_eq!(recorded(&app, action).await, 1, "{action}");
    }
}

/// Why stands nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_suspended_before_the_mail_is_written_is_told_too() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let admin = administrator(&app, "admin@example.org").await.access;
    let mut make = Maker::new(app.sql().await);
    let track = make.track(ana.artist, NewTrack::default()).await;
    let input = json!({ "trackId": track.to_string(), "reason": "Not theirs." });
    let taken = payload(&app, Some(&admin), TAKE_DOWN, input).await;
    assert_eq!(mistakes(&taken), NONE);
    let suspend = "update accounts set status = 'SUSPENDED' where email = 'ana@example.org'";
    execute(&app, suspend).await;
    let is_told = |mail: &Mail| mail.to == "ana@example.org" && mail.text.contains("Not theirs.");
    assert!(app.mails().await.iter().any(is_told));
}

/// Why stands nowhere else, so it is told later rather than not at all.
#[tokio::test(flavor = "multi_thread")]
async fn of_more_than_five_an_hour_the_reasons_come_later() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, &own_email("ana")).await;
    let admin = administrator(&app, "admin@example.org").await.access;
    let mut make = Maker::new(app.sql().await);
    let before = app.mails().await.len();
    for _ in 0..7 {
        let track = make.track(ana.artist, NewTrack::default()).await;
        let input = json!({ "trackId": track.to_string(), "reason": "Not theirs." });
        let taken = payload(&app, Some(&admin), TAKE_DOWN, input).await;
        assert_eq!(mistakes(&taken), NONE);
    }
    let limited = app.instance(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    // More often than a job is tried: to wait is no try.
    for _ in 0..25 {
        limited.run_jobs().await;
        execute(
            &app,
            "update jobs set due_at = now() where kind = 'catalogue.mail'",
        )
        .await;
    }
    assert_eq!(app.mails_sent().len() - before, 5);
    app.run_jobs().await;
    let told = app.mails_sent().split_off(before);
    assert_eq!(told.len(), 7);
    assert!(told.iter().all(|mail| mail.text.contains("Not theirs.")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_published_is_taken_down_with_a_reason_and_by_somebody_else() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let admin = administrator(&app, "admin@example.org").await.access;
    let mut make = Maker::new(app.sql().await);
    for status in STATES {
        let track = NewTrack {
            status,
            ..NewTrack::default()
        };
        let track = make.track(ana.artist, track).await.to_string();
        for (access, code) in [
            (None, "UNAUTHENTICATED"),
            (Some(ana.access.as_str()), "FORBIDDEN"),
        ] {
            let input = json!({ "trackId": track, "reason": "x" });
            assert_eq!(app.call(access, TAKE_DOWN, input).await.code(), code);
        }
        let asked = async |taken_down: bool| {
            let input = json!({ "trackId": track, "reason": "x", "takenDown": taken_down });
            mistakes(&payload(&app, Some(&admin), TAKE_DOWN, input).await)
        };
        let too_late = ["INVALID_STATE trackId"];
        // One of the two can be done, to what was published; then the other can.
        match status {
            "PUBLISHED" => {
                assert_eq!(asked(false).await, too_late);
                assert_eq!(asked(true).await, NONE);
            }
            "TAKEN_DOWN" => {
                assert_eq!(asked(true).await, too_late);
                assert_eq!(asked(false).await, NONE);
            }
            // What never was published can't be shown again.
            _ => {
                assert_eq!(asked(true).await, too_late, "{status}");
                assert_eq!(asked(false).await, too_late, "{status}");
            }
        }
    }
    let unknown = ana.artist.to_string().replace("artist_", "track_");
    for (track, reason, expected) in [
        ("x", " \n", &["NOT_FOUND trackId", "REQUIRED reason"][..]),
        (
            "x",
            &*"a".repeat(2_001),
            &["NOT_FOUND trackId", "TOO_LONG reason"],
        ),
        (&unknown, "x", &["NOT_FOUND trackId"]),
        (&unknown, "\u{200b}", &["REQUIRED reason"]),
    ] {
        let input = json!({ "trackId": track, "reason": reason });
        let refused = payload(&app, Some(&admin), TAKE_DOWN, input).await;
        assert_eq!(mistakes(&refused), expected);
    }
    // An artist who moderates.
    let promote =
        "update accounts set roles = '{LISTENER,ARTIST,MODERATOR}' where email = 'ana@example.org'";
    execute(&app, promote).await;
    let own = make
        .track(ana.artist, NewTrack::default())
        .await
        .to_string();
    let input = json!({ "trackId": own, "reason": "x" });
    let refused = app.call(Some(&ana.access), TAKE_DOWN, input).await;
    assert_eq!(refused.code(), "FORBIDDEN");
}
