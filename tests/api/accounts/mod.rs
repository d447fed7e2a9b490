//! Accounts as their clients meet them: each test holds the service to one promise.

mod address;
pub mod admin;
pub mod api_tokens;
mod challenges;
pub mod cookies;
mod forgetting;
mod guessing;
mod leaving;
mod model;
mod one_a_request;
mod password;
mod profile;
mod refresh;
mod register;
mod sessions;
mod sign_in;
mod timing;
pub mod tokens;
mod two_factor;
mod whole_way;

use chrono::TimeDelta;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{Answer, LOGIN, Mail, PASSWORD, TestApp};

pub const NEW_PASSWORD: &str = "lantern-gravel-opera-4";
/// One that is nobody's.
pub const WRONG: &str = "pebble-harvest-tunnel-7";

pub const ME: &str = "{ me { id email pendingEmail status roles lockedUntil user { id displayName }
    sessions { id userAgent ipAddress isCurrent isRemembered createdAt lastUsedAt expiresAt } } }";
pub const REFRESH: &str = "mutation ($input: RefreshSessionInput) { refreshSession(input: $input) {
    account { id email }
    credentials { accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt csrfToken deviceToken }
    errors { code path } } }";
pub const LOGOUT: &str =
    "mutation ($input: LogoutInput) { logout(input: $input) { errors { code path } } }";
pub const RESEND: &str =
    "mutation ($input: ResendVerificationInput!) { resendVerification(input: $input) {
    errors { code path } } }";
pub const REQUEST_RESET: &str =
    "mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) {
    errors { code path } } }";
pub const RESET: &str = "mutation ($input: ResetPasswordInput!) { resetPassword(input: $input) {
    changed errors { code path } } }";
pub const CHANGE_PASSWORD: &str =
    "mutation ($input: ChangePasswordInput!) { changePassword(input: $input) {
    account { id sessions { id } } errors { code path retryAt } } }";
pub const CHANGE_EMAIL: &str = "mutation ($input: ChangeEmailInput!) { changeEmail(input: $input) { errors { code path retryAt } } }";
pub const UPDATE_PROFILE: &str =
    "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) {
    account { user { displayName } } errors { code path } } }";
pub const REVOKE: &str = "mutation ($input: RevokeSessionInput!) { revokeSession(input: $input) {
    revokedId account { sessions { id } } errors { code path } } }";
pub const REVOKE_ALL: &str =
    "mutation ($input: RevokeAllSessionsInput) { revokeAllSessions(input: $input) {
    revoked errors { code path } } }";

/// What one mutation came to: its payload.
pub async fn payload(app: &TestApp, access: Option<&str>, mutation: &str, input: Value) -> Value {
    only_field(app.call(access, mutation, input).await.data())
}

/// The value of the one root field that was asked for.
#[track_caller]
pub fn only_field(mut data: Value) -> Value {
    let fields = data.as_object_mut().unwrap();
    assert_eq!(fields.len(), 1, "{fields:?}");
    fields.values_mut().next().unwrap().take()
}

/// The mistakes of a payload, each with the field that it is about: `INVALID_EMAIL email`.
#[track_caller]
pub fn mistakes(payload: &Value) -> Vec<String> {
    let errors = payload["errors"].as_array();
    let errors = errors.unwrap_or_else(|| panic!("no list of errors: {payload}"));
    let told = errors.iter().map(|error| {
        let path = error["path"].as_array().unwrap();
        let path = path.iter().map(|part| part.as_str().unwrap());
        [error["code"].as_str().unwrap()]
            .into_iter()
            .chain(path)
            .collect::<Vec<_>>()
            .join(" ")
    });
    told.collect()
}

pub const NONE: [&str; 0] = [];

/// A sign-in by the answer's body: its payload.
pub async fn login(app: &TestApp, email: &str, password: &str) -> Value {
    login_with(app, email, password, json!({})).await
}

/// The same with more of the input.
pub async fn login_with(app: &TestApp, email: &str, password: &str, more: Value) -> Value {
    payload(app, None, LOGIN, login_input(email, password, more)).await
}

pub fn login_input(email: &str, password: &str, more: Value) -> Value {
    let mut input = json!({ "email": email, "password": password, "delivery": "BODY" });
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    input
}

pub async fn refresh(app: &TestApp, token: &str) -> Value {
    payload(app, None, REFRESH, json!({ "refreshToken": token })).await
}

/// The account of somebody who is signed in, as they see it.
pub async fn me(app: &TestApp, access: &str) -> Value {
    app.data_as(access, ME).await["me"].take()
}

/// Whether an access token is believed: if not, the whole request is refused.
pub async fn is_believed(app: &TestApp, access: &str) -> bool {
    let answer = query(app, &format!("Bearer {access}"), "{ me { id } }").await;
    match answer.status {
        200 => !answer.data()["me"]["id"].is_null(),
        _ => {
            assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED"));
            false
        }
    }
}

/// A request with an `Authorization` header of one's own.
pub async fn query(app: &TestApp, authorization: &str, query: &str) -> Answer {
    let request = graphql(app, &json!({ "query": query }));
    send(request.header("authorization", authorization)).await
}

pub fn graphql(app: &TestApp, body: &Value) -> RequestBuilder {
    app.client
        .post(app.url("/graphql"))
        .header("accept", "application/graphql-response+json")
        .json(body)
}

pub fn calling(app: &TestApp, mutation: &str, input: &Value) -> RequestBuilder {
    let body = json!({ "query": mutation, "variables": { "input": input } });
    graphql(app, &body)
}

pub async fn send(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.unwrap()).await
}

/// What an action came to, and the mails that it brought about.
pub async fn with_mails<T>(app: &TestApp, action: impl Future<Output = T>) -> (T, Vec<Mail>) {
    let before = app.mails().await.len();
    let done = action.await;
    let mut mails = app.mails().await;
    (done, mails.split_off(before))
}

/// The token of the newest mail to an address whose link leads to such a page.
#[track_caller]
pub fn token_to(mails: &[Mail], email: &str, page: &str) -> String {
    let link = format!("/{page}");
    let found = mails
        .iter()
        .rev()
        .find(|mail| mail.to == email && mail.text.contains(&link));
    found
        .unwrap_or_else(|| panic!("no mail to {email} with {link}: {mails:#?}"))
        .token()
}

/// Has a link to set a new password mailed; its token.
pub async fn reset_token(app: &TestApp, email: &str) -> String {
    let request = payload(app, None, REQUEST_RESET, json!({ "email": email }));
    let (requested, mails) = with_mails(app, request).await;
    assert_eq!(mistakes(&requested), NONE);
    token_to(&mails, email, "reset-password#token=")
}

pub async fn reset(app: &TestApp, token: &str, password: &str) -> Value {
    let input = json!({ "token": token, "newPassword": password });
    payload(app, None, RESET, input).await
}

/// Lets time pass.
pub fn wait(app: &TestApp, time: TimeDelta) {
    app.app.clock.advance(time);
}

/// One number that the database knows.
pub async fn count(app: &TestApp, sql: &str) -> i64 {
    let client = app.sql().await;
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// How often the trail says that somebody was refused a field, or what is had beside it.
pub async fn refusals(app: &TestApp, email: &str, field: &str) -> i64 {
    let read = "select count(*) from (select action, actor_id, details from audit_pending union all \
                select action, actor_id, details from audit_events) e join accounts a on a.id = e.actor_id \
                where e.action = 'access.refused' and a.email = $1 and e.details::json ->> 'field' = $2";
    let sql = app.sql().await;
    sql.query_one(read, &[&email, &field]).await.unwrap().get(0)
}

pub async fn execute(app: &TestApp, sql: &str) {
    app.sql().await.batch_execute(sql).await.unwrap();
}

/// An address that no other test, nor an earlier run, has counted anything for.
pub fn own_email(name: &str) -> String {
    format!("{name}-{:x}@example.org", rand::random::<u64>())
}

/// An instance on which limits hold, over the stores of one on which they do not; and a network of its own to come from,
/// as others may count in the same Redis.
pub struct Limited {
    pub app: TestApp,
    network: [u16; 3],
}

impl Limited {
    pub async fn beside(lifted: &TestApp) -> Self {
        let settings = [
            ("EMPULSE_RATE_FACTOR", "1"),
            ("EMPULSE_TRUSTED_PROXIES", "127.0.0.1"),
        ];
        Self {
            app: lifted.instance(&settings).await,
            network: rand::random(),
        }
    }

    /// The same instance, from another network.
    pub fn elsewhere(self) -> Self {
        let network = rand::random();
        Self { network, ..self }
    }

    /// From one of the addresses of its /64.
    pub async fn call(&self, host: u16, mutation: &str, input: &Value) -> Answer {
        let [a, b, c] = self.network;
        let address = format!("2001:{a:x}:{b:x}:{c:x}::{host:x}");
        send(calling(&self.app, mutation, input).header("x-forwarded-for", address)).await
    }
}

/// Registers without confirming.
pub async fn register(app: &TestApp, email: &str, password: &str, name: &str) -> Value {
    let input = json!({ "email": email, "password": password, "displayName": name });
    payload(app, None, crate::support::REGISTER, input).await
}

pub async fn verify(app: &TestApp, token: &str) -> Value {
    payload(app, None, crate::support::VERIFY, json!({ "token": token })).await
}

/// Whether the password of an address is this one, as a sign-in finds it.
pub async fn has_password(app: &TestApp, email: &str, password: &str) -> bool {
    let login = login(app, email, password).await;
    match mistakes(&login).as_slice() {
        [] => true,
        [only] if only == "INVALID_CREDENTIALS" => false,
        other => panic!("{other:?}"),
    }
}

/// Says that a test is not run, where it needs what only a server has.
pub fn needs_server(app: &TestApp, test: &str) -> bool {
    let is_embedded = app.database.source.is_embedded();
    if is_embedded {
        eprintln!("not run: {test} (DATABASE_URL is not set)");
    }
    is_embedded
}

/// The right password of everybody who was made by `TestApp::member`.
pub const RIGHT: &str = PASSWORD;
