//! What fields of the API read, of many at once.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Role;
use super::actions::of_address;
use super::actor::Refused;
use super::fault::Fault;
use super::model::{
    Account, AccountId, ApiToken, ApiTokenId, Grant, Session, SessionId, Status, TrustedDevice,
    TrustedDeviceId, User, UserId,
};
use super::{lifetimes, quotas, store};
use crate::app::App;
use crate::db::{Error, Tx};

pub async fn accounts_by_ids(
    app: &App,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, Arc<Account>>, Error> {
    let rows = store::accounts_by_ids(&app.db, ids).await?;
    Ok(rows
        .into_iter()
        .map(|account| (account.id, Arc::new(account)))
        .collect())
}

pub async fn users_by_ids(app: &App, ids: &[UserId]) -> Result<HashMap<UserId, Arc<User>>, Error> {
    let rows = store::users_by_ids(&app.db, ids).await?;
    Ok(rows
        .into_iter()
        .map(|user| (user.id, Arc::new(user)))
        .collect())
}

/// Which of these pictures are the avatar of somebody whom everybody may see.
pub async fn shown_avatars(app: &App, images: &[Uuid]) -> Result<Vec<Uuid>, Error> {
    store::shown_avatars(&app.db, images).await
}

/// Whose a token is that still counts.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    pub account: Arc<Account>,
    /// Whether the session was begun by a second factor, or one was set up in it.
    pub has_second_factor: bool,
    /// Whether it is noted already, about, when the token was used last.
    pub is_noted: bool,
}

pub(super) async fn holders(
    app: &App,
    grants: Vec<Grant>,
) -> Result<HashMap<Grant, Holder>, Error> {
    let now = app.clock.now();
    let noted_after = now - lifetimes::NOTED_USE;
    let rows = store::holders(&app.db, &grants, noted_after, now).await?;
    let found = rows
        .into_iter()
        .map(|(grant, has_second_factor, is_noted, account)| {
            let holder = Holder {
                account: Arc::new(account),
                has_second_factor,
                is_noted,
            };
            (grant, holder)
        });
    Ok(found.collect())
}

/// Those that go on, used last first.
pub async fn sessions_of_accounts(
    app: &App,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Arc<Vec<Arc<Session>>>>, Error> {
    let now = app.clock.now();
    let mut found: HashMap<AccountId, Vec<Arc<Session>>> = HashMap::new();
    for session in store::sessions_of_accounts(&app.db, accounts, now).await? {
        let of_account = found.entry(session.account_id).or_default();
        of_account.push(Arc::new(session));
    }
    Ok(found
        .into_iter()
        .map(|(account, sessions)| (account, Arc::new(sessions)))
        .collect())
}

pub async fn session_of(
    app: &App,
    account: AccountId,
    session: SessionId,
) -> Result<Option<Arc<Session>>, Error> {
    let now = app.clock.now();
    let found = store::session(&app.db, session, now).await?;
    Ok(found
        .filter(|session| session.account_id == account)
        .map(Arc::new))
}

/// Those that are asked for no second factor, used last first.
pub async fn trusted_devices_of_accounts(
    app: &App,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Arc<Vec<Arc<TrustedDevice>>>>, Error> {
    let now = app.clock.now();
    let mut found: HashMap<AccountId, Vec<Arc<TrustedDevice>>> = HashMap::new();
    for device in store::trusted_devices(&app.db, accounts, now).await? {
        let of_account = found.entry(device.account_id).or_default();
        of_account.push(Arc::new(device));
    }
    Ok(found
        .into_iter()
        .map(|(account, devices)| (account, Arc::new(devices)))
        .collect())
}

/// Holds an account until the transaction ends, if it is in use still: what was let in when its request came may be over.
pub async fn hold_in_use(tx: &mut Tx<'_>, account: AccountId) -> Result<Option<Account>, Error> {
    let held = store::hold_account(tx, account).await?;
    Ok(held
        .map(|(account, _)| account)
        .filter(|account| account.status == Status::Active))
}

/// The same of somebody who is an artist still. It comes before their artist, as for whoever takes the role or suspends them.
pub async fn hold_artist(tx: &mut Tx<'_>, account: AccountId) -> Result<Account, Fault> {
    let account = hold_in_use(tx, account).await?;
    let account = account.ok_or(Refused::Unauthenticated)?;
    match account.has(Role::Artist) {
        true => Ok(account),
        false => Err(Refused::Forbidden("Only artists may do this.").into()),
    }
}

/// Counts a change of what everybody is told of somebody; refused where there were many.
pub async fn charge_public_change(app: &App, account: AccountId) -> Result<(), Fault> {
    quotas::charge(app, quotas::PUBLIC_CHANGES, &account.to_string()).await
}

pub async fn trusted_device_of(
    app: &App,
    account: AccountId,
    device: TrustedDeviceId,
) -> Result<Option<Arc<TrustedDevice>>, Error> {
    let now = app.clock.now();
    let found = store::trusted_device(&app.db, device, Some(account), now).await?;
    Ok(found.map(Arc::new))
}

pub async fn recovery_codes_left(
    app: &App,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, i64>, Error> {
    let rows = store::recovery_codes_left(&app.db, accounts).await?;
    Ok(rows.into_iter().collect())
}

/// Those that go on, made last first.
pub async fn api_tokens_of_accounts(
    app: &App,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Arc<Vec<Arc<ApiToken>>>>, Error> {
    let now = app.clock.now();
    let mut found: HashMap<AccountId, Vec<Arc<ApiToken>>> = HashMap::new();
    for token in store::api_tokens_of_accounts(&app.db, accounts, now).await? {
        let of_account = found.entry(token.account_id).or_default();
        of_account.push(Arc::new(token));
    }
    Ok(found
        .into_iter()
        .map(|(account, tokens)| (account, Arc::new(tokens)))
        .collect())
}

pub async fn api_token_of(
    app: &App,
    account: AccountId,
    token: ApiTokenId,
) -> Result<Option<Arc<ApiToken>>, Error> {
    let now = app.clock.now();
    let found = store::api_token(&app.db, Some(account), token, now).await?;
    Ok(found.map(Arc::new))
}

pub async fn pending_addresses(
    app: &App,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, String>, Error> {
    let now = app.clock.now();
    let rows = store::pending_addresses(&app.db, accounts, now).await?;
    Ok(rows.into_iter().collect())
}

/// Until when sign-ins for these addresses are locked.
pub async fn locks_of(
    app: &App,
    email_keys: &[String],
) -> Result<HashMap<String, DateTime<Utc>>, Error> {
    let now = app.clock.now();
    let subjects: Vec<_> = email_keys.iter().map(|key| of_address(key)).collect();
    let found = store::locks(&app.db, &subjects).await?;
    let locks: HashMap<Vec<u8>, DateTime<Utc>> = found
        .into_iter()
        .filter_map(|(subject, until)| Some((subject, until?)))
        .filter(|(_, until)| *until > now)
        .collect();
    Ok(email_keys
        .iter()
        .zip(subjects)
        .filter_map(|(key, subject)| Some((key.clone(), *locks.get(&subject[..])?)))
        .collect())
}
