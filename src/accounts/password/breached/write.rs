//! Writes a filter as `filter.rs` reads it. For `examples/breached.rs` and tests: the service only reads.

use super::filter::{Filter, MAGIC};

impl Filter {
    pub fn to_bytes(&self) -> Vec<u8> {
        let descriptor = &self.filter.descriptor;
        let mut bytes = Vec::new();
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.entries.to_le_bytes());
        bytes.extend_from_slice(&descriptor.seed.to_le_bytes());
        bytes.extend_from_slice(&descriptor.segment_length.to_le_bytes());
        bytes.extend_from_slice(&descriptor.segment_count_length.to_le_bytes());
        for fingerprint in &self.filter.fingerprints {
            bytes.extend_from_slice(&fingerprint.to_le_bytes());
        }
        bytes
    }
}
