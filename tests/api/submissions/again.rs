//! What is handed in again: with another file, and under a key where the first try failed.

use empulse::accounts::{self, Client};
use empulse::catalogue::{self, AdmittedAgain, Fault, KeptFiles, MistakeCode, Submitted};
use empulse::idempotency::{Begun, Claim, Ended, Input, Key};
use empulse::media::AudioId;
use serde_json::json;

use super::{ANA, Ana, RESUBMIT, SOUND, done, id_of, moderator, review, seen};
use crate::accounts::{count, execute, graphql, only_field, send};
use crate::support::TestApp;

/// A submission of which a reviewer wants something to be otherwise.
async fn to_be_changed(app: &TestApp, ana: &Ana) -> String {
    let mo = moderator(app, "mo@example.org").await;
    let id = ana.submits_well(app, "First Light").await;
    app.run_jobs().await;
    done(review(app, &mo, &id, "REQUEST_CHANGES", Some("Louder.")).await);
    id
}

impl Ana {
    async fn admitted(
        &self,
        app: &TestApp,
        submission: &str,
        note: &str,
    ) -> Result<AdmittedAgain, Fault> {
        let id = id_of(submission);
        let own = catalogue::own_submission(&app.app.db, self.account.id, id).await?;
        catalogue::admit_again(own.as_ref(), true, Some(note))
    }

    async fn sends_again(
        &self,
        app: &TestApp,
        submission: &str,
        audio: AudioId,
    ) -> Result<Submitted, Fault> {
        let admitted = self.admitted(app, submission, "").await?;
        let files = KeptFiles {
            audio: Some(audio),
            ..KeptFiles::default()
        };
        let client = Client::default();
        catalogue::resubmit_track(&app.app, &self.account, admitted, files, &client).await
    }
}

#[track_caller]
fn codes<T>(done: Result<T, Fault>) -> Vec<(MistakeCode, &'static str)> {
    match done {
        Err(Fault::Mistakes(mistakes)) => mistakes
            .iter()
            .map(|mistake| (mistake.code, mistake.field))
            .collect(),
        Err(fault) => panic!("{fault:?}"),
        Ok(_) => panic!("it is wrong"),
    }
}

/// Both that are to be had: of files and of rows that are gone.
async fn has_file(app: &TestApp, audio: AudioId) -> (i64, i64) {
    let rows = async |table: &str| {
        let read = format!("select count(*) from {table} where id = '{}'", audio.0);
        count(app, &read).await
    };
    (rows("audios").await, rows("gone_files").await)
}

const HELD: (i64, i64) = (1, 0);
const LET_GO_OF: (i64, i64) = (0, 1);

#[tokio::test(flavor = "multi_thread")]
async fn another_file_takes_the_place_of_the_one_before() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = to_be_changed(&app, &ana).await;
    let length = seen(&app, &ana.access, &id).await["track"]["durationMs"].take();
    assert!(length.is_i64());
    let sql = app.sql().await;
    let first = sql.query_one("select id::text from audios", &[]).await;
    let first = AudioId(first.unwrap().get::<_, &str>(0).parse().unwrap());
    let second = ana.sends(&app, &std::fs::read(SOUND).unwrap()).await;
    let again = ana.sends_again(&app, &id, second).await.unwrap();
    assert_eq!(again.submission.id.to_string(), id);
    assert_eq!(again.receipt.unwrap().submission, again.submission.id);
    let read = async || {
        let seen = seen(&app, &ana.access, &id).await;
        let track = &seen["track"];
        json!([seen["status"], track["status"], track["durationMs"]])
    };
    let unread = json!(["PROCESSING", "PROCESSING", null]);
    assert_eq!(read().await, unread);
    assert_eq!(has_file(&app, first).await, LET_GO_OF);
    assert_eq!(has_file(&app, second).await, HELD);
    // What comes late of the file before says nothing of this one.
    let own =
        "update jobs set due_at = now() + interval '1 day' where kind = 'catalogue.process_track'";
    execute(&app, own).await;
    let late = "insert into jobs (id, kind, payload, due_at)
                select gen_random_uuid(), kind, jsonb_set(payload, '{audio}', to_jsonb($1::text)), now()
                from jobs where kind = 'catalogue.process_track'";
    let written: String = sql
        .query_one(
            "select payload->>'audio' from jobs where kind = 'catalogue.process_track'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let of_first = written
        .replace(&second.to_string(), &first.to_string())
        .replace(&second.0.to_string(), &first.0.to_string());
    assert_ne!(of_first, written);
    assert_eq!(sql.execute(late, &[&of_first]).await.unwrap(), 1);
    app.run_jobs().await;
    assert_eq!(read().await, unread);
    let due = "update jobs set due_at = now() where kind = 'catalogue.process_track'";
    execute(&app, due).await;
    app.run_jobs().await;
    let waiting = read().await;
    assert_eq!(waiting[0], "PENDING");
    assert!(waiting[2].is_i64(), "{waiting}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_no_duplicate_of_itself_and_one_of_another_track() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = to_be_changed(&app, &ana).await;
    let bytes = std::fs::read(SOUND).unwrap();
    let others = ana.sends(&app, &bytes).await;
    ana.submits(&app, "Second", others).await.unwrap();
    let copy = ana.sends(&app, &bytes).await;
    let refused = ana.sends_again(&app, &id, copy).await;
    assert_eq!(codes(refused), [(MistakeCode::Duplicate, "audio")]);
    assert_eq!(has_file(&app, copy).await, LET_GO_OF);
    assert_eq!(has_file(&app, others).await, HELD);
    assert_eq!(
        seen(&app, &ana.access, &id).await["status"],
        "CHANGES_REQUESTED"
    );
    let mut own = std::fs::read("tests/sounds/wav16.wav").unwrap();
    let end = own.len() - 4;
    own[end..].copy_from_slice(&<sha2::Sha256 as sha2::Digest>::digest("First Light")[..4]);
    let same = ana.sends(&app, &own).await;
    ana.sends_again(&app, &id, same).await.unwrap();
    assert_eq!(has_file(&app, same).await, HELD);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_not_counted_and_what_is_right_is() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = to_be_changed(&app, &ana).await;
    // Of each kind one an hour.
    let limited = app.instance(&[("EMPULSE_RATE_FACTOR", "0.05")]).await;
    for _ in 0..3 {
        let long = ana.admitted(&limited, &id, &"a".repeat(2_001)).await;
        assert_eq!(codes(long), [(MistakeCode::TooLong, "note")]);
    }
    let counted = async || catalogue::count_again(&limited.app, &ana.account).await;
    ana.admitted(&limited, &id, "").await.unwrap();
    counted().await.unwrap();
    let second = counted().await;
    assert!(matches!(
        second,
        Err(Fault::Account(accounts::Fault::Limited { .. }))
    ));
    // Handing in is counted by itself.
    let other = catalogue::count_track(&limited.app, &ana.account).await;
    other.unwrap();
}

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

/// Nothing of it was done, so it can be sent again as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_of_what_failed_is_done() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = to_be_changed(&app, &ana).await;
    let body = json!({ "query": RESUBMIT, "variables": { "input": { "submissionId": id } } });
    let sends = async || {
        let request = graphql(&app, &body).bearer_auth(&ana.access);
        send(request.header("idempotency-key", KEY)).await
    };
    let fails = "create function fails() returns trigger language plpgsql as $$ begin raise 'not now'; end $$;
                 create trigger fails before update on submissions for each row execute function fails()";
    execute(&app, fails).await;
    assert_eq!(sends().await.code(), "INTERNAL");
    execute(&app, "drop trigger fails on submissions").await;
    let done = only_field(sends().await.data());
    assert_eq!(done["errors"], json!([]));
    assert_eq!(done["submission"]["status"], "PENDING");
}

/// To let go of the file is no part of it either.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_with_a_file_was_not_done() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let bytes = std::fs::read(SOUND).unwrap();
    let first = ana.sends(&app, &bytes).await;
    ana.submits(&app, "First Light", first).await.unwrap();
    let copy = ana.sends(&app, &bytes).await;
    let input = Input::of(&app.app.keys, &[b"this"]);
    let key = Key::read([KEY.as_bytes()]).unwrap().unwrap();
    let begin = async || Claim::begin(&app.app, ana.account.id.0, key, &input).await;
    let Begun::Ours(claim) = begin().await.unwrap() else {
        panic!("nobody has it");
    };
    let refused = claim.run(ana.submits(&app, "Second", copy)).await.unwrap();
    assert_eq!(codes(refused), [(MistakeCode::Duplicate, "audio")]);
    assert_eq!(has_file(&app, copy).await, LET_GO_OF);
    claim.end(Ended::Unanswered).await;
    assert!(matches!(begin().await.unwrap(), Begun::Ours(_)));
}
