//! What is no picture, and who may not send one.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use image::{GrayImage, ImageFormat};
use serde_json::{Value, json};

use super::*;
use crate::accounts::api_tokens::api_token;
use crate::accounts::{Limited, NONE};
use crate::media::files::{WAV, stored};
use crate::support::data::{Maker, NewTrack};

/// Each mutation that takes one, with an input that is right but for its file, and the field of that.
async fn all(app: &TestApp, owner: &Owner) -> [(&'static str, Value, &'static str); 5] {
    let mut make = Maker::new(app.sql().await);
    let album = make.album(owner.artist, "First Light").await.to_string();
    let track = make
        .track(owner.artist, NewTrack::default())
        .await
        .to_string();
    let artist = owner.artist.to_string();
    [
        (
            ARTIST,
            json!({ "artistId": artist, "name": "New" }),
            "image",
        ),
        (
            CREATE_ALBUM,
            json!({ "artistId": artist, "title": "New", "kind": "EP" }),
            "cover",
        ),
        (ALBUM, json!({ "albumId": album, "title": "New" }), "cover"),
        (TRACK, json!({ "trackId": track, "title": "New" }), "cover"),
        (PROFILE, json!({ "displayName": "New" }), "avatar"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_picture_is_told_where_it_stands_and_nothing_is_done() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let jpeg = painted(1, ImageFormat::Jpeg);
    let mut long = png();
    long.resize((20 << 20) + 1, 0);
    let wide = encoded(GrayImage::new(8_000, 5_001), ImageFormat::Png);
    let refused: [(&[u8], &str, &str); 5] = [
        (b"", "EMPTY", "empty"),
        (WAV, "UNSUPPORTED_MEDIA", "JPEG, PNG"),
        (
            &jpeg[..jpeg.len() / 2],
            "UNSUPPORTED_MEDIA",
            "ends in the middle",
        ),
        (&wide, "UNSUPPORTED_MEDIA", "8000 × 5001 pixels"),
        (&long, "TOO_LARGE", "20 MiB"),
    ];
    for (mutation, input, field) in all(&app, &ana).await {
        for (file, code, said) in refused {
            let payload = sends(&app, &ana.access, (mutation, input.clone()), (field, file)).await;
            // Accounts know of a file only whether it is one that is taken.
            let code = if field == "avatar" {
                "UNSUPPORTED_MEDIA"
            } else {
                code
            };
            assert_eq!(
                mistakes(&payload),
                [format!("{code} {field}")],
                "{mutation}"
            );
            let message = payload["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains(said), "{message}");
            let object = payload.as_object().unwrap();
            assert!(object.values().any(Value::is_null), "{payload}");
        }
    }
    app.app.storage.close().await;
    assert_eq!(
        (images(&app).await, stored(&app, "image").await.len()),
        (0, 0)
    );
    let changed = "select (select count(*) from artists where name = 'New') + (select count(*) from albums where title = 'New') \
                   + (select count(*) from accounts where display_name = 'New') + (select count(*) from submissions)";
    assert_eq!(count(&app, changed).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_is_no_input() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    for (mutation, mut input, field) in all(&app, &ana).await {
        input[field] = json!("a.png");
        let refused = app.call(Some(&ana.access), mutation, input).await;
        assert_eq!(refused.status, 422, "{mutation}");
        assert!(
            refused.message().contains("multipart"),
            "{}",
            refused.message()
        );
    }
}

/// A body whose file never ends: an answer to it can only come before the file.
async fn before_the_file(
    app: &TestApp,
    access: Option<&str>,
    (mutation, input, field): (&str, Value, &str),
) -> Answer {
    let mut beginning = body(mutation, &input, field, b"");
    beginning.truncate(beginning.len() - b"\r\n--x--\r\n".len());
    let pieces = stream::iter([Ok::<_, std::io::Error>(beginning)]).chain(stream::pending());
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let mut request = client
        .post(app.url("/graphql"))
        .header("accept", "application/graphql-response+json")
        .header("apollo-require-preflight", "true")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(reqwest::Body::wrap_stream(pieces));
    if let Some(access) = access {
        request = request.bearer_auth(access);
    }
    let answer = tokio::time::timeout(Duration::from_secs(20), request.send());
    Answer::of(answer.await.expect("an answer before the file").unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_before_a_byte_of_the_file() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let ben = Owner::new(&app, "ben@example.org").await;
    app.member("lis@example.org").await;
    let listener = app.sign_in("lis@example.org").await.access;
    let reading = api_token(&app, &ana.access, "ACCOUNT_READ").await;
    for (mutation, input, field) in all(&app, &ana).await {
        let ask = async |access: Option<&str>| {
            before_the_file(&app, access, (mutation, input.clone(), field)).await
        };
        assert_eq!(ask(None).await.code(), "UNAUTHENTICATED", "{mutation}");
        assert_eq!(ask(Some(&reading)).await.code(), "FORBIDDEN", "{mutation}");
        if field == "avatar" {
            continue;
        }
        assert_eq!(ask(Some(&listener)).await.code(), "FORBIDDEN", "{mutation}");
        let others = ask(Some(&ben.access)).await;
        match mutation {
            ARTIST | CREATE_ALBUM => assert_eq!(others.code(), "FORBIDDEN", "{mutation}"),
            _ => {
                let payload = only_field(others.data());
                let id = if mutation == ALBUM {
                    "albumId"
                } else {
                    "trackId"
                };
                assert_eq!(mistakes(&payload), [format!("NOT_FOUND {id}")]);
            }
        }
    }
    assert_eq!(images(&app).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_else_is_wrong_is_told_before_a_byte_of_the_file() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    let mut make = Maker::new(app.sql().await);
    let track = NewTrack {
        status: "IN_REVIEW",
        ..NewTrack::default()
    };
    let reviewed = make.track(ana.artist, track).await.to_string();
    let unknown = "artist_01h455vb4pex5vsknk084sn02q";
    for (mutation, input, field, expected) in [
        (
            ARTIST,
            json!({ "artistId": unknown }),
            "image",
            "NOT_FOUND artistId",
        ),
        (
            ARTIST,
            json!({ "artistId": ana.artist.to_string(), "name": null }),
            "image",
            "REQUIRED name",
        ),
        (
            CREATE_ALBUM,
            json!({ "artistId": unknown, "title": "a", "kind": "EP" }),
            "cover",
            "NOT_FOUND artistId",
        ),
        (
            CREATE_ALBUM,
            json!({ "artistId": ana.artist.to_string(), "title": "", "kind": "EP" }),
            "cover",
            "REQUIRED title",
        ),
        (
            ALBUM,
            json!({ "albumId": "x" }),
            "cover",
            "NOT_FOUND albumId",
        ),
        (
            TRACK,
            json!({ "trackId": "x" }),
            "cover",
            "NOT_FOUND trackId",
        ),
        (
            TRACK,
            json!({ "trackId": reviewed }),
            "cover",
            "INVALID_STATE cover",
        ),
        (
            PROFILE,
            json!({ "displayName": null }),
            "avatar",
            "INVALID_NAME displayName",
        ),
    ] {
        let answer = before_the_file(&app, Some(&ana.access), (mutation, input, field)).await;
        assert_eq!(mistakes(&only_field(answer.data())), [expected]);
    }
    // Who has no room at all.
    execute(
        &app,
        "insert into audios (id, account_id, content_type, byte_size, sha256, received_at) select gen_random_uuid(), id, \
         'audio/wav', 50000000000, sha256('x'), now() from accounts",
    )
    .await;
    for (mutation, input, field) in all(&app, &ana).await {
        let code = if field == "avatar" {
            "UNSUPPORTED_MEDIA"
        } else {
            "TOO_LARGE"
        };
        let answer = before_the_file(&app, Some(&ana.access), (mutation, input, field)).await;
        let payload = only_field(answer.data());
        assert_eq!(mistakes(&payload), [format!("{code} {field}")]);
        let message = payload["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains("50 GB"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hundredth_change_of_an_hour_is_the_last_and_the_next_file_is_not_read() {
    let lifted = TestApp::new().await;
    let ana = Owner::new(&lifted, "ana@example.org").await;
    let limited = Limited::beside(&lifted).await;
    let input = json!({ "artistId": ana.artist.to_string(), "biography": "a" });
    for _ in 0..100 {
        let changed = limited
            .app
            .call(Some(&ana.access), ARTIST, input.clone())
            .await;
        assert_eq!(mistakes(&only_field(changed.data())), NONE);
    }
    let asked = (ARTIST, input, "image");
    let refused = before_the_file(&limited.app, Some(&ana.access), asked).await;
    assert_eq!(refused.code(), "RATE_LIMITED");
}

/// A client that leaves in the middle leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_come_whole_changes_nothing() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    for (mutation, input, field) in all(&app, &ana).await {
        let mut whole = body(mutation, &input, field, &png());
        whole.truncate(whole.len() - 300);
        let request = multipart(&app, whole).bearer_auth(&ana.access);
        let answer = Answer::of(request.send().await.unwrap()).await;
        if field == "avatar" {
            assert_eq!(answer.code(), "BAD_REQUEST");
            continue;
        }
        let payload = only_field(answer.data());
        assert_eq!(mistakes(&payload), [format!("UPLOAD_INCOMPLETE {field}")]);
    }
    assert_eq!(
        (images(&app).await, stored(&app, "image").await.len()),
        (0, 0)
    );
}
