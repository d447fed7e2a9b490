//! In the place of accounts until there are some: whatever is asked of them is not available.

use async_trait::async_trait;
use secrecy::SecretString;

use super::csrf::Sessions;
use super::pages::verify::Addresses;
use super::visitor::Visitor;
use crate::graphql::ApiError;

pub struct Unwired;

const REASON: &str = "there are no accounts yet";

#[async_trait]
impl Addresses for Unwired {
    async fn verify(&self, _: SecretString, _: &Visitor) -> Result<bool, ApiError> {
        Err(ApiError::unavailable(REASON))
    }
}

#[async_trait]
impl Sessions for Unwired {
    async fn csrf_token(
        &self,
        _: &SecretString,
        _: &Visitor,
    ) -> Result<Option<SecretString>, ApiError> {
        Err(ApiError::unavailable(REASON))
    }
}
