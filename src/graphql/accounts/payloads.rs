//! What mutations of accounts take and give.

use async_graphql::{Enum, ID, InputObject, MaybeUndefined, SimpleObject};

use super::account::Account;
use super::credentials::{Credentials, TokenDelivery};
use super::mistakes::AccountError;
use crate::accounts;
use crate::graphql::files::Upload;
use crate::graphql::scalars::{DateTime, Json};

#[derive(InputObject)]
pub struct RegisterInput {
    pub email: String,
    pub password: String,
    pub display_name: String,
    pub challenge: Option<ChallengeSolution>,
}

#[derive(SimpleObject)]
pub struct RegisterPayload {
    /// False only where the input itself is at fault.
    pub accepted: bool,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct VerifyEmailInput {
    pub token: String,
}

#[derive(SimpleObject)]
pub struct VerifyEmailPayload {
    pub verified: bool,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct ResendVerificationInput {
    pub email: String,
}

#[derive(SimpleObject)]
pub struct ResendVerificationPayload {
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct LoginInput {
    pub email: String,
    pub password: String,
    #[graphql(default_with = "TokenDelivery::Cookie")]
    pub delivery: TokenDelivery,
    /// Stay signed in for 30 days on this device.
    #[graphql(default = false)]
    pub remember: bool,
    /// Of an earlier sign-in, where there are no cookies.
    pub device_token: Option<String>,
    pub challenge: Option<ChallengeSolution>,
}

#[derive(SimpleObject, Default)]
pub struct LoginPayload {
    /// Null until the second factor is given.
    pub account: Option<Account>,
    pub credentials: Option<Credentials>,
    /// Set where a second factor is wanted, for `completeTwoFactor`.
    pub two_factor_token: Option<String>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct RefreshSessionInput {
    /// Leave out to use the cookie.
    pub refresh_token: Option<String>,
}

#[derive(SimpleObject)]
pub struct RefreshSessionPayload {
    pub account: Option<Account>,
    pub credentials: Option<Credentials>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct LogoutInput {
    pub refresh_token: Option<String>,
}

#[derive(SimpleObject)]
pub struct LogoutPayload {
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct RevokeSessionInput {
    pub session_id: ID,
}

#[derive(SimpleObject)]
pub struct RevokeSessionPayload {
    pub revoked_id: Option<ID>,
    pub account: Option<Account>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct RevokeAllSessionsInput {
    #[graphql(default = false)]
    pub include_current: bool,
}

#[derive(SimpleObject)]
pub struct RevokeAllSessionsPayload {
    pub revoked: i32,
    pub account: Option<Account>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct RequestPasswordResetInput {
    pub email: String,
}

#[derive(SimpleObject)]
pub struct RequestPasswordResetPayload {
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct ResetPasswordInput {
    pub token: String,
    pub new_password: String,
}

#[derive(SimpleObject)]
pub struct ResetPasswordPayload {
    pub changed: bool,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct ChangePasswordInput {
    pub current_password: String,
    pub new_password: String,
}

#[derive(SimpleObject)]
pub struct ChangePasswordPayload {
    pub account: Option<Account>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct ChangeEmailInput {
    pub new_email: String,
    pub password: String,
    /// Where the account has two-factor authentication.
    pub code: Option<String>,
}

#[derive(SimpleObject)]
pub struct ChangeEmailPayload {
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct UpdateProfileInput {
    pub display_name: MaybeUndefined<String>,
    /// Null takes it away.
    pub avatar: MaybeUndefined<Upload>,
}

#[derive(SimpleObject)]
pub struct UpdateProfilePayload {
    pub account: Option<Account>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct ChallengeSolution {
    /// The widget's answer, as it gave it.
    pub response: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "accounts::Provider")]
pub enum ChallengeProvider {
    Altcha,
    Hcaptcha,
    Turnstile,
}

/// A puzzle to solve before an operation that asks for one: ALTCHA's proof of work, or the provider that the operator
/// set up.
#[derive(SimpleObject)]
pub struct Challenge {
    provider: ChallengeProvider,
    site_key: Option<String>,
    /// What the widget is given.
    parameters: Option<Json>,
    expires_at: Option<DateTime>,
}

impl From<accounts::Offer> for Challenge {
    fn from(offer: accounts::Offer) -> Self {
        Self {
            provider: offer.provider.into(),
            site_key: offer.site_key,
            parameters: offer.parameters.map(Json),
            expires_at: offer.expires_at.map(DateTime),
        }
    }
}

#[derive(SimpleObject)]
pub struct CreateChallengePayload {
    pub challenge: Option<Challenge>,
    pub errors: Vec<AccountError>,
}
