use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use secrecy::{ExposeSecret, SecretString};

use super::account::Account;
use super::administration::overseer;
use super::mistakes::{AccountError, mendable};
use crate::accounts::{self, ApiTokenId, AskedApiToken, MadeApiToken};
use crate::graphql::context::{operation, root};
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::scalars::DateTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "accounts::Scope")]
pub enum Scope {
    AccountRead,
    CatalogueWrite,
    PlaylistsRead,
    PlaylistsWrite,
    UploadsWrite,
}

#[derive(Clone)]
pub struct ApiToken(pub Arc<accounts::ApiToken>);

/// A named token of narrower rights.
#[Object]
impl ApiToken {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn scopes(&self) -> Vec<Scope> {
        self.0.scopes.iter().copied().map(Into::into).collect()
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    async fn last_used_at(&self) -> Option<DateTime> {
        self.0.last_used_at.map(DateTime)
    }

    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
}

/// One of the caller's own, or, for an administrator, anybody's.
pub async fn api_token(ctx: &Context<'_>, id: ApiTokenId) -> Result<Option<ApiToken>, ApiError> {
    let operation = operation(ctx)?;
    let Ok(principal) = operation.actor().in_session() else {
        return Ok(None);
    };
    let mut row = accounts::api_token_of(&operation.app, principal.account.id, id).await?;
    if row.is_none()
        && let Some(by) = overseer(operation)
    {
        row = accounts::oversee_api_token(&operation.app, &by, id).await?;
    }
    Ok(row.map(ApiToken))
}

#[derive(InputObject)]
pub struct CreateApiTokenInput {
    name: String,
    scopes: Vec<Scope>,
    /// At most a year away; 30 days where left out.
    expires_at: Option<DateTime>,
    password: String,
    /// Where the account has two-factor authentication.
    code: Option<String>,
}

#[derive(SimpleObject)]
pub struct CreateApiTokenPayload {
    api_token: Option<ApiToken>,
    /// The token itself; shown once.
    secret: Option<String>,
    errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct RevokeApiTokenInput {
    api_token_id: ID,
}

#[derive(SimpleObject)]
pub struct RevokeApiTokenPayload {
    revoked_id: Option<ID>,
    account: Option<Account>,
    errors: Vec<AccountError>,
}

#[derive(Default)]
pub struct ApiTokenMutation;

#[Object]
impl ApiTokenMutation {
    /// Makes a token with fewer rights than the caller's own, for a script or another service.
    async fn create_api_token(
        &self,
        ctx: &Context<'_>,
        input: CreateApiTokenInput,
    ) -> Nullable<CreateApiTokenPayload> {
        nullable(
            root(ctx, "createApiToken", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let asked = AskedApiToken {
                    name: input.name,
                    scopes: input.scopes.into_iter().map(Into::into).collect(),
                    expires_at: input.expires_at.map(|time| time.0),
                    password: input.password.into(),
                    code: input.code.map(SecretString::from),
                };
                let client = &operation.caller.client;
                let made = operation
                    .accounts
                    .create_api_token(principal, asked, client)
                    .await;
                Ok(Some(match mendable(made)? {
                    Ok(MadeApiToken { row, secret }) => CreateApiTokenPayload {
                        api_token: Some(ApiToken(Arc::new(row))),
                        secret: Some(secret.expose_secret().to_owned()),
                        errors: Vec::new(),
                    },
                    Err(errors) => CreateApiTokenPayload {
                        api_token: None,
                        secret: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }

    async fn revoke_api_token(
        &self,
        ctx: &Context<'_>,
        input: RevokeApiTokenInput,
    ) -> Nullable<RevokeApiTokenPayload> {
        nullable(
            root(ctx, "revokeApiToken", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().in_session()?;
                let id: Option<ApiTokenId> = input.api_token_id.parse().ok();
                let client = &operation.caller.client;
                let revoked = operation
                    .accounts
                    .revoke_api_token(principal, id, client)
                    .await;
                Ok(Some(match mendable(revoked)? {
                    Ok(id) => RevokeApiTokenPayload {
                        revoked_id: Some(ID(id.to_string())),
                        account: Some(Account::of(principal)),
                        errors: Vec::new(),
                    },
                    Err(errors) => RevokeApiTokenPayload {
                        revoked_id: None,
                        account: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }
}
