//! The demo as whoever looks at it meets it: its tracks play, and its artist has something to show.

use std::collections::{BTreeSet, HashMap, HashSet};

use empulse::demo::{self, Catalogue, Filled, Target};
use empulse::install;
use reqwest::header::RANGE;
use serde_json::{Value, json};

use crate::accounts::{count, execute};
use crate::media::files::over_bucket;
use crate::storage::s3::S3Server;
use crate::support::TestApp;

const TRACKS: u32 = 60;
const AUDIO: &str = "contentType codec sha256 byteSize durationMs channels sampleRateHz loudnessLufs truePeakDbtp streamUrl";

async fn load(app: &TestApp) -> Catalogue {
    let catalogue = Catalogue::new(1, TRACKS);
    let source = app.app.db.source();
    let mut client = source.client().await.unwrap();
    let target = Target {
        client: &mut client,
        copy: !source.is_embedded(),
    };
    demo::load(target, &catalogue, |_| {}).await.unwrap();
    catalogue
}

async fn fill(app: &TestApp, catalogue: &Catalogue, most: usize) -> Filled {
    let seen = catalogue.seen_first(most);
    demo::fill(&app.app, &seen, |_| {}).await.unwrap()
}

/// Those that can be heard.
async fn heard(app: &TestApp) -> Vec<Value> {
    let query =
        format!("{{ tracks(first: 100) {{ nodes {{ id durationMs audio {{ {AUDIO} }} }} }} }}");
    let page = app.data(&query).await;
    let nodes = page["tracks"]["nodes"].as_array().unwrap();
    let has_sound = |node: &&Value| !node["audio"].is_null();
    nodes.iter().filter(has_sound).cloned().collect()
}

/// Where it is played from; those of the service are at the port of the test's.
fn address(app: &TestApp, audio: &Value) -> String {
    let address = audio["streamUrl"].as_str().unwrap();
    match address.strip_prefix("http://localhost:8000") {
        Some(path) => app.url(path),
        None => address.to_owned(),
    }
}

async fn plays(app: &TestApp) {
    let catalogue = load(app).await;
    let filled = fill(app, &catalogue, 6).await;
    assert_eq!(filled.tracks, 6);
    assert!(filled.pictures >= 2, "{filled:?}");
    let heard = heard(app).await;
    assert_eq!(heard.len(), 6);
    let mut hashes = HashSet::new();
    for track in &heard {
        let audio = &track["audio"];
        assert_eq!(audio["contentType"], "audio/flac");
        assert_eq!(audio["codec"], "FLAC");
        assert_eq!(audio["channels"], 1);
        assert_eq!(audio["sampleRateHz"], 44_100);
        assert_eq!(track["durationMs"], audio["durationMs"]);
        let milliseconds = audio["durationMs"].as_i64().unwrap();
        assert!((3_000..=10_000).contains(&milliseconds), "{audio}");
        let loudness = audio["loudnessLufs"].as_f64().unwrap();
        assert!((-30.0..=-8.0).contains(&loudness), "{audio}");
        let peak = audio["truePeakDbtp"].as_f64().unwrap();
        assert!((-6.0..0.0).contains(&peak), "{audio}");
        assert!(hashes.insert(audio["sha256"].as_str().unwrap().to_owned()));

        let address = address(app, audio);
        let part = app.client.get(&address).header(RANGE, "bytes=4-7");
        let part = part.send().await.unwrap();
        assert_eq!(part.status(), 206);
        assert_eq!(&part.bytes().await.unwrap()[..], [0x80, 0, 0, 34]);
        let whole = app.client.get(&address).send().await.unwrap();
        assert_eq!(whole.status(), 200);
        assert_eq!(whole.headers()["content-type"], "audio/flac");
        let size = whole.bytes().await.unwrap().len();
        assert_eq!(json!(size), audio["byteSize"]);
    }
    // Each picture is some album's, artist's or track's, and has a look of its own.
    let pictures = "select count(distinct i.sha256) from images i where i.account_id is null and (
        exists (select from tracks t where t.cover_id = i.id and t.album_id is null)
        or exists (select from albums b where b.cover_id = i.id)
        or exists (select from artists a where a.image_id = i.id))";
    assert_eq!(count(app, pictures).await, filled.pictures as i64);
    let bare = "select count(*) from tracks t join artists a on a.id = t.artist_id left join albums b on b.id = t.album_id
        where t.audio_id is not null and (coalesce(t.cover_id, b.cover_id) is null or a.image_id is null)";
    assert_eq!(count(app, bare).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_tracks_play() {
    let app = TestApp::new().await;
    plays(&app).await;
    for track in heard(&app).await {
        let address = address(&app, &track["audio"]);
        let head = app.client.head(address).send().await.unwrap();
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["accept-ranges"], "bytes");
        let size = track["audio"]["byteSize"].to_string();
        assert_eq!(head.headers()["content-length"], size.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn its_tracks_play_from_a_bucket() {
    let server = S3Server::start().await;
    plays(&over_bucket(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sounds_the_same_everywhere_and_nothing_is_made_twice() {
    let mut sounds = Vec::new();
    for _ in 0..2 {
        let app = TestApp::new().await;
        let catalogue = load(&app).await;
        assert_eq!(fill(&app, &catalogue, 3).await.tracks, 3);
        assert_eq!(fill(&app, &catalogue, 3).await, Filled::default());
        // Neither is what is there loaded anew.
        load(&app).await;
        let heard = heard(&app).await;
        let of = |track: &Value| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&track["id"]), text(&track["audio"]["sha256"]))
        };
        sounds.push(heard.iter().map(of).collect::<HashMap<_, _>>());
    }
    assert_eq!(sounds[0].len(), 3);
    assert_eq!(sounds[0], sounds[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_broken_off_goes_on_and_two_at_once_make_no_more() {
    let app = TestApp::new().await;
    let catalogue = load(&app).await;
    let seen = catalogue.seen_first(8);
    let given = async || {
        count(
            &app,
            "select count(*) from tracks where audio_id is not null",
        )
        .await
    };
    let filling = demo::fill(&app.app, &seen, |_| {});
    tokio::select! {
        filled = filling => panic!("{filled:?} before it was broken off"),
        () = async { while given().await == 0 { tokio::task::yield_now().await } } => {}
    }
    let before = given().await;
    assert!((1..8).contains(&before), "{before}");
    let (one, other) = tokio::join!(
        demo::fill(&app.app, &seen, |_| {}),
        demo::fill(&app.app, &seen, |_| {}),
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!((one.tracks + other.tracks) as i64, 8 - before);
    assert_eq!(given().await, 8);
    // What nobody came to have is of what was broken off alone.
    let unused =
        "select count(*) from audios a where not exists (select from tracks where audio_id = a.id)";
    assert!(count(&app, unused).await <= 2);
}

/// The catalogue of a new embedded database: rows at once, sound by jobs, which also make up for what was killed.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_first_can_be_heard_soon() {
    let app = TestApp::new().await;
    demo::begin(&app.app).await.unwrap();
    assert_eq!(heard(&app).await, Vec::<Value>::new());
    execute(&app, "delete from tracks").await;
    app.run_jobs().await;
    assert_eq!(count(&app, "select count(*) from tracks").await, 2_000);
    let dead = "select count(*) from jobs";
    assert_eq!(count(&app, dead).await, 0);
    // The first page of each order that a visitor begins with.
    for order in ["PUBLISHED_AT", "PLAY_COUNT"] {
        let query = format!(
            "{{ tracks(orderBy: {{ field: {order}, direction: DESC }}) {{ nodes {{ audio {{ codec }} }} }} }}"
        );
        let page = app.data(&query).await;
        let nodes = page["tracks"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), 20);
        assert!(nodes.iter().all(|node| node["audio"]["codec"] == "FLAC"));
    }
}

/// Each run sets another password: one that nobody is told locks them out.
#[tokio::test(flavor = "multi_thread")]
async fn who_can_sign_in_is_told_though_there_is_no_music() {
    let app = TestApp::new().await;
    execute(&app, "alter table albums rename to gone").await;
    let mut said = String::new();
    let done = install::demo(&app.accounts, |line| said += line).await;
    done.unwrap_err();
    let password = said.split("the password is ").nth(1).unwrap();
    let password = password.split_whitespace().next().unwrap();
    for name in ["listener", "artist", "moderator", "admin"] {
        assert!(said.contains(&format!("{name}@example.org")), "{said}");
    }
    execute(&app, "alter table gone rename to albums").await;
    let query = format!(
        "mutation {{ login(input: {{ email: \"artist@example.org\", password: \"{password}\" }}) {{ errors {{ code }} account {{ id }} }} }}"
    );
    let answer = app.query(&query).await.data();
    assert!(answer["login"]["account"]["id"].is_string(), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_artist_has_an_album_a_published_track_and_one_in_review() {
    let app = TestApp::new().await;
    for round in 0..3 {
        if round == 2 {
            // As if it had been killed before the first was published.
            execute(
                &app,
                "update submissions set status = 'PENDING', reviewed_at = null, reviewed_by = null;
                 update tracks set status = 'IN_REVIEW', published_at = null",
            )
            .await;
        }
        let mut said = String::new();
        let done = install::demo(&app.accounts, |line| said += line).await;
        done.unwrap();
        assert!(said.contains("artist@example.org"), "{said}");
        let page = app
            .data("{ tracks { nodes { title durationMs audio { durationMs } album { title trackCount } artist { name } } } }")
            .await;
        let length = page["tracks"]["nodes"][0]["durationMs"].clone();
        assert!(length.is_number());
        assert_eq!(
            page["tracks"]["nodes"],
            json!([{
                "title": "Harbour Lights", "durationMs": length, "audio": { "durationMs": length },
                "album": { "title": "Low Tide", "trackCount": 1 }, "artist": { "name": "Ari Moss" },
            }])
        );
        let sql = app.sql().await;
        let rows = sql
            .query("select t.title || ' ' || t.status || ' ' || s.status from tracks t join submissions s on s.track_id = t.id", &[])
            .await
            .unwrap();
        let tracks: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let expected = [
            "Harbour Lights PUBLISHED APPROVED",
            "Slow Water IN_REVIEW PENDING",
        ];
        assert_eq!(tracks, expected.map(str::to_owned).into());
        assert_eq!(count(&app, "select count(*) from audios").await, 2);
        assert_eq!(
            count(
                &app,
                "select count(*) from albums where cover_id is not null"
            )
            .await,
            1
        );
        // The jobs find it done.
        app.run_jobs().await;
    }
    // What somebody wants to be changed of it is decided upon by somebody.
    execute(
        &app,
        "insert into submissions (id, track_id, artist_id, status, new_title, new_sort_title, created_at, updated_at)
         select gen_random_uuid(), id, artist_id, 'PENDING', 'Night', 'night', now(), now() from tracks
          where title = 'Harbour Lights'",
    )
    .await;
    install::demo(&app.accounts, |_| {}).await.unwrap();
    let waits = "select count(*) from submissions where new_title = 'Night' and status = 'PENDING'";
    assert_eq!(count(&app, waits).await, 1);
}
