//! Each action of an account leaves its event, by and about whom it is, and no secret stands in any of them.

use std::cell::RefCell;

use empulse::accounts::{Installation, Role};
use empulse::audit;
use serde_json::json;

use crate::accounts::*;
use crate::support::TestApp;

/// What happened on the trail since it was last looked at: `action by-whom about-what`, in the words of the test.
struct Trail<'a> {
    app: &'a TestApp,
    seen: i64,
    /// What each id is called here.
    names: Vec<(String, &'static str)>,
    everything: String,
}

impl Trail<'_> {
    async fn told(&mut self) -> Vec<String> {
        audit::link(&self.app.app.db).await.unwrap();
        let rows = self
            .app
            .sql()
            .await
            .query(
                "select e.sequence, e.action, e.actor_id::text, coalesce(e.subject_id, ''), e.details, e.person_id::text,
                        coalesce(string_agg(p.content, ' ' order by p.part), '')
                 from audit_events e left join audit_personal p on p.event_id = e.id
                 where e.sequence > $1 group by e.sequence order by e.sequence",
                &[&self.seen],
            )
            .await
            .unwrap();
        let mut told = Vec::new();
        for row in rows {
            self.seen = row.get(0);
            let (details, personal): (&str, &str) = (row.get(4), row.get(6));
            self.everything.push_str(details);
            self.everything.push_str(personal);
            assert!(
                personal.contains("\"ipAddress\":\"127.0.0.1\"") || details.contains("command"),
                "{personal}"
            );
            let person = |at: usize| match row.get::<_, Option<String>>(at) {
                Some(id) => self.name(&id),
                None => "nobody".to_owned(),
            };
            let about = match row.get::<_, &str>(3) {
                "" => "nothing".to_owned(),
                subject => subject.split('_').next().unwrap().to_owned(),
            };
            told.push(format!(
                "{} by {} about {about} of {}",
                row.get::<_, &str>(1),
                person(2),
                person(5)
            ));
        }
        told
    }

    fn name(&self, id: &str) -> String {
        let known = self.names.iter().find(|(known, _)| known == id);
        known.map_or("somebody", |(_, name)| name).to_owned()
    }

    /// Gives a name to the account of an address.
    async fn knows(&mut self, email: &str, name: &'static str) {
        let sql = "select id::text from accounts where email = $1";
        let row = self
            .app
            .sql()
            .await
            .query_one(sql, &[&email])
            .await
            .unwrap();
        self.names.push((row.get(0), name));
    }

    #[track_caller]
    fn hold(&self, what: &str, told: Vec<String>, expected: &[&str]) {
        assert_eq!(told, expected, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_action_of_an_account_leaves_its_event() {
    let app = TestApp::new().await;
    let mut trail = Trail {
        app: &app,
        seen: 0,
        names: Vec::new(),
        everything: String::new(),
    };
    macro_rules! tells {
        ($what:expr, [$($expected:expr),* $(,)?]) => {{
            let told = trail.told().await;
            trail.hold($what, told, &[$($expected),*]);
        }};
    }
    let secrets = RefCell::new([RIGHT, NEW_PASSWORD, WRONG].map(str::to_owned).to_vec());
    let kim = "kim@example.org";

    let (_, mails) = with_mails(&app, register(&app, kim, RIGHT, "Kim Doe")).await;
    trail.knows(kim, "kim").await;
    tells!(
        "a registration",
        ["account.registered by nobody about account of kim"]
    );
    login(&app, kim, RIGHT).await;
    tells!(
        "the right password of an address that waits",
        ["login.refused by nobody about account of kim"]
    );
    payload(&app, None, RESEND, json!({ "email": kim })).await;
    tells!(
        "the link once more",
        ["verification.requested by nobody about account of kim"]
    );
    payload(&app, None, RESEND, json!({ "email": "nobody@example.org" })).await;
    tells!(
        "a link for nobody",
        ["verification.requested by nobody about nothing of nobody"]
    );
    let token = token_to(&mails, kim, "verify?token=");
    secrets.borrow_mut().push(token.clone());
    verify(&app, &token).await;
    tells!(
        "a confirmation",
        ["email.verified by nobody about account of kim"]
    );
    register(&app, kim, NEW_PASSWORD, "Eve").await;
    tells!(
        "a registration with a taken address",
        ["registration.repeated by nobody about account of kim"]
    );

    let sign_in = async || {
        let signed_in = app.sign_in(kim).await;
        secrets
            .borrow_mut()
            .extend([signed_in.access.clone(), signed_in.refresh.clone()]);
        secrets.borrow_mut().extend(signed_in.device.clone());
        signed_in
    };
    let first = sign_in().await;
    tells!("a sign-in", ["login.succeeded by kim about account of kim"]);
    login(&app, kim, WRONG).await;
    tells!(
        "a wrong password",
        ["login.failed by nobody about account of kim"]
    );
    login(&app, "nobody@example.org", WRONG).await;
    tells!(
        "an address that nobody has",
        ["login.failed by nobody about nothing of nobody"]
    );
    let change = json!({ "currentPassword": WRONG, "newPassword": NEW_PASSWORD });
    payload(&app, Some(&first.access), CHANGE_PASSWORD, change).await;
    tells!(
        "a wrong password of somebody signed in",
        ["password.failed by kim about account of kim"]
    );

    let input = json!({ "displayName": "Kim Roe" });
    payload(&app, Some(&first.access), UPDATE_PROFILE, input).await;
    tells!("a name", ["profile.changed by kim about account of kim"]);
    let second = sign_in().await;
    tells!(
        "another sign-in",
        ["login.succeeded by kim about account of kim"]
    );
    payload(&app, Some(&second.access), LOGOUT, json!({})).await;
    tells!("a sign-out", ["session.ended by kim about session of kim"]);
    let third = sign_in().await;
    let sessions = me(&app, &third.access).await["sessions"].clone();
    let other = sessions
        .as_array()
        .unwrap()
        .iter()
        .find(|session| session["isCurrent"] == false)
        .unwrap()["id"]
        .clone();
    payload(
        &app,
        Some(&third.access),
        REVOKE,
        json!({ "sessionId": other }),
    )
    .await;
    tells!(
        "a session that is ended by another",
        [
            "login.succeeded by kim about account of kim",
            "session.revoked by kim about session of kim",
        ]
    );
    payload(
        &app,
        Some(&third.access),
        REVOKE,
        json!({ "sessionId": other }),
    )
    .await;
    tells!("nothing to end", []);
    payload(
        &app,
        Some(&third.access),
        REVOKE_ALL,
        json!({ "includeCurrent": false }),
    )
    .await;
    tells!(
        "all others",
        ["sessions.revoked by kim about account of kim"]
    );

    refresh(&app, &third.refresh).await;
    tells!("a refresh", []);
    wait(&app, chrono::TimeDelta::minutes(1));
    refresh(&app, &third.refresh).await;
    tells!(
        "a refresh token that comes twice",
        ["session.token_reused by nobody about session of kim"]
    );

    let access = sign_in().await.access;
    trail.told().await;
    let change = json!({ "currentPassword": RIGHT, "newPassword": NEW_PASSWORD });
    payload(&app, Some(&access), CHANGE_PASSWORD, change).await;
    tells!(
        "another password",
        ["password.changed by kim about account of kim"]
    );
    let token = reset_token(&app, kim).await;
    secrets.borrow_mut().push(token.clone());
    tells!(
        "a reset that is asked for",
        ["password.reset_requested by nobody about account of kim"]
    );
    payload(
        &app,
        None,
        REQUEST_RESET,
        json!({ "email": "nobody@example.org" }),
    )
    .await;
    tells!(
        "the same for nobody",
        ["password.reset_requested by nobody about nothing of nobody"]
    );
    reset(&app, &token, RIGHT).await;
    tells!("a reset", ["password.reset by nobody about account of kim"]);

    let access = sign_in().await.access;
    trail.told().await;
    let change = json!({ "newEmail": "kim@example.net", "password": RIGHT });
    let (_, mails) = with_mails(&app, payload(&app, Some(&access), CHANGE_EMAIL, change)).await;
    tells!(
        "another address that is asked for",
        ["email.change_requested by kim about account of kim"]
    );
    let (changes, undoes) = (
        token_to(&mails, "kim@example.net", "confirm-email#token="),
        token_to(&mails, kim, "undo-email#token="),
    );
    secrets
        .borrow_mut()
        .extend([changes.clone(), undoes.clone()]);
    verify(&app, &changes).await;
    tells!(
        "another address",
        ["email.changed by nobody about account of kim"]
    );
    verify(&app, &undoes).await;
    tells!(
        "the old one again",
        ["email.restored by nobody about account of kim"]
    );

    for (tried, expected) in [
        (1, "login.failed by nobody about account of kim"),
        (2, "login.failed by nobody about account of kim"),
        (3, "login.failed by nobody about account of kim"),
        (4, "login.challenged by nobody about account of kim"),
    ] {
        login(&app, kim, WRONG).await;
        tells!(&format!("try {tried}"), [expected]);
    }
    // By whoever runs the service.
    let installation = Installation {
        email: "ada@example.org".into(),
        display_name: "Ada".into(),
        password: RIGHT.to_owned().into(),
        roles: vec![Role::Admin],
    };
    app.accounts
        .install(installation, empulse::catalogue::artist_of_account)
        .await
        .unwrap();
    trail.knows("ada@example.org", "ada").await;
    tells!(
        "an administrator who is made",
        ["account.installed by nobody about account of ada"]
    );
    app.accounts.promote(kim, Role::Admin).await.unwrap();
    tells!(
        "one who is promoted",
        ["role.changed by nobody about account of kim"]
    );
    app.accounts
        .promote("nobody@example.org", Role::Admin)
        .await
        .unwrap();
    tells!("nobody who is promoted", []);

    for secret in secrets.into_inner() {
        assert!(
            !trail.everything.contains(&secret),
            "{secret} stands on the trail"
        );
    }
    super::heads::sign(&app).await;
    let (fits, told) = super::heads::verify(&app).await;
    assert!(fits, "{told}");
}

/// A lock is told of once, by the failure that led to it, alike for addresses that nobody has.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_on_the_trail_and_so_is_who_comes_against_it() {
    let app = TestApp::new().await;
    app.member("kim@example.org").await;
    let mut trail = Trail {
        app: &app,
        seen: 0,
        names: Vec::new(),
        everything: String::new(),
    };
    trail.knows("kim@example.org", "kim").await;
    for (email, about) in [
        ("kim@example.org", "by nobody about account of kim"),
        ("nobody@example.org", "by nobody about nothing of nobody"),
    ] {
        login(&app, email, WRONG).await;
        // As after four, of which the last were let through by solved challenges.
        execute(
            &app,
            "update sign_in_failures set failures = 4, last_at = last_at - interval '2 hours'",
        )
        .await;
        execute(
            &app,
            "update sign_in_failures set last_at = last_at + interval '2 hours'",
        )
        .await;
        trail.told().await;
        let challenged = login(&app, email, WRONG).await;
        assert_eq!(mistakes(&challenged), ["CHALLENGE_REQUIRED challenge"]);
        assert_eq!(trail.told().await, [format!("login.challenged {about}")]);
        execute(
            &app,
            "update sign_in_failures set locked_until = last_at + interval '10 minutes'",
        )
        .await;
        let locked = login(&app, email, RIGHT).await;
        assert_eq!(mistakes(&locked), ["ACCOUNT_LOCKED"]);
        assert_eq!(trail.told().await, [format!("login.refused {about}")]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_that_locks_is_followed_by_the_lock() {
    let app = TestApp::new().await;
    app.member("kim@example.org").await;
    let access = app.sign_in("kim@example.org").await.access;
    let mut trail = Trail {
        app: &app,
        seen: 0,
        names: Vec::new(),
        everything: String::new(),
    };
    trail.knows("kim@example.org", "kim").await;
    trail.told().await;
    let change = json!({ "currentPassword": WRONG, "newPassword": NEW_PASSWORD });
    for tried in 1..=5 {
        payload(&app, Some(&access), CHANGE_PASSWORD, change.clone()).await;
        let told = trail.told().await;
        let failed = "password.failed by kim about account of kim";
        let locked = "login.locked by nobody about account of kim";
        match tried {
            5 => assert_eq!(told, [failed, locked]),
            _ => assert_eq!(told, [failed], "{tried}"),
        }
    }
}

/// What nobody confirmed is forgotten, and so is what the trail has of whoever began it.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_confirmed_is_forgotten_by_the_trail_too() {
    let app = TestApp::new().await;
    register(&app, "kim@example.org", RIGHT, "Kim Doe").await;
    app.run_jobs().await;
    let kept = "select count(*) from audit_personal where whose is not null";
    assert!(count(&app, kept).await > 0);
    wait(&app, chrono::TimeDelta::days(8));
    execute(
        &app,
        "insert into jobs (id, kind, payload) values (gen_random_uuid(), 'accounts.forget', '{}')",
    )
    .await;
    app.run_jobs().await;
    assert_eq!(count(&app, "select count(*) from accounts").await, 0);
    assert_eq!(count(&app, kept).await, 0);
    super::heads::sign(&app).await;
    let (fits, told) = super::heads::verify(&app).await;
    assert!(fits, "{told}");
}
