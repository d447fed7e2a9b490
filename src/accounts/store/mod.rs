//! All SQL of accounts: one function, one statement. What must happen together takes the transaction of whoever acts.

mod accounts;
mod administration;
mod administrators;
mod api_tokens;
mod attempts;
mod cleanup;
mod devices;
mod exports;
mod holders;
mod leaving;
mod list;
mod mailed;
mod personal;
mod second_steps;
mod sessions;
mod two_factor;

pub use self::accounts::*;
pub use self::administration::*;
pub use self::administrators::*;
pub use self::api_tokens::*;
pub use self::attempts::*;
pub use self::cleanup::*;
pub use self::devices::*;
pub use self::exports::*;
pub use self::holders::*;
pub use self::leaving::*;
pub use self::list::*;
pub use self::mailed::*;
pub use self::personal::*;
pub use self::second_steps::*;
pub use self::sessions::*;
pub use self::two_factor::*;

/// A SHA-256, as the database keeps it.
pub type Hash = [u8; 32];

/// The columns of [`Account`](super::model::Account), in its order.
macro_rules! account_columns {
    () => {
        "a.id, a.email, a.email_key, a.display_name, a.roles, a.tier, a.status, a.email_verified_at, \
         a.two_factor_at, a.erase_at, a.created_at, a.updated_at, a.avatar_id"
    };
}

macro_rules! session_columns {
    () => {
        "s.id, s.account_id, s.is_remembered, s.user_agent, s.ip_address, s.created_at, s.last_used_at, s.expires_at"
    };
}

use {account_columns, session_columns};
