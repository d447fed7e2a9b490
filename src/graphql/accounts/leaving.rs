//! The root fields of leaving.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use secrecy::SecretString;

use super::mistakes::{AccountError, mendable, mistakes};
use crate::graphql::context::{operation, root};
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::scalars::DateTime;

#[derive(SimpleObject)]
pub struct RequestDataExportPayload {
    errors: Vec<AccountError>,
}

#[derive(InputObject)]
pub struct DeleteAccountInput {
    password: String,
    /// Where the account has two-factor authentication.
    code: Option<String>,
}

#[derive(SimpleObject)]
pub struct DeleteAccountPayload {
    erase_at: Option<DateTime>,
    errors: Vec<AccountError>,
}

#[derive(Default)]
pub struct LeavingMutation;

#[Object]
impl LeavingMutation {
    /// Gathers all that is kept about the caller, and mails a link to it.
    async fn request_data_export(&self, ctx: &Context<'_>) -> Nullable<RequestDataExportPayload> {
        nullable(
            root(ctx, "requestDataExport", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().in_session()?;
                let client = &operation.caller.client;
                let requested = operation
                    .accounts
                    .request_data_export(principal, client)
                    .await;
                Ok(Some(RequestDataExportPayload {
                    errors: mistakes(requested)?,
                }))
            })
            .await,
        )
    }

    /// Closes the account: signed out at once, its music withdrawn, erased after 30 days unless its owner signs in again.
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        input: DeleteAccountInput,
    ) -> Nullable<DeleteAccountPayload> {
        nullable(
            root(ctx, "deleteAccount", async {
                let operation = operation(ctx)?;
                operation.visit.only_sensitive()?;
                let principal = operation.actor().in_session()?;
                let password = SecretString::from(input.password);
                let code = input.code.map(SecretString::from);
                let client = &operation.caller.client;
                let closed = operation
                    .accounts
                    .delete_account(principal, &password, code.as_ref(), client)
                    .await;
                Ok(Some(match mendable(closed)? {
                    Ok(erase_at) => DeleteAccountPayload {
                        erase_at: Some(DateTime(erase_at)),
                        errors: Vec::new(),
                    },
                    Err(errors) => DeleteAccountPayload {
                        erase_at: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }
}
