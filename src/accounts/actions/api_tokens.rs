//! API tokens: made by whoever shows the password, and ended by whoever is signed in.

use std::collections::BTreeSet;

use chrono::{DateTime, SubsecRound, Utc};
use secrecy::SecretString;
use uuid::Uuid;

use crate::accounts::access::{Claims, MadeFor};
use crate::accounts::client::Client;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{self, AccountMail};
use crate::accounts::model::{ApiToken, ApiTokenId, Principal, Scope};
use crate::accounts::name::DisplayName;
use crate::accounts::store::{self, NewApiToken};
use crate::accounts::{Accounts, lifetimes, quotas};
use crate::audit::{self, Event};

/// What an API token is to be.
pub struct AskedApiToken {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<DateTime<Utc>>,
    pub password: SecretString,
    /// Of the second factor, where there is one.
    pub code: Option<SecretString>,
}

pub struct MadeApiToken {
    pub row: ApiToken,
    /// The token itself, which is kept nowhere.
    pub secret: SecretString,
}

impl Accounts {
    pub async fn create_api_token(
        &self,
        principal: &Principal,
        asked: AskedApiToken,
        client: &Client,
    ) -> Result<MadeApiToken, Fault> {
        let account = &principal.account;
        let new = new_api_token(principal, &asked, self.app.clock.now())?;
        let whose = account.id.to_string();
        quotas::charge(&self.app, quotas::api_tokens(account.tier), &whose).await?;
        let compared = self
            .check_password(
                account,
                principal.session,
                &asked.password,
                "password",
                client,
            )
            .await?;
        let compared = self
            .check_code(compared, asked.code.as_ref(), "code")
            .await?;
        let now = self.app.clock.now();
        let secret = self.access.mint(&Claims {
            account: account.id,
            made_for: MadeFor::ApiToken(new.id, &new.scopes),
            expires_at: new.expires_at,
        });
        let secret = secret.map_err(|error| Fault::Internal(error.to_string()))?;
        let (mut tx, _) = self.begin_as_compared(&compared, "password").await?;
        let most = lifetimes::MOST_API_TOKENS;
        let Some(row) = store::add_api_token(&mut tx, new, most, now).await? else {
            // The password was right all the same.
            tx.commit().await?;
            return Err(Mistake::new(
                MistakeCode::InvalidToken,
                format!("An account has at most {most} API tokens; revoke one that is not needed any more."),
            )
            .into());
        };
        let mail = AccountMail::ApiTokenMade {
            token: row.id,
            what: client.circumstances(now),
        };
        jobs::mail(&mut tx, &mail, client).await?;
        let scopes: Vec<_> = row.scopes.iter().map(|scope| scope.as_str()).collect();
        let event = event("api_token.created", &row, client, now)
            .detail("scopes", scopes)
            .detail("expiresAt", row.expires_at.to_rfc3339());
        audit::record(&mut tx, event).await?;
        tx.commit().await?;
        Ok(MadeApiToken {
            row,
            secret: secret.into(),
        })
    }

    /// Ends one of the caller's own, and with it whatever was made by narrowing it.
    pub async fn revoke_api_token(
        &self,
        principal: &Principal,
        id: Option<ApiTokenId>,
        client: &Client,
    ) -> Result<ApiTokenId, Fault> {
        let unknown =
            || Mistake::new(MistakeCode::NotFound, "You have no such API token.").of("apiTokenId");
        let id = id.ok_or_else(unknown)?;
        let now = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let ended = store::end_api_token(&mut tx, principal.account.id, id, now).await?;
        let Some(ended) = ended else {
            tx.rollback().await;
            return Err(unknown().into());
        };
        audit::record(&mut tx, event("api_token.revoked", &ended, client, now)).await?;
        tx.commit().await?;
        Ok(ended.id)
    }
}

/// By whom a token is of, who alone makes and revokes it. What they call it is theirs.
fn event(action: &'static str, token: &ApiToken, client: &Client, now: DateTime<Utc>) -> Event {
    Event::new(action, &client.by(token.account_id), now)
        .about(token.id)
        .concerning(token.account_id.0)
        .personal("name", token.name.as_str())
}

/// All that is wrong with it is said at once.
fn new_api_token(
    principal: &Principal,
    asked: &AskedApiToken,
    now: DateTime<Utc>,
) -> Result<NewApiToken, Fault> {
    let mut mistakes = Vec::new();
    let name = DisplayName::parse(&asked.name);
    if let Err(fault) = &name {
        mistakes.push(Mistake::new(MistakeCode::InvalidName, fault.to_string()).of("name"));
    }
    let mut wrong = |message: &'static str, field| {
        mistakes.push(Mistake::new(MistakeCode::InvalidToken, message).of(field));
    };
    if asked.scopes.is_empty() {
        wrong(
            "A token needs a scope; without one it would open nothing.",
            "scopes",
        );
    }
    let once: BTreeSet<_> = asked.scopes.iter().collect();
    if once.len() < asked.scopes.len() {
        wrong("Each scope is named once.", "scopes");
    }
    // In whole seconds, as tokens have it.
    let expires_at = asked.expires_at.unwrap_or(now + lifetimes::API_TOKEN);
    let expires_at = expires_at.trunc_subsecs(0);
    if expires_at <= now {
        wrong("A token's end lies in the future.", "expiresAt");
    }
    if expires_at > now + lifetimes::LONGEST_API_TOKEN {
        wrong("A token ends within a year.", "expiresAt");
    }
    match name {
        Ok(name) if mistakes.is_empty() => Ok(NewApiToken {
            id: ApiTokenId(Uuid::now_v7()),
            account_id: principal.account.id,
            name: name.into_string(),
            scopes: once.into_iter().copied().collect(),
            expires_at,
        }),
        _ => Err(Fault::Mistakes(mistakes)),
    }
}
