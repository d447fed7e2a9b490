//! Codes of a second factor: whether one is right, and that it counts once.
//!
//! A code is tried within an attempt that was counted before: the password's that it goes with, or one of its own. It is
//! used up in the transaction of what it was given for, so that nothing is done by a code that was used, and none is used
//! for what was not done.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::sign_in::Compared;
use super::two_factor::tell;
use crate::accounts::Accounts;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::mails::FactorChange;
use crate::accounts::model::{Account, AccountId};
use crate::accounts::store::{self, Factor, Hash};
use crate::accounts::two_factor::{Code, OneTimeSecret};
use crate::db::Tx;

/// Of the trail: a code behind the password of somebody who is signed in.
pub(super) const CODE_FAILED: &str = "second_factor.failed";

/// A code that was right, to be used up.
#[derive(Debug)]
pub(in crate::accounts) enum Given {
    OneTime {
        step: i64,
        /// Of the factor that it is a code of.
        confirmed_at: DateTime<Utc>,
    },
    Recovery(Hash),
}

impl Accounts {
    /// For what wants a code beside the password where the account has a second factor; where it has none, none is looked
    /// at. It is tried within the password's attempt, which stays counted if the code is wrong. What came of it is used up
    /// by [`begin_as_compared`](Self::begin_as_compared).
    pub(in crate::accounts) async fn check_code<'c>(
        &self,
        compared: Compared<'c>,
        code: Option<&SecretString>,
        field: &'static str,
    ) -> Result<Compared<'c>, Fault> {
        if compared.account.two_factor_at.is_none() {
            return Ok(compared);
        }
        let attempt = &compared.attempt;
        let code = match code.filter(|code| !code.expose_secret().trim().is_empty()) {
            Some(code) => read(code),
            None => Err(Mistake::new(
                MistakeCode::InvalidCode,
                "The account has two-factor authentication: send a code of your authenticator, or a recovery code.",
            )),
        };
        let code = match code {
            Ok(code) => code,
            Err(mistake) => {
                // The password was right, and nothing was guessed.
                self.take_back(attempt).await;
                return Err(mistake.of(field).into());
            }
        };
        let judged = self.right_code(compared.account.id, &code).await;
        match self.unless_ours(attempt, judged).await? {
            Some(given) => Ok(compared.with_code(given, field)),
            None => {
                let (account, client) = (&compared.account, compared.client);
                self.failed_by_code(attempt, account, CODE_FAILED, client)
                    .await?;
                Err(wrong_code().of(field).into())
            }
        }
    }

    /// A code as it is to be used up, if it is right as far as can be told before.
    pub(super) async fn right_code(
        &self,
        account: AccountId,
        code: &Code,
    ) -> Result<Option<Given>, Fault> {
        let db = &self.app.db;
        match code {
            Code::OneTime(digits) => {
                let Some(factor) = store::factor(db, account).await? else {
                    return Ok(None);
                };
                let (Some(confirmed_at), Some(last)) = (factor.confirmed_at, factor.last_step)
                else {
                    return Ok(None);
                };
                let step = self.step_of(account, &factor, digits)?;
                Ok(step
                    .filter(|step| *step > last)
                    .map(|step| Given::OneTime { step, confirmed_at }))
            }
            Code::Recovery(code) => {
                let code = code.hash(account);
                let is_one = store::has_recovery_code(db, account, code).await?;
                Ok(is_one.then_some(Given::Recovery(code)))
            }
        }
    }

    /// Whose step six digits are the code of, if of any that counts now.
    pub(super) fn step_of(
        &self,
        account: AccountId,
        factor: &Factor,
        six_digits: &SecretString,
    ) -> Result<Option<i64>, Fault> {
        let place = store::TOTP_SECRET.of(account.0);
        let opened = self.app.vault.open(&place, &factor.sealed);
        let opened = opened.map_err(|error| Fault::Internal(error.to_string()))?;
        let secret = OneTimeSecret::of(opened.expose_secret());
        let secret = secret.ok_or_else(|| {
            Fault::Internal("the secret of a second factor has another length".into())
        })?;
        Ok(secret.step_of(six_digits.expose_secret(), self.app.clock.now()))
    }

    pub(super) fn sealed(
        &self,
        account: AccountId,
        secret: &OneTimeSecret,
    ) -> Result<Vec<u8>, Fault> {
        let place = store::TOTP_SECRET.of(account.0);
        let sealed = self.app.vault.seal(&place, secret.bytes());
        sealed.map_err(|error| Fault::Internal(error.to_string()))
    }
}

/// Uses a code up, of an account that is held; false where somebody was faster.
pub(super) async fn spend(
    tx: &mut Tx<'_>,
    account: &Account,
    given: &Given,
    client: &Client,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    match given {
        Given::OneTime { step, confirmed_at } => {
            Ok(store::spend_step(tx, account.id, *confirmed_at, *step).await?)
        }
        Given::Recovery(code) => {
            let Some(left) = store::spend_recovery_code(tx, account.id, *code).await? else {
                return Ok(false);
            };
            let (id, change) = (account.id, FactorChange::CodeUsed { left });
            tell(tx, id, change, Some(id), client, now).await?;
            Ok(true)
        }
    }
}

/// What was sent, as a code. What can be none was mistyped and is no guess, so it is not counted as one.
pub(super) fn read(code: &SecretString) -> Result<Code, Mistake> {
    Code::parse(code).ok_or_else(|| {
        Mistake::new(
            MistakeCode::InvalidCode,
            "That is no code: an authenticator's has six digits, a recovery code 16 letters and digits.",
        )
    })
}

/// The same for whatever is wrong with it, used codes and recovery codes too.
pub(super) fn wrong_code() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidCode,
        "The code is wrong, or was used already; take the next one.",
    )
}
