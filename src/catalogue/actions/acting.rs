//! Who acts, held until the transaction ends.

use crate::accounts::{self, AccountId, Refused};
use crate::catalogue::fault::Fault;
use crate::catalogue::viewer::REVIEWERS;
use crate::db::Tx;

/// Whoever decides, in use still and of a role that may.
pub async fn hold_reviewer(tx: &mut Tx<'_>, reviewer: AccountId) -> Result<(), Fault> {
    let account = accounts::hold_in_use(tx, reviewer).await?;
    let account = account.ok_or(Refused::Unauthenticated)?;
    match REVIEWERS.iter().any(|role| account.has(*role)) {
        true => Ok(()),
        false => Err(Refused::NotOfRole("Your roles do not allow this.").into()),
    }
}
