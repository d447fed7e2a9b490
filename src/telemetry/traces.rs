//! Spans on their way to the collector: which ones go, what is taken out of them, and how a trace
//! comes in with a request and goes out with a call.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{Status, TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::{otlp, redact};

pub(super) fn provider(
    exporter: impl SpanExporter + 'static,
    resource: Resource,
) -> SdkTracerProvider {
    SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(Redacting(exporter))
        .build()
}

pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    OpenTelemetryLayer::new(provider.tracer("empulse"))
        // File, line and thread tell nothing that the span's name does not, on every span.
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(is_traced).with_max_level_hint(LevelFilter::DEBUG))
}

/// Spans that only traces need (a query, a resolver) are made at DEBUG: they exist when traces are
/// exported, whatever `RUST_LOG` says, and cost nothing when they are not. Of events only errors go
/// along, since they mark their span as failed; the others reach the collector as logs of the trace.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    if otlp::is_own_transport(metadata.target()) {
        return false;
    }
    if metadata.is_event() {
        return *metadata.level() == Level::ERROR;
    }
    let is_ours = metadata.target().split("::").next() == Some("empulse");
    *metadata.level() <= if is_ours { Level::DEBUG } else { Level::INFO }
}

/// Takes secrets out of spans before the exporter inside sees them; on the exporting thread, so that
/// it costs requests nothing.
struct Redacting<E>(E);

impl<E> fmt::Debug for Redacting<E> {
    /// Exporters show their headers, and these hold the collector's credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redacting")
    }
}

impl<E: SpanExporter> SpanExporter for Redacting<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        batch.iter_mut().for_each(redact_span);
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.0.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn redact_span(span: &mut SpanData) {
    redact_text(&mut span.name);
    redact_attributes(&mut span.attributes);
    for event in &mut span.events.events {
        redact_text(&mut event.name);
        redact_attributes(&mut event.attributes);
    }
    for link in &mut span.links.links {
        redact_attributes(&mut link.attributes);
    }
    if let Status::Error { description } = &mut span.status {
        redact_text(description);
    }
}

fn redact_text(text: &mut Cow<'static, str>) {
    if let Cow::Owned(masked) = redact::mask(text) {
        *text = Cow::Owned(masked);
    }
}

fn redact_attributes(attributes: &mut [KeyValue]) {
    for KeyValue { key, value, .. } in attributes {
        if redact::is_secret(key.as_str()) && !matches!(value, Value::Bool(_)) {
            *value = Value::from(redact::REDACTED);
            continue;
        }
        match value {
            Value::String(text) => redact_value(text),
            Value::Array(Array::String(texts)) => texts.iter_mut().for_each(redact_value),
            _ => {}
        }
    }
}

fn redact_value(text: &mut StringValue) {
    if let Cow::Owned(masked) = redact::mask(text.as_str()) {
        *text = StringValue::from(masked);
    }
}

/// As much of `tracestate` as every participant must carry; more is not worth passing on.
const LONGEST_STATE: usize = 512;

/// The caller's trace (W3C trace context), to be set as the parent of the request's span before that
/// is entered for the first time. Headers that are missing or malformed begin a new trace.
pub fn parent_from_headers(traceparent: Option<&str>, tracestate: Option<&str>) -> Context {
    struct Headers<'a>(Option<&'a str>, Option<&'a str>);

    impl Extractor for Headers<'_> {
        fn get(&self, key: &str) -> Option<&str> {
            match key {
                "traceparent" => self.0,
                "tracestate" => self.1,
                _ => None,
            }
        }

        fn keys(&self) -> Vec<&str> {
            vec!["traceparent", "tracestate"]
        }
    }

    let state = tracestate.filter(|state| state.len() <= LONGEST_STATE);
    TraceContextPropagator::new()
        .extract_with_context(&Context::new(), &Headers(traceparent, state))
}

/// Names a span by what was found out since it began. A field `otel.name` that is recorded only then is passed over.
pub fn rename(span: &tracing::Span, name: fmt::Arguments<'_>) {
    let context = span.context();
    let span = context.span();
    if span.is_recording() {
        span.update_name(name.to_string());
    }
}

/// Hands the headers of the current span's trace to a call to another service; none without a trace.
pub fn inject(set: impl FnMut(&str, String)) {
    struct Headers<F>(F);

    impl<F: FnMut(&str, String)> Injector for Headers<F> {
        fn set(&mut self, key: &str, value: String) {
            // An empty `tracestate` says nothing.
            if !value.is_empty() {
                (self.0)(key, value);
            }
        }
    }

    TraceContextPropagator::new()
        .inject_context(&tracing::Span::current().context(), &mut Headers(set));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_trace_is_taken_and_nonsense_is_not() {
        let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = parent_from_headers(Some(parent), Some("vendor=1"));
        let span = context.span();
        let trace = span.span_context();
        assert_eq!(
            trace.trace_id().to_string(),
            "0af7651916cd43dd8448eb211c80319c"
        );
        assert_eq!(trace.trace_state().get("vendor"), Some("1"));
        assert!(trace.is_remote() && trace.is_sampled());

        let long = format!("vendor={}", "x".repeat(600));
        let context = parent_from_headers(Some(parent), Some(&long));
        assert_eq!(context.span().span_context().trace_state().header(), "");

        for nonsense in [None, Some(""), Some("00-00-00-00"), Some("\u{1b}[2J")] {
            let context = parent_from_headers(nonsense, None);
            assert!(!context.span().span_context().is_valid());
        }
    }

    #[test]
    fn without_a_trace_nothing_is_injected() {
        inject(|name, value| panic!("{name}: {value}"));
    }
}
