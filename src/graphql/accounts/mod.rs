//! Accounts as clients see them.

mod account;
mod administration;
mod api_tokens;
mod credentials;
mod leaving;
mod mistakes;
mod mutations;
mod payloads;
mod query;
mod session;
mod trusted_device;
mod two_factor;
mod user;

pub use account::Account;
pub use administration::{AdministrationMutation, AdministrationQuery};
pub use api_tokens::{ApiToken, ApiTokenMutation, api_token};
pub use leaving::LeavingMutation;
pub use mistakes::AccountError;
pub use mutations::AccountMutation;
pub use query::AccountQuery;
pub use session::{Session, session};
pub use trusted_device::{TrustedDevice, trusted_device};
pub use two_factor::TwoFactorMutation;
pub use user::{User, account};
