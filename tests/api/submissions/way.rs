//! The way of a track, and what breaks it off.

use std::time::Duration;

use chrono::TimeDelta;
use empulse::accounts;
use empulse::catalogue::{Fault, MistakeCode, admit_track, count_track};
use empulse::events::Event;
use empulse::storage::{ContentType, Facts, Key};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{ANA, Ana, SOUND, done, genres, id_of, moderator, review, seen};
use crate::accounts::{count, execute, wait};
use crate::support::{Mail, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_track_is_read_reviewed_and_published() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let reviewer = moderator(&app, "mo@example.org").await;
    let audio = ana.sends(&app, &std::fs::read(SOUND).unwrap()).await;
    let submitted = ana.submits(&app, "First Light", audio).await.unwrap();
    let receipt = submitted.receipt.unwrap();
    assert_eq!(receipt.submission, submitted.submission.id);
    let id = submitted.submission.id.to_string();
    let track = submitted.track.id;
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "PROCESSING");
    let mails = app.mails().await;
    assert!(
        mails
            .iter()
            .any(|mail| mail.subject == "We have received your track")
    );
    let waiting = seen(&app, &ana.access, &id).await;
    assert_eq!(waiting["status"], "PENDING");
    assert_eq!(waiting["track"]["status"], "IN_REVIEW");
    let length = waiting["track"]["durationMs"].as_i64().unwrap();
    assert!(length > 0);
    let hidden = format!("{{ track(id: \"{track}\") {{ id }} node(id: \"{id}\") {{ id }} }}");
    assert_eq!(
        app.data(&hidden).await,
        json!({ "track": null, "node": null })
    );

    let reviewed = done(review(&app, &reviewer, &id, "APPROVE", None).await);
    assert_eq!(reviewed["submission"]["status"], "APPROVED");
    assert_eq!(
        reviewed["submission"]["reviewedBy"]["displayName"],
        "Kim Doe"
    );
    assert_eq!(reviewed["track"]["status"], "PUBLISHED");
    assert_eq!(reviewed["track"]["durationMs"], length);
    assert!(reviewed["track"]["publishedAt"].is_string());
    // Who reviewed it is no business of the artist's.
    let of_track = format!(
        "{{ track(id: \"{track}\") {{ title isrc submission {{ status reviewedBy {{ id }} }} }} }}"
    );
    assert_eq!(
        app.data_as(&ana.access, &of_track).await["track"],
        json!({ "title": "First Light", "isrc": "USRC17607839",
                "submission": { "status": "APPROVED", "reviewedBy": null } })
    );
    assert_eq!(
        app.data(&of_track).await["track"]["submission"],
        Value::Null
    );
    let mails = app.mails().await;
    let approved = mails
        .iter()
        .find(|mail| mail.subject == "Your track was approved");
    let approved = approved.unwrap();
    assert_eq!(approved.to, ANA);
    assert!(
        approved.text.contains("Track: First Light"),
        "{}",
        approved.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_music_fails_with_a_reason() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let audio = ana.sends(&app, b"fLaC and nothing behind it").await;
    let submitted = ana.submits(&app, "Noise", audio).await.unwrap();
    let id = submitted.submission.id.to_string();
    app.run_jobs().await;
    let failed = seen(&app, &ana.access, &id).await;
    assert_eq!(
        (&failed["status"], &failed["track"]["status"]),
        (&json!("FAILED"), &json!("FAILED"))
    );
    let reason = failed["failure"].as_str().unwrap();
    assert!(!reason.is_empty());
    let mails = app.mails().await;
    let mail = mails
        .iter()
        .find(|mail| mail.subject == "The file of your track can't be used");
    assert!(mail.unwrap().text.contains("Why: "));
    // Without another file there is nothing to be reviewed.
    let again = ana.resubmits(&app, &id, "").await;
    assert_eq!(
        again["errors"],
        json!([{ "code": "REQUIRED", "path": ["audio"] }])
    );
    // It is no duplicate of what failed.
    let audio = ana.sends(&app, b"fLaC and nothing behind it").await;
    ana.submits(&app, "Noise", audio).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_bytes_at_once_one_is_taken_and_the_other_file_is_let_go() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let bytes = std::fs::read(SOUND).unwrap();
    let (one, two) = (ana.sends(&app, &bytes).await, ana.sends(&app, &bytes).await);
    let (one, two) = tokio::join!(ana.submits(&app, "One", one), ana.submits(&app, "Two", two));
    let refused = match (one, two) {
        (Ok(_), Err(Fault::Mistakes(mistakes))) | (Err(Fault::Mistakes(mistakes)), Ok(_)) => {
            mistakes
        }
        _ => panic!("one of them is taken"),
    };
    assert_eq!(refused[0].code, MistakeCode::Duplicate);
    for (of, left) in [
        ("tracks", 1),
        ("submissions", 1),
        ("audios", 1),
        ("gone_files", 1),
    ] {
        assert_eq!(
            count(&app, &format!("select count(*) from {of}")).await,
            left,
            "{of}"
        );
    }
    // Somebody else may have it.
    let ben = Ana::new(&app, "ben@example.org").await;
    let audio = ben.sends(&app, &bytes).await;
    ben.submits(&app, "Mine", audio).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once_and_before_it_is_counted() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    // One an hour.
    let limited = app.instance(&[("EMPULSE_RATE_FACTOR", "0.05")]).await;
    let genres = genres(&app).await;
    for _ in 0..3 {
        let mut form = ana.form(" ");
        form.genre = "polka".into();
        form.isrc = Some("x".into());
        form.album = Some(None);
        form.audio_sha256 = Some("abc".into());
        let admitted = admit_track(&limited.app, &ana.account, form, &genres).await;
        let Err(Fault::Mistakes(mistakes)) = admitted else {
            panic!("it is wrong");
        };
        let found: Vec<_> = mistakes
            .iter()
            .map(|mistake| (mistake.code, mistake.field))
            .collect();
        assert_eq!(
            found,
            [
                (MistakeCode::Required, "title"),
                (MistakeCode::NotFound, "genreSlug"),
                (MistakeCode::InvalidIsrc, "isrc"),
                (MistakeCode::ChecksumMismatch, "audioSha256"),
                (MistakeCode::NotFound, "albumId"),
            ]
        );
    }
    count_track(&limited.app, &ana.account).await.unwrap();
    let second = count_track(&limited.app, &ana.account).await.err();
    assert!(matches!(
        second,
        Some(Fault::Account(accounts::Fault::Limited { .. }))
    ));
}

/// As when each instance that takes the job is killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_reads_any_more_fails_and_what_is_waited_for_does_not() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = ana.submits_well(&app, "First Light").await;
    let give_up = async || {
        // As the schedule has it.
        execute(
            &app,
            "insert into jobs (id, kind, payload, due_at) values (gen_random_uuid(), 'catalogue.give_up', '{}', now())",
        )
        .await;
        app.run_jobs().await;
    };
    wait(&app, TimeDelta::minutes(10));
    let rest =
        "update jobs set due_at = now() + interval '1 day' where kind = 'catalogue.process_track'";
    execute(&app, rest).await;
    give_up().await;
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "PROCESSING");
    let die =
        "update jobs set state = 'DEAD', died_at = now() where kind = 'catalogue.process_track'";
    execute(&app, die).await;
    give_up().await;
    let failed = seen(&app, &ana.access, &id).await;
    assert_eq!(failed["status"], "FAILED");
    assert_eq!(
        failed["failure"],
        "It could not be processed; send it again."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_withdrawn_while_it_was_read_stays_so() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = ana.submits_well(&app, "First Light").await;
    let withdrawn = done(ana.withdraws(&app, &id).await);
    assert_eq!(
        withdrawn["submission"],
        json!({ "status": "WITHDRAWN", "track": { "status": "WITHDRAWN" } })
    );
    app.run_jobs().await;
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "WITHDRAWN");
    let again = ana.withdraws(&app, &id).await;
    assert_eq!(
        again["errors"],
        json!([{ "code": "INVALID_STATE", "path": ["submissionId"] }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_is_no_reason_to_wait_for_ever() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let audio = ana.sends(&app, &std::fs::read(SOUND).unwrap()).await;
    let submitted = ana.submits(&app, "First Light", audio).await.unwrap();
    let key = Key::new(["audio", &audio.0.simple().to_string()]).unwrap();
    app.app.storage.delete(&key).await.unwrap();
    // All but the last try are over.
    execute(
        &app,
        "update jobs set attempts = 19 where kind = 'catalogue.process_track'",
    )
    .await;
    app.run_jobs().await;
    let id = submitted.submission.id.to_string();
    assert_eq!(id_of(&id), submitted.submission.id);
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "FAILED");
    let mails = app.mails().await;
    let is_it = |mail: &&Mail| mail.subject == "The file of your track could not be read";
    let told = &mails.iter().find(is_it).unwrap().text;
    assert!(told.contains("without a file"), "{told}");
    // It was no fault of the file's: brought back, it is read again as it is.
    let facts = Facts::of(ContentType::OCTETS);
    let bytes = std::fs::read(SOUND).unwrap();
    app.app.storage.put(&key, bytes, &facts).await.unwrap();
    // Nor is it said to be read while the job that gave it up is not put away: nobody would.
    execute(
        &app,
        &format!(
            "insert into jobs (id, kind, payload, due_at, unique_key)
             values (gen_random_uuid(), 'catalogue.process_track', '{{}}', now() + interval '1 day', '{audio}')"
        ),
    )
    .await;
    let early = format!(
        "mutation {{ resubmitTrack(input: {{ submissionId: \"{id}\" }}) {{ errors {{ code }} }} }}"
    );
    let authorization = format!("Bearer {}", ana.access);
    let early = crate::accounts::query(&app, &authorization, &early).await;
    assert_eq!(early.code(), "UNAVAILABLE");
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "FAILED");
    execute(
        &app,
        "delete from jobs where due_at > now() + interval '1 hour'",
    )
    .await;
    let again = done(ana.resubmits(&app, &id, "Once more.").await);
    assert_eq!(
        again["submission"],
        json!({ "status": "PROCESSING", "note": "Once more." })
    );
    assert_eq!(again["track"]["status"], "PROCESSING");
    app.run_jobs().await;
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "PENDING");
}

/// The job's answer was lost, and another tries again.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_it_done_tells_of_it() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let id = ana.submits_well(&app, "First Light").await;
    execute(&app, "create table kept as select * from jobs").await;
    app.run_jobs().await;
    execute(
        &app,
        "insert into jobs select * from kept where kind = 'catalogue.process_track'",
    )
    .await;
    execute(&app, "update jobs set attempts = 1").await;
    let mut heard = app.app.events.listen(&id);
    app.run_jobs().await;
    let told = async { while !matches!(heard.next().await, Some(Event::Said(_))) {} };
    let told = timeout(Duration::from_secs(10), told);
    assert!(told.await.is_ok(), "nobody was told");
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "PENDING");
}

/// A scanner that takes everything and says nothing, and its setting.
async fn silent_scanner() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
        }
    });
    format!("tcp://{address}")
}

/// Else it would keep the music of others waiting.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_is_not_read_on() {
    let scanner = silent_scanner().await;
    let app = TestApp::with(&[("EMPULSE_CLAMAV", &scanner)]).await;
    let ana = Ana::new(&app, ANA).await;
    let id = ana.submits_well(&app, "First Light").await;
    let runner = empulse::worker::runner(&app.accounts);
    let stop = CancellationToken::new();
    let works = runner.run(&app.app.db, stop.clone());
    let jobs = async |and: &str| {
        let jobs =
            format!("select count(*) from jobs where kind = 'catalogue.process_track' {and}");
        count(&app, &jobs).await
    };
    let withdrawn = async {
        while jobs("and state = 'RUNNING'").await == 0 {
            sleep(Duration::from_millis(20)).await;
        }
        done(ana.withdraws(&app, &id).await);
        while jobs("").await > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = works => unreachable!("it was not asked to stop"),
        done = timeout(Duration::from_secs(30), withdrawn) => done.expect("it is read on"),
    }
    assert_eq!(seen(&app, &ana.access, &id).await["status"], "WITHDRAWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_does_not_wait_for_the_music_of_others() {
    let scanner = silent_scanner().await;
    let app = TestApp::with(&[("EMPULSE_CLAMAV", &scanner)]).await;
    let ana = Ana::new(&app, ANA).await;
    for number in 0..12 {
        ana.submits_well(&app, &format!("Track {number}")).await;
    }
    let runner = empulse::worker::runner(&app.accounts);
    let stop = CancellationToken::new();
    let works = runner.run(&app.app.db, stop.clone());
    let asks = async {
        let running = "select count(*) from jobs where kind = 'catalogue.process_track' and state = 'RUNNING'";
        while count(&app, running).await == 0 {
            sleep(Duration::from_millis(20)).await;
        }
        let ask = "mutation { requestPasswordReset(input: { email: \"ana@example.org\" }) { errors { code } } }";
        assert_eq!(
            app.data(ask).await["requestPasswordReset"]["errors"],
            json!([])
        );
        let is_it = |mail: &Mail| mail.subject == "Set a new password";
        while !app.mails_sent().iter().any(is_it) {
            sleep(Duration::from_millis(20)).await;
        }
        let read = "select count(*) from submissions where status = 'PROCESSING'";
        assert_eq!(count(&app, read).await, 12);
    };
    tokio::select! {
        () = works => unreachable!("it was not asked to stop"),
        done = timeout(Duration::from_secs(30), asks) => done.expect("the mail waits"),
    }
}
