//! The jobs of leaving.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::accounts::Accounts;
use crate::accounts::model::AccountId;
use crate::jobs::{Job, Registry};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Finds the accounts whose time has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FindDue {}

impl Job for FindDue {
    const KIND: &'static str = "accounts.find_due";
    const LIMIT: Duration = Duration::from_secs(5 * 60);
}

/// Erases one. Given up, it is asked for again by the next [`FindDue`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Erase {
    pub account: AccountId,
}

impl Job for Erase {
    const KIND: &'static str = "accounts.erase";
    const LIMIT: Duration = Duration::from_secs(10 * 60);
}

/// Makes an archive of what is kept about somebody.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MakeExport {
    pub export: Uuid,
}

impl Job for MakeExport {
    const KIND: &'static str = "accounts.make_export";
    const LIMIT: Duration = Duration::from_secs(10 * 60);
}

/// Takes away archives that cannot be fetched any more.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SweepExports {}

impl Job for SweepExports {
    const KIND: &'static str = "accounts.sweep_exports";
    const LIMIT: Duration = Duration::from_secs(10 * 60);
}

/// Tells somebody that their account is erased: the last that is known of them, and gone with this job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErasedMail {
    pub email: String,
}

impl Job for ErasedMail {
    const KIND: &'static str = "accounts.erased_mail";
    const ATTEMPTS: u32 = 20;
    const IS_KEPT: bool = false;
}

pub fn register(registry: &mut Registry, accounts: &Arc<Accounts>) {
    let finding = Arc::clone(accounts);
    registry.on(move |_: FindDue, _| {
        let accounts = Arc::clone(&finding);
        async move { accounts.find_due().await }
    });
    registry.every("accounts.find_due", HOUR, FindDue::default);
    let erasing = Arc::clone(accounts);
    registry.on(move |job: Erase, _| {
        let accounts = Arc::clone(&erasing);
        async move { accounts.erase(job.account).await }
    });
    let making = Arc::clone(accounts);
    registry.on(move |job: MakeExport, attempt| {
        let accounts = Arc::clone(&making);
        async move { accounts.make_export(job.export, attempt).await }
    });
    let sweeping = Arc::clone(accounts);
    registry.on(move |_: SweepExports, _| {
        let accounts = Arc::clone(&sweeping);
        async move { accounts.sweep_exports().await }
    });
    registry.every("accounts.sweep_exports", HOUR, SweepExports::default);
    let mailing = Arc::clone(accounts);
    registry.on(move |job: ErasedMail, attempt| {
        let accounts = Arc::clone(&mailing);
        async move { accounts.tell_erased(&job.email, attempt).await }
    });
}
