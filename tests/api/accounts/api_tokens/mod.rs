//! Tokens that people make for scripts and other services: what they open, what they never do, and what ends them.

mod ending;
mod making;
mod opening;
mod using;

#[expect(dead_code, reason = "cargo runs its `main`")]
#[path = "../../../../examples/attenuate.rs"]
mod attenuate;

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Parser;
use empulse::accounts::{Installation, Role};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::tokens::narrowed;
use super::*;
use crate::support::SignedIn;

pub const CREATE: &str = "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) {
    apiToken { id name scopes createdAt lastUsedAt expiresAt } secret errors { code message path } } }";
pub const REVOKE_TOKEN: &str =
    "mutation ($input: RevokeApiTokenInput!) { revokeApiToken(input: $input) {
    revokedId account { apiTokens { id } } errors { code path } } }";
const LIST: &str = "{ me { apiTokens { id name scopes createdAt lastUsedAt expiresAt } } }";
const EMAIL: &str = "ana@example.org";

/// What is asked for, with more or other of it.
fn asked(more: Value) -> Value {
    let mut input = json!({ "name": "Backup", "scopes": ["ACCOUNT_READ"], "password": RIGHT });
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    input
}

async fn create(app: &TestApp, access: &str, more: Value) -> Value {
    payload(app, Some(access), CREATE, asked(more)).await
}

/// One that is made; its id and its secret.
async fn made(app: &TestApp, access: &str, scopes: Value) -> (String, String) {
    let made = create(app, access, json!({ "scopes": scopes })).await;
    assert_eq!(mistakes(&made), NONE, "{made}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["apiToken"]["id"]), text(&made["secret"]))
}

/// One with a scope.
pub async fn api_token(app: &TestApp, access: &str, scope: &str) -> String {
    made(app, access, json!([scope])).await.1
}

/// Uses one, and waits until that of all of them is noted.
pub async fn use_until_noted(app: &TestApp, token: &str) {
    const UNUSED: &str = "select count(*) from api_tokens where last_used_at is null";
    app.data_as(token, "{ __typename }").await;
    for _ in 0..500 {
        if count(app, UNUSED).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a use is not noted")
}

async fn revoke(app: &TestApp, access: &str, id: &str) -> Value {
    let input = json!({ "apiTokenId": id });
    payload(app, Some(access), REVOKE_TOKEN, input).await
}

async fn listed(app: &TestApp, access: &str) -> Vec<Value> {
    let mut data = app.data_as(access, LIST).await;
    serde_json::from_value(data["me"]["apiTokens"].take()).unwrap()
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

async fn somebody(app: &TestApp) -> SignedIn {
    app.member(EMAIL).await;
    app.sign_in(EMAIL).await
}
