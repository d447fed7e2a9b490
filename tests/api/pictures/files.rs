//! The files that are made of a picture, and their addresses.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use image::{ImageFormat, Rgba, RgbaImage};
use serde_json::{Value, json};

use super::*;
use crate::media::files::{over_bucket, stored};
use crate::storage::s3::S3Server;

const SIZES: &str =
    "image { width height placeholder small: url(size: SMALL) medium: url(size: MEDIUM)
    usual: url large: url(size: LARGE) original: url(size: ORIGINAL) }";

async fn shown(app: &TestApp, owner: &Owner) -> Value {
    let query = format!(
        "{{ node(id: \"{}\") {{ ... on Artist {{ {SIZES} }} }} }}",
        owner.artist
    );
    app.data(&query).await["node"]["image"].take()
}

/// What is behind an address, wherever this test's service is.
async fn fetched(app: &TestApp, address: &Value) -> reqwest::Response {
    let address = address.as_str().unwrap();
    let address = match address.strip_prefix("http://localhost:8000") {
        Some(path) => app.url(path),
        None => address.to_owned(),
    };
    app.client.get(address).send().await.unwrap()
}

async fn each_kind_is_shown_in_each_size(app: &TestApp) {
    let ana = Owner::new(app, "ana@example.org").await;
    let glass = encoded(
        RgbaImage::from_pixel(1_500, 1_200, Rgba([9, 9, 9, 99])),
        ImageFormat::Png,
    );
    let large = |format| encoded(image::RgbImage::new(1_500, 1_200), format);
    for (file, kept) in [
        (large(ImageFormat::Jpeg), "image/jpeg"),
        (large(ImageFormat::WebP), "image/jpeg"),
        (large(ImageFormat::Png), "image/jpeg"),
        (glass, "image/png"),
    ] {
        let input = json!({ "artistId": ana.artist.to_string() });
        sets(app, &ana.access, (ARTIST, input), ("image", &file)).await;
        let image = shown(app, &ana).await;
        assert_eq!(
            (&image["width"], &image["height"]),
            (&json!(1_500), &json!(1_200))
        );
        let hash = image["placeholder"].as_str().unwrap();
        let hash = BASE64_STANDARD.decode(hash).unwrap();
        assert!((5..=40).contains(&hash.len()), "{hash:?}");
        for (size, width, height) in [
            ("small", 64, 64),
            ("medium", 320, 320),
            ("usual", 320, 320),
            ("large", 1_000, 1_000),
            ("original", 1_500, 1_200),
        ] {
            let answer = fetched(app, &image[size]).await;
            assert_eq!(answer.status(), 200, "{size}");
            assert_eq!(answer.headers()["content-type"], kept, "{size}");
            let said = answer.headers()["content-disposition"].to_str().unwrap();
            assert!(said.starts_with("inline; filename="), "{said}");
            let read = image::load_from_memory(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!((read.width(), read.height()), (width, height), "{size}");
        }
    }
    assert_eq!(images(app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_shown_in_each_size_from_a_folder() {
    each_kind_is_shown_in_each_size(&TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_shown_in_each_size_from_a_bucket() {
    let server = S3Server::start().await;
    let app = over_bucket(&server).await;
    each_kind_is_shown_in_each_size(&app).await;
    assert_eq!(stored(&app, "image").await.len(), 4 * 4);
}

/// The same for all who ask on one day, so that a browser finds what it has.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_good_for_a_day_at_least() {
    let app = TestApp::new().await;
    let ana = Owner::new(&app, "ana@example.org").await;
    set_image(&app, &ana, 1).await;
    // The beginning of a day, by the service's clock.
    let now = app.app.clock.now();
    let of_day = now.timestamp().rem_euclid(24 * 3600);
    app.app
        .clock
        .advance(TimeDelta::seconds(24 * 3600 - of_day + 60));
    let first = shown(&app, &ana).await;
    app.app.clock.advance(TimeDelta::hours(23));
    assert_eq!(shown(&app, &ana).await["small"], first["small"]);
    app.app.clock.advance(TimeDelta::minutes(24 * 60 + 50));
    assert_eq!(fetched(&app, &first["small"]).await.status(), 200);
    assert_ne!(shown(&app, &ana).await["small"], first["small"]);
    app.app.clock.advance(TimeDelta::minutes(20));
    assert_eq!(fetched(&app, &first["small"]).await.status(), 403);
}
