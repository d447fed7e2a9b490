use diesel::sql_types::{Bool, Uuid as SqlUuid};
use uuid::Uuid;

use crate::accounts::model::AccountId;
use crate::db::{Error, Statement, Tx};

/// Waits for all others who are about to take an administrator away, and keeps those waiting who come after, until the
/// transaction ends. To be taken once the account is held.
pub async fn hold_administration(tx: &mut Tx<'_>) -> Result<(), Error> {
    // Any number that nothing else is locked by.
    let hold = Statement::<()>::new("select pg_advisory_xact_lock(7236512)");
    tx.execute(&hold).await?;
    Ok(())
}

/// Whether somebody beside this account can look after the others.
pub async fn another_administers(tx: &mut Tx<'_>, but: AccountId) -> Result<bool, Error> {
    let read = Statement::<Bool>::new(
        // By the index of those who are more than listeners.
        "select exists (select from accounts where status = 'ACTIVE' and roles <> '{LISTENER}' and roles && '{ADMIN}' and id <> ",
    )
    .bind::<SqlUuid, _>(but)
    .text(")");
    Ok(tx.first(&read).await?.unwrap_or(false))
}

/// Whether somebody administers and can sign in.
pub async fn administers(tx: &mut Tx<'_>, id: AccountId) -> Result<bool, Error> {
    let read = Statement::<SqlUuid>::new(
        "select id from accounts where status = 'ACTIVE' and 'ADMIN' = any(roles) and id = ",
    )
    .bind::<SqlUuid, _>(id);
    Ok(tx.first::<_, Uuid>(&read).await?.is_some())
}
