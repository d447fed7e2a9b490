use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Binary, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use super::{Hash, account_columns};
use crate::accounts::model::{Account, AccountId, AccountSql, Role, User, UserId, UserSql};
use crate::db::{Db, Error, Freshness, Statement, Tx};

/// An account and what its password is compared with.
pub type WithPassword = (Account, String);
type WithPasswordSql = (AccountSql, Text);

pub async fn accounts_by_ids(db: &Db, ids: &[AccountId]) -> Result<Vec<Account>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let read = Statement::<AccountSql>::new(concat!(
        "select ",
        account_columns!(),
        " from accounts a where a.id"
    ))
    .one_of::<SqlUuid, _>(ids);
    db.load(Freshness::Current, &read).await
}

/// People as everybody may see them: those who use the service.
pub async fn users_by_ids(db: &Db, ids: &[UserId]) -> Result<Vec<User>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let read = Statement::<UserSql>::new(
        "select id, display_name, created_at, avatar_id from accounts where status = 'ACTIVE' and id",
    )
    .one_of::<SqlUuid, _>(ids);
    db.load(Freshness::MayLag, &read).await
}

/// Which of these pictures somebody has who is to be seen.
pub async fn shown_avatars(db: &Db, images: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    let read = Statement::<SqlUuid>::new(
        "select avatar_id from accounts where status = 'ACTIVE' and avatar_id",
    )
    .one_of::<SqlUuid, _>(images.to_vec());
    db.load(Freshness::MayLag, &read).await
}

pub async fn account_by_key(db: &Db, email_key: &str) -> Result<Option<Account>, Error> {
    let read = Statement::<AccountSql>::new(concat!(
        "select ",
        account_columns!(),
        " from accounts a where a.email_key = "
    ))
    .bind::<Text, _>(email_key.to_owned());
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// What a sign-in begins with: the account of an address, and whether it knows the device. One read, so that it takes
/// the same time for an address that nobody has.
pub async fn sign_in_facts(
    db: &Db,
    email_key: &str,
    device: Option<Hash>,
) -> Result<Option<(Account, String, Option<Uuid>)>, Error> {
    let read = Statement::<(AccountSql, Text, Nullable<SqlUuid>)>::new(concat!(
        "select ",
        account_columns!(),
        ", a.password_hash, d.id from accounts a left join known_devices d on d.account_id = a.id and d.token_hash = "
    ))
    .bind::<Nullable<Binary>, _>(device.map(|hash| hash.to_vec()))
    .text(" where a.email_key = ")
    .bind::<Text, _>(email_key.to_owned());
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

pub async fn with_password(db: &Db, id: AccountId) -> Result<Option<WithPassword>, Error> {
    let read = Statement::<WithPasswordSql>::new(concat!(
        "select ",
        account_columns!(),
        ", a.password_hash from accounts a where a.id = "
    ))
    .bind::<SqlUuid, _>(id);
    Ok(db.load(Freshness::Current, &read).await?.into_iter().next())
}

/// Holds an account, so that what follows in the transaction happens to it as it is now, one after the other.
pub async fn hold_account(tx: &mut Tx<'_>, id: AccountId) -> Result<Option<WithPassword>, Error> {
    let read = Statement::<WithPasswordSql>::new(concat!(
        "select ",
        account_columns!(),
        ", a.password_hash from accounts a where a.id = "
    ))
    .bind::<SqlUuid, _>(id)
    .text(" for no key update");
    tx.first(&read).await
}

/// The same by its address.
pub async fn hold_account_of(tx: &mut Tx<'_>, email_key: &str) -> Result<Option<Account>, Error> {
    let read = Statement::<AccountSql>::new(concat!(
        "select ",
        account_columns!(),
        " from accounts a where a.email_key = "
    ))
    .bind::<Text, _>(email_key.to_owned())
    .text(" for no key update");
    tx.first(&read).await
}

pub struct NewAccount {
    pub id: AccountId,
    pub email: String,
    pub email_key: String,
    pub display_name: String,
    pub password_hash: String,
}

/// Opens an account; one that nobody confirmed is begun anew, without the roles and the tier that it was given. Whose the
/// address is, and whether it was opened: not where the address has an account in use. None where that came in the same
/// moment.
pub async fn open_account(
    tx: &mut Tx<'_>,
    new: NewAccount,
    now: DateTime<Utc>,
) -> Result<Option<(AccountId, bool)>, Error> {
    let email_key = new.email_key.clone();
    let write = Statement::<(SqlUuid, Bool)>::new(
        "with opened as (insert into accounts (id, email, email_key, display_name, password_hash, status, created_at, \
         updated_at) values (",
    )
    .bind::<SqlUuid, _>(new.id)
    .text(", ")
    .bind::<Text, _>(new.email)
    .text(", ")
    .bind::<Text, _>(new.email_key)
    .text(", ")
    .bind::<Text, _>(new.display_name)
    .text(", ")
    .bind::<Text, _>(new.password_hash)
    .text(", 'UNVERIFIED', ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(
        ") on conflict (email_key) do update set email = excluded.email, display_name = excluded.display_name, \
         password_hash = excluded.password_hash, roles = excluded.roles, tier = excluded.tier, \
         updated_at = excluded.updated_at where accounts.status = 'UNVERIFIED' returning id) select id, true from opened union all \
         select id, false from accounts where not exists (select from opened) and email_key = ",
    )
    .bind::<Text, _>(email_key);
    tx.first(&write).await
}

/// The address was shown to be its owner's. None where it is not that account's address any more.
pub async fn confirm_address(
    tx: &mut Tx<'_>,
    id: AccountId,
    email_key: &str,
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let write = Statement::<AccountSql>::new("update accounts a set status = case a.status when 'UNVERIFIED' then 'ACTIVE' else a.status end, \
         email_verified_at = coalesce(a.email_verified_at, ")
        .bind::<Timestamptz, _>(now)
        .text("), updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where a.id = ")
        .bind::<SqlUuid, _>(id)
        .text(" and a.email_key = ")
        .bind::<Text, _>(email_key.to_owned())
        .text(concat!(" returning ", account_columns!()));
    tx.first(&write).await
}

/// Drops what somebody began with an address that they never showed to be theirs. Whoever has shown it to be theirs comes
/// first.
pub async fn drop_unconfirmed(
    tx: &mut Tx<'_>,
    email_key: &str,
) -> Result<Option<AccountId>, Error> {
    let write = Statement::<SqlUuid>::new(
        "delete from accounts where status = 'UNVERIFIED' and email_key = ",
    )
    .bind::<Text, _>(email_key.to_owned())
    .text(" returning id");
    tx.first(&write).await
}

/// Fails by `accounts_email_key` where another account has the address.
pub async fn set_address(
    tx: &mut Tx<'_>,
    id: AccountId,
    email: &str,
    email_key: &str,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update accounts set email = ")
        .bind::<Text, _>(email.to_owned())
        .text(", email_key = ")
        .bind::<Text, _>(email_key.to_owned())
        .text(", email_verified_at = ")
        .bind::<Timestamptz, _>(now)
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where id = ")
        .bind::<SqlUuid, _>(id);
    tx.execute(&write).await
}

pub async fn set_password(
    tx: &mut Tx<'_>,
    id: AccountId,
    password_hash: &str,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update accounts set password_hash = ")
        .bind::<Text, _>(password_hash.to_owned())
        .text(", updated_at = ")
        .bind::<Timestamptz, _>(now)
        .text(" where id = ")
        .bind::<SqlUuid, _>(id);
    tx.execute(&write).await
}

/// The same password in a better hash; nothing that its owner would call a change.
pub async fn renew_hash(
    tx: &mut Tx<'_>,
    id: AccountId,
    password_hash: &str,
) -> Result<usize, Error> {
    let write = Statement::<()>::new("update accounts set password_hash = ")
        .bind::<Text, _>(password_hash.to_owned())
        .text(" where id = ")
        .bind::<SqlUuid, _>(id);
    tx.execute(&write).await
}

/// Sets what is given of what people say of themselves; the rest stays.
pub async fn set_profile(
    tx: &mut Tx<'_>,
    id: AccountId,
    display_name: Option<&str>,
    avatar: Option<Option<Uuid>>,
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let mut write = Statement::<AccountSql>::new("update accounts a set updated_at = ")
        .bind::<Timestamptz, _>(now);
    if let Some(name) = display_name {
        write = write
            .text(", display_name = ")
            .bind::<Text, _>(name.to_owned());
    }
    if let Some(avatar) = avatar {
        write = write
            .text(", avatar_id = ")
            .bind::<Nullable<SqlUuid>, _>(avatar);
    }
    let write = write
        .text(" where a.id = ")
        .bind::<SqlUuid, _>(id)
        .text(concat!(" returning ", account_columns!()));
    tx.first(&write).await
}

/// Deletes a picture that another took the place of.
pub async fn delete_avatar(tx: &mut Tx<'_>, image: Uuid) -> Result<(), Error> {
    let write = Statement::<()>::new("delete from images where id = ").bind::<SqlUuid, _>(image);
    tx.execute(&write).await?;
    Ok(())
}

/// The same of one that came for something that was not done.
pub async fn discard_avatar(db: &Db, image: Uuid) -> Result<(), Error> {
    let write = Statement::<()>::new(
        "delete from images i where not exists (select from accounts where avatar_id = i.id) and i.id = ",
    )
    .bind::<SqlUuid, _>(image);
    db.execute(&write).await?;
    Ok(())
}

/// Of an account that is in use.
pub async fn add_role(
    tx: &mut Tx<'_>,
    email_key: &str,
    role: Role,
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let write = Statement::<AccountSql>::new(
        "update accounts a set roles = array(select distinct unnest(a.roles || ",
    )
    .bind::<Array<Text>, _>(vec![role.as_str().to_owned()])
    .text(") order by 1), updated_at = ")
    .bind::<Timestamptz, _>(now)
    .text(" where a.status = 'ACTIVE' and a.email_key = ")
    .bind::<Text, _>(email_key.to_owned())
    .text(concat!(" returning ", account_columns!()));
    tx.first(&write).await
}

/// Makes an account that needs no confirmation, for commands; one of that address gets the password, and the roles
/// beside its own. None where it is being erased.
pub async fn install_account(
    tx: &mut Tx<'_>,
    new: NewAccount,
    roles: &[Role],
    now: DateTime<Utc>,
) -> Result<Option<Account>, Error> {
    let roles: Vec<String> = roles.iter().map(|role| role.as_str().to_owned()).collect();
    let write = Statement::<AccountSql>::new(
        "insert into accounts as a (id, email, email_key, display_name, password_hash, roles, status, email_verified_at, \
         created_at, updated_at) values (",
    )
    .bind::<SqlUuid, _>(new.id)
    .text(", ")
    .bind::<Text, _>(new.email)
    .text(", ")
    .bind::<Text, _>(new.email_key)
    .text(", ")
    .bind::<Text, _>(new.display_name)
    .text(", ")
    .bind::<Text, _>(new.password_hash)
    .text(", ")
    .bind::<Array<Text>, _>(roles)
    .text(", 'ACTIVE', ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(", ")
    .bind::<Timestamptz, _>(now)
    .text(
        ") on conflict (email_key) do update set password_hash = excluded.password_hash, \
         email = case a.status when 'UNVERIFIED' then excluded.email else a.email end, \
         display_name = case a.status when 'UNVERIFIED' then excluded.display_name else a.display_name end, \
         roles = array(select distinct unnest(a.roles || excluded.roles) order by 1), status = 'ACTIVE', erase_at = null, \
         email_verified_at = coalesce(a.email_verified_at, excluded.email_verified_at), updated_at = excluded.updated_at \
         where a.erase_at is null or a.erase_at > ",
    )
    .bind::<Timestamptz, _>(now)
    .text(concat!(" returning ", account_columns!()));
    tx.first(&write).await
}
