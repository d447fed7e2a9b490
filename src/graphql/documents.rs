//! Where an operation's document comes from: the request itself, a text kept under its hash (automatic persisted
//! queries), or the manifest of those that the service trusts. What was read and found valid once is kept.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::sync::Cache as MemoryCache;
use sha2::{Digest, Sha256};

use super::document::{Document, Limits, TypeModel};
use super::error::ApiError;
use super::request::Request;
use super::trusted::Trusted;
use crate::app::App;

/// Bytes that documents kept ready may take, by an estimate.
const KEPT_BYTES: u64 = 64 << 20;
/// What a selection takes, read and with what is known of it. What is kept of an operation grows with its selections as
/// they run, spreads followed, and not with its text.
const SELECTION_BYTES: u64 = 400;
/// How long a text that a client registered is kept for all instances.
const PERSISTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

type Hash = [u8; 32];

/// A document that passed validation, with what the request needs of it.
pub struct Valid {
    pub document: Document,
    pub text_length: usize,
}

impl Valid {
    fn weight(&self) -> u32 {
        let operations = self.document.operations().iter();
        let selections: u64 = operations.map(|operation| operation.shape.size).sum();
        let text = self.text_length as u64;
        u32::try_from(512 + 10 * text + SELECTION_BYTES * selections).unwrap_or(u32::MAX)
    }
}

pub struct Documents {
    valid: MemoryCache<Hash, Arc<Valid>>,
    trusted: Option<Trusted>,
}

/// A document that a request named or brought.
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart by who asked for it, and kept by nobody"
)]
pub enum Found {
    /// Known to be valid.
    Valid(Arc<Valid>),
    /// To be validated, and then to be admitted by its hash.
    New {
        hash: Hash,
        document: Document,
        text: Arc<str>,
        /// To be kept for those who send the hash alone.
        persist: bool,
    },
}

impl Documents {
    pub fn new(trusted: Option<Trusted>) -> Self {
        Self {
            valid: MemoryCache::builder()
                .max_capacity(KEPT_BYTES)
                .weigher(|_, valid: &Arc<Valid>| valid.weight())
                .build(),
            trusted,
        }
    }

    /// Finds the document that a request is about.
    pub async fn find(
        &self,
        app: &App,
        request: &Request,
        types: &TypeModel,
        limits: &Limits,
    ) -> Result<Found, ApiError> {
        let persisted = match request
            .extensions
            .as_ref()
            .and_then(|all| all.persisted_query.as_ref())
        {
            Some(query) if query.version.unwrap_or(1) != 1 => {
                return Err(ApiError::BadRequest(
                    "extensions.persistedQuery.version: only 1 is known.".into(),
                ));
            }
            Some(query) => Some(query.sha256_hash.to_ascii_lowercase()),
            None => request.document_id.as_ref().map(|id| {
                let id = id.to_ascii_lowercase();
                id.strip_prefix("sha256:").map_or(id.clone(), str::to_owned)
            }),
        };
        if let Some(trusted) = &self.trusted {
            let id = match (&persisted, &request.query) {
                (Some(id), _) => id.clone(),
                (None, Some(text)) => sha256(text),
                (None, None) => return Err(no_query()),
            };
            let text = trusted.text(&id).ok_or(ApiError::NotTrusted)?;
            if request
                .query
                .as_deref()
                .is_some_and(|asked| asked != &*text)
            {
                return Err(not_its_hash());
            }
            return self.read(text, types, limits, false);
        }
        match (persisted, &request.query) {
            (Some(id), Some(text)) => {
                let hash = hash(text);
                if hex(&hash) != id {
                    return Err(not_its_hash());
                }
                if let Some(valid) = self.valid.get(&hash) {
                    // Ready here; another instance may only be told its hash.
                    persist(app, &id, text).await;
                    return Ok(Found::Valid(valid));
                }
                self.read(text.as_str().into(), types, limits, true)
            }
            (Some(id), None) => {
                let hash = unhex(&id).ok_or_else(|| {
                    ApiError::BadRequest(
                        "extensions.persistedQuery.sha256Hash: 64 hexadecimal digits are expected."
                            .into(),
                    )
                })?;
                if let Some(valid) = self.valid.get(&hash) {
                    return Ok(Found::Valid(valid));
                }
                let kept = app.cache.get(&key(&id)).await;
                app.metrics
                    .cache_lookup("persisted documents", kept.is_some());
                let text = kept
                    .and_then(|text| String::from_utf8(text.into()).ok())
                    // Whoever can write to the cache must not choose what a hash stands for.
                    .filter(|text| self::hash(text) == hash)
                    .ok_or(ApiError::PersistedQueryNotFound)?;
                self.read(text.into(), types, limits, false)
            }
            (None, Some(text)) => self.read(text.as_str().into(), types, limits, false),
            (None, None) => Err(no_query()),
        }
    }

    fn read(
        &self,
        text: Arc<str>,
        types: &TypeModel,
        limits: &Limits,
        persist: bool,
    ) -> Result<Found, ApiError> {
        let hash = hash(&text);
        if let Some(valid) = self.valid.get(&hash) {
            return Ok(Found::Valid(valid));
        }
        let document = Document::read(&text, types, limits)?;
        Ok(Found::New {
            hash,
            document,
            text,
            persist,
        })
    }

    /// Keeps a document that passed validation.
    pub async fn admit(
        &self,
        app: &App,
        hash: Hash,
        document: Document,
        text: Arc<str>,
        persist: bool,
    ) -> Arc<Valid> {
        let valid = Arc::new(Valid {
            document,
            text_length: text.len(),
        });
        self.valid.insert(hash, valid.clone());
        if persist {
            self::persist(app, &hex(&hash), &text).await;
        }
        valid
    }
}

/// Keeps a text for those who send its hash alone, at whichever instance.
async fn persist(app: &App, id: &str, text: &str) {
    let text = Bytes::copy_from_slice(text.as_bytes());
    app.cache.put(&key(id), text, PERSISTED_FOR).await;
}

fn not_its_hash() -> ApiError {
    ApiError::BadRequest(
        "extensions.persistedQuery.sha256Hash: it is not the SHA-256 of `query`.".into(),
    )
}

fn no_query() -> ApiError {
    ApiError::BadRequest("query: a GraphQL document is expected.".into())
}

fn key(hash: &str) -> String {
    format!("document:{hash}")
}

/// A text's SHA-256, as requests and manifests write it.
pub fn sha256(text: &str) -> String {
    hex(&hash(text))
}

fn hash(text: &str) -> Hash {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(hash: &Hash) -> String {
    use std::fmt::Write;
    hash.iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn unhex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}
