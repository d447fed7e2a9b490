//! Whether this instance lives, and whether it should be sent requests.

use std::sync::Arc;
use std::time::Duration;

use poem::http::{StatusCode, header};
use poem::{Endpoint, Request, Response};
use serde::Serialize;

use super::Standing;
use crate::app::App;

/// A probe that waits longer has given up.
const PATIENCE: Duration = Duration::from_secs(2);

/// `GET /health/live`: the process answers, and that is all there is to know.
#[poem::handler]
pub fn live() -> Response {
    json(StatusCode::OK, &serde_json::json!({ "status": "up" }))
}

/// `GET /health/ready`: each dependency's state and latency. 503 while the database is away, and from the moment that
/// the service stops. Redis away is a worse service and not none: limits go on per instance. So is the storage away: all but
/// files goes on.
pub struct Ready {
    app: Arc<App>,
    standing: Arc<Standing>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    status: State,
    dependencies: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Up,
    Degraded,
    Down,
    Stopping,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency {
    state: State,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<f64>,
}

impl Dependency {
    fn answered(kind: &'static str, latency: Option<Duration>) -> Self {
        Self {
            state: if latency.is_some() {
                State::Up
            } else {
                State::Down
            },
            kind,
            latency_ms: latency.map(|latency| (latency.as_secs_f64() * 1e6).round() / 1e3),
        }
    }
}

impl Ready {
    pub fn new(app: Arc<App>, standing: Arc<Standing>) -> Self {
        Self { app, standing }
    }

    async fn report(&self) -> Report {
        let app = &self.app;
        let (database, replica, redis, storage) = tokio::join!(
            patiently(app.db.ping()),
            async {
                match app.db.has_replica() {
                    true => Some(
                        patiently(async {
                            app.db.ping_replica().await.unwrap_or(Ok(Duration::ZERO))
                        })
                        .await,
                    ),
                    false => None,
                }
            },
            async {
                match &app.redis {
                    Some(redis) => Some(patiently(redis.ping()).await),
                    None => None,
                }
            },
            patiently(app.storage.ping()),
        );
        let database = Dependency::answered(
            if app.db.source().is_embedded() {
                "embedded"
            } else {
                "postgresql"
            },
            database,
        );
        let replica = replica.map(|latency| Dependency::answered("postgresql", latency));
        let redis = match redis {
            Some(latency) => Dependency::answered("redis", latency),
            None => Dependency {
                state: State::Up,
                kind: "in process",
                latency_ms: None,
            },
        };
        let storage = Dependency::answered(app.storage.kind(), storage);
        let worse = replica
            .as_ref()
            .is_some_and(|replica| replica.state == State::Down)
            || redis.state == State::Down
            || storage.state == State::Down;
        let status = match database.state {
            _ if self.standing.is_stopping() => State::Stopping,
            _ if !self.standing.is_migrated() => State::Down,
            State::Down => State::Down,
            _ if worse => State::Degraded,
            _ => State::Up,
        };
        let named = [
            ("database", Some(database)),
            ("replica", replica),
            ("limits", Some(redis)),
            ("storage", Some(storage)),
        ];
        let dependencies = named
            .into_iter()
            .filter_map(|(name, dependency)| {
                Some((name.to_owned(), serde_json::to_value(dependency?).ok()?))
            })
            .collect();
        Report {
            status,
            dependencies,
        }
    }
}

impl Endpoint for Ready {
    type Output = Response;

    async fn call(&self, _: Request) -> poem::Result<Response> {
        let report = self.report().await;
        let status = match report.status {
            State::Up | State::Degraded => StatusCode::OK,
            State::Down | State::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        };
        Ok(json(status, &report))
    }
}

async fn patiently<E>(asked: impl Future<Output = Result<Duration, E>>) -> Option<Duration> {
    tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(serde_json::to_string(body).unwrap_or_default())
}
