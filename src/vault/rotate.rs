//! Encrypts anew, by the first key of the ring, all that was encrypted by others.
//!
//! It works beside a service that goes on, and can be ended at any time: a row is changed only where it still holds what
//! was read, and which key a value is under stands in the value. So what somebody writes meanwhile is never lost, and
//! another run goes on where one has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::store::{self, Change};
use super::{Place, Sealed, Vault, VaultError};
use crate::db::{self, Db};

/// Walks over everything. The last one of a rotation finds nothing to do, which only a second can; more are for what
/// others hold, or write by an older key, meanwhile.
const MOST_WALKS: u32 = 10;
/// Before it is looked again for what others hold.
const PAUSE: Duration = Duration::from_millis(500);
/// So many of those that can't be decrypted are named.
const NAMED: usize = 10;

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub column: Sealed,
    /// The first, second, … walk.
    pub walk: u32,
    /// Values of the column that this walk has come by.
    pub seen: u64,
    /// Values of all columns, by all walks.
    pub re_encrypted: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{}, walk {}: {} looked at; {} re-encrypted in all",
            self.column, self.walk, self.seen, self.re_encrypted
        )
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Rotation {
    pub re_encrypted: u64,
    /// Values that are under the first key now.
    pub under_first: u64,
    /// Values that the last walk found under older keys, by key: some instance goes on writing them.
    pub under_older: BTreeMap<String, u64>,
    /// Values that can't be decrypted, which were left as they are; some of them.
    pub broken: u64,
    pub named: Vec<VaultError>,
    /// Keys behind the first that nothing is under any more.
    pub unused: Vec<String>,
}

impl Vault {
    /// Encrypts anew what these columns hold, in batches, and tells after each how far it is.
    pub async fn rotate(
        &self,
        db: &Db,
        columns: &[Sealed],
        mut tell: impl FnMut(Progress),
    ) -> Result<Rotation, db::Error> {
        let mut re_encrypted = 0;
        let mut number = 1;
        loop {
            let mut walk = Walk::default();
            for column in columns {
                walk.along(self, db, *column, |seen, changed| {
                    tell(Progress {
                        column: *column,
                        walk: number,
                        seen,
                        re_encrypted: re_encrypted + changed,
                    });
                })
                .await?;
            }
            re_encrypted += walk.changed;
            if walk.under_older.is_empty() || number == MOST_WALKS {
                return Ok(walk.ended(self, re_encrypted));
            }
            if walk.changed < walk.under_older.values().sum() {
                tokio::time::sleep(PAUSE).await;
            }
            number += 1;
        }
    }
}

/// What one walk found and did.
#[derive(Default)]
struct Walk {
    under_first: u64,
    under_older: BTreeMap<String, u64>,
    changed: u64,
    broken: u64,
    named: Vec<VaultError>,
    /// Keys, of the ring or not, of what is broken.
    broken_under: BTreeSet<String>,
}

impl Walk {
    async fn along(
        &mut self,
        vault: &Vault,
        db: &Db,
        column: Sealed,
        mut tell: impl FnMut(u64, u64),
    ) -> Result<(), db::Error> {
        let mut seen = 0;
        let mut after = None;
        loop {
            let rows = store::next(db, column, after).await?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            after = Some(*last);
            let mut changes = Vec::new();
            for (row, value) in rows {
                let Some(old) = value else { continue };
                seen += 1;
                let new = self.look_at(vault, column.of(row), &old);
                changes.extend(new.map(|new| Change { row, old, new }));
            }
            if !changes.is_empty() {
                self.changed += store::replace(db, column, changes).await? as u64;
            }
            tell(seen, self.changed);
        }
    }

    /// The value anew, if it is under an older key.
    fn look_at(&mut self, vault: &Vault, place: Place, value: &[u8]) -> Option<Vec<u8>> {
        match vault.renewed(&place, value) {
            Ok(None) => {
                self.under_first += 1;
                None
            }
            Ok(Some((key_id, new))) => {
                *self.under_older.entry(key_id).or_default() += 1;
                Some(new)
            }
            Err(error) => {
                self.broken += 1;
                self.broken_under.extend(error.key_id().map(str::to_owned));
                if self.named.len() < NAMED {
                    self.named.push(error);
                }
                None
            }
        }
    }

    fn ended(self, vault: &Vault, re_encrypted: u64) -> Rotation {
        let is_used =
            |id: &str| self.under_older.contains_key(id) || self.broken_under.contains(id);
        let unused = vault.ids().skip(1).filter(|id| !is_used(id));
        Rotation {
            unused: unused.map(str::to_owned).collect(),
            re_encrypted,
            under_first: self.under_first + self.changed,
            under_older: self.under_older,
            broken: self.broken,
            named: self.named,
        }
    }
}
