//! Following a mailed link that is about an address: it is confirmed, changed, or changed back.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::MailPurpose;
use crate::accounts::model::{Account, Ending, Status};
use crate::accounts::secret::Mailed;
use crate::accounts::store::{self, MailedToken};
use crate::accounts::{Accounts, quotas};
use crate::db::Tx;

/// The constraint that keeps an address to one account.
const ADDRESS_IS_UNIQUE: &str = "accounts_email_key";

impl Accounts {
    /// By the button of a page. Operations of the API are charged for already; this is not.
    pub async fn verify_email_by_page(
        &self,
        token: &SecretString,
        client: &Client,
    ) -> Result<(), Fault> {
        quotas::charge(&self.app, quotas::PRESSED_BUTTONS, &client.limit_key).await?;
        self.verify_email(token, client).await
    }

    pub async fn verify_email(&self, token: &SecretString, client: &Client) -> Result<(), Fault> {
        let hash = Mailed::hash_of(token.expose_secret()).ok_or_else(unknown)?;
        let now = self.app.clock.now();
        let found = store::peek_token(&self.app.db, hash, now).await?;
        let (token, _) = found.ok_or_else(unknown)?;
        let mut tx = self.app.db.begin().await?;
        // The account first, as all do that change it: who took the token first could wait for each other.
        let held = store::hold_account(&mut tx, token.account_id).await?;
        let taken = store::take_token(&mut tx, hash, now).await?;
        let done = match (taken, held) {
            (Some(token), Some((account, _))) => match token.purpose {
                MailPurpose::Verify => confirm(&mut tx, &token, &account, client, now).await?,
                MailPurpose::ChangeEmail => change(&mut tx, &token, &account, now).await?,
                MailPurpose::UndoEmail => undo(&mut tx, &token, now).await?,
                // Not used up: it stays good for what it is for.
                MailPurpose::ResetPassword => false,
            },
            _ => false,
        };
        if !done {
            tx.rollback().await?;
            return Err(unknown().into());
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn confirm(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    before: &Account,
    client: &Client,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let confirmed = store::confirm_address(tx, token.account_id, &token.email_key, now).await?;
    if confirmed.is_none() {
        return Ok(false);
    }
    if before.status == Status::Unverified {
        let account = token.account_id;
        jobs::mail(tx, &AccountMail::Welcome { account }, client).await?;
    }
    Ok(true)
}

async fn change(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    if account.status != Status::Active {
        return Ok(false);
    }
    store::drop_unconfirmed(tx, &token.email_key).await?;
    // What was mailed to the old address is not for whoever reads its mail from now on.
    store::void_tokens(tx, account.id, MailPurpose::ResetPassword).await?;
    match store::set_address(tx, account.id, &token.email, &token.email_key, now).await {
        Ok(changed) => Ok(changed == 1),
        // Somebody else has it by now; which they would not be told either.
        Err(error) if error.constraint() == Some(ADDRESS_IS_UNIQUE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The address is, or stays, the old one. Whoever asked for the change knew the password, so nobody stays signed in, and
/// no link of theirs counts.
async fn undo(tx: &mut Tx<'_>, token: &MailedToken, now: DateTime<Utc>) -> Result<bool, Fault> {
    let account = token.account_id;
    // Else whoever took the account could hold it by beginning another with the address.
    store::drop_unconfirmed(tx, &token.email_key).await?;
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
