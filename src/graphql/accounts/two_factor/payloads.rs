//! What the mutations of the second factor take and give.

use async_graphql::{ID, InputObject, SimpleObject};

use crate::graphql::accounts::account::Account;
use crate::graphql::accounts::credentials::Credentials;
use crate::graphql::accounts::mistakes::AccountError;

#[derive(InputObject)]
pub struct CompleteTwoFactorInput {
    pub two_factor_token: String,
    /// A six-digit code, or a recovery code.
    pub code: String,
    /// Ask for no second factor on this device for 30 days.
    #[graphql(default = false)]
    pub trust_device: bool,
}

#[derive(SimpleObject)]
pub struct CompleteTwoFactorPayload {
    pub account: Option<Account>,
    pub credentials: Option<Credentials>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct BeginTwoFactorInput {
    pub password: String,
}

#[derive(SimpleObject)]
pub struct BeginTwoFactorPayload {
    /// For an authenticator: `otpauth://…`.
    pub otpauth_uri: Option<String>,
    /// The same, as a QR code in SVG.
    pub qr_code: Option<String>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct ConfirmTwoFactorInput {
    pub code: String,
}

#[derive(SimpleObject)]
pub struct ConfirmTwoFactorPayload {
    pub account: Option<Account>,
    /// Shown once.
    pub recovery_codes: Option<Vec<String>>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct RegenerateRecoveryCodesInput {
    pub password: String,
    pub code: String,
}

#[derive(SimpleObject)]
pub struct RegenerateRecoveryCodesPayload {
    pub account: Option<Account>,
    /// Shown once; the old ones no longer count.
    pub recovery_codes: Option<Vec<String>>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct DisableTwoFactorInput {
    pub password: String,
    pub code: String,
}

#[derive(SimpleObject)]
pub struct DisableTwoFactorPayload {
    pub account: Option<Account>,
    pub errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct RevokeTrustedDeviceInput {
    pub trusted_device_id: ID,
}

#[derive(SimpleObject)]
pub struct RevokeTrustedDevicePayload {
    pub revoked_id: Option<ID>,
    pub account: Option<Account>,
    pub errors: Vec<AccountError>,
}
