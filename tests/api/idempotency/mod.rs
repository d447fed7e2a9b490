//! Mutations that are sent under an `Idempotency-Key`: done once, and answered again as they were.

mod answers;
mod at_once;
mod claims;
mod files;
mod keys;

use chrono::TimeDelta;
use empulse::idempotency::{Begun, Claim, Ended, Input, Key};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::accounts::tokens::narrowed;
use crate::accounts::{
    CHANGE_EMAIL, CHANGE_PASSWORD, LOGOUT, Limited, REFRESH, REVOKE, UPDATE_PROFILE, WRONG, count,
    execute, graphql, me, needs_server, wait,
};
use crate::support::{LOGIN, PASSWORD, REGISTER, TestApp};

const ANA: &str = "ana@example.org";
const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";
const ROWS: &str = "select count(*) from idempotency_keys";

/// An answer as it came, byte for byte.
#[derive(Debug)]
struct Told {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Told {
    fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn is_replayed(&self) -> bool {
        self.headers
            .get("idempotency-replayed")
            .is_some_and(|value| value == "true")
    }

    /// Ran, and for the first time.
    #[track_caller]
    fn ran(self) -> Self {
        assert_eq!(self.status, 200, "{self:?}");
        assert!(!self.is_replayed(), "{self:?}");
        assert_eq!(self.body().get("errors"), None, "{self:?}");
        self
    }

    /// Is the same again.
    #[track_caller]
    fn repeats(&self, first: &Self) {
        assert_eq!((self.status, &self.text), (first.status, &first.text));
        assert!(self.is_replayed(), "{self:?}");
    }

    /// Refused whole, with this code.
    #[track_caller]
    fn refused(&self) -> (u16, String) {
        let body = self.body();
        assert_eq!(body.get("data"), None, "{self:?}");
        assert!(!self.is_replayed(), "{self:?}");
        let code = body["errors"][0]["extensions"]["code"].as_str().unwrap();
        (self.status, code.to_owned())
    }

    /// The code of the only error of what ran.
    #[track_caller]
    fn code(&self) -> String {
        let body = self.body();
        assert_eq!(
            (self.status, body.get("data").is_some()),
            (200, true),
            "{self:?}"
        );
        assert_eq!(body["errors"].as_array().map(Vec::len), Some(1), "{self:?}");
        body["errors"][0]["extensions"]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

fn bad_request() -> (u16, String) {
    (400, "BAD_REQUEST".to_owned())
}

fn conflict() -> (u16, String) {
    (409, "CONFLICT".to_owned())
}

async fn told(request: reqwest::RequestBuilder) -> Told {
    let response = request.send().await.unwrap();
    Told {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await.unwrap(),
    }
}

/// Somebody who sends a body under a key.
async fn sends(app: &TestApp, access: Option<&str>, key: &str, body: &Value) -> Told {
    let mut request = graphql(app, body).header("idempotency-key", key);
    if let Some(access) = access {
        request = request.bearer_auth(access);
    }
    told(request).await
}

fn calling(mutation: &str, input: Value) -> Value {
    json!({ "query": mutation, "variables": { "input": input } })
}

fn naming(name: &str) -> Value {
    calling(UPDATE_PROFILE, json!({ "displayName": name }))
}

struct Ana {
    app: TestApp,
    access: String,
}

impl Ana {
    async fn signed_in() -> Self {
        let app = TestApp::new().await;
        app.member(ANA).await;
        let access = app.sign_in(ANA).await.access;
        Self { app, access }
    }

    async fn sends(&self, key: &str, body: &Value) -> Told {
        sends(&self.app, Some(&self.access), key, body).await
    }

    /// Without a key.
    async fn is_named(&self, name: &str) {
        told(graphql(&self.app, &naming(name)).bearer_auth(&self.access))
            .await
            .ran();
    }

    async fn name(&self) -> Value {
        me(&self.app, &self.access).await["user"]["displayName"].take()
    }
}

/// How much is mailed, as jobs: two for each change of address that was asked for.
async fn mails(app: &TestApp) -> i64 {
    count(
        app,
        "select count(*) from jobs where kind = 'accounts.mail'",
    )
    .await
}

fn moving() -> Value {
    let input = json!({ "newEmail": "new@example.org", "password": PASSWORD });
    calling(CHANGE_EMAIL, input)
}

/// Waits until so many wait for a lock.
pub async fn waiting(app: &TestApp, wanted: i64) {
    let onlooker = app.sql().await;
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..1_000 {
        let found: i64 = onlooker.query_one(waiting, &[]).await.unwrap().get(0);
        if found == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("never {wanted} wait for a lock");
}
