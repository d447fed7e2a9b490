//! Staying signed in: a refresh token is traded for its child, once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use super::sign_in::{Delivery, SignedIn};
use crate::accounts::client::Client;
use crate::accounts::events::ACCESS_REFUSED;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::{Ending, SessionId};
use crate::accounts::secret::{Csrf, RefreshToken};
use crate::accounts::store::{self, Family, Turn};
use crate::accounts::{Accounts, lifetimes};
use crate::audit;

/// Where the refresh token came from; what came by cookie goes back by cookie.
pub enum RefreshWith {
    Token(SecretString),
    Cookie,
}

impl Accounts {
    pub async fn refresh(&self, with: RefreshWith, client: &Client) -> Result<SignedIn, Fault> {
        let (presented, by_cookie) = match &with {
            RefreshWith::Token(text) => (self.presented(Some(text)), false),
            RefreshWith::Cookie => (self.presented(client.cookies.refresh.as_ref()), true),
        };
        let unknown = || unknown(by_cookie);
        if by_cookie && client.cookies.refresh.is_none() {
            return Err(Mistake::new(
                MistakeCode::InvalidToken,
                "No refresh token came, neither in the input nor in the cookie; sign in again.",
            )
            .into());
        }
        let presented = presented.ok_or_else(unknown)?;
        if by_cookie {
            self.check_csrf(&presented, "refreshSession", client)
                .await?;
        }
        let now = self.app.clock.now();
        let child = presented.child(&self.keys);
        let turn = Turn {
            session: presented.session(),
            generation: presented.generation(),
            presented: presented.hash(),
            child: child.hash(),
            by_cookie,
            user_agent: client.user_agent.clone(),
            ip_address: client.shown_address(),
        };
        if let Some(family) = store::turn(
            &self.app.db,
            turn,
            lifetimes::REMEMBERED,
            lifetimes::NOT_REMEMBERED,
            now,
        )
        .await?
        {
            return self.goes_on(family, &child);
        }
        let family = store::family(&self.app.db, presented.session()).await?;
        let family = family
            .filter(|family| family.is_usable(now) && family.by_cookie == by_cookie)
            .ok_or_else(unknown)?;
        match self.was_repeated(&family, &presented, now) {
            Repeated::JustNow(child) => self.goes_on(family, &child),
            Repeated::Later => {
                self.end_for_reuse(family.session.id, client, now).await?;
                Err(unknown().into())
            }
            Repeated::Never => Err(unknown().into()),
        }
    }

    fn goes_on(&self, family: Family, refresh: &RefreshToken) -> Result<SignedIn, Fault> {
        let delivery = Delivery {
            expires_at: family.session.expires_at,
            by_cookie: family.by_cookie,
            is_remembered: family.session.is_remembered,
        };
        let session = family.session.id;
        let credentials = self.credentials(&family.account, session, refresh, delivery, None)?;
        Ok(SignedIn {
            account: Arc::new(family.account),
            session,
            credentials,
        })
    }

    fn was_repeated(
        &self,
        family: &Family,
        presented: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Repeated {
        let (generation, newest) = (presented.generation(), family.generation);
        if generation >= newest {
            // It would be the newest, or one that was never given out.
            return Repeated::Never;
        }
        let is_parent = generation + 1 == newest
            && family.previous_hash.as_deref() == Some(&presented.hash()[..]);
        let is_in_time = family
            .rotated_at
            .is_some_and(|rotated_at| now < rotated_at + lifetimes::REFRESH_GRACE);
        if is_parent && is_in_time {
            // By whichever key was the first then.
            let newest = family.token_hash[..].try_into().ok();
            let child = newest.and_then(|hash| presented.child_of_hash(&self.keys, hash));
            if let Some(child) = child {
                return Repeated::JustNow(child);
            }
        }
        Repeated::Later
    }

    /// Whoever used the token first, one of the two is a thief.
    async fn end_for_reuse(
        &self,
        session: SessionId,
        client: &Client,
        now: DateTime<Utc>,
    ) -> Result<(), Fault> {
        let mut tx = self.app.db.begin().await?;
        let ended = store::end_session(&mut tx, session, None, Ending::TokenReused, now).await?;
        if let Some(account) = ended {
            let event = self.session_event("session.token_reused", None, session, account, client);
            audit::record(&mut tx, event).await?;
            let what = client.circumstances(now);
            jobs::mail(&mut tx, &AccountMail::TokenReused { session, what }, client).await?;
        }
        tx.commit().await?;
        tracing::warn!(%session, "a refresh token was used twice: the session is ended");
        Ok(())
    }

    pub(in crate::accounts) fn presented(
        &self,
        text: Option<&SecretString>,
    ) -> Option<RefreshToken> {
        RefreshToken::parse(&self.keys, text?.expose_secret())
    }

    /// A request that uses the cookie shows that a page did it that may. That one was refused is on the trail of whoever
    /// the cookie is of, where it is of somebody.
    pub(in crate::accounts) async fn check_csrf(
        &self,
        presented: &RefreshToken,
        field: &'static str,
        client: &Client,
    ) -> Result<(), Fault> {
        let Err(why) = self.csrf_shown(presented.session(), client) else {
            return Ok(());
        };
        if let Some(family) = self.family_of(presented, true).await? {
            self.refused(family.account.id, ACCESS_REFUSED, field, why, client)
                .await?;
        }
        Err(Fault::Csrf(why))
    }

    fn csrf_shown(&self, session: SessionId, client: &Client) -> Result<(), &'static str> {
        let proof = &client.csrf;
        if !proof.origin_is_allowed {
            return Err(
                "The request's Origin is missing or not among those that may use the cookie.",
            );
        }
        let Some(token) = &proof.token else {
            return Err(
                "The refresh cookie needs the header X-CSRF-Token, equal to the cookie __Host-csrf; GET /csrf gives both.",
            );
        };
        match Csrf::verify(&self.keys, session, token.expose_secret()) {
            true => Ok(()),
            false => Err("X-CSRF-Token is not that of this session; GET /csrf gives it."),
        }
    }

    /// A CSRF token for the session of the refresh cookie, if that may go on.
    pub async fn csrf_token(&self, refresh: &SecretString) -> Result<Option<SecretString>, Fault> {
        let Some(presented) = self.presented(Some(refresh)) else {
            return Ok(None);
        };
        let is_right = self.goes_on_by(&presented, true).await?;
        Ok(is_right.then(|| Csrf::mint(&self.keys, presented.session()).into()))
    }
}

enum Repeated {
    JustNow(RefreshToken),
    Later,
    Never,
}

fn unknown(by_cookie: bool) -> Mistake {
    let mistake = Mistake::new(
        MistakeCode::InvalidToken,
        "The refresh token is unknown, used or expired; sign in again.",
    );
    match by_cookie {
        true => mistake,
        false => mistake.of("refreshToken"),
    }
}
