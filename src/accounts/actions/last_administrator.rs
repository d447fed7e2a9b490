//! Somebody is left who can look after accounts.

use crate::accounts::actor::Refused;
use crate::accounts::fault::Fault;
use crate::accounts::model::{Account, Role};
use crate::accounts::store;
use crate::db::Tx;

/// Goes on where somebody else administers too, or this account, which is held, never did. Of two last ones that would go
/// at once, one stays.
pub(super) async fn another_must_administer(
    tx: &mut Tx<'_>,
    account: &Account,
) -> Result<(), Fault> {
    if !account.has(Role::Admin) {
        return Ok(());
    }
    store::hold_administration(tx).await?;
    match store::another_administers(tx, account.id).await? {
        true => Ok(()),
        false => Err(Refused::Forbidden(
            "This is the last administrator; make somebody else one first.",
        )
        .into()),
    }
}
