//! An upload is handed in once, by whose it is, while it can be.

use std::time::Duration;

use chrono::TimeDelta;
use empulse::media::{AudioId, DirectFault, DirectUploadId, claim_direct, direct_to_hand_in};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Place, id};
use crate::accounts::{mistakes, payload};
use crate::media::files::WAV;
use crate::submissions::{Ana, moderator, review};

const SUBMIT: &str = "mutation ($input: SubmitTrackInput!) { submitTrack(input: $input) {
    track { id status } submission { id status } receipt { sha256 byteSize } errors { code message path } } }";
const RESUBMIT: &str = "mutation ($input: ResubmitTrackInput!) { resubmitTrack(input: $input) {
    submission { status } receipt { sha256 } errors { code message path } } }";

async fn submits(place: &Place, by: &Ana, upload: &Value, more: Value) -> Value {
    let mut input = json!({
        "artistId": by.artist.to_string(), "title": "First Light", "genreSlug": "pop", "isExplicit": false,
        "audio": { "directUploadId": upload["id"] },
    });
    let input_fields = input.as_object_mut().unwrap();
    input_fields.extend(more.as_object().unwrap().clone());
    payload(&place.app, Some(&by.access), SUBMIT, input).await
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn a_track_is_made_of_it(place: &Place) {
    let bo = Ana::new(&place.app, "bo@example.org").await;
    let upload = place.opens(WAV.len()).await;
    let field = "audio.directUploadId".replace('.', " ");
    let early = submits(place, &place.ana, &upload, json!({})).await;
    assert_eq!(mistakes(&early), [format!("INVALID_STATE {field}")]);
    let upload = place.brings(WAV).await;
    let theirs = submits(place, &bo, &upload, json!({})).await;
    assert_eq!(mistakes(&theirs), [format!("NOT_FOUND {field}")]);
    // Verified while it is waited for.
    let other = json!({ "audioSha256": "0".repeat(64) });
    let verified = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        place.app.run_jobs().await;
    };
    let (refused, ()) = tokio::join!(submits(place, &place.ana, &upload, other), verified);
    assert_eq!(mistakes(&refused), ["CHECKSUM_MISMATCH audioSha256"]);
    assert_eq!(place.status(&upload).await, "READY");
    // What was refused took nothing of it; of two at once one hands it in.
    let hash = sha256(WAV);
    let right = json!({ "audioSha256": hash });
    let (one, two) = tokio::join!(
        submits(place, &place.ana, &upload, right.clone()),
        submits(place, &place.ana, &upload, right),
    );
    let is_done = |submitted: &Value| submitted["errors"] == json!([]);
    assert_ne!(is_done(&one), is_done(&two), "{one} {two}");
    let (won, lost) = if is_done(&one) {
        (one, two)
    } else {
        (two, one)
    };
    assert_eq!(mistakes(&lost), [format!("INVALID_STATE {field}")]);
    assert_eq!(
        won["receipt"],
        json!({ "sha256": hash, "byteSize": WAV.len() })
    );
    assert_eq!(won["submission"]["status"], "PROCESSING");
    place.app.run_jobs().await;
    assert_eq!(place.count("submissions where status = 'PENDING'").await, 1);
    let again = submits(place, &place.ana, &upload, json!({})).await;
    assert_eq!(mistakes(&again), [format!("INVALID_STATE {field}")]);

    // Changes are answered with another file.
    let mo = moderator(&place.app, "mo@example.org").await;
    let submission = won["submission"]["id"].as_str().unwrap();
    review(
        &place.app,
        &mo,
        submission,
        "REQUEST_CHANGES",
        Some("Louder."),
    )
    .await;
    let mut louder = WAV.to_vec();
    let end = louder.len() - 2;
    louder[end] ^= 0x55;
    let upload = place.brings(&louder).await;
    place.app.run_jobs().await;
    let input = json!({ "submissionId": submission, "audio": { "directUploadId": upload["id"] } });
    let resubmitted = payload(&place.app, Some(&place.ana.access), RESUBMIT, input).await;
    assert_eq!(resubmitted["errors"], json!([]), "{resubmitted}");
    assert_eq!(resubmitted["receipt"]["sha256"], sha256(&louder));
    // The file before it is let go of.
    assert_eq!(place.count("audios").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_is_made_of_it_in_a_folder() {
    a_track_is_made_of_it(&Place::folder().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_track_is_made_of_it_in_a_bucket() {
    a_track_is_made_of_it(&Place::bucket().await).await;
}

async fn claims(place: &Place, by: &Ana, upload: DirectUploadId) -> Option<AudioId> {
    let mut tx = place.app.app.db.begin().await.unwrap();
    let now = place.app.app.clock.now();
    let claimed = claim_direct(&mut tx, by.account.id, upload, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    claimed
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_handed_in_once() {
    let place = Place::folder().await;
    let bo = Ana::new(&place.app, "bo@example.org").await;
    let upload = id(&place.brings(WAV).await);
    assert_eq!(claims(&place, &place.ana, upload).await, None);
    place.app.run_jobs().await;
    assert_eq!(claims(&place, &bo, upload).await, None);
    // Given back with the transaction that does not stand.
    let mut tx = place.app.app.db.begin().await.unwrap();
    let now = place.app.app.clock.now();
    let account = place.ana.account.id;
    let claimed = claim_direct(&mut tx, account, upload, now).await.unwrap();
    assert_eq!(claimed, Some(AudioId(upload.0)));
    tx.rollback().await;
    let (one, two) = tokio::join!(
        claims(&place, &place.ana, upload),
        claims(&place, &place.ana, upload),
    );
    let mut claimed = [one, two];
    claimed.sort();
    assert_eq!(claimed, [None, Some(AudioId(upload.0))]);
    let again = direct_to_hand_in(&place.app.app, account, Some(upload)).await;
    assert!(matches!(again, Err(DirectFault::NotNow(said)) if said.contains("already")));

    let late = id(&place.brings(WAV).await);
    place.app.run_jobs().await;
    place.app.app.clock.advance(TimeDelta::hours(24));
    assert_eq!(claims(&place, &place.ana, late).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_verified_still_is_waited_for() {
    let place = Place::folder().await;
    let bo = Ana::new(&place.app, "bo@example.org").await;
    let account = place.ana.account.id;
    let look = async |by, upload| direct_to_hand_in(&place.app.app, by, upload).await;
    let open = id(&place.opens(WAV.len()).await);
    assert!(matches!(
        look(account, Some(open)).await,
        Err(DirectFault::NotNow(_))
    ));
    for (by, upload) in [(account, None), (bo.account.id, Some(open))] {
        assert!(matches!(look(by, upload).await, Err(DirectFault::Unknown)));
    }
    let upload = id(&place.brings(WAV).await);
    let verified = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        place.app.run_jobs().await;
    };
    let (found, ()) = tokio::join!(look(account, Some(upload)), verified);
    assert_eq!(found.unwrap(), upload);
    assert_eq!(
        claims(&place, &place.ana, upload).await,
        Some(AudioId(upload.0))
    );
}
