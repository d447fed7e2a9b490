//! Accounts as clients see them.

mod account;
mod credentials;
mod mistakes;
mod mutations;
mod payloads;
mod query;
mod session;
mod user;

pub use account::Account;
pub use mistakes::UserError;
pub use mutations::AccountMutation;
pub use query::AccountQuery;
pub use session::{Session, session};
pub use user::{User, account};
