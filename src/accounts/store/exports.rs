use chrono::{DateTime, Utc};
use diesel::sql_types::{Binary, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::account_columns;
use crate::accounts::model::{Account, AccountSql};
use crate::db::{Db, Error, Freshness, Statement};

/// An archive that is told of by mail: whose, its token's hash, and until when that is good.
pub async fn export_to_mail(
    db: &Db,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<(Account, Vec<u8>, DateTime<Utc>)>, Error> {
    let read = Statement::<(AccountSql, Binary, Timestamptz)>::new(concat!(
        "select ",
        account_columns!(),
        ", e.token_hash, e.expires_at from data_exports e join accounts a on a.id = e.account_id \
         where a.status = 'ACTIVE' and e.made_at is not null and e.id = "
    ))
    .bind::<SqlUuid, _>(id)
    .text(" and e.expires_at > ")
    .bind::<Timestamptz, _>(now);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}
