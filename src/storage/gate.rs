//! The way in by our own addresses, where the files are in a folder.

use std::sync::Arc;

use super::address::{Admission, NotAdmitted};
use super::folder::{Folder, OpenFile};
use super::place::Place;
use super::{Inner, Key, StorageError};

pub struct Gate {
    storage: Arc<Inner>,
    folder: Folder,
}

impl Gate {
    pub(super) fn of(storage: &Arc<Inner>) -> Option<Self> {
        match &storage.place {
            Place::Folder(folder) => Some(Self {
                storage: storage.clone(),
                folder: folder.clone(),
            }),
            Place::Bucket(_) => None,
        }
    }

    /// By the path and the query of an address, as they were sent.
    pub fn admit(&self, path: &str, query: &str) -> Result<Admission, NotAdmitted> {
        let now = self.storage.clock.now();
        self.storage.addresses.admit(path, query, now)
    }

    pub async fn open(&self, key: &Key) -> Result<OpenFile, StorageError> {
        self.storage.call("open", self.folder.open(key)).await
    }
}
