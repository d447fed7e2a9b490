//! Files in either place, a folder or a bucket, which has to make no difference to whoever stores them; and what a bucket
//! can do to us.

mod addresses;
mod checks;
mod faults;
mod folder;
pub mod s3;
mod streams;
mod suite;

use std::time::Duration;

use empulse::clock::Clock;
use empulse::keys::Keys;
use empulse::storage::{ContentType, Facts, Key, Patience, Storage};
use empulse::telemetry::Metrics;

use self::s3::{BUCKET, KEY_ID, S3Server, SECRET};
use crate::support::{Folder, config};

/// Long enough for a machine that has much else to do.
const PATIENCE: Patience = Patience {
    whole: Duration::from_secs(20),
    to_connect: Duration::from_secs(5),
    of_silence: Duration::from_secs(15),
    tries: 4,
    first_rest: Duration::from_millis(5),
};

/// For tests of what is not waited for.
const IMPATIENCE: Patience = Patience {
    whole: Duration::from_millis(1500),
    to_connect: Duration::from_millis(500),
    of_silence: Duration::from_millis(400),
    tries: 3,
    first_rest: Duration::from_millis(5),
};

fn open(settings: &[(&str, &str)], patience: Patience) -> Storage {
    let keys = format!("key-a:{}", "61".repeat(32)).parse().unwrap();
    let keys = Keys::of(&keys).unwrap();
    let (metrics, clock) = (Metrics::detached(), Clock::default());
    Storage::patient(&config(settings), keys, metrics, clock, patience).unwrap()
}

fn in_folder(folder: &Folder) -> Storage {
    let url = format!("file://{}", folder.path().join("stored").display());
    open(&[("EMPULSE_STORAGE_URL", &url)], PATIENCE)
}

fn in_bucket(server: &S3Server, patience: Patience) -> Storage {
    let settings = [
        (
            "EMPULSE_STORAGE_URL",
            &*format!("s3://{BUCKET}/some/prefix"),
        ),
        ("AWS_ENDPOINT_URL", &server.url()),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ];
    open(&settings, patience)
}

/// A folder and a bucket, and what keeps them.
struct Places {
    folder: Folder,
    server: S3Server,
    each: [Storage; 2],
}

impl Places {
    async fn new() -> Self {
        let (folder, server) = (Folder::new(), S3Server::start().await);
        let each = [in_folder(&folder), in_bucket(&server, PATIENCE)];
        Self {
            folder,
            server,
            each,
        }
    }

    /// Nothing is left of what was begun and not ended.
    async fn are_clean(&self) {
        for _ in 0..200 {
            if self.server.unfinished() == 0 && staged(&self.folder).is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (unfinished, staged) = (self.server.unfinished(), staged(&self.folder));
        panic!("{unfinished} in the bucket, {staged:?} in the folder");
    }
}

/// Files in the folder under names that are no keys.
fn staged(folder: &Folder) -> Vec<std::path::PathBuf> {
    fn collect(at: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        let Ok(entries) = std::fs::read_dir(at) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.to_str().unwrap().contains('#') {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(folder.path(), &mut found);
    found
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn octets() -> Facts {
    Facts::of(ContentType::OCTETS)
}

/// Bytes in which no part is like another.
fn bytes(length: usize) -> bytes::Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

async fn read(storage: &Storage, key: &Key) -> bytes::Bytes {
    let got = storage.get(key).await.unwrap();
    got.into_bytes(1 << 30).await.unwrap()
}
