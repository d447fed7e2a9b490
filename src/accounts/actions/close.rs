//! Closing one's account, and coming back before it is erased.

use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::SecretString;

use super::last_administrator::another_must_administer;
use super::sign_in::wrong;
use crate::accounts::client::Client;
use crate::accounts::fault::Fault;
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::{Account, Ending, MailPurpose, Principal, Status};
use crate::accounts::store;
use crate::accounts::{Accounts, lifetimes, quotas};
use crate::audit::{self, Event};
use crate::db::Tx;
use crate::idempotency;

impl Accounts {
    /// Closes the caller's account: nobody is signed in to it any more, and nobody sees it; when it is erased.
    ///
    /// What lets its owner back in stays: the password, links to set another, and those that take back a change of address,
    /// since whoever closes an account may be a thief who changed that first.
    pub async fn delete_account(
        &self,
        principal: &Principal,
        password: &SecretString,
        code: Option<&SecretString>,
        client: &Client,
    ) -> Result<DateTime<Utc>, Fault> {
        let whose = principal.account.id.to_string();
        quotas::charge(&self.app, quotas::CLOSINGS, &whose).await?;
        let compared = self
            .check_password(
                &principal.account,
                principal.session,
                password,
                "password",
                client,
            )
            .await?;
        let compared = self.check_code(compared, code, "code").await?;
        let begun = self.begin_as_compared(&compared, "password").await;
        if let Err(Fault::Refused(_)) = &begun
            && let Some(erase_at) = self.closed_by_another(principal).await?
        {
            return Ok(erase_at);
        }
        let (mut tx, account) = begun?;
        let closed = self.close(&mut tx, &account, client).await;
        if let Ok(_) | Err(Fault::Mistakes(_) | Fault::Refused(_)) = &closed {
            // A right password is no failure, whatever else is in the way.
            tx.commit().await?;
        }
        closed
    }

    /// Twice at once: the other was first, and has said all there is to say.
    async fn closed_by_another(
        &self,
        principal: &Principal,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        let found = store::accounts_by_ids(&self.app.db, &[principal.account.id]).await?;
        let closed = found
            .into_iter()
            .find(|account| account.status == Status::Closed);
        Ok(closed.and_then(|account| account.erase_at))
    }

    async fn close(
        &self,
        tx: &mut Tx<'_>,
        account: &Account,
        client: &Client,
    ) -> Result<DateTime<Utc>, Fault> {
        let now = self.app.clock.now();
        another_must_administer(tx, account).await?;
        let erase_at = now + lifetimes::CLOSED_ACCOUNT;
        store::close_account(tx, account.id, erase_at, now).await?;
        store::end_sessions(tx, account.id, None, Ending::Closed, now).await?;
        store::end_api_tokens(tx, account.id, now).await?;
        store::void_tokens(tx, account.id, MailPurpose::ChangeEmail).await?;
        let mail = AccountMail::Closed {
            account: account.id,
            what: client.circumstances(now),
        };
        jobs::mail(tx, &mail, client).await?;
        let event = Event::new("account.closed", &client.by(account.id), now);
        let erase = erase_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        audit::record(tx, event.about(account.id).detail("eraseAt", erase)).await?;
        Ok(erase_at)
    }

    /// Whoever signs in to an account that waits to be erased keeps it. To be called by all that signs somebody in, once
    /// they have shown all that is asked for.
    pub(super) async fn reopened(
        &self,
        tx: &mut Tx<'_>,
        account: Account,
        client: &Client,
    ) -> Result<Account, Fault> {
        if account.status != Status::Closed {
            return Ok(account);
        }
        let now = self.app.clock.now();
        let reopened = store::reopen_account(tx, account.id, now).await?;
        // Its time came a moment ago.
        let account = reopened.ok_or_else(wrong)?;
        // Whoever closes it once more is not to be told that it was closed then.
        idempotency::forget_answers(tx, account.id.0).await?;
        let mail = AccountMail::Reopened {
            account: account.id,
            what: client.circumstances(now),
        };
        jobs::mail(tx, &mail, client).await?;
        let event = Event::new("account.reopened", &client.by(account.id), now);
        audit::record(tx, event.about(account.id)).await?;
        Ok(account)
    }
}
