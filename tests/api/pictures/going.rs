//! What goes with what it belongs to: its row at once, its files a day later.

use serde_json::json;

use super::*;
use crate::accounts::payload;
use crate::media::files::stored;
use crate::media::sweeping::hours_later;
use crate::support::data::{Maker, NewTrack};

const DELETE_ALBUM: &str = "mutation ($input: DeleteAlbumInput!) { deleteAlbum(input: $input) {
    deletedId errors { code path } } }";
const DELETE_TRACK: &str = "mutation ($input: DeleteTrackInput!) { deleteTrack(input: $input) {
    deletedId errors { code path } } }";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_or_replaced_leaves_its_files_for_a_day() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let access = ana.access.as_str();
    set_image(&app, &ana, 1).await;
    let stays = set_image(&app, &ana, 2).await;
    let input = json!({ "artistId": ana.artist.to_string(), "title": "First Light", "kind": "EP" });
    let made = sets(&app, access, (CREATE_ALBUM, input), ("cover", &png())).await;
    // A track that has one, was to have another, and has a third that waits.
    let mut make = Maker::new(app.sql().await);
    let new = NewTrack {
        status: "REJECTED",
        ..NewTrack::default()
    };
    let track = make.track(ana.artist, new).await;
    let input = json!({ "trackId": track.to_string() });
    sets(&app, access, (TRACK, input.clone()), ("cover", &png())).await;
    let publish = format!(
        "update tracks set status = 'PUBLISHED', published_at = now() where id = '{}'",
        track.0
    );
    execute(&app, &publish).await;
    sets(&app, access, (TRACK, input.clone()), ("cover", &png())).await;
    assert_eq!(images(&app).await, 4);
    assert_eq!(stored(&app, "image").await.len(), 5 * 4);

    let album = json!({ "albumId": made["album"]["id"] });
    let deleted = payload(&app, Some(access), DELETE_ALBUM, album).await;
    assert_eq!(deleted["errors"], json!([]));
    let deleted = payload(&app, Some(access), DELETE_TRACK, input).await;
    assert_eq!(deleted["errors"], json!([]));
    assert_eq!(images(&app).await, 1);
    hours_later(&app, 23).await;
    assert_eq!(stored(&app, "image").await.len(), 5 * 4);
    hours_later(&app, 2).await;
    let id: ImageId = stays.parse().unwrap();
    let left = stored(&app, "image").await;
    let of_it = format!("image/{}/", id.0.simple());
    assert_eq!(left.len(), 4);
    assert!(left.iter().all(|key| key.starts_with(&of_it)), "{left:?}");
    assert_eq!(count(&app, "select count(*) from gone_files").await, 0);
}
