//! Accounts that commands make: nobody has to confirm an address to whoever runs the service.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::administer::BesideRoles;
use super::register::parse_email;
use super::{attempts, two_factor};
use crate::accounts::Accounts;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::mails::FactorChange;
use crate::accounts::model::{Account, AccountId, Ending, MailPurpose, Role};
use crate::accounts::name::DisplayName;
use crate::accounts::store::{self, NewAccount};
use crate::audit::{self, By, Event};
use crate::db::Tx;
use crate::idempotency;

pub struct Installation {
    pub email: String,
    pub display_name: String,
    pub password: SecretString,
    pub roles: Vec<Role>,
}

impl Accounts {
    /// Gives an account that is in use a role; none where there is no such account. One that nobody confirmed is nobody's:
    /// whoever opened it chose its password.
    pub async fn promote(&self, email: &str, role: Role) -> Result<Option<Account>, Fault> {
        let email_key = parse_email(email, "email")?.key();
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let account = store::add_role(&mut tx, &email_key, role, now).await?;
        if let Some(account) = &account {
            let event = by_command("role.changed", account, now);
            audit::record(&mut tx, event.detail("added", role.as_str())).await?;
        }
        tx.commit().await?;
        Ok(account)
    }

    /// Makes an account that can be used at once. One of that address gets this password and these roles beside its own,
    /// and whoever was signed in to it is out.
    pub async fn install(
        &self,
        mut input: Installation,
        beside: BesideRoles,
    ) -> Result<Account, Fault> {
        input.roles.push(Role::Listener);
        input.roles.sort_unstable();
        input.roles.dedup();
        let email = parse_email(&input.email, "email")?;
        let name = DisplayName::parse(&input.display_name).map_err(|fault| {
            Mistake::new(MistakeCode::InvalidName, fault.to_string()).of("displayName")
        })?;
        let password =
            self.new_password(&input.password, Some(&email), name.as_str(), "password")?;
        let password_hash = self.passwords.hash(password).await?;
        let now = self.app.clock.now();
        let new = NewAccount {
            id: AccountId(Uuid::now_v7()),
            email: email.as_written(),
            email_key: email.key(),
            display_name: name.as_str().to_owned(),
            password_hash: password_hash.as_str().to_owned(),
        };
        let mut tx = self.app.db.begin().await?;
        let before = store::hold_account_of(&mut tx, &new.email_key).await?;
        let installed = store::install_account(&mut tx, new, &input.roles, now).await?;
        let account = installed.ok_or_else(|| {
            Fault::Unavailable(
                "the account of this address is being erased; try again in a few minutes".into(),
            )
        })?;
        store::end_sessions(&mut tx, account.id, None, Ending::PasswordChanged, now).await?;
        store::end_api_tokens(&mut tx, account.id, now).await?;
        for purpose in MailPurpose::ALL {
            store::void_tokens(&mut tx, account.id, *purpose).await?;
        }
        store::forget_devices(&mut tx, account.id, 0).await?;
        // It may have been set up by whoever had the account before.
        let had_factor = two_factor::drop_factor(&mut tx, account.id, now).await?;
        if let Some(before) = before {
            tell(&mut tx, &before, had_factor, now).await?;
        }
        store::forgive(&mut tx, attempts::of_address(&account.email_key)).await?;
        audit::record(&mut tx, by_command("account.installed", &account, now)).await?;
        beside(&mut tx, &account, now).await?;
        tx.commit().await?;
        Ok(account)
    }
}

/// Tells whoever had the account before what became of it, and the trail.
async fn tell(
    tx: &mut Tx<'_>,
    before: &Account,
    had_factor: bool,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let account = before.id;
    let client = Client::default();
    let what = client.circumstances(now);
    if before.erase_at.is_some() {
        let mail = AccountMail::Reopened {
            account,
            what: what.clone(),
        };
        jobs::mail(tx, &mail, &client).await?;
        audit::record(tx, by_command("account.reopened", before, now)).await?;
        // That it is closed is not so any more.
        idempotency::forget_answers(tx, account.0).await?;
    }
    if had_factor {
        let mail = AccountMail::SecondFactor {
            account,
            change: FactorChange::Disabled,
            what: what.clone(),
        };
        jobs::mail(tx, &mail, &client).await?;
        audit::record(tx, by_command("two_factor.disabled", before, now)).await?;
    }
    let mail = AccountMail::PasswordChanged { account, what };
    Ok(jobs::mail(tx, &mail, &client).await?)
}

/// By whoever runs the service: nobody is signed in, and nobody asks from anywhere.
fn by_command(action: &'static str, account: &Account, now: DateTime<Utc>) -> Event {
    let roles: Vec<_> = account.roles.iter().map(|role| role.as_str()).collect();
    Event::new(action, &By::default(), now)
        .about(account.id)
        .detail("by", "command")
        .detail("roles", roles)
}
