//! Following a mailed link that is about an address: it is confirmed, changed, or changed back.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::accounts::Accounts;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::AccountMail;
use crate::accounts::model::{Ending, Status};
use crate::accounts::model::MailPurpose;
use crate::accounts::secret::Mailed;
use crate::accounts::store::{self, MailedToken};
use crate::db::Tx;
use crate::jobs;

/// The constraint that keeps an address to one account.
const ADDRESS_IS_UNIQUE: &str = "accounts_email_key";

impl Accounts {
    pub async fn verify_email(&self, token: &SecretString) -> Result<(), Fault> {
        let hash = Mailed::hash_of(token.expose_secret()).ok_or_else(unknown)?;
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let token = store::take_token(&mut tx, hash, now).await?;
        let done = match &token {
            None => false,
            Some(token) => match token.purpose {
                MailPurpose::Verify => confirm(&mut tx, token, now).await?,
                MailPurpose::ChangeEmail => change(&mut tx, token, now).await?,
                MailPurpose::UndoEmail => undo(&mut tx, token, now).await?,
                // Not used up: it stays good for what it is for.
                MailPurpose::ResetPassword => false,
            },
        };
        if !done {
            return Err(unknown().into());
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn confirm(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let Some((before, _)) = store::hold_account(tx, token.account_id).await? else {
        return Ok(false);
    };
    let confirmed =
        store::confirm_address(tx, token.account_id, &token.email_key, now).await?;
    if confirmed.is_none() {
        return Ok(false);
    }
    if before.status == Status::Unverified {
        let account = token.account_id;
        jobs::enqueue(tx, &AccountMail::Welcome { account }).await?;
    }
    Ok(true)
}

async fn change(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let account = token.account_id;
    let held = store::hold_account(tx, account).await?;
    if held.is_none_or(|(account, _)| account.status != Status::Active) {
        return Ok(false);
    }
    match store::set_address(tx, account, &token.email, &token.email_key, now).await {
        Ok(changed) => Ok(changed == 1),
        // Somebody else has it by now; which they would not be told either.
        Err(error) if error.constraint() == Some(ADDRESS_IS_UNIQUE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The address is, or stays, the old one. Whoever asked for the change knew the password, so nobody stays signed in, and
/// no link of theirs counts.
async fn undo(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let account = token.account_id;
    if store::hold_account(tx, account).await?.is_none() {
        return Ok(false);
    }
    match store::set_address(tx, account, &token.email, &token.email_key, now).await {
        Ok(_) => {}
        Err(error) if error.constraint() == Some(ADDRESS_IS_UNIQUE) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    for purpose in [
        MailPurpose::ChangeEmail,
        MailPurpose::UndoEmail,
        MailPurpose::ResetPassword,
    ] {
        store::void_tokens(tx, account, purpose).await?;
    }
    store::end_sessions(tx, account, None, Ending::AddressRestored, now).await?;
    store::forget_devices(tx, account, 0).await?;
    Ok(true)
}

fn unknown() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidToken,
        "The link is unknown, was used, or has expired.",
    )
    .of("token")
}
