//! The README's way of signing up, as a deployment has it: an instance that serves, a worker beside it, PostgreSQL,
//! Redis and a mail server.

use serde_json::json;

use super::{KEYS, NO_JOBS, VERIFICATION};
use crate::support::{
    Database, Folder, Hangs, MailServer, PASSWORD, Process, RedisServer, Service, Tokens, WRONG,
    bearer, empulse, registration, sign_in,
};

const KIM: &str = "kim@example.org";

#[tokio::test(flavor = "multi_thread")]
async fn somebody_registers_signs_in_and_sets_new_passwords() {
    let what = "signing up over PostgreSQL, Redis and a mail server";
    let Some(database) = Database::at_hand(what).await else {
        return;
    };
    let Some(redis) = RedisServer::start(what) else {
        return;
    };
    let mails = MailServer::start(Hangs::Never).await;
    let folder = Folder::new();
    let (redis_url, smtp_url, data) = (redis.url(), mails.url(), folder.at("data"));
    let shared = [
        ("DATABASE_URL", database.url.as_str()),
        ("REDIS_URL", redis_url.as_str()),
        ("SMTP_URL", smtp_url.as_str()),
        ("EMPULSE_RATE_FACTOR", "1"),
        ("EMPULSE_WEB_URL", "https://www.example.org"),
        KEYS,
    ];
    let service = Service::ready(&folder, &[&shared[..], &[NO_JOBS]].concat()).await;
    let beside = [
        &shared[..],
        &[("EMPULSE_LOG_FORMAT", "json"), ("EMPULSE_DATA_DIR", &data)],
    ]
    .concat();
    let mut worker = Process::start(&mut empulse(&["worker"], &beside));

    let registered = service.does("register", registration(KIM)).await;
    assert_eq!(registered, json!({ "accepted": true, "errors": [] }));
    let tried = service.tries("login", sign_in(KIM, PASSWORD), &[]).await;
    assert_eq!(tried.mistake("login"), "UNVERIFIED");
    let mail = mails.takes(1, KIM, VERIFICATION).await;
    assert!(
        mail.text.contains("http://localhost:8000/verify?token="),
        "{}",
        mail.text
    );

    // As a browser without a script does it: opens the link, and presses the button.
    let browser = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let link = service.url(&format!("/verify?token={}", mail.token()));
    for _ in ["a scanner", "its reader"] {
        let page = browser.get(&link).send().await.unwrap();
        assert_eq!(page.status(), 200);
        assert!(page.text().await.unwrap().contains(r#"method="post""#));
    }
    let press = async || {
        browser
            .post(service.url("/verify"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(format!("token={}", mail.token()))
            .send()
            .await
            .unwrap()
    };
    let pressed = press().await;
    assert_eq!(pressed.status(), 303);
    assert_eq!(
        pressed.headers()["location"],
        "https://www.example.org/login?verified=true"
    );
    assert_eq!(press().await.status(), 410, "it counts once");
    mails.takes(1, KIM, "Welcome to Empulse").await;

    let first = service.signs_in(KIM, PASSWORD).await;
    service.signs_in(KIM, PASSWORD).await;
    // Of the second: an account's first device is news to nobody.
    mails.takes(1, KIM, "A new device signed in").await;
    let me = service.me(&first).await;
    let account = json!({ "email": KIM, "status": "ACTIVE", "roles": ["LISTENER"] });
    assert_eq!(me.body["data"]["me"], account);
    let refresh = json!({ "refreshToken": first.refresh });
    let second = Tokens::of(&service.does("refreshSession", refresh).await);
    assert_eq!(service.me(&second).await.status, 200);

    let change = json!({ "currentPassword": PASSWORD, "newPassword": WRONG });
    let header = bearer(&second);
    let changed = service
        .tries("changePassword", change, &[("authorization", &header)])
        .await;
    assert_eq!(changed.payload("changePassword")["account"]["email"], KIM);
    mails.takes(1, KIM, "Your password was changed").await;
    assert_eq!(
        service.me(&second).await.status,
        200,
        "its own session stays"
    );

    service
        .does("requestPasswordReset", json!({ "email": KIM }))
        .await;
    let mail = mails.takes(1, KIM, "Set a new password").await;
    assert!(
        mail.text
            .contains("https://www.example.org/reset-password#token="),
        "{}",
        mail.text
    );
    let reset = json!({ "token": mail.token(), "newPassword": "pebble-harvest-tunnel-7" });
    let changed = service.does("resetPassword", reset.clone()).await;
    assert_eq!(changed["changed"], true, "{changed}");
    let again = service.tries("resetPassword", reset, &[]).await;
    assert_eq!(again.mistake("resetPassword"), "INVALID_TOKEN");
    assert_eq!(
        service.me(&second).await.status,
        401,
        "every session is over"
    );
    for old in [PASSWORD, WRONG] {
        let tried = service.tries("login", sign_in(KIM, old), &[]).await;
        assert_eq!(tried.mistake("login"), "INVALID_CREDENTIALS");
    }
    service.signs_in(KIM, "pebble-harvest-tunnel-7").await;
    mails.takes(2, KIM, "Your password was changed").await;
    // Since the password is another no device is known.
    mails.takes(2, KIM, "A new device signed in").await;
    // Whoever reads the logs learns neither who it was nor a secret.
    let said = format!("{}{}", service.process.said(), worker.said());
    for secret in [
        KIM,
        PASSWORD,
        WRONG,
        "tunnel-7",
        &mail.token(),
        &first.refresh,
    ] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    service.stops().await;
    worker.signal("TERM");
    let (status, _) = worker.ends_within(std::time::Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(0), "{}", worker.said());
    assert_eq!(mails.taken().len(), 7, "{:?}", mails.taken());
}
