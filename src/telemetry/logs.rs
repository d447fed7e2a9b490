//! Events become records, and records go to the standard error and, where telemetry is exported, to
//! the collector. One layer does both, so that there is one redaction and both say the same.

use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, Severity};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::logs::SdkLogger;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::lines::Lines;
use super::otlp;
use super::record::{Fields, Format, Record, Value};

pub(super) struct LogLayer {
    pub format: Format,
    pub lines: Lines,
    pub collector: Option<SdkLogger>,
}

/// The fields of a span, kept with it for the events inside.
struct SpanFields(Vec<(&'static str, Value)>);

impl<S> Layer<S> for LogLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.values));
        }
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        // Read before the span is locked: a value's `Debug` is foreign code and may log.
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(known) = span.extensions_mut().get_mut::<SpanFields>()
        {
            fields.add_missing(&known.0);
            known.0 = fields.values;
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<SpanFields>() {
                fields.add_missing(&outer.0);
            }
        }
        let metadata = event.metadata();
        let record = Record {
            time: SystemTime::now(),
            level: *metadata.level(),
            target: fields.log_target.as_deref().unwrap_or(metadata.target()),
            message: fields.message.as_deref().unwrap_or_default(),
            fields: fields.values,
            trace: current_trace(),
        };
        self.lines.push(self.format.line(&record));
        if let Some(collector) = &self.collector
            && !otlp::is_own_transport(record.target)
        {
            export(collector, record);
        }
    }
}

/// Entering a span makes its trace the current one, if traces are made at all.
fn current_trace() -> Option<SpanContext> {
    opentelemetry::Context::map_current(|context| {
        let span = context.span();
        let trace = span.span_context();
        trace.is_valid().then(|| trace.clone())
    })
}

fn export(collector: &SdkLogger, record: Record<'_>) {
    let (severity, name) = match record.level {
        Level::ERROR => (Severity::Error, "ERROR"),
        Level::WARN => (Severity::Warn, "WARN"),
        Level::INFO => (Severity::Info, "INFO"),
        Level::DEBUG => (Severity::Debug, "DEBUG"),
        Level::TRACE => (Severity::Trace, "TRACE"),
    };
    let mut sent = collector.create_log_record();
    sent.set_timestamp(record.time);
    sent.set_severity_number(severity);
    sent.set_severity_text(name);
    sent.set_target(record.target.to_owned());
    sent.set_body(AnyValue::from(record.message.to_owned()));
    for (name, value) in record.fields {
        sent.add_attribute(name, AnyValue::from(value));
    }
    if let Some(trace) = record.trace {
        sent.set_trace_context(trace.trace_id(), trace.span_id(), Some(trace.trace_flags()));
    }
    collector.emit(sent);
}

impl From<Value> for AnyValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Boolean(value) => Self::from(value),
            Value::Integer(value) => Self::from(value),
            // OTLP knows signed integers only.
            Value::Unsigned(value) => {
                i64::try_from(value).map_or_else(|_| Self::from(value.to_string()), Self::from)
            }
            Value::Float(value) => Self::from(value),
            Value::Text(value) => Self::from(value),
        }
    }
}

/// `RUST_LOG` decides about events. Spans down to INFO are kept whatever it says: at `RUST_LOG=error`
/// the one line that comes still needs the correlation id of its request.
pub(super) struct LogFilter(pub EnvFilter);

impl LogFilter {
    fn keeps(metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && *metadata.level() <= Level::INFO
    }
}

impl<S> Filter<S> for LogFilter
where
    EnvFilter: Filter<S>,
{
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        Filter::<S>::enabled(&self.0, metadata, context) || Self::keeps(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Always asked: the filter learns here of spans that its directives name.
        let interest = Filter::<S>::callsite_enabled(&self.0, metadata);
        if Self::keeps(metadata) {
            Interest::always()
        } else {
            interest
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Filter::<S>::max_level_hint(&self.0).map(|level| level.max(LevelFilter::INFO))
    }

    fn event_enabled(&self, event: &Event<'_>, context: &Context<'_, S>) -> bool {
        Filter::<S>::event_enabled(&self.0, event, context)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_new_span(&self.0, attributes, id, context);
    }

    fn on_record(&self, id: &Id, values: &SpanRecord<'_>, context: Context<'_, S>) {
        Filter::<S>::on_record(&self.0, id, values, context);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_enter(&self.0, id, context);
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        Filter::<S>::on_exit(&self.0, id, context);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        Filter::<S>::on_close(&self.0, id, context);
    }
}
