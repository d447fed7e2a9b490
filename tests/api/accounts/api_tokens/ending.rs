//! What ends them.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn who_revokes_one_ends_all_that_was_made_of_it_on_every_instance() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let scopes = json!(["ACCOUNT_READ", "PLAYLISTS_READ"]);
    let (id, token) = made(&app, &session.access, scopes).await;
    let (_, stays) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let child = narrowed(&token, r#"check if scope("ACCOUNT_READ")"#);
    let grandchild = narrowed(&child, "check if time($t), $t < 2100-01-01T00:00:00Z");
    for instance in [&app, &other] {
        for token in [&token, &child, &grandchild, &stays] {
            assert!(is_believed(instance, token).await);
        }
    }
    assert_eq!(mistakes(&revoke(&other, &session.access, &id).await), NONE);
    for instance in [&app, &other] {
        for token in [&token, &child, &grandchild] {
            assert!(!is_believed(instance, token).await);
        }
        assert!(is_believed(instance, &stays).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_of_ones_own_is_not_found() {
    let app = TestApp::new().await;
    let ana = somebody(&app).await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let (of_ben, token) = made(&app, &ben.access, json!(["ACCOUNT_READ"])).await;
    let account = me(&app, &ana.access).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let unknown = "api_token_01h455vb4pex5vsknk084sn02q";
    for id in [
        &of_ben,
        unknown,
        &account,
        "",
        "x",
        "api_token_",
        &of_ben[10..],
    ] {
        let refused = revoke(&app, &ana.access, id).await;
        assert_eq!(mistakes(&refused), ["NOT_FOUND apiTokenId"], "{id:?}");
        assert_eq!(refused["revokedId"], Value::Null);
    }
    let node = format!("{{ node(id: \"{of_ben}\") {{ id }} }}");
    assert_eq!(
        app.data_as(&ana.access, &node).await,
        json!({ "node": null })
    );
    assert!(listed(&app, &ana.access).await.is_empty());
    assert!(is_believed(&app, &token).await);
}

/// Whatever ends the sessions of whoever knew the password ends their tokens too, on every instance.
#[tokio::test(flavor = "multi_thread")]
async fn another_password_ends_all_of_them() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let change = json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD });
    let back = json!({ "currentPassword": NEW_PASSWORD, "newPassword": RIGHT });
    for input in [change, back] {
        let password = input["currentPassword"].clone();
        let made = create(&app, &session.access, json!({ "password": password })).await;
        let token = made["secret"].as_str().unwrap();
        assert!(is_believed(&other, token).await);
        let changed = payload(&app, Some(&session.access), CHANGE_PASSWORD, input).await;
        assert_eq!(mistakes(&changed), NONE);
        for instance in [&app, &other] {
            assert!(!is_believed(instance, token).await);
            assert!(is_believed(instance, &session.access).await);
        }
    }
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let link = reset_token(&app, EMAIL).await;
    assert!(is_believed(&app, &token).await);
    assert_eq!(mistakes(&reset(&app, &link, NEW_PASSWORD).await), NONE);
    for instance in [&app, &other] {
        assert!(!is_believed(instance, &token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_back_a_change_of_address_ends_them() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let input = json!({ "newEmail": "eve@example.org", "password": RIGHT });
    let change = payload(&app, Some(&session.access), CHANGE_EMAIL, input);
    let (_, mails) = with_mails(&app, change).await;
    let undo = token_to(&mails, EMAIL, "undo-email#token=");
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    assert!(is_believed(&app, &token).await);
    assert_eq!(mistakes(&verify(&app, &undo).await), NONE);
    assert!(!is_believed(&app, &token).await);
}

/// As a command does it, whose operator wants nobody else in.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_given_a_password_by_a_command_has_none_of_them() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let installation = Installation {
        email: EMAIL.to_owned(),
        display_name: "Ana".to_owned(),
        password: NEW_PASSWORD.to_owned().into(),
        roles: vec![Role::Admin],
    };
    app.accounts
        .install(installation, empulse::catalogue::artist_of_account)
        .await
        .unwrap();
    assert!(!is_believed(&app, &token).await);
}

/// Not until its owner comes back, but for good.
#[tokio::test(flavor = "multi_thread")]
async fn who_closes_the_account_ends_them() {
    const DELETE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) {
        errors { code path } } }";
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let input = json!({ "password": RIGHT });
    let closed = payload(&app, Some(&session.access), DELETE, input).await;
    assert_eq!(mistakes(&closed), NONE);
    assert!(!is_believed(&app, &token).await);
    let session = app.sign_in(EMAIL).await;
    assert!(is_believed(&app, &session.access).await);
    assert!(!is_believed(&app, &token).await);
    assert!(listed(&app, &session.access).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_account_that_may_not_be_used_none_is_believed() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let session = somebody(&app).await;
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    for (status, expected) in [("SUSPENDED", false), ("ACTIVE", true)] {
        execute(&app, &format!("update accounts set status = '{status}'")).await;
        for instance in [&app, &other] {
            assert_eq!(is_believed(instance, &token).await, expected, "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_ended_long_ago_are_forgotten() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let (revoked, _) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    let (_, usual) = made(&app, &session.access, json!(["ACCOUNT_READ"])).await;
    revoke(&app, &session.access, &revoked).await;
    let left = async |days, expected| {
        wait(&app, TimeDelta::days(days));
        super::forgetting::forget(&app).await;
        assert_eq!(
            count(&app, "select count(*) from api_tokens").await,
            expected
        );
    };
    left(29, 2).await;
    assert!(is_believed(&app, &usual).await);
    left(2, 1).await;
    left(28, 1).await;
    left(2, 0).await;
}
