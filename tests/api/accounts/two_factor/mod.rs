//! The second factor, as people meet it who have an authenticator: each test holds the service to one promise.

mod administration;
mod authenticator;
mod changes;
mod codes;
mod guessing;
mod instances;
mod keys;
mod leaving;
mod setting_up;
mod signing_in;
mod trusted;

use serde_json::{Value, json};

use self::authenticator::{Authenticator, begin_step};
use super::*;

const BEGIN: &str = "mutation ($input: BeginTwoFactorInput!) { beginTwoFactor(input: $input) {
    otpauthUri qrCode errors { code path retryAt } } }";
const CONFIRM: &str =
    "mutation ($input: ConfirmTwoFactorInput!) { confirmTwoFactor(input: $input) {
    account { twoFactorEnabled recoveryCodesLeft } recoveryCodes errors { code path retryAt } } }";
const DISABLE: &str =
    "mutation ($input: DisableTwoFactorInput!) { disableTwoFactor(input: $input) {
    account { twoFactorEnabled recoveryCodesLeft } errors { code path retryAt } } }";
const REGENERATE: &str =
    "mutation ($input: RegenerateRecoveryCodesInput!) { regenerateRecoveryCodes(input: $input) {
    account { twoFactorEnabled recoveryCodesLeft } recoveryCodes errors { code path retryAt } } }";
const COMPLETE: &str =
    "mutation ($input: CompleteTwoFactorInput!) { completeTwoFactor(input: $input) {
    account { id email }
    credentials { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt csrfToken deviceToken }
    errors { code message path retryAt } } }";
const DISTRUST: &str =
    "mutation ($input: RevokeTrustedDeviceInput!) { revokeTrustedDevice(input: $input) {
    revokedId account { trustedDevices { id } } errors { code path } } }";
/// As `LOGIN`, and what a second step is begun with.
const LOGIN: &str = "mutation ($input: LoginInput!) { login(input: $input) {
    account { id email } credentials { accessToken refreshToken csrfToken deviceToken }
    twoFactorToken errors { code message path retryAt } } }";
const FACTOR: &str = "{ me { twoFactorEnabled recoveryCodesLeft
    trustedDevices { id userAgent createdAt lastUsedAt expiresAt } } }";

const EMAIL: &str = "ana@example.org";

/// Somebody whose account asks for a code, signed in since before it did.
struct Enabled {
    access: String,
    device: String,
    authenticator: Authenticator,
    recovery: Vec<String>,
}

impl Enabled {
    async fn new(app: &TestApp, email: &str) -> Self {
        app.member(email).await;
        let signed_in = app.sign_in(email).await;
        let authenticator = begun(app, &signed_in.access).await;
        let confirmed = confirm(app, &signed_in.access, &authenticator.code(app)).await;
        app.run_jobs().await;
        Self {
            access: signed_in.access,
            device: signed_in.device.unwrap(),
            authenticator,
            recovery: codes_of(&confirmed),
        }
    }
}

async fn begin(app: &TestApp, access: &str, password: &str) -> Value {
    payload(app, Some(access), BEGIN, json!({ "password": password })).await
}

/// Begins to set up a factor, and hands it to an authenticator.
async fn begun(app: &TestApp, access: &str) -> Authenticator {
    let begun = begin(app, access, RIGHT).await;
    assert_eq!(mistakes(&begun), NONE);
    Authenticator::reading(begun["otpauthUri"].as_str().unwrap())
}

async fn confirm(app: &TestApp, access: &str, code: &str) -> Value {
    payload(app, Some(access), CONFIRM, json!({ "code": code })).await
}

async fn disable(app: &TestApp, access: &str, password: &str, code: &str) -> Value {
    let input = json!({ "password": password, "code": code });
    payload(app, Some(access), DISABLE, input).await
}

async fn regenerate(app: &TestApp, access: &str, password: &str, code: &str) -> Value {
    let input = json!({ "password": password, "code": code });
    payload(app, Some(access), REGENERATE, input).await
}

/// The recovery codes of a payload that was given some.
#[track_caller]
fn codes_of(payload: &Value) -> Vec<String> {
    assert_eq!(mistakes(payload), NONE);
    let codes = payload["recoveryCodes"].as_array().unwrap();
    let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned());
    codes.collect()
}

/// A sign-in with the right password, by the answer's body.
async fn first_step(app: &TestApp, email: &str, more: Value) -> Value {
    payload(app, None, LOGIN, login_input(email, RIGHT, more)).await
}

/// What the second step of a sign-in is begun with.
async fn step_token(app: &TestApp, email: &str) -> String {
    step_token_with(app, email, json!({})).await
}

async fn step_token_with(app: &TestApp, email: &str, more: Value) -> String {
    let login = first_step(app, email, more).await;
    assert_eq!(mistakes(&login), NONE);
    let token = login["twoFactorToken"].as_str();
    token.unwrap_or_else(|| panic!("{login}")).to_owned()
}

async fn complete(app: &TestApp, token: &str, code: &str) -> Value {
    complete_with(app, token, code, false).await
}

async fn complete_with(app: &TestApp, token: &str, code: &str, trust: bool) -> Value {
    let input = json!({ "twoFactorToken": token, "code": code, "trustDevice": trust });
    payload(app, None, COMPLETE, input).await
}

/// Signs in with both.
async fn signed_in(app: &TestApp, email: &str, code: &str) -> Value {
    let token = step_token(app, email).await;
    let completed = complete(app, &token, code).await;
    assert_eq!(mistakes(&completed), NONE);
    completed
}

#[track_caller]
fn text_of(payload: &Value, name: &str) -> String {
    let text = payload["credentials"][name].as_str();
    text.unwrap_or_else(|| panic!("no {name}: {payload}"))
        .to_owned()
}

async fn factor(app: &TestApp, access: &str) -> Value {
    app.data_as(access, FACTOR).await["me"].take()
}

/// What somebody asks for while another holds their account and then changes what the database has of them. With a server
/// alone: the embedded engine has one connection.
async fn held_up<T>(app: &TestApp, asks: impl Future<Output = T>, changed: &str) -> T {
    let client = app.sql().await;
    let hold = "begin; select from accounts for update";
    client.batch_execute(hold).await.unwrap();
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    let changes = async {
        while count(app, waits).await == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let end = format!("{changed}; commit");
        client.batch_execute(&end).await.unwrap();
    };
    tokio::join!(asks, changes).0
}

/// The actions of the trail that begin so, oldest first.
async fn trail(app: &TestApp, prefixes: &[&str]) -> Vec<String> {
    let all = "select action from (select action, created_at, id from audit_pending \
               union all select action, created_at, id from audit_events) e order by created_at, id";
    let rows = app.sql().await.query(all, &[]).await.unwrap();
    rows.iter()
        .map(|row| row.get::<_, String>(0))
        .filter(|action| prefixes.iter().any(|prefix| action.starts_with(prefix)))
        .collect()
}
