//! A folder, for where no bucket is set up. A file is there whole or not at all: it is written beside under a name that is
//! no key's, and given its own once it stands on the disk. What is a link is not followed, wherever it leads.

use std::fs::{self, DirBuilder, DirEntry, File};
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{Found, Got, Key, StorageError, parts};

/// Bytes that are read from a file at a time.
const PIECE: usize = 64 << 10;
/// Older, what is only half written has been left: no upload takes as long.
const LEFT_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Older, a part of a file was left: none is waited for as long.
const PART_LEFT_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);
/// So often it is looked for.
const SWEPT_EVERY: Duration = Duration::from_secs(3600);
/// Of a write that meets a deletion beside it.
const TRIES: u32 = 5;

#[derive(Clone)]
pub struct Folder(Arc<Inner>);

struct Inner {
    named: PathBuf,
    opened: OnceLock<Opened>,
    swept_every: Duration,
}

#[derive(Clone)]
struct Opened {
    /// Without links.
    root: PathBuf,
    store: LocalFileSystem,
}

impl Folder {
    /// Touches nothing yet: a folder that can't be made now may be mended later.
    pub fn new(named: PathBuf) -> Self {
        Self::swept(named, SWEPT_EVERY)
    }

    fn swept(named: PathBuf, every: Duration) -> Self {
        Self(Arc::new(Inner {
            named,
            opened: OnceLock::new(),
            swept_every: every,
        }))
    }

    pub fn named(&self) -> &std::path::Path {
        &self.0.named
    }

    /// Whether it is there, or could be made.
    pub async fn ping(&self) -> Result<(), StorageError> {
        let folder = self.clone();
        blocking(
            move || match fs::metadata(folder.opened(true)?.root)?.is_dir() {
                true => Ok(()),
                false => Err(io::ErrorKind::NotADirectory.into()),
            },
        )
        .await
    }

    /// The store, once it is clear that this key leads through no link.
    async fn store_for(&self, key: &Key, makes: bool) -> Result<LocalFileSystem, StorageError> {
        let (folder, key) = (self.clone(), key.clone());
        blocking(move || {
            let opened = folder.opened(makes)?;
            refuse_links(&opened, &key)?;
            Ok(opened.store)
        })
        .await
    }

    async fn writable(&self, key: &Key) -> Result<LocalFileSystem, StorageError> {
        match self.store_for(key, true).await {
            Err(StorageError::NotFound) => Err(StorageError::Refused(
                "something else stands in the file's way".into(),
            )),
            store => store,
        }
    }

    pub async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StorageError> {
        let (store, path) = (self.writable(key).await?, Path::from(key.as_str()));
        let mut tries = 0..TRIES;
        loop {
            let put = store.put(&path, bytes.clone().into()).await;
            if let Some(done) = settled(put.map(drop), &mut tries) {
                return done;
            }
        }
    }

    /// Begins a file that is written part by part.
    pub async fn begin(&self, key: &Key) -> Result<Box<dyn MultipartUpload>, StorageError> {
        let (store, path) = (self.writable(key).await?, Path::from(key.as_str()));
        let mut tries = 0..TRIES;
        loop {
            // The driver makes it on the thread that asks, folders and all.
            let (store, path) = (store.clone(), path.clone());
            let begun = tokio::task::spawn_blocking(move || {
                tokio::runtime::Handle::current().block_on(store.put_multipart(&path))
            });
            if let Some(done) = settled(begun.await?, &mut tries) {
                return done;
            }
        }
    }

    pub async fn get(&self, key: &Key, range: Option<Range<u64>>) -> Result<Got, StorageError> {
        let file = self.open(key).await?;
        let size = file.found.size;
        let range = match range {
            Some(range) if range.start >= size => return Err(StorageError::OutOfRange),
            Some(range) => range.start..range.end.min(size),
            None => 0..size,
        };
        Ok(Got {
            found: file.found.clone(),
            range: range.clone(),
            stream: file.stream(range),
        })
    }

    /// One version of a file, which stays as it is while it is read.
    pub async fn open(&self, key: &Key) -> Result<OpenFile, StorageError> {
        let store = self.store_for(key, false).await?;
        let path = Path::from(key.as_str());
        let got = store.get_opts(&path, GetOptions::default()).await?;
        let found = Found::of(key.clone(), got.meta);
        match got.payload {
            GetResultPayload::File(file, _) => Ok(OpenFile { file, found }),
            GetResultPayload::Stream(_) => Err(StorageError::NotFound),
        }
    }

    /// Gives a file another key, unless there is a file of that key, which then stands as it is.
    pub async fn rename_new(&self, from: &Key, to: &Key) -> Result<(), StorageError> {
        let store = self.writable(to).await?;
        let (from, to) = (Path::from(from.as_str()), Path::from(to.as_str()));
        match store.rename_if_not_exists(&from, &to).await {
            Ok(()) | Err(object_store::Error::AlreadyExists { .. }) => Ok(()),
            // A file system that knows no second name for one file.
            Err(_) if store.head(&to).await.is_err() => Ok(store.rename(&from, &to).await?),
            Err(error) => Err(error.into()),
        }
    }

    pub async fn delete(&self, key: &Key) -> Result<(), StorageError> {
        let (folder, key) = (self.clone(), key.clone());
        blocking(move || {
            let opened = folder.opened(false)?;
            refuse_links(&opened, &key)?;
            let path = opened.root.join(key.as_str());
            fs::remove_file(&path)?;
            // Else a power cut could bring back what somebody wanted gone.
            #[cfg(unix)]
            if let Some(parent) = path.parent() {
                File::open(parent)?.sync_all()?;
            }
            let empty = path
                .ancestors()
                .skip(1)
                .take_while(|above| **above != *opened.root);
            // As far as they are.
            let _ = empty.map(fs::remove_dir).find(Result::is_err);
            Ok(())
        })
        .await
    }

    /// Whatever stands below.
    pub async fn delete_all(&self, under: &Key) -> Result<(), StorageError> {
        let (folder, under) = (self.clone(), under.clone());
        blocking(move || {
            let opened = folder.opened(false)?;
            refuse_links(&opened, &under)?;
            fs::remove_dir_all(opened.root.join(under.as_str()))
        })
        .await
    }

    /// All files below, in no order. Foreign ones, and those behind links, are passed over.
    pub fn list(&self, under: &Key) -> BoxStream<'static, Result<Found, StorageError>> {
        let (folder, under) = (self.clone(), under.clone());
        let listed = async move {
            let store = match folder.store_for(&under, false).await {
                Err(StorageError::NotFound) => return futures_util::stream::empty().boxed(),
                Err(error) => return futures_util::stream::iter([Err(error)]).boxed(),
                Ok(store) => store,
            };
            let found = store.list(Some(&Path::from(under.as_str())));
            let found = found.filter_map(move |found| {
                let folder = folder.clone();
                async move {
                    let meta = match found {
                        Ok(meta) => meta,
                        Err(error) => return Some(Err(error.into())),
                    };
                    let key: Key = meta.location.as_ref().parse().ok()?;
                    match folder.store_for(&key, false).await {
                        Ok(_) => Some(Ok(Found::of(key, meta))),
                        Err(StorageError::NotFound) => None,
                        Err(error) => Some(Err(error)),
                    }
                }
            });
            found.boxed()
        };
        futures_util::stream::once(listed).flatten().boxed()
    }

    fn opened(&self, makes: bool) -> io::Result<Opened> {
        if makes {
            let mut builder = DirBuilder::new();
            builder.recursive(true);
            // What is in it is shown to whom its owner allows, by signed addresses.
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(&self.0.named)?;
        }
        if let Some(opened) = self.0.opened.get() {
            return Ok(opened.clone());
        }
        let root = fs::canonicalize(&self.0.named)?;
        let store = LocalFileSystem::new_with_prefix(&root)
            .map_err(io::Error::other)?
            .with_fsync(true);
        let opened = Opened { root, store };
        Ok(self
            .0
            .opened
            .get_or_init(|| {
                self.keep_swept(opened.root.clone());
                opened
            })
            .clone())
    }

    /// Takes away what was left half written, now and every so often, as long as somebody here has the folder. No job does
    /// it for all instances: each may have a folder of its own.
    fn keep_swept(&self, root: PathBuf) {
        let (folder, every) = (Arc::downgrade(&self.0), self.0.swept_every);
        tokio::spawn(async move {
            while folder.strong_count() > 0 {
                let root = root.clone();
                // Nobody waits for it, and what can't be taken away now can be the next time.
                drop(tokio::task::spawn_blocking(move || sweep(&root)).await);
                tokio::time::sleep(every).await;
            }
        });
    }
}

/// Takes away what was left half written: by an instance that was killed, or where a file could not be given its name.
fn sweep(folder: &std::path::Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        // What is in the way of one is in no other's.
        drop(entry.and_then(|entry| sweep_one(&entry)));
    }
    Ok(())
}

fn sweep_one(entry: &DirEntry) -> io::Result<()> {
    let about = entry.metadata()?;
    if about.is_dir() {
        return sweep(&entry.path());
    }
    if !about.is_file() {
        return Ok(());
    }
    let path = entry.path();
    let name = entry.file_name();
    let staged = name.to_str().and_then(|name| name.rsplit_once('#'));
    let is_staged = staged
        .is_some_and(|(name, number)| name.parse::<Key>().is_ok() && number.parse::<u32>().is_ok());
    let is_part = is_part(&path);
    let left_after = match (is_staged, is_part) {
        (true, _) => LEFT_AFTER,
        (false, true) => PART_LEFT_AFTER,
        (false, false) => return Ok(()),
    };
    if about.modified()?.elapsed().unwrap_or_default() > left_after {
        tracing::info!(path = %path.display(), "an unfinished file is taken away");
        fs::remove_file(&path)?;
        if is_part {
            // Once it is empty.
            drop(path.parent().map(fs::remove_dir));
        }
    }
    Ok(())
}

/// Whether it stands among the parts of a file that is not whole.
fn is_part(path: &std::path::Path) -> bool {
    let parts = path.parent().and_then(std::path::Path::parent);
    parts.is_some_and(|parts| parts.ends_with(Key::reserved(parts::FOLDER).as_str()))
}

/// What came of a write; nothing if it is to be tried again.
fn settled<T>(
    written: object_store::Result<T>,
    tries: &mut Range<u32>,
) -> Option<Result<T, StorageError>> {
    match written.map_err(StorageError::from) {
        // A folder that was made for it was taken away as empty, by a deletion in just that moment.
        Err(StorageError::NotFound) => match tries.next() {
            Some(_) => None,
            None => Some(Err(StorageError::Refused(
                "the folder was taken away".into(),
            ))),
        },
        done => Some(done),
    }
}

/// Looks at each step of the way; where it ends there is nothing to be afraid of.
fn refuse_links(opened: &Opened, key: &Key) -> io::Result<()> {
    let mut path = opened.root.clone();
    for segment in key.as_str().split('/') {
        path.push(segment);
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_symlink() => {
                tracing::warn!(
                    key = key.as_str(),
                    "a link stands among the stored files; it is not followed"
                );
                return Err(io::ErrorKind::NotFound.into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // Nothing is below a file.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(io::ErrorKind::NotFound.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A file that is open for reading, and what is known of this very version of it.
pub struct OpenFile {
    file: File,
    found: Found,
}

impl OpenFile {
    pub fn found(&self) -> &Found {
        &self.found
    }

    pub fn into_found(self) -> Found {
        self.found
    }

    /// A part of it, piece by piece, read as fast as it is taken and no faster.
    pub fn stream(self, range: Range<u64>) -> BoxStream<'static, Result<Bytes, StorageError>> {
        let reading = async move {
            let mut file = tokio::fs::File::from_std(self.file);
            if range.start > 0 {
                file.seek(io::SeekFrom::Start(range.start)).await?;
            }
            let part = file.take(range.end.saturating_sub(range.start));
            Ok::<_, io::Error>(ReaderStream::with_capacity(part, PIECE))
        };
        futures_util::stream::once(reading)
            .map(|opened| match opened {
                Ok(pieces) => pieces
                    .map(|piece| piece.map_err(StorageError::from))
                    .boxed(),
                Err(error) => futures_util::stream::iter([Err(StorageError::from(error))]).boxed(),
            })
            .flatten()
            .boxed()
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const A_DAY: Duration = Duration::from_secs(25 * 3600);

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_a_name_is_not_replaced_by_what_is_given_it() {
        let place = std::env::temp_dir().join(format!("empulse-named-{}", uuid::Uuid::now_v7()));
        let folder = Folder::new(place.clone());
        let key = |key: &str| key.parse::<Key>().unwrap();
        for (from, stands) in [("parts/a", "a"), ("parts/b", "a")] {
            let bytes = from.trim_start_matches("parts/").as_bytes().to_vec();
            folder.put(&key(from), bytes.into()).await.unwrap();
            folder
                .rename_new(&key(from), &key("audio/x"))
                .await
                .unwrap();
            let file = fs::read_to_string(place.join("audio/x")).unwrap();
            assert_eq!(file, stands);
        }
        fs::remove_dir_all(place).unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_could_not_be_given_its_name_is_taken_away_while_the_folder_is_in_use() {
        let place = std::env::temp_dir().join(format!("empulse-swept-{}", uuid::Uuid::now_v7()));
        let folder = Folder::swept(place.clone(), Duration::from_millis(10));
        let key: Key = "a/b".parse().unwrap();
        let mut upload = folder.begin(&key).await.unwrap();
        upload.put_part("all of it".into()).await.unwrap();
        // What stands in its way by now.
        fs::create_dir_all(place.join("a/b/c")).unwrap();
        assert!(upload.complete().await.is_err());
        drop(upload);
        let staged = place.join("a/b#1");
        let file = File::options().write(true).open(&staged).unwrap();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert!(staged.exists(), "it may be somebody's who writes still");
        }
        file.set_modified(SystemTime::now() - A_DAY).unwrap();
        for _ in 0..500 {
            if !staged.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(!staged.exists());
        fs::remove_dir_all(place).unwrap();
    }
}
