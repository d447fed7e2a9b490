//! Opening an account. The answer, and the work, are the same whether or not the address is known.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::accounts::client::Client;
use crate::accounts::email::EmailAddress;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::MailPurpose;
use crate::accounts::name::DisplayName;
use crate::accounts::secret::Mailed;
use crate::accounts::store::{self, NewAccount, NewMailedToken};
use crate::accounts::{AccountId, Accounts, lifetimes, quotas};
use crate::audit;
use crate::db::Tx;

pub struct Registration {
    pub email: String,
    pub password: SecretString,
    pub display_name: String,
    pub challenge: Option<String>,
}

impl Accounts {
    pub async fn register(&self, input: Registration, client: &Client) -> Result<(), Fault> {
        let (email, name) = (
            EmailAddress::parse(&input.email),
            DisplayName::parse(&input.display_name),
        );
        let mut mistakes = Vec::new();
        if let Err(fault) = &email {
            mistakes.push(Mistake::new(MistakeCode::InvalidEmail, fault.to_string()).of("email"));
        }
        if let Err(fault) = &name {
            mistakes
                .push(Mistake::new(MistakeCode::InvalidName, fault.to_string()).of("displayName"));
        }
        // Also where the others are wrong: a person would rather mend all at once.
        let password = self.new_password(
            &input.password,
            email.as_ref().ok(),
            name.as_ref().map_or("", DisplayName::as_str),
            "password",
        );
        let (email, name, password) = match (email, name, password) {
            (Ok(email), Ok(name), Ok(password)) => (email, name, password),
            (_, _, password) => {
                mistakes.extend(password.err());
                return Err(Fault::Mistakes(mistakes));
            }
        };
        let app = &self.app;
        if !quotas::fits(app, quotas::EASY_REGISTRATIONS, &client.limit_key).await? {
            self.require_solution(input.challenge.as_deref(), client)
                .await?;
        }
        quotas::charge(app, quotas::REGISTRATIONS, &client.limit_key).await?;
        let password_hash = self.passwords.hash(password).await?;
        let now = app.clock.now();
        // An address that had enough mails gets no more, so what was mailed before must go on to count.
        if !self.may_mail("verification", &email.key()).await? {
            return Ok(());
        }
        let mut tx = app.db.begin().await?;
        let new = NewAccount {
            id: AccountId(Uuid::now_v7()),
            email: email.as_written(),
            email_key: email.key(),
            display_name: name.as_str().to_owned(),
            password_hash: password_hash.as_str().to_owned(),
        };
        let opened = store::open_account(&mut tx, new, now).await?;
        let action = match opened {
            Some((_, true)) => "account.registered",
            _ => "registration.repeated",
        };
        let whose = opened.map(|(account, _)| account);
        let event = self.sign_in_event(action, &email.key(), whose, client);
        // Whoever registered the address before and never confirmed it was somebody else. An account in use is not touched.
        let begun = match opened {
            Some((account, true)) => account,
            _ => AccountId(Uuid::now_v7()),
        };
        audit::begin_anew(&mut tx, begun, event, now).await?;
        // Else a link that was mailed for another password would confirm this one.
        store::void_verifications(&mut tx, &email.key()).await?;
        self.mail_verification(&mut tx, &email.key(), client, now)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Mails the confirming link again, if the address waits for one.
    pub async fn resend_verification(&self, email: &str, client: &Client) -> Result<(), Fault> {
        let email = parse_email(email, "email")?;
        quotas::charge(
            &self.app,
            quotas::VERIFICATIONS_BY_ADDRESS,
            &client.limit_key,
        )
        .await?;
        if !self.may_mail("verification", &email.key()).await? {
            return Ok(());
        }
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let whose = self
            .mail_verification(&mut tx, &email.key(), client, now)
            .await?;
        let event = self.sign_in_event("verification.requested", &email.key(), whose, client);
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether an address may get another mail of a kind; then this counts as one.
    pub(in crate::accounts) async fn may_mail(
        &self,
        kind: &str,
        email_key: &str,
    ) -> Result<bool, Fault> {
        quotas::fits(&self.app, quotas::MAILS, &format!("{kind} {email_key}")).await
    }

    /// Whether the address has an account that waits, has one in use, or has none, is found out when the mail is written.
    async fn mail_verification(
        &self,
        tx: &mut Tx<'_>,
        email_key: &str,
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<Option<AccountId>, Fault> {
        let new = self.new_mailed_token(MailPurpose::Verify, now + lifetimes::VERIFICATION);
        let token = new.id;
        let whose = store::add_token_by_address(tx, new, email_key, true, now).await?;
        let mail = AccountMail::Verification {
            token,
            email_key: email_key.to_owned(),
            what: client.circumstances(now),
        };
        jobs::mail(tx, &mail, client).await?;
        Ok(whose)
    }

    /// The database gets the hash of a token; what is mailed is derived from its id when the mail is written.
    pub(in crate::accounts) fn new_mailed_token(
        &self,
        purpose: MailPurpose,
        expires_at: DateTime<Utc>,
    ) -> NewMailedToken {
        let id = Uuid::now_v7();
        NewMailedToken {
            id,
            purpose,
            token_hash: Mailed::derive(&self.keys, purpose, id).1,
            expires_at,
        }
    }

    /// Judges a password that is to be set.
    pub(in crate::accounts) fn new_password(
        &self,
        password: &SecretString,
        email: Option<&EmailAddress>,
        name: &str,
        field: &'static str,
    ) -> Result<crate::accounts::password::NewPassword, Mistake> {
        use crate::accounts::password::PasswordFault;
        self.passwords
            .check(password.expose_secret(), email, name)
            .map_err(|fault| {
                let code = match fault {
                    PasswordFault::TooShort => MistakeCode::PasswordTooShort,
                    PasswordFault::TooLong => MistakeCode::PasswordTooLong,
                    _ => MistakeCode::PasswordCompromised,
                };
                Mistake::new(code, fault.to_string()).of(field)
            })
    }
}

pub(in crate::accounts) fn parse_email(
    text: &str,
    field: &'static str,
) -> Result<EmailAddress, Mistake> {
    EmailAddress::parse(text)
        .map_err(|fault| Mistake::new(MistakeCode::InvalidEmail, fault.to_string()).of(field))
}
