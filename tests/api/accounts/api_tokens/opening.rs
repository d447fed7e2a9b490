//! What they open, and what is left of that once they are narrowed.

use super::*;

/// As its holder would, by the program that shows how: what it prints.
async fn attenuated(token: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let arguments = ["attenuate"].iter().chain(arguments);
    let arguments = attenuate::Arguments::try_parse_from(arguments)?;
    attenuate::run(arguments, token.as_bytes()).await
}

/// Where somebody gets in, or what they may do to others, is never for a token that lies in a script.
#[tokio::test(flavor = "multi_thread")]
async fn it_never_does_what_a_session_is_for_whosever_it_is() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    app.member("ben@example.org").await;
    let ben = app.sign_in("ben@example.org").await;
    let ben = me(&app, &ben.access).await["id"].clone();
    execute(
        &app,
        "update accounts set roles = '{LISTENER,MODERATOR,ADMIN}' where email = 'ana@example.org'",
    )
    .await;
    let sees_ben = format!("{{ node(id: {ben}) {{ id }} }}");
    let seen = app.data_as(&session.access, &sees_ben).await;
    assert_eq!(seen["node"]["id"], ben, "an administrator");
    let own = me(&app, &session.access).await["sessions"][0]["id"].clone();
    let scopes = json!([
        "ACCOUNT_READ",
        "CATALOGUE_WRITE",
        "PLAYLISTS_READ",
        "PLAYLISTS_WRITE",
        "UPLOADS_WRITE",
    ]);
    let (id, token) = made(&app, &session.access, scopes).await;
    for (mutation, input) in [
        (
            CHANGE_PASSWORD,
            json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD }),
        ),
        (
            CHANGE_EMAIL,
            json!({ "newEmail": "eve@example.org", "password": RIGHT }),
        ),
        (UPDATE_PROFILE, json!({ "displayName": "Eve" })),
        (REVOKE, json!({ "sessionId": own })),
        (REVOKE_ALL, json!({ "includeCurrent": true })),
        (CREATE, asked(json!({}))),
        (REVOKE_TOKEN, json!({ "apiTokenId": id })),
        (LOGOUT, Value::Null),
    ] {
        let answer = app.call(Some(&token), mutation, input).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{mutation}");
        assert!(only_field(answer.body["data"].clone()).is_null());
    }
    for field in ["sessions", "apiTokens"] {
        let answer = query(
            &app,
            &format!("Bearer {token}"),
            &format!("{{ me {{ {field} {{ id }} }} }}"),
        )
        .await;
        assert_eq!(answer.code(), "FORBIDDEN", "{field}");
    }
    for hidden in [
        sees_ben,
        format!("{{ node(id: {own}) {{ id }} }}"),
        format!("{{ node(id: \"{id}\") {{ id }} }}"),
    ] {
        assert_eq!(
            app.data_as(&token, &hidden).await,
            json!({ "node": null }),
            "{hidden}"
        );
    }
    // It is no refresh token, and there is no session that a page could act in.
    assert_eq!(
        mistakes(&refresh(&app, &token).await),
        ["INVALID_TOKEN refreshToken"]
    );
    let csrf = app
        .client
        .get(app.url("/csrf"))
        .header("cookie", format!("__Host-refresh={token}"));
    assert_ne!(csrf.send().await.unwrap().status(), 200);
    let out = payload(&app, None, LOGOUT, json!({ "refreshToken": token })).await;
    assert_eq!(mistakes(&out), NONE, "nothing to mend");
    assert!(is_believed(&app, &token).await);
    assert!(is_believed(&app, &session.access).await);
    assert!(has_password(&app, EMAIL, RIGHT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_open_what_they_are_for_and_nothing_else() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let reads = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let plays = api_token(&app, &session.access, "PLAYLISTS_READ").await;
    assert_eq!(
        app.data_as(&reads, "{ me { email } }").await["me"]["email"],
        EMAIL
    );
    let answer = query(&app, &format!("Bearer {plays}"), "{ me { email } }").await;
    assert_eq!((answer.status, answer.code()), (200, "FORBIDDEN"));
    assert_eq!(answer.body["data"], json!({ "me": null }));
    // What is for everybody is for them too.
    app.data_as(&plays, "{ genres { slug } }").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_narrowed_offline_by_scope_end_network_and_album() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let scopes = json!(["ACCOUNT_READ", "PLAYLISTS_READ", "CATALOGUE_WRITE"]);
    let (_, token) = made(&app, &session.access, scopes).await;
    for whole in [&token, &session.access] {
        let reads = attenuated(
            whole,
            &["--scope", "ACCOUNT_READ", "--scope", "UPLOADS_WRITE"],
        );
        let reads = reads.await.unwrap();
        assert_eq!(
            app.data_as(&reads, "{ me { email } }").await["me"]["email"],
            EMAIL
        );
        let plays = attenuated(whole, &["--scope", "PLAYLISTS_READ"])
            .await
            .unwrap();
        let answer = query(&app, &format!("Bearer {plays}"), "{ me { email } }").await;
        assert_eq!(answer.code(), "FORBIDDEN");
        let neither = attenuated(&plays, &["--scope", "ACCOUNT_READ"])
            .await
            .unwrap();
        assert!(!is_believed(&app, &neither).await);

        let here = attenuated(
            whole,
            &["--network", "198.51.100.7", "--network", "127.3.2.1/8"],
        );
        assert!(is_believed(&app, &here.await.unwrap()).await);
        let elsewhere = attenuated(whole, &["--network", "198.51.100.0/24"])
            .await
            .unwrap();
        assert!(!is_believed(&app, &elsewhere).await);

        // It opens nothing that is not that album, but is as good as none for what everybody may see.
        let album = ["--album", "album_01h455vb4pex5vsknk084sn02q"];
        let album = attenuated(whole, &album).await.unwrap();
        let answer = query(&app, &format!("Bearer {album}"), "{ me { email } }").await;
        assert_eq!((answer.status, answer.code()), (200, "FORBIDDEN"));
        app.data_as(&album, "{ genres { slug } }").await;

        let until = (app.app.clock.now() + TimeDelta::minutes(2)).to_rfc3339();
        let short = attenuated(whole, &["--until", &until]).await.unwrap();
        let album = attenuated(&album, &["--until", &until]).await.unwrap();
        for token in [&short, &album] {
            let answer = query(&app, &format!("Bearer {token}"), "{ genres { slug } }").await;
            assert_eq!(answer.status, 200);
        }
        wait(&app, TimeDelta::minutes(3));
        for token in [&short, &album] {
            let answer = query(&app, &format!("Bearer {token}"), "{ genres { slug } }").await;
            assert_eq!(answer.status, 401);
        }
    }
    // A scope that it never had.
    let uploads = attenuated(&token, &["--scope", "UPLOADS_WRITE"])
        .await
        .unwrap();
    assert!(!is_believed(&app, &uploads).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_what_it_made_and_what_came_of_it() {
    let app = TestApp::new().await;
    let session = somebody(&app).await;
    let url = app.url("/graphql");
    let token = api_token(&app, &session.access, "ACCOUNT_READ").await;
    let reading = [
        "--scope",
        "ACCOUNT_READ",
        "--try",
        &url,
        "--query",
        "{ me { email } }",
    ];
    let said = attenuated(&token, &reading).await.unwrap();
    let (narrower, answer) = said.split_once('\n').unwrap();
    assert!(is_believed(&app, narrower).await);
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer, json!({ "data": { "me": { "email": EMAIL } } }));
    let argument = attenuated("", &["--scope", "ACCOUNT_READ", &token])
        .await
        .unwrap();
    assert!(is_believed(&app, &argument).await);
    for wrong in [
        &[][..],
        &["--network", "somewhere"],
        &["--until", "tomorrow"],
        &["--album", "track_01h455vb4pex5vsknk084sn02q"],
    ] {
        assert!(attenuated(&token, wrong).await.is_err(), "{wrong:?}");
    }
    assert!(attenuated("x", &["--scope", "ACCOUNT_READ"]).await.is_err());
}
