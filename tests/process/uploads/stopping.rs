//! A stop while files come: who goes on sending is waited for, and who does not leaves nothing.

use std::time::Instant;

use super::*;
use crate::support::NO_JOBS;

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_a_file_that_comes() {
    for over_bucket in [false, true] {
        let what = "a stop while a file comes";
        let Some(scene) = Scene::set(what, over_bucket).await else {
            return;
        };
        let mut service = scene.service(&[NO_JOBS]).await;
        let access = scene.artist(&service).await;
        let file = wav(24 << 20, 1);
        let upload = scene.upload(&service, &access, "First Light");
        let (before, after) = file.split_at(18 << 20);
        upload.send(before).await;
        scene.becomes_unfinished().await;
        service.process.signal("TERM");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(service.process.lines("stopped").is_empty());
        upload.send(after).await;
        let answer = upload.end().await.unwrap();
        submitted(answer);
        let (status, _) = service.process.ends_within(Duration::from_secs(5)).await;
        assert_eq!(status.code(), Some(0), "{}", service.process.said());
        assert_eq!((scene.rows().await, scene.files()), ([1; 3], 1));
        assert_eq!(scene.unfinished(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_comes_too_slowly_for_a_stop_leaves_nothing() {
    let cut = async |over_bucket| {
        let what = "a stop while a file does not come on";
        let Some(scene) = Scene::set(what, over_bucket).await else {
            return;
        };
        let mut service = scene.service(&[NO_JOBS]).await;
        let access = scene.artist(&service).await;
        let upload = scene.upload(&service, &access, "First Light");
        upload.send(&wav(24 << 20, 1)[..18 << 20]).await;
        scene.becomes_unfinished().await;
        let asked = Instant::now();
        service.process.signal("TERM");
        let (status, _) = service.process.ends_within(Duration::from_secs(45)).await;
        assert_eq!(status.code(), Some(0), "{}", service.process.said());
        assert!(asked.elapsed() > Duration::from_secs(28));
        upload.breaks().await.unwrap_err();
        assert_eq!((scene.rows().await, scene.files()), ([0; 3], 0));
        assert_eq!(scene.unfinished(), 0, "{}", service.process.said());
    };
    tokio::join!(cut(false), cut(true));
}
