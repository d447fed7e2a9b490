//! The request's shell: who is it, is it allowed in, how large, how long. Then the routes.

mod asked;
pub mod body;
pub mod client_address;
pub mod compression;
pub mod cookies;
pub mod correlation;
pub mod cors;
pub mod csrf;
mod export;
mod graphql;
pub mod headers;
mod health;
mod keys;
mod media;
mod media_type;
mod methods;
mod multipart;
mod origin;
mod paced;
mod pages;
mod people;
pub mod refusal;
pub mod server;
pub mod shell;
mod socket;
mod token;
mod values;
pub mod visitor;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use poem::http::{HeaderMap, Method, header};
use poem::{Endpoint, Response, Route};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use url::Url;

use self::cors::Cors;
use self::csrf::Csrf;
use self::export::Export;
use self::graphql::GraphQl;
use self::health::{Ready, live};
use self::keys::WellKnownKeys;
use self::media::{Media, Parts};
use self::methods::Methods;
use self::pages::links;
use self::pages::mail::MailPages;
use self::pages::verify::Verify;
use self::people::People;
use self::shell::{RequestFacts, Shell};
use crate::accounts::Accounts;
use crate::config::{Config, Environment};
use crate::graphql::Api;
use crate::telemetry;

/// The routes, as metrics name them, besides those of pages that are not always there.
const ROUTES: [&str; 8] = [
    "/",
    "/.well-known/empulse-keys.json",
    "/csrf",
    export::ROUTE,
    "/graphql",
    "/health/live",
    "/health/ready",
    "/verify",
];

/// What is known of this instance beside its dependencies.
#[derive(Default)]
pub struct Standing {
    /// The database is up to date: before that no request is served.
    pub migrated: AtomicBool,
    /// Asked to stop: what is in flight is finished, and nobody should send more.
    pub stopping: AtomicBool,
}

impl Standing {
    pub fn is_migrated(&self) -> bool {
        self.migrated.load(Ordering::Acquire)
    }

    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// Everything that is answered on the API's address.
pub fn endpoint(
    accounts: &Arc<Accounts>,
    standing: &Arc<Standing>,
) -> anyhow::Result<impl Endpoint<Output = Response> + use<>> {
    let app = accounts.app();
    let api = Arc::new(Api::new(accounts.clone())?);
    let cors = cors(&app.config);
    let graphql = Arc::new(GraphQl::new(
        api,
        accounts.clone(),
        cors.clone(),
        standing.clone(),
    ));
    let people = Arc::new(People(accounts.clone()));
    let csrf = Csrf::new(cors.clone(), standing.clone(), people.clone());
    let verify = Arc::new(Verify::new(
        &app.config,
        cors.clone(),
        standing.clone(),
        people,
    ));
    let export = Export::new(accounts.clone(), cors.clone(), standing.clone());
    let mut export = Methods::new().post(export);
    if !links::has_web_client(&app.config) {
        let page = links::export_page()?;
        export = export.get(poem::endpoint::make_sync(move |_| page.response()));
    }
    let mail = MailPages::of(&app.config);
    let index = pages::index(mail.is_some());
    let mut routes = Route::new()
        .at(
            "/",
            Methods::new().get(poem::endpoint::make_sync(move |_| index.response())),
        )
        .at("/csrf", Methods::new().get(csrf))
        .at(export::ROUTE, export)
        .at("/verify", Methods::new().get(verify.clone()).post(verify))
        .at(
            "/.well-known/empulse-keys.json",
            Methods::new().get(WellKnownKeys::new(app.keys.public_keys())?),
        )
        .at(
            "/graphql",
            Methods::new().get(graphql.clone()).post(graphql),
        )
        .at("/health/live", Methods::new().get(live))
        .at(
            "/health/ready",
            Methods::new().get(Ready::new(app.clone(), standing.clone())),
        );
    if !links::has_web_client(&app.config) {
        routes = links::routes(routes);
    }
    if let Some(mail) = mail {
        routes = mail.routes(routes);
    }
    if let Some(media) = Media::of(app) {
        routes = routes.at(media::ROUTE, Methods::new().get(media));
    }
    if let Some(parts) = Parts::of(app) {
        let parts = Methods::new().on(Method::PUT, parts);
        routes = routes.at(media::PARTS_ROUTE, parts);
    }
    let metrics = app.metrics.clone();
    Ok(shell::wrap(
        routes,
        Shell {
            production: app.config.environment == Environment::Production,
            cors,
            trusted_proxies: app.config.trusted_proxies.clone(),
            on_begin: Some(Arc::new(adopt_trace)),
            on_complete: Some(Arc::new(move |facts: &RequestFacts| {
                let route = ROUTES
                    .into_iter()
                    .chain(links::ROUTES)
                    .chain(pages::mail::ROUTES)
                    .chain([media::ROUTE, media::PARTS_ROUTE])
                    .find(|route| facts.route.as_deref() == Some(*route));
                let status = facts.status.map_or(499, |status| status.as_u16());
                metrics.http_request(
                    facts.method,
                    route.unwrap_or("unknown"),
                    status,
                    facts.duration,
                );
            })),
        },
    ))
}

fn cors(config: &Config) -> Cors {
    let origins: Vec<Url> = config
        .allowed_origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    Cors::new(&origins, &config.public_url)
}

/// Hangs a request's span below its caller's.
fn adopt_trace(span: &tracing::Span, headers: &HeaderMap) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(parent) = text("traceparent") {
        let context = telemetry::parent_from_headers(Some(parent), text("tracestate"));
        // It can't be set where nothing is exported, and then it is not needed.
        let _ = span.set_parent(context);
    }
}

/// The page for Prometheus, on an address of its own: figures are not for everybody.
pub async fn serve_metrics(listener: TcpListener, page: telemetry::Page, stop: CancellationToken) {
    let routes = Route::new().at(
        "/metrics",
        Methods::new().get(poem::endpoint::make_sync(move |_| {
            Response::builder()
                .header(header::CONTENT_TYPE, telemetry::Page::CONTENT_TYPE)
                .body(page.text())
        })),
    );
    let endpoint = poem::EndpointExt::map_to_response(routes);
    // Its own connections are nobody's figures.
    let metrics = telemetry::Metrics::detached();
    let limits = server::ServerLimits::default();
    server::serve(listener, endpoint, stop, limits, metrics).await;
}
