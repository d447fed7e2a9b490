//! Signing in.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, Utc};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::attempts::{Attempt, Challenge, Known};
use super::register::parse_email;
use crate::accounts::access::Claims;
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::{Account, AccountId, SessionId, Status};
use crate::accounts::password::{PasswordHash, Verified};
use crate::accounts::secret::{Csrf, Device, RefreshToken};
use crate::accounts::store::{self, Beginning, NewSession};
use crate::accounts::{Accounts, lifetimes, quotas};
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

    pub async fn sign_in(&self, input: SignIn, client: &Client) -> Result<SignedIn, Fault> {
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
        let attempt = self.attempt(&email_key, known, challenge, client).await?;
        let stored = facts.as_ref();
        let stored = stored.map(|(_, hash, _)| PasswordHash::stored(hash.as_str()));
        let password = input.password.expose_secret();
        let verified = self.passwords.verify(password, stored.as_ref()).await;
        let verified = self
            .unless_ours(&attempt, verified.map_err(Fault::from))
            .await?;
        let Some((account, kept, _)) = facts.filter(|_| verified.matches) else {
            self.failed(&attempt, &email_key, client).await?;
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
    ) -> Result<SignedIn, Fault> {
        let (mut tx, account) = loop {
            let mut tx = self.app.db.begin().await?;
            let held = store::hold_account(&mut tx, account.id).await?;
            let (account, hash) = match held {
                Some((account, hash)) if hash == kept => break (tx, account),
                Some(changed) => changed,
                None => {
                    tx.rollback().await?;
                    return Err(wrong().into());
                }
            };
            tx.rollback().await?;
            // It may be the same password still, in a better hash.
            let password = input.password.expose_secret();
            let stored = PasswordHash::stored(hash.as_str());
            verified = self.passwords.verify(password, Some(&stored)).await?;
            if !verified.matches {
                self.failed(attempt, &account.email_key, client).await?;
                return Err(wrong().into());
            }
            kept = hash;
        };
        if let Err(mistake) = may_sign_in(&account) {
            store::forgive(&mut tx, attempt.subject).await?;
            tx.commit().await?;
            return Err(mistake.into());
        }
        if let Some(renewed) = &verified.renewed {
            store::renew_hash(&mut tx, account.id, renewed.as_str()).await?;
        }
        let signed_in = self
            .begin_session(&mut tx, account, attempt, device, input, client)
            .await?;
        tx.commit().await?;
        Ok(signed_in)
    }

    async fn begin_session(
        &self,
        tx: &mut Tx<'_>,
        account: Account,
        attempt: &Attempt,
        device: Option<(Device, Uuid)>,
        input: &SignIn,
        client: &Client,
    ) -> Result<SignedIn, Fault> {
        let now = self.app.clock.now();
        let session = SessionId(Uuid::now_v7());
        let refresh = RefreshToken::first(session);
        let expires_at = now
            + match input.remember {
                true => lifetimes::REMEMBERED,
                false => lifetimes::NOT_REMEMBERED,
            };
        let new = NewSession {
            id: session,
            account_id: account.id,
            token_hash: refresh.hash(),
            is_remembered: input.remember,
            by_cookie: input.by_cookie,
            user_agent: client.user_agent.clone(),
            ip_address: client.shown_address(),
            expires_at,
        };
        let with = Beginning {
            forgiven: attempt.subject,
            device: device.as_ref().map(|(_, device)| *device),
            most: lifetimes::MOST_SESSIONS,
        };
        let begun = store::begin_session(tx, new, with, now).await?;
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
                by_cookie: input.by_cookie,
                is_remembered: input.remember,
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
                session,
                roles: &account.roles,
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
    pub(in crate::accounts) async fn check_password(
        &self,
        account: &Account,
        session: SessionId,
        password: &SecretString,
        field: &'static str,
        client: &Client,
    ) -> Result<Compared, Fault> {
        let Some((account, kept)) = store::with_password(&self.app.db, account.id).await? else {
            return Err(wrong().of(field).into());
        };
        let known = Known::Session(session);
        let attempt = self
            .attempt(&account.email_key, known, Challenge::CannotBeAsked, client)
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
            self.failed(&attempt, &account.email_key, client).await?;
            let mistake = Mistake::new(MistakeCode::InvalidCredentials, "The password is wrong.");
            return Err(mistake.of(field).into());
        }
        Ok(Compared {
            hash: kept,
            attempt,
        })
    }
}

/// A password that was right, and what it was compared with.
pub(in crate::accounts) struct Compared {
    hash: String,
    pub attempt: Attempt,
}

/// Holds an account whose password was right a moment ago, and forgives the attempt. Where the password was changed
/// meanwhile, the transaction is not gone on with.
pub(super) async fn hold_as_compared(
    tx: &mut Tx<'_>,
    account: AccountId,
    compared: &Compared,
    field: &'static str,
) -> Result<Account, Fault> {
    let held = store::hold_account(tx, account).await?;
    let Some((account, _)) = held.filter(|(_, hash)| *hash == compared.hash) else {
        let mistake = Mistake::new(
            MistakeCode::InvalidCredentials,
            "The password was changed meanwhile.",
        );
        return Err(mistake.of(field).into());
    };
    store::forgive(tx, compared.attempt.subject).await?;
    Ok(account)
}

pub(super) struct Delivery {
    pub expires_at: DateTime<Utc>,
    pub by_cookie: bool,
    pub is_remembered: bool,
}

/// Said only to those who have the password.
fn may_sign_in(account: &Account) -> Result<(), Mistake> {
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
        Status::Closed => Err(wrong()),
    }
}

fn wrong() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidCredentials,
        "Wrong e-mail address or password.",
    )
}
