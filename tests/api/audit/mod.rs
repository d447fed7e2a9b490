//! The audit trail: nothing of it can be changed unseen, and what is personal in it can be erased.

mod recording;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use empulse::audit::{By, Event};
use empulse::db::Db;
use empulse::telemetry::Metrics;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::database::TestDatabase;

/// The trail alone, over a database of its own.
pub struct Bench {
    pub db: Arc<Db>,
    pub database: TestDatabase,
}

impl Bench {
    pub async fn new() -> Self {
        Self::over(TestDatabase::new().await)
    }

    pub fn over(database: TestDatabase) -> Self {
        let db = Db::open(database.source.clone(), None, 10, Metrics::detached());
        Self {
            db: Arc::new(db),
            database,
        }
    }

    /// Another instance over the same database.
    pub fn instance(&self) -> Self {
        Self::over(self.database.again())
    }

    pub async fn sql(&self) -> Client {
        self.database.source.client().await.unwrap()
    }

    pub async fn count(&self, sql: &str) -> i64 {
        self.sql().await.query_one(sql, &[]).await.unwrap().get(0)
    }
}

pub fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_764_158_400, 0).unwrap()
}

/// Somebody who acts from somewhere.
pub fn by(actor: Option<Uuid>) -> By {
    By {
        actor,
        address: Some("203.0.113.7".parse().unwrap()),
        user_agent: Some("Lynx/2.9".into()),
        correlation_id: Some("by-this-id".into()),
    }
}

pub fn event(number: u32) -> Event {
    Event::new("test.happened", &by(Some(Uuid::from_u128(7))), noon()).detail("number", number)
}
