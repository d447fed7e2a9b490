//! Making archives, handing them out to whoever they are about, and taking them away again.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::archive::archive;
use super::jobs::MakeExport;
use crate::accounts::actor::{Actor, Refused};
use crate::accounts::client::Client;
use crate::accounts::events::ACCESS_REFUSED;
use crate::accounts::fault::{Fault, Mistake, MistakeCode};
use crate::accounts::jobs::{AccountMail, mail};
use crate::accounts::model::AccountId;
use crate::accounts::secret::Mailed;
use crate::accounts::{Accounts, lifetimes, quotas, store};
use crate::audit::{self, Event};
use crate::jobs::{Attempt, Failure, Job};
use crate::storage::{ContentType, Facts, Key, KeyError, Shown};

/// Where archives are among the stored files.
pub const FOLDER: &str = "exports";
/// So much may the clocks of storage and service differ.
const CLOCKS_APART: TimeDelta = TimeDelta::hours(1);
/// What is refused, as the trail has it.
const WHAT: &str = "export";

/// What the link in a mail is traded for.
pub struct ExportAddress {
    /// Whoever has it can fetch the archive.
    pub url: Url,
    pub expires_at: DateTime<Utc>,
}

impl Accounts {
    pub(super) async fn make_export(&self, id: Uuid, attempt: Attempt) -> Result<(), Failure> {
        let made = self.try_to_make(id).await;
        if made.is_err() && attempt.is_last {
            // Whoever waits for it may ask for another.
            store::drop_unmade_export(&self.app.db, id).await?;
        }
        made
    }

    async fn try_to_make(&self, id: Uuid) -> Result<(), Failure> {
        let app = &self.app;
        let Some(account) = store::export_to_make(&app.db, id).await? else {
            // Made already, or of an account that was closed meanwhile.
            store::drop_unmade_export(&app.db, id).await?;
            return Ok(());
        };
        let key = key_of(id).map_err(Failure::lasting)?;
        let document = archive(&app.db, account, app.clock.now());
        let stored = app
            .storage
            .put_stream(&key, document, &Facts::of(ContentType::JSON))
            .await;
        let size = stored.map_err(Failure::passing)?;
        let now = app.clock.now();
        let expires_at = now + lifetimes::EXPORT;
        let mut tx = app.db.begin().await?;
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if !store::export_was_made(&mut tx, id, size, expires_at, now).await? {
            tx.rollback().await;
            // Told of already by another try; or of an account that was closed meanwhile, which is told of nothing.
            if store::drop_unmade_export(&app.db, id).await? > 0 {
                self.delete_archives(&[id]).await?;
            }
            return Ok(());
        }
        mail(
            &mut tx,
            &AccountMail::ExportReady { export: id },
            &Client::default(),
        )
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Hands out an archive by the token of its mail, as often as it is asked for, to somebody who is signed in to its
    /// account: by a session's own access token, or by the refresh cookie of a page that may use it.
    pub async fn fetch_export(
        &self,
        token: &SecretString,
        actor: &Actor,
        client: &Client,
    ) -> Result<ExportAddress, Fault> {
        quotas::charge(&self.app, quotas::PRESSED_BUTTONS, &client.limit_key).await?;
        let account = match actor.in_session() {
            Ok(principal) => principal.account.id,
            Err(Refused::Unauthenticated) => self.account_by_cookie(client).await?,
            Err(refused) => {
                if let (Some(whose), Refused::Forbidden(why)) = (actor.account_id(), refused) {
                    self.refused(whose, ACCESS_REFUSED, WHAT, why, client)
                        .await?;
                }
                return Err(refused.into());
            }
        };
        let now = self.app.clock.now();
        let hash = Mailed::hash_of(token.expose_secret()).ok_or_else(unknown)?;
        let found = store::export_by_token(&self.app.db, hash, now).await?;
        let (id, whose, made_at) = found.ok_or_else(unknown)?;
        if whose != account {
            let why = "The archive is of another account.";
            self.refused(account, ACCESS_REFUSED, WHAT, why, client)
                .await?;
            return Err(unknown().into());
        }
        let event = Event::new("export.fetched", &client.by(account), now);
        audit::record_alone(&self.app.db, event.about(account)).await?;
        let internal = |error: KeyError| Fault::Internal(error.to_string());
        let name = format!("empulse-export-{}.json", made_at.format("%Y-%m-%d"));
        let shown = Shown::new(&name, ContentType::JSON, true);
        let lasts = lifetimes::EXPORT_ADDRESS;
        let key = key_of(id).map_err(internal)?;
        let signed = self.app.storage.signed_address(&key, &shown, lasts).await;
        Ok(ExportAddress {
            url: signed.map_err(|error| Fault::Unavailable(error.to_string()))?,
            expires_at: now + lasts,
        })
    }

    async fn account_by_cookie(&self, client: &Client) -> Result<AccountId, Fault> {
        let presented = self.presented(client.cookies.refresh.as_ref());
        let presented = presented.ok_or(Refused::Unauthenticated)?;
        self.check_csrf(&presented, WHAT, client).await?;
        let family = self.family_of(&presented, true).await?;
        Ok(family.ok_or(Refused::Unauthenticated)?.account.id)
    }

    /// Takes away what cannot be fetched any more, what nobody makes any more, and files that nobody knows of.
    pub(super) async fn sweep_exports(&self) -> Result<(), Failure> {
        let app = &self.app;
        // Their owners may ask for another.
        store::drop_given_up_exports(&app.db, MakeExport::KIND).await?;
        let mut failed = Ok(());
        loop {
            let ended = store::ended_exports(&app.db, app.clock.now()).await?;
            let mut gone = Vec::with_capacity(ended.len());
            for id in &ended {
                // One that can't be deleted now keeps no other.
                match self.delete_archives(&[*id]).await {
                    Ok(()) => gone.push(*id),
                    Err(failure) => failed = Err(failure),
                }
            }
            store::drop_exports(&app.db, &gone).await?;
            if ended.len() < store::SOME_EXPORTS || gone.is_empty() {
                break;
            }
        }
        // Nobody could fetch it any more, whichever database its row is in.
        let before = app.clock.now() - lifetimes::EXPORT - CLOCKS_APART;
        let folder = Key::new([FOLDER]).map_err(Failure::lasting)?;
        let mut files = app.storage.list(&folder).chunks(store::SOME_EXPORTS);
        while let Some(some) = files.next().await {
            let mut ids = HashSet::new();
            for file in some {
                let file = file.map_err(Failure::passing)?;
                if file.modified < before {
                    ids.extend(id_of(&file.key));
                }
            }
            // A file is never there before its row.
            let listed: Vec<Uuid> = ids.iter().copied().collect();
            for known in store::known_exports(&app.db, &listed).await? {
                ids.remove(&known);
            }
            let lost: Vec<Uuid> = ids.into_iter().collect();
            for id in lost {
                if let Err(failure) = self.delete_archives(&[id]).await {
                    failed = Err(failure);
                }
            }
        }
        failed
    }

    pub(super) async fn delete_archives(&self, ids: &[Uuid]) -> Result<(), Failure> {
        for id in ids {
            let key = key_of(*id).map_err(Failure::lasting)?;
            let deleted = self.app.storage.delete(&key).await;
            deleted.map_err(Failure::passing)?;
        }
        Ok(())
    }
}

fn key_of(export: Uuid) -> Result<Key, KeyError> {
    Key::new([FOLDER, &format!("{export}.json")])
}

fn id_of(key: &Key) -> Option<Uuid> {
    let (_, name) = key.as_str().rsplit_once('/')?;
    name.strip_suffix(".json")?.parse().ok()
}

fn unknown() -> Mistake {
    Mistake::new(
        MistakeCode::InvalidToken,
        "The link is unknown, has expired, or is of another account than the one that is signed in.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archives_file_tells_which_it_is() {
        let id = Uuid::now_v7();
        assert_eq!(id_of(&key_of(id).unwrap()), Some(id));
        for other in ["exports/x.json", "exports/a", "exports"] {
            assert_eq!(id_of(&other.parse().unwrap()), None, "{other}");
        }
    }
}
