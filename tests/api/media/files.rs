//! Words for files that come in, and for what is kept of them.

use bytes::Bytes;
use empulse::accounts::{self, Account};
use empulse::media::{Broken, Incoming};
use empulse::storage::{Key, StorageError};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::accounts::admin::id_of;
use crate::storage::s3::{BUCKET, KEY_ID, S3Server, SECRET};
use crate::support::TestApp;

pub const ANA: &str = "ana@example.org";
pub const WAV: &[u8] = include_bytes!("../../sounds/wav16.wav");

/// A service whose files are in a bucket.
pub async fn over_bucket(server: &S3Server) -> TestApp {
    let url = format!("s3://{BUCKET}/files");
    TestApp::with(&[
        ("EMPULSE_STORAGE_URL", &*url),
        ("AWS_ENDPOINT_URL", &server.url()),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ])
    .await
}

pub async fn member(app: &TestApp) -> Account {
    app.member(ANA).await;
    let id = id_of(app, ANA).await.parse().unwrap();
    let found = accounts::accounts_by_ids(&app.app, &[id]).await.unwrap();
    (*found[&id]).clone()
}

/// A file that comes in pieces of so many bytes, and then breaks off or ends.
pub fn file(bytes: &[u8], piece: usize, end: Option<Broken>) -> Incoming {
    let pieces: Vec<_> = bytes
        .chunks(piece)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let end = end.map(Err);
    Incoming {
        file_name: Some("harmless.txt".into()),
        content_type: Some("text/plain".into()),
        announced: None,
        bytes: stream::iter(pieces.into_iter().chain(end)).boxed(),
    }
}

pub async fn count(app: &TestApp, table: &str) -> i64 {
    let sql = app.sql().await;
    let counted = sql
        .query_one(&format!("select count(*) from {table}"), &[])
        .await;
    counted.unwrap().get(0)
}

/// The keys of all that is stored of a kind.
pub async fn stored(app: &TestApp, kind: &str) -> Vec<String> {
    let listed = app.app.storage.list(&kind.parse().unwrap());
    let mut keys: Vec<String> = listed
        .map_ok(|found| found.key.to_string())
        .try_collect()
        .await
        .unwrap();
    keys.sort();
    keys
}

pub async fn read(app: &TestApp, key: &str) -> Result<Bytes, StorageError> {
    let key: Key = key.parse().unwrap();
    app.app.storage.get(&key).await?.into_bytes(1 << 30).await
}

pub fn picture() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixels = image::RgbImage::from_fn(500, 400, |x, y| image::Rgb([x as u8, y as u8, 9]));
    pixels
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}
