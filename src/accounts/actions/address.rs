//! Changing the address of an account.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::register::parse_email;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::MailPurpose;
use crate::accounts::model::Principal;
use crate::accounts::store;
use crate::accounts::{Accounts, lifetimes, quotas};
use crate::audit;

impl Accounts {
    /// Mails a link to the new address, and tells the old one. What is answered, and what can be seen of it, does not
    /// depend on whether somebody has the new address.
    pub async fn change_email(
        &self,
        principal: &Principal,
        new_email: &str,
        password: &SecretString,
        code: Option<&SecretString>,
        client: &Client,
    ) -> Result<(), Fault> {
        let new_email = parse_email(new_email, "newEmail")?;
        let account = &principal.account;
        // Another spelling of it is a change; the same is a mistake.
        if new_email.as_written() == account.email {
            let mistake = Mistake::new(
                MistakeCode::InvalidEmail,
                "This is the account's address already.",
            );
            return Err(mistake.of("newEmail").into());
        }
        // Each mails somebody who has not asked for it perhaps.
        let whose = account.id.to_string();
        quotas::charge(&self.app, quotas::ADDRESS_CHANGES, &whose).await?;
        let compared = self
            .check_password(account, principal.session, password, "password", client)
            .await?;
        let compared = self.check_code(compared, code, "code").await?;
        let now: DateTime<Utc> = self.app.clock.now();
        let (mut tx, account) = self.begin_as_compared(&compared, "password").await?;
        // The last one asked for counts.
        store::void_tokens(&mut tx, account.id, MailPurpose::ChangeEmail).await?;
        let change =
            self.new_mailed_token(MailPurpose::ChangeEmail, now + lifetimes::ADDRESS_CHANGE);
        let undo = self.new_mailed_token(MailPurpose::UndoEmail, now + lifetimes::ADDRESS_UNDO);
        let (change_id, undo_id) = (change.id, undo.id);
        let (written, key) = (new_email.as_written(), new_email.key());
        store::add_token(&mut tx, change, account.id, (&written, &key), now).await?;
        let old_address = (account.email.as_str(), account.email_key.as_str());
        store::add_token(&mut tx, undo, account.id, old_address, now).await?;
        let what = client.circumstances(now);
        let mail = AccountMail::AddressChange {
            token: change_id,
            what: what.clone(),
        };
        jobs::mail(&mut tx, &mail, client).await?;
        let told = AccountMail::AddressChangeTold {
            token: undo_id,
            what,
        };
        jobs::mail(&mut tx, &told, client).await?;
        let event = self.event("email.change_requested", account.id, client);
        let event = event.about(account.id).personal("newEmail", written);
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }
}
