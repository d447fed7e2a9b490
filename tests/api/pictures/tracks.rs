//! Covers of tracks. One that nobody has heard yet changes at once; one that was published shows the old cover until the
//! new one is approved.

use futures_util::future::join_all;
use image::ImageFormat;
use serde_json::{Value, json};

use super::*;
use crate::accounts::{NONE, payload};
use crate::catalogue_of_artists::STATES;
use crate::submissions::{done, moderator, review};
use crate::support::SignedIn;
use crate::support::data::{Maker, NewTrack};

const WITHDRAW: &str =
    "mutation ($input: WithdrawSubmissionInput!) { withdrawSubmission(input: $input) {
    submission { id newCover { id } } errors { code path } } }";

const WAITING: &str = "select count(*) from submissions where status = 'PENDING'";

struct Stage {
    app: TestApp,
    ana: Owner,
    moderator: SignedIn,
}

impl Stage {
    async fn new() -> Self {
        let app = TestApp::new().await;
        Self {
            ana: Owner::new(&app, "ana@example.org").await,
            moderator: moderator(&app, "mo@example.org").await,
            app,
        }
    }

    /// A track that has this cover, by its row alone.
    async fn track(&self, status: &str) -> (String, String) {
        let mut make = Maker::new(self.app.sql().await);
        let new = NewTrack {
            title: "Dawn",
            status,
            ..NewTrack::default()
        };
        let track = make.track(self.ana.artist, new).await;
        let cover = row(&self.app).await;
        let set = format!(
            "update tracks set cover_id = '{}' where id = '{}'",
            cover.0, track.0
        );
        execute(&self.app, &set).await;
        (track.to_string(), cover.to_string())
    }

    async fn sets(&self, track: &str, colour: u8) -> Value {
        let file = painted(colour, ImageFormat::Png);
        let input = json!({ "trackId": track });
        let set = sets(
            &self.app,
            &self.ana.access,
            (TRACK, input),
            ("cover", &file),
        )
        .await;
        set["track"].clone()
    }

    async fn clears(&self, track: &str) -> Value {
        let input = json!({ "trackId": track, "cover": null });
        payload(&self.app, Some(&self.ana.access), TRACK, input).await
    }

    /// What everybody sees as the cover of a track.
    async fn cover(&self, track: &str) -> Value {
        let query = format!("{{ track(id: \"{track}\") {{ cover {{ id }} }} }}");
        let mut data = self.app.data(&query).await;
        data["track"]["cover"]["id"].take()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_heard_yet_has_it_at_once() {
    let stage = Stage::new().await;
    for status in STATES {
        if ["PUBLISHED", "TAKEN_DOWN", "IN_REVIEW"].contains(&status) {
            continue;
        }
        let (track, first) = stage.track(status).await;
        let set = stage.sets(&track, 1).await;
        let second = text(&set["cover"]["id"]);
        assert_ne!(first, second);
        assert!(!has_row(&stage.app, &first).await, "{status}");
        let input = json!({ "trackId": track, "title": "Dusk" });
        let kept = payload(&stage.app, Some(&stage.ana.access), TRACK, input).await;
        assert_eq!(kept["track"]["cover"]["id"], second);
        let cleared = stage.clears(&track).await;
        assert_eq!(cleared["track"]["cover"], Value::Null);
        assert!(!has_row(&stage.app, &second).await, "{status}");
    }
    assert_eq!(images(&stage.app).await, 0);
    assert_eq!(
        count(&stage.app, "select count(*) from submissions").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_reviewed_keeps_it() {
    let stage = Stage::new().await;
    let (track, first) = stage.track("IN_REVIEW").await;
    let refused = stage.clears(&track).await;
    assert_eq!(mistakes(&refused), ["INVALID_STATE cover"]);
    let input = json!({ "trackId": track, "title": "Dusk", "cover": null });
    let refused = payload(&stage.app, Some(&stage.ana.access), TRACK, input).await;
    assert_eq!(
        mistakes(&refused),
        ["INVALID_STATE title", "INVALID_STATE cover"]
    );
    assert!(has_row(&stage.app, &first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_shows_the_old_one_until_the_new_one_is_approved() {
    let stage = Stage::new().await;
    let app = &stage.app;
    let (track, first) = stage.track("PUBLISHED").await;
    let set = stage.sets(&track, 1).await;
    assert_eq!(set["cover"]["id"], first);
    assert_eq!(set["submission"]["status"], "PENDING");
    assert_eq!(set["submission"]["newTitle"], Value::Null);
    let second = text(&set["submission"]["newCover"]["id"]);
    assert_eq!(stage.cover(&track).await, first);
    // It is for its artist and for reviewers alone.
    let ben = Owner::new(app, "ben@example.org").await;
    for (access, sees) in [
        (None, false),
        (Some(&ben.access), false),
        (Some(&stage.ana.access), true),
        (Some(&stage.moderator.access), true),
    ] {
        let seen = node(app, access.map(String::as_str), &second).await;
        assert_eq!(!seen.is_null(), sees, "{access:?}");
    }
    // Another takes its place, and a title joins it.
    let input = json!({ "trackId": track, "title": "Dusk" });
    let set = sets(app, &stage.ana.access, (TRACK, input), ("cover", &png())).await;
    let submission = &set["track"]["submission"];
    assert_eq!(submission["newTitle"], "Dusk");
    let third = text(&submission["newCover"]["id"]);
    assert_eq!(
        (has_row(app, &second).await, has_row(app, &third).await),
        (false, true)
    );
    assert_eq!(count(app, WAITING).await, 1);
    let id = text(&submission["id"]);
    done(review(app, &stage.moderator, &id, "APPROVE", None).await);
    assert_eq!(stage.cover(&track).await, third);
    assert_eq!(
        (has_row(app, &first).await, has_row(app, &third).await),
        (false, true)
    );
    assert_eq!(node(app, None, &third).await["id"], third);
    // The next approval lets go of it, though the first submission had it too.
    let set = stage.sets(&track, 3).await;
    let fourth = text(&set["submission"]["newCover"]["id"]);
    let id = text(&set["submission"]["id"]);
    done(review(app, &stage.moderator, &id, "APPROVE", None).await);
    assert_eq!(stage.cover(&track).await, fourth);
    assert!(!has_row(app, &third).await);
    assert_eq!(images(app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_or_taken_back_goes_and_the_old_one_stays() {
    let stage = Stage::new().await;
    let app = &stage.app;
    for status in ["PUBLISHED", "TAKEN_DOWN"] {
        let (track, first) = stage.track("PUBLISHED").await;
        let id: empulse::catalogue::TrackId = track.parse().unwrap();
        let set = format!(
            "update tracks set status = '{status}' where id = '{}'",
            id.0
        );
        execute(app, &set).await;
        let set = stage.sets(&track, 1).await;
        let second = text(&set["submission"]["newCover"]["id"]);
        let submission = text(&set["submission"]["id"]);
        // Asked for changes it waits on, and the answer may be another.
        done(
            review(
                app,
                &stage.moderator,
                &submission,
                "REQUEST_CHANGES",
                Some("Brighter."),
            )
            .await,
        );
        assert!(has_row(app, &second).await);
        let set = stage.sets(&track, 2).await;
        assert_ne!(set["submission"]["id"], submission);
        assert_eq!(set["submission"]["status"], "PENDING");
        let submission = text(&set["submission"]["id"]);
        let third = text(&set["submission"]["newCover"]["id"]);
        assert!(!has_row(app, &second).await);
        done(review(app, &stage.moderator, &submission, "REJECT", Some("No.")).await);
        assert!(!has_row(app, &third).await);
        let set = stage.sets(&track, 3).await;
        let fourth = text(&set["submission"]["newCover"]["id"]);
        let input = json!({ "submissionId": set["submission"]["id"] });
        let withdrawn = done(payload(app, Some(&stage.ana.access), WITHDRAW, input).await);
        assert_eq!(withdrawn["submission"]["newCover"], Value::Null);
        assert!(!has_row(app, &fourth).await);
        assert!(has_row(app, &first).await);
    }
    assert_eq!(images(app).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn that_there_is_to_be_none_is_nothing_to_review() {
    let stage = Stage::new().await;
    let (track, first) = stage.track("PUBLISHED").await;
    let set = stage.sets(&track, 1).await;
    // Which of the two is meant would be anybody's guess.
    let refused = stage.clears(&track).await;
    assert_eq!(mistakes(&refused), ["INVALID_STATE cover"]);
    assert_eq!(stage.cover(&track).await, first);
    let input = json!({ "submissionId": set["submission"]["id"] });
    done(payload(&stage.app, Some(&stage.ana.access), WITHDRAW, input).await);
    let cleared = stage.clears(&track).await;
    assert_eq!(mistakes(&cleared), NONE);
    assert_eq!(cleared["track"]["cover"], Value::Null);
    assert_eq!(stage.cover(&track).await, Value::Null);
    assert_eq!(images(&stage.app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_at_once_one_waits_or_shows() {
    let stage = Stage::new().await;
    let app = &stage.app;
    for (status, left) in [("REJECTED", 1), ("PUBLISHED", 3)] {
        let (track, _) = stage.track(status).await;
        join_all((0..5).map(|colour| stage.sets(&track, colour))).await;
        assert_eq!(images(app).await, left, "{status}");
    }
    assert_eq!(count(app, WAITING).await, 1);
}

/// Whoever comes first: the track has the one cover or the other, and no picture is left that nothing has.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_decision_and_another_cover_at_once_nothing_is_lost() {
    let stage = Stage::new().await;
    let app = &stage.app;
    for decision in ["APPROVE", "REJECT"] {
        let (track, _) = stage.track("PUBLISHED").await;
        let set = stage.sets(&track, 1).await;
        let id = text(&set["submission"]["id"]);
        let note = (decision == "REJECT").then_some("No.");
        let (_, reviewed) = tokio::join!(
            stage.sets(&track, 2),
            review(app, &stage.moderator, &id, decision, note)
        );
        // It comes too late where another took its place.
        let told = mistakes(&reviewed);
        assert!(
            told == NONE || told == ["INVALID_STATE submissionId"],
            "{told:?}"
        );
        let unused = "select count(*) from images i where not exists (select from tracks where cover_id = i.id) and \
                      not exists (select from submissions where new_cover_id = i.id and status = 'PENDING')";
        assert_eq!(count(app, unused).await, 0, "{decision}");
        let lost = "select count(*) from tracks where cover_id is null";
        assert_eq!(count(app, lost).await, 0, "{decision}");
    }
}
