//! From its opening until it is ready, and what keeps it from that.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{COMPLETE, CREATE, PART, Place, id, of, parts, two_parts};
use crate::accounts::tokens::narrowed;
use crate::accounts::{Limited, execute, mistakes, payload, query};
use crate::media::files::{WAV, read, stored};
use crate::storage::s3::Fault;
use crate::submissions::Ana;

async fn it_is_kept_as_it_came(place: &Place) {
    let bytes = two_parts();
    let hash = Sha256::digest(&bytes);
    let mut input = of(bytes.len());
    input["sha256"] = hash
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect::<String>()
        .into();
    let created = place.creates(input).await;
    assert_eq!(created["errors"], json!([]));
    let upload = &created["directUpload"];
    assert_eq!(
        (&upload["status"], &upload["partSize"]),
        (&json!("OPEN"), &json!(PART))
    );
    let lengths: Vec<&Value> = parts(upload).iter().map(|part| &part["byteSize"]).collect();
    assert_eq!(lengths, [PART, bytes.len() - PART]);
    let last = &parts(upload)[1];
    assert_eq!(last["number"], 2);
    assert_eq!(
        last["headers"],
        json!([{ "name": "Content-Length", "value": (bytes.len() - PART).to_string() }])
    );

    // In any order, and more than once: what came last counts, once.
    let url = |at: usize| parts(upload)[at]["url"].as_str().unwrap();
    place.puts(url(1), vec![7; bytes.len() - PART]).await;
    let second = super::etag(&place.puts(url(1), bytes[PART..].to_vec()).await);
    let first = super::etag(&place.puts(url(0), bytes[..PART].to_vec()).await);
    let again = super::etag(&place.puts(url(0), bytes[..PART].to_vec()).await);
    assert_eq!(first, again);
    let completed = place.completes(upload, &[first, second]).await;
    assert_eq!(completed["errors"], json!([]), "{completed}");
    let shown = json!({ "id": upload["id"], "status": "VERIFYING", "parts": [] });
    assert_eq!(completed["directUpload"], shown);
    assert_eq!(place.count("audios").await, 0);
    place.app.run_jobs().await;
    assert_eq!(place.status(upload).await, "READY");

    let audio = id(upload).0.simple().to_string();
    let key = format!("audio/{audio}");
    assert_eq!(
        stored(&place.app, "audio").await,
        std::slice::from_ref(&key)
    );
    assert!(read(&place.app, &key).await.unwrap() == bytes);
    assert_eq!(place.unfinished().await, 0);
    let sql = place.app.sql().await;
    let row = "select content_type, byte_size, sha256, account_id::text, id::text from audios";
    let row = sql.query_one(row, &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, &str>(0), row.get::<_, i64>(1)),
        ("audio/wav", bytes.len() as i64)
    );
    assert_eq!(row.get::<_, &[u8]>(2), &hash[..]);
    assert_eq!(row.get::<_, String>(3), place.ana.account.id.0.to_string());
    assert_eq!(row.get::<_, String>(4), id(upload).0.to_string());
    // Once more is once.
    let again = place.completes(upload, &["a".into(), "b".into()]).await;
    assert_eq!(again["directUpload"]["status"], "READY");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_as_it_came_in_a_folder() {
    it_is_kept_as_it_came(&Place::folder().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_as_it_came_in_a_bucket() {
    it_is_kept_as_it_came(&Place::bucket().await).await;
}

async fn two_complete_it_at_once(place: &Place) {
    let upload = place.opens(WAV.len()).await;
    let etags = place.sends(&upload, WAV).await;
    let (one, two) = tokio::join!(
        place.completes(&upload, &etags),
        place.completes(&upload, &etags),
    );
    for completed in [one, two] {
        assert_eq!(
            completed["directUpload"]["status"], "VERIFYING",
            "{completed}"
        );
    }
    assert_eq!(
        place.count("jobs where kind = 'media.verify_direct'").await,
        1
    );
    let told = place.count("audit_pending where action = 'upload.completed'");
    let chained = place.count("audit_events where action = 'upload.completed'");
    assert_eq!(told.await + chained.await, 1);
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "READY");
    assert_eq!(place.count("audios").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_complete_it_at_once_in_a_folder() {
    two_complete_it_at_once(&Place::folder().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_complete_it_at_once_in_a_bucket() {
    two_complete_it_at_once(&Place::bucket().await).await;
}

async fn what_is_not_right_fails(place: &Place) {
    let noise = b"MZ\x90\0 this is a program, whatever is said of it".repeat(400);
    let no_music = place.brings(&noise).await;
    let mut input = of(WAV.len());
    input["sha256"] = "0".repeat(64).into();
    let other = place.creates(input).await["directUpload"].clone();
    let etags = place.sends(&other, WAV).await;
    place.completes(&other, &etags).await;
    place.app.run_jobs().await;
    let no_room = place.brings(WAV).await;
    execute(
        &place.app,
        "insert into audios (id, account_id, content_type, byte_size, sha256, received_at) \
         select gen_random_uuid(), id, 'audio/wav', 50000000000 - 10, decode(repeat('00', 32), 'hex'), now() from accounts",
    )
    .await;
    place.app.run_jobs().await;
    for (upload, mistake) in [
        (&no_music, "UNSUPPORTED_MEDIA directUploadId"),
        (&other, "CHECKSUM_MISMATCH directUploadId"),
        (&no_room, "TOO_LARGE directUploadId"),
    ] {
        assert_eq!(place.status(upload).await, "FAILED", "{mistake}");
        let again = place.completes(upload, &["x".into()]).await;
        assert_eq!(mistakes(&again), [mistake]);
    }
    assert_eq!(stored(&place.app, "audio").await.len(), 0);
    assert_eq!(place.count("audios").await, 1);
    assert_eq!(
        place.count("jobs where kind = 'media.verify_direct'").await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_right_fails_in_a_folder() {
    what_is_not_right_fails(&Place::folder().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_right_fails_in_a_bucket() {
    what_is_not_right_fails(&Place::bucket().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_fails_loses_nothing() {
    let place = Place::bucket().await;
    let plan = place.server.as_ref().unwrap().plan.clone();
    let upload = place.opens(WAV.len()).await;
    let etags = place.sends(&upload, WAV).await;
    // What the bucket says of parts can be mended by whoever sent them.
    plan.fail("finish", Fault::Status(400, "InvalidPart"), 1);
    let refused = place.completes(&upload, &etags).await;
    assert_eq!(mistakes(&refused), ["UPLOAD_INCOMPLETE etags"]);
    assert_eq!(place.status(&upload).await, "OPEN");
    // What it does and does not tell is found.
    plan.fail("finish", Fault::LoseAnswer, 1);
    let completed = place.completes(&upload, &etags).await;
    assert_eq!(
        completed["directUpload"]["status"], "VERIFYING",
        "{completed}"
    );
    // It is read back once it can be.
    plan.fail("get", Fault::Status(403, "AccessDenied"), 1);
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "VERIFYING");
    execute(&place.app, "update jobs set due_at = now()").await;
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "READY");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_verifies_any_more_can_be_completed_again() {
    let place = Place::folder().await;
    let upload = place.brings(WAV).await;
    // As when each instance that took it was killed.
    execute(
        &place.app,
        "delete from jobs where kind = 'media.verify_direct'",
    )
    .await;
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "VERIFYING");
    let again = place.completes(&upload, &[]).await;
    assert_eq!(again["directUpload"]["status"], "VERIFYING");
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "READY");
    // Killed between the joining and the row: the file stands, and nobody knows of it.
    let upload = place.opens(WAV.len()).await;
    let etags = place.sends(&upload, WAV).await;
    place.completes(&upload, &etags).await;
    execute(
        &place.app,
        "delete from jobs where kind = 'media.verify_direct'",
    )
    .await;
    execute(
        &place.app,
        "update direct_uploads set status = 'OPEN' where status = 'VERIFYING'",
    )
    .await;
    let again = place.completes(&upload, &etags).await;
    assert_eq!(again["directUpload"]["status"], "VERIFYING");
    place.app.run_jobs().await;
    assert_eq!(place.status(&upload).await, "READY");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_a_file_is_looked_at_first() {
    let place = Place::folder().await;
    let with = |field: &str, value: Value| {
        let mut input = of(1000);
        input[field] = value;
        input
    };
    for (input, mistake) in [
        (with("filename", json!(" ")), "REQUIRED filename"),
        (
            with("filename", json!("a".repeat(256))),
            "TOO_LONG filename",
        ),
        (
            with("contentType", json!("")),
            "UNSUPPORTED_MEDIA contentType",
        ),
        (
            with("contentType", json!("image/png")),
            "UNSUPPORTED_MEDIA contentType",
        ),
        (with("byteSize", json!(0)), "EMPTY byteSize"),
        (with("byteSize", json!(-1)), "EMPTY byteSize"),
        (
            with("byteSize", json!((1_u64 << 30) + 1)),
            "TOO_LARGE byteSize",
        ),
        (with("sha256", json!("abc")), "CHECKSUM_MISMATCH sha256"),
    ] {
        let refused = place.creates(input.clone()).await;
        assert_eq!(mistakes(&refused), [mistake], "{input}");
        assert_eq!(refused["directUpload"], Value::Null);
    }
    let longest = with("filename", json!("a".repeat(255)));
    assert_eq!(mistakes(&place.creates(longest).await), [""; 0]);
    let largest = place.opens(1 << 30).await;
    assert_eq!(parts(&largest).len(), 64);
    execute(
        &place.app,
        "update direct_uploads set expires_at = now();
         insert into audios (id, account_id, content_type, byte_size, sha256, received_at) \
         select gen_random_uuid(), id, 'audio/wav', 50000000000 - 10, decode(repeat('00', 32), 'hex'), now() from accounts",
    )
    .await;
    assert_eq!(
        mistakes(&place.creates(of(11)).await),
        ["TOO_LARGE byteSize"]
    );
    assert_eq!(mistakes(&place.creates(of(10)).await), [""; 0]);
    // What is open has its room already.
    assert_eq!(
        mistakes(&place.creates(of(1)).await),
        ["TOO_LARGE byteSize"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_whose_it_is_alone() {
    let place = Place::folder().await;
    let upload = place.opens(WAV.len()).await;
    let etags = place.sends(&upload, WAV).await;
    let bo = Ana::new(&place.app, "bo@example.org").await;
    let input = json!({ "directUploadId": upload["id"], "etags": etags });
    let theirs = payload(&place.app, Some(&bo.access), COMPLETE, input.clone()).await;
    assert_eq!(mistakes(&theirs), ["NOT_FOUND directUploadId"]);
    let node = format!("{{ node(id: {}) {{ id }} }}", upload["id"]);
    assert_eq!(
        place.app.data_as(&bo.access, &node).await["node"],
        Value::Null
    );
    assert_eq!(place.app.data(&node).await["node"], Value::Null);
    for unknown in ["x", "direct_upload_01h455vb4pex5vsknk084sn02q"] {
        let input = json!({ "directUploadId": unknown, "etags": [] });
        let unknown = payload(&place.app, Some(&place.ana.access), COMPLETE, input).await;
        assert_eq!(mistakes(&unknown), ["NOT_FOUND directUploadId"]);
    }
    // A token of another scope, or for another thing.
    let another = place.opens(WAV.len()).await;
    for check in [
        r#"check if scope("CATALOGUE_WRITE")"#.to_owned(),
        format!(
            r#"check if scope("UPLOADS_WRITE"), resource({})"#,
            another["id"]
        ),
    ] {
        let narrow = narrowed(&place.ana.access, &check);
        let refused = place.app.call(Some(&narrow), COMPLETE, input.clone()).await;
        assert_eq!(refused.code(), "FORBIDDEN", "{check}");
        let seen = query(&place.app, &format!("Bearer {narrow}"), &node).await;
        assert_eq!(seen.data()["node"], Value::Null, "{check}");
    }
    let check = format!(
        r#"check if scope("UPLOADS_WRITE"), resource({})"#,
        upload["id"]
    );
    let narrow = narrowed(&place.ana.access, &check);
    let completed = payload(&place.app, Some(&narrow), COMPLETE, input).await;
    assert_eq!(
        completed["directUpload"]["status"], "VERIFYING",
        "{completed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_are_open_at_once() {
    let place = Place::folder().await;
    for _ in 0..8 {
        place.opens(WAV.len()).await;
    }
    let mut more = tokio::task::JoinSet::new();
    let (app, access) = (std::sync::Arc::new(place.app), place.ana.access);
    for _ in 0..6 {
        let (app, access) = (app.clone(), access.clone());
        more.spawn(async move { payload(&app, Some(&access), CREATE, of(1000)).await });
    }
    let more = more.join_all().await;
    let (opened, refused): (Vec<Value>, Vec<Value>) = more
        .into_iter()
        .partition(|created| created["errors"] == json!([]));
    assert_eq!((opened.len(), refused.len()), (2, 4));
    for refused in refused {
        assert_eq!(mistakes(&refused), ["INVALID_STATE"]);
    }
    // What was not opened left nothing.
    assert_eq!(
        super::files_in(&app.folder().join("files/_empulse/parts")),
        10
    );
    app.app.clock.advance(TimeDelta::hours(24));
    let access = app.sign_in(crate::submissions::ANA).await.access;
    let created = payload(&app, Some(&access), CREATE, of(1000)).await;
    assert_eq!(created["errors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_are_opened_an_hour() {
    let place = Place::folder().await;
    let limited = Limited::beside(&place.app).await;
    for at in 0..20 {
        let opened = limited
            .app
            .call(Some(&place.ana.access), CREATE, of(1000))
            .await;
        opened.data();
        if at % 5 == 0 {
            execute(&place.app, "update direct_uploads set status = 'EXPIRED'").await;
        }
    }
    let refused = limited
        .app
        .call(Some(&place.ana.access), CREATE, of(1000))
        .await;
    assert_eq!(refused.code(), "RATE_LIMITED");
    // What can't be is not counted.
    let wrong = json!({ "filename": "", "contentType": "audio/wav", "byteSize": 1 });
    let wrong = payload(&limited.app, Some(&place.ana.access), CREATE, wrong).await;
    assert_eq!(mistakes(&wrong), ["REQUIRED filename"]);
}
