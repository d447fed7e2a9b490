//! The keys that secrets of factors are encrypted by come and go.

use empulse::locksmith;

use super::*;

const SETTING: &str = "EMPULSE_ENCRYPTION_KEYS";

fn key(id: &str, digits: &str) -> String {
    format!("{id}:{}", digits.repeat(32))
}

/// The columns, of all tables, in which something is under this key.
async fn columns_under(app: &TestApp, id: &str) -> Vec<String> {
    let sql = app.sql().await;
    let all = "select table_name::text, column_name::text from information_schema.columns
        where table_schema = 'public' and data_type = 'bytea' order by 1, 2";
    let mut found = Vec::new();
    for row in sql.query(all, &[]).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        let count =
            format!("select count(*) from {table} where position($1::bytea in {column}) > 0");
        let head = [&[1, id.len() as u8], id.as_bytes()].concat();
        let count: i64 = sql.query_one(&count, &[&head]).await.unwrap().get(0);
        if count > 0 {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factor_outlives_the_key_that_encrypted_it() {
    let (old, new) = (key("old", "0a"), key("new", "0b"));
    let both = format!("{new},{old}");
    let before = TestApp::with(&[(SETTING, &old)]).await;
    let ana = Enabled::new(&before, EMAIL).await;
    before.member("bo@example.org").await;
    let bo = before.sign_in("bo@example.org").await.access;
    let waiting = begun(&before, &bo).await;
    let while_both = before.instance(&[(SETTING, &both)]).await;
    assert_eq!(
        columns_under(&while_both, "old").await,
        ["accounts.totp_secret"]
    );

    let summary = locksmith::rotate(&while_both.app, |_| {}).await.unwrap();
    summary.judged().unwrap();
    let said = summary.to_string();
    assert!(
        said.starts_with("2 re-encrypted; 2 in all are under new now."),
        "{said}"
    );
    assert!(said.contains("\nNothing is under old any more."), "{said}");
    // A column that the list lacks would be found here.
    assert_eq!(columns_under(&while_both, "old").await, [""; 0]);
    let once = ["keys.rotation_begun", "keys.rotated"];
    assert_eq!(trail(&while_both, &["keys."]).await, once);
    let again = locksmith::rotate(&while_both.app, |_| {}).await.unwrap();
    assert!(again.to_string().starts_with("0 re-encrypted; 2 in all"));
    assert_eq!(trail(&while_both, &["keys."]).await, [once, once].concat());

    let after = before.instance(&[(SETTING, &new)]).await;
    let next = ana.authenticator.code_of_step(&after, 1);
    signed_in(&after, EMAIL, &next).await;
    codes_of(&confirm(&after, &bo, &waiting.code(&after)).await);
}

/// Nobody is let in for it, and nothing is lost: with the key back, all is as before.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_a_factor_lets_nobody_in() {
    let (one, other) = (key("one", "0a"), key("other", "0b"));
    let before = TestApp::with(&[(SETTING, &one)]).await;
    let ana = Enabled::new(&before, EMAIL).await;
    let without = before.instance(&[(SETTING, &other)]).await;
    let token = step_token(&without, EMAIL).await;
    let next = ana.authenticator.code_of_step(&without, 1);
    let input = json!({ "twoFactorToken": token, "code": next, "trustDevice": false });
    let refused = without.call(None, COMPLETE, input).await;
    assert_eq!(refused.code(), "INTERNAL");
    let shown = refused.body.to_string();
    assert!(!shown.contains("one") && !shown.contains("totp"), "{shown}");
    let token = step_token(&before, EMAIL).await;
    let completed = complete(&before, &token, &next).await;
    assert_eq!(mistakes(&completed), NONE);
}
