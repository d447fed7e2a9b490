//! Asking for all that is kept about oneself.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::accounts::actor::Refused;
use crate::accounts::client::Client;
use crate::accounts::fault::Fault;
use crate::accounts::leaving::MakeExport;
use crate::accounts::model::{MailPurpose, Principal, Status};
use crate::accounts::quotas::{self, ADay};
use crate::accounts::secret::Mailed;
use crate::accounts::store::{self, NewExport};
use crate::accounts::{Accounts, lifetimes};
use crate::audit::{self, Event};
use crate::jobs::New;

impl Accounts {
    /// Has an archive made, and a link to it mailed. What was asked for is counted where it stands rather than by the
    /// limiter, so that one which could not be made costs nobody their day.
    pub async fn request_data_export(
        &self,
        principal: &Principal,
        client: &Client,
    ) -> Result<(), Fault> {
        let account = principal.account.id;
        let now: DateTime<Utc> = self.app.clock.now();
        let mut tx = self.app.db.begin().await?;
        let held = store::hold_account(&mut tx, account).await?;
        if held.is_none_or(|(account, _)| account.status != Status::Active) {
            return Err(Refused::Unauthenticated.into());
        }
        let earlier = store::exports_since(&mut tx, account, now - ADay::LENGTH).await?;
        if earlier.iter().any(|(_, made_at)| made_at.is_none()) {
            return Err(Fault::Conflict(
                "An export is being made already; a mail comes when it is ready.",
            ));
        }
        let asked: Vec<_> = earlier.into_iter().map(|(asked, _)| asked).collect();
        quotas::DATA_EXPORTS.fits(&self.app, &asked, now)?;
        let id = Uuid::now_v7();
        let new = NewExport {
            id,
            account,
            token_hash: Mailed::derive(&self.keys, MailPurpose::Export, id).1,
            expires_at: now + lifetimes::EXPORT_WAIT,
        };
        store::add_export(&mut tx, new, now).await?;
        let job = New::of(&MakeExport { export: id })?;
        job.caused_by(client.correlation_id.as_str())
            .enqueue(&mut tx)
            .await?;
        let event = Event::new("export.requested", &client.by(account), now);
        audit::record(&mut tx, event.about(account)).await?;
        tx.commit().await?;
        Ok(())
    }
}
