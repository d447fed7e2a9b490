//! What nobody has any more goes in a day, and no sooner; what stays is read back.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use empulse::media::{AudioId, REFERRERS, take_audio, take_image};
use empulse::storage::{ContentType, Facts};

use super::files::{WAV, count, file, member, over_bucket, picture, stored};
use crate::storage::s3::{Fault, S3Server};
use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

/// Has the clock pass by, and then all be done that is done every hour.
pub async fn hours_later(app: &TestApp, hours: i64) {
    pass(app, hours).await;
    for kind in ["media.sweep", "media.strays", "media.scrub"] {
        assert_eq!(run(app, kind).await, None, "{kind}");
    }
}

async fn pass(app: &TestApp, hours: i64) {
    app.app.clock.advance(TimeDelta::hours(hours));
    let sql = app.sql().await;
    let passed = "update gone_files set gone_at = gone_at - make_interval(hours => $1)";
    let passing = i32::try_from(hours).unwrap();
    sql.execute(passed, &[&passing]).await.unwrap();
}

/// Has one of them be done once; why it was not.
async fn run(app: &TestApp, kind: &str) -> Option<String> {
    let sql = app.sql().await;
    sql.execute("delete from jobs where kind = $1", &[&kind])
        .await
        .unwrap();
    sql.execute(
        "insert into jobs (id, kind, payload, due_at, created_at) values ($1::text::uuid, $2, '{}', now(), now())",
        &[&uuid::Uuid::now_v7().to_string(), &kind],
    )
    .await
    .unwrap();
    app.run_jobs().await;
    let left = "select last_error from jobs where kind = $1";
    let left = sql.query_opt(left, &[&kind]).await.unwrap();
    left.map(|row| row.get(0))
}

async fn what_nobody_uses_goes(app: &TestApp) {
    let account = member(app).await;
    hours_later(app, 0).await;
    let used = take_audio(&app.app, &account, file(WAV, 1000, None), None)
        .await
        .unwrap();
    let unused = take_audio(&app.app, &account, file(WAV, 1000, None), None)
        .await
        .unwrap();
    let avatar = take_image(&app.app, &account, file(&picture(), 1000, None))
        .await
        .unwrap();
    take_image(&app.app, &account, file(&picture(), 1000, None))
        .await
        .unwrap();
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let track = make.track(artist, NewTrack::default()).await;
    let sql = app.sql().await;
    let set = "update tracks set audio_id = $1::text::uuid where id = $2::text::uuid";
    let ids = [used.id.0.to_string(), track.0.to_string()];
    sql.execute(set, &[&ids[0], &ids[1]]).await.unwrap();
    let set = "update accounts set avatar_id = $1::text::uuid";
    sql.execute(set, &[&avatar.id.0.to_string()]).await.unwrap();
    // One that never came to have a row, and one that is none of ours.
    let stray = "audio/0188bac74afa78aabc3bbd1eef28d881".parse().unwrap();
    let facts = Facts::of(ContentType::OCTETS);
    app.app
        .storage
        .put(&stray, WAV.to_vec(), &facts)
        .await
        .unwrap();
    let foreign = "audio/notes".parse().unwrap();
    app.app.storage.put(&foreign, "x", &facts).await.unwrap();

    hours_later(app, 23).await;
    assert_eq!(
        (
            stored(app, "audio").await.len(),
            stored(app, "image").await.len()
        ),
        (4, 8)
    );
    assert_eq!(
        (count(app, "audios").await, count(app, "images").await),
        (2, 2)
    );
    // The rows go first, with room for others; their files stay for those who bring back a copy of the database.
    hours_later(app, 2).await;
    assert_eq!(
        (count(app, "audios").await, count(app, "images").await),
        (1, 1)
    );
    assert_eq!(count(app, "gone_files").await, 2);
    let unused = format!("audio/{}", unused.id.0.simple());
    let left = stored(app, "audio").await;
    assert!(
        left.contains(&unused) && !left.contains(&stray.to_string()),
        "{left:?}"
    );
    assert_eq!(stored(app, "image").await.len(), 8);
    hours_later(app, 25).await;
    assert_eq!(count(app, "gone_files").await, 0);
    let mut left = [
        format!("audio/{}", used.id.0.simple()),
        "audio/notes".into(),
    ];
    left.sort();
    assert_eq!(stored(app, "audio").await, left);
    assert_eq!(stored(app, "image").await.len(), 4);
    assert_eq!(count(app, "audios where damaged_at is not null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_uses_goes_from_a_folder() {
    what_nobody_uses_goes(&TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_uses_goes_from_a_bucket() {
    let server = S3Server::start().await;
    what_nobody_uses_goes(&over_bucket(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_came_in_is_told() {
    let app = TestApp::new().await;
    let account = member(&app).await;
    let audio = take_audio(&app.app, &account, file(WAV, 1000, None), None)
        .await
        .unwrap();
    let image = take_image(&app.app, &account, file(&picture(), 1000, None))
        .await
        .unwrap();
    let sql = app.sql().await;
    let set = "update accounts set avatar_id = $1::text::uuid";
    sql.execute(set, &[&image.id.0.to_string()]).await.unwrap();
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    make.track(artist, NewTrack::default()).await;
    let set = "update tracks set audio_id = $1::text::uuid";
    sql.execute(set, &[&audio.id.0.to_string()]).await.unwrap();
    hours_later(&app, 0).await;
    assert_eq!(
        count(
            &app,
            "audios where checked_at is not null and damaged_at is null"
        )
        .await,
        1
    );
    assert_eq!(
        count(
            &app,
            "images where checked_at is not null and damaged_at is null"
        )
        .await,
        1
    );

    let facts = Facts::of(ContentType::OCTETS);
    let key = format!("audio/{}", audio.id.0.simple()).parse().unwrap();
    let mut turned = WAV.to_vec();
    turned[500] ^= 1;
    app.app.storage.put(&key, turned, &facts).await.unwrap();
    let small = format!("image/{}/small", image.id.0.simple())
        .parse()
        .unwrap();
    app.app.storage.delete(&small).await.unwrap();
    // Each is read back once in thirty days.
    hours_later(&app, 24).await;
    assert_eq!(count(&app, "audios where damaged_at is not null").await, 0);
    hours_later(&app, 30 * 24).await;
    assert_eq!(count(&app, "audios where damaged_at is not null").await, 1);
    assert_eq!(count(&app, "images where damaged_at is not null").await, 1);
    // Brought back, it is whole again.
    app.app
        .storage
        .put(&key, WAV.to_vec(), &facts)
        .await
        .unwrap();
    hours_later(&app, 31 * 24).await;
    assert_eq!(count(&app, "audios where damaged_at is not null").await, 0);
    assert_eq!(count(&app, "images where damaged_at is not null").await, 1);
}

/// Two files that stay, as tracks are heard by them.
async fn two_files(app: &TestApp) -> [AudioId; 2] {
    let account = member(app).await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let mut files = Vec::new();
    for _ in 0..2 {
        let audio = take_audio(&app.app, &account, file(WAV, 1000, None), None)
            .await
            .unwrap();
        let track = make.track(artist, NewTrack::default()).await;
        let set = "update tracks set audio_id = $1::text::uuid where id = $2::text::uuid";
        let ids = [audio.id.0.to_string(), track.0.to_string()];
        let sql = app.sql().await;
        sql.execute(set, &[&ids[0], &ids[1]]).await.unwrap();
        files.push(audio.id);
    }
    [files[0], files[1]]
}

const REFUSED: Fault = Fault::Status(403, "AccessDenied");

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_read_holds_up_no_other() {
    let server = S3Server::start().await;
    let app = over_bucket(&server).await;
    let [one, _] = two_files(&app).await;
    // Whose storage it is, and then a file.
    server.plan.pass("get", 1);
    server.plan.fail("get", REFUSED, 1);
    let error = run(&app, "media.scrub").await.expect("it has failed");
    let said = format!(
        "1 failed; the last: audio/{} can't be read back",
        one.0.simple()
    );
    assert!(error.starts_with(&said), "{error}");
    let unread = format!("audios where checked_at is null and id = '{}'", one.0);
    assert_eq!(count(&app, &unread).await, 1);
    assert_eq!(count(&app, "audios where checked_at is not null").await, 1);
    // It is not first in line again, but another day.
    let asked = server.plan.seen("get");
    assert_eq!(run(&app, "media.scrub").await, None);
    assert_eq!(server.plan.seen("get"), asked + 1);
    hours_later(&app, 25).await;
    assert_eq!(count(&app, &unread).await, 0);
    assert_eq!(count(&app, "audios where damaged_at is not null").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_deleted_holds_up_no_other() {
    let server = S3Server::start().await;
    let app = over_bucket(&server).await;
    let files = two_files(&app).await;
    let sql = app.sql().await;
    sql.batch_execute("delete from tracks; delete from audios")
        .await
        .unwrap();
    pass(&app, 25).await;
    server.plan.fail("delete", REFUSED, 1);
    let error = run(&app, "media.sweep").await.expect("it has failed");
    assert!(error.contains("can't be deleted"), "{error}");
    assert_eq!(count(&app, "gone_files").await, 1);
    let left = stored(&app, "audio").await;
    assert_eq!(left.len(), 1, "{left:?} of {files:?}");
    // It is not first in line again, but another day.
    assert_eq!(run(&app, "media.sweep").await, None);
    assert_eq!(stored(&app, "audio").await, left);
    pass(&app, 25).await;
    assert_eq!(run(&app, "media.sweep").await, None);
    assert_eq!(stored(&app, "audio").await, Vec::<String>::new());
    assert_eq!(count(&app, "gone_files").await, 0);
}

/// An empty database, or an old one, over what is stored for another.
async fn nothing_goes_that_may_be_anothers(app: &TestApp) {
    hours_later(app, 0).await;
    let owner = app.app.storage.owner().await.unwrap().unwrap();
    let id = owner.split(' ').next().unwrap().to_owned();
    assert_eq!(owner, format!("{id} 1"));
    let files = two_files(app).await.len();
    let sql = app.sql().await;
    let forget = "delete from tracks; delete from audios; delete from gone_files";
    sql.batch_execute(forget).await.unwrap();
    let stays = async |what: &str| {
        hours_later(app, 48).await;
        assert_eq!(stored(app, "audio").await.len(), files, "{what}");
    };
    let other = "00000000-0000-4000-8000-000000000000";
    let is_called = format!("update files_owner set id = '{other}'");
    sql.batch_execute(&is_called).await.unwrap();
    stays("another").await;
    assert_eq!(app.app.storage.owner().await.unwrap().unwrap(), owner);
    let is_old = format!("update files_owner set id = '{id}', turn = 0");
    sql.batch_execute(&is_old).await.unwrap();
    stays("an old copy").await;
    // Whichever of the two that go by one id looks next deletes nothing either.
    let contested = app.app.storage.owner().await.unwrap();
    assert_eq!(contested, Some(format!("{id} contested")));
    sql.batch_execute("update files_owner set turn = 9")
        .await
        .unwrap();
    stays("two at once").await;
    sql.batch_execute("update files_owner set turn = 0")
        .await
        .unwrap();
    app.app.storage.set_owner("?".into()).await.unwrap();
    stays("nobody knows").await;
    // As whoever looks after the service says.
    app.app.storage.set_owner(format!("{id}\n")).await.unwrap();
    hours_later(app, 0).await;
    assert_eq!(stored(app, "audio").await, Vec::<String>::new());
    let owner = app.app.storage.owner().await.unwrap();
    assert_eq!(owner, Some(format!("{id} 1")));
}

/// As one that is not mounted, or another that nobody has looked through.
#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_does_not_name_us_any_more_is_left_alone() {
    let app = TestApp::new().await;
    for _ in 0..2 {
        hours_later(&app, 0).await;
    }
    let [one, two] = two_files(&app).await;
    let files = app.folder().join("files");
    std::fs::remove_file(files.join("_empulse/owner")).unwrap();
    std::fs::remove_file(files.join(format!("audio/{}", one.0.simple()))).unwrap();
    let forget = format!(
        "delete from tracks where audio_id = '{two}'; delete from audios where id = '{two}'; delete from gone_files",
        two = two.0
    );
    app.sql().await.batch_execute(&forget).await.unwrap();
    hours_later(&app, 48).await;
    assert_eq!(
        stored(&app, "audio").await,
        [format!("audio/{}", two.0.simple())]
    );
    assert_eq!(count(&app, "audios where damaged_at is not null").await, 0);
    assert_eq!(app.app.storage.owner().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_in_a_bucket_and_never_ended_goes_in_two_days() {
    let server = S3Server::start().await;
    let app = over_bucket(&server).await;
    for number in 0..5 {
        for folder in ["audio", "image", "other"] {
            let key = format!("{folder}/{number}").parse().unwrap();
            app.app.storage.begin_parts(&key).await.unwrap();
        }
    }
    hours_later(&app, 47).await;
    assert_eq!(server.unfinished(), 15);
    // One that can't be taken away now keeps no other.
    server.plan.fail("abort", REFUSED, 1);
    hours_later(&app, 2).await;
    assert_eq!(server.unfinished(), 6);
    // Nor do those who may not list them keep anything else.
    server.plan.fail("unfinished", REFUSED, 2);
    hours_later(&app, 0).await;
    hours_later(&app, 0).await;
    assert_eq!(server.unfinished(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_its_row_again_stays() {
    let app = TestApp::new().await;
    let [one, _] = two_files(&app).await;
    let sql = app.sql().await;
    sql.batch_execute(
        "create table copy as select * from audios;
         delete from tracks; delete from audios",
    )
    .await
    .unwrap();
    assert_eq!(count(&app, "gone_files").await, 2);
    let back = format!(
        "insert into audios select * from copy where id = '{}'; drop table copy",
        one.0
    );
    sql.batch_execute(&back).await.unwrap();
    // Nothing refers to it yet, so that it would go another day; but not for what went before.
    pass(&app, 25).await;
    sql.batch_execute("update audios set received_at = now() + interval '25 hours'")
        .await
        .unwrap();
    assert_eq!(run(&app, "media.sweep").await, None);
    assert_eq!(
        stored(&app, "audio").await,
        [format!("audio/{}", one.0.simple())]
    );
    assert_eq!(count(&app, "gone_files").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_from_a_folder_that_may_be_anothers() {
    nothing_goes_that_may_be_anothers(&TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_from_a_bucket_that_may_be_anothers() {
    let server = S3Server::start().await;
    nothing_goes_that_may_be_anothers(&over_bucket(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_looked_through_is_ours_where_each_older_file_has_a_row() {
    let app = TestApp::new().await;
    two_files(&app).await;
    let made = "update files_owner set created_at = now() + interval '1 day'";
    app.sql().await.batch_execute(made).await.unwrap();
    let stray = "audio/0188bac74afa78aabc3bbd1eef28d881".parse().unwrap();
    let facts = Facts::of(ContentType::OCTETS);
    app.app.storage.put(&stray, "x", &facts).await.unwrap();
    hours_later(&app, 48).await;
    assert_eq!(app.app.storage.owner().await.unwrap(), None);
    assert_eq!(stored(&app, "audio").await.len(), 3);
    app.app.storage.delete(&stray).await.unwrap();
    hours_later(&app, 0).await;
    assert!(app.app.storage.owner().await.unwrap().is_some());
    assert_eq!(stored(&app, "audio").await.len(), 2);
}

/// As those of an instance that was killed before anybody looked.
#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_has_looked_through_is_ours_where_it_is_newer_than_the_database() {
    let app = TestApp::new().await;
    let stray = "audio/0188bac74afa78aabc3bbd1eef28d881".parse().unwrap();
    let facts = Facts::of(ContentType::OCTETS);
    app.app.storage.put(&stray, "x", &facts).await.unwrap();
    hours_later(&app, 0).await;
    assert!(app.app.storage.owner().await.unwrap().is_some());
    assert_eq!(stored(&app, "audio").await.len(), 1);
    hours_later(&app, 25).await;
    assert_eq!(stored(&app, "audio").await.len(), 0);
}

/// What is not in the list would be swept while it is still referred to, or deleted with it.
#[tokio::test(flavor = "multi_thread")]
async fn all_that_refers_to_files_is_known() {
    let app = TestApp::new().await;
    let sql = app.sql().await;
    let read = "select c.confrelid::regclass::text, c.conrelid::regclass::text, a.attname::text from pg_constraint c \
                join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey) \
                where c.contype = 'f' and c.confrelid in ('audios'::regclass, 'images'::regclass)";
    let rows = sql.query(read, &[]).await.unwrap();
    let found: BTreeSet<(String, String, String)> = rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let known = REFERRERS.iter().map(|(file, table, column)| {
        let owned = |text: &str| text.to_owned();
        (owned(file), owned(table), owned(column))
    });
    assert_eq!(known.collect::<BTreeSet<_>>(), found);
}
