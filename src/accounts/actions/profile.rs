//! What people say of themselves, and the picture that they show.

use std::sync::Arc;

use uuid::Uuid;

use crate::accounts::Accounts;
use crate::accounts::actor::Refused;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::model::{Account, AccountId, Principal};
use crate::accounts::name::DisplayName;
use crate::accounts::{quotas, reads, store};
use crate::audit::{self, Event};
use crate::db::{Tx, apart};

/// What is to be changed; left out means unchanged.
#[derive(Default)]
pub struct ProfileChange {
    pub display_name: Option<Option<String>>,
    /// Whether another picture comes, or none is to be there.
    pub has_avatar: bool,
}

/// A change of which the picture may come.
pub struct AdmittedProfile {
    name: Option<DisplayName>,
}

impl Accounts {
    /// Finds whatever is wrong with a change before its picture is read, and counts it.
    pub async fn admit_profile(
        &self,
        principal: &Principal,
        change: ProfileChange,
    ) -> Result<AdmittedProfile, Fault> {
        let wrong =
            |message: String| Mistake::new(MistakeCode::InvalidName, message).of("displayName");
        let needed = || wrong("A name is needed; leave it out to keep it.".into());
        let name = change.display_name.map(|name| name.ok_or_else(needed));
        let name = name
            .transpose()?
            .map(|name| DisplayName::parse(&name).map_err(|fault| wrong(fault.to_string())));
        let name = name.transpose()?;
        if name.is_some() || change.has_avatar {
            let id = principal.account.id.to_string();
            quotas::charge(&self.app, quotas::PUBLIC_CHANGES, &id).await?;
        }
        Ok(AdmittedProfile { name })
    }

    /// Changes it: the picture is one that is kept, and that nothing refers to yet. Where that can't be done it is let go of,
    /// and so is the one whose place it takes.
    pub async fn update_profile(
        &self,
        principal: &Principal,
        admitted: AdmittedProfile,
        avatar: Option<Option<Uuid>>,
        client: &Client,
    ) -> Result<Arc<Account>, Fault> {
        if admitted.name.is_none() && avatar.is_none() {
            return Ok(principal.account.clone());
        }
        let id = principal.account.id;
        let event = self.event("profile.changed", id, client).about(id);
        let mut tx = self.app.db.begin().await?;
        match put(&mut tx, id, admitted, avatar, event).await {
            Ok(changed) => {
                tx.commit().await?;
                Ok(Arc::new(changed))
            }
            Err(fault) => {
                tx.rollback().await;
                self.discard(avatar.flatten()).await;
                Err(fault)
            }
        }
    }

    /// It is no part of what was to be done. What can't be let go of now is swept in a day.
    async fn discard(&self, avatar: Option<Uuid>) {
        let Some(avatar) = avatar else {
            return;
        };
        if let Err(error) = apart(store::discard_avatar(&self.app.db, avatar)).await {
            tracing::warn!(%error, "a picture that came for nothing stays for a while");
        }
    }
}

async fn put(
    tx: &mut Tx<'_>,
    id: AccountId,
    admitted: AdmittedProfile,
    avatar: Option<Option<Uuid>>,
    mut event: Event,
) -> Result<Account, Fault> {
    let before = reads::hold_in_use(tx, id).await?;
    let before = before.ok_or(Refused::Unauthenticated)?;
    // Where there is none, none is no change.
    let avatar = avatar.filter(|avatar| *avatar != before.avatar_id);
    let name = admitted.name.as_ref().map(DisplayName::as_str);
    if name.is_none() && avatar.is_none() {
        return Ok(before);
    }
    let changed = store::set_profile(tx, id, name, avatar, event.at()).await?;
    let changed =
        changed.ok_or_else(|| Fault::Internal("an account is gone while it is used".into()))?;
    if let Some(name) = name {
        event = event
            .personal("displayName", name)
            .personal("before", before.display_name);
    }
    if let Some(avatar) = avatar {
        let became = if avatar.is_some() { "SET" } else { "CLEARED" };
        event = event.detail("avatar", became);
        if let Some(replaced) = before.avatar_id {
            store::delete_avatar(tx, replaced).await?;
        }
    }
    audit::record(tx, event).await?;
    Ok(changed)
}
