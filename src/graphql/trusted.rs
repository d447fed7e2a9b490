//! Trusted documents: where there is a manifest of operations, no other operation runs.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Deserialize;

use super::document::{Limits, TypeModel};
use super::documents::sha256;
use super::validation::{Validator, judge};

/// The operations of a manifest, each by the id that the manifest gives it and by its text's SHA-256.
pub struct Trusted {
    texts: HashMap<String, Arc<str>>,
}

/// A manifest in either of the forms that build tools write.
#[derive(Deserialize)]
#[serde(untagged)]
enum Manifest {
    /// Apollo's: `{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id", "body", …}]}`.
    Apollo { operations: Vec<Entry> },
    /// Relay's and others': `{"<hash>": "<document>"}`.
    Plain(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    body: String,
    name: Option<String>,
}

impl Trusted {
    /// Reads a manifest. What would be refused whenever it is asked for is refused now, by its name: whoever deploys it
    /// is still there to see.
    pub fn read(
        path: &Path,
        validator: &Validator,
        types: &TypeModel,
        limits: &Limits,
    ) -> anyhow::Result<Self> {
        let within =
            |problem: &str| format!("EMPULSE_TRUSTED_DOCUMENTS: {} {problem}", path.display());
        let text = std::fs::read_to_string(path).with_context(|| within("can't be read"))?;
        let manifest: Manifest = serde_json::from_str(&text).map_err(|_| {
            anyhow::anyhow!(within(
                "is no manifest; {\"<sha256>\": \"<document>\"} or Apollo's form is expected"
            ))
        })?;
        let entries = manifest.entries();
        anyhow::ensure!(!entries.is_empty(), within("holds no operation"));
        let mut texts = HashMap::with_capacity(entries.len() * 2);
        for Entry { id, body, name } in entries {
            judge(&body, validator, types, limits).map_err(|problem| {
                let name = name.as_deref().unwrap_or(&id);
                anyhow::anyhow!(within(&format!(
                    "holds an operation that is not valid, {name}: {problem}"
                )))
            })?;
            let body: Arc<str> = body.into();
            texts.insert(sha256(&body), body.clone());
            texts.insert(id.to_ascii_lowercase(), body);
        }
        Ok(Self { texts })
    }

    /// `id` in lower case.
    pub fn text(&self, id: &str) -> Option<Arc<str>> {
        self.texts.get(id).cloned()
    }
}

impl Manifest {
    fn entries(self) -> Vec<Entry> {
        match self {
            Self::Apollo { operations } => operations,
            Self::Plain(operations) => operations
                .into_iter()
                .map(|(id, body)| Entry {
                    id,
                    body,
                    name: None,
                })
                .collect(),
        }
    }
}

/// How many ids and hashes a manifest makes known, if it is one that the service would start with.
pub fn check_manifest(path: &Path) -> anyhow::Result<usize> {
    let types = TypeModel::from_sdl(&super::sdl())?;
    let trusted = Trusted::read(path, &Validator::new(true), &types, &Limits::default())?;
    Ok(trusted.texts.len())
}
