//! Tracks that are handed in with their files, as clients send them.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::stream;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{ANA, Ana, SOUND, moderator, review, seen, verify_receipt};
use crate::accounts::tokens::narrowed;
use crate::accounts::{Limited, count, execute, mistakes, only_field, own_email, wait};
use crate::media::files::{over_bucket, picture, stored};
use crate::storage::s3::{Fault, S3Server};
use crate::support::{Answer, Folder, TestApp};
use crate::uploads;

pub const SUBMIT: &str = "mutation ($input: SubmitTrackInput!) { submitTrack(input: $input) {
    track { id title status isExplicit isrc genre { slug } album { id } submission { id } }
    submission { id status }
    receipt { submissionId sha256 byteSize receivedAt keyId signature }
    errors { code message path } } }";
const RESUBMIT: &str = "mutation ($input: ResubmitTrackInput!) { resubmitTrack(input: $input) {
    track { status } submission { status note } receipt { submissionId sha256 }
    errors { code message path } } }";

pub const AUDIO: &str = "input.audio.upload";
const COVER: &str = "input.cover";

fn flac() -> Vec<u8> {
    std::fs::read(SOUND).unwrap()
}

impl Ana {
    pub fn input(&self, title: &str) -> Value {
        json!({ "input": {
            "artistId": self.artist.to_string(),
            "title": title,
            "genreSlug": "pop",
            "isExplicit": false,
            "audio": { "upload": null },
            "cover": null,
        } })
    }

    fn request(
        &self,
        app: &TestApp,
        query: &str,
        variables: &Value,
        files: &[(&str, &[u8])],
    ) -> reqwest::RequestBuilder {
        uploads::request(app, query, variables, files).bearer_auth(&self.access)
    }

    async fn hands_in(&self, app: &TestApp, variables: &Value, files: &[(&str, &[u8])]) -> Answer {
        let request = self.request(app, SUBMIT, variables, files);
        Answer::of(request.send().await.unwrap()).await
    }

    /// What came of handing in, which ran.
    async fn submitted(&self, app: &TestApp, variables: &Value, files: &[(&str, &[u8])]) -> Value {
        only_field(self.hands_in(app, variables, files).await.data())
    }
}

/// Rows and files of whatever came in.
pub async fn left(app: &TestApp) -> [i64; 6] {
    app.app.storage.close().await;
    let rows = async |table: &str| count(app, &format!("select count(*) from {table}")).await;
    [
        rows("tracks").await,
        rows("submissions").await,
        rows("audios").await,
        rows("images").await,
        stored(app, "audio").await.len() as i64,
        stored(app, "image").await.len() as i64,
    ]
}

/// What a day's sweeping leaves.
async fn swept(app: &TestApp) -> [i64; 6] {
    wait(app, chrono::TimeDelta::hours(25));
    execute(
        app,
        "update gone_files set gone_at = gone_at - interval '25 hours';
         insert into jobs (id, kind, payload, due_at) values (gen_random_uuid(), 'media.sweep', '{}', now())",
    )
    .await;
    app.run_jobs().await;
    left(app).await
}

/// What anybody finds who checks a receipt by the keys that the service publishes, and a file by the receipt.
async fn verified(app: &TestApp, receipt: &Value, file: &[u8]) -> anyhow::Result<String> {
    let url = app.url("/.well-known/empulse-keys.json");
    let keys = app.client.get(url).send().await.unwrap();
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("keys.json"), keys.bytes().await.unwrap()).unwrap();
    std::fs::write(path("file"), file).unwrap();
    let arguments = verify_receipt::Arguments {
        keys: path("keys.json"),
        file: Some(path("file")),
    };
    verify_receipt::run(&arguments, receipt.to_string().as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_is_checked_offline_and_nothing_else_passes_for_one() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let audio = flac();
    let submitted = ana
        .submitted(&app, &ana.input("First Light"), &[(AUDIO, &audio)])
        .await;
    let receipt = &submitted["receipt"];
    let said = verified(&app, receipt, &audio).await.unwrap();
    assert!(
        said.contains(submitted["submission"]["id"].as_str().unwrap()),
        "{said}"
    );
    let other = verified(&app, receipt, b"fLaC").await.unwrap_err();
    assert!(other.to_string().contains("is another file"), "{other}");
    for (field, value) in [
        (
            "submissionId",
            json!("submission_00000000000000000000000000"),
        ),
        ("sha256", json!("0".repeat(64))),
        ("byteSize", json!(1)),
        ("receivedAt", json!("2020-01-01T00:00:00Z")),
        ("keyId", json!("another")),
        ("signature", json!("AAAA")),
    ] {
        let mut altered = receipt.clone();
        altered[field] = value;
        verified(&app, &altered, &audio).await.unwrap_err();
    }
}

/// What is narrowed to one thing sees little; what it has done it is told.
#[tokio::test(flavor = "multi_thread")]
async fn who_hands_in_is_told_of_the_track_whatever_they_see() {
    let app = TestApp::new().await;
    let mut ana = Ana::new(&app, ANA).await;
    let check = format!("check if resource(\"{}\")", ana.artist);
    ana.access = narrowed(&ana.access, &check);
    let submitted = ana
        .submitted(&app, &ana.input("First Light"), &[(AUDIO, &flac())])
        .await;
    assert_eq!(mistakes(&submitted), Vec::<String>::new(), "{submitted}");
    assert_eq!(submitted["track"]["title"], "First Light");
    assert_eq!(submitted["track"]["status"], "PROCESSING");
}

async fn each_format_comes_in_and_is_published(app: &TestApp) {
    let ana = Ana::new(app, ANA).await;
    let reviewer = moderator(app, "mo@example.org").await;
    for name in [
        "wav16.wav",
        "flac16.flac",
        "mp3.mp3",
        "aac.aac",
        "index-last.m4a",
        "vorbis.ogg",
        "opus.opus",
    ] {
        let bytes = std::fs::read(format!("tests/sounds/{name}")).unwrap();
        let digest = Sha256::digest(&bytes);
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut variables = ana.input(name);
        variables["input"]["audioSha256"] = json!(hash.to_uppercase());
        variables["input"]["isExplicit"] = json!(true);
        variables["input"]["isrc"] = json!("us-rc1-76-07839");
        let files: &[(&str, &[u8])] = &[(COVER, &picture()), (AUDIO, &bytes)];
        let submitted = ana.submitted(app, &variables, files).await;
        assert_eq!(mistakes(&submitted), Vec::<String>::new(), "{submitted}");
        let (track, submission) = (&submitted["track"], &submitted["submission"]);
        assert_eq!(submission["status"], "PROCESSING");
        assert_eq!(
            track,
            &json!({
                "id": track["id"], "title": name, "status": "PROCESSING", "isExplicit": true,
                "isrc": "USRC17607839", "genre": { "slug": "pop" }, "album": null,
                "submission": { "id": submission["id"] },
            })
        );
        let receipt = &submitted["receipt"];
        assert_eq!(receipt["submissionId"], submission["id"]);
        assert_eq!(receipt["sha256"], json!(hash));
        assert_eq!(receipt["byteSize"], json!(bytes.len()));
        verified(app, receipt, &bytes).await.unwrap();
        app.run_jobs().await;
        let id = submission["id"].as_str().unwrap();
        let waiting = seen(app, &ana.access, id).await;
        assert_eq!(waiting["status"], "PENDING", "{name}: {waiting}");
        review(app, &reviewer, id, "APPROVE", None).await;
        let heard = format!(
            "{{ track(id: {}) {{ status durationMs audio {{ streamUrl byteSize sha256 }} }} }}",
            track["id"]
        );
        let heard = app.data(&heard).await["track"].take();
        assert_eq!(heard["status"], "PUBLISHED", "{name}");
        assert!(heard["durationMs"].as_i64().unwrap() > 0, "{name}");
        assert_eq!(heard["audio"]["byteSize"], json!(bytes.len()), "{name}");
        let url = heard["audio"]["streamUrl"].as_str().unwrap();
        let url = match url.starts_with(&app.url("/")) || url.contains("X-Amz-Signature") {
            true => url.to_owned(),
            // The address that it says it has; tests have another.
            false => app.url(&url[url.find("/media/").unwrap()..]),
        };
        let played = app
            .client
            .get(&url)
            .header("range", "bytes=10-")
            .send()
            .await
            .unwrap();
        assert_eq!(played.status(), 206, "{name}: {url}");
        assert!(played.bytes().await.unwrap() == bytes[10..], "{name}");
    }
    assert_eq!(left(app).await, [7, 7, 7, 7, 7, 28]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_comes_in_and_is_published_in_a_folder() {
    each_format_comes_in_and_is_published(&TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_format_comes_in_and_is_published_in_a_bucket() {
    let server = S3Server::start().await;
    each_format_comes_in_and_is_published(&over_bucket(&server).await).await;
    assert_eq!(server.unfinished(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_taken_in_the_order_in_which_they_come() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let (cover, audio) = (picture(), flac());
    for (title, files) in [
        ("Cover first", [(COVER, &cover[..]), (AUDIO, &audio[..])]),
        ("Audio first", [(AUDIO, b"fLaC other"), (COVER, &cover)]),
    ] {
        let submitted = ana.submitted(&app, &ana.input(title), &files).await;
        assert_eq!(mistakes(&submitted), Vec::<String>::new(), "{submitted}");
    }
    assert_eq!(left(&app).await, [2, 2, 2, 2, 2, 8]);
    // Two at once take theirs one after the other: the request has to have them so.
    let both = SUBMIT.replace("mutation ($input: SubmitTrackInput!) {", "mutation ($input: SubmitTrackInput!, $b: SubmitTrackInput!) { b: submitTrack(input: $b) { errors { code } }");
    let mut variables = ana.input("One");
    variables["b"] = ana.input("Two")["input"].take();
    let files: [(&str, &[u8]); 2] = [("b.audio.upload", b"fLaC two"), (AUDIO, b"fLaC one")];
    let request = ana.request(&app, &both, &variables, &files);
    let data = Answer::of(request.send().await.unwrap()).await.data();
    assert_eq!(data["b"]["errors"], json!([]));
    assert_eq!(data["submitTrack"]["errors"], json!([]));
    variables["input"]["title"] = json!("Three");
    let files: [(&str, &[u8]); 2] = [(AUDIO, b"fLaC three"), ("b.audio.upload", b"fLaC four")];
    let request = ana.request(&app, &both, &variables, &files);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(answer.code(), "BAD_REQUEST");
    assert!(
        answer.message().contains("in the order in which"),
        "{}",
        answer.message()
    );
    assert_eq!(answer.body["data"]["b"]["errors"], json!([]));
    assert_eq!(answer.body["data"]["submitTrack"], Value::Null);
    assert_eq!(left(&app).await, [5, 5, 5, 2, 5, 8]);
    // One that is refused before it takes its file is in nobody's way.
    variables["b"]["title"] = json!(" ");
    let files: [(&str, &[u8]); 2] = [("b.audio.upload", b"fLaC five"), (AUDIO, b"fLaC six")];
    let request = ana.request(&app, &both, &variables, &files);
    let data = Answer::of(request.send().await.unwrap()).await.data();
    assert_eq!(data["b"]["errors"], json!([{ "code": "REQUIRED" }]));
    assert_eq!(data["submitTrack"]["errors"], json!([]));
    assert_eq!(left(&app).await, [6, 6, 6, 2, 6, 8]);
}

/// What is sent, with which files, and what is wrong with it.
type Case<'a> = (&'a Value, &'a [(&'a str, &'a [u8])], &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_where_and_leaves_nothing() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let (cover, audio) = (picture(), flac());
    let broken = &cover[..200];
    let good = ana.input("First Light");
    let other = |name: &str, value: Value| {
        let mut variables = good.clone();
        variables["input"][name] = value;
        variables
    };
    let zeroes = other("audioSha256", json!("0".repeat(64)));
    let cases: [Case; 11] = [
        (&good, &[(AUDIO, b"")], &["EMPTY audio upload"]),
        (
            &good,
            &[(AUDIO, &cover)],
            &["UNSUPPORTED_MEDIA audio upload"],
        ),
        (
            &good,
            &[(AUDIO, &audio), (COVER, broken)],
            &["UNSUPPORTED_MEDIA cover"],
        ),
        (
            &good,
            &[(AUDIO, &audio), (COVER, &audio)],
            &["UNSUPPORTED_MEDIA cover"],
        ),
        (
            &good,
            &[(COVER, &cover), (AUDIO, b"MZ no music")],
            &["UNSUPPORTED_MEDIA audio upload"],
        ),
        (
            &zeroes,
            &[(COVER, &cover), (AUDIO, &audio)],
            &["CHECKSUM_MISMATCH audioSha256"],
        ),
        (
            &other("audioSha256", json!("f00")),
            &[(AUDIO, &audio)],
            &["CHECKSUM_MISMATCH audioSha256"],
        ),
        (
            &other("title", json!(" ")),
            &[(AUDIO, &audio)],
            &["REQUIRED title"],
        ),
        (
            &other("genreSlug", json!("polka")),
            &[(AUDIO, &audio)],
            &["NOT_FOUND genreSlug"],
        ),
        (
            &other("artistId", json!("x")),
            &[(AUDIO, &audio)],
            &["NOT_FOUND artistId"],
        ),
        (
            &other("albumId", json!("x")),
            &[(AUDIO, &audio)],
            &["NOT_FOUND albumId"],
        ),
    ];
    for (variables, files, expected) in cases {
        let submitted = ana.submitted(&app, variables, files).await;
        assert_eq!(mistakes(&submitted), expected, "{submitted}");
        assert_eq!(submitted["track"], Value::Null);
        assert_eq!(submitted["submission"], Value::Null);
        assert_eq!(submitted["receipt"], Value::Null);
    }
    // No file, null, and what only looks like one.
    for audio in [
        json!({}),
        Value::Null,
        json!({ "upload": null }),
        json!({ "upload": "#__graphql_file__:0" }),
    ] {
        let variables = other("audio", audio);
        let input = variables["input"].clone();
        let answer = app.call(Some(&ana.access), SUBMIT, input).await;
        assert_eq!(answer.status, 422, "{variables}: {}", answer.body);
    }
    let gone = "select count(*) from gone_files";
    // Files of ours that stood beside one that was refused: twice the music, twice the picture.
    assert_eq!(count(&app, gone).await, 4);
    assert_eq!(swept(&app).await, [0; 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_bytes_at_once_one_is_taken() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let bytes = flac();
    let (one, two) = (ana.input("One"), ana.input("Two"));
    let files = [(AUDIO, &bytes[..])];
    let (one, two) = tokio::join!(
        ana.submitted(&app, &one, &files),
        ana.submitted(&app, &two, &files)
    );
    let mut told = [mistakes(&one).join(""), mistakes(&two).join("")];
    told.sort();
    assert_eq!(told, ["", "DUPLICATE audio"]);
    assert_eq!(swept(&app).await, [1, 1, 1, 0, 1, 0]);
}

/// A request on its way: its body goes on as long as there are pieces, and ends or breaks off then.
struct OnItsWay {
    pieces: mpsc::Sender<io::Result<Vec<u8>>>,
    answer: JoinHandle<reqwest::Result<reqwest::Response>>,
}

const MANY: usize = 40;

impl OnItsWay {
    /// So much of it is sent that the service must have taken some of the file.
    async fn new(app: &TestApp, ana: &Ana, variables: &Value) -> Self {
        let whole = ana.request(app, SUBMIT, variables, &[(AUDIO, b"fLaC")]);
        let whole = whole.build().unwrap();
        let mut begins = whole.body().unwrap().as_bytes().unwrap().to_vec();
        begins.truncate(begins.len() - b"\r\n--x--\r\n".len());
        let (pieces, receiver) = mpsc::channel(1);
        let body = stream::unfold(receiver, |mut receiver| async {
            let piece: io::Result<Vec<u8>> = receiver.recv().await?;
            Some((piece, receiver))
        });
        let request = ana.request(app, SUBMIT, variables, &[]);
        let request = request.body(reqwest::Body::wrap_stream(body));
        let answer = tokio::spawn(request.send());
        // Who is answered before may be heard no longer.
        let _ = pieces.send(Ok(begins)).await;
        for _ in 0..MANY {
            let _ = pieces.send(Ok(vec![7; 512 << 10])).await;
        }
        Self { pieces, answer }
    }

    async fn ends(self) -> Answer {
        let _ = self.pieces.send(Ok(b"\r\n--x--\r\n".to_vec())).await;
        drop(self.pieces);
        Answer::of(self.answer.await.unwrap().unwrap()).await
    }

    async fn breaks_off(self) {
        let left = io::Error::other("its sender leaves");
        self.pieces.send(Err(left)).await.unwrap();
        drop(self.pieces);
        self.answer.await.unwrap().unwrap_err();
    }
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let so = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), so).await;
    assert!(waited.is_ok(), "{what}");
}

/// How much lies below a folder.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.filter_map(Result::ok).map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => size(&path),
            false => entry.metadata().map_or(0, |facts| facts.len()),
        }
    });
    sizes.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_leaves_nothing_in_a_folder() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let files = app.folder().join("files");
    let way = OnItsWay::new(&app, &ana, &ana.input("Half")).await;
    until("some of it is there", async || size(&files) > 1 << 20).await;
    way.breaks_off().await;
    until("nothing of it is left", async || size(&files) == 0).await;
    assert_eq!(left(&app).await, [0; 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_leaves_nothing_in_a_bucket() {
    let server = S3Server::start().await;
    let app = over_bucket(&server).await;
    let ana = Ana::new(&app, ANA).await;
    let way = OnItsWay::new(&app, &ana, &ana.input("Half")).await;
    until("some of it is there", async || server.unfinished() == 1).await;
    way.breaks_off().await;
    until("nothing of it is left", async || server.unfinished() == 0).await;
    assert_eq!(left(&app).await, [0; 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_while_a_file_comes_hands_in_nothing() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let way = OnItsWay::new(&app, &ana, &ana.input("Half")).await;
    execute(
        &app,
        &format!("update accounts set status = 'SUSPENDED' where email = '{ANA}'"),
    )
    .await;
    let answer = way.ends().await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    assert_eq!(answer.body["data"], json!({ "submitTrack": null }));
    assert_eq!(left(&app).await, [0; 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_fails_leaves_nothing_and_is_told_from_what_can_be_mended() {
    let server = S3Server::start().await;
    let app = over_bucket(&server).await;
    let ana = Ana::new(&app, ANA).await;
    for (kind, fault) in [
        ("part", Fault::Status(403, "AccessDenied")),
        ("finish", Fault::Status(403, "AccessDenied")),
    ] {
        server.plan.fail(kind, fault, 1);
        let answer = OnItsWay::new(&app, &ana, &ana.input("Half"))
            .await
            .ends()
            .await;
        assert_eq!(answer.code(), "INTERNAL", "{kind}");
        assert_eq!(left(&app).await, [0; 6], "{kind}");
        until("nothing of it is left", async || server.unfinished() == 0).await;
    }
    // An answer that is lost is found out.
    server.plan.fail("finish", Fault::LoseAnswer, 1);
    let submitted = OnItsWay::new(&app, &ana, &ana.input("Whole"))
        .await
        .ends()
        .await;
    assert_eq!(only_field(submitted.data())["errors"], json!([]));
    assert_eq!(left(&app).await, [1, 1, 1, 0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_file_takes_the_place_of_one_that_failed() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let bad: &[u8] = b"fLaC and nothing behind it";
    let submitted = ana
        .submitted(&app, &ana.input("First Light"), &[(AUDIO, bad)])
        .await;
    let id = submitted["submission"]["id"].clone();
    app.run_jobs().await;
    let variables =
        json!({ "input": { "submissionId": id, "note": "Again.", "audio": { "upload": null } } });
    let audio = flac();
    let resubmit = async |file: &[u8]| {
        let request = ana.request(&app, RESUBMIT, &variables, &[(AUDIO, file)]);
        only_field(Answer::of(request.send().await.unwrap()).await.data())
    };
    let refused = resubmit(b"MZ").await;
    assert_eq!(mistakes(&refused), ["UNSUPPORTED_MEDIA audio upload"]);
    let again = resubmit(&audio).await;
    assert_eq!(mistakes(&again), Vec::<String>::new(), "{again}");
    assert_eq!(
        again["submission"],
        json!({ "status": "PROCESSING", "note": "Again." })
    );
    assert_eq!(again["receipt"]["submissionId"], id);
    app.run_jobs().await;
    let waiting = seen(&app, &ana.access, id.as_str().unwrap()).await;
    assert_eq!(waiting["status"], "PENDING");
    // Too late for another.
    let late = resubmit(&audio).await;
    assert_eq!(mistakes(&late), ["INVALID_STATE submissionId"]);
    assert_eq!(swept(&app).await, [1, 1, 1, 0, 1, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn under_a_key_a_track_is_handed_in_once_with_its_files() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    let (audio, cover) = (flac(), picture());
    let variables = ana.input("First Light");
    let send = async |files: &[(&str, &[u8])]| {
        let request = ana.request(&app, SUBMIT, &variables, files);
        let request = request.header("idempotency-key", "5f0c4b1e-0c8f-4c86-9fb5-95ca33d0b5b2");
        Answer::of(request.send().await.unwrap()).await
    };
    let files: [(&str, &[u8]); 2] = [(AUDIO, &audio), (COVER, &cover)];
    let (one, two) = tokio::join!(send(&files), send(&files));
    let (first, second) = match one.status == 200 {
        true => (one, two),
        false => (two, one),
    };
    // The other came while the first ran, or after it.
    match second.status {
        409 => assert_eq!(second.code(), "CONFLICT"),
        _ => assert_eq!(second.body, first.body),
    }
    let again = send(&files).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.body, first.body);
    let mut other = cover.clone();
    other.push(0);
    let refused = send(&[(AUDIO, &audio), (COVER, &other)]).await;
    assert_eq!((refused.status, refused.code()), (400, "BAD_REQUEST"));
    assert_eq!(left(&app).await, [1, 1, 1, 1, 1, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_an_hour_are_taken_and_what_is_refused_before_is_not_counted() {
    let lifted = TestApp::new().await;
    let ana = Ana::new(&lifted, &own_email("ana")).await;
    let Limited { app, .. } = &Limited::beside(&lifted).await;
    let wrong = {
        let mut variables = ana.input("First Light");
        variables["input"]["genreSlug"] = json!("polka");
        variables
    };
    ana.submitted(app, &wrong, &[(AUDIO, b"x")]).await;
    for _ in 0..20 {
        let submitted = ana
            .submitted(app, &ana.input("Noise"), &[(AUDIO, b"MZ")])
            .await;
        assert_eq!(mistakes(&submitted), ["UNSUPPORTED_MEDIA audio upload"]);
    }
    let answer = ana
        .hands_in(app, &ana.input("Noise"), &[(AUDIO, b"MZ")])
        .await;
    assert_eq!(answer.code(), "RATE_LIMITED");
}
