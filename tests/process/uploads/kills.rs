//! Processes that are killed while a file comes, while it is handed in, and once it was.

use super::*;
use crate::support::NO_JOBS;

#[tokio::test(flavor = "multi_thread")]
async fn what_had_not_come_whole_when_an_instance_was_killed_is_nowhere() {
    for over_bucket in [false, true] {
        let what = "a kill while a file comes";
        let Some(scene) = Scene::set(what, over_bucket).await else {
            return;
        };
        let mut service = scene.service(&[NO_JOBS]).await;
        let access = scene.artist(&service).await;
        let file = wav(40 << 20, 1);
        let upload = scene.upload(&service, &access, "First Light");
        upload.send(&file[..30 << 20]).await;
        scene.becomes_unfinished().await;
        service.process.kill();
        upload.breaks().await.unwrap_err();
        assert_eq!((scene.rows().await, scene.files()), ([0; 3], 0));

        let service = scene.service(&[]).await;
        let submission = scene
            .hands_in(&service, &access, "First Light", &file)
            .await;
        scene.becomes(submission.as_str().unwrap(), "PENDING").await;
        scene.is_swept().await;
        assert_eq!((scene.rows().await, scene.files()), ([1; 3], 1));
        service.stops().await;
        if !over_bucket {
            // What is half there goes a day later; in a bucket by the bucket's own rule.
            let service = scene.service(&[]).await;
            let other = wav(1 << 20, 2);
            scene.hands_in(&service, &access, "Other", &other).await;
            eventually("no part is left", LONG_ENOUGH, async || {
                (scene.unfinished() == 0).then_some(())
            })
            .await;
            service.stops().await;
        }
    }
}

/// The file stands, and its row does not; or both do, and nothing refers to them.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_answered_when_an_instance_was_killed_is_swept() {
    for (over_bucket, table, rows) in [
        (false, "audios", [0, 0, 0]),
        (true, "audios", [0, 0, 0]),
        (false, "tracks", [1, 0, 0]),
        (true, "tracks", [1, 0, 0]),
    ] {
        let what = "a kill between a file and its answer";
        let Some(scene) = Scene::set(what, over_bucket).await else {
            return;
        };
        let mut service = scene.service(&[NO_JOBS]).await;
        let access = scene.artist(&service).await;
        let lock = scene.database.sql().await;
        let begin = format!("begin; lock table {table} in share mode");
        lock.batch_execute(&begin).await.unwrap();
        let file = wav(9 << 20, 1);
        let upload = scene.upload(&service, &access, "First Light");
        upload.send(&file).await;
        let answer = tokio::spawn(upload.end());
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        eventually("it waits for the lock", LONG_ENOUGH, async || {
            (scene.database.number(waiting).await == 1).then_some(())
        })
        .await;
        service.process.kill();
        answer.await.unwrap().unwrap_err();
        lock.batch_execute("rollback").await.unwrap();
        eventually("nobody waits any more", LONG_ENOUGH, async || {
            (scene.database.number(waiting).await == 0).then_some(())
        })
        .await;
        assert_eq!((scene.rows().await, scene.files()), (rows, 1), "{table}");

        let service = scene.service(&[]).await;
        scene.is_hidden(&service).await;
        scene.is_swept().await;
        assert_eq!((scene.rows().await, scene.files()), ([0; 3], 0), "{table}");
        assert_eq!(scene.unfinished(), 0);
        let again = scene
            .hands_in(&service, &access, "First Light", &file)
            .await;
        scene.becomes(again.as_str().unwrap(), "PENDING").await;
        service.stops().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_processed_by_whoever_is_left() {
    for over_bucket in [false, true] {
        let what = "a kill behind an answer";
        let Some(scene) = Scene::set(what, over_bucket).await else {
            return;
        };
        let mut killed = scene.service(&[NO_JOBS]).await;
        let access = scene.artist(&killed).await;
        let file = wav(9 << 20, 1);
        let submission = scene.hands_in(&killed, &access, "First Light", &file).await;
        killed.process.kill();
        let submission = submission.as_str().unwrap();
        assert_eq!(scene.status(submission).await, "PROCESSING");

        let service = scene.service(&[]).await;
        scene.becomes(submission, "PENDING").await;
        scene.is_hidden(&service).await;
        scene.is_swept().await;
        assert_eq!((scene.rows().await, scene.files()), ([1; 3], 1));
        let kept = names(&scene.music());
        let kept = std::fs::read(scene.music().join(&kept[0])).unwrap();
        assert!(kept == file, "it is what was sent");
        service.stops().await;
    }
}
