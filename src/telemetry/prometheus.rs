//! The page that Prometheus reads.

use opentelemetry_prometheus::PrometheusExporter;
use prometheus::{Registry, TextEncoder};

/// What `/metrics` answers; it can be handed on and read at any time.
#[derive(Clone, Default)]
pub struct Page(Registry);

impl Page {
    /// The type of the answer, as Prometheus asks for it.
    pub const CONTENT_TYPE: &'static str = prometheus::TEXT_FORMAT;

    pub(super) fn reader(
        &self,
    ) -> Result<PrometheusExporter, opentelemetry_sdk::error::OTelSdkError> {
        opentelemetry_prometheus::exporter()
            .with_registry(self.0.clone())
            // There is one meter; its name on every line would tell nothing.
            .scope_info_enabled(false)
            .build()
    }

    /// All instruments in the text format; empty when no page was asked for.
    pub fn text(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.0.gather())
            .unwrap_or_else(|error| {
                tracing::error!(error = %error, "the metrics cannot be shown");
                String::new()
            })
    }
}
