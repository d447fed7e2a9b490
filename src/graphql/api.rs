//! The way of an operation: find its document, judge it, charge for it, run it.

use std::future::ready;
use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use async_graphql::{ValidationMode, Value, Variables};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};

use super::batch::Gathering;
use super::context::{Budget, Operation};
use super::document::{self, Document, Limits, Refusal, TypeModel};
use super::documents::{Documents, Found, Hash, Known};
use super::engine::{Engine, Run};
use super::error::ApiError;
use super::files::Files;
use super::live::{Happening, Patience, Told, Turn};
use super::loaders::Loaders;
use super::quotas::{self, Refused};
use super::repeats::{self, Once};
use super::request::{Caller, Outcome, Reply, Request, Visit, cause};
use super::stale;
use super::trusted::Trusted;
use super::usage::FieldUsage;
use super::validation::Validator;
use super::{Mutation, Query, Subscription, builder};
use crate::accounts::Accounts;
use crate::app::App;
use crate::catalogue::{KeptGenres, Viewer};

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
    engine: Engine<Query, Mutation, Subscription>,
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
    files: Option<Arc<Files>>,
    once: Option<Once>,
}

/// A subscription that goes on.
struct Subscribed {
    document: ExecutableDocument,
    name: Option<String>,
    variables: Variables,
    price: u64,
    hash: Hash,
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

    /// Counts what is no operation and work all the same.
    pub async fn count(&self, caller: &Caller) -> Result<(), ApiError> {
        let counted = quotas::unpriced(&self.app, caller, 1).await;
        counted.map_err(|Refused { error, .. }| error)
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
            let one = self.prepare(request, found, caller).await;
            prepared.push(one.and_then(not_a_subscription));
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
        if let Some(files) = &request.files {
            files.keep(&variables);
        }
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
            files: request.files.map(Arc::new),
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
            files: prepared.files.as_ref(),
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

    /// Runs a subscription, for as long as this is listened to. It is found, judged and charged for like any operation; the
    /// first that is told comes with that, and each further one is charged for by itself.
    pub fn subscribe(
        self: Arc<Self>,
        request: Request,
        caller: Caller,
    ) -> BoxStream<'static, Told> {
        let opening = async move {
            match self.open(request, Arc::new(caller.clone())).await {
                Ok((subscribed, source)) => Feed::told(Feed {
                    api: self,
                    subscribed,
                    source,
                    caller,
                    is_paid: true,
                    is_over: false,
                }),
                Err(outcome) => {
                    let refused = self.engine.answer(&caller, outcome);
                    stream::once(ready(Told::Refused(refused))).boxed()
                }
            }
        };
        stream::once(opening).flatten().boxed()
    }

    /// An operation that is a subscription, and what it listens to.
    async fn open(
        &self,
        request: Request,
        caller: Arc<Caller>,
    ) -> Result<(Subscribed, BoxStream<'static, Happening>), Outcome> {
        let refuse = |refused: Refused| Outcome::Refused(refused.error);
        let found = self.documents.find(&request);
        let unread = u64::from(found.as_ref().is_ok_and(Found::is_unread));
        if unread > 0 {
            quotas::unpriced(&self.app, &caller, unread)
                .await
                .map_err(refuse)?;
        }
        let prepared = self.prepare(request, found, &caller).await;
        let prepared = [prepared.and_then(only_a_subscription)];
        let budget = self
            .charge(&caller, &prepared, unread)
            .await
            .map_err(refuse)?;
        let [prepared] = prepared;
        let prepared = prepared?;
        let subscribed = Subscribed {
            document: prepared.document,
            name: prepared.name,
            variables: prepared.variables,
            price: prepared.price,
            hash: prepared.hash,
        };
        let turn = Arc::new(Turn::opens());
        let outcome = self.take_turn(&subscribed, &caller, &turn, budget).await;
        match (outcome, turn.take_source()) {
            (Outcome::Ran { errors, .. }, Some(source)) if errors.is_empty() => {
                Ok((subscribed, source))
            }
            // A root field that a variable left out: there is nothing to listen to.
            (Outcome::Ran { errors, .. }, None) if errors.is_empty() => {
                Ok((subscribed, stream::empty().boxed()))
            }
            (outcome, _) => Err(outcome),
        }
    }

    async fn take_turn(
        &self,
        subscribed: &Subscribed,
        caller: &Arc<Caller>,
        turn: &Arc<Turn>,
        budget: Budget,
    ) -> Outcome {
        let prepared = Prepared {
            kind: OperationType::Subscription,
            bears_stale_token: false,
            document: subscribed.document.clone(),
            name: subscribed.name.clone(),
            variables: subscribed.variables.clone(),
            price: subscribed.price,
            unpriced: 0,
            hash: subscribed.hash,
            files: None,
            once: None,
        };
        let (visit, turn) = (Arc::default(), Some(Arc::clone(turn)));
        self.execute_for(prepared, caller, &visit, budget, turn)
            .await
    }

    async fn execute(
        &self,
        prepared: Prepared,
        caller: &Arc<Caller>,
        visit: &Arc<Visit>,
        budget: Budget,
    ) -> Outcome {
        self.execute_for(prepared, caller, visit, budget, None)
            .await
    }

    async fn execute_for(
        &self,
        prepared: Prepared,
        caller: &Arc<Caller>,
        visit: &Arc<Visit>,
        budget: Budget,
        turn: Option<Arc<Turn>>,
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
            files,
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
            viewer: Viewer::of(&caller.actor),
            files: files.clone(),
            turn,
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
            files,
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

fn not_a_subscription(prepared: Prepared) -> Result<Prepared, Outcome> {
    match prepared.kind {
        OperationType::Subscription => Err(Outcome::Refused(ApiError::BadRequest(
            "Subscriptions are had over a WebSocket, by graphql-transport-ws.".into(),
        ))),
        _ => Ok(prepared),
    }
}

fn only_a_subscription(prepared: Prepared) -> Result<Prepared, Outcome> {
    match prepared.kind {
        OperationType::Subscription => Ok(prepared),
        _ => Err(Outcome::Refused(ApiError::BadRequest(
            "Over a WebSocket only subscriptions are run; send queries and mutations by POST."
                .into(),
        ))),
    }
}

fn bears_stale_token(prepared: &Result<Prepared, Outcome>) -> bool {
    prepared
        .as_ref()
        .is_ok_and(|prepared| prepared.bears_stale_token)
}

/// What a subscriber is told, event by event.
struct Feed {
    api: Arc<Api>,
    subscribed: Subscribed,
    source: BoxStream<'static, Happening>,
    caller: Caller,
    /// Whether the next has been charged for, with the subscription itself.
    is_paid: bool,
    is_over: bool,
}

impl Feed {
    fn told(self) -> BoxStream<'static, Told> {
        stream::unfold(self, async |mut feed| {
            let told = feed.next().await?;
            Some((told, feed))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Told> {
        let mut patience = Patience::default();
        while !self.is_over {
            let happening = self.source.next().await?;
            // What fails for a reason that passes is told later, and not left out. What happens meanwhile waits.
            let told = loop {
                match self.tell(&happening).await {
                    Ok(told) => break told,
                    Err(error) if patience.waits(&error).await => {}
                    Err(error) => {
                        self.is_over = true;
                        let refused = self
                            .api
                            .engine
                            .answer(&self.caller, Outcome::Refused(error));
                        break Some(Told::Refused(refused));
                    }
                }
            };
            if told.is_some() {
                return told;
            }
        }
        None
    }

    /// What is to be told of it, if anything; or what may pass.
    async fn tell(&mut self, happening: &Happening) -> Result<Option<Told>, ApiError> {
        let api = &self.api;
        match api.accounts.renewed(&self.caller.actor).await? {
            Some(actor) => self.caller.actor = actor,
            None => {
                self.is_over = true;
                return Ok(Some(Told::SignedOut));
            }
        }
        let price = match self.is_paid {
            true => 0,
            false => self.subscribed.price,
        };
        let budget = quotas::points(&api.app, &self.caller, price).await;
        let budget = budget.map_err(|refused| refused.error)?;
        // Until it is told, so that trying again costs nothing.
        self.is_paid = true;
        let (caller, turn) = (
            Arc::new(self.caller.clone()),
            Arc::new(Turn::shows(Arc::clone(happening))),
        );
        let outcome = api
            .take_turn(&self.subscribed, &caller, &turn, budget)
            .await;
        let told = match outcome {
            Outcome::Ran {
                data: Value::Null,
                errors,
            } => match errors.first() {
                None => {
                    self.is_over |= turn.was_last();
                    return Ok(None);
                }
                Some(error) => {
                    if let Some(cause) = cause(error)
                        && matches!(cause, ApiError::Unavailable { .. } | ApiError::Timeout)
                    {
                        return Err(cause.clone());
                    }
                    self.is_over = true;
                    let data = Value::Null;
                    Told::Refused(api.engine.answer(&caller, Outcome::Ran { data, errors }))
                }
            },
            Outcome::Refused(error) => return Err(error),
            outcome => Told::Next(api.engine.answer(&caller, outcome)),
        };
        self.is_paid = false;
        self.is_over |= turn.was_last();
        Ok(Some(told))
    }
}
