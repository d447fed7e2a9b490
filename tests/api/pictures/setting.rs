//! Setting a picture, another in its place, and none.

use futures_util::future::join_all;
use image::ImageFormat;
use serde_json::{Value, json};

use super::*;
use crate::accounts::payload;
use crate::catalogue_of_artists::recorded;
use crate::media::files::stored;
use crate::support::data::Maker;

#[tokio::test(flavor = "multi_thread")]
async fn an_artist_has_the_last_that_was_set_until_there_is_to_be_none() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let artist = ana.artist.to_string();
    let first = set_image(&app, &ana, 1).await;
    assert_eq!(node(&app, None, &first).await["id"], first);
    let second = set_image(&app, &ana, 2).await;
    assert_eq!(
        (has_row(&app, &first).await, has_row(&app, &second).await),
        (false, true)
    );
    assert_eq!(node(&app, None, &first).await, Value::Null);
    // Left out it stays, whatever else changes.
    let input = json!({ "artistId": artist, "name": "Ana Berg" });
    let renamed = payload(&app, Some(&ana.access), ARTIST, input).await;
    assert_eq!(renamed["artist"]["image"]["id"], second);
    // Where there is none, none is no change.
    for _ in 0..2 {
        let input = json!({ "artistId": artist, "image": null });
        let cleared = payload(&app, Some(&ana.access), ARTIST, input).await;
        assert_eq!(cleared["errors"], json!([]));
        assert_eq!(cleared["artist"]["image"], Value::Null);
        assert_eq!(recorded(&app, "artist.changed").await, 4);
    }
    assert!(!has_row(&app, &second).await);
    assert_eq!(images(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_album_has_one_from_the_beginning_or_later() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let input = json!({ "artistId": ana.artist.to_string(), "title": "First Light", "kind": "EP" });
    let made = sets(
        &app,
        &ana.access,
        (CREATE_ALBUM, input.clone()),
        ("cover", &png()),
    )
    .await;
    let album = text(&made["album"]["id"]);
    let first = text(&made["album"]["cover"]["id"]);
    let without = payload(&app, Some(&ana.access), CREATE_ALBUM, input).await;
    assert_eq!(without["album"]["cover"], Value::Null);
    let input = json!({ "albumId": album, "title": "Dusk" });
    let changed = sets(&app, &ana.access, (ALBUM, input), ("cover", &png())).await;
    assert_eq!(changed["album"]["title"], "Dusk");
    let second = text(&changed["album"]["cover"]["id"]);
    assert_eq!(
        (has_row(&app, &first).await, has_row(&app, &second).await),
        (false, true)
    );
    let input = json!({ "albumId": album, "kind": "ALBUM" });
    let changed = payload(&app, Some(&ana.access), ALBUM, input).await;
    assert_eq!(changed["album"]["cover"]["id"], second);
    let input = json!({ "albumId": album, "cover": null });
    let cleared = payload(&app, Some(&ana.access), ALBUM, input).await;
    assert_eq!(cleared["album"]["cover"], Value::Null);
    assert!(!has_row(&app, &second).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_avatar_is_set_with_a_name_or_alone() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let access = app.sign_in("ana@example.org").await.access;
    let set = sets(&app, &access, (PROFILE, json!({})), ("avatar", &png())).await;
    let user = &set["account"]["user"];
    assert_eq!(user["displayName"], "Kim Doe");
    let first = text(&user["avatar"]["id"]);
    let input = json!({ "displayName": "Ana" });
    let renamed = payload(&app, Some(&access), PROFILE, input.clone()).await;
    assert_eq!(renamed["account"]["user"]["avatar"]["id"], first);
    let input = json!({ "displayName": "Ana Berg" });
    let set = sets(&app, &access, (PROFILE, input), ("avatar", &png())).await;
    let user = &set["account"]["user"];
    assert_eq!(user["displayName"], "Ana Berg");
    let second = text(&user["avatar"]["id"]);
    assert_eq!(
        (has_row(&app, &first).await, has_row(&app, &second).await),
        (false, true)
    );
    // As everybody sees it.
    let query = format!(
        "{{ node(id: {}) {{ ... on User {{ avatar {IMAGE} }} }} image: node(id: \"{second}\") {{ id }} }}",
        user["id"]
    );
    let seen = app.data(&query).await;
    assert_eq!(seen["node"]["avatar"]["id"], second);
    assert_eq!(seen["node"]["avatar"]["width"], 500);
    assert_eq!(seen["image"]["id"], second);
    let input = json!({ "avatar": null });
    let cleared = payload(&app, Some(&access), PROFILE, input).await;
    assert_eq!(cleared["account"]["user"]["avatar"], Value::Null);
    assert_eq!(images(&app).await, 0);
    assert_eq!(recorded(&app, "profile.changed").await, 4);
}

/// Whichever comes last: one stays, and the others leave nothing but files that go in a day.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_at_once_one_stays() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let mut make = Maker::new(app.sql().await);
    let album = make.album(ana.artist, "First Light").await.to_string();
    let ways = [
        (
            ARTIST,
            json!({ "artistId": ana.artist.to_string() }),
            "image",
        ),
        (ALBUM, json!({ "albumId": album }), "cover"),
        (PROFILE, json!({}), "avatar"),
    ];
    for (place, (mutation, input, field)) in ways.into_iter().enumerate() {
        let all = (0..5).map(|colour| {
            let (app, input, access) = (&app, input.clone(), &ana.access);
            async move {
                let file = painted(colour, ImageFormat::Png);
                sets(app, access, (mutation, input), (field, &file)).await
            }
        });
        join_all(all).await;
        assert_eq!(images(&app).await, place as i64 + 1, "{mutation}");
    }
    let used = "select count(*) from images i where exists (select from artists where image_id = i.id)
        or exists (select from albums where cover_id = i.id) or exists (select from accounts where avatar_id = i.id)";
    assert_eq!(count(&app, used).await, 3);
    assert_eq!(count(&app, "select count(*) from gone_files").await, 12);
}

/// It was right when it was asked for, and is not by the time that its file is there.
#[tokio::test(flavor = "multi_thread")]
async fn what_came_for_something_that_is_gone_is_let_go_of() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    // As if the album went, and the artist were somebody else's, while the file was looked at.
    execute(
        &app,
        "create function go() returns trigger language plpgsql as 'begin delete from albums; update artists set account_id = null; \
         return new; end'; create trigger go after insert on images for each row execute function go()",
    )
    .await;
    let mut make = Maker::new(app.sql().await);
    let album = make.album(ana.artist, "First Light").await.to_string();
    let artist = ana.artist.to_string();
    let lost = sends(
        &app,
        &ana.access,
        (ALBUM, json!({ "albumId": album })),
        ("cover", &png()),
    )
    .await;
    assert_eq!(mistakes(&lost), ["NOT_FOUND albumId"]);
    let back = format!(
        "update artists set account_id = (select id from accounts) where id = '{}'",
        ana.artist.0
    );
    execute(&app, &back).await;
    let input = json!({ "artistId": artist });
    let refused = send(&app, Some(&ana.access), (ARTIST, input), ("image", &png())).await;
    assert_eq!(refused.code(), "FORBIDDEN");
    assert_eq!(images(&app).await, 0);
    assert_eq!(count(&app, "select count(*) from gone_files").await, 2);
}

/// Two mutations with a file each, in one operation.
const TWO: &str = "mutation ($artist: UpdateArtistInput!, $album: UpdateAlbumInput!) {
    updateArtist(input: $artist) { artist { image { id } } errors { code } }
    updateAlbum(input: $album) { album { cover { id } } errors { code } } }";

#[tokio::test(flavor = "multi_thread")]
async fn several_come_in_the_order_in_which_they_are_used() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let mut make = Maker::new(app.sql().await);
    let album = make.album(ana.artist, "First Light").await.to_string();
    let operations = json!({ "query": TWO, "variables": {
        "artist": { "artistId": ana.artist.to_string(), "image": null },
        "album": { "albumId": album, "cover": null },
    } })
    .to_string();
    let sent = async |map: &str| {
        let files = [painted(1, ImageFormat::Png), painted(2, ImageFormat::Jpeg)];
        let body = form(&[
            ("operations", operations.as_bytes()),
            ("map", map.as_bytes()),
            ("0", &files[0]),
            ("1", &files[1]),
        ]);
        let request = multipart(&app, body).bearer_auth(&ana.access);
        Answer::of(request.send().await.unwrap()).await
    };
    let right = sent(r#"{"0":["variables.artist.image"],"1":["variables.album.cover"]}"#).await;
    let data = right.data();
    assert!(
        data["updateArtist"]["artist"]["image"]["id"].is_string(),
        "{data}"
    );
    assert!(
        data["updateAlbum"]["album"]["cover"]["id"].is_string(),
        "{data}"
    );
    let turned = sent(r#"{"0":["variables.album.cover"],"1":["variables.artist.image"]}"#).await;
    let errors = turned.body["errors"].as_array().unwrap();
    assert_eq!(errors[0]["path"], json!(["updateAlbum"]));
    assert_eq!(errors[0]["extensions"]["code"], "BAD_REQUEST");
    let message = errors[0]["message"].as_str().unwrap();
    assert!(
        message.contains("in the order in which they are used"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn under_one_key_a_file_is_taken_once() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let keyed = async |file: &[u8]| {
        let input = json!({ "artistId": ana.artist.to_string() });
        let request = multipart(&app, body(ARTIST, &input, "image", file))
            .bearer_auth(&ana.access)
            .header("idempotency-key", "8e03978e-40d5-43dd-bc93-6894a57f9325");
        Answer::of(request.send().await.unwrap()).await
    };
    let first = keyed(&png()).await.data();
    let again = keyed(&png()).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.data(), first);
    let other = keyed(&painted(99, ImageFormat::Png)).await;
    assert_eq!(other.code(), "BAD_REQUEST");
    assert_eq!(
        (images(&app).await, stored(&app, "image").await.len()),
        (1, 4)
    );
}
