//! Where an operation's document comes from: the request itself, a text kept under its hash (automatic persisted
//! queries), or the manifest of those that the service trusts. What was read and found valid once is kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
const REGISTERED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long this instance takes a text that it registered to be there still; the cache may have been away just then.
const SURELY_REGISTERED_FOR: Duration = Duration::from_secs(5 * 60);

pub type Hash = [u8; 32];

/// A document that passed validation, with what the request needs of it.
pub struct Valid {
    pub document: Document,
    hash: Hash,
    text: Arc<str>,
    registered_at: Mutex<Option<Instant>>,
}

impl Valid {
    /// The SHA-256 of its text.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    fn weight(&self) -> u32 {
        let operations = self.document.operations().iter();
        let selections: u64 = operations.map(|operation| operation.shape.size).sum();
        let text = self.text.len() as u64;
        u32::try_from(512 + 11 * text + SELECTION_BYTES * selections).unwrap_or(u32::MAX)
    }

    /// How many bytes are to be registered, for those who send the hash alone at whichever instance; none where they
    /// were a while ago.
    pub fn to_register(&self) -> Option<u64> {
        let registered_at = self.registered_at.lock();
        let registered_at = *registered_at.unwrap_or_else(PoisonError::into_inner);
        registered_at
            .is_none_or(|then| then.elapsed() > SURELY_REGISTERED_FOR)
            .then_some(self.text.len() as u64)
    }

    pub async fn register(&self, app: &App) {
        *self
            .registered_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let text = Bytes::copy_from_slice(self.text.as_bytes());
        app.cache.put(&key(&self.hash), text, REGISTERED_FOR).await;
    }
}

pub struct Documents {
    valid: MemoryCache<Hash, Arc<Valid>>,
    trusted: Option<Trusted>,
}

/// A document that a request named or brought.
pub struct Found {
    pub known: Known,
    /// Whether its text came with its hash, to be kept for those who send the hash alone.
    pub registers: bool,
}

impl Found {
    pub fn is_unread(&self) -> bool {
        matches!(self.known, Known::Unread(_))
    }
}

pub enum Known {
    Valid(Arc<Valid>),
    Unread(Unread),
}

/// A document that is not known here; reading and validating it is work.
pub struct Unread {
    hash: Hash,
    /// None where another instance may have it.
    text: Option<Arc<str>>,
}

/// A document that was read, to be validated.
pub struct New {
    pub document: Document,
    hash: Hash,
    text: Arc<str>,
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

    /// Finds out which document a request is about, and whether it is known here.
    pub fn find(&self, request: &Request) -> Result<Found, ApiError> {
        let id = named(request)?;
        let text = request.query.as_deref();
        if let Some(trusted) = &self.trusted {
            let id = match (id, text) {
                (Some(id), _) => id.to_owned(),
                (None, Some(text)) => sha256(text),
                (None, None) => return Err(no_query()),
            };
            let known = trusted
                .text(&id.to_ascii_lowercase())
                .ok_or(ApiError::NotTrusted)?;
            if text.is_some_and(|asked| asked != &*known) {
                return Err(not_its_hash());
            }
            return Ok(self.found(hash(&known), || Some(known), false));
        }
        match (id, text) {
            (Some(id), Some(text)) => {
                let hash = hash(text);
                if unhex(id) != Some(hash) {
                    return Err(not_its_hash());
                }
                Ok(self.found(hash, || Some(text.into()), true))
            }
            (Some(id), None) => {
                let hash = unhex(id).ok_or_else(|| {
                    ApiError::BadRequest(
                        "extensions.persistedQuery.sha256Hash: 64 hexadecimal digits are expected."
                            .into(),
                    )
                })?;
                Ok(self.found(hash, || None, false))
            }
            (None, Some(text)) => Ok(self.found(hash(text), || Some(text.into()), false)),
            (None, None) => Err(no_query()),
        }
    }

    fn found(&self, hash: Hash, text: impl FnOnce() -> Option<Arc<str>>, registers: bool) -> Found {
        let known = match self.valid.get(&hash) {
            Some(valid) => Known::Valid(valid),
            None => Known::Unread(Unread { hash, text: text() }),
        };
        Found { known, registers }
    }

    /// Reads a document, which another instance may have been told.
    pub async fn read(
        &self,
        app: &App,
        unread: Unread,
        types: &TypeModel,
        limits: &Limits,
    ) -> Result<New, ApiError> {
        let Unread { hash, text } = unread;
        let text = match text {
            Some(text) => text,
            None => registered(app, hash).await?,
        };
        Ok(New {
            document: Document::read(&text, types, limits)?,
            hash,
            text,
        })
    }

    /// Keeps a document that passed validation.
    pub fn admit(&self, new: New) -> Arc<Valid> {
        let New {
            document,
            hash,
            text,
        } = new;
        let valid = Arc::new(Valid {
            document,
            hash,
            text,
            registered_at: Mutex::default(),
        });
        self.valid.insert(hash, valid.clone());
        valid
    }
}

/// The hash by which a request names its document, if it does.
fn named(request: &Request) -> Result<Option<&str>, ApiError> {
    let extensions = request.extensions.as_ref();
    match extensions.and_then(|all| all.persisted_query.as_ref()) {
        Some(query) if query.version.unwrap_or(1) != 1 => Err(ApiError::BadRequest(
            "extensions.persistedQuery.version: only 1 is known.".into(),
        )),
        Some(query) => Ok(Some(&query.sha256_hash)),
        None => Ok(request.document_id.as_deref().map(|id| {
            let prefix = id
                .get(..7)
                .filter(|prefix| prefix.eq_ignore_ascii_case("sha256:"));
            prefix.map_or(id, |_| &id[7..])
        })),
    }
}

async fn registered(app: &App, hash: Hash) -> Result<Arc<str>, ApiError> {
    let kept = app.cache.get(&key(&hash)).await;
    app.metrics
        .cache_lookup("persisted documents", kept.is_some());
    kept.and_then(|text| String::from_utf8(text.into()).ok())
        // Whoever can write to the cache must not choose what a hash stands for.
        .filter(|text| self::hash(text) == hash)
        .map(Arc::from)
        .ok_or(ApiError::PersistedQueryNotFound)
}

fn not_its_hash() -> ApiError {
    ApiError::BadRequest(
        "extensions.persistedQuery.sha256Hash: it is not the SHA-256 of `query`.".into(),
    )
}

fn no_query() -> ApiError {
    ApiError::BadRequest("query: a GraphQL document is expected.".into())
}

fn key(hash: &Hash) -> String {
    format!("document:{}", hex(hash))
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
