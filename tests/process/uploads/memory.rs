//! What many files at once take of the memory of one process.

use futures_util::future::join_all;

use super::*;
use crate::support::NO_JOBS;

const SIZE: usize = 20 << 20;
const MANY: u16 = 50;

/// The most that a process ever held, in MiB.
fn most_held(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_files_at_once_take_bounded_memory() {
    // An upload to a bucket holds a part of 8 MiB while it fills, and eight of all of them are on their way.
    for (over_bucket, at_most) in [(false, 256), (true, 640)] {
        let what = "fifty uploads at once";
        let Some(scene) = Scene::set(what, over_bucket).await else {
            return;
        };
        let service = scene.service(&[NO_JOBS]).await;
        let access = scene.artist(&service).await;
        let process = service.process.id();
        // What everything takes that is done for the first time.
        let small = wav(1 << 20, 0);
        scene.hands_in(&service, &access, "Small", &small).await;
        let before = most_held(process);
        let hands_in = async |number: u16| {
            let file = wav(SIZE, number);
            let title = format!("Track {number}");
            scene.hands_in(&service, &access, &title, &file).await
        };
        hands_in(1).await;
        let one = most_held(process) - before;
        // All of them are under way at once: none ends before the last has begun.
        let uploads = (2..2 + MANY).map(async |number: u16| {
            let file = wav(SIZE, number);
            let upload = scene.upload(&service, &access, &format!("Track {number}"));
            upload.send(&file[..SIZE - 10]).await;
            (upload, file)
        });
        let uploads = join_all(uploads).await;
        let ended = uploads.into_iter().map(async |(upload, file)| {
            upload.send(&file[SIZE - 10..]).await;
            submitted(upload.end().await.unwrap())
        });
        join_all(ended).await;
        let many = most_held(process) - before;
        println!(
            "bucket {over_bucket}: {before} MiB before, {one} more for one, {many} more for {MANY}"
        );
        assert!(one < 64, "{one} MiB for one");
        assert!(many < at_most, "{many} MiB for {MANY}");
        assert_eq!(scene.files(), usize::from(MANY) + 2);
        service.stops().await;
    }
}
