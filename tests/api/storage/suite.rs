//! What holds wherever the files are.

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use empulse::storage::StorageError;
use futures_util::{StreamExt, TryStreamExt};

use super::{Places, bytes, key, octets, read};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_read_back_whole_and_in_parts() {
    let places = Places::new().await;
    for storage in &places.each {
        for size in [0, 1, 100_000] {
            let (key, stored) = (key(&format!("a/{size}")), bytes(size));
            storage.put(&key, stored.clone(), &octets()).await.unwrap();
            assert!(read(storage, &key).await == stored, "{size}");

            let found = storage.head(&key).await.unwrap();
            assert_eq!((found.size, &found.key), (size as u64, &key));
            let age = Utc::now() - found.modified;
            assert!(age.abs() < TimeDelta::minutes(1), "{age}");
            let got = storage.get(&key).await.unwrap();
            assert_eq!((got.found, got.range), (found, 0..size as u64));
        }
        let (key, stored) = (key("a/100000"), bytes(100_000));
        for (range, part) in [
            (0..1, 0..1),
            (99_999..100_000, 99_999..100_000),
            (70_000..70_010, 70_000..70_010),
            (10..200_000, 10..100_000),
            (0..u64::MAX, 0..100_000),
        ] {
            let got = storage.get_range(&key, range).await.unwrap();
            assert_eq!(got.range, part.start as u64..part.end as u64);
            assert_eq!(got.found.size, 100_000);
            let got = got.into_bytes(1 << 20).await.unwrap();
            assert!(got == stored.slice(part.clone()), "{part:?}");
        }
        for behind in [100_000..100_001, 200_000..300_000, 5..5] {
            let got = storage.get_range(&key, behind).await.map(drop);
            assert_eq!(got, Err(StorageError::OutOfRange), "{}", storage.kind());
        }
        let got = storage.get(&key).await.unwrap().into_bytes(99_999).await;
        assert_eq!(
            got.map(drop),
            Err(StorageError::TooLarge {
                size: 100_000,
                most: 99_999
            })
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found_and_can_be_deleted() {
    let places = Places::new().await;
    for storage in &places.each {
        let kept = key("some/kept");
        storage.delete(&key("a")).await.unwrap();
        storage.put(&kept, "kept", &octets()).await.unwrap();
        // A folder on the way is no file.
        let kind = storage.kind();
        let never = match kind {
            "folder" => vec!["some", "some/kept/a"],
            // The server of the tests is a folder itself, and lost about these.
            _ => vec![],
        };
        for absent in ["a", "other/b"].into_iter().chain(never).map(key) {
            let got = storage.get(&absent).await.map(drop);
            assert_eq!(got, Err(StorageError::NotFound), "{kind} {absent}");
            let head = storage.head(&absent).await;
            assert_eq!(head, Err(StorageError::NotFound), "{kind} {absent}");
        }
        for _ in 0..2 {
            storage.delete(&key("other/b")).await.unwrap();
        }
        storage
            .put(&key("some/gone"), "gone", &octets())
            .await
            .unwrap();
        storage.delete(&key("some/gone")).await.unwrap();
        let head = storage.head(&key("some/gone")).await;
        assert_eq!(head, Err(StorageError::NotFound));
        assert_eq!(read(storage, &kept).await, "kept");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_anew_is_another() {
    let places = Places::new().await;
    for storage in &places.each {
        let key = key("a/b");
        let first = bytes(3 << 20);
        storage.put(&key, first.clone(), &octets()).await.unwrap();
        let before = storage.head(&key).await.unwrap();
        let mut reading = storage.get(&key).await.unwrap().into_stream();
        let mut begun = reading.next().await.unwrap().unwrap().to_vec();

        storage.put(&key, "second", &octets()).await.unwrap();
        let after = storage.head(&key).await.unwrap();
        assert_ne!(before.etag, after.etag);
        assert!(!after.etag.is_empty() && !after.etag.contains('"'));
        assert_eq!(read(storage, &key).await, "second");
        // Who had begun gets to the end of what was begun.
        while let Some(piece) = reading.try_next().await.unwrap() {
            begun.extend_from_slice(&piece);
        }
        assert!(begun == first);
    }
}

/// Whoever looks, at whatever moment, finds one of the files that were put there, and all of it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_ever_sees_half_a_file() {
    let places = Places::new().await;
    for storage in &places.each {
        let key = key("a/b");
        let filled = |with: u8| vec![with; 200_000 + usize::from(with) * 1000];
        storage.put(&key, filled(0), &octets()).await.unwrap();
        let writers = (1..4_u8).map(|with| {
            let (storage, key) = (storage.clone(), key.clone());
            async move {
                for _ in 0..10 {
                    storage.put(&key, filled(with), &octets()).await.unwrap();
                }
            }
        });
        let readers = (0..3).map(|_| {
            let (storage, key) = (storage.clone(), key.clone());
            async move {
                for _ in 0..20 {
                    let read = read(&storage, &key).await;
                    assert!(read == filled(read[0]), "half of {}", read[0]);
                }
            }
        });
        let mut tasks = tokio::task::JoinSet::new();
        writers.for_each(|task| drop(tasks.spawn(task)));
        readers.for_each(|task| drop(tasks.spawn(task)));
        tasks.join_all().await;
    }
    places.are_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_beside_a_write_do_not_take_its_folder_away() {
    let places = Places::new().await;
    for storage in &places.each {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..6 {
            let storage = storage.clone();
            tasks.spawn(async move {
                let key = key(&format!("a/b/c/{task}"));
                for _ in 0..30 {
                    storage.put(&key, "there", &octets()).await.unwrap();
                    storage.delete(&key).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
    }
    // Nothing is left of what its files stood in.
    assert!(!places.folder.path().join("stored/a").exists());
    assert!(places.folder.path().join("stored").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_all_that_stands_below() {
    let places = Places::new().await;
    for storage in &places.each {
        for name in ["a", "ab/x", "a.b", "other/a/y"] {
            // In a folder, a file can't have the name of a folder.
            let name = if name == "a" { "b" } else { name };
            storage
                .put(&key(name), "not below", &octets())
                .await
                .unwrap();
        }
        for (at, name) in ["a/1", "a/2/3", "a/2/4", "a/z"].into_iter().enumerate() {
            storage
                .put(&key(name), vec![7; at], &octets())
                .await
                .unwrap();
        }
        let listed: Vec<_> = storage.list(&key("a")).try_collect().await.unwrap();
        let mut listed: Vec<_> = listed
            .into_iter()
            .map(|found| (found.key.to_string(), found.size))
            .collect();
        listed.sort();
        let expected = [("a/1", 0), ("a/2/3", 1), ("a/2/4", 2), ("a/z", 3)];
        assert_eq!(listed, expected.map(|(name, size)| (name.to_owned(), size)));
        assert_eq!(storage.list(&key("none")).count().await, 0);
        assert_eq!(storage.list(&key("a/z")).count().await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_goes_on_over_pages_and_past_what_others_have_put_there() {
    let places = Places::new().await;
    let roots = [
        places.folder.path().join("stored"),
        places.server.path("some/prefix"),
    ];
    for (storage, root) in places.each.iter().zip(roots) {
        std::fs::create_dir_all(root.join("many")).unwrap();
        let expected: BTreeSet<String> = (0..2_300).map(|at| format!("many/{at}")).collect();
        for name in &expected {
            std::fs::write(root.join(name), b"x").unwrap();
        }
        for foreign in ["README", "a b", "x#1", ".hidden"] {
            std::fs::write(root.join("many").join(foreign), b"x").unwrap();
        }
        let listed = storage.list(&key("many"));
        let listed: Vec<_> = listed
            .map_ok(|found| found.key.to_string())
            .try_collect()
            .await
            .unwrap();
        assert_eq!(listed.len(), expected.len(), "{}", storage.kind());
        assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}
