//! What administrators look at. All of it is on the audit trail before they see it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::accounts::client::Client;
use crate::accounts::fault::Fault;
use crate::accounts::list::{AccountFilter, AccountOrder, AccountOrderField, Listed};
use crate::accounts::model::{
    Account, AccountId, ApiToken, ApiTokenId, Principal, Session, SessionId, TrustedDevice,
    TrustedDeviceId,
};
use crate::accounts::{Accounts, store};
use crate::app::App;
use crate::audit::{self, By, Event};
use crate::db::Error;
use crate::db::keyset::{Direction, End, Slice, Window};

impl Accounts {
    /// A page of all accounts that a filter leaves.
    pub async fn list_accounts(
        &self,
        principal: &Principal,
        filter: &AccountFilter,
        order: AccountOrder,
        window: &Window,
        client: &Client,
    ) -> Result<Slice<Listed>, Fault> {
        let event = self.event("accounts.read", principal.account.id, client);
        let event = within(described(event, filter), window).detail("orderBy", in_words(order));
        audit::record_alone(&self.app.db, event).await?;
        Ok(store::list_accounts(&self.app.db, filter, order, window).await?)
    }
}

/// How many accounts a filter leaves: part of looking at a page of them.
pub async fn count_accounts(app: &App, filter: &AccountFilter) -> Result<i64, Error> {
    store::count_accounts(&app.db, filter).await
}

/// Accounts of others, for an administrator.
pub async fn oversee_accounts(
    app: &App,
    by: &By,
    ids: &[AccountId],
) -> Result<HashMap<AccountId, Arc<Account>>, Error> {
    let found = store::accounts_by_ids(&app.db, ids).await?;
    if found.is_empty() {
        return Ok(HashMap::new());
    }
    let event = |account: &Account| read(app, by, account.id);
    let mut tx = app.db.begin().await?;
    audit::record_all(&mut tx, found.iter().map(event).collect()).await?;
    tx.commit().await?;
    let keyed = |account: Account| (account.id, Arc::new(account));
    Ok(found.into_iter().map(keyed).collect())
}

/// Records that more of accounts is looked at than the list shows in which they were found.
pub async fn oversee_listed(app: &App, by: &By, ids: &[AccountId]) -> Result<(), Error> {
    let events = ids.iter().map(|id| read(app, by, *id));
    audit::record_all_alone(&app.db, events.collect()).await
}

/// A session of somebody else's, for an administrator.
pub async fn oversee_session(
    app: &App,
    by: &By,
    id: SessionId,
) -> Result<Option<Arc<Session>>, Error> {
    let found = store::session(&app.db, id, app.clock.now()).await?;
    if let Some(session) = &found {
        let event = read(app, by, session.account_id).detail("part", id.to_string());
        audit::record_alone(&app.db, event).await?;
    }
    Ok(found.map(Arc::new))
}

/// The same for a device that is asked for no second factor.
pub async fn oversee_trusted_device(
    app: &App,
    by: &By,
    id: TrustedDeviceId,
) -> Result<Option<Arc<TrustedDevice>>, Error> {
    let found = store::trusted_device(&app.db, id, None, app.clock.now()).await?;
    if let Some(device) = &found {
        let event = read(app, by, device.account_id).detail("part", id.to_string());
        audit::record_alone(&app.db, event).await?;
    }
    Ok(found.map(Arc::new))
}

/// The same for an API token.
pub async fn oversee_api_token(
    app: &App,
    by: &By,
    id: ApiTokenId,
) -> Result<Option<Arc<ApiToken>>, Error> {
    let found = store::api_token(&app.db, None, id, app.clock.now()).await?;
    if let Some(token) = &found {
        let event = read(app, by, token.account_id).detail("part", id.to_string());
        audit::record_alone(&app.db, event).await?;
    }
    Ok(found.map(Arc::new))
}

fn read(app: &App, by: &By, account: AccountId) -> Event {
    Event::new("account.read", by, app.clock.now()).about(account)
}

/// What was looked for. A part of a name or an address is somebody's, so it goes when that may have to go.
fn described(mut event: Event, filter: &AccountFilter) -> Event {
    if let Some(term) = &filter.term {
        event = event.personal("query", term.as_str());
    }
    macro_rules! names {
        ($values:expr) => {
            $values
                .iter()
                .map(|one| one.as_str().into())
                .collect::<Vec<Value>>()
        };
    }
    if let Some(roles) = &filter.roles {
        event = event.detail("roles", names!(roles));
    }
    if let Some(statuses) = &filter.statuses {
        event = event.detail("statuses", names!(statuses));
    }
    if let Some(tiers) = &filter.tiers {
        event = event.detail("tiers", names!(tiers));
    }
    if let Some(time) = filter.created_after {
        event = event.detail("createdAfter", time.to_rfc3339());
    }
    if let Some(time) = filter.created_before {
        event = event.detail("createdBefore", time.to_rfc3339());
    }
    event
}

/// Which page it is: from which end, and between which accounts.
fn within(event: Event, window: &Window) -> Event {
    let mut event = event.detail("size", window.count).detail(
        "end",
        match window.end {
            End::First => "FIRST",
            End::Last => "LAST",
        },
    );
    for (name, position) in [("after", &window.after), ("before", &window.before)] {
        if let Some(position) = position {
            event = event.detail(name, AccountId(position.id).to_string());
        }
    }
    event
}

fn in_words(order: AccountOrder) -> String {
    let field = match order.field {
        AccountOrderField::CreatedAt => "CREATED_AT",
        AccountOrderField::DisplayName => "DISPLAY_NAME",
        AccountOrderField::Email => "EMAIL",
    };
    let direction = match order.direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    };
    format!("{field} {direction}")
}
