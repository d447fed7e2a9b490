//! Against guessing. An attempt is counted as a failure before its password is looked at, and forgiven if it was right,
//! so that however many come at once, no more are tried than may be.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::lifetimes::ATTEMPTS;
use crate::accounts::model::Account;
use crate::accounts::store::{self, Hash};
use crate::accounts::{AccountId, Accounts, SessionId};
use crate::audit::{self, Event};
use crate::db;

/// What lets somebody try although an address is locked.
#[derive(Debug, Clone, Copy)]
pub(in crate::accounts) enum Known {
    Nobody,
    /// A device that has signed in to the account before.
    Device(Uuid),
    /// Somebody who is signed in.
    Session(SessionId),
}

/// How an attempt may be asked for a challenge.
pub(in crate::accounts) enum Challenge<'a> {
    /// There is nowhere to put a solution; the lock alone bounds it.
    CannotBeAsked,
    Solution(Option<&'a str>),
}

/// An attempt that was let through, to be forgiven if it succeeds.
pub(in crate::accounts) struct Attempt {
    pub subject: Hash,
    /// Of a device or a session while the address is locked, of which its owner was told.
    is_apart: bool,
    /// Of the lock that it led to, if it fails.
    pub locked_until: Option<DateTime<Utc>>,
}

pub(in crate::accounts) fn of_address(email_key: &str) -> Hash {
    subject("address", email_key.as_bytes())
}

fn subject(kind: &str, of: &[u8]) -> Hash {
    Sha256::new()
        .chain_update(kind)
        .chain_update([0])
        .chain_update(of)
        .finalize()
        .into()
}

impl Accounts {
    /// Lets an attempt through, or says what is in its way. Alike for addresses without an account.
    pub(in crate::accounts) async fn attempt(
        &self,
        email_key: &str,
        known: Known,
        challenge: Challenge<'_>,
        client: &Client,
    ) -> Result<Attempt, Fault> {
        let address = of_address(email_key);
        match self.try_subject(address, &challenge, client).await? {
            Tried::May(attempt) => Ok(attempt),
            Tried::Locked(until) => {
                let own = match known {
                    Known::Nobody => return Err(locked(until).into()),
                    Known::Device(id) => subject("device", id.as_bytes()),
                    Known::Session(id) => subject("session", id.0.as_bytes()),
                };
                match self.try_subject(own, &challenge, client).await? {
                    Tried::May(attempt) => Ok(Attempt {
                        is_apart: true,
                        ..attempt
                    }),
                    Tried::Locked(until) => Err(locked(until).into()),
                }
            }
        }
    }

    async fn try_subject(
        &self,
        subject: Hash,
        challenge: &Challenge<'_>,
        client: &Client,
    ) -> Result<Tried, Fault> {
        let db = &self.app.db;
        let now = self.app.clock.now();
        let may = |locked_until| {
            Tried::May(Attempt {
                subject,
                is_apart: false,
                locked_until,
            })
        };
        let unasked = matches!(challenge, Challenge::CannotBeAsked);
        if let Some(counted) = store::count_attempt(db, subject, ATTEMPTS, unasked, now).await? {
            return Ok(may(counted));
        }
        if let Some(until) = self.lock_of(subject, now).await? {
            store::count_refused_attempt(db, subject).await?;
            return Ok(Tried::Locked(until));
        }
        if let Challenge::Solution(response) = challenge {
            self.require_solution(*response, client).await?;
        }
        if let Some(counted) = store::count_attempt(db, subject, ATTEMPTS, true, now).await? {
            return Ok(may(counted));
        }
        // Others have locked it meanwhile; this one failed as they did.
        let until = self.lock_of(subject, now).await?;
        store::count_refused_attempt(db, subject).await?;
        Ok(Tried::Locked(until.unwrap_or(now + ATTEMPTS.locked_for)))
    }

    async fn lock_of(
        &self,
        subject: Hash,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        let found = store::locks(&self.app.db, &[subject]).await?;
        let until = found.into_iter().find_map(|(_, until)| until);
        Ok(until.filter(|until| *until > now))
    }

    /// Whatever could not be done for a reason of ours was no failure. If this can't be told either, it stays counted.
    pub(in crate::accounts) async fn unless_ours<T>(
        &self,
        attempt: &Attempt,
        done: Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Err(Fault::Unavailable(_) | Fault::Database(_) | Fault::Internal(_)) = &done {
            self.take_back(attempt).await;
        }
        done
    }

    /// An attempt was no failure as far as it went. What failed before goes on to count.
    pub(in crate::accounts) async fn take_back(&self, attempt: &Attempt) {
        let taken = store::take_back(&self.app.db, attempt.subject, attempt.locked_until).await;
        if let Err(error) = taken {
            tracing::warn!(%error, "an attempt that was no failure stays counted");
        }
    }

    /// It failed, as the event says. If that locked the address, whoever has it is told, once.
    pub(in crate::accounts) async fn failed(
        &self,
        attempt: &Attempt,
        email_key: &str,
        account: Option<AccountId>,
        event: Event,
        client: &Client,
    ) -> Result<(), Fault> {
        audit::record_alone(&self.app.db, event).await?;
        self.tell_of_lock(attempt, email_key, account, false, client)
            .await
    }

    /// The code behind a right password was wrong; likewise, but its owner learns that somebody has the password.
    pub(in crate::accounts) async fn failed_by_code(
        &self,
        attempt: &Attempt,
        account: &Account,
        event: &'static str,
        client: &Client,
    ) -> Result<(), Fault> {
        // Nobody was shown to be its owner.
        let event = Event::new(event, &client.by(None), self.app.clock.now()).about(account.id);
        audit::record_alone(&self.app.db, event).await?;
        let whose = Some(account.id);
        self.tell_of_lock(attempt, &account.email_key, whose, true, client)
            .await
    }

    async fn tell_of_lock(
        &self,
        attempt: &Attempt,
        email_key: &str,
        account: Option<AccountId>,
        knew_password: bool,
        client: &Client,
    ) -> Result<(), Fault> {
        let Some(until) = attempt.locked_until.filter(|_| !attempt.is_apart) else {
            return Ok(());
        };
        let told = async {
            let mut tx = self.app.db.begin().await?;
            if store::tell_lock(&mut tx, attempt.subject).await? {
                let mail = AccountMail::Locked {
                    email_key: email_key.to_owned(),
                    until,
                    knew_password,
                    what: client.circumstances(self.app.clock.now()),
                };
                jobs::mail(&mut tx, &mail, client).await?;
                let locked = self.sign_in_event("login.locked", email_key, account, client);
                audit::record(&mut tx, locked).await?;
            }
            tx.commit().await
        };
        Ok(db::apart(told).await?)
    }
}

enum Tried {
    May(Attempt),
    Locked(DateTime<Utc>),
}

fn locked(until: DateTime<Utc>) -> Mistake {
    Mistake::new(
        MistakeCode::AccountLocked,
        "Too many wrong passwords or codes: sign-ins for this address are locked for a while.",
    )
    .until(until)
}
