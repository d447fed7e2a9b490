//! Setting up a second factor, taking it away, and the codes for when it is lost.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::attempts::{Attempt, Challenge, Known};
use super::codes::{self, wrong_code};
use super::sign_in::is_signed_in;
use crate::accounts::actor::Refused;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::mails::{BRAND, FactorChange};
use crate::accounts::model::{AccountId, Principal, TrustedDeviceId};
use crate::accounts::secret::RecoveryCode;
use crate::accounts::two_factor::{Code, OneTimeSecret, as_svg};
use crate::accounts::{Accounts, lifetimes, quotas, store};
use crate::audit::{self, Event};
use crate::db::Tx;

/// A secret that waits to be confirmed, as an authenticator reads it and as a camera does.
pub struct BegunFactor {
    pub uri: SecretString,
    pub picture: SecretString,
}

impl Accounts {
    /// Nothing changes until it is confirmed. What was begun before counts no more.
    pub async fn begin_two_factor(
        &self,
        principal: &Principal,
        password: &SecretString,
        client: &Client,
    ) -> Result<BegunFactor, Fault> {
        let account = &principal.account;
        if account.two_factor_at.is_some() {
            return Err(already_enabled().into());
        }
        self.charge_change(account.id).await?;
        let compared = self
            .check_password(account, principal.session, password, "password", client)
            .await?;
        let made = self.new_factor(account.id, &account.email);
        let (begun, sealed) = self.unless_ours(&compared.attempt, made).await?;
        let now = self.app.clock.now();
        let (mut tx, account) = self.begin_as_compared(&compared, "password").await?;
        if !store::begin_factor(&mut tx, account.id, sealed, now).await? {
            tx.rollback().await;
            return Err(already_enabled().into());
        }
        let event = Event::new("two_factor.begun", &client.by(account.id), now).about(account.id);
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(begun)
    }

    /// A secret as it is shown, and as it is kept.
    fn new_factor(&self, account: AccountId, email: &str) -> Result<(BegunFactor, Vec<u8>), Fault> {
        let secret = OneTimeSecret::random();
        let uri = secret
            .uri(BRAND, email)
            .map_err(|error| Fault::Internal(error.to_string()))?;
        let picture = as_svg(&uri).map_err(|error| Fault::Internal(error.to_string()))?;
        Ok((BegunFactor { uri, picture }, self.sealed(account, &secret)?))
    }

    /// By a code of what was begun: from now on one is asked for. Gives the recovery codes, which nobody can read again.
    pub async fn confirm_two_factor(
        &self,
        principal: &Principal,
        code: &SecretString,
        client: &Client,
    ) -> Result<Vec<SecretString>, Fault> {
        let account = &principal.account;
        let now = self.app.clock.now();
        let code = codes::read(code).map_err(|mistake| mistake.of("code"))?;
        let factor = store::factor(&self.app.db, account.id).await?;
        let factor = factor.ok_or_else(not_begun)?;
        if factor.confirmed_at.is_some() {
            return Err(already_enabled().into());
        }
        if factor.begun_at + lifetimes::PENDING_FACTOR <= now {
            return Err(not_begun().into());
        }
        let known = Known::Session(principal.session);
        let attempt = self
            .attempt(&account.email_key, known, Challenge::CannotBeAsked, client)
            .await;
        let attempt = self
            .unless_locked_out(attempt, "two_factor.refused", account.id, client)
            .await?;
        let step = match &code {
            Code::OneTime(digits) => self.step_of(account.id, &factor, digits),
            Code::Recovery(_) => Ok(None),
        };
        let Some(step) = self.unless_ours(&attempt, step).await? else {
            let failed = self.event("two_factor.failed", account.id, client);
            let (key, whose) = (&account.email_key, Some(account.id));
            self.failed(&attempt, key, whose, failed.about(account.id), client)
                .await?;
            return Err(wrong_code().of("code").into());
        };
        let confirmed = self
            .confirm(&attempt, principal, (factor.begun_at, step), client, now)
            .await;
        self.unless_ours(&attempt, confirmed).await
    }

    async fn confirm(
        &self,
        attempt: &Attempt,
        principal: &Principal,
        (begun_at, step): (DateTime<Utc>, i64),
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<Vec<SecretString>, Fault> {
        let account = principal.account.id;
        let mut tx = self.app.db.begin().await?;
        let held = store::hold_account(&mut tx, account).await?;
        let is_in = match held {
            Some((held, _)) => is_signed_in(&mut tx, &held, principal.session, now).await?,
            None => false,
        };
        if !is_in {
            // Its owner may have put out a thief meanwhile, who would lock them out by this.
            tx.rollback().await;
            self.take_back(attempt).await;
            return Err(Refused::Unauthenticated.into());
        }
        if !store::confirm_factor(&mut tx, account, begun_at, step, now).await? {
            tx.rollback().await;
            // Somebody was faster: with the same, or by beginning another.
            self.take_back(attempt).await;
            let factor = store::factor(&self.app.db, account).await?;
            let is_in_use = factor.is_some_and(|factor| factor.confirmed_at.is_some());
            return Err(match is_in_use {
                true => already_enabled().into(),
                false => not_begun().into(),
            });
        }
        store::forgive(&mut tx, attempt.subject).await?;
        store::mark_session(&mut tx, principal.session, account).await?;
        store::distrust_devices(&mut tx, account).await?;
        let codes = new_codes(&mut tx, account).await?;
        let by = Some(account);
        tell(&mut tx, account, FactorChange::Enabled, by, client, now).await?;
        tx.commit().await?;
        Ok(codes)
    }

    pub async fn disable_two_factor(
        &self,
        principal: &Principal,
        password: &SecretString,
        code: &SecretString,
        client: &Client,
    ) -> Result<(), Fault> {
        let (mut tx, account, now) = self
            .hold_with_code(principal, password, code, client)
            .await?;
        if !drop_factor(&mut tx, account, now).await? {
            tx.rollback().await;
            return Err(not_enabled().into());
        }
        let by = Some(account);
        tell(&mut tx, account, FactorChange::Disabled, by, client, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The old ones no longer count.
    pub async fn regenerate_recovery_codes(
        &self,
        principal: &Principal,
        password: &SecretString,
        code: &SecretString,
        client: &Client,
    ) -> Result<Vec<SecretString>, Fault> {
        let (mut tx, account, now) = self
            .hold_with_code(principal, password, code, client)
            .await?;
        // Whoever had the old ones may have had a device trusted by one of them.
        store::distrust_devices(&mut tx, account).await?;
        let codes = new_codes(&mut tx, account).await?;
        let by = Some(account);
        tell(
            &mut tx,
            account,
            FactorChange::CodesRenewed,
            by,
            client,
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(codes)
    }

    /// The account is held, and has a second factor that was given, with the password.
    async fn hold_with_code(
        &self,
        principal: &Principal,
        password: &SecretString,
        code: &SecretString,
        client: &Client,
    ) -> Result<(Tx<'_>, AccountId, DateTime<Utc>), Fault> {
        let account = &principal.account;
        if account.two_factor_at.is_none() {
            return Err(not_enabled().into());
        }
        self.charge_change(account.id).await?;
        let compared = self
            .check_password(account, principal.session, password, "password", client)
            .await?;
        let compared = self.check_code(compared, Some(code), "code").await?;
        let now = self.app.clock.now();
        let (tx, account) = self.begin_as_compared(&compared, "password").await?;
        match account.two_factor_at {
            Some(_) => Ok((tx, account.id, now)),
            None => {
                tx.rollback().await;
                Err(not_enabled().into())
            }
        }
    }

    /// Asks for a second factor on a device again.
    pub async fn distrust(
        &self,
        principal: &Principal,
        device: Option<TrustedDeviceId>,
        client: &Client,
    ) -> Result<TrustedDeviceId, Fault> {
        let unknown = || {
            Mistake::new(MistakeCode::NotFound, "You trust no such device.").of("trustedDeviceId")
        };
        let device = device.ok_or_else(unknown)?;
        let now = self.app.clock.now();
        let account = principal.account.id;
        let mut tx = self.app.db.begin().await?;
        if !store::distrust_device(&mut tx, device, account, now).await? {
            tx.rollback().await;
            return Err(unknown().into());
        }
        let event = Event::new("device.distrusted", &client.by(account), now)
            .about(device)
            .concerning(account.0);
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(device)
    }

    /// Each costs what a sign-in does.
    async fn charge_change(&self, account: AccountId) -> Result<(), Fault> {
        let whose = account.to_string();
        quotas::charge(&self.app, quotas::FACTOR_CHANGES, &whose).await
    }
}

/// Takes a second factor away, and all that was let in by it; false where there was none. What it was asked for in goes
/// on, without being a second factor's any more.
pub(super) async fn drop_factor(
    tx: &mut Tx<'_>,
    account: AccountId,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    if !store::drop_factor(tx, account, now).await? {
        return Ok(false);
    }
    store::void_recovery_codes(tx, account).await?;
    store::void_second_steps(tx, account).await?;
    store::distrust_devices(tx, account).await?;
    store::unmark_sessions(tx, account).await?;
    Ok(true)
}

/// Tells the owner what became of their second factor, and the trail.
pub(super) async fn tell(
    tx: &mut Tx<'_>,
    account: AccountId,
    change: FactorChange,
    by: Option<AccountId>,
    client: &Client,
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let (action, left) = match change {
        FactorChange::Enabled => ("two_factor.enabled", None),
        FactorChange::Disabled => ("two_factor.disabled", None),
        FactorChange::CodesRenewed => ("recovery_codes.renewed", None),
        FactorChange::CodeUsed { left } => ("recovery_code.used", Some(left)),
    };
    let event = Event::new(action, &client.by(by), now).about(account);
    let event = match left {
        Some(left) => event.detail("left", left),
        None => event,
    };
    audit::record(tx, event).await?;
    let what = client.circumstances(now);
    let mail = AccountMail::SecondFactor {
        account,
        change,
        what,
    };
    Ok(jobs::mail(tx, &mail, client).await?)
}

/// Codes in the place of any others.
async fn new_codes(tx: &mut Tx<'_>, account: AccountId) -> Result<Vec<SecretString>, Fault> {
    let codes: Vec<RecoveryCode> = (0..lifetimes::RECOVERY_CODES)
        .map(|_| RecoveryCode::random())
        .collect();
    let hashes: Vec<_> = codes.iter().map(|code| code.hash(account)).collect();
    store::void_recovery_codes(tx, account).await?;
    store::add_recovery_codes(tx, account, &hashes).await?;
    Ok(codes.iter().map(RecoveryCode::text).collect())
}

fn already_enabled() -> Mistake {
    Mistake::new(
        MistakeCode::AlreadyEnabled,
        "The account has two-factor authentication already; disable it first to set up another.",
    )
}

fn not_enabled() -> Mistake {
    Mistake::new(
        MistakeCode::NotEnabled,
        "The account has no two-factor authentication.",
    )
}

fn not_begun() -> Mistake {
    Mistake::new(
        MistakeCode::NotEnabled,
        "There is nothing to confirm, or it was begun more than an hour ago; begin by beginTwoFactor.",
    )
}
