//! A new password: by a mailed link, or by whoever has the old one.

use secrecy::{ExposeSecret, SecretString};

use super::attempts;
use super::register::parse_email;
use crate::accounts::client::Client;
use crate::accounts::email::EmailAddress;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::MailPurpose;
use crate::accounts::model::{Account, Ending, Principal, SessionId};
use crate::accounts::secret::Mailed;
use crate::accounts::store;
use crate::accounts::{Accounts, lifetimes, quotas};
use crate::audit;
use crate::db::Tx;

impl Accounts {
    /// Mails a link to set a new password, if there is an account. The answer, and the work, are the same if not.
    pub async fn request_password_reset(&self, email: &str, client: &Client) -> Result<(), Fault> {
        let app = &self.app;
        let email = parse_email(email, "email")?;
        quotas::charge(app, quotas::RESETS_BY_ADDRESS, &client.limit_key).await?;
        quotas::charge(app, quotas::RESETS_OF_ACCOUNT, &email.key()).await?;
        if !self.may_mail("password reset", &email.key()).await? {
            return Ok(());
        }
        let now = app.clock.now();
        let new =
            self.new_mailed_token(MailPurpose::ResetPassword, now + lifetimes::PASSWORD_RESET);
        let token = new.id;
        let mut tx = app.db.begin().await?;
        let whose = store::add_token_by_address(&mut tx, new, &email.key(), false, now).await?;
        let event = self.sign_in_event("password.reset_requested", &email.key(), whose, client);
        audit::record(&mut tx, event).await?;
        let what = client.circumstances(now);
        jobs::mail(&mut tx, &AccountMail::PasswordReset { token, what }, client).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A password that is not taken leaves the link as good as it was.
    pub async fn reset_password(
        &self,
        token: &SecretString,
        new_password: &SecretString,
        client: &Client,
    ) -> Result<(), Fault> {
        let hash = Mailed::hash_of(token.expose_secret()).ok_or_else(unknown)?;
        let now = self.app.clock.now();
        let found = store::peek_token(&self.app.db, hash, now).await?;
        let (_, account) = found
            .filter(|(token, _)| token.purpose == MailPurpose::ResetPassword)
            .ok_or_else(unknown)?;
        let email = EmailAddress::parse(&account.email).ok();
        let name = &account.display_name;
        let password = self.new_password(new_password, email.as_ref(), name, "newPassword")?;
        let password_hash = self.passwords.hash(password).await?;
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let held = store::hold_account(&mut tx, account.id).await?;
        let taken = store::take_token(&mut tx, hash, now).await?;
        let (Some((account, _)), Some(_)) = (held, taken) else {
            tx.rollback().await;
            return Err(unknown().into());
        };
        self.set_password(&mut tx, &account, password_hash.as_str(), None, client)
            .await?;
        // Who reads the mail has shown who they are; the guesses of others need not keep them out. Where there is a second
        // factor, the mail is half of that, and no way to go on guessing codes.
        if account.two_factor_at.is_none() {
            store::forgive(&mut tx, attempts::of_address(&account.email_key)).await?;
        }
        store::void_tokens(&mut tx, account.id, MailPurpose::ResetPassword).await?;
        let event = self.event("password.reset", None, client);
        audit::record(&mut tx, event.about(account.id)).await?;
        tx.commit().await?;
        Ok(())
    }

    pub async fn change_password(
        &self,
        principal: &Principal,
        current: &SecretString,
        new_password: &SecretString,
        client: &Client,
    ) -> Result<(), Fault> {
        let account = &principal.account;
        let email = EmailAddress::parse(&account.email).ok();
        let name = &account.display_name;
        let password = self.new_password(new_password, email.as_ref(), name, "newPassword")?;
        // Each costs as much as two sign-ins.
        let whose = account.id.to_string();
        quotas::charge(&self.app, quotas::PASSWORD_CHANGES, &whose).await?;
        let compared = self
            .check_password(
                account,
                principal.session,
                current,
                "currentPassword",
                client,
            )
            .await?;
        let hashed = self.passwords.hash(password).await.map_err(Fault::from);
        let password_hash = self.unless_ours(&compared.attempt, hashed).await?;
        let (mut tx, account) = self.begin_as_compared(&compared, "currentPassword").await?;
        let session = Some(principal.session);
        self.set_password(&mut tx, &account, password_hash.as_str(), session, client)
            .await?;
        let event = self.event("password.changed", account.id, client);
        audit::record(&mut tx, event.about(account.id)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whoever knew the old password is out, and so is what they made or asked for. Links to set a new one go on to count: who reads
    /// the mail comes before who knows the password.
    async fn set_password(
        &self,
        tx: &mut Tx<'_>,
        account: &Account,
        password_hash: &str,
        but: Option<SessionId>,
        client: &Client,
    ) -> Result<(), Fault> {
        let now = self.app.clock.now();
        store::set_password(tx, account.id, password_hash, now).await?;
        store::end_sessions(tx, account.id, but, Ending::PasswordChanged, now).await?;
        store::end_api_tokens(tx, account.id, now).await?;
        store::forget_devices(tx, account.id, 0).await?;
        store::void_second_steps(tx, account.id).await?;
        // Whoever began to set one up knew the password of before.
        store::drop_begun_factor(tx, account.id, now).await?;
        store::void_tokens(tx, account.id, MailPurpose::ChangeEmail).await?;
        let mail = AccountMail::PasswordChanged {
            account: account.id,
            what: client.circumstances(now),
        };
        jobs::mail(tx, &mail, client).await?;
        Ok(())
    }
}

fn unknown() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidToken,
        "The link is unknown, was used, or has expired; ask for a new one.",
    )
    .of("token")
}
