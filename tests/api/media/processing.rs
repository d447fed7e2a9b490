//! Scanning and measuring, from the storage to the row.

use std::time::{Duration, Instant};

use empulse::media::{AudioId, Stage, Unprocessed, process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Told, key, long, received, sound};
use crate::support::TestApp;

/// What is known of a file, as text; nothing but nulls before.
async fn row(app: &TestApp, audio: AudioId) -> String {
    let row = app
        .sql()
        .await
        .query_one(
            "select concat_ws(' ', codec, duration_ms, sample_rate_hz, channels, bitrate_kbps, \
             round(loudness_lufs::numeric, 1), round(true_peak_dbtp::numeric, 1), octet_length(peaks), \
             case when scanned_at is not null then 'scanned' end) from audios where id = $1::text::uuid",
            &[&audio.0.to_string()],
        )
        .await
        .unwrap();
    row.get(0)
}

async fn unusable(app: &TestApp, audio: AudioId) -> String {
    match process(&app.app, audio, &Told::default()).await {
        Err(Unprocessed::Unusable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

async fn passing(app: &TestApp, audio: AudioId) -> String {
    match process(&app.app, audio, &Told::default()).await {
        Err(Unprocessed::Passing(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_stands_in_the_row_and_is_measured_once() {
    let app = TestApp::new().await;
    let audio = received(&app, sound("index-last.m4a"), "audio/mp4").await;
    assert_eq!(row(&app, audio).await, "");
    let told = Told::default();
    process(&app.app, audio, &told).await.unwrap();
    let found = row(&app, audio).await;
    assert_eq!(found, "AAC 3042 44100 2 64 -13.2 -5.7 1048");
    assert_eq!(told.stages(), [Stage::Queued, Stage::Measuring]);

    // Again, without its file: nothing is left to be done.
    app.app.storage.delete(&key(audio)).await.unwrap();
    process(&app.app, audio, &Told::default()).await.unwrap();
    assert_eq!(row(&app, audio).await, found);
}

/// Over many blocks, by two instances of a job at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_file_is_measured_while_it_is_told_how_far_it_is() {
    let app = TestApp::new().await;
    let audio = received(&app, long(300), "audio/wav").await;
    let (one, other) = (Told::default(), Told::default());
    let both = tokio::join!(
        process(&app.app, audio, &one),
        process(&app.app, audio, &other)
    );
    both.0.unwrap();
    both.1.unwrap();
    let found = row(&app, audio).await;
    assert!(found.starts_with("PCM 300000 48000 2 1536 "), "{found}");
    for told in [one, other] {
        let told = told.all();
        assert!(
            told.is_sorted_by(|one, next| one.0 != next.0 || one.1 <= next.1),
            "{told:?}"
        );
        let is_between = |(stage, fraction): &(Stage, f64)| {
            *stage == Stage::Measuring && 0.0 < *fraction && *fraction < 1.0
        };
        assert!(told.iter().any(is_between), "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_used_says_why_and_is_left_as_it_was() {
    let app = TestApp::new().await;
    let mut half = sound("flac16.flac");
    half.truncate(half.len() / 2);
    let audio = received(&app, half, "audio/flac").await;
    let reason = unusable(&app, audio).await;
    assert_eq!(reason, "The file ends in the middle of its sound.");
    assert_eq!(row(&app, audio).await, "");

    let gone = AudioId(uuid::Uuid::now_v7());
    assert_eq!(
        unusable(&app, gone).await,
        "The file is not there any more."
    );
}

/// Not a fault of the file's.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_read_is_tried_again() {
    let app = TestApp::new().await;
    let audio = received(&app, sound("mp3.mp3"), "audio/mpeg").await;
    app.app.storage.delete(&key(audio)).await.unwrap();
    let reason = passing(&app, audio).await;
    assert_eq!(reason, "not measured: there is no such file");
    // One that is shorter than it was when it came.
    let facts = empulse::storage::Facts::of(empulse::storage::ContentType::OCTETS);
    let short = sound("mp3.mp3")[..10_000].to_vec();
    app.app
        .storage
        .put(&key(audio), short, &facts)
        .await
        .unwrap();
    let reason = passing(&app, audio).await;
    assert_eq!(
        reason,
        "not measured: the storage has 10000 of the bytes 0 to 24469"
    );
    assert_eq!(row(&app, audio).await, "");
}

/// Whoever leaves takes the work along, and its core is free for others.
#[tokio::test(flavor = "multi_thread")]
async fn who_no_longer_waits_stops_it() {
    let app = TestApp::new().await;
    let bytes = long(600);
    let whole = received(&app, bytes.clone(), "audio/wav").await;
    let began = Instant::now();
    process(&app.app, whole, &Told::default()).await.unwrap();
    let takes = began.elapsed();
    let long = received(&app, bytes, "audio/wav").await;
    // More than there are cores: whoever had to wait for each would wait for six times what one takes at least, and one
    // may be held by another test for as long as that.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    for _ in 0..6 * (cores / 2).max(1) {
        let told = Told::default();
        let until_it_measures = async {
            while !told.stages().contains(&Stage::Measuring) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            done = process(&app.app, long, &told) => panic!("done already: {done:?}"),
            () = until_it_measures => {}
        }
    }
    let short = received(&app, sound("vorbis.ogg"), "audio/ogg").await;
    process(&app.app, short, &Told::default()).await.unwrap();
    assert!(
        began.elapsed() < 3 * takes,
        "{:?} of {takes:?}",
        began.elapsed()
    );
    assert_eq!(row(&app, long).await, "");
}

/// A scanner that says this of whatever it is sent, and its setting.
pub async fn scanner(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.read_exact(&mut [0; 10]).await?;
                loop {
                    let length = stream.read_u32().await?;
                    if length == 0 {
                        return stream.write_all(answer).await;
                    }
                    stream.read_exact(&mut vec![0; length as usize]).await?;
                }
            });
        }
    });
    format!("tcp://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_scanned_before_it_is_measured() {
    let scanner = scanner(b"stream: OK\0").await;
    let app = TestApp::with(&[("EMPULSE_CLAMAV", &scanner)]).await;
    let audio = received(&app, sound("speech.opus"), "audio/ogg").await;
    let told = Told::default();
    process(&app.app, audio, &told).await.unwrap();
    assert_eq!(
        row(&app, audio).await,
        "Opus 3000 48000 1 17 -16.6 -9.6 1125 scanned"
    );
    let stages = [Stage::Queued, Stage::Scanning, Stage::Measuring];
    assert_eq!(told.stages(), stages);
}

/// One that was measured before there was a scanner.
#[tokio::test(flavor = "multi_thread")]
async fn a_scanner_that_came_later_looks_at_what_is_there() {
    let without = TestApp::new().await;
    let audio = received(&without, sound("wav16.wav"), "audio/wav").await;
    process(&without.app, audio, &Told::default())
        .await
        .unwrap();
    let found = row(&without, audio).await;
    let scanner = scanner(b"stream: OK\0").await;
    let with = without.instance(&[("EMPULSE_CLAMAV", &scanner)]).await;
    let told = Told::default();
    process(&with.app, audio, &told).await.unwrap();
    assert_eq!(row(&with, audio).await, format!("{found} scanned"));
    assert_eq!(told.stages(), [Stage::Queued, Stage::Scanning]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scanner_finds_is_final_and_its_name_is_not_told() {
    let scanner = scanner(b"stream: Win.Test.EICAR_HDB-1 FOUND\0").await;
    let app = TestApp::with(&[("EMPULSE_CLAMAV", &scanner)]).await;
    let audio = received(&app, sound("wav16.wav"), "audio/wav").await;
    assert_eq!(
        unusable(&app, audio).await,
        "A virus scanner refused the file."
    );
    assert_eq!(row(&app, audio).await, "");
}

/// Nothing fails open.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_not_scanned_is_not_measured_either() {
    let away = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("tcp://{}", away.local_addr().unwrap());
    drop(away);
    for (scanner, reason) in [
        (nobody, "not scanned: the scanner can't be reached"),
        (
            scanner(b"INSTREAM size limit exceeded. ERROR\0").await,
            "not scanned: the file is larger than the scanner takes",
        ),
        (scanner(b"").await, "not scanned: the scanner broke off"),
    ] {
        let app = TestApp::with(&[("EMPULSE_CLAMAV", &scanner)]).await;
        let audio = received(&app, sound("wav16.wav"), "audio/wav").await;
        let said = passing(&app, audio).await;
        assert!(said.starts_with(reason), "{said}");
        assert_eq!(row(&app, audio).await, "");
    }
}
