//! What only a folder has: links, modes, and names that the system could read otherwise.

use empulse::storage::StorageError;
use futures_util::StreamExt;

use super::{PATIENCE, in_folder, key, octets, open, read};
use crate::support::Folder;

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn links_are_not_followed() {
    use std::os::unix::fs::symlink;

    let folder = Folder::new();
    let storage = in_folder(&folder);
    storage
        .put(&key("a/kept"), "kept", &octets())
        .await
        .unwrap();
    let root = folder.path().join("stored");
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    symlink(&outside, root.join("linked")).unwrap();
    symlink(root.join("a"), root.join("inside")).unwrap();
    for name in ["file", "linked/secret", "inside/kept"] {
        let got = storage.get(&key(name)).await.map(drop);
        assert_eq!(got, Err(StorageError::NotFound), "{name}");
        assert_eq!(storage.head(&key(name)).await, Err(StorageError::NotFound));
        storage.delete(&key(name)).await.unwrap();
        let put = storage.put(&key(name), "x", &octets()).await;
        assert!(put.is_err(), "{name}");
    }
    assert_eq!(storage.list(&key("linked")).count().await, 0);
    assert_eq!(
        std::fs::read_to_string(outside.join("secret")).unwrap(),
        "secret"
    );
    assert_eq!(read(&storage, &key("a/kept")).await, "kept");

    // The folder itself may be one: that is for who runs the service to say.
    symlink(&root, folder.path().join("named")).unwrap();
    let url = format!("file://{}", folder.path().join("named").display());
    let named = open(&[("EMPULSE_STORAGE_URL", &url)], PATIENCE);
    assert_eq!(read(&named, &key("a/kept")).await, "kept");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_nobody_else_and_made_only_when_it_is_needed() {
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let data = folder.path().to_str().unwrap();
    let storage = open(&[("EMPULSE_DATA_DIR", data)], PATIENCE);
    let files = folder.path().join("files");
    assert_eq!(storage.head(&key("a")).await, Err(StorageError::NotFound));
    storage.delete(&key("a")).await.unwrap();
    assert!(!files.exists());
    storage.put(&key("a/b"), "b", &octets()).await.unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files), 0o700);
    assert_eq!(std::fs::read_to_string(files.join("a/b")).unwrap(), "b");

    // Taken away while the service runs, it is made again.
    std::fs::remove_dir_all(&files).unwrap();
    assert_eq!(storage.head(&key("a/b")).await, Err(StorageError::NotFound));
    storage.put(&key("a/b"), "again", &octets()).await.unwrap();
    assert_eq!(mode(&files), 0o700);
}

/// As a kill in the middle of a write leaves it.
#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_file_is_none() {
    let folder = Folder::new();
    let storage = in_folder(&folder);
    let root = folder.path().join("stored");
    std::fs::create_dir_all(root.join("a")).unwrap();
    std::fs::write(root.join("a/b#1"), "hal").unwrap();
    assert_eq!(storage.head(&key("a/b")).await, Err(StorageError::NotFound));
    assert_eq!(storage.list(&key("a")).count().await, 0);
    storage.put(&key("a/b"), "whole", &octets()).await.unwrap();
    assert_eq!(read(&storage, &key("a/b")).await, "whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_can_not_be_written_to_may_be_mended() {
    let folder = Folder::new();
    let place = folder.path().join("stored");
    std::fs::write(&place, "a file").unwrap();
    let storage = in_folder(&folder);
    let put = storage.put(&key("a"), "a", &octets()).await;
    assert!(put.is_err(), "{put:?}");
    assert!(storage.ping().await.is_err());
    std::fs::remove_file(&place).unwrap();
    storage.ping().await.unwrap();
    storage.put(&key("a"), "a", &octets()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_left_half_written_is_taken_away_in_time() {
    let folder = Folder::new();
    let below = folder.path().join("stored/a");
    std::fs::create_dir_all(&below).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(25 * 3600);
    for (name, is_old) in [
        ("b#1", true),
        ("c#27", true),
        ("b#2", false),
        ("b", true),
        ("B#1", true),
        ("b#x", true),
    ] {
        let file = std::fs::File::create(below.join(name)).unwrap();
        if is_old {
            file.set_modified(old).unwrap();
        }
    }
    let storage = in_folder(&folder);
    storage.put(&key("d"), "d", &octets()).await.unwrap();
    let mut left = Vec::new();
    for _ in 0..100 {
        left = std::fs::read_dir(&below)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        if left.len() == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(left, ["B#1", "b", "b#2", "b#x"]);
}
