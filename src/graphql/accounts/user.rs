use std::sync::Arc;

use async_graphql::{Context, ID, Object, ScalarType, Value};

use super::account::{Account, Viewer};
use super::administration::overseer;
use crate::accounts::{self, AccountId};
use crate::graphql::at_hand::{Asked, AtHand, Show, leaf};
use crate::graphql::catalogue::Artist;
use crate::graphql::context::operation;
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::image::{self, Image};
use crate::graphql::scalars::DateTime;
use crate::media::ImageId;

#[derive(Clone)]
pub struct User {
    pub row: Arc<accounts::User>,
    /// Where it was come from, which may be seen then.
    pub account: Option<Account>,
}

/// What everybody may know of a person.
#[Object]
impl User {
    pub async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    async fn display_name(&self) -> &str {
        &self.row.display_name
    }

    async fn avatar(&self, ctx: &Context<'_>) -> Nullable<Image> {
        image::of(ctx, self.row.avatar_id.map(ImageId)).await
    }

    /// The artist that they are, if they are one.
    async fn artist(&self, ctx: &Context<'_>) -> Nullable<Artist> {
        nullable(artist(ctx, AccountId(self.row.id.0)).await)
    }

    /// For its owner and administrators.
    async fn account(&self, ctx: &Context<'_>) -> Nullable<Account> {
        if let Some(account) = &self.account {
            return Some(Ok(account.clone()));
        }
        nullable(account(ctx, AccountId(self.row.id.0)).await)
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }
}

impl AtHand for User {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "id" => leaf(|user: &Self| user.row.id.to_string().into()),
            "displayName" => leaf(|user: &Self| user.row.display_name.as_str().into()),
            // Where there is none; else it is read.
            "avatar" => Some(Box::new(|user: &Self| {
                user.row.avatar_id.is_none().then_some(Value::Null)
            })),
            "createdAt" => leaf(|user: &Self| DateTime(user.row.created_at).to_value()),
            _ => None,
        }
    }
}

async fn artist(ctx: &Context<'_>, account: AccountId) -> Result<Option<Artist>, ApiError> {
    let operation = operation(ctx)?;
    let artist = operation
        .load(
            &operation.loaders.artists_of_accounts,
            (account, operation.viewer),
        )
        .await?;
    Ok(artist.map(Artist))
}

/// An account, if the caller may see it.
pub async fn account(ctx: &Context<'_>, id: AccountId) -> Result<Option<Account>, ApiError> {
    let operation = operation(ctx)?;
    if let Ok(own) = Account::of_caller(operation.actor())
        && own.row.id == id
    {
        return Ok(Some(own));
    }
    let Some(by) = overseer(operation) else {
        return Ok(None);
    };
    let row = operation
        .load(&operation.loaders.overseen_accounts, (id, by))
        .await?;
    Ok(row.map(|row| Account {
        row,
        viewer: Viewer::ADMINISTRATOR,
    }))
}
