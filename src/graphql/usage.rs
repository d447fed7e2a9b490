//! How often each field of the schema was asked for: what nobody asks for any more can be deprecated.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::document::{FieldId, TypeModel};
use crate::telemetry;

/// One counter a field, so that counting costs a request no more than an addition for each field it names.
pub struct FieldUsage {
    fields: Vec<(String, AtomicU64)>,
}

impl FieldUsage {
    pub fn new(types: &TypeModel) -> Self {
        let mut fields: Vec<(String, AtomicU64)> = Vec::new();
        fields.resize_with(types.field_count(), Default::default);
        for (id, owner, name) in types.field_names() {
            fields[id.index()].0 = format!("{owner}.{name}");
        }
        Self { fields }
    }

    pub fn count(&self, used: &[FieldId]) {
        for id in used {
            if let Some((_, count)) = self.fields.get(id.index()) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The counts as the telemetry reads them: only of fields that were ever asked for.
    pub fn source(self: Arc<Self>) -> telemetry::FieldUsage {
        Arc::new(move |observe| {
            for (name, count) in &self.fields {
                match count.load(Ordering::Relaxed) {
                    0 => {}
                    count => observe(name, count),
                }
            }
        })
    }
}
