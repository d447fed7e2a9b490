use std::sync::Arc;

use async_graphql::{Context, ID, Object};

use super::administration::overseer;
use crate::accounts::{self, SessionId};
use crate::graphql::context::operation;
use crate::graphql::error::ApiError;
use crate::graphql::scalars::DateTime;

#[derive(Clone)]
pub struct Session {
    pub row: Arc<accounts::Session>,
    pub is_current: bool,
}

/// One sign-in, on one device.
#[Object]
impl Session {
    pub async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    async fn user_agent(&self) -> Option<&str> {
        self.row.user_agent.as_deref()
    }

    async fn ip_address(&self) -> Option<&str> {
        self.row.ip_address.as_deref()
    }

    async fn is_current(&self) -> bool {
        self.is_current
    }

    /// Kept for 30 days rather than 12 hours.
    async fn is_remembered(&self) -> bool {
        self.row.is_remembered
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    async fn last_used_at(&self) -> DateTime {
        DateTime(self.row.last_used_at)
    }

    async fn expires_at(&self) -> DateTime {
        DateTime(self.row.expires_at)
    }
}

/// One of the caller's own, or, for an administrator, anybody's.
pub async fn session(ctx: &Context<'_>, id: SessionId) -> Result<Option<Session>, ApiError> {
    let operation = operation(ctx)?;
    let Ok(principal) = operation.actor().in_session() else {
        return Ok(None);
    };
    let mut row = accounts::session_of(&operation.app, principal.account.id, id).await?;
    if row.is_none()
        && let Some(by) = overseer(operation)
    {
        row = accounts::oversee_session(&operation.app, &by, id).await?;
    }
    Ok(row.map(|row| Session {
        row,
        is_current: principal.session == id,
    }))
}
