//! The way of an operation: find its document, judge it, charge for it, run it, tell what went wrong.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{
    EmptyMutation, EmptySubscription, Schema, ServerError, ValidationMode, Variables,
};
use futures_util::FutureExt;
use tracing::Instrument;

use super::context::{Budget, Operation};
use super::document::{Limits, Refusal, TypeModel};
use super::documents::{Documents, Found, Valid};
use super::error::ApiError;
use super::loaders::Loaders;
use super::request::{Answer, Caller, Outcome, Reply, Request, mark};
use super::usage::FieldUsage;
use super::validation::{OnlyValidate, passed};
use super::{Query, builder};
use crate::app::App;
use crate::catalogue::KeptGenres;
use crate::limits::Quota;
use crate::telemetry;

/// A whole operation without files.
const OPERATION_LIMIT: Duration = Duration::from_secs(30);
/// Of one document that does not validate.
const MOST_ERRORS: usize = 20;
const BUDGET_WINDOW: Duration = Duration::from_secs(60);

pub type ApiSchema = Schema<Query, EmptyMutation, EmptySubscription>;

/// The API of one instance.
pub struct Api {
    app: Arc<App>,
    /// Judges what is new, by every rule.
    strict: ApiSchema,
    /// Runs what has passed, without judging it again.
    ready: ApiSchema,
    types: TypeModel,
    limits: Limits,
    documents: Documents,
    usage: Arc<FieldUsage>,
    kept_genres: Arc<KeptGenres>,
    introspection: bool,
}

/// An operation that may run.
struct Prepared {
    document: Arc<Valid>,
    name: Option<String>,
    variables: Variables,
    price: u64,
}

impl Api {
    pub fn new(app: Arc<App>) -> anyhow::Result<Self> {
        let introspection = app.config.introspection;
        let mut strict = builder().extension(OnlyValidate);
        if !introspection {
            strict = strict.disable_suggestions();
        }
        let trusted = match &app.config.trusted_documents {
            Some(path) => Some(super::documents::read_manifest(path)?),
            None => None,
        };
        let types = TypeModel::from_sdl(&super::sdl())?;
        let usage = Arc::new(FieldUsage::new(&types));
        app.metrics.observe_field_usage(usage.clone().source());
        Ok(Self {
            app,
            strict: strict.finish(),
            ready: builder().validation_mode(ValidationMode::Fast).finish(),
            types,
            limits: Limits::default(),
            documents: Documents::new(trusted),
            usage,
            kept_genres: Arc::default(),
            introspection,
        })
    }

    /// Runs a request: one operation, or a batch that is priced together.
    pub async fn run(&self, requests: Vec<Request>, caller: &Caller) -> Reply {
        let refused = |error: ApiError, count: usize, budget| Reply {
            answers: (0..count)
                .map(|_| self.answer(caller, Outcome::Refused(error.clone())))
                .collect(),
            budget,
        };
        if let Err(refusal) = self.limits.allow_batch(requests.len()) {
            return refused(refusal.into(), 1, None);
        }
        let mut prepared = Vec::with_capacity(requests.len());
        for request in requests {
            prepared.push(self.prepare(request, caller).await);
        }
        let price = prepared
            .iter()
            .flatten()
            .map(|one| one.price)
            .fold(0, u64::saturating_add);
        if let Err(refusal) = self.limits.allow_price(price) {
            return refused(refusal.into(), prepared.len(), None);
        }
        let budget = match self.charge(caller, price).await {
            Ok(budget) => budget,
            Err((error, budget)) => return refused(error, prepared.len(), budget),
        };
        let runs = prepared.into_iter().map(|prepared| async {
            let outcome = match prepared {
                Ok(prepared) => self.execute(prepared, caller, budget).await,
                Err(outcome) => outcome,
            };
            self.answer(caller, outcome)
        });
        Reply {
            answers: futures_util::future::join_all(runs).await,
            budget: Some(budget),
        }
    }

    async fn prepare(&self, request: Request, caller: &Caller) -> Result<Prepared, Outcome> {
        let refused = |error: ApiError| Outcome::Refused(error);
        let refuse = |refusal: Refusal| Outcome::Refused(refusal.into());
        let found = self
            .documents
            .find(&self.app, &request, &self.types, &self.limits)
            .await
            .map_err(refused)?;
        let name = request.operation_name.as_deref();
        let asked = match &found {
            Found::Valid(valid) => &valid.document,
            Found::New { document, .. } => document,
        };
        // Before validation: a mutation by GET is refused as such, even where there is none of that name.
        if caller.only_queries
            && asked.operation(name).map_err(refuse)?.shape.kind != OperationType::Query
        {
            return Err(Outcome::Refused(ApiError::OnlyQueries));
        }
        let document = match found {
            Found::Valid(valid) => valid,
            Found::New {
                hash,
                document,
                text,
                persist,
            } => {
                self.validate(&document).await?;
                self.documents
                    .admit(&self.app, hash, document, text, persist)
                    .await
            }
        };
        let operation = document.document.operation(name).map_err(refuse)?;
        if operation.shape.introspects && !self.introspection {
            return Err(Outcome::Refused(ApiError::ValidationFailed(
                "Introspection is switched off here; the schema is published with the service's documentation.".into(),
            )));
        }
        let variables = request.variables.unwrap_or_default();
        operation
            .check_variables(&variables, &self.types, &self.limits)
            .map_err(refuse)?;
        let price = operation.price(&variables);
        self.usage.count(&operation.shape.used_fields);
        Ok(Prepared {
            price,
            name: request.operation_name,
            variables,
            document,
        })
    }

    async fn validate(&self, document: &super::document::Document) -> Result<(), Outcome> {
        let mut request = async_graphql::Request::new(String::new());
        request.set_parsed_query(document.ast.clone());
        let mut errors = self.strict.execute(request).await.errors;
        if passed(&errors) {
            return Ok(());
        }
        // A document can break a rule in each of its fields; a person mends a few at a time.
        errors.truncate(MOST_ERRORS);
        for error in &mut errors {
            error.extensions = Some(ApiError::ValidationFailed(String::new()).extensions());
        }
        Err(Outcome::Invalid(errors))
    }

    async fn charge(
        &self,
        caller: &Caller,
        price: u64,
    ) -> Result<Budget, (ApiError, Option<Budget>)> {
        let limit = caller.actor.points_a_minute();
        let Some(limit) = self.app.scaled(limit) else {
            return Ok(Budget::unlimited(limit, price));
        };
        let quota = Quota {
            name: "points",
            limit,
            window: BUDGET_WINDOW,
        };
        let decision = self
            .app
            .limiter
            .charge(&quota, &caller.address, price)
            .await
            .map_err(|error| (ApiError::unavailable(error.to_string()), None))?;
        self.app.metrics.limiter_degraded(decision.degraded);
        let budget = Budget::of(&decision, price);
        if decision.allowed {
            return Ok(budget);
        }
        self.app.metrics.rate_limit_refusal(quota.name);
        let error = ApiError::RateLimited {
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after: decision.retry_after.unwrap_or(decision.reset_after),
        };
        Err((error, Some(budget)))
    }

    async fn execute(&self, prepared: Prepared, caller: &Caller, budget: Budget) -> Outcome {
        let Prepared {
            document,
            name,
            variables,
            price,
        } = prepared;
        let operation = Arc::new(Operation {
            app: self.app.clone(),
            budget,
            loaders: Loaders::default(),
            kept_genres: self.kept_genres.clone(),
        });
        let mut request = async_graphql::Request::new(String::new())
            .variables(variables)
            .data(operation);
        request.operation_name = name;
        request.set_parsed_query(document.document.ast.clone());
        let asked = document
            .document
            .operation(request.operation_name.as_deref());
        let named = asked.ok().and_then(|operation| operation.name.as_deref());
        let span = tracing::debug_span!("operation", name = named.unwrap_or("anonymous"), price);
        let started = Instant::now();
        let running = AssertUnwindSafe(self.ready.execute(request)).catch_unwind();
        let outcome = match tokio::time::timeout(OPERATION_LIMIT, running)
            .instrument(span)
            .await
        {
            Ok(Ok(response)) => Outcome::Ran {
                data: response.data,
                errors: response.errors,
            },
            Ok(Err(panic)) => {
                self.app.metrics.panic_caught();
                Outcome::Refused(ApiError::internal(format!(
                    "a resolver panicked: {}",
                    said(&*panic)
                )))
            }
            Err(_) => Outcome::Refused(ApiError::Timeout),
        };
        self.app.metrics.graphql_operation(&telemetry::Operation {
            kind: "query",
            name: named,
            client_name: caller.client_name.as_deref(),
            client_version: caller.client_version.as_deref(),
            code: first_code(&outcome),
            took: started.elapsed(),
            price,
        });
        outcome
    }

    /// Makes the errors fit for a client, and tells the operator what they hide.
    fn answer(&self, caller: &Caller, mut outcome: Outcome) -> Answer {
        match &mut outcome {
            Outcome::Refused(error) => self.report(caller, error, None),
            Outcome::Invalid(_) => self.app.metrics.error("GRAPHQL_VALIDATION_FAILED"),
            Outcome::Ran { errors, .. } => {
                for error in errors {
                    self.finish(caller, error);
                }
            }
        }
        Answer {
            outcome,
            correlation_id: caller.correlation_id.clone(),
        }
    }

    fn finish(&self, caller: &Caller, error: &mut ServerError) {
        let cause = error
            .source
            .as_ref()
            .and_then(|source| source.downcast_ref::<ApiError>());
        match cause {
            Some(cause) => {
                let extensions = cause.extensions();
                self.report(caller, cause, Some(error));
                error.extensions = Some(extensions);
            }
            // The engine's own word on an argument: a custom scalar that could not be read.
            None => {
                let bad_request = ApiError::BadRequest(String::new());
                error.extensions = Some(bad_request.extensions());
                self.app.metrics.error(bad_request.code());
            }
        }
        mark(error, &caller.correlation_id);
    }

    fn report(&self, caller: &Caller, error: &ApiError, field: Option<&ServerError>) {
        self.app.metrics.error(error.code());
        let Some(cause) = error.cause() else { return };
        let path = field.map(|error| path(error)).unwrap_or_default();
        let correlation_id = &caller.correlation_id;
        match error {
            ApiError::Internal(_) => {
                tracing::error!(
                    correlation_id,
                    path,
                    cause,
                    "an operation failed by our fault"
                );
            }
            _ => tracing::warn!(
                correlation_id,
                path,
                cause,
                code = error.code(),
                "an operation was not served"
            ),
        }
    }
}

/// By which rules a document is no valid one; for those who keep documents.
pub fn validate(text: &str) -> Vec<String> {
    let strict = builder().extension(OnlyValidate).finish();
    let Some(response) = strict.execute(text).now_or_never() else {
        return vec!["it was not validated at once".into()];
    };
    match passed(&response.errors) {
        true => Vec::new(),
        false => response
            .errors
            .into_iter()
            .map(|error| error.message)
            .collect(),
    }
}

/// The first error's code, for metrics.
fn first_code(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(error) => error.code(),
        Outcome::Invalid(_) => "GRAPHQL_VALIDATION_FAILED",
        Outcome::Ran { errors, .. } => errors.first().map_or("OK", |error| {
            error
                .source
                .as_ref()
                .and_then(|source| source.downcast_ref::<ApiError>())
                .map_or("BAD_REQUEST", ApiError::code)
        }),
    }
}

fn path(error: &ServerError) -> String {
    use async_graphql::PathSegment;
    let segments = error.path.iter().map(|segment| match segment {
        PathSegment::Field(name) => name.clone(),
        PathSegment::Index(index) => index.to_string(),
    });
    segments.collect::<Vec<_>>().join(".")
}

/// What a panic said, if it said it in words.
fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a word")
}
