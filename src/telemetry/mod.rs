//! Logs, traces and metrics: what an operator sees of the running service. Whatever leaves through
//! here is redacted first, once, by the rules of [`redact`]; nothing else of the service writes to the
//! standard error or speaks to a collector.

mod labels;
mod lines;
mod logs;
mod metrics;
mod otlp;
mod prometheus;
mod record;
pub mod redact;
mod traces;

#[cfg(test)]
mod tests;

use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use opentelemetry::logs::LoggerProvider as _;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::sync::mpsc;
use tracing::{Dispatch, Level};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry};
use url::Url;

pub use self::metrics::{FieldUsage, Metrics, Open, Operation, PoolState};
pub use self::prometheus::Page;
pub use self::redact::Redacted;
pub use self::traces::{inject, parent_from_headers, rename};

use self::lines::Lines;
use self::logs::{LogFilter, LogLayer};
use self::otlp::Environment;
use self::record::{Format, Record, Value};

/// A collector that does not answer may hold up the end of the process for so long. The SDK's own
/// limits are neither kept by all of its parts nor shared among them.
const LONGEST_SHUTDOWN: Duration = Duration::from_secs(5);
/// The same for whoever reads the standard error.
const LONGEST_FLUSH: Duration = Duration::from_secs(1);

/// Libraries that tell of what the service itself tells better. Named in `RUST_LOG`, they speak again.
const QUIET: &str = "fred=error,object_store=warn,symphonia=off,tokio_postgres=warn";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines otherwise.
    #[default]
    Auto,
    Text,
    Json,
}

pub struct Settings {
    /// `RUST_LOG`.
    pub log_filter: String,
    pub log_format: LogFormat,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`; the other `OTEL_*` names are read from the environment.
    pub otlp_endpoint: Option<Url>,
    /// Whether somebody will ask for the Prometheus page.
    pub prometheus: bool,
    pub service_version: &'static str,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{name}: the value is not right; it must be {expected}")]
    Setting {
        name: &'static str,
        expected: String,
    },
    #[error("the exporter of {signal} could not be made: {reason}")]
    Exporter {
        signal: &'static str,
        reason: String,
    },
    #[error("the thread that writes the log could not be started")]
    Writer(#[source] io::Error),
    #[error("another subscriber for logs is installed already")]
    Installed,
}

impl Error {
    /// The value itself is never shown: it may hold a credential in the wrong place.
    fn setting(name: &'static str, expected: impl Into<String>) -> Self {
        Self::Setting {
            name,
            expected: expected.into(),
        }
    }

    fn exporter(signal: &'static str, reason: impl ToString) -> Self {
        Self::Exporter {
            signal,
            reason: redact::mask(&reason.to_string()).into_owned(),
        }
    }
}

/// Sets up logs, traces and metrics for the whole process, panics included.
pub fn init(settings: Settings) -> Result<Telemetry, Error> {
    let get = |name: &str| std::env::var(name).ok();
    let is_terminal = io::stderr().is_terminal();
    let format = match settings.log_format {
        LogFormat::Json => Format::Json,
        LogFormat::Auto if !is_terminal => Format::Json,
        LogFormat::Auto | LogFormat::Text => Format::Text {
            colours: is_terminal && get("NO_COLOR").is_none_or(|value| value.is_empty()),
        },
    };
    let (telemetry, dispatch) = build(settings, format, Box::new(io::stderr()), &get)?;
    dispatch.try_init().map_err(|_| Error::Installed)?;
    log_panics(telemetry.lines.0.clone());
    Ok(telemetry)
}

/// All of it but what is global to the process.
fn build(
    settings: Settings,
    format: Format,
    out: Box<dyn Write + Send>,
    get: Environment<'_>,
) -> Result<(Telemetry, Dispatch), Error> {
    let filter = EnvFilter::builder()
        .parse(format!("{QUIET},{}", settings.log_filter))
        .map_err(|_| {
            Error::setting(
                "RUST_LOG",
                "a level such as `info`, or levels by module such as `info,empulse::db=debug`",
            )
        })?;
    let exporters = otlp::exporters(settings.otlp_endpoint.as_ref(), get)?;
    let resource = otlp::resource(settings.service_version, get);
    let lines = Lines::start(out, move |lost| format.line(&loss(lost))).map_err(Error::Writer)?;

    let is_exported = exporters.metrics.is_some();
    let mut meter = SdkMeterProvider::builder().with_resource(resource.clone());
    if let Some(exporter) = exporters.metrics {
        meter = meter.with_reader(PeriodicReader::builder(exporter).build());
    }
    let page = Page::default();
    if settings.prometheus {
        let reader = page
            .reader()
            .map_err(|reason| Error::exporter("the Prometheus page", reason))?;
        meter = meter.with_reader(reader);
    }
    let meter = meter.build();
    let metrics = match settings.prometheus || is_exported {
        true => Arc::new(Metrics::new(meter.meter("empulse"))),
        // Nobody will ask: then nothing is counted.
        false => Metrics::detached(),
    };
    let counted = lines.clone();
    metrics.observe_lost_lines(move || counted.lost());

    let logger = exporters.logs.map(|exporter| {
        SdkLoggerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(exporter)
            .build()
    });
    let tracer = exporters
        .traces
        .map(|exporter| traces::provider(exporter, resource));

    let log = LogLayer {
        format,
        lines: lines.clone(),
        collector: logger.as_ref().map(|logger| logger.logger("empulse")),
    };
    let logged = Registry::default().with(log.with_filter(LogFilter(filter)));
    // Without a collector no layer makes traces at all: a span is then a slot in the registry.
    let dispatch = match &tracer {
        Some(tracer) => Dispatch::new(logged.with(traces::layer(tracer))),
        None => Dispatch::new(logged),
    };
    let telemetry = Telemetry {
        metrics,
        page,
        meter,
        logger,
        tracer,
        lines: FlushedLines(lines),
    };
    Ok((telemetry, dispatch))
}

/// Keeps telemetry going; to be shut down before the process ends.
pub struct Telemetry {
    metrics: Arc<Metrics>,
    page: Page,
    meter: SdkMeterProvider,
    logger: Option<SdkLoggerProvider>,
    tracer: Option<SdkTracerProvider>,
    lines: FlushedLines,
}

impl Telemetry {
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// For whoever serves it; it outlives `self`, but shows nothing after the shutdown.
    pub fn prometheus_page(&self) -> Page {
        self.page.clone()
    }

    pub fn prometheus_text(&self) -> String {
        self.page.text()
    }

    /// Sends and writes what is left, within some seconds.
    ///
    /// Each signal has a thread of its own, since the SDK blocks while it waits and may never come
    /// back. They are plain threads: the runtime would wait at its end for blocking tasks of its own.
    pub async fn shutdown(self) {
        type Shutdown = Box<dyn FnOnce() -> OTelSdkResult + Send>;
        let mut signals: Vec<(&'static str, Shutdown)> = Vec::with_capacity(3);
        if let Some(tracer) = self.tracer {
            let end = move || tracer.shutdown_with_timeout(LONGEST_SHUTDOWN);
            signals.push(("traces", Box::new(end)));
        }
        if let Some(logger) = self.logger {
            let end = move || logger.shutdown_with_timeout(LONGEST_SHUTDOWN);
            signals.push(("logs", Box::new(end)));
        }
        let meter = self.meter;
        let end = move || meter.shutdown_with_timeout(LONGEST_SHUTDOWN);
        signals.push(("metrics", Box::new(end)));

        let (done, mut ended) = mpsc::unbounded_channel();
        for (signal, end) in signals {
            let done = done.clone();
            let thread = thread::Builder::new()
                .name(format!("shutdown-{signal}"))
                .spawn(move || {
                    // Nobody listens any more when this took too long.
                    let _ = done.send((signal, end()));
                });
            if let Err(error) = thread {
                tracing::warn!(signal, %error, "what is left of a signal is not sent");
            }
        }
        drop(done);
        let all = async {
            while let Some((signal, result)) = ended.recv().await {
                if let Err(error) = result {
                    tracing::warn!(signal, %error, "not all of a signal was sent");
                }
            }
        };
        if tokio::time::timeout(LONGEST_SHUTDOWN, all).await.is_err() {
            tracing::warn!("the collector does not answer; what is left is not sent");
        }
        let lines = self.lines;
        // The threads' owner may be a runtime of one thread, which others still need.
        let _ = tokio::task::spawn_blocking(move || drop(lines)).await;
    }
}

/// Writes what is queued before it goes, so that a command that fails early still says why.
struct FlushedLines(Lines);

impl Drop for FlushedLines {
    fn drop(&mut self) {
        self.0.flush(LONGEST_FLUSH);
    }
}

fn loss(lines: u64) -> Record<'static> {
    Record {
        time: SystemTime::now(),
        level: Level::WARN,
        target: module_path!(),
        message: "log lines were lost: the standard error is not read fast enough",
        fields: vec![("lines", Value::Unsigned(lines))],
        trace: None,
    }
}

/// The standard library would print panics past the format and the redaction.
fn log_panics(lines: Lines) {
    std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        let message = panic.payload_as_str().unwrap_or("a value that is no text");
        let place = panic.location().map(ToString::to_string);
        let backtrace = std::backtrace::Backtrace::capture();
        let backtrace = (backtrace.status() == std::backtrace::BacktraceStatus::Captured)
            .then(|| backtrace.to_string());
        tracing::error!(place, backtrace, "panicked: {message}");
        // The process may be about to end.
        lines.flush(LONGEST_FLUSH);
    }));
}
