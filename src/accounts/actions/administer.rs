//! What administrators change of an account. All of it is on the audit trail, what was refused too.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::Value;

use super::attempts;
use crate::accounts::actor::Refused;
use crate::accounts::characters::is_hidden;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::model::{Account, AccountId, Ending, Principal, Role, Status, Tier};
use crate::accounts::{Accounts, quotas, store};
use crate::audit::{self, By, Event};
use crate::db::{self, Tx, apart};

/// What else is done where an account has got roles, in the same transaction: by those to whom roles mean something that
/// accounts know nothing of.
pub type BesideRoles = for<'t, 'c> fn(
    &'t mut Tx<'c>,
    &'t Account,
    DateTime<Utc>,
) -> BoxFuture<'t, Result<(), db::Error>>;

/// Letters of a reason.
const LONGEST_REASON: usize = 2_000;

/// What is to be changed, as it was sent: left out means unchanged, and nothing in it may be cleared.
pub struct AccountChange {
    /// None where what was sent is no account's ID.
    pub account: Option<AccountId>,
    /// The whole set.
    pub roles: Option<Option<Vec<Role>>>,
    pub tier: Option<Option<Tier>>,
    pub is_suspended: Option<Option<bool>>,
    pub unlocks: Option<Option<bool>>,
    pub reason: String,
}

/// The same, where there is nothing wrong with it.
struct Wanted {
    account: AccountId,
    roles: Option<Vec<Role>>,
    tier: Option<Tier>,
    is_suspended: Option<bool>,
    unlocks: bool,
    reason: String,
}

/// What becomes of an account.
struct Standing {
    roles: Vec<Role>,
    tier: Tier,
    status: Status,
}

impl Accounts {
    pub async fn change_account(
        &self,
        principal: &Principal,
        change: AccountChange,
        beside: BesideRoles,
        client: &Client,
    ) -> Result<Arc<Account>, Fault> {
        let account = change.account;
        let changed = self.try_change(principal, change, beside, client).await;
        // Who is no administrator never comes here, and is on the trail already.
        let Err(fault) = changed else {
            return changed;
        };
        let Some(codes) = codes(&fault) else {
            return Err(fault);
        };
        let own = principal.account.id;
        if let Fault::Refused(_) = &fault {
            quotas::charge(&self.app, quotas::REFUSALS, &own.to_string()).await?;
        }
        let event = self
            .event("admin.refused", own, client)
            .detail("field", "updateAccountAsAdmin")
            .detail("codes", codes);
        let event = match account {
            Some(account) => event.about(account),
            None => event,
        };
        apart(audit::record_alone(&self.app.db, event)).await?;
        Err(match fault {
            Fault::Refused(Refused::Forbidden(why)) => Refused::OnRecord(why).into(),
            fault => fault,
        })
    }

    async fn try_change(
        &self,
        principal: &Principal,
        change: AccountChange,
        beside: BesideRoles,
        client: &Client,
    ) -> Result<Arc<Account>, Fault> {
        let wanted = read(change)?;
        let mut tx = self.app.db.begin().await?;
        match hold(&mut tx, principal, &wanted).await {
            Ok((before, standing)) => {
                let by = client.by(principal.account.id);
                let after = self.put(&mut tx, before, standing, &wanted, &by).await?;
                beside(&mut tx, &after, self.app.clock.now()).await?;
                tx.commit().await?;
                Ok(Arc::new(after))
            }
            Err(fault) => {
                tx.rollback().await;
                Err(fault)
            }
        }
    }

    async fn put(
        &self,
        tx: &mut Tx<'_>,
        before: Account,
        standing: Standing,
        wanted: &Wanted,
        by: &By,
    ) -> Result<Account, Fault> {
        let now = self.app.clock.now();
        let events = events(&before, &standing, wanted, by, now);
        audit::record_all(tx, events).await?;
        if wanted.unlocks {
            store::forgive(tx, attempts::of_address(&before.email_key)).await?;
        }
        if standing.is_of(&before) {
            return Ok(before);
        }
        let Standing {
            roles,
            tier,
            status,
        } = standing;
        let changed = store::set_standing(tx, before.id, &roles, tier, status, now).await?;
        let after =
            changed.ok_or_else(|| Fault::Internal("an account is gone while it is held".into()))?;
        if after.status == Status::Suspended && before.status != Status::Suspended {
            store::end_sessions(tx, after.id, None, Ending::Suspended, now).await?;
            store::end_api_tokens(tx, after.id, now).await?;
            store::distrust_devices(tx, after.id).await?;
        }
        Ok(after)
    }
}

/// The account as it is, held, and what it is to be, if this administrator may do that.
async fn hold(
    tx: &mut Tx<'_>,
    principal: &Principal,
    wanted: &Wanted,
) -> Result<(Account, Standing), Fault> {
    let held = store::hold_account(tx, wanted.account).await?;
    if wanted.is_about_rights() {
        store::hold_administration(tx).await?;
    }
    if !store::administers(tx, principal.account.id).await? {
        // Not since the request was let in.
        return Err(Refused::Forbidden("You do not administer any more.").into());
    }
    let (before, _) = held.ok_or_else(unknown)?;
    let standing = wanted.standing(&before);
    judge(&before, &standing, wanted, principal)?;
    Ok((before, standing))
}

/// What it comes to, an event for each part; that nothing changed is one too.
fn events(
    before: &Account,
    after: &Standing,
    wanted: &Wanted,
    by: &By,
    now: DateTime<Utc>,
) -> Vec<Event> {
    let event = |action| {
        let event = Event::new(action, by, now).about(before.id);
        event.personal("reason", wanted.reason.as_str())
    };
    let names = |roles: &[Role]| -> Vec<Value> {
        let roles = whole(roles.to_vec());
        roles.into_iter().map(|role| role.as_str().into()).collect()
    };
    let mut events = Vec::new();
    if !after.has_roles_of(before) {
        let event = event("role.changed").detail("before", names(&before.roles));
        events.push(event.detail("after", names(&after.roles)));
    }
    if after.tier != before.tier {
        let event = event("tier.changed").detail("before", before.tier.as_str());
        events.push(event.detail("after", after.tier.as_str()));
    }
    if after.status != before.status {
        let event = event(match after.status {
            Status::Suspended => "account.suspended",
            _ => "account.reinstated",
        });
        let event = event.detail("before", before.status.as_str());
        events.push(event.detail("after", after.status.as_str()));
    }
    if wanted.unlocks {
        events.push(event("account.unlocked"));
    }
    if events.is_empty() {
        events.push(event("account.left_as_it_was"));
    }
    events
}

/// As clients know it; none where it was nobody's refusal.
fn codes(fault: &Fault) -> Option<Vec<Value>> {
    let code = match fault {
        Fault::Mistakes(mistakes) => {
            let codes = mistakes.iter().map(|mistake| mistake.code.as_str().into());
            return Some(codes.collect());
        }
        Fault::BadInput(_) => "BAD_REQUEST",
        Fault::Conflict(_) => "CONFLICT",
        Fault::Refused(Refused::Forbidden(_)) => "FORBIDDEN",
        Fault::Limited { .. }
        | Fault::Csrf(_)
        | Fault::Unavailable(_)
        | Fault::Database(_)
        | Fault::Internal(_)
        | Fault::Refused(_) => return None,
    };
    Some(vec![code.into()])
}

/// What is wrong with it whoever it is about, all at once.
fn read(change: AccountChange) -> Result<Wanted, Fault> {
    let mut wrong = Vec::new();
    let roles = kept(change.roles, "roles", &mut wrong);
    let tier = kept(change.tier, "tier", &mut wrong);
    let is_suspended = kept(change.is_suspended, "suspended", &mut wrong);
    let unlocks = kept(change.unlocks, "unlock", &mut wrong);
    // Without what would break more than a line.
    let is_shown = |letter: &char| !letter.is_control() || matches!(letter, '\n' | '\t');
    let reason: String = change.reason.chars().filter(is_shown).collect();
    let reason = reason.trim();
    if reason
        .chars()
        .all(|letter| letter.is_whitespace() || is_hidden(letter))
    {
        wrong.push("`reason` can't be empty, nor made of what can't be seen; it stands on the audit trail.".to_owned());
    }
    if reason.chars().count() > LONGEST_REASON {
        wrong.push(format!("`reason` has at most {LONGEST_REASON} characters."));
    }
    if !wrong.is_empty() {
        return Err(Fault::BadInput(wrong.join(" ")));
    }
    Ok(Wanted {
        account: change.account.ok_or_else(unknown)?,
        roles: roles.map(whole),
        tier,
        is_suspended,
        unlocks: unlocks.unwrap_or_default(),
        reason: reason.to_owned(),
    })
}

/// What is to be set; null is wrong.
fn kept<T>(sent: Option<Option<T>>, field: &'static str, wrong: &mut Vec<String>) -> Option<T> {
    let value = sent?;
    if value.is_none() {
        wrong.push(format!(
            "`{field}` can't be null; leave it out to keep it as it is."
        ));
    }
    value
}

/// Everybody is a listener, whether or not it is said.
fn whole(mut roles: Vec<Role>) -> Vec<Role> {
    roles.push(Role::Listener);
    roles.sort_unstable();
    roles.dedup();
    roles
}

impl Wanted {
    /// Whether it may change who administers.
    fn is_about_rights(&self) -> bool {
        self.roles.is_some() || self.is_suspended.is_some()
    }

    fn standing(&self, before: &Account) -> Standing {
        let back = match (before.erase_at, before.email_verified_at) {
            (Some(_), _) => Status::Closed,
            (None, Some(_)) => Status::Active,
            (None, None) => Status::Unverified,
        };
        Standing {
            roles: whole(self.roles.as_ref().unwrap_or(&before.roles).clone()),
            tier: self.tier.unwrap_or(before.tier),
            status: match (self.is_suspended, before.status) {
                (Some(true), _) => Status::Suspended,
                (Some(false), Status::Suspended) => back,
                (_, status) => status,
            },
        }
    }
}

impl Standing {
    fn is_of(&self, account: &Account) -> bool {
        self.has_roles_of(account) && self.tier == account.tier && self.status == account.status
    }

    fn has_roles_of(&self, account: &Account) -> bool {
        self.roles == whole(account.roles.clone())
    }
}

/// Whether this administrator may do that to this account. Nobody takes their own rights, and who acts administers still,
/// as nobody else changes that meanwhile: so somebody who can sign in administers after it.
fn judge(
    before: &Account,
    after: &Standing,
    wanted: &Wanted,
    principal: &Principal,
) -> Result<(), Fault> {
    if before.status == Status::Closed {
        return Err(Fault::Conflict(
            "The account was closed by its owner, who alone can open it again.",
        ));
    }
    // Whoever registers the address once more takes the account over, and would have them.
    let is_more = |role: &Role| *role != Role::Listener && !before.has(*role);
    if before.email_verified_at.is_none() && after.roles.iter().any(is_more) {
        return Err(Fault::Conflict(
            "The address of the account was never confirmed; roles are for whom it is shown to belong to.",
        ));
    }
    if before.id != principal.account.id {
        return Ok(());
    }
    if wanted.unlocks {
        // Whoever has a session of theirs could guess their password without end.
        let own = "Nobody lifts their own lock; another administrator can.";
        return Err(Refused::Forbidden(own).into());
    }
    let own = match (after.has_roles_of(before), after.status == before.status) {
        (true, true) => return Ok(()),
        (false, true) => "Nobody changes their own roles; another administrator can.",
        (true, false) => "Nobody suspends themselves; another administrator can.",
        (false, false) => {
            "Nobody changes their own roles or suspends themselves; another administrator can."
        }
    };
    Err(Refused::Forbidden(own).into())
}

fn unknown() -> Mistake {
    Mistake::new(MistakeCode::NotFound, "There is no such account.").of("accountId")
}
