//! What people say of themselves.

use serde_json::{Value, json};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_changed_and_shown_everywhere() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let access = app.sign_in("ana@example.org").await.access;
    let before = me(&app, &access).await;
    for (given, shown) in [
        ("Ana", "Ana"),
        ("  Ana   Lee ", "Ana Lee"),
        ("will.i.am", "will.i.am"),
        ("山田", "山田"),
    ] {
        let updated = payload(
            &app,
            Some(&access),
            UPDATE_PROFILE,
            json!({ "displayName": given }),
        )
        .await;
        assert_eq!(mistakes(&updated), NONE);
        assert_eq!(updated["account"]["user"]["displayName"], shown);
        assert_eq!(me(&app, &access).await["user"]["displayName"], shown);
        let user = format!(
            "{{ node(id: {}) {{ ... on User {{ displayName }} }} }}",
            before["user"]["id"]
        );
        assert_eq!(app.data(&user).await["node"]["displayName"], shown);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_stays_and_nothing_can_be_cleared() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let access = app.sign_in("ana@example.org").await.access;
    let updated = payload(&app, Some(&access), UPDATE_PROFILE, json!({})).await;
    assert_eq!(mistakes(&updated), NONE);
    assert_eq!(updated["account"]["user"]["displayName"], "Kim Doe");
    let long = "n".repeat(81);
    for name in [
        Value::Null,
        json!(""),
        json!(" \t "),
        json!(long),
        json!("see www.example.org"),
        json!("example.com/me"),
        json!("ana@example.org"),
        json!("two\nlines"),
        json!("\u{202e}reversed"),
    ] {
        let refused = payload(
            &app,
            Some(&access),
            UPDATE_PROFILE,
            json!({ "displayName": name }),
        )
        .await;
        assert_eq!(mistakes(&refused), ["INVALID_NAME displayName"], "{name}");
        assert_eq!(refused["account"], Value::Null);
        assert_eq!(me(&app, &access).await["user"]["displayName"], "Kim Doe");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_a_profile_without_signing_in() {
    let app = TestApp::new().await;
    let answer = app
        .call(None, UPDATE_PROFILE, json!({ "displayName": "Ana" }))
        .await;
    assert_eq!((answer.status, answer.code()), (200, "UNAUTHENTICATED"));
    assert_eq!(answer.body["data"], json!({ "updateProfile": null }));
}

/// An account is shown by one of two ways, by what is asked of it; nobody can tell which.
#[tokio::test(flavor = "multi_thread")]
async fn both_ways_of_an_account_say_the_same() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    let access = app.sign_in("ana@example.org").await.access;
    let fields = "id email emailVerifiedAt roles tier status createdAt updatedAt __typename \
                  user { id displayName createdAt __typename }";
    let short = app
        .data_as(&access, &format!("{{ me {{ {fields} }} }}"))
        .await;
    let query = format!("{{ me {{ {fields} sessions {{ id }} }} }}");
    let mut long = app.data_as(&access, &query).await;
    let account = long["me"].as_object_mut().unwrap();
    assert!(account.remove("sessions").is_some());
    assert_eq!(short, long);
    assert_eq!(short["me"]["email"], "ana@example.org");
}
