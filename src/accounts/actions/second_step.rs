//! The second step of signing in: a code behind a password that was right.

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::attempts::{Attempt, Challenge, Known};
use super::codes::{self, spend, wrong_code};
use super::sign_in::{Begin, SecondFactor, SignIn, SignedIn, may_sign_in};
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::model::{Account, AccountId};
use crate::accounts::secret::{self, Device};
use crate::accounts::store::{self, SecondStep};
use crate::accounts::two_factor::Code;
use crate::accounts::{Accounts, lifetimes, quotas};
use crate::audit::{self, Event};
use crate::db::Tx;

/// Of the trail.
const ASKED: &str = "login.second_factor_asked";
const FAILED: &str = "login.second_factor_failed";
const REFUSED: &str = "login.second_factor_refused";

/// What is given in it.
pub struct Completion {
    pub token: SecretString,
    pub code: SecretString,
    /// Ask for no second factor on this device for a while.
    pub trust_device: bool,
}

impl Accounts {
    /// Counts a second step that is not even tried.
    pub async fn count_second_step(&self, client: &Client) -> Result<(), Fault> {
        quotas::charge(&self.app, quotas::SECOND_STEPS, &client.limit_key).await
    }

    /// The password was right. What was chosen with it is kept until the code comes.
    pub(super) async fn begin_second_step(
        &self,
        tx: &mut Tx<'_>,
        account: &Account,
        device: Option<Uuid>,
        input: &SignIn,
        client: &Client,
    ) -> Result<SecretString, Fault> {
        let now = self.app.clock.now();
        let token = secret::SecondStep::random();
        let step = SecondStep {
            id: Uuid::now_v7(),
            device_id: device,
            is_remembered: input.remember,
            by_cookie: input.by_cookie,
        };
        let expires_at = now + lifetimes::SECOND_STEP;
        store::add_second_step(tx, step, account.id, token.hash(), expires_at, now).await?;
        let event = Event::new(ASKED, &client.by(None), now).about(account.id);
        audit::record(tx, event).await?;
        Ok(token.text())
    }

    pub async fn complete_sign_in(
        &self,
        input: Completion,
        client: &Client,
    ) -> Result<SignedIn, Fault> {
        self.count_second_step(client).await?;
        let token = secret::SecondStep::parse(input.token.expose_secret()).ok_or_else(unknown)?;
        let code = codes::read(&input.code).map_err(|mistake| mistake.of("code"))?;
        let now = self.app.clock.now();
        let (db, most) = (&self.app.db, lifetimes::MOST_TRIES);
        // Nobody was shown to be its owner.
        let event = |action, account: AccountId| self.event(action, None, client).about(account);
        let Some((step, account)) = store::try_second_step(db, token.hash(), most, now).await?
        else {
            if let Some(account) = store::whose_second_step(db, token.hash(), now).await? {
                let event = event(REFUSED, account).detail("reason", "TOO_MANY_TRIES");
                audit::record_alone(db, event).await?;
            }
            return Err(unknown().into());
        };
        let known = step.device_id.map_or(Known::Nobody, Known::Device);
        let attempt = self
            .attempt(&account.email_key, known, Challenge::CannotBeAsked, client)
            .await;
        let event = |action| event(action, account.id);
        let attempt = self.unless_kept_out(attempt, REFUSED, event).await?;
        let completed = self
            .complete(&attempt, step, &account, (&input, &code), client)
            .await;
        self.unless_ours(&attempt, completed).await
    }

    async fn complete(
        &self,
        attempt: &Attempt,
        step: SecondStep,
        account: &Account,
        (input, code): (&Completion, &Code),
        client: &Client,
    ) -> Result<SignedIn, Fault> {
        let Some(given) = self.right_code(account.id, code).await? else {
            self.failed_by_code(attempt, account, FAILED, client)
                .await?;
            return Err(wrong_code().of("code").into());
        };
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let held = store::hold_account(&mut tx, account.id).await?;
        let Some((account, _)) = held else {
            tx.rollback().await;
            return Err(unknown().into());
        };
        // What changes the password or the factor takes the steps away that were begun before.
        if !store::take_second_step(&mut tx, step.id, now).await? {
            tx.rollback().await;
            return Err(unknown().into());
        }
        if !spend(&mut tx, &account, &given, client, now).await? {
            tx.rollback().await;
            self.failed_by_code(attempt, &account, FAILED, client)
                .await?;
            return Err(wrong_code().of("code").into());
        }
        if let Err(mistake) = may_sign_in(&account, now) {
            store::forgive(&mut tx, attempt.subject).await?;
            self.not_admitted(&mut tx, &account, client).await?;
            tx.commit().await?;
            return Err(mistake.into());
        }
        let begin = Begin {
            is_remembered: step.is_remembered,
            by_cookie: step.by_cookie,
            second_factor: Some(SecondFactor::Code),
        };
        let device = renewed(&mut tx, &account, step.device_id).await?;
        let id = account.id;
        let signed_in = self
            .begin_session(&mut tx, account, attempt, device, begin, client)
            .await?;
        if let Some(device) = device_of(&signed_in).filter(|_| input.trust_device) {
            let until = now + lifetimes::TRUSTED_DEVICE;
            let trusted = store::trust_device(&mut tx, id, device.hash(), until, now).await?;
            if let Some(device) = trusted {
                let event = Event::new("device.trusted", &client.by(id), now)
                    .about(device)
                    .concerning(id.0);
                audit::record(&mut tx, event).await?;
            }
        }
        tx.commit().await?;
        Ok(signed_in)
    }
}

/// A device that gave a second factor gets a new secret: its last one may have been copied before, and whoever has the
/// copy must not be trusted by what its owner chooses now.
async fn renewed(
    tx: &mut Tx<'_>,
    account: &Account,
    device: Option<Uuid>,
) -> Result<Option<(Device, Uuid)>, Fault> {
    let Some(id) = device else {
        return Ok(None);
    };
    let token = Device::random();
    let is_known = store::renew_device(tx, id, account.id, token.hash()).await?;
    Ok(is_known.then_some((token, id)))
}

/// The one that a sign-in marked.
fn device_of(signed_in: &SignedIn) -> Option<Device> {
    let token = signed_in.credentials.device_token.as_ref()?;
    Device::parse(token.expose_secret())
}

fn unknown() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidToken,
        "The sign-in is unknown, was tried too often, or took longer than five minutes; sign in again.",
    )
    .of("twoFactorToken")
}
