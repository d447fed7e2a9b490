//! Signing in: by a password, and where the account has a second factor, by that behind it.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::attempts::{Attempt, Challenge, Known};
use super::codes::{CODE_FAILED, Given, spend, wrong_code};
use super::register::parse_email;
use crate::accounts::access::{Claims, MadeFor};
use crate::accounts::actor::Refused;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::{Account, Ending, SessionId, Status};
use crate::accounts::password::{PasswordHash, Verified};
use crate::accounts::secret::{Csrf, Device, RefreshToken};
use crate::accounts::store::{self, Beginning, NewSession};
use crate::accounts::{Accounts, lifetimes, quotas};
use crate::audit;
use crate::db::Tx;

pub struct SignIn {
    pub email: String,
    pub password: SecretString,
    /// Whether the refresh token is wanted in a cookie.
    pub by_cookie: bool,
    pub remember: bool,
    /// Of an earlier sign-in, where there are no cookies.
    pub device_token: Option<SecretString>,
    pub challenge: Option<String>,
}

/// What came of a right password.
pub enum Admitted {
    SignedIn(Box<SignedIn>),
    /// A second factor is wanted: what to go on with.
    SecondStep(SecretString),
}

/// How a session is begun, as it was chosen with the password.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begin {
    pub is_remembered: bool,
    pub by_cookie: bool,
    pub second_factor: Option<SecondFactor>,
}

/// How somebody showed that it is them, beside the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecondFactor {
    Code,
    /// On a device that was trusted when a code was given on it.
    TrustedDevice,
}

impl SecondFactor {
    fn as_str(self) -> &'static str {
        match self {
            Self::Code => "CODE",
            Self::TrustedDevice => "TRUSTED_DEVICE",
        }
    }
}

/// Somebody who has just signed in, or whose session goes on.
pub struct SignedIn {
    pub account: Arc<Account>,
    pub session: SessionId,
    pub credentials: Credentials,
}

/// What a client presents from now on.
pub struct Credentials {
    pub access_token: SecretString,
    pub access_expires_at: DateTime<Utc>,
    pub refresh_token: SecretString,
    pub refresh_expires_at: DateTime<Utc>,
    pub csrf_token: SecretString,
    /// Marks the device as known; given at each sign-in.
    pub device_token: Option<SecretString>,
    pub by_cookie: bool,
    pub is_remembered: bool,
}

impl Accounts {
    /// Counts a sign-in that is not even tried.
    pub async fn count_sign_in(&self, client: &Client) -> Result<(), Fault> {
        quotas::charge(&self.app, quotas::SIGN_INS, &client.limit_key).await
    }

    pub async fn sign_in(&self, input: SignIn, client: &Client) -> Result<Admitted, Fault> {
        let app = &self.app;
        let email_key = parse_email(&input.email, "email")?.key();
        self.count_sign_in(client).await?;
        let presented = match input.by_cookie {
            true => client
                .cookies
                .device
                .as_ref()
                .or(input.device_token.as_ref()),
            false => input.device_token.as_ref(),
        };
        let shown = presented.and_then(|token| Device::parse(token.expose_secret()));
        let facts =
            store::sign_in_facts(&app.db, &email_key, shown.as_ref().map(Device::hash)).await?;
        let device = facts.as_ref().and_then(|(_, _, device)| *device);
        let known = device.map_or(Known::Nobody, Known::Device);
        let challenge = Challenge::Solution(input.challenge.as_deref());
        let whose = facts.as_ref().map(|(account, _, _)| account.id);
        let event = |action| self.sign_in_event(action, &email_key, whose, client);
        let attempt = self.attempt(&email_key, known, challenge, client).await;
        let attempt = self
            .unless_kept_out(attempt, "login.refused", event)
            .await?;
        let stored = facts.as_ref();
        let stored = stored.map(|(_, hash, _)| PasswordHash::stored(hash.as_str()));
        let password = input.password.expose_secret();
        let verified = self.passwords.verify(password, stored.as_ref()).await;
        let verified = self
            .unless_ours(&attempt, verified.map_err(Fault::from))
            .await?;
        let Some((account, kept, _)) = facts.filter(|_| verified.matches) else {
            let failed = event("login.failed");
            self.failed(&attempt, &email_key, whose, failed, client)
                .await?;
            return Err(wrong().into());
        };
        let device = shown.zip(device);
        let admitted = self
            .admit(&attempt, (account, kept), verified, device, &input, client)
            .await;
        self.unless_ours(&attempt, admitted).await
    }

    /// The password was right a moment ago: signs in to the account as it is now. The password may have been changed, or
    /// the account suspended, while it was compared.
    async fn admit(
        &self,
        attempt: &Attempt,
        (account, mut kept): (Account, String),
        mut verified: Verified,
        device: Option<(Device, Uuid)>,
        input: &SignIn,
        client: &Client,
    ) -> Result<Admitted, Fault> {
        let (mut tx, account) = loop {
            let mut tx = self.app.db.begin().await?;
            let held = store::hold_account(&mut tx, account.id).await?;
            let (account, hash) = match held {
                Some((account, hash)) if hash == kept => break (tx, account),
                Some(changed) => changed,
                None => {
                    tx.rollback().await;
                    return Err(wrong().into());
                }
            };
            tx.rollback().await;
            // It may be the same password still, in a better hash.
            let password = input.password.expose_secret();
            let stored = PasswordHash::stored(hash.as_str());
            verified = self.passwords.verify(password, Some(&stored)).await?;
            if !verified.matches {
                let (key, whose) = (&account.email_key, Some(account.id));
                let failed = self.sign_in_event("login.failed", key, whose, client);
                self.failed(attempt, key, whose, failed, client).await?;
                return Err(wrong().into());
            }
            kept = hash;
        };
        if let Err(mistake) = may_sign_in(&account, self.app.clock.now()) {
            store::forgive(&mut tx, attempt.subject).await?;
            self.not_admitted(&mut tx, &account, client).await?;
            tx.commit().await?;
            return Err(mistake.into());
        }
        if let Some(renewed) = &verified.renewed {
            store::renew_hash(&mut tx, account.id, renewed.as_str()).await?;
        }
        let known = device.as_ref().map(|(_, device)| *device);
        if self.wants_second_step(&mut tx, &account, known).await? {
            let token = self
                .begin_second_step(&mut tx, &account, known, input, client)
                .await?;
            tx.commit().await?;
            // No failure, but no end of those before either: whoever has the password could guess codes for ever.
            self.take_back(attempt).await;
            return Ok(Admitted::SecondStep(token));
        }
        let begin = Begin {
            is_remembered: input.remember,
            by_cookie: input.by_cookie,
            // Else the second step would have come first.
            second_factor: account.two_factor_at.map(|_| SecondFactor::TrustedDevice),
        };
        let signed_in = self
            .begin_session(&mut tx, account, attempt, device, begin, client)
            .await?;
        tx.commit().await?;
        Ok(Admitted::SignedIn(Box::new(signed_in)))
    }

    /// Where the account has a second factor, but for devices that are spared it.
    async fn wants_second_step(
        &self,
        tx: &mut Tx<'_>,
        account: &Account,
        device: Option<Uuid>,
    ) -> Result<bool, Fault> {
        let now = self.app.clock.now();
        Ok(match (account.two_factor_at, device) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(_), Some(device)) => !store::is_trusted(tx, device, account.id, now).await?,
        })
    }

    pub(super) async fn begin_session(
        &self,
        tx: &mut Tx<'_>,
        account: Account,
        attempt: &Attempt,
        device: Option<(Device, Uuid)>,
        begin: Begin,
        client: &Client,
    ) -> Result<SignedIn, Fault> {
        let account = self.reopened(tx, account, client).await?;
        let now = self.app.clock.now();
        let session = SessionId(Uuid::now_v7());
        let refresh = RefreshToken::first(session);
        let expires_at = now
            + match begin.is_remembered {
                true => lifetimes::REMEMBERED,
                false => lifetimes::NOT_REMEMBERED,
            };
        let new = NewSession {
            id: session,
            account_id: account.id,
            token_hash: refresh.hash(),
            is_remembered: begin.is_remembered,
            by_cookie: begin.by_cookie,
            has_second_factor: begin.second_factor.is_some(),
            user_agent: client.user_agent.clone(),
            ip_address: client.shown_address(),
            expires_at,
        };
        let with = Beginning {
            forgiven: attempt.subject,
            device: device.as_ref().map(|(_, device)| *device),
            most: lifetimes::MOST_SESSIONS,
            event: self
                .event("login.succeeded", account.id, client)
                .about(account.id)
                .detail("session", session.to_string())
                .detail("knownDevice", device.is_some())
                .detail(
                    "secondFactor",
                    begin.second_factor.map(SecondFactor::as_str),
                ),
        };
        let begun = store::begin_session(tx, new, with, now).await?;
        let ended = begun.ended.iter().map(|ended| {
            let event =
                self.session_event("session.ended", account.id, ended.id, account.id, client);
            event.detail("because", Ending::TooMany.as_str())
        });
        audit::record_all(tx, ended.collect()).await?;
        for ended in begun.ended {
            let mail = AccountMail::SessionLimit {
                ended: ended.id,
                begun: session,
            };
            jobs::mail(tx, &mail, client).await?;
        }
        let device_token = match device {
            Some((token, _)) => token.text(),
            None => {
                let token = Device::random();
                let agent = client.user_agent.clone();
                let most = lifetimes::MOST_DEVICES;
                store::add_device(tx, account.id, token.hash(), agent, most, now).await?;
                // Nobody needs to hear of their first. That no device is known says nothing: they are forgotten when a
                // password is changed, and then a thief's is to be told of all the more.
                if begun.had_others {
                    jobs::mail(tx, &AccountMail::NewDevice { session }, client).await?;
                }
                token.text()
            }
        };
        let credentials = self.credentials(
            &account,
            session,
            &refresh,
            Delivery {
                expires_at,
                by_cookie: begin.by_cookie,
                is_remembered: begin.is_remembered,
            },
            Some(device_token),
        )?;
        Ok(SignedIn {
            account: Arc::new(account),
            session,
            credentials,
        })
    }

    pub(super) fn credentials(
        &self,
        account: &Account,
        session: SessionId,
        refresh: &RefreshToken,
        delivery: Delivery,
        device_token: Option<SecretString>,
    ) -> Result<Credentials, Fault> {
        let now = self.app.clock.now();
        // Never beyond its session, and in whole seconds, as tokens have it.
        let access_expires_at = (now + lifetimes::ACCESS_TOKEN)
            .min(delivery.expires_at)
            .trunc_subsecs(0);
        let access_token = self
            .access
            .mint(&Claims {
                account: account.id,
                made_for: MadeFor::Session(session, &account.roles),
                expires_at: access_expires_at,
            })
            .map_err(|error| Fault::Internal(error.to_string()))?;
        Ok(Credentials {
            access_token: access_token.into(),
            access_expires_at,
            refresh_token: refresh.text(&self.keys),
            refresh_expires_at: delivery.expires_at,
            csrf_token: Csrf::mint(&self.keys, session).into(),
            device_token,
            by_cookie: delivery.by_cookie,
            is_remembered: delivery.is_remembered,
        })
    }

    /// An attempt by somebody who is signed in, or of a known address; whatever comes of it is counted.
    pub(in crate::accounts) async fn check_password<'c>(
        &self,
        account: &Account,
        session: SessionId,
        password: &SecretString,
        field: &'static str,
        client: &'c Client,
    ) -> Result<Compared<'c>, Fault> {
        let Some((account, kept)) = store::with_password(&self.app.db, account.id).await? else {
            return Err(wrong().of(field).into());
        };
        let known = Known::Session(session);
        let attempt = self
            .attempt(&account.email_key, known, Challenge::CannotBeAsked, client)
            .await;
        let attempt = self
            .unless_locked_out(attempt, "password.refused", account.id, client)
            .await?;
        let stored = PasswordHash::stored(kept.as_str());
        let verified = self
            .passwords
            .verify(password.expose_secret(), Some(&stored))
            .await;
        let verified = self
            .unless_ours(&attempt, verified.map_err(Fault::from))
            .await?;
        if !verified.matches {
            let failed = self.event("password.failed", account.id, client);
            let (key, whose) = (&account.email_key, Some(account.id));
            self.failed(&attempt, key, whose, failed.about(account.id), client)
                .await?;
            let mistake = Mistake::new(MistakeCode::InvalidCredentials, "The password is wrong.");
            return Err(mistake.of(field).into());
        }
        Ok(Compared {
            account,
            session,
            hash: kept,
            attempt,
            code: None,
            client,
            at: self.app.clock.now(),
        })
    }

    /// Begins what a right password was given for, by whoever is signed in still: holds the account, uses up the code that
    /// came with the password, and forgives the attempt.
    pub(super) async fn begin_as_compared(
        &self,
        compared: &Compared<'_>,
        field: &'static str,
    ) -> Result<(Tx<'_>, Account), Fault> {
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let attempt = &compared.attempt;
        match hold_as_compared(&mut tx, compared, now).await? {
            Held::AsCompared(account) => Ok((tx, account)),
            Held::Changed => {
                tx.rollback().await;
                let mistake = Mistake::new(
                    MistakeCode::InvalidCredentials,
                    "The password or the second factor was changed meanwhile.",
                );
                Err(mistake.of(field).into())
            }
            Held::Out => {
                tx.rollback().await;
                // The password was right all the same.
                self.take_back(attempt).await;
                Err(Refused::Unauthenticated.into())
            }
            Held::Spent(account, field) => {
                tx.rollback().await;
                let client = compared.client;
                self.failed_by_code(attempt, &account, CODE_FAILED, client)
                    .await?;
                Err(wrong_code().of(field).into())
            }
        }
    }
}

/// A password that was right, and a code behind it perhaps; and what they were compared with.
pub(in crate::accounts) struct Compared<'c> {
    pub account: Account,
    /// In which it was given.
    session: SessionId,
    hash: String,
    pub attempt: Attempt,
    /// With the field that it came in.
    code: Option<(Given, &'static str)>,
    pub client: &'c Client,
    at: DateTime<Utc>,
}

impl Compared<'_> {
    pub(super) fn with_code(self, code: Given, field: &'static str) -> Self {
        Self {
            code: Some((code, field)),
            ..self
        }
    }
}

/// What an account is, once it is held, beside what its password was compared with a moment ago.
enum Held {
    AsCompared(Account),
    /// The password or the second factor is another.
    Changed,
    /// Nobody is signed in by that session any more.
    Out,
    /// The code was used by somebody who was faster; with the field that it came in.
    Spent(Account, &'static str),
}

/// Unless the account is as it was, the transaction is not gone on with.
async fn hold_as_compared(
    tx: &mut Tx<'_>,
    compared: &Compared<'_>,
    now: DateTime<Utc>,
) -> Result<Held, Fault> {
    let held = store::hold_account(tx, compared.account.id).await?;
    let is_same = |(account, hash): &(Account, String)| {
        *hash == compared.hash && account.two_factor_at == compared.account.two_factor_at
    };
    let Some((account, _)) = held.filter(is_same) else {
        return Ok(Held::Changed);
    };
    if !is_signed_in(tx, &account, compared.session, now).await? {
        return Ok(Held::Out);
    }
    let attempt = &compared.attempt;
    match &compared.code {
        Some((code, field)) => {
            if !spend(tx, &account, code, compared.client, compared.at).await? {
                return Ok(Held::Spent(account, field));
            }
            store::forgive(tx, attempt.subject).await?;
        }
        // By the password alone whoever has it could go on guessing codes.
        None if account.two_factor_at.is_some() => {
            store::take_back_in(tx, attempt.subject, attempt.locked_until).await?;
        }
        None => {
            store::forgive(tx, attempt.subject).await?;
        }
    }
    Ok(Held::AsCompared(account))
}

/// Whether an account may be used by a session, once it is held: whoever waited for it may be out by then.
pub(super) async fn is_signed_in(
    tx: &mut Tx<'_>,
    held: &Account,
    session: SessionId,
    now: DateTime<Utc>,
) -> Result<bool, Fault> {
    Ok(held.status == Status::Active && store::goes_on(tx, session, held.id, now).await?)
}

pub(super) struct Delivery {
    pub expires_at: DateTime<Utc>,
    pub by_cookie: bool,
    pub is_remembered: bool,
}

/// Said only to those who have the password.
pub(super) fn may_sign_in(account: &Account, now: DateTime<Utc>) -> Result<(), Mistake> {
    match account.status {
        Status::Active => Ok(()),
        Status::Unverified => Err(Mistake::new(
            MistakeCode::Unverified,
            "The address is not confirmed yet; follow the link in the mail, or have it sent again by resendVerification.",
        )),
        Status::Suspended => Err(Mistake::new(
            MistakeCode::Suspended,
            "The account is suspended.",
        )),
        // Signing in is how its owner comes back.
        Status::Closed if account.can_be_reopened(now) => Ok(()),
        Status::Closed => Err(wrong()),
    }
}

pub(super) fn wrong() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidCredentials,
        "Wrong e-mail address or password.",
    )
}
