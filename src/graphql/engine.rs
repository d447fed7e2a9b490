//! Runs operations that have passed, and tells what came of them: the client as much as they may know, the operator the
//! rest.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_graphql::parser::types::OperationType;
use async_graphql::{ObjectType, Response, Schema, ServerError, SubscriptionType};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::batch::Gathering;
use super::error::ApiError;
use super::files::Files;
use super::repeats::Once;
use super::request::{Answer, Caller, Outcome, cause, finish};
use crate::db;
use crate::telemetry::{self, Metrics};

/// A whole operation without files.
const OPERATION_LIMIT: Duration = Duration::from_secs(30);

pub struct Engine<Q, M, S> {
    schema: Schema<Q, M, S>,
    metrics: Arc<Metrics>,
    /// Where mutations run, so that a stop waits for those whose client has left.
    tasks: TaskTracker,
    limit: Duration,
}

/// An operation on its way, with what logs and metrics say of it.
pub struct Run {
    pub kind: OperationType,
    pub request: async_graphql::Request,
    pub name: Option<String>,
    pub price: u64,
    /// What comes behind the request, for this operation.
    pub files: Option<Arc<Files>>,
    /// To be done once, whoever else is sent it.
    pub once: Option<Once>,
}

impl<Q, M, S> Engine<Q, M, S>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    pub fn new(schema: Schema<Q, M, S>, metrics: Arc<Metrics>, tasks: TaskTracker) -> Self {
        Self {
            schema,
            metrics,
            tasks,
            limit: OPERATION_LIMIT,
        }
    }

    /// Whatever happens within an operation ends there: it may neither run for ever nor take the request with it.
    pub async fn execute(&self, run: Run, gathering: &Arc<Gathering>, caller: &Caller) -> Outcome {
        let Run {
            kind,
            request,
            name,
            price,
            files,
            once,
        } = run;
        let name = name.as_deref();
        let span = tracing::debug_span!("operation", name = name.unwrap_or("anonymous"), price);
        let started = Instant::now();
        let ran = match kind {
            OperationType::Mutation => {
                let files = files.as_deref();
                self.to_its_end(request, once, files, gathering, span).await
            }
            OperationType::Query => {
                let running = self.schema.execute(request).boxed();
                self.while_waited_for(running, gathering, span).await
            }
            OperationType::Subscription => {
                let mut running = self.schema.execute_stream(request);
                // One turn of it, which may have nothing to tell.
                let turn = async move { running.next().await.unwrap_or_default() };
                self.while_waited_for(turn.boxed(), gathering, span).await
            }
        };
        // Also where it goes on and is not waited for: those of others may stand behind its own.
        if let Some(files) = files {
            files.give_up();
        }
        let outcome = match ran {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(panic)) => {
                self.metrics.panic_caught();
                Outcome::Refused(ApiError::internal(format!(
                    "a resolver panicked: {}",
                    said(&*panic)
                )))
            }
            Err(TooLong) => Outcome::Refused(ApiError::Timeout),
        };
        self.metrics.graphql_operation(&telemetry::Operation {
            kind: match kind {
                OperationType::Query => "query",
                OperationType::Mutation => "mutation",
                OperationType::Subscription => "subscription",
            },
            name,
            client_name: caller.client_name.as_deref(),
            client_version: caller.client_version.as_deref(),
            code: first_code(&outcome),
            took: started.elapsed(),
            price,
        });
        outcome
    }

    /// Reads are for those who wait for them. Boxed: each layer around it holds what it wraps twice over, and every request
    /// would move all of that.
    async fn while_waited_for(
        &self,
        running: BoxFuture<'_, Response>,
        gathering: &Gathering,
        span: tracing::Span,
    ) -> Ran {
        let running = gathering.run(running);
        let running = AssertUnwindSafe(running).catch_unwind();
        tokio::time::timeout(self.limit, running)
            .instrument(span)
            .await
            .map(|ran| ran.map(Outcome::from))
            .map_err(|_| TooLong)
    }

    /// What changes something goes on when its client leaves, or stops waiting: nobody could tell else what was done.
    /// While one of its files comes in, that takes as long as it may.
    async fn to_its_end(
        &self,
        request: async_graphql::Request,
        once: Option<Once>,
        files: Option<&Files>,
        gathering: &Arc<Gathering>,
        span: tracing::Span,
    ) -> Ran {
        let (schema, gathering) = (self.schema.clone(), Arc::clone(gathering));
        let task = async move {
            // What it answers must be what it has done, also where there is a copy of the database that is behind.
            let work = db::current(gathering.run(schema.execute(request).boxed()));
            match once {
                Some(once) => once.run(work).boxed().await,
                None => work.await.into(),
            }
        };
        let task = self.tasks.spawn(task.instrument(span));
        let too_long = async {
            match files {
                Some(files) => files.idle(self.limit).await,
                None => tokio::time::sleep(self.limit).await,
            }
        };
        tokio::select! {
            biased;
            ended = task => match ended {
                Ok(outcome) => Ok(Ok(outcome)),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => Ok(Err(panic)),
                    // The runtime ends.
                    Err(_) => Err(TooLong),
                },
            },
            () = too_long => Err(TooLong),
        }
    }

    /// Makes the errors fit for a client, and tells the operator what they hide.
    pub fn answer(&self, caller: &Caller, mut outcome: Outcome) -> Answer {
        match &mut outcome {
            Outcome::Refused(error) => self.report(caller, error, None),
            Outcome::Invalid(_) => self.metrics.error("GRAPHQL_VALIDATION_FAILED"),
            Outcome::Ran { errors, .. } => {
                for error in errors {
                    finish(error, &caller.correlation_id);
                    match cause(error) {
                        Some(cause) => self.report(caller, cause, Some(error)),
                        None => self.metrics.error("BAD_REQUEST"),
                    }
                }
            }
            Outcome::Kept(_) => {}
        }
        Answer {
            outcome,
            correlation_id: caller.correlation_id.clone(),
        }
    }

    fn report(&self, caller: &Caller, error: &ApiError, field: Option<&ServerError>) {
        self.metrics.error(error.code());
        let Some(cause) = error.cause() else { return };
        let path = field.map(path).unwrap_or_default();
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

/// What came of running: an answer, or a panic, or neither within the limit.
type Ran = Result<Result<Outcome, Box<dyn std::any::Any + Send>>, TooLong>;

struct TooLong;

/// The first error's code, for metrics.
fn first_code(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(error) => error.code(),
        Outcome::Invalid(_) => "GRAPHQL_VALIDATION_FAILED",
        Outcome::Ran { errors, .. } => errors.first().map_or("OK", |error| {
            cause(error).map_or("BAD_REQUEST", ApiError::code)
        }),
        Outcome::Kept(_) => "OK",
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

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use async_graphql::{EmptyMutation, EmptySubscription, Object};
    use serde_json::{Value, json};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::accounts::{Actor, Client};

    struct Query;

    #[Object]
    impl Query {
        async fn fine(&self) -> i32 {
            1
        }

        async fn panics(&self) -> Option<i32> {
            explode("at once")
        }

        async fn panics_later(&self) -> Option<i32> {
            tokio::task::yield_now().await;
            explode("a step later")
        }

        async fn never(&self) -> Option<i32> {
            std::future::pending().await
        }
    }

    fn explode(said: &str) -> Option<i32> {
        panic!("{said}");
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    impl Lines {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
        }
    }

    async fn answer(
        engine: &Engine<Query, EmptyMutation, EmptySubscription>,
        query: &str,
    ) -> Value {
        let caller = Caller {
            actor: Actor::Anonymous,
            has_stale_token: false,
            client: Client::default(),
            correlation_id: "trace-me-by-this".into(),
            client_name: None,
            client_version: None,
            only_queries: false,
            idempotency_key: None,
        };
        let run = Run {
            kind: OperationType::Query,
            request: async_graphql::Request::new(query),
            name: None,
            price: 1,
            files: None,
            once: None,
        };
        let outcome = engine.execute(run, &Arc::default(), &caller).await;
        serde_json::from_slice(&engine.answer(&caller, outcome).to_json().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_error_that_the_log_explains_and_the_next_operation_runs() {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let engine = Engine::new(schema, Metrics::detached(), TaskTracker::new());
        let lines = Lines::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .with_ansi(false)
            .finish();
        let _guard = tracing::subscriber::set_default(subscriber);
        for (query, said) in [
            ("{ fine panics }", "a resolver panicked: at once"),
            ("{ fine panicsLater }", "a resolver panicked: a step later"),
        ] {
            assert_eq!(
                answer(&engine, query).await,
                json!({ "errors": [{
                    "message": "Something went wrong on our side.",
                    "extensions": { "code": "INTERNAL", "correlationId": "trace-me-by-this" },
                }] })
            );
            let logged = lines.take();
            assert_eq!(logged.lines().count(), 1, "{logged}");
            assert!(logged.contains("ERROR"), "{logged}");
            assert!(logged.contains(said), "{logged}");
            assert!(logged.contains("trace-me-by-this"), "{logged}");
            assert_eq!(
                answer(&engine, "{ fine }").await,
                json!({ "data": { "fine": 1 } })
            );
        }
    }

    #[tokio::test]
    async fn an_operation_that_takes_too_long_is_ended() {
        let schema = Schema::new(Query, EmptyMutation, EmptySubscription);
        let engine = Engine {
            limit: Duration::from_millis(20),
            ..Engine::new(schema, Metrics::detached(), TaskTracker::new())
        };
        assert_eq!(
            answer(&engine, "{ fine never }").await,
            json!({ "errors": [{
                "message": "This took too long. Try again, or ask for less.",
                "extensions": { "code": "TIMEOUT" },
            }] })
        );
    }
}
