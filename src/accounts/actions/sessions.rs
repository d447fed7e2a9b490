//! Ending sessions.

use secrecy::{ExposeSecret, SecretString};

use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::model::{Ending, Principal, SessionId};
use crate::accounts::secret::RefreshToken;
use crate::accounts::store;
use crate::accounts::{Accounts, Actor};

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
        if let Actor::SignedIn(principal) = actor {
            sessions.push(principal.session);
        }
        let of_token = refresh_token
            .and_then(|text| RefreshToken::parse(&self.keys, text.expose_secret()))
            .map(|token| (token, false));
        let of_cookie = self
            .presented(client.cookies.refresh.as_ref())
            .map(|token| (token, true));
        if let Some((token, _)) = &of_cookie {
            self.check_csrf(token.session(), client)?;
        }
        let clears_cookies = of_cookie.is_some();
        for (token, by_cookie) in [of_token, of_cookie].into_iter().flatten() {
            let family = store::family(&self.app.db, token.session()).await?;
            let hash = token.hash();
            let is_right = family.is_some_and(|family| {
                family.by_cookie == by_cookie
                    && (family.token_hash[..] == hash[..]
                        || family.previous_hash.as_deref() == Some(&hash[..]))
            });
            if is_right && !sessions.contains(&token.session()) {
                sessions.push(token.session());
            }
        }
        if !sessions.is_empty() {
            let mut tx = self.app.db.begin().await?;
            for session in sessions {
                store::end_session(&mut tx, session, None, Ending::SignedOut, now).await?;
            }
            tx.commit().await?;
        }
        Ok(clears_cookies)
    }

    /// Ends one session of the caller.
    pub async fn revoke_session(
        &self,
        principal: &Principal,
        session: Option<SessionId>,
    ) -> Result<SessionId, Fault> {
        let unknown =
            || Mistake::new(MistakeCode::NotFound, "You have no such session.").of("sessionId");
        let session = session.ok_or_else(unknown)?;
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let owner = Some(principal.account.id);
        let ended = store::end_session(&mut tx, session, owner, Ending::Revoked, now).await?;
        tx.commit().await?;
        match ended {
            true => Ok(session),
            false => Err(unknown().into()),
        }
    }

    /// Ends every session of the caller, this one excepted unless asked; how many there were.
    pub async fn revoke_sessions(
        &self,
        principal: &Principal,
        include_current: bool,
    ) -> Result<usize, Fault> {
        let now = self.app.clock.now();
        let but = (!include_current).then_some(principal.session);
        let mut tx = self.app.db.begin().await?;
        let account = principal.account.id;
        let ended = store::end_sessions(&mut tx, account, but, Ending::Revoked, now).await?;
        tx.commit().await?;
        Ok(ended)
    }
}
