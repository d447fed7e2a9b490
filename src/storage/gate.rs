//! The way in by our own addresses, where the files are in a folder.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;

use super::address::{Admission, NotAdmitted};
use super::folder::{Folder, OpenFile};
use super::parts::{self, PartAdmission, PartFault};
use super::place::Place;
use super::{Inner, Key, PutError, StorageError};

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

    /// The same for an address that a part is sent to.
    pub fn admit_part(&self, path: &str, query: &str) -> Result<PartAdmission, NotAdmitted> {
        let now = self.storage.clock.now();
        self.storage.addresses.admit_part(path, query, now)
    }

    /// Stores a part whole or not at all, and says its ETag. Not found where no more may come.
    pub async fn store_part<E>(
        &self,
        part: &PartAdmission,
        bytes: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<String, PutError<PartFault<E>>> {
        parts::store(&self.storage, &self.folder, part, bytes).await
    }
}
