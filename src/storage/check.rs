//! Tries the storage as it will be used.

use anyhow::{Context, ensure};
use bytes::Bytes;

use super::place::Place;
use super::{ContentType, Facts, Key, Patience};
use crate::config::Config;

/// Stores a small file of its own, reads it back and deletes it, and says where.
pub async fn check(config: &Config) -> anyhow::Result<String> {
    let place = Place::open(config, &Patience::default())?;
    let said = Bytes::from(uuid::Uuid::now_v7().to_string());
    let key = Key::reserved(&format!("check-{}", uuid::Uuid::now_v7().simple()));
    place
        .put(&key, said.clone(), &Facts::of(ContentType::TEXT))
        .await
        .context("a file can't be stored")?;
    let read = async { place.get(&key, None).await?.into_bytes(1024).await };
    let read = read.await;
    let deleted = place.delete(&key).await;
    ensure!(
        read.context("a file can't be read back")? == said,
        "a file is read back as another"
    );
    deleted.context("a file can't be deleted")?;
    Ok(match &place {
        Place::Folder(folder) => format!("files are kept in {}", folder.named().display()),
        Place::Bucket(bucket) => format!("files are kept in the bucket {}", bucket.name()),
    })
}
