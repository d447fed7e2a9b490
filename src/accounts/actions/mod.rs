//! What can be done with accounts: policy, transaction, write, enqueue. One file an action and what belongs to it.

mod address;
mod administer;
mod api_tokens;
mod attempts;
mod challenge;
mod close;
mod codes;
mod export;
mod install;
mod last_administrator;
mod oversee;
mod password;
mod profile;
mod refresh;
mod register;
mod second_step;
mod sessions;
mod sign_in;
mod two_factor;
mod verify;

pub use self::administer::{AccountChange, BesideRoles};
pub use self::api_tokens::{AskedApiToken, MadeApiToken};
pub(super) use self::attempts::of_address;
pub use self::install::Installation;
pub use self::oversee::{
    count_accounts, oversee_accounts, oversee_api_token, oversee_listed, oversee_session,
    oversee_trusted_device,
};
pub use self::profile::{AdmittedProfile, ProfileChange};
pub use self::refresh::RefreshWith;
pub use self::register::Registration;
pub use self::second_step::Completion;
pub use self::sign_in::{Admitted, Credentials, SignIn, SignedIn};
pub use self::two_factor::BegunFactor;
