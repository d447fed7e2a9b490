use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, ScalarType, Value};

use super::administration::overseer;
use super::api_tokens::ApiToken;
use super::session::Session;
use super::trusted_device::TrustedDevice;
use super::user::User;
use crate::accounts::{self, AccountId, Actor, Principal, Refused, Scope, SessionId};
use crate::catalogue;
use crate::graphql::at_hand::{Asked, AtHand, Show, leaf};
use crate::graphql::catalogue::{
    SubmissionConnection, Track, TrackConnection, TrackStatus, submissions_of,
};
use crate::graphql::context::{Operation, operation, refused};
use crate::graphql::cursor::List;
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::items::Items;
use crate::graphql::page::{Page, PageArguments};
use crate::graphql::scalars::DateTime;

/// What an account may do; it can have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "accounts::Role")]
pub enum Role {
    /// Everybody.
    Listener,
    /// Given when an application is approved: to upload as an artist.
    Artist,
    /// To review applications and submissions.
    Moderator,
    /// That, and accounts, tax forms, the trail and the platform's figures.
    Admin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "accounts::Tier")]
pub enum Tier {
    Free,
    Premium,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "accounts::Status")]
pub enum AccountStatus {
    /// Waiting for the address to be confirmed.
    Unverified,
    Active,
    Suspended,
    /// Closed by its owner, and to be erased.
    Closed,
}

/// As whom an account is looked at: that decides what of it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    /// The session that looks, where it is the account's own.
    pub session: Option<SessionId>,
    /// Whether all of it may be seen, or what a token opens that is not a session's own.
    pub is_whole: bool,
    /// Whether it is one of a list of other people's: that it was looked at stands in no event of its own yet.
    pub is_listed: bool,
}

impl Viewer {
    /// Somebody who sees other people's accounts.
    pub const ADMINISTRATOR: Self = Self {
        session: None,
        is_whole: true,
        is_listed: false,
    };

    /// An administrator, who may meet their own account too.
    pub fn administrator(principal: &Principal, account: AccountId) -> Self {
        match principal.account.id == account {
            true => principal.into(),
            false => Self::ADMINISTRATOR,
        }
    }

    /// The same in a list.
    pub fn administrator_of_list(principal: &Principal, account: AccountId) -> Self {
        let viewer = Self::administrator(principal, account);
        Self {
            is_listed: viewer.session.is_none(),
            ..viewer
        }
    }
}

impl From<&Principal> for Viewer {
    fn from(principal: &Principal) -> Self {
        Self {
            session: Some(principal.session),
            is_whole: true,
            is_listed: false,
        }
    }
}

#[derive(Clone)]
pub struct Account {
    pub row: Arc<accounts::Account>,
    pub viewer: Viewer,
}

impl Account {
    /// The caller's own, as far as their token opens it.
    pub fn of_caller(actor: &Actor) -> Result<Self, Refused> {
        let row = actor.with_scope(Scope::AccountRead)?;
        Ok(match actor.in_session() {
            Ok(principal) => Self::of(principal),
            Err(_) => Self {
                row: Arc::clone(row),
                viewer: Viewer {
                    session: None,
                    is_whole: false,
                    is_listed: false,
                },
            },
        })
    }

    /// The caller's own.
    pub fn of(principal: &Principal) -> Self {
        Self {
            row: Arc::clone(&principal.account),
            viewer: principal.into(),
        }
    }

    /// As the schema has them, whichever was given first.
    fn sorted_roles(&self) -> Vec<Role> {
        let mut roles = self.row.roles.clone();
        roles.sort_unstable();
        roles.into_iter().map(Into::into).collect()
    }

    /// Goes on where all of the account may be seen.
    async fn only_whole(
        &self,
        operation: &Operation,
        field: &'static str,
        otherwise: &'static str,
    ) -> Result<(), ApiError> {
        match self.viewer.is_whole {
            true => Ok(()),
            false => Err(refused(operation, field, ApiError::Forbidden(otherwise)).await),
        }
    }

    /// Before a part of it is shown that the record of a list does not speak of.
    async fn record_look(&self, operation: &Operation) -> Result<(), ApiError> {
        if self.viewer.is_listed {
            let by = overseer(operation).ok_or_else(|| {
                ApiError::internal("accounts are listed for nobody who administers")
            })?;
            let looked_at = (self.row.id, by);
            operation
                .load(&operation.loaders.overseen_of_lists, looked_at)
                .await?;
        }
        Ok(())
    }

    pub fn as_user(&self) -> User {
        User {
            row: Arc::new(self.row.as_ref().into()),
            account: Some(self.clone()),
        }
    }
}

/// An account, as its owner and administrators see it.
#[Object]
impl Account {
    pub async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    async fn user(&self) -> User {
        self.as_user()
    }

    async fn email(&self) -> &str {
        &self.row.email
    }

    async fn email_verified_at(&self) -> Option<DateTime> {
        self.row.email_verified_at.map(DateTime)
    }

    async fn roles(&self) -> Vec<Role> {
        self.sorted_roles()
    }

    async fn tier(&self) -> Tier {
        self.row.tier.into()
    }

    async fn status(&self) -> AccountStatus {
        self.row.status.into()
    }

    async fn locked_until(&self, ctx: &Context<'_>) -> Nullable<DateTime> {
        nullable(
            async {
                let operation = operation(ctx)?;
                let key = self.row.email_key.clone();
                let until = operation.load(&operation.loaders.locks, key).await?;
                Ok(until.map(DateTime))
            }
            .await,
        )
    }

    async fn two_factor_enabled(&self) -> bool {
        self.row.two_factor_at.is_some()
    }

    async fn recovery_codes_left(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        let operation = operation(ctx)?;
        let otherwise =
            "Neither an API token nor a narrowed one shows the second factor; sign in for it.";
        self.only_whole(operation, "Account.recoveryCodesLeft", otherwise)
            .await?;
        let left = operation
            .load(&operation.loaders.recovery_codes_left, self.row.id)
            .await?;
        i32::try_from(left.unwrap_or_default()).map_err(ApiError::internal)
    }

    async fn sessions(&self, ctx: &Context<'_>) -> Result<Items<Session>, ApiError> {
        let operation = operation(ctx)?;
        let otherwise = "Neither an API token nor a narrowed one shows sessions; sign in for it.";
        self.only_whole(operation, "Account.sessions", otherwise)
            .await?;
        self.record_look(operation).await?;
        let sessions = operation
            .load(&operation.loaders.sessions_of_accounts, self.row.id)
            .await?;
        let sessions = sessions.as_deref().map_or(&[][..], Vec::as_slice);
        Ok(sessions
            .iter()
            .map(|row| Session {
                row: Arc::clone(row),
                is_current: self.viewer.session == Some(row.id),
            })
            .collect())
    }

    /// Devices that are asked for no second factor.
    async fn trusted_devices(&self, ctx: &Context<'_>) -> Result<Items<TrustedDevice>, ApiError> {
        let operation = operation(ctx)?;
        let otherwise =
            "Neither an API token nor a narrowed one shows the second factor; sign in for it.";
        self.only_whole(operation, "Account.trustedDevices", otherwise)
            .await?;
        self.record_look(operation).await?;
        let devices = operation
            .load(&operation.loaders.trusted_devices_of_accounts, self.row.id)
            .await?;
        let devices = devices.as_deref().map_or(&[][..], Vec::as_slice);
        Ok(devices.iter().cloned().map(TrustedDevice).collect())
    }

    async fn api_tokens(&self, ctx: &Context<'_>) -> Result<Items<ApiToken>, ApiError> {
        let operation = operation(ctx)?;
        let otherwise = "Neither an API token nor a narrowed one shows API tokens; sign in for it.";
        self.only_whole(operation, "Account.apiTokens", otherwise)
            .await?;
        self.record_look(operation).await?;
        let tokens = operation
            .load(&operation.loaders.api_tokens_of_accounts, self.row.id)
            .await?;
        let tokens = tokens.as_deref().map_or(&[][..], Vec::as_slice);
        Ok(tokens.iter().cloned().map(ApiToken).collect())
    }

    /// An address that waits to be confirmed.
    async fn pending_email(&self, ctx: &Context<'_>) -> Nullable<String> {
        nullable(
            async {
                let operation = operation(ctx)?;
                operation
                    .load(&operation.loaders.pending_addresses, self.row.id)
                    .await
            }
            .await,
        )
    }

    /// Those of the account's artist in every state, newest first.
    async fn tracks(
        &self,
        ctx: &Context<'_>,
        statuses: Option<Vec<TrackStatus>>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<TrackConnection, ApiError> {
        let list = List::TracksOfAccount;
        let window = PageArguments {
            first,
            after,
            ..PageArguments::default()
        }
        .window(list)?;
        let statuses = statuses.map(|statuses| {
            let statuses = statuses.into_iter().map(Into::into);
            let mut statuses: Vec<catalogue::TrackStatus> = statuses.collect();
            statuses.sort_unstable_by_key(|status| status.as_str());
            statuses.dedup();
            statuses
        });
        let operation = operation(ctx)?;
        self.record_look(operation).await?;
        let key = (self.row.id, (operation.viewer, statuses, window));
        let page = operation
            .load(&operation.loaders.tracks_of_accounts, key)
            .await?
            .ok_or_else(|| ApiError::internal("no page of an account's tracks"))?;
        Ok(TrackConnection(Page::new(
            list,
            (*page).clone(),
            Track::alone,
        )))
    }

    /// What the account has handed in, newest first.
    async fn submissions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<SubmissionConnection, ApiError> {
        let operation = operation(ctx)?;
        self.record_look(operation).await?;
        submissions_of(ctx, self.row.id, first, after).await
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

impl AtHand for Account {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "id" => leaf(|account: &Self| account.row.id.to_string().into()),
            "user" => {
                let shape = field.shape::<User>()?;
                Some(Box::new(move |account| shape.show(&account.as_user())))
            }
            "email" => leaf(|account: &Self| account.row.email.as_str().into()),
            "emailVerifiedAt" => leaf(|account: &Self| {
                let verified_at = account.row.email_verified_at.map(DateTime);
                verified_at.map_or(Value::Null, |time| time.to_value())
            }),
            "roles" => leaf(|account: &Self| {
                let roles = account.sorted_roles();
                Value::List(roles.into_iter().map(Into::into).collect())
            }),
            "tier" => leaf(|account: &Self| Tier::from(account.row.tier).into()),
            "status" => leaf(|account: &Self| AccountStatus::from(account.row.status).into()),
            "twoFactorEnabled" => leaf(|account: &Self| account.row.two_factor_at.is_some().into()),
            "createdAt" => leaf(|account: &Self| DateTime(account.row.created_at).to_value()),
            "updatedAt" => leaf(|account: &Self| DateTime(account.row.updated_at).to_value()),
            _ => None,
        }
    }
}
