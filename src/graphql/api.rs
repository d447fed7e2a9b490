//! The way of an operation: find its document, judge it, charge for it, run it.

use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{ValidationMode, Variables};

use super::batch::Gathering;
use super::context::{Budget, Operation};
use super::document::{self, Document, Limits, Refusal, TypeModel};
use super::documents::{Documents, Found, Hash, Known};
use super::engine::{Engine, Run};
use super::error::ApiError;
use super::loaders::Loaders;
use super::quotas::{self, Refused};
use super::repeats::{self, Once};
use super::request::{Caller, Outcome, Reply, Request, Visit};
use super::stale;
use super::trusted::Trusted;
use super::usage::FieldUsage;
use super::validation::Validator;
use super::{Mutation, Query, builder};
use crate::accounts::Accounts;
use crate::app::App;
use crate::catalogue::KeptGenres;

/// What is said of a token that is not believed.
pub const STALE_TOKEN: &str = "The access token is invalid or has expired.";

/// Of one document that does not validate.
const MOST_ERRORS: usize = 20;

/// The API of one instance.
pub struct Api {
    app: Arc<App>,
    accounts: Arc<Accounts>,
    /// Judges what is new, by every rule.
    validator: Validator,
    /// Runs what has passed, without judging it again.
    engine: Engine<Query, Mutation>,
    types: TypeModel,
    limits: Limits,
    documents: Documents,
    usage: Arc<FieldUsage>,
    kept_genres: Arc<KeptGenres>,
    introspection: bool,
}

/// An operation that may run.
struct Prepared {
    kind: OperationType,
    /// It signs in or out, and does nothing else: a token that is too old says nothing about that.
    bears_stale_token: bool,
    document: ExecutableDocument,
    name: Option<String>,
    variables: Variables,
    price: u64,
    /// How much of it has no price.
    unpriced: u64,
    /// The document that it is of.
    hash: Hash,
    once: Option<Once>,
}

impl Api {
    pub fn new(accounts: Arc<Accounts>) -> anyhow::Result<Self> {
        let app = accounts.app().clone();
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
            engine: Engine::new(ready, app.metrics.clone(), app.writes.clone()),
            app,
            accounts,
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
    pub async fn run(&self, requests: Vec<Request>, caller: Caller) -> Reply {
        let caller = &Arc::new(caller);
        let count = requests.len();
        if let Err(refusal) = self.limits.allow_batch(count) {
            let (error, budget) = self.refusal(refusal.into(), caller).await;
            return self.refuse(caller, 1, error, budget);
        }
        match Box::pin(self.run_within_limits(requests, caller)).await {
            Ok(reply) => reply,
            Err(Refused { error, budget }) => self.refuse(caller, count, error, budget),
        }
    }

    /// Why a request is refused of which no operation could be made out: that counts too.
    pub async fn refusal(&self, error: ApiError, caller: &Caller) -> (ApiError, Option<Budget>) {
        match quotas::unpriced(&self.app, caller, 1).await {
            Ok(()) => (error, None),
            Err(Refused { error, budget }) => (error, budget),
        }
    }

    fn refuse(
        &self,
        caller: &Caller,
        count: usize,
        error: ApiError,
        budget: Option<Budget>,
    ) -> Reply {
        Reply {
            answers: (0..count)
                .map(|_| self.engine.answer(caller, Outcome::Refused(error.clone())))
                .collect(),
            budget,
            cookies: Vec::new(),
        }
    }

    async fn run_within_limits(
        &self,
        requests: Vec<Request>,
        caller: &Arc<Caller>,
    ) -> Result<Reply, Refused> {
        let found: Vec<_> = requests
            .iter()
            .map(|request| self.documents.find(request))
            .collect();
        let unread = found.iter().flatten().filter(|found| found.is_unread());
        let unread = unread.count() as u64;
        if unread > 0 {
            quotas::unpriced(&self.app, caller, unread).await?;
        }
        let mut prepared = Vec::with_capacity(requests.len());
        for (request, found) in requests.into_iter().zip(found) {
            prepared.push(self.prepare(request, found, caller).await);
        }
        if caller.has_stale_token && !prepared.iter().all(bears_stale_token) {
            let uncounted = (prepared.len() as u64).saturating_sub(unread);
            if uncounted > 0 {
                quotas::unpriced(&self.app, caller, uncounted).await?;
            }
            return Err(Refused {
                error: ApiError::Unauthenticated(STALE_TOKEN),
                budget: None,
            });
        }
        let is_alone = prepared.len() == 1;
        let keyed = |one: Result<Prepared, Outcome>| self.once(one?, caller, is_alone);
        let prepared: Vec<_> = prepared.into_iter().map(keyed).collect();
        let budget = self.charge(caller, &prepared, unread).await?;
        let visit = Arc::new(Visit::default());
        let run = async |prepared| {
            let outcome = match prepared {
                Ok(prepared) => self.execute(prepared, caller, &visit, budget).await,
                Err(outcome) => outcome,
            };
            self.engine.answer(caller, outcome)
        };
        let mut prepared = prepared.into_iter();
        let answers = match (prepared.next(), prepared.as_slice().is_empty()) {
            (Some(only), true) => vec![run(only).await],
            (first, _) => {
                futures_util::future::join_all(first.into_iter().chain(prepared).map(run)).await
            }
        };
        Ok(Reply {
            answers,
            budget: Some(budget),
            cookies: visit.take_cookies(),
        })
    }

    /// Charges for the operations that may run, and counts what costs no points. Of the documents, so many were not known
    /// and have been counted.
    async fn charge(
        &self,
        caller: &Caller,
        prepared: &[Result<Prepared, Outcome>],
        unread: u64,
    ) -> Result<Budget, Refused> {
        let sum = |of: fn(&Prepared) -> u64| {
            let each = prepared.iter().flatten().map(of);
            each.fold(0, u64::saturating_add)
        };
        let price = sum(|one| one.price);
        let allowed = self.limits.allow_price(price);
        let refused = prepared.iter().filter(|one| one.is_err()).count() as u64;
        let unpriced = (sum(|one| one.unpriced) + refused).max(u64::from(allowed.is_err()));
        if unpriced > unread {
            quotas::unpriced(&self.app, caller, unpriced - unread).await?;
        }
        allowed.map_err(|refusal| Refused {
            error: refusal.into(),
            budget: None,
        })?;
        let charged = quotas::points(&self.app, caller, price).await;
        if charged.is_err() && unpriced == 0 && unread == 0 {
            // It is refused already, whatever comes of this.
            let _ = quotas::unpriced(&self.app, caller, 1).await;
        }
        charged
    }

    async fn prepare(
        &self,
        request: Request,
        found: Result<Found, ApiError>,
        caller: &Caller,
    ) -> Result<Prepared, Outcome> {
        let refuse = |refusal: Refusal| Outcome::Refused(refusal.into());
        let Found { known, registers } = found.map_err(Outcome::Refused)?;
        let name = request.operation_name.as_deref();
        let document = match known {
            Known::Valid(valid) => valid,
            Known::Unread(unread) => {
                let (app, types) = (&self.app, &self.types);
                let new = self.documents.read(app, unread, types, &self.limits).await;
                let new = new.map_err(Outcome::Refused)?;
                // Before validation: a mutation by GET is refused as such, even where there is none of that name.
                only_queries_by_get(caller, new.document.operation(name).map_err(refuse)?)?;
                self.validate(&new.document)?;
                self.documents.admit(new)
            }
        };
        let operation = document.document.operation(name).map_err(refuse)?;
        only_queries_by_get(caller, operation)?;
        if registers
            && let Some(bytes) = document.to_register()
            && quotas::may_register(&self.app, caller, bytes).await
        {
            document.register(&self.app).await;
        }
        if operation.shape.introspects && !self.introspection {
            return Err(Outcome::Refused(ApiError::ValidationFailed(
                "Introspection is switched off here; the schema is published with the service's documentation.".into(),
            )));
        }
        let mut variables = request.variables.unwrap_or_default();
        operation.keep_its_own(&mut variables);
        operation
            .check_variables(&variables, &self.types, &self.limits)
            .map_err(refuse)?;
        let variables = operation.with_defaults(variables);
        let executable = document
            .document
            .executable(operation, &variables, &self.types, &self.limits)
            .map_err(refuse)?;
        self.usage.count(&operation.shape.used_fields);
        let price = operation.price(&variables);
        Ok(Prepared {
            kind: operation.shape.kind,
            bears_stale_token: stale::is_borne_by(operation.shape.kind, &executable),
            document: executable,
            name: operation.name.as_ref().map(ToString::to_string),
            price,
            unpriced: operation.shape.introspections.max(u64::from(price == 0)),
            variables,
            hash: document.hash(),
            once: None,
        })
    }

    /// Keeps an operation to the key that its request came with.
    fn once(
        &self,
        prepared: Prepared,
        caller: &Arc<Caller>,
        is_alone: bool,
    ) -> Result<Prepared, Outcome> {
        let operation = repeats::Operation {
            kind: prepared.kind,
            is_alone,
            executable: &prepared.document,
            document: &prepared.hash,
            name: prepared.name.as_deref(),
            variables: &prepared.variables,
        };
        let once = Once::asked(&self.app, caller, &operation).map_err(Outcome::Refused)?;
        Ok(Prepared { once, ..prepared })
    }

    fn validate(&self, document: &Document) -> Result<(), Outcome> {
        let mut errors = self.validator.errors(document, &self.types);
        if errors.is_empty() {
            return document
                .check(&self.types, &self.limits)
                .map_err(|refusal| Outcome::Refused(refusal.into()));
        }
        // A document can break a rule in each of its fields; a person mends a few at a time.
        errors.truncate(MOST_ERRORS);
        for error in &mut errors {
            error.extensions = Some(ApiError::ValidationFailed(String::new()).extensions());
        }
        Err(Outcome::Invalid(errors))
    }

    async fn execute(
        &self,
        prepared: Prepared,
        caller: &Arc<Caller>,
        visit: &Arc<Visit>,
        budget: Budget,
    ) -> Outcome {
        let Prepared {
            kind,
            document,
            name,
            variables,
            price,
            unpriced: _,
            bears_stale_token: _,
            hash: _,
            once,
        } = prepared;
        let operation = Arc::new(Operation {
            app: self.app.clone(),
            accounts: self.accounts.clone(),
            caller: caller.clone(),
            visit: visit.clone(),
            budget,
            loaders: Loaders::default(),
            gathering: Arc::new(Gathering::default()),
            kept_genres: self.kept_genres.clone(),
        });
        let mut request = async_graphql::Request::new(String::new())
            .variables(variables)
            .data(operation.clone());
        request.set_parsed_query(document);
        let run = Run {
            kind,
            request,
            name,
            price,
            once,
        };
        self.engine.execute(run, &operation.gathering, caller).await
    }
}

fn only_queries_by_get(caller: &Caller, operation: &document::Operation) -> Result<(), Outcome> {
    if caller.only_queries && operation.shape.kind != OperationType::Query {
        return Err(Outcome::Refused(ApiError::OnlyQueries));
    }
    Ok(())
}

fn bears_stale_token(prepared: &Result<Prepared, Outcome>) -> bool {
    prepared
        .as_ref()
        .is_ok_and(|prepared| prepared.bears_stale_token)
}
