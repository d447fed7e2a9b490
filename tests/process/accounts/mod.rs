//! Accounts as they are kept by several processes, over real stores, while these and their clients come and go.

mod commands;
mod hanging_up;
mod instances;
mod kills;
mod leaving;
mod outages;
mod repeats;
mod whole_way;

use crate::support::{Database, NO_JOBS, Service, registration};

/// What all instances of a deployment share. Unset, each data folder would have keys of its own.
pub const KEYS: (&str, &str) = (
    "EMPULSE_SIGNING_KEYS",
    "2030-01:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e",
);

const VERIFICATION: &str = "Confirm your e-mail address";

const COUNT_ACCOUNTS: &str = "select count(*) from accounts";
const COUNT_JOBS: &str = "select count(*) from jobs where kind = 'accounts.mail'";

/// An account that can sign in, without the mail in between.
async fn opens(service: &Service, database: &Database, email: &str) {
    let payload = service.does("register", registration(email)).await;
    assert_eq!(payload["accepted"], true, "{payload}");
    confirm(&database.url, email).await;
}

pub async fn confirm(url: &str, email: &str) {
    let client = crate::support::connect(url).await;
    let confirm =
        "update accounts set status = 'ACTIVE', email_verified_at = now() where email = $1";
    assert_eq!(client.execute(confirm, &[&email]).await.unwrap(), 1);
}
