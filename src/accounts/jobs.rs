//! The jobs of accounts: mails, and forgetting what is of no use any more.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::mails::{Circumstances, FactorChange};
use super::model::{AccountId, ApiTokenId, SessionId};
use super::store::{self, Forgotten};
use super::{Accounts, Client, leaving, lifetimes};
use crate::audit;
use crate::db::{Error, Tx};
use crate::jobs::{Failure, Job, New, Registry};

/// A mail to whoever an account, a session or an address belongs to by the time that it is written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "mail", rename_all = "snake_case")]
pub enum AccountMail {
    /// The link that confirms an address; or, where somebody uses it already, that they do.
    Verification {
        token: Uuid,
        email_key: String,
        what: Circumstances,
    },
    Welcome {
        account: AccountId,
    },
    PasswordReset {
        token: Uuid,
        what: Circumstances,
    },
    PasswordChanged {
        account: AccountId,
        what: Circumstances,
    },
    /// To the new address: the link that makes it the account's; or, where it is another's, that somebody tried.
    AddressChange {
        token: Uuid,
        what: Circumstances,
    },
    /// To the old one: that it was asked for, and the link that takes it back.
    AddressChangeTold {
        token: Uuid,
        what: Circumstances,
    },
    /// To the address that is no longer the account's.
    AddressChanged {
        account: AccountId,
        email: String,
        what: Circumstances,
    },
    NewDevice {
        session: SessionId,
    },
    Locked {
        email_key: String,
        until: DateTime<Utc>,
        /// It was codes that were wrong, behind the right password.
        #[serde(default)]
        knew_password: bool,
        what: Circumstances,
    },
    SessionLimit {
        ended: SessionId,
        begun: SessionId,
    },
    TokenReused {
        session: SessionId,
        what: Circumstances,
    },
    SecondFactor {
        account: AccountId,
        change: FactorChange,
        what: Circumstances,
    },
    Closed {
        account: AccountId,
        what: Circumstances,
    },
    Reopened {
        account: AccountId,
        what: Circumstances,
    },
    ExportReady {
        export: Uuid,
    },
    ApiTokenMade {
        token: ApiTokenId,
        what: Circumstances,
    },
}

impl Job for AccountMail {
    const KIND: &'static str = "accounts.mail";
    // Some hours: a mail server may be away for a night, and most links are good for a day.
    const ATTEMPTS: u32 = 20;
}

/// Asks for a mail in the transaction of what it tells of.
pub(super) async fn mail(
    tx: &mut Tx<'_>,
    mail: &AccountMail,
    client: &Client,
) -> Result<(), Error> {
    let new = New::of(mail)?.caused_by(client.correlation_id.as_str());
    new.enqueue(tx).await?;
    Ok(())
}

/// Forgets what has been of no use for long enough.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Forget {}

impl Job for Forget {
    const KIND: &'static str = "accounts.forget";
    const LIMIT: Duration = Duration::from_secs(5 * 60);
}

/// Adds the jobs of accounts to the list.
pub fn register_jobs(registry: &mut Registry, accounts: &Arc<Accounts>) {
    let mailing = Arc::clone(accounts);
    registry.on(move |mail: AccountMail, attempt| {
        let accounts = Arc::clone(&mailing);
        async move { accounts.send(mail, attempt).await }
    });
    leaving::register(registry, accounts);
    let forgetting = Arc::clone(accounts);
    registry.on(move |_: Forget, _| {
        let accounts = Arc::clone(&forgetting);
        async move { accounts.forget().await }
    });
    registry.every(
        "accounts.forget",
        Duration::from_secs(60 * 60),
        Forget::default,
    );
}

impl Accounts {
    async fn forget(&self) -> Result<(), Failure> {
        let now = self.app.clock.now();
        while self.forget_unverified(now).await? == store::SOME_UNVERIFIED {}
        for what in Forgotten::ALL {
            let kept_for = match what {
                // Long enough that a token of theirs which comes back is known for what it is.
                Forgotten::Sessions => lifetimes::REMEMBERED,
                Forgotten::ApiTokens => lifetimes::ENDED_API_TOKEN,
                Forgotten::KnownDevices => lifetimes::KNOWN_DEVICE,
                Forgotten::Failures => lifetimes::FAILURES,
                Forgotten::PendingFactors => lifetimes::PENDING_FACTOR,
                Forgotten::MailedTokens | Forgotten::SecondSteps | Forgotten::Solutions => {
                    TimeDelta::zero()
                }
            };
            let mut forgotten = 0;
            loop {
                let some = store::forget(&self.app.db, what, now - kept_for).await?;
                forgotten += some;
                if some < store::CLEANUP_BATCH {
                    break;
                }
            }
            if forgotten > 0 {
                tracing::info!(?what, forgotten, "forgot what was of no use any more");
            }
        }
        Ok(())
    }

    /// Some accounts that nobody confirmed, and what the trail has of whoever began them.
    async fn forget_unverified(&self, now: DateTime<Utc>) -> Result<usize, Error> {
        let before = now - lifetimes::UNVERIFIED_ACCOUNT;
        let mut tx = self.app.db.begin().await?;
        let forgotten = store::forget_unverified(&mut tx, before).await?;
        for account in &forgotten {
            audit::erase_personal(&mut tx, *account, now).await?;
        }
        tx.commit().await?;
        Ok(forgotten.len())
    }
}
