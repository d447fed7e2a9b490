//! Files that come under a key: which of them are compared, and what is known where they were not read.

use serde_json::{Value, json};

use crate::media::files::{picture, stored};
use crate::submissions::{ANA, Ana, SOUND};
use crate::support::{Answer, TestApp};
use crate::uploads;

const KEY: &str = "5f0c4b1e-0c8f-4c86-9fb5-95ca33d0b5b3";
const SUBMIT: &str = "mutation ($input: SubmitTrackInput!) { submitTrack(input: $input) {
    submission { id } errors { code path } } }";
const AUDIO: &str = "input.audio.upload";
const COVER: &str = "input.cover";

struct Sender {
    app: TestApp,
    ana: Ana,
}

impl Sender {
    async fn new() -> Self {
        let app = TestApp::new().await;
        let ana = Ana::new(&app, ANA).await;
        Self { app, ana }
    }

    async fn sends(&self, title: &str, files: &[(&str, &[u8])]) -> Answer {
        let variables = json!({ "beside": null, "input": {
            "artistId": self.ana.artist.to_string(), "title": title, "genreSlug": "pop", "isExplicit": false,
            "audio": { "upload": null }, "cover": null,
        } });
        let request = uploads::request(&self.app, SUBMIT, &variables, files);
        let request = request
            .bearer_auth(&self.ana.access)
            .header("idempotency-key", KEY);
        Answer::of(request.send().await.unwrap()).await
    }
}

fn was_replayed(answer: &Answer) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

fn flac() -> Vec<u8> {
    std::fs::read(SOUND).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_operation_has_no_variable_for_is_not_compared() {
    let sender = Sender::new().await;
    let audio = flac();
    let sends = async |beside: &[u8], audio: &[u8]| {
        sender
            .sends("First Light", &[("beside", beside), (AUDIO, audio)])
            .await
    };
    let first = sends(b"a", &audio).await;
    assert_eq!(
        first.body["data"]["submitTrack"]["errors"],
        json!([]),
        "{first:?}"
    );
    assert!(!was_replayed(&first));
    let again = sends(b"b", &audio).await;
    assert!(was_replayed(&again), "{again:?}");
    assert_eq!(again.body, first.body);
    let other = sends(b"a", b"fLaC of another song").await;
    assert_eq!((other.status, other.code()), (400, "BAD_REQUEST"));
    assert_eq!(stored(&sender.app, "audio").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_without_its_files_is_not_kept_where_nothing_was_done() {
    let sender = Sender::new().await;
    let audio = flac();
    for _ in 0..2 {
        let refused = sender.sends(" ", &[(AUDIO, &audio)]).await;
        let told = &refused.body["data"]["submitTrack"]["errors"];
        assert_eq!(told, &json!([{ "code": "REQUIRED", "path": ["title"] }]));
        assert!(!was_replayed(&refused));
    }
    // The key is free still, for another title too.
    let submitted = sender.sends("First Light", &[(AUDIO, &audio)]).await;
    assert_eq!(submitted.body["data"]["submitTrack"]["errors"], json!([]));
}

/// A cover that had come and stood is let go of where the music is refused for its first bytes: so nothing was done, and
/// what the rest of it was nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_after_some_of_it_had_come_is_free_to_be_sent_again() {
    let sender = Sender::new().await;
    let (cover, audio) = (picture(), flac());
    let mut program = b"MZ".to_vec();
    program.resize(1 << 20, 7);
    for _ in 0..2 {
        let files: [(&str, &[u8]); 2] = [(COVER, &cover), (AUDIO, &program)];
        let refused = sender.sends("First Light", &files).await;
        assert!(!was_replayed(&refused));
        let told = refused.data()["submitTrack"]["errors"].take();
        assert_eq!(told[0]["code"], Value::from("UNSUPPORTED_MEDIA"), "{told}");
    }
    let files: [(&str, &[u8]); 2] = [(COVER, &cover), (AUDIO, &audio)];
    let submitted = sender.sends("First Light", &files).await;
    assert_eq!(submitted.data()["submitTrack"]["errors"], json!([]));
}
