//! Where the files are: one of two places that can do the same.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::MultipartUpload;

use super::bucket::Bucket;
use super::folder::Folder;
use super::{Facts, Found, Got, Key, Patience, StorageError};
use crate::config::Config;

pub enum Place {
    Folder(Folder),
    Bucket(Bucket),
}

impl Place {
    /// Touches nothing.
    pub fn open(config: &Config, patience: &Patience) -> anyhow::Result<Self> {
        let Some(url) = &config.storage_url else {
            return Ok(Self::Folder(Folder::new(config.data_dir.join("files"))));
        };
        match url.scheme() {
            "file" => match url.to_file_path() {
                Ok(path) => Ok(Self::Folder(Folder::new(path))),
                Err(()) => anyhow::bail!("it is no folder of this system"),
            },
            _ => Ok(Self::Bucket(Bucket::open(url, config, patience)?)),
        }
    }

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Folder(_) => "folder",
            Self::Bucket(_) => "s3",
        }
    }

    pub async fn ping(&self) -> Result<(), StorageError> {
        match self {
            Self::Folder(folder) => folder.ping().await,
            Self::Bucket(bucket) => bucket.ping().await,
        }
    }

    pub async fn put(&self, key: &Key, bytes: Bytes, facts: &Facts) -> Result<(), StorageError> {
        match self {
            Self::Folder(folder) => folder.put(key, bytes).await,
            Self::Bucket(bucket) => bucket.put(key, bytes, facts).await,
        }
    }

    /// Begins an upload by parts.
    pub async fn begin(
        &self,
        key: &Key,
        facts: &Facts,
        mark: &str,
    ) -> Result<Box<dyn MultipartUpload>, StorageError> {
        match self {
            Self::Folder(folder) => folder.begin(key).await,
            Self::Bucket(bucket) => bucket.begin(key, facts, mark).await,
        }
    }

    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Got, StorageError> {
        match self {
            Self::Folder(folder) => folder.get(key, range).await,
            Self::Bucket(bucket) => bucket.get(key, range).await,
        }
    }

    pub async fn head(&self, key: &Key) -> Result<Found, StorageError> {
        match self {
            Self::Folder(folder) => Ok(folder.open(key).await?.into_found()),
            Self::Bucket(bucket) => bucket.head(key).await,
        }
    }

    pub async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        match self {
            Self::Folder(folder) => folder.delete(key).await,
            Self::Bucket(bucket) => bucket.delete(key).await,
        }
    }

    pub fn list(&self, under: &Key) -> BoxStream<'static, Result<Found, StorageError>> {
        match self {
            Self::Folder(folder) => folder.list(under),
            Self::Bucket(bucket) => bucket.list(under),
        }
    }
}
