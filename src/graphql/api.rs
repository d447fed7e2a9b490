//! The way of an operation: find its document, judge it, charge for it, run it.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{ValidationMode, Variables};

use super::context::{Budget, Operation};
use super::document::{Document, Limits, Refusal, TypeModel};
use super::documents::{Documents, Found};
use super::engine::{Engine, Run};
use super::error::ApiError;
use super::loaders::Loaders;
use super::request::{Caller, Outcome, Reply, Request};
use super::trusted::Trusted;
use super::usage::FieldUsage;
use super::validation::Validator;
use super::{Query, builder};
use crate::app::App;
use crate::catalogue::KeptGenres;
use crate::limits::Quota;

/// Of one document that does not validate.
const MOST_ERRORS: usize = 20;
const BUDGET_WINDOW: Duration = Duration::from_secs(60);

/// The API of one instance.
pub struct Api {
    app: Arc<App>,
    /// Judges what is new, by every rule.
    validator: Validator,
    /// Runs what has passed, without judging it again.
    engine: Engine<Query>,
    types: TypeModel,
    limits: Limits,
    documents: Documents,
    usage: Arc<FieldUsage>,
    kept_genres: Arc<KeptGenres>,
    introspection: bool,
}

/// An operation that may run.
struct Prepared {
    document: ExecutableDocument,
    name: Option<String>,
    variables: Variables,
    price: u64,
}

impl Api {
    pub fn new(app: Arc<App>) -> anyhow::Result<Self> {
        let introspection = app.config.introspection;
        let validator = Validator::new(introspection);
        let types = TypeModel::from_sdl(&super::sdl())?;
        let limits = Limits::default();
        let trusted = match &app.config.trusted_documents {
            Some(path) => Some(Trusted::read(path, &validator, &types, &limits)?),
            None => None,
        };
        let ready = builder().validation_mode(ValidationMode::Fast).finish();
        let usage = Arc::new(FieldUsage::new(&types));
        app.metrics.observe_field_usage(usage.clone().source());
        Ok(Self {
            engine: Engine::new(ready, app.metrics.clone()),
            app,
            validator,
            types,
            limits,
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
                .map(|_| self.engine.answer(caller, Outcome::Refused(error.clone())))
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
            self.engine.answer(caller, outcome)
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
                self.validate(&document)?;
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
        let variables = operation.with_defaults(variables);
        let executable = document
            .document
            .executable(operation, &variables, &self.types, &self.limits)
            .map_err(refuse)?;
        self.usage.count(&operation.shape.used_fields);
        Ok(Prepared {
            document: executable,
            name: operation.name.as_ref().map(ToString::to_string),
            price: operation.price(&variables),
            variables,
        })
    }

    fn validate(&self, document: &Document) -> Result<(), Outcome> {
        let mut errors = self.validator.errors(document.ast.clone());
        if errors.is_empty() {
            return document
                .check_written(&self.types, &self.limits)
                .map_err(|refusal| Outcome::Refused(refusal.into()));
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
        if price > decision.limit {
            // Waiting does not help, so nobody is told to.
            let error = ApiError::TooComplex(format!(
                "The price of the request is {price}; the whole budget of a minute is {}.",
                decision.limit
            ));
            return Err((error, Some(budget)));
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
        request.set_parsed_query(document);
        let run = Run {
            request,
            name,
            price,
        };
        self.engine.execute(run, caller).await
    }
}
