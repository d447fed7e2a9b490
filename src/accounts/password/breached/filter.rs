//! A set of passwords as a filter: it says "no" or "very likely", and takes two bytes and a quarter for each password.
//!
//! A binary fuse filter with fingerprints of 16 bits: what is in it is always found, and of what is not, one in 65,536 is
//! taken for it. This file knows nothing of the service, so that `examples/breached.rs`, which makes the bundled one, can be
//! built from it.

use sha1::{Digest, Sha1};
use unicode_normalization::UnicodeNormalization;
use xorf::{BinaryFuse16, Filter as _};

/// What a filter's file begins with: its form and version.
pub(super) const MAGIC: &[u8; 8] = b"EMPBF16\x01";

pub struct Filter {
    pub(super) entries: u64,
    pub(super) filter: BinaryFuse16,
}

/// How a password is known here: the first eight bytes of its SHA-1, which is how lists of breached ones are published.
pub fn key(password: &str) -> u64 {
    key_of_digest(&Sha1::digest(password.as_bytes()).into())
}

pub fn key_of_digest(digest: &[u8; 20]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *digest;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// As the bundled list has its entries: who guesses tries both cases.
pub fn plain(password: &str) -> String {
    password.nfc().flat_map(char::to_lowercase).collect()
}

impl Filter {
    /// Leaves `keys` sorted and each of them once.
    pub fn of(keys: &mut Vec<u64>) -> Result<Self, &'static str> {
        keys.sort_unstable();
        keys.dedup();
        Ok(Self {
            entries: keys.len() as u64,
            filter: BinaryFuse16::try_from(&*keys)?,
        })
    }

    pub fn holds(&self, key: u64) -> bool {
        self.entries > 0 && self.filter.contains(&key)
    }

    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// `None` where it is not what `write.rs` wrote: magic, number of entries, seed, length of a segment, length of all segments
    /// but two, fingerprints; all numbers with their smallest byte first.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (entries, rest) = rest.split_first_chunk::<8>()?;
        let (seed, rest) = rest.split_first_chunk::<8>()?;
        let (segment_length, rest) = rest.split_first_chunk::<4>()?;
        let (segment_count_length, rest) = rest.split_first_chunk::<4>()?;
        let (fingerprints, odd) = rest.as_chunks::<2>();
        let segment_length = u32::from_le_bytes(*segment_length);
        let segment_count_length = u32::from_le_bytes(*segment_count_length);
        // What `contains` takes for granted.
        let whole = u64::from(segment_count_length) + 2 * u64::from(segment_length);
        if magic != MAGIC
            || !odd.is_empty()
            || !segment_length.is_power_of_two()
            || whole != fingerprints.len() as u64
        {
            return None;
        }
        // A descriptor can't be made by name, only had from a filter.
        let mut filter = BinaryFuse16::try_from(&Vec::new()).ok()?;
        filter.descriptor.seed = u64::from_le_bytes(*seed);
        filter.descriptor.segment_length = segment_length;
        filter.descriptor.segment_length_mask = segment_length - 1;
        filter.descriptor.segment_count_length = segment_count_length;
        filter.fingerprints = fingerprints
            .iter()
            .map(|pair| u16::from_le_bytes(*pair))
            .collect();
        Some(Self {
            entries: u64::from_le_bytes(*entries),
            filter,
        })
    }
}
