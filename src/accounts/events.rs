//! What accounts put on the audit trail.

use super::client::Client;
use super::fault::{Fault, MistakeCode};
use super::model::{Account, AccountId, SessionId};
use super::{Accounts, quotas};
use crate::audit::{self, Event};
use crate::db::Tx;

/// Somebody who is known may not have what they asked for.
pub(super) const ACCESS_REFUSED: &str = "access.refused";

impl Accounts {
    /// An event that happens now, by whoever is at this client, and whose account that is, where it is known.
    pub(super) fn event(
        &self,
        action: &'static str,
        account: impl Into<Option<AccountId>>,
        client: &Client,
    ) -> Event {
        Event::new(action, &client.by(account), self.app.clock.now())
    }

    /// A try to sign in, by nobody who was shown to be anybody; about whose address it is, where somebody has it.
    pub(super) fn sign_in_event(
        &self,
        action: &'static str,
        email_key: &str,
        account: Option<AccountId>,
        client: &Client,
    ) -> Event {
        let event = self
            .event(action, None, client)
            .personal("email", email_key);
        match account {
            Some(account) => event.about(account),
            None => event,
        }
    }

    /// Records what kept an attempt from being made. Sign-ins, and the second steps of them, are counted by address before,
    /// so nobody fills the trail.
    pub(super) async fn unless_kept_out<T>(
        &self,
        tried: Result<T, Fault>,
        refused: &'static str,
        event: impl FnOnce(&'static str) -> Event,
    ) -> Result<T, Fault> {
        if let Err(Fault::Mistakes(mistakes)) = &tried
            && let Some(mistake) = mistakes.first()
        {
            let action = match mistake.code {
                MistakeCode::ChallengeRequired => "login.challenged",
                _ => refused,
            };
            let event = event(action).detail("reason", mistake.code.as_str());
            audit::record_alone(&self.app.db, event).await?;
        }
        tried
    }

    /// The same for somebody who is signed in. Who is refused again and again is not even heard any more: they could fill
    /// the trail else.
    pub(super) async fn unless_locked_out<T>(
        &self,
        tried: Result<T, Fault>,
        refused: &'static str,
        account: AccountId,
        client: &Client,
    ) -> Result<T, Fault> {
        if let Err(Fault::Mistakes(_)) = &tried {
            quotas::charge(&self.app, quotas::REFUSALS, &account.to_string()).await?;
        }
        let event = |action| self.event(action, account, client).about(account);
        self.unless_kept_out(tried, refused, event).await
    }

    /// Records that the password was right, and the account can't be used all the same.
    pub(super) async fn not_admitted(
        &self,
        tx: &mut Tx<'_>,
        account: &Account,
        client: &Client,
    ) -> Result<(), Fault> {
        let event = self.event("login.refused", None, client).about(account.id);
        audit::record(tx, event.detail("reason", account.status.as_str())).await?;
        Ok(())
    }

    /// Records that a session is over, and why.
    pub(super) fn session_event(
        &self,
        action: &'static str,
        by: impl Into<Option<AccountId>>,
        session: SessionId,
        account: AccountId,
        client: &Client,
    ) -> Event {
        self.event(action, by, client)
            .about(session)
            .concerning(account.0)
    }

    /// Records that somebody was refused a field of the API, or what is had beside it. Who is refused again and again is not even heard any more:
    /// they could fill the trail else.
    pub async fn refused(
        &self,
        account: AccountId,
        action: &'static str,
        field: &'static str,
        why: &'static str,
        client: &Client,
    ) -> Result<(), Fault> {
        quotas::charge(&self.app, quotas::REFUSALS, &account.to_string()).await?;
        let event = self.event(action, account, client);
        let event = event.detail("field", field).detail("reason", why);
        audit::record_alone(&self.app.db, event).await?;
        Ok(())
    }
}
