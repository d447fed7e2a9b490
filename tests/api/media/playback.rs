//! Music as clients find and play it.

use chrono::DurationRound;
use empulse::catalogue::TrackId;
use empulse::media::{AudioId, process};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Told, received, sound};
use crate::submissions::{ANA, Ana, moderator};
use crate::support::TestApp;
use crate::support::data::{Maker, NewTrack};

/// A service with a track that is heard by this file, measured.
async fn playable(status: &str) -> (TestApp, TrackId, AudioId) {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let track = NewTrack {
        title: "Köln",
        status,
        ..NewTrack::default()
    };
    let track = make.track(artist, track).await;
    let audio = received(&app, sound("mp3.mp3"), "audio/mpeg").await;
    plays(&app, track, audio).await;
    process(&app.app, audio, &Told::default()).await.unwrap();
    (app, track, audio)
}

async fn plays(app: &TestApp, track: TrackId, audio: AudioId) {
    app.sql()
        .await
        .execute(
            "update tracks set audio_id = $1::text::uuid where id = $2::text::uuid",
            &[&audio.0.to_string(), &track.0.to_string()],
        )
        .await
        .unwrap();
}

async fn asked(app: &TestApp, track: TrackId, fields: &str) -> Value {
    let query = format!("{{ track(id: \"{track}\") {{ audio {{ {fields} }} }} }}");
    app.data(&query).await["track"]["audio"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_shows_what_was_measured_once_it_was() {
    let app = TestApp::new().await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("ana", "Ana").await;
    let track = make.track(artist, NewTrack::default()).await;
    assert_eq!(asked(&app, track, "id").await, Value::Null);
    let audio = received(&app, sound("mp3.mp3"), "audio/mpeg").await;
    plays(&app, track, audio).await;
    assert_eq!(asked(&app, track, "id").await, Value::Null);
    process(&app.app, audio, &Told::default()).await.unwrap();

    let fields = "id contentType codec byteSize sha256 durationMs sampleRateHz channels bitrateKbps loudnessLufs \
                  truePeakDbtp waveform";
    let mut shown = asked(&app, track, fields).await;
    let number = |value: &Value| value.as_f64().unwrap();
    assert!((number(&shown["loudnessLufs"]) + 13.8).abs() < 0.1);
    assert!((number(&shown["truePeakDbtp"]) + 7.4).abs() < 0.1);
    let waveform = shown["waveform"].as_array().unwrap().clone();
    assert_eq!(waveform.len(), 200);
    assert!(
        waveform
            .iter()
            .all(|peak| (0.0..=255.0).contains(&number(peak)))
    );
    for measured in ["loudnessLufs", "truePeakDbtp", "waveform"] {
        shown[measured].take();
    }
    assert_eq!(
        shown,
        json!({
            "id": audio.to_string(), "contentType": "audio/mpeg", "codec": "MP3", "byteSize": 24_469,
            "sha256": "ab".repeat(32), "durationMs": 3_000, "sampleRateHz": 44_100, "channels": 2,
            "bitrateKbps": 65, "loudnessLufs": null, "truePeakDbtp": null, "waveform": null,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_has_from_1_to_2000_buckets() {
    let (app, track, _) = playable("PUBLISHED").await;
    for buckets in [1, 2, 999, 2_000] {
        let shown = asked(&app, track, &format!("waveform(buckets: {buckets})")).await;
        let picture = shown["waveform"].as_array().unwrap();
        assert_eq!(picture.len(), buckets);
        // The loudest moment is in each of them.
        let highest = picture.iter().filter_map(Value::as_i64).max();
        assert!((100..=110).contains(&highest.unwrap()), "{highest:?}");
    }
    for buckets in [0, -1, 2_001, i32::MAX] {
        let query =
            format!("{{ track(id: \"{track}\") {{ audio {{ waveform(buckets: {buckets}) }} }} }}");
        let answer = app.query(&query).await;
        let error = &answer.body["errors"][0];
        assert_eq!(error["extensions"]["code"], "BAD_REQUEST", "{buckets}");
        let said = format!("buckets: {buckets} is not from 1 to 2000.");
        assert_eq!(error["message"], said);
        // The track is there all the same.
        assert_eq!(answer.body["data"]["track"], json!({ "audio": null }));
    }
}

/// It has its track's visibility.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_found_where_its_track_is() {
    let (app, _, audio) = playable("PUBLISHED").await;
    let node = format!("{{ node(id: \"{audio}\") {{ id ... on Audio {{ codec streamUrl }} }} }}");
    let found = app.data(&node).await;
    assert_eq!(found["node"]["id"], audio.to_string());
    assert_eq!(found["node"]["codec"], "MP3");
    assert!(found["node"]["streamUrl"].is_string());

    for (status, is_shown) in [
        ("IN_REVIEW", true),
        ("TAKEN_DOWN", true),
        ("WITHDRAWN", true),
        ("PUBLISHED", false),
    ] {
        let (app, track, audio) = playable(status).await;
        let ana = Ana::new(&app, ANA).await;
        let ben = Ana::new(&app, "ben@example.org").await;
        let mo = moderator(&app, "mo@example.org").await;
        let sql = app.sql().await;
        let (ana_s, track_s) = (ana.artist.0.to_string(), track.0.to_string());
        let hers = "update tracks set artist_id = $1::text::uuid where id = $2::text::uuid";
        sql.execute(hers, &[&ana_s, &track_s]).await.unwrap();
        sql.execute(
            "update artists set is_shown = $2 where id = $1::text::uuid",
            &[&ana_s, &is_shown],
        )
        .await
        .unwrap();
        let node = format!("{{ node(id: \"{audio}\") {{ id }} track(id: \"{track}\") {{ id }} }}");
        let nothing = json!({ "node": null, "track": null });
        assert_eq!(app.data(&node).await, nothing, "{status}");
        assert_eq!(app.data_as(&ben.access, &node).await, nothing, "{status}");
        let found =
            json!({ "node": { "id": audio.to_string() }, "track": { "id": track.to_string() } });
        assert_eq!(app.data_as(&ana.access, &node).await, found, "{status}");
        assert_eq!(app.data_as(&mo.access, &node).await, found, "{status}");
    }
    // Of no track; and of none that there is.
    let alone = received(&app, sound("wav16.wav"), "audio/wav").await;
    process(&app.app, alone, &Told::default()).await.unwrap();
    for audio in [alone, AudioId(uuid::Uuid::now_v7())] {
        let found = app
            .data(&format!("{{ node(id: \"{audio}\") {{ id }} }}"))
            .await;
        assert_eq!(found, json!({ "node": null }));
    }
}

/// However many tracks a page has.
#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_a_page_are_read_together() {
    let (app, _, _) = playable("PUBLISHED").await;
    let mut make = Maker::new(app.sql().await);
    let artist = make.artist("bo", "Bo").await;
    let mut counts = Vec::new();
    for _ in 0..2 {
        for track in make.tracks(artist, 4).await {
            let audio = received(&app, sound("wav32f.wav"), "audio/wav").await;
            plays(&app, track, audio).await;
            process(&app.app, audio, &Told::default()).await.unwrap();
        }
        let before = app.app.db.statements();
        let page = app
            .data("{ tracks(first: 20) { nodes { audio { codec waveform(buckets: 3) streamUrl } } } }")
            .await;
        let nodes = page["tracks"]["nodes"].as_array().unwrap();
        assert!(
            nodes.iter().all(|node| node["audio"]["codec"].is_string()),
            "{page}"
        );
        counts.push((nodes.len(), app.app.db.statements() - before));
    }
    let [(5, few), (9, many)] = counts[..] else {
        panic!("{counts:?}");
    };
    assert_eq!(few, many);
}

/// Where the address of a file leads in this test, whatever the service is called elsewhere.
async fn address(app: &TestApp, track: TrackId) -> String {
    let shown = asked(app, track, "streamUrl").await;
    let url: url::Url = shown["streamUrl"].as_str().unwrap().parse().unwrap();
    app.url(&format!("{}?{}", url.path(), url.query().unwrap()))
}

async fn get(app: &TestApp, address: &str, headers: &[(&str, &str)]) -> Response {
    let ask = app.client.request(Method::GET, address);
    let ask = headers
        .iter()
        .fold(ask, |ask, (name, value)| ask.header(*name, *value));
    ask.send().await.unwrap()
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_played_from_any_place() {
    let (app, track, _) = playable("PUBLISHED").await;
    let bytes = sound("mp3.mp3");
    let address = address(&app, track).await;
    let whole = get(&app, &address, &[]).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(header(&whole, "content-type"), "audio/mpeg");
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    assert_eq!(
        header(&whole, "content-disposition"),
        "inline; filename=\"K_ln.mp3\"; filename*=UTF-8''K%C3%B6ln.mp3"
    );
    let etag = header(&whole, "etag").to_owned();
    assert!(whole.bytes().await.unwrap() == bytes);

    let size = bytes.len();
    for (range, part) in [
        ("bytes=0-1", 0..2),
        ("bytes=10000-", 10_000..size),
        ("bytes=-128", size - 128..size),
    ] {
        let got = get(&app, &address, &[("range", range), ("if-range", &etag)]).await;
        assert_eq!(got.status(), 206, "{range}");
        let said = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        assert_eq!(header(&got, "content-range"), said);
        assert!(got.bytes().await.unwrap() == bytes[part]);
    }
    // Several at once, or of another version: the whole.
    for headers in [
        &[("range", "bytes=0-1,100-101")][..],
        &[("range", "bytes=0-1"), ("if-range", "\"another\"")],
    ] {
        let got = get(&app, &address, headers).await;
        assert_eq!(got.status(), 200);
        assert!(got.bytes().await.unwrap() == bytes);
    }
    let head = app.client.head(&address).send().await.unwrap();
    assert_eq!(
        (head.status().as_u16(), header(&head, "etag")),
        (200, &*etag)
    );
    assert_eq!(header(&head, "content-length"), size.to_string());
    let behind = get(&app, &address, &[("range", &format!("bytes={size}-"))]).await;
    assert_eq!(behind.status(), 416);
}

/// The same for all who ask within an hour, so that what was played is not fetched again.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_good_until_it_says() {
    let (app, track, _) = playable("PUBLISHED").await;
    let fields = "streamUrl streamUrlExpiresAt";
    let one = asked(&app, track, fields).await;
    let expires_at = one["streamUrlExpiresAt"].as_str().unwrap();
    let expires_at: chrono::DateTime<chrono::Utc> = expires_at.parse().unwrap();
    let left = expires_at - app.app.clock.now();
    assert!((59..=120).contains(&left.num_minutes()), "{left}");
    let address = address(&app, track).await;
    // All who ask within an hour get the same.
    let hour = chrono::TimeDelta::hours(1);
    let next = app.app.clock.now().duration_trunc(hour).unwrap() + hour;
    let begins = next - app.app.clock.now() + chrono::TimeDelta::seconds(1);
    let minutes = chrono::TimeDelta::minutes(58);
    app.app.clock.advance(begins);
    let early = asked(&app, track, fields).await;
    app.app.clock.advance(minutes);
    assert_eq!(asked(&app, track, fields).await, early);
    app.app.clock.advance(-(begins + minutes));

    app.app.clock.advance(left - chrono::TimeDelta::seconds(5));
    assert_eq!(get(&app, &address, &[]).await.status(), 200);
    let other = asked(&app, track, fields).await;
    assert_ne!(one["streamUrl"], other["streamUrl"]);
    app.app.clock.advance(chrono::TimeDelta::seconds(6));
    assert_eq!(get(&app, &address, &[]).await.status(), 403);
}
