//! What a client sends, and what it gets back, apart from how it travels.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_graphql::{Response, ServerError, Value, Variables};
use secrecy::SecretString;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::context::Budget;
use super::error::ApiError;
use super::files::Files;
use crate::accounts::{Actor, Client};
use crate::idempotency::{Key, KeyFault};

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
    /// What comes behind it, where variables name some.
    #[serde(skip)]
    pub files: Option<Files>,
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
    /// What a mutation is named by, so that it is done once; or why that is no name.
    pub idempotency_key: Option<Result<Key, KeyFault>>,
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
    /// It ran before; what was answered, as it was.
    Kept(Vec<u8>),
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self::Ran {
            data: response.data,
            errors: response.errors,
        }
    }
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
            Outcome::Ran { .. } | Outcome::Kept(_) => None,
        }
    }

    pub fn was_kept(&self) -> bool {
        matches!(self.outcome, Outcome::Kept(_))
    }

    /// Seconds to wait, where that helps with what was refused.
    pub fn retry_after(&self) -> Option<u64> {
        match &self.outcome {
            Outcome::Refused(error) => error.retry_after(),
            Outcome::Invalid(_) | Outcome::Kept(_) => None,
            Outcome::Ran { errors, .. } => errors
                .iter()
                .filter_map(cause)
                .filter_map(ApiError::retry_after)
                .max(),
        }
    }
}

impl Answer {
    /// As its client gets it.
    pub fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        match &self.outcome {
            Outcome::Refused(error) => {
                let mut error = ServerError::from(error.clone());
                mark(&mut error, &self.correlation_id);
                serde_json::to_vec(&Written {
                    errors: &[error],
                    data: None,
                })
            }
            Outcome::Invalid(errors) => serde_json::to_vec(&Written { errors, data: None }),
            Outcome::Ran { data, errors } => serde_json::to_vec(&Written {
                errors,
                data: Some(data),
            }),
            Outcome::Kept(answer) => Ok(answer.clone()),
        }
    }

    /// Its errors alone, as `graphql-transport-ws` tells why an operation does not run.
    pub fn errors_to_json(&self) -> serde_json::Result<Vec<u8>> {
        match &self.outcome {
            Outcome::Refused(error) => {
                let mut error = ServerError::from(error.clone());
                mark(&mut error, &self.correlation_id);
                serde_json::to_vec(&[error])
            }
            Outcome::Invalid(errors) | Outcome::Ran { errors, .. } => serde_json::to_vec(errors),
            Outcome::Kept(_) => Ok(b"[]".to_vec()),
        }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
}

/// Why a field failed, in our words; none where they are the engine's.
pub fn cause(error: &ServerError) -> Option<&ApiError> {
    error.source.as_ref()?.downcast_ref()
}

/// Makes an error that came of running fit for a client.
pub fn finish(error: &mut ServerError, correlation_id: &str) {
    let extensions = match cause(error) {
        Some(cause) => cause.extensions(),
        // The engine's own word on an argument: a custom scalar that could not be read.
        None => ApiError::BadRequest(String::new()).extensions(),
    };
    error.extensions = Some(extensions);
    mark(error, correlation_id);
}

/// An error of ours carries the id under which the logs have its cause.
fn mark(error: &mut ServerError, correlation_id: &str) {
    if let Some(extensions) = &mut error.extensions
        && extensions.get("code") == Some(&Value::from("INTERNAL"))
    {
        extensions.set("correlationId", correlation_id);
    }
}
