//! What people say of themselves.

use std::sync::Arc;

use crate::accounts::Accounts;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::model::{Account, Principal};
use crate::accounts::name::DisplayName;
use crate::accounts::{quotas, store};
use crate::audit;

/// What is to be changed; left out means unchanged, and nothing in it may be cleared.
#[derive(Default)]
pub struct ProfileChange {
    pub display_name: Option<Option<String>>,
}

impl Accounts {
    pub async fn update_profile(
        &self,
        principal: &Principal,
        change: ProfileChange,
        client: &Client,
    ) -> Result<Arc<Account>, Fault> {
        let Some(name) = change.display_name else {
            return Ok(principal.account.clone());
        };
        let wrong =
            |message: String| Mistake::new(MistakeCode::InvalidName, message).of("displayName");
        let name =
            name.ok_or_else(|| wrong("A name is needed; leave it out to keep it.".into()))?;
        let name = DisplayName::parse(&name).map_err(|fault| wrong(fault.to_string()))?;
        let (id, now) = (principal.account.id, self.app.clock.now());
        quotas::charge(&self.app, quotas::PUBLIC_CHANGES, &id.to_string()).await?;
        let mut tx = self.app.db.begin().await?;
        let changed = store::set_display_name(&mut tx, id, name.as_str(), now).await?;
        let changed =
            changed.ok_or_else(|| Fault::Internal("an account is gone while it is used".into()))?;
        let event = self.event("profile.changed", id, client).about(id);
        let event = event
            .personal("displayName", name.as_str())
            .personal("before", principal.account.display_name.as_str());
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(Arc::new(changed))
    }
}
