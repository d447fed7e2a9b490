//! Where telemetry is sent: the collector's addresses, what the process says of itself, and the check
//! of the `OTEL_*` names. The SDK reads most of these names itself but passes over wrong values with a
//! warning; here they are refused at the start, like every other setting.
//!
//! The exporters use reqwest's blocking client. The SDK runs its batches on plain threads of its own,
//! where an asynchronous client finds no reactor and panics at the first export.

use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use url::Url;
use uuid::Uuid;

use super::Error;

/// How settings are looked up by name.
pub(super) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Crates that carry the export. What they log and trace is never exported itself, or each export
/// would be the reason of the next.
const TRANSPORT: [&str; 11] = [
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry_otlp",
    "opentelemetry_http",
    "reqwest",
    "hyper",
    "hyper_util",
    "hyper_rustls",
    "h2",
    "rustls",
    "rustls_platform_verifier",
];

pub(super) fn is_own_transport(target: &str) -> bool {
    let crate_name = target.split("::").next().unwrap_or(target);
    TRANSPORT.contains(&crate_name)
}

#[derive(Default)]
pub(super) struct Exporters {
    pub traces: Option<SpanExporter>,
    pub logs: Option<LogExporter>,
    pub metrics: Option<MetricExporter>,
}

/// Exporters of those signals that have an address.
pub(super) fn exporters(general: Option<&Url>, get: Environment<'_>) -> Result<Exporters, Error> {
    let address = |signal| address(signal, general, get);
    let (traces, logs, metrics) = (address(TRACES)?, address(LOGS)?, address(METRICS)?);
    if traces.is_some() || logs.is_some() || metrics.is_some() {
        check(get)?;
    }
    let failed = |signal: Signal| move |reason| Error::exporter(signal.path, reason);
    Ok(Exporters {
        traces: traces
            .map(|address| {
                SpanExporter::builder()
                    .with_http()
                    .with_protocol(Protocol::HttpBinary)
                    .with_endpoint(address)
                    .build()
            })
            .transpose()
            .map_err(failed(TRACES))?,
        logs: logs
            .map(|address| {
                LogExporter::builder()
                    .with_http()
                    .with_protocol(Protocol::HttpBinary)
                    .with_endpoint(address)
                    .build()
            })
            .transpose()
            .map_err(failed(LOGS))?,
        metrics: metrics
            .map(|address| {
                MetricExporter::builder()
                    .with_http()
                    .with_protocol(Protocol::HttpBinary)
                    .with_endpoint(address)
                    .build()
            })
            .transpose()
            .map_err(failed(METRICS))?,
    })
}

#[derive(Clone, Copy)]
struct Signal {
    path: &'static str,
    endpoint: &'static str,
    exporter: &'static str,
}

const TRACES: Signal = Signal {
    path: "traces",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    exporter: "OTEL_TRACES_EXPORTER",
};
const LOGS: Signal = Signal {
    path: "logs",
    endpoint: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    exporter: "OTEL_LOGS_EXPORTER",
};
const METRICS: Signal = Signal {
    path: "metrics",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    exporter: "OTEL_METRICS_EXPORTER",
};

fn address(
    signal: Signal,
    general: Option<&Url>,
    get: Environment<'_>,
) -> Result<Option<String>, Error> {
    if given("OTEL_SDK_DISABLED", get).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    match given(signal.exporter, get).as_deref() {
        None | Some("otlp") => {}
        Some("none") => return Ok(None),
        Some(_) => return Err(Error::setting(signal.exporter, "`otlp` or `none`")),
    }
    let own = given(signal.endpoint, get)
        .map(|value| Url::parse(&value).map_err(|_| Error::setting(signal.endpoint, AN_ADDRESS)))
        .transpose()?;
    let (name, mut url, is_general) = match (own, general) {
        (Some(own), _) => (signal.endpoint, own, false),
        (None, Some(general)) => ("OTEL_EXPORTER_OTLP_ENDPOINT", general.clone(), true),
        (None, None) => return Ok(None),
    };
    let has_userinfo = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "http" | "https") || has_userinfo {
        return Err(Error::setting(name, AN_ADDRESS));
    }
    // An address for one signal is taken as it is; the general one is the base of all.
    if is_general {
        url.path_segments_mut()
            .map_err(|()| Error::setting(name, AN_ADDRESS))?
            .pop_if_empty()
            .extend(["v1", signal.path]);
    }
    Ok(Some(url.into()))
}

const AN_ADDRESS: &str = "an `http` or `https` address such as `http://localhost:4318`, without user \
                          and password (those go into `OTEL_EXPORTER_OTLP_HEADERS`)";

const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

const NUMBERS: [&str; 15] = [
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_SCHEDULE_DELAY",
    "OTEL_BLRP_MAX_QUEUE_SIZE",
    "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_BSP_EXPORT_TIMEOUT",
];

const PROTOCOLS: [&str; 4] = [
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
];

fn check(get: Environment<'_>) -> Result<(), Error> {
    for name in NUMBERS {
        if given(name, get).is_some_and(|value| value.parse::<u32>().is_err()) {
            return Err(Error::setting(name, "a whole number"));
        }
    }
    for name in PROTOCOLS {
        if given(name, get).is_some_and(|value| value != "http/protobuf") {
            return Err(Error::setting(name, "`http/protobuf`, the only one spoken"));
        }
    }
    let sampler = given("OTEL_TRACES_SAMPLER", get);
    if let Some(sampler) = &sampler {
        if !SAMPLERS.contains(&sampler.as_str()) {
            return Err(Error::setting(
                "OTEL_TRACES_SAMPLER",
                format!("one of `{}`", SAMPLERS.join("`, `")),
            ));
        }
        let wrong_share = given("OTEL_TRACES_SAMPLER_ARG", get).is_some_and(|share| {
            !share
                .parse::<f64>()
                .is_ok_and(|share| (0.0..=1.0).contains(&share))
        });
        if sampler.ends_with("traceidratio") && wrong_share {
            return Err(Error::setting(
                "OTEL_TRACES_SAMPLER_ARG",
                "a share between 0 and 1",
            ));
        }
    }
    Ok(())
}

/// OpenTelemetry has an empty value mean the same as none.
fn given(name: &str, get: Environment<'_>) -> Option<String> {
    get(name).filter(|value| !value.is_empty())
}

/// What the process says of itself; the environment may say it otherwise.
pub(super) fn resource(service_version: &'static str, get: Environment<'_>) -> Resource {
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "empulse"),
            KeyValue::new("service.version", service_version),
            KeyValue::new("service.instance.id", Uuid::now_v7().to_string()),
        ])
        .with_detectors(&[
            Box::new(TelemetryResourceDetector),
            Box::new(EnvResourceDetector::new()),
        ]);
    match given("OTEL_SERVICE_NAME", get) {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &[(&str, &str)], general: Option<&str>) -> Option<String> {
        let get = |name: &str| {
            settings
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let general = general.map(|url| Url::parse(url).unwrap());
        exporters(general.as_ref(), &get)
            .err()
            .map(|error| error.to_string())
    }

    #[test]
    fn wrong_settings_are_refused_by_name() {
        const GENERAL: Option<&str> = Some("http://localhost:4318");
        for (name, value) in [
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_LOGS_EXPORTER", "console"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost"),
        ] {
            let error = refused(&[(name, value)], GENERAL).unwrap();
            assert!(error.starts_with(name), "{error}");
        }
        let share = [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ];
        let error = refused(&share, GENERAL).unwrap();
        assert!(error.starts_with("OTEL_TRACES_SAMPLER_ARG"), "{error}");
        let error = refused(&[], Some("http://user:hunter2@collector:4318")).unwrap();
        assert!(error.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT"), "{error}");
        assert!(!error.contains("hunter2"));
        // Nothing is exported, so nothing can be wrong with it.
        assert_eq!(refused(&[("OTEL_TRACES_SAMPLER", "sometimes")], None), None);
    }

    #[test]
    fn each_signal_has_its_own_address() {
        let general = Url::parse("https://collector.example/otlp/").unwrap();
        let nothing = |_: &str| None;
        assert_eq!(
            address(LOGS, Some(&general), &nothing).unwrap().as_deref(),
            Some("https://collector.example/otlp/v1/logs")
        );
        let own =
            |name: &str| (name == LOGS.endpoint).then(|| "http://logs.example/push".to_owned());
        assert_eq!(
            address(LOGS, Some(&general), &own).unwrap().as_deref(),
            Some("http://logs.example/push")
        );
        let off = |name: &str| (name == LOGS.exporter).then(|| "none".to_owned());
        assert_eq!(address(LOGS, Some(&general), &off).unwrap(), None);
        assert_eq!(address(LOGS, None, &nothing).unwrap(), None);
    }
}
