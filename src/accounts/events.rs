//! What accounts put on the audit trail.

use super::client::Client;
use super::fault::Fault;
use super::model::AccountId;
use super::{Accounts, quotas};
use crate::audit::{self, Event};

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

    /// Records that somebody was refused a field of the API. Who is refused again and again is not even heard any more:
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
