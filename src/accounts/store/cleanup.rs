use chrono::{DateTime, Utc};
use diesel::sql_types::{Timestamptz, Uuid as SqlUuid};

use crate::accounts::model::AccountId;
use crate::db::{Db, Error, Statement, Tx};

/// So many rows are deleted by one statement: it holds none of its locks for long.
pub const CLEANUP_BATCH: usize = 1_000;

/// The same of accounts, each of which the trail has something to do with.
pub const SOME_UNVERIFIED: usize = 100;

/// What is forgotten some time after it was of use.
#[derive(Debug, Clone, Copy)]
pub enum Forgotten {
    Sessions,
    ApiTokens,
    KnownDevices,
    MailedTokens,
    SecondSteps,
    PendingFactors,
    Failures,
    Solutions,
}

impl Forgotten {
    pub const ALL: [Self; 8] = [
        Self::Sessions,
        Self::ApiTokens,
        Self::KnownDevices,
        Self::MailedTokens,
        Self::SecondSteps,
        Self::PendingFactors,
        Self::Failures,
        Self::Solutions,
    ];
}

/// Clears away some of what was last of use before a time; how much. Rows that somebody works on are left for the next time.
pub async fn forget(db: &Db, what: Forgotten, before: DateTime<Utc>) -> Result<usize, Error> {
    let write = match what {
        Forgotten::Sessions => Statement::<()>::new(
            "delete from sessions where id in (select id from sessions where expires_at < ",
        ),
        Forgotten::ApiTokens => Statement::new(
            "delete from api_tokens where id in (select id from api_tokens where least(ended_at, expires_at) < ",
        ),
        Forgotten::KnownDevices => Statement::new(
            "delete from known_devices where id in (select id from known_devices where last_used_at < ",
        ),
        Forgotten::MailedTokens => Statement::new(
            "delete from mailed_tokens where id in (select id from mailed_tokens where expires_at < ",
        ),
        Forgotten::SecondSteps => Statement::new(
            "delete from second_steps where id in (select id from second_steps where expires_at < ",
        ),
        Forgotten::PendingFactors => Statement::new(
            "update accounts set totp_secret = null, totp_begun_at = null where id in (select id from accounts \
             where two_factor_at is null and totp_begun_at < ",
        ),
        Forgotten::Failures => Statement::new(
            "delete from sign_in_failures where subject in (select subject from sign_in_failures where last_at < ",
        ),
        Forgotten::Solutions => Statement::new(
            "delete from used_challenges where solution in (select solution from used_challenges where expires_at < ",
        ),
    };
    let write = write
        .bind::<Timestamptz, _>(before)
        .text(" limit ")
        .number(CLEANUP_BATCH as u32)
        .text(" for update skip locked)");
    db.execute(&write).await
}

/// The same of accounts that nobody confirmed; whose they were.
pub async fn forget_unverified(
    tx: &mut Tx<'_>,
    before: DateTime<Utc>,
) -> Result<Vec<AccountId>, Error> {
    let write = Statement::<SqlUuid>::new(
        "delete from accounts where id in (select id from accounts where status = 'UNVERIFIED' and updated_at < ",
    )
    .bind::<Timestamptz, _>(before)
    .text(" limit ")
    .number(SOME_UNVERIFIED as u32)
    .text(" for update skip locked) returning id");
    tx.load(&write).await
}
