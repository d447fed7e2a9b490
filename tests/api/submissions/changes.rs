//! Another title of a track that was published: what is decided of it, and what shows until then.

use std::time::Duration;

use empulse::catalogue::of_submission;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{ANA, Ana, done, id_of, moderator, review, seen};
use crate::accounts::{execute, payload};
use crate::support::{SignedIn, TestApp};

const UPDATE: &str = "mutation ($input: UpdateTrackInput!) { updateTrack(input: $input) {
    track { title submission { id status } } errors { code path } } }";

struct Stage {
    app: TestApp,
    ana: Ana,
    mo: SignedIn,
    track: String,
}

impl Stage {
    /// With a track that is published as "First Light".
    async fn new() -> Self {
        let app = TestApp::new().await;
        let ana = Ana::new(&app, ANA).await;
        let mo = moderator(&app, "mo@example.org").await;
        let id = ana.submits_well(&app, "First Light").await;
        app.run_jobs().await;
        let approved = done(review(&app, &mo, &id, "APPROVE", None).await);
        let track = approved["track"]["id"].as_str().unwrap().to_owned();
        Self {
            app,
            ana,
            mo,
            track,
        }
    }

    /// Asks for another title; the submission that waits then.
    async fn renames(&self, title: &str) -> String {
        let input = json!({ "trackId": self.track, "title": title });
        let changed = done(payload(&self.app, Some(&self.ana.access), UPDATE, input).await);
        assert_eq!(changed["track"]["submission"]["status"], "PENDING");
        let id = &changed["track"]["submission"]["id"];
        id.as_str().unwrap().to_owned()
    }

    async fn decides(&self, submission: &str, decision: &str) -> Value {
        let note = (decision != "APPROVE").then_some("Another one, please.");
        review(&self.app, &self.mo, submission, decision, note).await
    }

    async fn status(&self, submission: &str) -> Value {
        seen(&self.app, &self.ana.access, submission).await["status"].take()
    }

    /// Its title, as it is shown and as it is sorted, and its state.
    async fn track(&self) -> (String, String, String) {
        let id: empulse::catalogue::TrackId = self.track.parse().unwrap();
        let read = "select title, sort_title, status from tracks where id = $1::text::uuid and published_at is not null";
        let sql = self.app.sql().await;
        let row = sql.query_one(read, &[&id.0.to_string()]).await.unwrap();
        (row.get(0), row.get(1), row.get(2))
    }

    async fn is(&self, title: &str, status: &str) {
        let expected = (title.into(), title.to_lowercase(), status.into());
        assert_eq!(self.track().await, expected);
    }
}

fn too_late() -> Value {
    json!([{ "code": "INVALID_STATE", "path": ["submissionId"] }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_shows_once_it_was_approved_and_not_where_it_was_rejected() {
    let stage = Stage::new().await;
    let id = stage.renames("Dusk").await;
    stage.is("First Light", "PUBLISHED").await;
    done(stage.decides(&id, "REJECT").await);
    stage.is("First Light", "PUBLISHED").await;
    assert_eq!(stage.status(&id).await, "REJECTED");
    let id = stage.renames("Night").await;
    let approved = done(stage.decides(&id, "APPROVE").await);
    assert_eq!(approved["track"]["title"], "Night");
    stage.is("Night", "PUBLISHED").await;
    let shown = format!("{{ track(id: \"{}\") {{ title }} }}", stage.track);
    assert_eq!(stage.app.data(&shown).await["track"]["title"], "Night");
    // What was decided upon is not changed by deciding again.
    assert_eq!(stage.decides(&id, "REJECT").await["errors"], too_late());
    stage.is("Night", "PUBLISHED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_down_stays_so_under_another_title() {
    let stage = Stage::new().await;
    let id = stage.renames("Dusk").await;
    execute(&stage.app, "update tracks set status = 'TAKEN_DOWN'").await;
    let approved = done(stage.decides(&id, "APPROVE").await);
    assert_eq!(approved["track"]["status"], "TAKEN_DOWN");
    stage.is("Dusk", "TAKEN_DOWN").await;
}

/// What a mail has a line of its own for.
fn facts(mail: &str) -> Vec<&str> {
    mail.lines().filter(|line| line.contains(": ")).collect()
}

/// A change is no new track: it says what was wanted, and what is so.
#[tokio::test(flavor = "multi_thread")]
async fn mails_tell_of_a_change_what_is_so() {
    let stage = Stage::new().await;
    let told = async |subject: &str| {
        let mails = stage.app.mails().await;
        let mail = mails.iter().rev().find(|mail| mail.subject == subject);
        mail.unwrap_or_else(|| panic!("{subject}: {mails:#?}"))
            .text
            .clone()
    };
    let id = stage.renames("Dusk").await;
    let received = told("We have received the change of your track").await;
    assert!(received.contains("stays as it is"), "{received}");
    assert_eq!(facts(&received), ["Track: First Light", "New title: Dusk"]);
    done(stage.decides(&id, "REQUEST_CHANGES").await);
    let asked = told("The change of your track needs changes").await;
    assert!(
        asked.contains("Another one, please.") && asked.contains("New title: Dusk"),
        "{asked}"
    );
    let id = stage.renames("Night").await;
    done(stage.decides(&id, "REJECT").await);
    let rejected = told("The change of your track was rejected").await;
    assert!(rejected.contains("the track stays as it is"), "{rejected}");
    assert_eq!(facts(&rejected), ["Track: First Light", "New title: Night"]);
    let id = stage.renames("Dawn").await;
    done(stage.decides(&id, "APPROVE").await);
    let approved = told("The change of your track was approved").await;
    assert_eq!(facts(&approved), ["Track: Dawn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_so_any_more_when_a_mail_is_written_is_not_told() {
    let stage = Stage::new().await;
    let is_told = async |what: &str| {
        let mails = stage.app.mails().await;
        mails.iter().any(|mail| mail.subject.ends_with(what))
    };
    // That it was approved is still to be told.
    execute(&stage.app, "update tracks set status = 'TAKEN_DOWN'").await;
    assert!(!is_told("was approved").await);
    let id = stage.renames("Dusk").await;
    done(stage.decides(&id, "REJECT").await);
    let delete = "mutation ($input: DeleteTrackInput!) { deleteTrack(input: $input) { errors { code path } } }";
    let input = json!({ "trackId": stage.track });
    done(payload(&stage.app, Some(&stage.ana.access), delete, input).await);
    assert!(!is_told("was rejected").await);
}

/// Who decides has read one title, and no other comes of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_title_that_was_replaced_can_not_be_decided_upon() {
    let stage = Stage::new().await;
    for decision in ["APPROVE", "REJECT", "REQUEST_CHANGES"] {
        let read = stage.renames("Dusk").await;
        let events = &stage.app.app.events;
        let told = events.listen(&of_submission(id_of(&read)));
        let mut told = told.stream().boxed();
        let other = stage.renames("Night").await;
        assert_ne!(read, other);
        let event = timeout(Duration::from_secs(10), told.next()).await;
        assert!(
            event.unwrap().is_some(),
            "whoever has it before them is told"
        );
        assert_eq!(stage.status(&read).await, "WITHDRAWN");
        assert_eq!(stage.decides(&read, decision).await["errors"], too_late());
        stage.is("First Light", "PUBLISHED").await;
        done(stage.ana.withdraws(&stage.app, &other).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_replacing_and_approving_at_once_nothing_is_published_that_nobody_read() {
    let stage = Stage::new().await;
    let read = stage.renames("Dusk").await;
    let (approved, other) = tokio::join!(stage.decides(&read, "APPROVE"), stage.renames("Night"));
    match approved["errors"] == json!([]) {
        true => stage.is("Dusk", "PUBLISHED").await,
        false => {
            assert_eq!(approved["errors"], too_late());
            stage.is("First Light", "PUBLISHED").await;
        }
    }
    assert_eq!(stage.status(&other).await, "PENDING");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_changes_were_asked_for_another_title_is_another_submission() {
    let stage = Stage::new().await;
    let first = stage.renames("Dusk").await;
    done(stage.decides(&first, "REQUEST_CHANGES").await);
    assert_eq!(stage.status(&first).await, "CHANGES_REQUESTED");
    assert_eq!(stage.decides(&first, "APPROVE").await["errors"], too_late());
    stage.is("First Light", "PUBLISHED").await;
    // As it is it can be handed in again.
    let again = done(
        stage
            .ana
            .resubmits(&stage.app, &first, "It is meant so.")
            .await,
    );
    assert_eq!(again["submission"]["status"], "PENDING");
    assert_eq!(again["track"]["status"], "PUBLISHED");
    done(stage.decides(&first, "REQUEST_CHANGES").await);
    let second = stage.renames("Night").await;
    assert_eq!(stage.status(&first).await, "WITHDRAWN");
    done(stage.decides(&second, "APPROVE").await);
    stage.is("Night", "PUBLISHED").await;
}
