//! Leaving: closing an account, coming back in time, and what is left of one that is erased.

mod closing;
mod erasing;
mod exporting;
mod pictures;
mod reopening;
mod scan;
mod tables;

use serde_json::{Value, json};

use super::*;
use crate::idempotency::waiting;

const ANA: &str = "ana@example.org";

const DELETE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) {
    eraseAt errors { code path } } }";

async fn delete(app: &TestApp, access: &str, password: &str) -> Value {
    payload(app, Some(access), DELETE, json!({ "password": password })).await
}

/// Closes the account of somebody who is signed in; the mail of that is out.
async fn close(app: &TestApp, access: &str) -> Vec<Mail> {
    let (closed, mails) = with_mails(app, delete(app, access, RIGHT)).await;
    assert_eq!(mistakes(&closed), NONE);
    mails
}

/// An account that its owner has just closed.
async fn closed(app: &TestApp, email: &str) {
    app.member(email).await;
    let access = app.sign_in(email).await.access;
    close(app, &access).await;
}

async fn status_of(app: &TestApp, email: &str) -> Option<String> {
    let sql = app.sql().await;
    let read = "select status from accounts where email = $1";
    let row = sql.query_opt(read, &[&email]).await.unwrap();
    row.map(|row| row.get(0))
}

/// Lets the hour come in which what is due is found, and all that comes of it be done.
async fn an_hour_strikes(app: &TestApp) {
    execute(app, "delete from job_schedules").await;
    let runner = empulse::worker::runner(&app.accounts);
    assert!(runner.run_schedules(&app.app.db).await.unwrap() > 0);
    app.run_jobs().await;
}

async fn make_admin(app: &TestApp, email: &str) {
    let sql = app.sql().await;
    let make = "update accounts set roles = '{LISTENER,ADMIN}' where email = $1";
    assert_eq!(sql.execute(make, &[&email]).await.unwrap(), 1);
}
