use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::administration::overseer;
use crate::accounts::{self, TrustedDeviceId};
use crate::graphql::context::operation;
use crate::graphql::error::ApiError;
use crate::graphql::scalars::DateTime;

#[derive(Clone)]
pub struct TrustedDevice(pub Arc<accounts::TrustedDevice>);

/// A device that its owner chose to trust when giving a second factor.
#[Object]
impl TrustedDevice {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn user_agent(&self) -> Option<&str> {
        self.0.user_agent.as_deref()
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.trusted_at)
    }

    async fn last_used_at(&self) -> DateTime {
        DateTime(self.0.last_used_at)
    }

    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.trusted_until)
    }
}

/// One of the caller's own, or, for an administrator, anybody's.
pub async fn trusted_device(
    ctx: &Context<'_>,
    id: TrustedDeviceId,
) -> Result<Option<TrustedDevice>, ApiError> {
    let operation = operation(ctx)?;
    let Ok(principal) = operation.actor().in_session() else {
        return Ok(None);
    };
    let account = principal.account.id;
    let mut row = accounts::trusted_device_of(&operation.app, account, id).await?;
    if row.is_none()
        && let Some(by) = overseer(operation)
    {
        row = accounts::oversee_trusted_device(&operation.app, &by, id).await?;
    }
    Ok(row.map(TrustedDevice))
}
