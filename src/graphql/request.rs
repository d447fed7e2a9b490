//! What a client sends, and what it gets back, apart from how it travels.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_graphql::{ServerError, Value, Variables};
use secrecy::SecretString;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::context::Budget;
use super::error::ApiError;
use crate::accounts::{Actor, Client};

/// One operation as the request's body has it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    #[serde(default)]
    pub query: Option<String>,
    #[serde(default)]
    pub operation_name: Option<String>,
    #[serde(default)]
    pub variables: Option<Variables>,
    #[serde(default, deserialize_with = "object")]
    pub extensions: Option<RequestExtensions>,
    /// The id of a persisted document, as the draft for those has it.
    #[serde(default)]
    pub document_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestExtensions {
    #[serde(default, deserialize_with = "object")]
    pub persisted_query: Option<PersistedQuery>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PersistedQuery {
    #[serde(default)]
    pub version: Option<u32>,
    pub sha256_hash: String,
}

/// What is read from an object and from nothing else. By itself, a derived reader takes a list as well, for the members
/// in the order in which they stand here.
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyObject<T> {
            type Value = Object<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }

        deserializer.deserialize_map(OnlyObject(PhantomData))
    }
}

fn object<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let read = Option::<Object<T>>::deserialize(deserializer)?;
    Ok(read.map(|Object(inner)| inner))
}

/// Who sends a request.
#[derive(Debug, Clone)]
pub struct Caller {
    pub actor: Actor,
    /// A token came that is not believed: only what signs in or out may go on, as if there was none.
    pub has_stale_token: bool,
    pub client: Client,
    pub correlation_id: String,
    pub client_name: Option<String>,
    pub client_version: Option<String>,
    /// By GET: nothing may change.
    pub only_queries: bool,
}

impl Caller {
    /// What limits are counted by: whoever is signed in, else an address, or its network.
    pub fn limit_key(&self) -> Cow<'_, str> {
        match self.actor.account_id() {
            Some(account) => account.to_string().into(),
            None => self.client.limit_key.as_str().into(),
        }
    }
}

/// What the operations of one request share.
#[derive(Default)]
pub struct Visit {
    had_sensitive: AtomicBool,
    cookies: Mutex<Vec<CookieChange>>,
}

/// What becomes of a browser's cookies.
pub enum CookieChange {
    SignedIn {
        refresh: SecretString,
        /// How long; none until the browser is closed.
        kept: Option<Duration>,
        csrf: SecretString,
        device: Option<SecretString>,
    },
    SignedOut,
}

impl Visit {
    /// One attempt a request: neither aliases nor batches make more of it.
    pub fn only_sensitive(&self) -> Result<(), ApiError> {
        match self.had_sensitive.swap(true, Ordering::AcqRel) {
            false => Ok(()),
            true => Err(ApiError::BadRequest(
                "A request runs one sensitive mutation (sign-in, registration, reset, change of credentials); send the others by themselves."
                    .into(),
            )),
        }
    }

    pub fn change_cookies(&self, change: CookieChange) {
        self.cookies().push(change);
    }

    pub fn take_cookies(&self) -> Vec<CookieChange> {
        std::mem::take(&mut *self.cookies())
    }

    fn cookies(&self) -> MutexGuard<'_, Vec<CookieChange>> {
        self.cookies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one operation came to.
pub enum Outcome {
    /// It did not run: there are errors and no data.
    Refused(ApiError),
    /// The engine refused it, in several points perhaps.
    Invalid(Vec<ServerError>),
    Ran {
        data: Value,
        errors: Vec<ServerError>,
    },
}

pub struct Answer {
    pub outcome: Outcome,
    pub correlation_id: String,
}

/// What a request came to: one answer, or one for each operation of a batch, and what is left of the budget.
pub struct Reply {
    pub answers: Vec<Answer>,
    pub budget: Option<Budget>,
    pub cookies: Vec<CookieChange>,
}

impl Answer {
    /// Why the operation did not run; none when it did.
    pub fn refusal(&self) -> Option<ApiError> {
        match &self.outcome {
            Outcome::Refused(error) => Some(error.clone()),
            Outcome::Invalid(errors) => Some(ApiError::ValidationFailed(
                errors
                    .first()
                    .map(|error| error.message.clone())
                    .unwrap_or_default(),
            )),
            Outcome::Ran { .. } => None,
        }
    }
}

impl Answer {
    /// Seconds to wait, where that helps with what was refused.
    pub fn retry_after(&self) -> Option<u64> {
        match &self.outcome {
            Outcome::Refused(error) => error.retry_after(),
            Outcome::Invalid(_) => None,
            Outcome::Ran { errors, .. } => errors
                .iter()
                .filter_map(|error| error.source.as_ref()?.downcast_ref::<ApiError>())
                .filter_map(ApiError::retry_after)
                .max(),
        }
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.outcome {
            Outcome::Refused(error) => {
                let mut error = ServerError::from(error.clone());
                mark(&mut error, &self.correlation_id);
                map.serialize_entry("errors", &[error])?;
            }
            Outcome::Invalid(errors) => map.serialize_entry("errors", errors)?,
            Outcome::Ran { data, errors } => {
                if !errors.is_empty() {
                    map.serialize_entry("errors", errors)?;
                }
                map.serialize_entry("data", data)?;
            }
        }
        map.end()
    }
}

/// An error of ours carries the id under which the logs have its cause.
pub fn mark(error: &mut ServerError, correlation_id: &str) {
    if let Some(extensions) = &mut error.extensions
        && extensions.get("code") == Some(&Value::from("INTERNAL"))
    {
        extensions.set("correlationId", correlation_id);
    }
}
