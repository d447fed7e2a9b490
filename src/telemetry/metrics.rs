//! All that is counted and measured, each instrument with its unit, in one list. Recording takes no
//! allocation: names that the code knows are static, names that clients choose are interned.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{
    Counter, Gauge, Histogram, Meter, MeterProvider as _, NoopMeterProvider, UpDownCounter,
};

use super::labels::{Labels, OTHER};

/// From a cached answer to the limit of a whole operation.
const SECONDS: [f64; 17] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];
/// Up to the highest price that is let through.
const POINTS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// From a small picture to the longest that an upload may take.
const UPLOAD_SECONDS: [f64; 12] = [
    0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0,
];

const MOST_CLIENT_VALUES: usize = 200;
const MOST_ROOT_FIELDS: usize = 500;

/// Tells each field of the schema and how often it was asked for since the start.
pub type FieldUsage = Arc<dyn Fn(&mut dyn FnMut(&str, u64)) + Send + Sync>;
/// Tells each pool of connections and how many of them are in use and idle.
pub type PoolState = Arc<dyn Fn(&mut dyn FnMut(&'static str, u32, u32)) + Send + Sync>;

pub struct Metrics {
    meter: Meter,
    operation_names: Labels,
    client_names: Labels,
    client_versions: Labels,
    root_field_names: Labels,
    http_duration: Histogram<f64>,
    http_connections: UpDownCounter<i64>,
    operations: Counter<u64>,
    operation_duration: Histogram<f64>,
    operation_price: Histogram<u64>,
    root_field_duration: Histogram<f64>,
    errors: Counter<u64>,
    statement_duration: Histogram<f64>,
    connection_wait: Histogram<f64>,
    cache_lookups: Counter<u64>,
    refusals: Counter<u64>,
    limiter_degraded: Gauge<u64>,
    idempotency: Counter<u64>,
    panics: Counter<u64>,
    jobs: Counter<u64>,
    job_duration: Histogram<f64>,
    jobs_queued: Gauge<u64>,
    job_oldest: Gauge<f64>,
    storage_duration: Histogram<f64>,
    events: Counter<u64>,
    websockets: UpDownCounter<i64>,
    websocket_closes: Counter<u64>,
    subscriptions: UpDownCounter<i64>,
    upload_bytes: Counter<u64>,
    upload_duration: Histogram<f64>,
    files_checked: Counter<u64>,
}

/// An operation that has ended, as far as it is counted.
pub struct Operation<'a> {
    /// `query`, `mutation` or `subscription`.
    pub kind: &'static str,
    pub name: Option<&'a str>,
    pub client_name: Option<&'a str>,
    pub client_version: Option<&'a str>,
    /// `OK`, or the code of its first error.
    pub code: &'static str,
    pub took: Duration,
    pub price: u64,
}

impl Metrics {
    pub fn new(meter: Meter) -> Self {
        let seconds = |name, description| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(description)
                .with_boundaries(SECONDS.to_vec())
                .build()
        };
        let counter = |name, unit, description| {
            meter
                .u64_counter(name)
                .with_unit(unit)
                .with_description(description)
                .build()
        };
        let state = |name, description| meter.u64_gauge(name).with_description(description).build();
        let metrics = Self {
            operation_names: Labels::new(MOST_CLIENT_VALUES),
            client_names: Labels::new(MOST_CLIENT_VALUES),
            client_versions: Labels::new(MOST_CLIENT_VALUES),
            root_field_names: Labels::new(MOST_ROOT_FIELDS),
            http_duration: seconds(
                "empulse_http_request_duration",
                "Time from the request's head to the end of the answer, by method, route and status",
            ),
            http_connections: meter
                .i64_up_down_counter("empulse_http_connections")
                .with_unit("{connection}")
                .with_description("Connections that are open")
                .build(),
            operations: counter(
                "empulse_graphql_operations",
                "{operation}",
                "Operations that ended, by kind, name, client and code",
            ),
            operation_duration: seconds(
                "empulse_graphql_operation_duration",
                "Time an operation took, by kind, name and code",
            ),
            operation_price: meter
                .u64_histogram("empulse_graphql_operation_price")
                .with_unit("{point}")
                .with_description(
                    "Price of an operation as reckoned before it runs, by kind and name",
                )
                .with_boundaries(POINTS.to_vec())
                .build(),
            root_field_duration: seconds(
                "empulse_graphql_root_field_duration",
                "Time a root field took, by field and code",
            ),
            errors: counter(
                "empulse_errors",
                "{error}",
                "Errors that were answered, by code",
            ),
            statement_duration: seconds(
                "empulse_database_statement_duration",
                "Time a statement took, by outcome",
            ),
            connection_wait: seconds(
                "empulse_database_connection_wait",
                "Time until there was a connection to be read by",
            ),
            cache_lookups: counter(
                "empulse_cache_lookups",
                "{lookup}",
                "Lookups in a cache, by cache and result",
            ),
            refusals: counter(
                "empulse_rate_limit_refusals",
                "{refusal}",
                "Calls refused because a quota was used up, by quota",
            ),
            limiter_degraded: state(
                "empulse_rate_limiter_degraded",
                "1 while limits are kept by this instance alone, without Redis",
            ),
            idempotency: counter(
                "empulse_idempotency",
                "{request}",
                "Mutations that came with an Idempotency-Key, by what came of that",
            ),
            panics: counter(
                "empulse_panics",
                "{panic}",
                "Panics that were caught and answered as errors",
            ),
            jobs: counter(
                "empulse_jobs",
                "{try}",
                "Tries of background jobs, by kind and outcome",
            ),
            job_duration: seconds(
                "empulse_job_duration",
                "Time a try of a background job took, by kind and outcome",
            ),
            jobs_queued: meter
                .u64_gauge("empulse_jobs_queued")
                .with_unit("{job}")
                .with_description(
                    "Background jobs that are due, rest until later, run, or were given up, by state",
                )
                .build(),
            storage_duration: seconds(
                "empulse_storage_duration",
                "Time a call to the storage of files took, by operation and outcome",
            ),
            websockets: meter
                .i64_up_down_counter("empulse_websockets")
                .with_unit("{connection}")
                .with_description("WebSockets that are open")
                .build(),
            websocket_closes: counter(
                "empulse_websocket_closes",
                "{connection}",
                "WebSockets that ended, by the code that they were closed with; 1006 where nobody closed them",
            ),
            subscriptions: meter
                .i64_up_down_counter("empulse_subscriptions")
                .with_unit("{operation}")
                .with_description("Subscriptions that go on")
                .build(),
            upload_bytes: counter(
                "empulse_uploaded",
                "By",
                "Bytes of files that came with requests and were handed over",
            ),
            upload_duration: meter
                .f64_histogram("empulse_upload_duration")
                .with_unit("s")
                .with_description(
                    "Time from the beginning of a file that came with a request to its end, by what came of it",
                )
                .with_boundaries(UPLOAD_SECONDS.to_vec())
                .build(),
            events: counter(
                "empulse_events",
                "{event}",
                "Events that were published, by whom they reached: everybody, or the own instance alone",
            ),
            files_checked: counter(
                "empulse_files_checked",
                "{file}",
                "Stored files that were read back, by whether they are whole or damaged",
            ),
            job_oldest: meter
                .f64_gauge("empulse_job_oldest_age")
                .with_unit("s")
                .with_description("For how long the background job that is due longest has been")
                .build(),
            meter,
        };
        // A chart can tell "well" from "not known" only if there is a first value.
        metrics.limiter_degraded(false);
        metrics
    }

    /// For tests and for commands that export nothing: all is taken, nothing is kept.
    pub fn detached() -> Arc<Self> {
        // The SDK's own would complain of each instrument that asks for a value and has nobody to give it to.
        Arc::new(Self::new(NoopMeterProvider::new().meter("empulse")))
    }

    /// The route is its template, never a path that a client wrote.
    pub fn http_request(&self, method: &str, route: &'static str, status: u16, took: Duration) {
        const METHODS: [&str; 7] = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"];
        let method = METHODS
            .into_iter()
            .find(|known| *known == method)
            .unwrap_or(OTHER);
        self.http_duration.record(
            took.as_secs_f64(),
            &[
                KeyValue::new("method", method),
                KeyValue::new("route", route),
                KeyValue::new("status", i64::from(status)),
            ],
        );
    }

    /// Counts a connection for as long as the guard lives.
    pub fn http_connection(&self) -> Open {
        Open::count(&self.http_connections)
    }

    /// The same of a WebSocket, which is a connection as well.
    pub fn websocket(&self) -> Open {
        Open::count(&self.websockets)
    }

    pub fn websocket_closed(&self, code: u16) {
        self.websocket_closes
            .add(1, &[KeyValue::new("code", i64::from(code))]);
    }

    pub fn subscription(&self) -> Open {
        Open::count(&self.subscriptions)
    }

    /// Clients are told apart in the count only: with them each histogram would be multiplied by the
    /// number of clients and versions, and nobody reads latency by version.
    pub fn graphql_operation(&self, operation: &Operation<'_>) {
        let kind = KeyValue::new("kind", operation.kind);
        let name = KeyValue::new("operation", self.operation_names.label(operation.name));
        let code = KeyValue::new("code", operation.code);
        let client = self.client_names.label(operation.client_name);
        let version = self.client_versions.label(operation.client_version);
        self.operation_price
            .record(operation.price, &[kind.clone(), name.clone()]);
        self.operation_duration.record(
            operation.took.as_secs_f64(),
            &[kind.clone(), name.clone(), code.clone()],
        );
        self.operations.add(
            1,
            &[
                kind,
                name,
                code,
                KeyValue::new("client_name", client),
                KeyValue::new("client_version", version),
            ],
        );
    }

    pub fn graphql_root_field(&self, field: &str, code: &'static str, took: Duration) {
        self.root_field_duration.record(
            took.as_secs_f64(),
            &[
                KeyValue::new("field", self.root_field_names.label(Some(field))),
                KeyValue::new("code", code),
            ],
        );
    }

    pub fn error(&self, code: &'static str) {
        self.errors.add(1, &[KeyValue::new("code", code)]);
    }

    pub fn database_statement(&self, took: Duration, succeeded: bool) {
        let outcome = if succeeded { "ok" } else { "error" };
        self.statement_duration
            .record(took.as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
    }

    pub fn database_wait(&self, took: Duration) {
        self.connection_wait.record(took.as_secs_f64(), &[]);
    }

    pub fn cache_lookup(&self, cache: &'static str, hit: bool) {
        let result = if hit { "hit" } else { "miss" };
        self.cache_lookups.add(
            1,
            &[
                KeyValue::new("cache", cache),
                KeyValue::new("result", result),
            ],
        );
    }

    pub fn rate_limit_refusal(&self, quota: &'static str) {
        self.refusals.add(1, &[KeyValue::new("quota", quota)]);
    }

    pub fn limiter_degraded(&self, degraded: bool) {
        self.limiter_degraded.record(u64::from(degraded), &[]);
    }

    /// A file that came with a request, to its end or whatever stopped it.
    pub fn upload(&self, outcome: &'static str, bytes: u64, took: Duration) {
        self.upload_bytes.add(bytes, &[]);
        self.upload_duration
            .record(took.as_secs_f64(), &[KeyValue::new("outcome", outcome)]);
    }

    pub fn idempotency(&self, outcome: &'static str) {
        self.idempotency
            .add(1, &[KeyValue::new("outcome", outcome)]);
    }

    pub fn panic_caught(&self) {
        self.panics.add(1, &[]);
    }

    pub fn job(&self, kind: &'static str, outcome: &'static str, took: Duration) {
        let labels = [
            KeyValue::new("kind", kind),
            KeyValue::new("outcome", outcome),
        ];
        self.jobs.add(1, &labels);
        self.job_duration.record(took.as_secs_f64(), &labels);
    }

    pub fn storage_call(&self, operation: &'static str, outcome: &'static str, took: Duration) {
        self.storage_duration.record(
            took.as_secs_f64(),
            &[
                KeyValue::new("operation", operation),
                KeyValue::new("outcome", outcome),
            ],
        );
    }

    /// A stored file was read back, and is `whole` or `damaged`.
    pub fn file_checked(&self, outcome: &'static str) {
        self.files_checked
            .add(1, &[KeyValue::new("outcome", outcome)]);
    }

    /// `everybody`, or `own_instance` where others could not be told.
    pub fn event(&self, reached: &'static str) {
        self.events.add(1, &[KeyValue::new("reached", reached)]);
    }

    /// The queue as it is for all instances: each of them tells the same.
    pub fn job_queue(&self, states: [(&'static str, i64); 4], oldest: f64) {
        for (state, count) in states {
            self.jobs_queued.record(
                count.max(0).unsigned_abs(),
                &[KeyValue::new("state", state)],
            );
        }
        self.job_oldest.record(oldest, &[]);
    }

    /// The counts of fields are read when somebody asks for the metrics, so that a request pays one
    /// atomic addition a field and no more. To be called once.
    pub fn observe_field_usage(&self, source: FieldUsage) {
        self.meter
            .u64_observable_counter("empulse_graphql_field_requests")
            .with_unit("{request}")
            .with_description("How often each field of the schema was asked for")
            .with_callback(move |observer| {
                source(&mut |field, count| {
                    observer.observe(count, &[KeyValue::new("field", field.to_owned())]);
                });
            })
            .build();
    }

    /// To be called once, for all pools.
    pub fn observe_database_connections(&self, source: PoolState) {
        self.meter
            .u64_observable_gauge("empulse_database_connections")
            .with_unit("{connection}")
            .with_description("Connections to PostgreSQL, by pool and state")
            .with_callback(move |observer| {
                source(&mut |pool, in_use, idle| {
                    for (state, count) in [("in_use", in_use), ("idle", idle)] {
                        observer.observe(
                            u64::from(count),
                            &[KeyValue::new("pool", pool), KeyValue::new("state", state)],
                        );
                    }
                });
            })
            .build();
    }

    /// To be called once, where there is a Redis: without one there is nothing to chart.
    pub fn observe_redis(&self, is_up: impl Fn() -> bool + Send + Sync + 'static) {
        self.meter
            .u64_observable_gauge("empulse_redis_up")
            .with_description("1 while Redis answers")
            .with_callback(move |observer| observer.observe(u64::from(is_up()), &[]))
            .build();
    }

    pub(super) fn observe_lost_lines(&self, source: impl Fn() -> u64 + Send + Sync + 'static) {
        self.meter
            .u64_observable_counter("empulse_log_lines_lost")
            .with_unit("{line}")
            .with_description("Log lines dropped because the standard error took no more")
            .with_callback(move |observer| observer.observe(source(), &[]))
            .build();
    }
}

/// One of what is counted while it is there.
pub struct Open(UpDownCounter<i64>);

impl Open {
    fn count(counter: &UpDownCounter<i64>) -> Self {
        counter.add(1, &[]);
        Self(counter.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.add(-1, &[]);
    }
}
