//! What administrators see of accounts and do with them.

mod changes;
mod last;
mod list;
mod overseeing;
mod size;
mod suspended;

use serde_json::{Value, json};

use super::*;
use crate::support::{Answer, SignedIn};

pub const UPDATE: &str =
    "mutation ($input: UpdateAccountAsAdminInput!) { updateAccountAsAdmin(input: $input) {
    account { id email roles tier status lockedUntil } errors { code message path } } }";

/// Somebody who administers, signed in.
pub async fn administrator(app: &TestApp, email: &str) -> SignedIn {
    app.member(email).await;
    let promote =
        format!("update accounts set roles = '{{LISTENER,ADMIN}}' where email = '{email}'");
    execute(app, &promote).await;
    app.sign_in(email).await
}

/// The ID of whoever has an address.
pub async fn id_of(app: &TestApp, email: &str) -> String {
    let client = app.sql().await;
    let read = "select id::text from accounts where email = $1";
    let id: String = client.query_one(read, &[&email]).await.unwrap().get(0);
    empulse::accounts::AccountId(id.parse().unwrap()).to_string()
}

/// The same as everybody may know it.
pub fn user_of(account: &str) -> String {
    account.replace("account_", "user_")
}

/// A change by an administrator; a reason is given, unless it is another.
async fn ask(app: &TestApp, by: &SignedIn, account: &str, change: Value) -> Answer {
    let mut input = json!({ "accountId": account, "reason": "Asked for in ticket 7" });
    let change = change.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(change);
    app.call(Some(&by.access), UPDATE, input).await
}

/// What it came to.
pub async fn update(app: &TestApp, by: &SignedIn, account: &str, change: Value) -> Value {
    only_field(ask(app, by, account, change).await.data())
}

/// With which code it was refused as a whole, and what was said.
pub async fn refused(
    app: &TestApp,
    by: &SignedIn,
    account: &str,
    change: Value,
) -> (String, String) {
    let answer = ask(app, by, account, change).await;
    let said = answer.body["errors"][0]["message"].as_str().unwrap();
    (answer.code().to_owned(), said.to_owned())
}

/// As if each device that an account knows had been trusted when a second factor was given on it.
pub async fn trust_devices(app: &TestApp, email: &str) {
    let trust = format!(
        "update known_devices set trusted_at = now(), trusted_until = now() + interval '30 days'
          where account_id = (select id from accounts where email = '{email}')"
    );
    execute(app, &trust).await;
}

/// What the trail holds of an event.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub action: String,
    pub actor: Option<String>,
    pub subject: Option<String>,
    pub details: Value,
    /// What is personal, and said by the event.
    pub facts: Value,
}

/// All that was recorded of administrators, in its order.
pub async fn recorded(app: &TestApp) -> Vec<Recorded> {
    let client = app.sql().await;
    let rows = client
        .query(
            "select e.action, e.actor_id::text, e.subject_id, e.details, p.content
               from (select id, action, actor_id, subject_id, details, created_at from audit_pending
                     union all
                     select id, action, actor_id, subject_id, details, created_at from audit_events) e
               left join audit_personal p on p.event_id = e.id and p.part = 'FACTS'
              where e.action in ('accounts.read', 'account.read', 'role.changed', 'tier.changed', 'account.suspended',
                                 'account.reinstated', 'account.unlocked', 'account.left_as_it_was',
                                 'admin.refused', 'access.refused')
              order by e.created_at, e.id",
            &[],
        )
        .await
        .unwrap();
    rows.iter()
        .map(|row| {
            let json = |place: usize| -> Value {
                let text: Option<&str> = row.get(place);
                text.map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
            };
            Recorded {
                action: row.get(0),
                actor: row
                    .get::<_, Option<String>>(1)
                    .map(|id| empulse::accounts::AccountId(id.parse().unwrap()).to_string()),
                subject: row.get(2),
                details: json(3),
                facts: json(4),
            }
        })
        .collect()
}

/// What was recorded while something was done.
pub async fn recorded_by<T>(app: &TestApp, done: impl Future<Output = T>) -> (T, Vec<Recorded>) {
    let before = recorded(app).await.len();
    let done = done.await;
    let mut after = recorded(app).await;
    (done, after.split_off(before))
}

pub fn actions(events: &[Recorded]) -> Vec<&str> {
    events.iter().map(|event| event.action.as_str()).collect()
}
