//! Opening an account.

use serde_json::{Value, json};

use super::*;
use crate::support::REGISTER;

fn input(email: &str, password: &str, name: &str) -> Value {
    json!({ "email": email, "password": password, "displayName": name })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_told_with_its_code_and_field() {
    let app = TestApp::new().await;
    let long_name = "n".repeat(81);
    let long_password = "kettle-orbit-velvet-".repeat(7);
    let long_email = format!("{}@example.org", "a".repeat(65));
    let email = |email| (email, PASSWORD, "Ana", "INVALID_EMAIL email");
    let name = |name| {
        (
            "ana@example.org",
            PASSWORD,
            name,
            "INVALID_NAME displayName",
        )
    };
    let password = |password, code| ("ana@example.org", password, "Annabel Lee", code);
    let cases = [
        email(""),
        email("ana"),
        email("ana@"),
        email("@example.org"),
        email("a@b@example.org"),
        email("ana@localhost"),
        email("ana@192.0.2.7"),
        email("an a@example.org"),
        email("ana@example.org\r\nBcc: ben@example.org"),
        email(&long_email),
        name(""),
        name("   "),
        name(&long_name),
        name("Buy at www.example.org"),
        name("https://example.org"),
        name("ana@example.org"),
        name("two\nlines"),
        password("", "PASSWORD_TOO_SHORT password"),
        password("eleven-char", "PASSWORD_TOO_SHORT password"),
        password(&long_password, "PASSWORD_TOO_LONG password"),
        password("password1234", "PASSWORD_COMPROMISED password"),
        password("123456789012", "PASSWORD_COMPROMISED password"),
        password("annabel-lee-rides-on", "PASSWORD_COMPROMISED password"),
        password("I am ana@example.org!", "PASSWORD_COMPROMISED password"),
    ];
    for (email, password, name, expected) in cases {
        let refused = payload(&app, None, REGISTER, input(email, password, name)).await;
        assert_eq!(
            mistakes(&refused),
            [expected],
            "{email:?} {name:?} {password:?}"
        );
        assert_eq!(refused["accepted"], false);
        let message = refused["errors"][0]["message"].as_str().unwrap();
        assert!(message.len() > 20, "{message}");
        assert!(
            password.is_empty() || !message.contains(password),
            "{message}"
        );
    }
    assert_eq!(count(&app, "select count(*) from accounts").await, 0);
    assert_eq!(app.mails().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_mistakes_are_told_at_once() {
    let app = TestApp::new().await;
    let refused = payload(&app, None, REGISTER, input("ana", "short", "")).await;
    assert_eq!(
        mistakes(&refused),
        [
            "INVALID_EMAIL email",
            "INVALID_NAME displayName",
            "PASSWORD_TOO_SHORT password"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_out_never_runs() {
    let app = TestApp::new().await;
    for input in [
        json!({}),
        json!({ "email": "ana@example.org", "password": PASSWORD }),
        json!({ "email": null, "password": PASSWORD, "displayName": "Ana" }),
        json!({ "email": 7, "password": PASSWORD, "displayName": "Ana" }),
    ] {
        let answer = app.call(None, REGISTER, input).await;
        assert_eq!(
            (answer.status, answer.code()),
            (422, "GRAPHQL_VALIDATION_FAILED")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_at_the_limits_are_taken() {
    let app = TestApp::new().await;
    // All of them different for a while, so that it is not made of less.
    let signs = (0..127_u32).map(|number| char::from_u32(0x21 + number * 37 % 90).unwrap());
    let longest: String = signs.chain(['ä']).collect();
    for (number, password) in ["qz-wv-xk-jy!", &longest, "  spaces at both ends  "]
        .iter()
        .enumerate()
    {
        let email = format!("ana{number}@example.org");
        let (registered, mails) =
            with_mails(&app, register(&app, &email, password, "Kim Doe")).await;
        assert_eq!(mistakes(&registered), NONE, "{password:?}");
        verify(&app, &token_to(&mails, &email, "verify?token=")).await;
        assert!(has_password(&app, &email, password).await, "{password:?}");
        assert!(!has_password(&app, &email, password.trim_end_matches([' ', '!', 'ä'])).await);
    }
}

/// All of an answer that could tell one address from another.
async fn raw(app: &TestApp, mutation: &str, input: &Value) -> (u16, Vec<(String, String)>, String) {
    let response = calling(app, mutation, input).send().await.unwrap();
    let own = ["date", "x-correlation-id", "ratelimit"];
    let mut headers: Vec<_> = response
        .headers()
        .iter()
        .filter(|(name, _)| !own.contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    let status = response.status().as_u16();
    (status, headers, response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn known_unconfirmed_and_unknown_addresses_are_answered_alike_and_mailed_what_they_need() {
    let app = TestApp::new().await;
    app.member("known@example.org").await;
    register(&app, "unconfirmed@example.org", PASSWORD, "Una").await;
    app.mails().await;
    let mut answers = Vec::new();
    let mut sent = Vec::new();
    for email in [
        "known@example.org",
        "unconfirmed@example.org",
        "unknown@example.org",
    ] {
        let input = input(email, NEW_PASSWORD, "Ana");
        let (answer, mails) = with_mails(&app, raw(&app, REGISTER, &input)).await;
        answers.push(answer);
        assert_eq!(mails.len(), 1, "{mails:#?}");
        assert_eq!(mails[0].to, email);
        sent.push(mails[0].clone());
    }
    assert_eq!(
        answers[0].2,
        r#"{"data":{"register":{"accepted":true,"errors":[]}}}"#
    );
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    let [known, unconfirmed, unknown] = &sent[..] else {
        panic!("{sent:#?}");
    };
    assert_eq!(unconfirmed.subject, unknown.subject);
    assert_ne!(known.subject, unknown.subject);
    assert!(!known.text.contains("token="), "{}", known.text);
    assert!(!known.html.contains("token="), "{}", known.html);
    assert!(
        unconfirmed.text.contains("/verify?token="),
        "{}",
        unconfirmed.text
    );
    // Who knew the address only has changed nothing of its account.
    assert!(has_password(&app, "known@example.org", RIGHT).await);
    assert!(!has_password(&app, "known@example.org", NEW_PASSWORD).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn known_unconfirmed_and_unknown_addresses_are_answered_alike_when_the_link_is_asked_for_again()
 {
    let app = TestApp::new().await;
    app.member("known@example.org").await;
    register(&app, "unconfirmed@example.org", PASSWORD, "Una").await;
    app.mails().await;
    let mut answers = Vec::new();
    for email in [
        "known@example.org",
        "unconfirmed@example.org",
        "unknown@example.org",
    ] {
        let input = json!({ "email": email });
        let (answer, mails) = with_mails(&app, raw(&app, RESEND, &input)).await;
        answers.push(answer);
        let with_links = mails
            .iter()
            .filter(|mail| mail.text.contains("token="))
            .count();
        assert_eq!(
            with_links,
            usize::from(email.starts_with("unconfirmed")),
            "{mails:#?}"
        );
        assert!(mails.iter().all(|mail| mail.to == email));
        assert!(
            email != "unknown@example.org" || mails.is_empty(),
            "{mails:#?}"
        );
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    let refused = payload(&app, None, RESEND, json!({ "email": "nobody" })).await;
    assert_eq!(mistakes(&refused), ["INVALID_EMAIL email"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_again_before_confirming_replaces_all_and_voids_the_older_link() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    let (_, mails) = with_mails(&app, register(&app, email, PASSWORD, "Old Name")).await;
    let older = token_to(&mails, email, "verify?token=");
    let (_, mails) = with_mails(&app, register(&app, email, NEW_PASSWORD, "New Name")).await;
    let newer = token_to(&mails, email, "verify?token=");
    assert_eq!(
        mistakes(&verify(&app, &older).await),
        ["INVALID_TOKEN token"]
    );
    assert_eq!(
        mistakes(&login(&app, email, NEW_PASSWORD).await),
        ["UNVERIFIED"]
    );
    assert_eq!(mistakes(&verify(&app, &newer).await), NONE);
    assert!(!has_password(&app, email, PASSWORD).await);
    let login = login(&app, email, NEW_PASSWORD).await;
    let access = login["credentials"]["accessToken"].as_str().unwrap();
    assert_eq!(me(&app, access).await["user"]["displayName"], "New Name");
    assert_eq!(count(&app, "select count(*) from accounts").await, 1);
}

/// Whoever begins with an address that is not theirs leaves nothing of themselves with its owner.
#[tokio::test(flavor = "multi_thread")]
async fn of_who_registered_it_before_nothing_personal_is_kept() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    let registers = |agent: &'static str| {
        let input = input(email, PASSWORD, "Kim Doe");
        send(calling(&app, REGISTER, &input).header("user-agent", agent))
    };
    for agent in ["eves/1", "anas/1"] {
        assert_eq!(registers(agent).await.data()["register"]["accepted"], true);
    }
    let kept = "select count(*) from audit_personal where strpos(content::text, 'eves/1') > 0";
    assert_eq!(count(&app, kept).await, 0);
    let link = token_to(&app.mails().await, email, "verify?token=");
    assert_eq!(mistakes(&verify(&app, &link).await), NONE);
    // In use, whoever registers it once more is not its owner either, and takes nothing of theirs away.
    registers("eves/2").await.data();
    while empulse::audit::link(&app.app.db).await.unwrap() > 0 {}
    let (now, keys) = (app.app.clock.now(), &app.app.keys);
    let report = empulse::audit::verify(&app.app.db, keys, Vec::new(), now, |_, _| {});
    let report = report.await.unwrap();
    assert!(report.misfits.is_empty(), "{report:?}");
    assert!(report.erased > 0, "{report:?}");
    // Nor does what is done for those who are erased.
    execute(
        &app,
        "insert into jobs (id, kind, payload) values (gen_random_uuid(), 'audit.erase_late', '{}')",
    )
    .await;
    app.run_jobs().await;
    let own = "select count(*) from audit_personal where strpos(content::text, 'anas/1') > 0";
    assert_eq!(count(&app, own).await, 1);
}

/// As many statements, whatever there was to erase.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_costs_the_same_whoever_has_the_address() {
    let app = TestApp::new().await;
    app.member("known@example.org").await;
    register(&app, "unconfirmed@example.org", PASSWORD, "Una").await;
    let mut costs = Vec::new();
    for email in ["known", "unconfirmed", "unknown"] {
        let before = app.app.db.statements();
        register(&app, &format!("{email}@example.org"), PASSWORD, "Una").await;
        costs.push(app.app.db.statements() - before);
    }
    assert_eq!(costs, [costs[0]; 3]);
}

/// Mails may go out long after they were asked for: only the newest has a link then.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_registrations_in_a_row_one_link_goes_out() {
    let app = TestApp::new().await;
    for number in 0..3 {
        register(&app, "ana@example.org", PASSWORD, &format!("Ana {number}")).await;
    }
    let mails = app.mails().await;
    let links = mails.iter().filter(|mail| mail.text.contains("token="));
    assert_eq!(links.count(), 1, "{mails:#?}");
    let link = token_to(&mails, "ana@example.org", "verify?token=");
    assert_eq!(mistakes(&verify(&app, &link).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_one_however_it_is_spelled() {
    let app = TestApp::new().await;
    for (written, others) in [
        (
            "Ana.Lee@Example.ORG",
            ["ana.lee@example.org", " ANA.LEE@EXAMPLE.ORG "],
        ),
        (
            "jo@münchen.example",
            ["jo@xn--mnchen-3ya.example", "JO@MÜNCHEN.example"],
        ),
    ] {
        let (_, mails) = with_mails(&app, register(&app, written, PASSWORD, "Kim")).await;
        verify(&app, &mails.last().unwrap().token()).await;
        for other in others {
            let login = login(&app, other, PASSWORD).await;
            assert_eq!(mistakes(&login), NONE, "{written} as {other}");
        }
        let before = count(&app, "select count(*) from accounts").await;
        register(&app, others[0], NEW_PASSWORD, "Kim").await;
        assert_eq!(count(&app, "select count(*) from accounts").await, before);
        assert!(has_password(&app, written, PASSWORD).await);
    }
    // As its owner writes it, apart from the host, whose case means nothing.
    let login = login(&app, "ana.lee@example.org", PASSWORD).await;
    assert_eq!(login["account"]["email"], "Ana.Lee@example.org");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_two_mailboxes_is_two_accounts() {
    let app = TestApp::new().await;
    let addresses = [
        "ana@example.org",
        "ana+music@example.org",
        "a.na@example.org",
    ];
    for email in addresses {
        app.member(email).await;
    }
    let ids: std::collections::BTreeSet<String> = {
        let mut ids = std::collections::BTreeSet::new();
        for email in addresses {
            let login = login(&app, email, RIGHT).await;
            assert_eq!(login["account"]["email"], email);
            ids.insert(login["account"]["id"].to_string());
        }
        ids
    };
    assert_eq!(ids.len(), addresses.len());
}

/// Whatever step fails, nothing of it stays, and nothing is told of why.
#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_done_whole_or_not_at_all() {
    let app = TestApp::new().await;
    execute(
        &app,
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 's3cret'; end $$",
    )
    .await;
    for table in ["jobs", "mailed_tokens", "accounts"] {
        let on = format!(
            "create trigger refuse before insert on {table} for each row execute function refuse()"
        );
        execute(&app, &on).await;
        let answer = app
            .call(None, REGISTER, input("ana@example.org", PASSWORD, "Ana"))
            .await;
        assert_eq!(answer.code(), "INTERNAL", "{table}");
        assert!(
            !answer.body.to_string().contains("s3cret"),
            "{:#}",
            answer.body
        );
        assert_eq!(answer.body["data"], json!({ "register": null }));
        for left in ["accounts", "mailed_tokens", "jobs"] {
            let rows = count(&app, &format!("select count(*) from {left}")).await;
            assert_eq!(rows, 0, "{left} after {table} failed");
        }
        execute(&app, &format!("drop trigger refuse on {table}")).await;
    }
    app.member("ana@example.org").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_register_one_address_at_once_one_account_comes() {
    let app = TestApp::new().await;
    if needs_server(
        &app,
        "of_many_who_register_one_address_at_once_one_account_comes",
    ) {
        return;
    }
    let names: Vec<String> = (0..8).map(|number| format!("Ana {number}")).collect();
    let all = names
        .iter()
        .map(|name| register(&app, "ana@example.org", PASSWORD, name));
    for registered in futures_util::future::join_all(all).await {
        assert_eq!(mistakes(&registered), NONE);
    }
    assert_eq!(count(&app, "select count(*) from accounts").await, 1);
    assert_eq!(count(&app, "select count(*) from mailed_tokens").await, 1);
    let link = token_to(&app.mails().await, "ana@example.org", "verify?token=");
    assert_eq!(mistakes(&verify(&app, &link).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_the_database() {
    let app = TestApp::new().await;
    let email = "ana@example.org";
    let (_, mails) = with_mails(&app, register(&app, email, PASSWORD, "Ana")).await;
    let link = token_to(&mails, email, "verify?token=");
    let client = app.sql().await;
    let seen = async |secrets: &[&str]| {
        for table in [
            "accounts",
            "sessions",
            "known_devices",
            "mailed_tokens",
            "jobs",
        ] {
            let rows = format!("select t::text from {table} t");
            for row in client.query(&rows, &[]).await.unwrap() {
                let text: String = row.get(0);
                for secret in secrets {
                    assert!(!text.contains(secret), "{table}: {text}");
                }
            }
        }
    };
    // While the mail waits, too.
    register(&app, email, PASSWORD, "Ana").await;
    seen(&[PASSWORD, &link]).await;
    let mails = app.mails().await;
    verify(&app, &token_to(&mails, email, "verify?token=")).await;
    let signed_in = app.sign_in(email).await;
    let device = signed_in.device.unwrap();
    seen(&[
        PASSWORD,
        &link,
        &signed_in.access,
        &signed_in.refresh,
        &device,
    ])
    .await;
}
