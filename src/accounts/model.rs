//! The rows and words of accounts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Array, Bool, Nullable, Text, Timestamptz, Uuid};

use crate::{stored_enum, typed_id};

typed_id!(AccountId, "account");
typed_id!(UserId, "user");
typed_id!(SessionId, "session");
typed_id!(TrustedDeviceId, "device");
typed_id!(ApiTokenId, "api_token");

stored_enum!(
    /// What an account may do; it can have several.
    Role {
        Listener = "LISTENER",
        Artist = "ARTIST",
        Moderator = "MODERATOR",
        Admin = "ADMIN",
    }
);

stored_enum!(Tier {
    Free = "FREE",
    Premium = "PREMIUM",
});

stored_enum!(Status {
    Unverified = "UNVERIFIED",
    Active = "ACTIVE",
    Suspended = "SUSPENDED",
    Closed = "CLOSED",
});

stored_enum!(
    /// What an API token, or a narrowed one, opens.
    Scope {
        AccountRead = "ACCOUNT_READ",
        CatalogueWrite = "CATALOGUE_WRITE",
        PlaylistsRead = "PLAYLISTS_READ",
        PlaylistsWrite = "PLAYLISTS_WRITE",
        UploadsWrite = "UPLOADS_WRITE",
    }
);

stored_enum!(
    /// Why a session is over.
    Ending {
        SignedOut = "SIGNED_OUT",
        Revoked = "REVOKED",
        TokenReused = "TOKEN_REUSED",
        PasswordChanged = "PASSWORD_CHANGED",
        AddressRestored = "ADDRESS_RESTORED",
        TooMany = "TOO_MANY",
        Suspended = "SUSPENDED",
        Closed = "CLOSED",
    }
);

/// An account without its secrets.
#[derive(Debug, Clone, Queryable)]
pub struct Account {
    pub id: AccountId,
    pub email: String,
    pub email_key: String,
    pub display_name: String,
    pub roles: Vec<Role>,
    pub tier: Tier,
    pub status: Status,
    pub email_verified_at: Option<DateTime<Utc>>,
    /// Since when a second factor is asked for.
    pub two_factor_at: Option<DateTime<Utc>>,
    /// Of one that its owner closed: from then on there is no way back.
    pub erase_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The picture that everybody sees of them.
    pub avatar_id: Option<uuid::Uuid>,
}

pub type AccountSql = (
    Uuid,
    Text,
    Text,
    Text,
    Array<Text>,
    Text,
    Text,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Nullable<Timestamptz>,
    Timestamptz,
    Timestamptz,
    Nullable<Uuid>,
);

impl Account {
    /// The same person as everybody may know them.
    pub fn user_id(&self) -> UserId {
        UserId(self.id.0)
    }

    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether it waits to be erased, and its owner can still come back.
    pub fn can_be_reopened(&self, now: DateTime<Utc>) -> bool {
        self.status == Status::Closed && self.erase_at.is_some_and(|erase_at| now < erase_at)
    }
}

/// What everybody may know of a person.
#[derive(Debug, Clone, Queryable)]
pub struct User {
    pub id: UserId,
    pub display_name: String,
    pub created_at: DateTime<Utc>,
    pub avatar_id: Option<uuid::Uuid>,
}

pub type UserSql = (Uuid, Text, Timestamptz, Nullable<Uuid>);

impl From<&Account> for User {
    fn from(account: &Account) -> Self {
        Self {
            id: account.user_id(),
            display_name: account.display_name.clone(),
            created_at: account.created_at,
            avatar_id: account.avatar_id,
        }
    }
}

/// One sign-in, on one device.
#[derive(Debug, Clone, Queryable)]
pub struct Session {
    pub id: SessionId,
    pub account_id: AccountId,
    pub is_remembered: bool,
    pub user_agent: Option<String>,
    pub ip_address: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

pub type SessionSql = (
    Uuid,
    Uuid,
    Bool,
    Nullable<Text>,
    Nullable<Text>,
    Timestamptz,
    Timestamptz,
    Timestamptz,
);

/// A device that is asked for no second factor.
#[derive(Debug, Clone, Queryable)]
pub struct TrustedDevice {
    pub id: TrustedDeviceId,
    pub account_id: AccountId,
    pub user_agent: Option<String>,
    pub trusted_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub trusted_until: DateTime<Utc>,
}

pub type TrustedDeviceSql = (
    Uuid,
    Uuid,
    Nullable<Text>,
    Timestamptz,
    Timestamptz,
    Timestamptz,
);

/// What an access token was given out for. Its row decides at each request whether the token still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grant {
    Session(SessionId),
    ApiToken(ApiTokenId),
}

/// A token of fewer rights that somebody made for a script or another service.
#[derive(Debug, Clone, Queryable)]
pub struct ApiToken {
    pub id: ApiTokenId,
    pub account_id: AccountId,
    pub name: String,
    pub scopes: Vec<Scope>,
    pub created_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

pub type ApiTokenSql = (
    Uuid,
    Uuid,
    Text,
    Array<Text>,
    Timestamptz,
    Nullable<Timestamptz>,
    Timestamptz,
);

/// Somebody who is signed in, by the token that a session was given: it opens all that is theirs.
#[derive(Debug, Clone)]
pub struct Principal {
    pub account: Arc<Account>,
    pub session: SessionId,
    /// Whether the roles beyond a listener's and an artist's count: in production they need a second factor, by which this
    /// session was begun or in which it was set up.
    pub may_administer: bool,
}

stored_enum!(
    /// What a token in a mail is good for.
    MailPurpose {
        Verify = "VERIFY",
        ResetPassword = "RESET_PASSWORD",
        ChangeEmail = "CHANGE_EMAIL",
        UndoEmail = "UNDO_EMAIL",
        /// Stands with its archive, and not among the others: it may be followed again.
        Export = "EXPORT",
    }
);
