//! The audit trail: nothing of it can be changed unseen, and what is personal in it can be erased.

mod actions;
mod chaining;
pub mod heads;
mod plans;
mod reading;
mod recording;
mod verifying;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use empulse::audit::{self, By, Event, FoundHead, Head, Report, SignedHead};
use empulse::db::Db;
use empulse::keys::Keys;
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

    /// What only the tables' owner can do.
    pub async fn tamper(&self, sql: &str) {
        let tables = ["audit_events", "audit_personal"];
        let all = |what: &str| {
            let each = tables.map(|table| format!("alter table {table} {what} trigger user; "));
            each.concat()
        };
        let sql = format!("{}{sql};{}", all("disable"), all("enable"));
        self.sql().await.batch_execute(&sql).await.unwrap();
    }

    /// A head of the chain as it is.
    pub async fn head(&self) -> SignedHead {
        let sql =
            "select sequence, encode(hash, 'hex') from audit_events order by sequence desc limit 1";
        let row = self.sql().await.query_one(sql, &[]).await.unwrap();
        let head = Head {
            sequence: row.get(0),
            hash: row.get(1),
            count: row.get(0),
            signed_at: noon(),
        };
        SignedHead::sign(&keys("a"), &head).unwrap()
    }

    /// For all who connect from now on.
    pub async fn becomes_read_only(&self) {
        let sql = format!(
            "alter database {} set default_transaction_read_only = on",
            self.database_name()
        );
        self.sql().await.batch_execute(&sql).await.unwrap();
    }

    pub async fn verify(&self) -> Report {
        self.verify_with(Vec::new()).await
    }

    pub async fn verify_with(&self, heads: Vec<FoundHead>) -> Report {
        audit::verify(&self.db, &keys("a"), heads, noon(), |_, _| {})
            .await
            .unwrap()
    }

    /// Says that a test is not run, where it needs what only a server has.
    pub fn needs_server(&self, test: &str) -> bool {
        let is_embedded = self.database.source.is_embedded();
        if is_embedded {
            eprintln!("not run: {test} (DATABASE_URL is not set)");
        }
        is_embedded
    }

    pub fn database_name(&self) -> String {
        let url = url::Url::parse(self.database.url.as_deref().unwrap()).unwrap();
        url.path().trim_start_matches('/').to_owned()
    }
}

/// A ring of keys named by letters: the same letter is the same key.
pub fn keys(letters: &str) -> Keys {
    let keys = letters.chars().map(|letter| {
        format!(
            "key-{letter}:{}",
            format!("{:02x}", letter as u8).repeat(32)
        )
    });
    let ring = keys.collect::<Vec<_>>().join(",").parse().unwrap();
    Keys::of(&ring).unwrap()
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
