//! Pictures of artists, albums, tracks and people: how they come, who sees them, and how they go. Each comes in a real
//! multipart request.

mod files;
mod going;
mod refusals;
mod seeing;
mod setting;
mod tracks;

use empulse::media::ImageId;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};

use crate::accounts::{count, execute, mistakes, only_field};
use crate::catalogue_of_artists::Owner;
use crate::support::{Answer, TestApp};
use crate::uploads::{form, multipart};

pub const IMAGE: &str = "{ id width height placeholder url }";

pub const ARTIST: &str = "mutation ($input: UpdateArtistInput!) { updateArtist(input: $input) {
    artist { id name image { id width height placeholder url } } errors { code message path } } }";
pub const CREATE_ALBUM: &str = "mutation ($input: CreateAlbumInput!) { createAlbum(input: $input) {
    album { id title cover { id } } errors { code message path } } }";
pub const ALBUM: &str = "mutation ($input: UpdateAlbumInput!) { updateAlbum(input: $input) {
    album { id title cover { id } } errors { code message path } } }";
pub const TRACK: &str = "mutation ($input: UpdateTrackInput!) { updateTrack(input: $input) {
    track { id title cover { id } submission { id status newTitle newCover { id } } } errors { code message path } } }";
pub const PROFILE: &str = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
    account { user { id displayName avatar { id } } } errors { code message path } } }";

/// A picture of one colour, in one of the kinds that are taken.
pub fn painted(colour: u8, format: ImageFormat) -> Vec<u8> {
    let pixels = RgbImage::from_pixel(500, 400, Rgb([colour, 100, 200]));
    encoded(pixels, format)
}

pub fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub fn png() -> Vec<u8> {
    painted(10, ImageFormat::Png)
}

/// A mutation with an input, in which a field is a file.
pub fn body(mutation: &str, input: &Value, field: &str, file: &[u8]) -> Vec<u8> {
    let mut input = input.clone();
    input[field] = Value::Null;
    let operations = json!({ "query": mutation, "variables": { "input": input } }).to_string();
    let map = json!({ "0": [format!("variables.input.{field}")] }).to_string();
    form(&[
        ("operations", operations.as_bytes()),
        ("map", map.as_bytes()),
        ("0", file),
    ])
}

pub async fn send(
    app: &TestApp,
    access: Option<&str>,
    (mutation, input): (&str, Value),
    (field, file): (&str, &[u8]),
) -> Answer {
    let mut request = multipart(app, body(mutation, &input, field, file));
    if let Some(access) = access {
        request = request.bearer_auth(access);
    }
    Answer::of(request.send().await.unwrap()).await
}

/// The payload of what must run.
pub async fn sends(
    app: &TestApp,
    access: &str,
    mutation: (&str, Value),
    file: (&str, &[u8]),
) -> Value {
    only_field(send(app, Some(access), mutation, file).await.data())
}

/// The same without mistakes.
pub async fn sets(
    app: &TestApp,
    access: &str,
    mutation: (&str, Value),
    file: (&str, &[u8]),
) -> Value {
    let payload = sends(app, access, mutation, file).await;
    assert_eq!(mistakes(&payload), crate::accounts::NONE, "{payload}");
    payload
}

/// An artist's picture, set.
pub async fn set_image(app: &TestApp, owner: &Owner, colour: u8) -> String {
    let input = json!({ "artistId": owner.artist.to_string() });
    let file = painted(colour, ImageFormat::Png);
    let set = sets(app, &owner.access, (ARTIST, input), ("image", &file)).await;
    text(&set["artist"]["image"]["id"])
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).into()
}

pub async fn images(app: &TestApp) -> i64 {
    count(app, "select count(*) from images").await
}

/// Whether a picture has its row, or has left its files.
pub async fn has_row(app: &TestApp, image: &str) -> bool {
    let id: ImageId = image.parse().unwrap();
    let is = async |from: &str| {
        let read = format!("select count(*) from {from} id = '{}'", id.0);
        count(app, &read).await == 1
    };
    let has = is("images where").await;
    let has_gone = is("gone_files where kind = 'IMAGE' and").await;
    assert_ne!(has, has_gone, "{image}");
    has
}

/// What somebody sees of an object by its ID.
pub async fn node(app: &TestApp, access: Option<&str>, id: &str) -> Value {
    let query = format!("{{ node(id: \"{id}\") {{ id }} }}");
    let mut data = match access {
        Some(access) => app.data_as(access, &query).await,
        None => app.data(&query).await,
    };
    data["node"].take()
}

/// A picture that something is to refer to, by its row alone.
pub async fn row(app: &TestApp) -> ImageId {
    let id = ImageId(uuid::Uuid::now_v7());
    let insert = format!(
        "insert into images (id, content_type, byte_size, sha256, width, height, thumb_hash, received_at) values \
         ('{}', 'image/jpeg', 1, sha256('x'), 500, 400, decode(repeat('ab', 20), 'hex'), now())",
        id.0
    );
    execute(app, &insert).await;
    id
}
