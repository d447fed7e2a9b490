//! Where a sealed value stands.

use std::fmt;

use uuid::Uuid;

/// A column of sealed values. Whoever keeps one declares it once, makes its places from that, and names it in the list by
/// which keys are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    pub table: &'static str,
    /// The column that tells a row from all others, a UUID that never changes.
    pub key: &'static str,
    /// A `bytea`, which may be null.
    pub column: &'static str,
}

/// A column, and one of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    column: Sealed,
    row: Uuid,
}

impl Sealed {
    /// In the row of this key.
    pub fn of(self, row: Uuid) -> Place {
        Place { column: self, row }
    }
}

impl Place {
    /// What a value is bound to, each part behind its length, so that they can't be cut elsewhere.
    pub(super) fn bound(&self, head: &[u8]) -> Vec<u8> {
        let mut bound = Vec::new();
        for part in [
            head,
            self.column.table.as_bytes(),
            self.column.column.as_bytes(),
            self.row.as_bytes(),
        ] {
            bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bound.extend_from_slice(part);
        }
        bound
    }
}

impl fmt::Display for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.table, self.column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {} {}", self.column, self.column.key, self.row)
    }
}
