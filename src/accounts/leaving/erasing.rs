//! Erasing accounts that were closed long enough ago. Nobody can come back to one from the moment on that it is begun, so it
//! is taken apart piece by piece; the account itself, by which it is found again, is the last piece.

use super::jobs::{Erase, ErasedMail};
use super::tables::{Goes, PERSONAL_TABLES, PersonalTable};
use crate::accounts::model::{Account, AccountId};
use crate::accounts::{Accounts, actions, store};
use crate::audit::{self, By, Event};
use crate::jobs::{self, Failure, Job, New};

/// By which all else is found: it stands until nothing else does.
const THE_LAST: &str = "accounts";
/// The trail deletes it itself, and says that it did: whoever verifies it would miss it else.
const OF_THE_TRAIL: &str = "audit_personal";

impl Accounts {
    /// Asks for each account whose time has come, unless it was asked for already.
    pub(super) async fn find_due(&self) -> Result<(), Failure> {
        let now = self.app.clock.now();
        let mut behind = None;
        loop {
            let due = store::accounts_to_erase(&self.app.db, behind, now).await?;
            let mut tx = self.app.db.begin().await?;
            for (_, account) in &due {
                let new = New::of(&Erase { account: *account })?;
                new.unique(account.to_string()).enqueue(&mut tx).await?;
            }
            tx.commit().await?;
            if due.len() < store::SOME_ACCOUNTS {
                return Ok(());
            }
            behind = due.last().copied();
        }
    }

    /// Erases an account whose time has come; none else. Where it is stopped, it goes on from there when it runs again.
    pub(super) async fn erase(&self, id: AccountId) -> Result<(), Failure> {
        let (app, now) = (&self.app, self.app.clock.now());
        let Some(account) = store::begin_erasing(&app.db, id, now).await? else {
            return Ok(());
        };
        // While there are rows to tell which files are theirs.
        let archives = store::exports_of(&app.db, id).await?;
        self.delete_archives(&archives).await?;
        // While there are rows to tell what else speaks of them; but what tells them of it may have been asked for already, by
        // whoever was quicker.
        let said = self.said_of(&account).await?;
        jobs::forget_about(&app.db, said, ErasedMail::KIND).await?;
        for table in PERSONAL_TABLES {
            let goes_now =
                table.goes == Goes::Deleted && ![OF_THE_TRAIL, THE_LAST].contains(&table.table);
            while goes_now && store::erase_rows(&app.db, table, id).await? > 0 {}
        }
        let mut tx = app.db.begin().await?;
        audit::erase_personal(&mut tx, id, now).await?;
        let Some(account) = store::erase_account(&mut tx, id, now).await? else {
            tx.rollback().await;
            return Ok(());
        };
        // Somebody may have tried to sign in meanwhile; who guesses at nobody's address is counted anew.
        store::forgive(&mut tx, actions::of_address(&account.email_key)).await?;
        let mail = ErasedMail {
            email: account.email,
        };
        jobs::enqueue(&mut tx, &mail).await?;
        let erased = Event::new("account.erased", &By::default(), now);
        audit::record(&mut tx, erased.about(account.id)).await?;
        tx.commit().await?;
        tracing::info!("an account was erased");
        Ok(())
    }

    /// By which words a job's payload speaks of somebody.
    async fn said_of(&self, account: &Account) -> Result<Vec<String>, Failure> {
        let mut said = vec![
            account.id.to_string(),
            account.id.0.to_string(),
            account.user_id().to_string(),
            account.email.clone(),
            account.email_key.clone(),
        ];
        for table in PERSONAL_TABLES
            .iter()
            .filter(|table| table.goes == Goes::Deleted && table.table != OF_THE_TRAIL)
        {
            said.extend(self.keys_of(table, account.id).await?);
        }
        Ok(said)
    }

    async fn keys_of(
        &self,
        table: &PersonalTable,
        account: AccountId,
    ) -> Result<Vec<String>, Failure> {
        let mut keys = Vec::new();
        let mut behind = None;
        loop {
            let some = store::personal_keys(&self.app.db, table, account, behind.clone()).await?;
            let is_last = some.len() < store::SOME_ROWS;
            behind = some.last().cloned();
            keys.extend(some);
            if is_last {
                return Ok(keys);
            }
        }
    }
}
