//! Mails of accounts, from a job to the mailer: whom it concerns is looked up when it is written, so that what is no
//! longer so is not mailed.

use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use super::jobs::AccountMail;
use super::mails::{self, Addressee, Circumstances, Stationery};
use super::model::{Account, AccountId, MailPurpose, SessionId, Status};
use super::secret::Mailed;
use super::store::{self, Family, MailedToken};
use super::{Accounts, Client, leaving, lifetimes, quotas};
use crate::app::App;
use crate::jobs::{Attempt, Failure};
use crate::mail::Message;

impl Client {
    /// What is told of something that this client did.
    pub(super) fn circumstances(&self, at: DateTime<Utc>) -> Circumstances {
        Circumstances {
            at,
            device: self.user_agent.clone(),
            ip_address: self.address,
        }
    }
}

/// Until it is looked again whether an address may have another mail.
const HAD_ENOUGH: Duration = Duration::from_secs(10 * 60);
const COUNTED_WHEN_ASKED: [&str; 2] = ["verification", "password reset"];

/// A mail that is wanted, and of which kind it is, for the limit on each.
pub struct Wanted {
    pub kind: &'static str,
    pub message: Message,
    /// Whether it is sent later where its address had enough of them: what is said nowhere else is not left out.
    pub waits: bool,
}

/// Sends a mail; where its address had enough of its kind, later or not at all.
pub async fn deliver(
    app: &App,
    Wanted {
        kind,
        message,
        waits,
    }: Wanted,
    attempt: Attempt,
) -> Result<(), Failure> {
    // Tries of one mail are one mail, but for what waits. What anybody can ask for was counted when it was.
    if (attempt.number == 1 || waits) && !COUNTED_WHEN_ASKED.contains(&kind) {
        let whose = format!("{kind} {}", message.to.to_lowercase());
        let fits = quotas::fits(app, quotas::MAILS, &whose).await;
        if !fits.map_err(|_| Failure::passing("mails can't be counted"))? {
            app.metrics.rate_limit_refusal("mails-of-a-kind");
            if waits {
                let why = "an address had enough mails of a kind";
                return Err(Failure::NotYet(HAD_ENOUGH, why.into()));
            }
            tracing::warn!(
                kind,
                "an address had enough mails of a kind; this one is not sent"
            );
            return Ok(());
        }
    }
    app.mailer.send(&message).await?;
    Ok(())
}

impl Accounts {
    /// Nothing is sent where nothing is to be told any more, or where an address had enough mails of a kind.
    pub(super) async fn send(&self, mail: AccountMail, attempt: Attempt) -> Result<(), Failure> {
        match self.wanted(mail, attempt).await? {
            Some(wanted) => deliver(&self.app, wanted, attempt).await,
            None => Ok(()),
        }
    }

    /// To an address that is nobody's any more.
    pub(super) async fn tell_erased(&self, email: &str, attempt: Attempt) -> Result<(), Failure> {
        let with = Stationery::new(&self.app.config);
        let message = leaving::Erased.message(&addressee(attempt, email, ""), &with)?;
        let kind = "erased";
        let wanted = Wanted {
            kind,
            message,
            waits: false,
        };
        deliver(&self.app, wanted, attempt).await
    }

    async fn wanted(&self, mail: AccountMail, attempt: Attempt) -> Result<Option<Wanted>, Failure> {
        let with = Stationery::new(&self.app.config);
        let to = |account: &Account| Addressee::of(account, attempt);
        let (kind, message) = match mail {
            AccountMail::Verification {
                token,
                email_key,
                what,
            } => match self.token(token, MailPurpose::Verify).await? {
                Some((row, account, token)) => {
                    let expires = row.created_at + lifetimes::VERIFICATION;
                    let mail = mails::Verification { token, expires };
                    ("verification", mail.message(&to(&account), &with))
                }
                None => match self.in_use(&email_key).await? {
                    // It was confirmed while this waited.
                    Some(account) if account.email_verified_at >= Some(what.at) => return Ok(None),
                    Some(account) => {
                        let mail = mails::AlreadyRegistered { what };
                        ("already registered", mail.message(&to(&account), &with))
                    }
                    None => return Ok(None),
                },
            },
            AccountMail::Welcome { account } => match self.account(account).await? {
                Some(account) => ("welcome", mails::Welcome.message(&to(&account), &with)),
                None => return Ok(None),
            },
            AccountMail::PasswordReset { token, what } => {
                match self.token(token, MailPurpose::ResetPassword).await? {
                    Some((row, account, token)) => {
                        let expires = row.created_at + lifetimes::PASSWORD_RESET;
                        let mail = mails::PasswordReset {
                            token,
                            expires,
                            what,
                        };
                        ("password reset", mail.message(&to(&account), &with))
                    }
                    None => return Ok(None),
                }
            }
            AccountMail::PasswordChanged { account, what } => match self.account(account).await? {
                Some(account) => {
                    let mail = mails::PasswordChanged { what };
                    ("password changed", mail.message(&to(&account), &with))
                }
                None => return Ok(None),
            },
            AccountMail::AddressChange { token, what } => {
                match self.token(token, MailPurpose::ChangeEmail).await? {
                    Some((row, account, token)) => match self.owner(&row.email_key).await? {
                        // Of somebody else, who is told no more than when somebody registers it. Who only began with it
                        // has not shown that it is theirs.
                        Some(owner)
                            if owner.id != account.id && owner.status != Status::Unverified =>
                        {
                            let mail = mails::AlreadyRegistered { what };
                            ("already registered", mail.message(&to(&owner), &with))
                        }
                        _ => {
                            let expires = row.created_at + lifetimes::ADDRESS_CHANGE;
                            let mail = mails::ConfirmEmail { token, expires };
                            let to = addressee(attempt, &row.email, &account.display_name);
                            ("address change", mail.message(&to, &with))
                        }
                    },
                    None => return Ok(None),
                }
            }
            AccountMail::AddressChangeTold { token, what } => {
                match self.token(token, MailPurpose::UndoEmail).await? {
                    Some((row, account, token)) => {
                        let expires = row.created_at + lifetimes::ADDRESS_UNDO;
                        let mail = mails::EmailChanging {
                            token,
                            expires,
                            what,
                        };
                        let to = addressee(attempt, &row.email, &account.display_name);
                        ("address changing", mail.message(&to, &with))
                    }
                    None => return Ok(None),
                }
            }
            AccountMail::AddressChanged {
                account,
                email,
                what,
            } => match self.account(account).await? {
                Some(account) => {
                    let to = addressee(attempt, &email, &account.display_name);
                    let mail = mails::EmailChanged { what };
                    ("address changed", mail.message(&to, &with))
                }
                None => return Ok(None),
            },
            AccountMail::NewDevice { session } => match self.family(session).await? {
                Some(family) => {
                    let mail = mails::NewDevice {
                        what: begun(&family),
                    };
                    ("new device", mail.message(&to(&family.account), &with))
                }
                None => return Ok(None),
            },
            AccountMail::Locked {
                email_key,
                until,
                knew_password,
                what,
            } => match self.in_use(&email_key).await? {
                Some(account) => {
                    let mail = mails::Locked {
                        until,
                        knew_password,
                        what,
                    };
                    ("locked", mail.message(&to(&account), &with))
                }
                None => return Ok(None),
            },
            AccountMail::SessionLimit { ended, begun: new } => {
                match (self.family(ended).await?, self.family(new).await?) {
                    (Some(ended), Some(new)) => {
                        let mail = mails::SessionLimit {
                            what: begun(&new),
                            ended: ended.session.user_agent,
                        };
                        ("session limit", mail.message(&to(&new.account), &with))
                    }
                    _ => return Ok(None),
                }
            }
            AccountMail::Closed { account, what } => match self.account(account).await? {
                Some(account) => match account.erase_at {
                    Some(erase_at) => {
                        let mail = leaving::Closed { erase_at, what };
                        ("closed", mail.message(&to(&account), &with))
                    }
                    None => return Ok(None),
                },
                None => return Ok(None),
            },
            AccountMail::Reopened { account, what } => match self.account(account).await? {
                Some(account) => {
                    let mail = leaving::Reopened { what };
                    ("reopened", mail.message(&to(&account), &with))
                }
                None => return Ok(None),
            },
            AccountMail::ExportReady { export } => match self.export(export).await? {
                Some((account, token, expires)) => {
                    let mail = leaving::ExportReady { token, expires };
                    ("export ready", mail.message(&to(&account), &with))
                }
                None => return Ok(None),
            },
            AccountMail::TokenReused { session, what } => match self.family(session).await? {
                Some(family) => {
                    let mail = mails::TokenReused { what };
                    ("token reused", mail.message(&to(&family.account), &with))
                }
                None => return Ok(None),
            },
            AccountMail::SecondFactor {
                account,
                change,
                what,
            } => match self.account(account).await? {
                Some(account) => {
                    let mail = mails::SecondFactorChanged { change, what };
                    (change.kind(), mail.message(&to(&account), &with))
                }
                None => return Ok(None),
            },
            // Also if it is revoked by now: somebody made it who knew the password.
            AccountMail::ApiTokenMade { token, what } => {
                match store::api_token_to_tell(&self.app.db, token).await? {
                    Some((row, account)) => {
                        let mail = mails::ApiTokenMade {
                            scopes: row.scopes,
                            expires: row.expires_at,
                            what,
                        };
                        ("API token made", mail.message(&to(&account), &with))
                    }
                    None => return Ok(None),
                }
            }
        };
        let message = message?;
        Ok(Some(Wanted {
            kind,
            message,
            waits: false,
        }))
    }

    /// A token that still counts, with its clear text. One that was made by a key which is gone can't be written.
    async fn token(
        &self,
        id: Uuid,
        purpose: MailPurpose,
    ) -> Result<Option<(MailedToken, Account, SecretString)>, Failure> {
        let now = self.app.clock.now();
        let found = store::token_to_mail(&self.app.db, id, now).await?;
        let Some((row, account)) = found.filter(|(row, _)| row.purpose == purpose) else {
            return Ok(None);
        };
        let token = self.token_of(purpose, id, &row.token_hash)?;
        Ok(Some((row, account, token)))
    }

    fn token_of(
        &self,
        purpose: MailPurpose,
        id: Uuid,
        hash: &[u8],
    ) -> Result<SecretString, Failure> {
        let hash = hash.try_into().ok();
        let token = hash.and_then(|hash| Mailed::of_hash(&self.keys, purpose, id, hash));
        token.ok_or_else(|| {
            Failure::lasting("the key that the mailed token was made with is not in the ring")
        })
    }

    /// An archive that is there still, with the clear text of its token and until when that is good.
    async fn export(
        &self,
        id: Uuid,
    ) -> Result<Option<(Account, SecretString, DateTime<Utc>)>, Failure> {
        let now = self.app.clock.now();
        let Some((account, hash, expires_at)) =
            store::export_to_mail(&self.app.db, id, now).await?
        else {
            return Ok(None);
        };
        let token = self.token_of(MailPurpose::Export, id, &hash)?;
        Ok(Some((account, token, expires_at)))
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, Failure> {
        let found = store::accounts_by_ids(&self.app.db, &[id]).await?;
        Ok(found.into_iter().next())
    }

    async fn owner(&self, email_key: &str) -> Result<Option<Account>, Failure> {
        Ok(store::account_by_key(&self.app.db, email_key).await?)
    }

    /// One whose owner has shown that the address is theirs.
    async fn in_use(&self, email_key: &str) -> Result<Option<Account>, Failure> {
        let owner = self.owner(email_key).await?;
        Ok(owner.filter(|account| account.status != Status::Unverified))
    }

    async fn family(&self, session: SessionId) -> Result<Option<Family>, Failure> {
        Ok(store::family(&self.app.db, session).await?)
    }
}

impl Addressee {
    /// Whoever has an account, by a mail that is this job.
    pub fn of(account: &Account, attempt: Attempt) -> Self {
        addressee(attempt, &account.email, &account.display_name)
    }
}

fn addressee(attempt: Attempt, email: &str, name: &str) -> Addressee {
    Addressee {
        mail: attempt.job.to_string(),
        email: super::EmailAddress::parse(email)
            .map_or_else(|_| email.to_owned(), |address| address.for_smtp()),
        name: name.to_owned(),
    }
}

/// Of the sign-in that began a session.
fn begun(family: &Family) -> Circumstances {
    let session = &family.session;
    Circumstances {
        at: session.created_at,
        device: session.user_agent.clone(),
        ip_address: session
            .ip_address
            .as_deref()
            .and_then(|text| text.parse::<IpAddr>().ok()),
    }
}
