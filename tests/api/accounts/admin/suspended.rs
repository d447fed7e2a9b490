//! Suspended accounts: out everywhere at once, and back as they were.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_is_out_at_once_on_every_instance() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let one = app.sign_in("ana@example.org").await;
    let two = other.sign_in("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let token = api_tokens::api_token(&app, &one.access, "ACCOUNT_READ").await;
    for instance in [&app, &other] {
        for access in [&one.access, &two.access, &token] {
            assert!(is_believed(instance, access).await);
        }
    }
    app.run_jobs().await;
    trust_devices(&app, "ana@example.org").await;
    let trusted = "select count(*) from known_devices where trusted_until is not null";
    assert_eq!(count(&app, trusted).await, 2);
    let (suspended, mails) = with_mails(
        &app,
        update(&app, &admin, &id, json!({ "suspended": true })),
    )
    .await;
    assert_eq!(mistakes(&suspended), NONE);
    assert_eq!(suspended["account"]["status"], "SUSPENDED");
    assert!(mails.is_empty(), "{mails:#?}");
    for instance in [&app, &other] {
        for signed_in in [&one, &two] {
            assert!(!is_believed(instance, &signed_in.access).await);
            let refreshed = refresh(instance, &signed_in.refresh).await;
            assert_eq!(mistakes(&refreshed), ["INVALID_TOKEN refreshToken"]);
        }
        assert!(!is_believed(instance, &token).await);
        // Said to whoever has the password.
        assert_eq!(
            mistakes(&login(instance, "ana@example.org", RIGHT).await),
            ["SUSPENDED"]
        );
        assert_eq!(
            mistakes(&login(instance, "ana@example.org", WRONG).await),
            ["INVALID_CREDENTIALS"]
        );
    }
    let ended = "select count(*) from sessions where ended_because = 'SUSPENDED'";
    assert_eq!(count(&app, ended).await, 2);
    assert_eq!(count(&app, trusted).await, 0);
    // Nobody else knows it.
    let user = format!("{{ node(id: \"{}\") {{ id }} }}", user_of(&id));
    assert_eq!(app.data(&user).await["node"], Value::Null);

    let back = update(&app, &admin, &id, json!({ "suspended": false })).await;
    assert_eq!(back["account"]["status"], "ACTIVE");
    // What was ended stays so.
    assert!(!is_believed(&other, &one.access).await);
    assert!(!is_believed(&other, &token).await);
    assert_eq!(
        mistakes(&refresh(&app, &two.refresh).await),
        ["INVALID_TOKEN refreshToken"]
    );
    let again = other.sign_in("ana@example.org").await;
    assert!(is_believed(&app, &again.access).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_in_while_being_suspended_is_out_too() {
    let app = TestApp::new().await;
    if needs_server(&app, "who_signs_in_while_being_suspended_is_out_too") {
        return;
    }
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    for _ in 0..5 {
        let logins = (0..6).map(|_| login(&app, "ana@example.org", RIGHT));
        let suspend = async {
            tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            update(&app, &admin, &id, json!({ "suspended": true })).await
        };
        let (logins, suspended) = tokio::join!(futures_util::future::join_all(logins), suspend);
        assert_eq!(mistakes(&suspended), NONE);
        for login in logins {
            if let Some(access) = login["credentials"]["accessToken"].as_str() {
                assert!(!is_believed(&app, access).await);
            }
        }
        let live = "select count(*) from sessions s join accounts a on a.id = s.account_id
                    where a.email = 'ana@example.org' and s.ended_at is null";
        assert_eq!(count(&app, live).await, 0);
        let back = update(&app, &admin, &id, json!({ "suspended": false })).await;
        assert_eq!(mistakes(&back), NONE);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_comes_back_as_it_was() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    let registered = with_mails(&app, register(&app, "ana@example.org", RIGHT, "Ana")).await;
    let token = token_to(&registered.1, "ana@example.org", "verify?token=");
    let id = id_of(&app, "ana@example.org").await;
    let status = async |suspended: bool| {
        let (updated, events) = recorded_by(
            &app,
            update(&app, &admin, &id, json!({ "suspended": suspended })),
        )
        .await;
        assert_eq!(mistakes(&updated), NONE);
        let [event] = &events[..] else {
            panic!("{events:#?}")
        };
        let action = match suspended {
            true => "account.suspended",
            false => "account.reinstated",
        };
        assert_eq!(event.action, action);
        assert_eq!(event.details["after"], updated["account"]["status"]);
        updated["account"]["status"].as_str().unwrap().to_owned()
    };
    // Nobody confirmed the address yet.
    assert_eq!(status(true).await, "SUSPENDED");
    assert_eq!(status(false).await, "UNVERIFIED");
    assert_eq!(status(true).await, "SUSPENDED");
    // Who confirms it meanwhile has done so, and is still out.
    assert_eq!(mistakes(&verify(&app, &token).await), NONE);
    assert_eq!(
        mistakes(&login(&app, "ana@example.org", RIGHT).await),
        ["SUSPENDED"]
    );
    assert_eq!(status(false).await, "ACTIVE");
    assert_eq!(mistakes(&login(&app, "ana@example.org", RIGHT).await), NONE);
    // And what its owner has closed stays so.
    let closed = "update accounts set status = 'SUSPENDED', erase_at = now() where email = 'ana@example.org'";
    execute(&app, closed).await;
    assert_eq!(status(false).await, "CLOSED");
}
