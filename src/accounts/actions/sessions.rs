//! Ending sessions.

use secrecy::{ExposeSecret, SecretString};

use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::model::{Ending, Principal, SessionId};
use crate::accounts::secret::RefreshToken;
use crate::accounts::store::{self, Family};
use crate::accounts::{Accounts, Actor};
use crate::audit;

impl Accounts {
    /// Ends whatever session the client shows to be its own: by access token, refresh token or cookie. Whether the cookies
    /// are to be cleared.
    pub async fn sign_out(
        &self,
        actor: &Actor,
        refresh_token: Option<SecretString>,
        client: &Client,
    ) -> Result<bool, Fault> {
        let now = self.app.clock.now();
        let mut sessions = Vec::new();
        if !matches!(actor, Actor::Anonymous) {
            // Whoever was handed a narrowed token does not end the session that it came from, and an API token is of none.
            sessions.push(actor.in_session()?.session);
        }
        if let Some(token) = refresh_token
            && let Some(token) = RefreshToken::parse(&self.keys, token.expose_secret())
            && self.goes_on_by(&token, false).await?
        {
            sessions.push(token.session());
        }
        // One that no longer signs anybody in can be cleared by whoever may call.
        let clears_cookies = client.cookies.refresh.is_some() && client.csrf.origin_is_allowed;
        if let Some(token) = self.presented(client.cookies.refresh.as_ref())
            && self.goes_on_by(&token, true).await?
        {
            self.check_csrf(&token, "logout", client).await?;
            sessions.push(token.session());
        }
        sessions.sort_unstable();
        sessions.dedup();
        for session in sessions {
            let mut tx = self.app.db.begin().await?;
            let ended = store::end_session(&mut tx, session, None, Ending::SignedOut, now).await?;
            if let Some(account) = ended {
                let event = self.session_event("session.ended", account, session, account, client);
                let event = event.detail("because", Ending::SignedOut.as_str());
                audit::record(&mut tx, event).await?;
            }
            tx.commit().await?;
        }
        Ok(clears_cookies)
    }

    /// Whether a refresh token is its session's newest, or the one before.
    pub(super) async fn goes_on_by(
        &self,
        token: &RefreshToken,
        by_cookie: bool,
    ) -> Result<bool, Fault> {
        Ok(self.family_of(token, by_cookie).await?.is_some())
    }

    /// The session that a refresh token is the newest of, or the one before.
    pub(in crate::accounts) async fn family_of(
        &self,
        token: &RefreshToken,
        by_cookie: bool,
    ) -> Result<Option<Family>, Fault> {
        let now = self.app.clock.now();
        let family = store::family(&self.app.db, token.session()).await?;
        let hash = token.hash();
        Ok(family.filter(|family| {
            family.is_usable(now)
                && family.by_cookie == by_cookie
                && (family.token_hash[..] == hash[..]
                    || family.previous_hash.as_deref() == Some(&hash[..]))
        }))
    }

    /// Ends one session of the caller.
    pub async fn revoke_session(
        &self,
        principal: &Principal,
        session: Option<SessionId>,
        client: &Client,
    ) -> Result<SessionId, Fault> {
        let unknown =
            || Mistake::new(MistakeCode::NotFound, "You have no such session.").of("sessionId");
        let session = session.ok_or_else(unknown)?;
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let owner = principal.account.id;
        let ended = store::end_session(&mut tx, session, Some(owner), Ending::Revoked, now).await?;
        if ended.is_none() {
            tx.rollback().await;
            return Err(unknown().into());
        }
        let event = self.session_event("session.revoked", owner, session, owner, client);
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(session)
    }

    /// Ends every session of the caller, this one excepted unless asked; how many there were.
    pub async fn revoke_sessions(
        &self,
        principal: &Principal,
        include_current: bool,
        client: &Client,
    ) -> Result<usize, Fault> {
        let now = self.app.clock.now();
        let but = (!include_current).then_some(principal.session);
        let mut tx = self.app.db.begin().await?;
        let account = principal.account.id;
        // As all do that end several: in differing orders they could wait for each other.
        store::hold_account(&mut tx, account).await?;
        let ended = store::end_sessions(&mut tx, account, but, Ending::Revoked, now).await?;
        let event = self
            .event("sessions.revoked", account, client)
            .about(account);
        let event = event
            .detail("ended", ended)
            .detail("thisOneToo", include_current);
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(ended)
    }
}
