//! Following a mailed link that is about an address: it is confirmed, changed, or changed back.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::two_factor;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::mails::FactorChange;
use crate::accounts::model::MailPurpose;
use crate::accounts::model::{Account, Ending, Status};
use crate::accounts::password::PasswordHash;
use crate::accounts::secret::Mailed;
use crate::accounts::store::{self, MailedToken};
use crate::accounts::{Accounts, lifetimes, quotas};
use crate::audit::{self, Event};
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
        let unknown_to_all = self.password_for_nobody(&token).await?;
        let mut tx = self.app.db.begin().await?;
        // The account first, as all do that change it: who took the token first could wait for each other.
        let held = store::hold_account(&mut tx, token.account_id).await?;
        let taken = store::take_token(&mut tx, hash, now).await?;
        let done = match (taken, held) {
            (Some(token), Some((account, _))) => match token.purpose {
                MailPurpose::Verify => confirm(&mut tx, &token, &account, client, now).await?,
                MailPurpose::ChangeEmail => change(&mut tx, &token, &account, client, now).await?,
                MailPurpose::UndoEmail => {
                    let password = unknown_to_all.as_ref();
                    self.undo(&mut tx, &token, &account, password, client, now)
                        .await?
                }
                // Not used up: it stays good for what it is for.
                MailPurpose::ResetPassword | MailPurpose::Export => false,
            },
            _ => false,
        };
        if !done {
            tx.rollback().await;
            return Err(unknown().into());
        }
        tx.commit().await?;
        Ok(())
    }

    /// For an undo, which takes away the password of whoever asked for the change; made before anything is held.
    async fn password_for_nobody(
        &self,
        token: &MailedToken,
    ) -> Result<Option<PasswordHash>, Fault> {
        if token.purpose != MailPurpose::UndoEmail {
            return Ok(None);
        }
        let random = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let random = self.new_password(&random.into(), None, "", "token")?;
        Ok(Some(self.passwords.hash(random).await?))
    }

    /// The address is, or stays, the old one. Whoever asked for the change knew the password, so nobody stays signed in, no
    /// API token counts, the password is nobody's, and no link of theirs is of use; links that went out before are the owner's. The way back is
    /// mailed to the address.
    async fn undo(
        &self,
        tx: &mut Tx<'_>,
        token: &MailedToken,
        before: &Account,
        password: Option<&PasswordHash>,
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<bool, Fault> {
        let account = token.account_id;
        // Else whoever took the account could hold it by beginning another with the address.
        drop_unconfirmed(tx, token, now).await?;
        if !set_address(tx, token, now).await? {
            return Ok(false);
        }
        store::void_tokens(tx, account, MailPurpose::ChangeEmail).await?;
        store::void_tokens(tx, account, MailPurpose::ResetPassword).await?;
        store::void_tokens_since(tx, account, MailPurpose::UndoEmail, token.created_at).await?;
        store::end_sessions(tx, account, None, Ending::AddressRestored, now).await?;
        store::end_api_tokens(tx, account, now).await?;
        store::forget_devices(tx, account, 0).await?;
        store::void_second_steps(tx, account).await?;
        // One that was set up since, or shortly before, may be theirs, and would keep the owner out. An older one stays on:
        // a mail is no way around it.
        let is_new = before.two_factor_at >= Some(token.created_at - lifetimes::NEW_FACTOR);
        if is_new && two_factor::drop_factor(tx, account, now).await? {
            two_factor::tell(tx, account, FactorChange::Disabled, None, client, now).await?;
        }
        if let Some(password) = password {
            store::set_password(tx, account, password.as_str(), now).await?;
        }
        let what = client.circumstances(now);
        if before.email_key != token.email_key {
            let mail = AccountMail::AddressChanged {
                account,
                email: before.email.clone(),
                what: what.clone(),
            };
            jobs::mail(tx, &mail, client).await?;
        }
        let new =
            self.new_mailed_token(MailPurpose::ResetPassword, now + lifetimes::PASSWORD_RESET);
        let reset = new.id;
        let address = (token.email.as_str(), token.email_key.as_str());
        store::add_token(tx, new, account, address, now).await?;
        let mail = AccountMail::PasswordReset { token: reset, what };
        jobs::mail(tx, &mail, client).await?;
        let event = Event::new("email.restored", &client.by(None), now).about(account);
        let event = event
            .personal("email", token.email.as_str())
            .personal("before", before.email.as_str());
        audit::record(tx, event).await?;
        Ok(true)
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
    let event = Event::new("email.verified", &client.by(None), now).about(token.account_id);
    audit::record(tx, event.personal("email", token.email.as_str())).await?;
    Ok(true)
}

async fn change(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    account: &Account,
    client: &Client,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    if account.status != Status::Active {
        return Ok(false);
    }
    drop_unconfirmed(tx, token, now).await?;
    // What was mailed to the old address is not for whoever reads its mail from now on.
    store::void_tokens(tx, account.id, MailPurpose::ResetPassword).await?;
    if !set_address(tx, token, now).await? {
        return Ok(false);
    }
    let mail = AccountMail::AddressChanged {
        account: account.id,
        email: account.email.clone(),
        what: client.circumstances(now),
    };
    jobs::mail(tx, &mail, client).await?;
    let event = Event::new("email.changed", &client.by(None), now).about(account.id);
    let event = event
        .personal("email", token.email.as_str())
        .personal("before", account.email.as_str());
    audit::record(tx, event).await?;
    Ok(true)
}

/// What somebody began with an address that is shown to be another's now.
async fn drop_unconfirmed(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    if let Some(dropped) = store::drop_unconfirmed(tx, &token.email_key).await? {
        audit::erase_personal(tx, dropped, now).await?;
    }
    Ok(())
}

/// False where somebody else has the address by now; which whoever asks would not be told either.
async fn set_address(
    tx: &mut Tx<'_>,
    token: &MailedToken,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    let (email, email_key) = (&token.email, &token.email_key);
    match store::set_address(tx, token.account_id, email, email_key, now).await {
        Ok(changed) => Ok(changed == 1),
        Err(error) if error.constraint() == Some(ADDRESS_IS_UNIQUE) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn unknown() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidToken,
        "The link is unknown, was used, or has expired.",
    )
    .of("token")
}
