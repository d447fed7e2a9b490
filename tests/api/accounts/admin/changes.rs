//! Changes to one account by an administrator: what becomes of it, what is refused, and that all of it is recorded.

use super::*;

const REASON: &str = "Asked for in ticket 7";

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_the_whole_set_and_count_at_the_next_request() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let ana = app.sign_in("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let list = "{ accounts { nodes { id } } }";
    for (roles, became, may) in [
        (
            json!(["ADMIN", "ARTIST"]),
            json!(["LISTENER", "ARTIST", "ADMIN"]),
            true,
        ),
        (
            json!(["MODERATOR", "MODERATOR", "LISTENER"]),
            json!(["LISTENER", "MODERATOR"]),
            false,
        ),
        (json!([]), json!(["LISTENER"]), false),
    ] {
        let (updated, events) =
            recorded_by(&app, update(&app, &admin, &id, json!({ "roles": roles }))).await;
        assert_eq!(mistakes(&updated), NONE);
        assert_eq!(updated["account"]["roles"], became);
        // By the token that was there before.
        assert_eq!(me(&app, &ana.access).await["roles"], became);
        let answer = query(&app, &format!("Bearer {}", ana.access), list).await;
        assert_eq!(!answer.body["data"]["accounts"].is_null(), may, "{became}");
        let [event] = &events[..] else {
            panic!("{events:#?}")
        };
        assert_eq!(event.action, "role.changed");
        assert_eq!(event.subject.as_deref(), Some(&*id));
        assert_eq!(event.actor, Some(id_of(&app, "admin@example.org").await));
        assert_eq!(event.details["after"], became);
        assert_eq!(event.facts["reason"], REASON);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_counts_at_the_next_request() {
    let app = TestApp::with(&[("EMPULSE_RATE_FACTOR", "1")]).await;
    let lifted = app.instance(&[("EMPULSE_RATE_FACTOR", "0")]).await;
    let admin = administrator(&lifted, "admin@example.org").await;
    lifted.member("ana@example.org").await;
    let ana = lifted.sign_in("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let points = async || {
        app.data_as(&ana.access, "{ rateLimit { limit } }").await["rateLimit"]["limit"].take()
    };
    assert_eq!(points().await, 10_000);
    let (updated, events) = recorded_by(
        &app,
        update(&lifted, &admin, &id, json!({ "tier": "PREMIUM" })),
    )
    .await;
    assert_eq!(mistakes(&updated), NONE);
    assert_eq!(updated["account"]["tier"], "PREMIUM");
    assert_eq!(points().await, 50_000);
    assert_eq!(actions(&events), ["tier.changed"]);
    assert_eq!(
        events[0].details,
        json!({ "before": "FREE", "after": "PREMIUM" })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_lifted_before_its_time() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    // As many wrong passwords as lock an address, past the challenges that come before.
    let subject = "sha256('address'::bytea || '\\x00'::bytea || 'ana@example.org'::bytea)";
    let lock = format!(
        "insert into sign_in_failures (subject, failures, last_at, locked_until)
         values ({subject}, 5, now(), now() + interval '15 minutes')"
    );
    execute(&app, &lock).await;
    assert_eq!(
        mistakes(&login(&app, "ana@example.org", RIGHT).await),
        ["ACCOUNT_LOCKED"]
    );
    // To say that it shall not be lifted lifts nothing.
    let kept = update(&app, &admin, &id, json!({ "unlock": false })).await;
    assert!(kept["account"]["lockedUntil"].is_string(), "{kept:#}");
    let (updated, events) =
        recorded_by(&app, update(&app, &admin, &id, json!({ "unlock": true }))).await;
    assert_eq!(mistakes(&updated), NONE);
    assert_eq!(updated["account"]["lockedUntil"], Value::Null);
    assert_eq!(actions(&events), ["account.unlocked"]);
    assert_eq!(events[0].facts["reason"], REASON);
    assert_eq!(mistakes(&login(&app, "ana@example.org", RIGHT).await), NONE);
    // As are the failures that led to it.
    assert_eq!(
        count(
            &app,
            &format!("select count(*) from sign_in_failures where subject = {subject}")
        )
        .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_it_at_once_is_one_change_with_an_event_for_each_part() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let change = json!({
        "roles": ["ARTIST"], "tier": "PREMIUM", "suspended": true, "unlock": true, "reason": "  Two\nlines, \u{0}and\ta \"quote\" ",
    });
    let (updated, events) = recorded_by(&app, update(&app, &admin, &id, change)).await;
    assert_eq!(mistakes(&updated), NONE);
    let account = &updated["account"];
    assert_eq!(
        (&account["roles"], &account["tier"], &account["status"]),
        (
            &json!(["LISTENER", "ARTIST"]),
            &json!("PREMIUM"),
            &json!("SUSPENDED")
        )
    );
    assert_eq!(
        actions(&events),
        [
            "role.changed",
            "tier.changed",
            "account.suspended",
            "account.unlocked"
        ]
    );
    for event in &events {
        assert_eq!(event.facts["reason"], "Two\nlines, and\ta \"quote\"");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_nothing_is_fine_and_recorded() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let own = id_of(&app, "admin@example.org").await;
    let updated_at = "select (extract(epoch from max(updated_at)) * 1000000)::bigint from accounts";
    let before = count(&app, updated_at).await;
    for (id, change) in [
        (&id, json!({})),
        (
            &id,
            json!({ "roles": ["LISTENER"], "tier": "FREE", "suspended": false, "unlock": false }),
        ),
        (
            &own,
            json!({ "roles": ["ADMIN", "LISTENER"], "suspended": false }),
        ),
    ] {
        wait(&app, TimeDelta::minutes(1));
        let (updated, events) = recorded_by(&app, update(&app, &admin, id, change)).await;
        assert_eq!(mistakes(&updated), NONE);
        assert_eq!(updated["account"]["id"], **id);
        assert_eq!(actions(&events), ["account.left_as_it_was"]);
        assert_eq!(events[0].facts["reason"], REASON);
        assert_eq!(count(&app, updated_at).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_change_is_said_all_at_once_and_nothing_is_done() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let unknown = "account_01h455vb4pex5vsknk084sn02q";
    let everything = json!({ "roles": ["ARTIST"], "tier": "PREMIUM", "suspended": true });
    let with_everything = |mut change: Value| {
        for (name, value) in everything.as_object().unwrap() {
            let change = change.as_object_mut().unwrap();
            change.entry(name.as_str()).or_insert(value.clone());
        }
        change
    };
    for (account, change, named) in [
        (&*id, json!({ "reason": "" }), vec!["reason"]),
        (&id, json!({ "reason": " \u{0}\n " }), vec!["reason"]),
        (&id, json!({ "reason": "ä".repeat(2_001) }), vec!["reason"]),
        (
            &id,
            json!({ "roles": null, "tier": null, "suspended": null, "unlock": null, "reason": "" }),
            vec!["roles", "tier", "suspended", "unlock", "reason"],
        ),
        ("x", json!({ "reason": "" }), vec!["reason"]),
    ] {
        let change = with_everything(change);
        let asked = refused(&app, &admin, account, change);
        let ((code, said), events) = recorded_by(&app, asked).await;
        assert_eq!(code, "BAD_REQUEST");
        for name in ["roles", "tier", "suspended", "unlock", "reason"] {
            let is_named = said.contains(&format!("`{name}`"));
            assert_eq!(is_named, named.contains(&name), "{name}: {said}");
        }
        assert_eq!(actions(&events), ["admin.refused"]);
        assert_refusal(&events[0], account, &["BAD_REQUEST"]);
    }
    for account in [&*user_of(&id), unknown] {
        let change = with_everything(json!({}));
        let (payload, events) = recorded_by(&app, update(&app, &admin, account, change)).await;
        assert_eq!(mistakes(&payload), ["NOT_FOUND accountId"]);
        assert_eq!(payload["account"], Value::Null);
        assert_eq!(actions(&events), ["admin.refused"]);
        assert_refusal(&events[0], account, &["NOT_FOUND"]);
    }
    let own = me(&app, &app.sign_in("ana@example.org").await.access).await;
    assert_eq!(
        (&own["roles"], &own["status"]),
        (&json!(["LISTENER"]), &json!("ACTIVE"))
    );
    // As long as it may be.
    let longest = json!({ "reason": "\u{1f3b5}".repeat(2_000) });
    assert_eq!(mistakes(&update(&app, &admin, &id, longest).await), NONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_their_own_roles_or_suspends_themselves() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    administrator(&app, "other@example.org").await;
    let id = id_of(&app, "admin@example.org").await;
    for (change, said) in [
        (json!({ "roles": ["LISTENER"] }), "their own roles;"),
        (
            json!({ "roles": ["ADMIN", "MODERATOR", "ARTIST"] }),
            "their own roles;",
        ),
        (json!({ "suspended": true }), "suspends themselves;"),
        (
            json!({ "roles": [], "suspended": true, "tier": "PREMIUM" }),
            "their own roles or suspends themselves;",
        ),
        // Whoever has this session could guess the password without end.
        (json!({ "unlock": true }), "their own lock;"),
    ] {
        let asked = refused(&app, &admin, &id, change);
        let ((code, message), events) = recorded_by(&app, asked).await;
        assert_eq!(code, "FORBIDDEN");
        assert!(message.contains(said), "{message}");
        assert_eq!(actions(&events), ["admin.refused"]);
        assert_refusal(&events[0], &id, &["FORBIDDEN"]);
    }
    let own = me(&app, &admin.access).await;
    assert_eq!(
        (&own["roles"], &own["status"]),
        (&json!(["LISTENER", "ADMIN"]), &json!("ACTIVE"))
    );
    // What gives no right is theirs to change.
    let updated = update(&app, &admin, &id, json!({ "tier": "PREMIUM" })).await;
    assert_eq!(
        (mistakes(&updated), &updated["account"]["tier"]),
        (vec![], &json!("PREMIUM"))
    );
}

/// Whoever registers the address once more has the account: none of what was given to it.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_confirmed_an_address_is_given_no_role() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    register(&app, "ana@example.org", RIGHT, "Ana").await;
    let id = id_of(&app, "ana@example.org").await;
    for roles in [json!(["ARTIST"]), json!(["ADMIN", "MODERATOR"])] {
        let asked = refused(&app, &admin, &id, json!({ "roles": roles }));
        let ((code, said), events) = recorded_by(&app, asked).await;
        assert_eq!(code, "CONFLICT");
        assert!(said.contains("never confirmed"), "{said}");
        assert_refusal(&events[0], &id, &["CONFLICT"]);
    }
    let change = json!({ "roles": [], "tier": "PREMIUM", "suspended": true });
    let suspended = update(&app, &admin, &id, change).await;
    assert_eq!(suspended["account"]["status"], "SUSPENDED");
    let back = update(&app, &admin, &id, json!({ "suspended": false })).await;
    assert_eq!(
        (&back["account"]["status"], &back["account"]["tier"]),
        (&json!("UNVERIFIED"), &json!("PREMIUM"))
    );
    // Nor have they what they were given in another way.
    execute(
        &app,
        "update accounts set roles = '{LISTENER,ADMIN}' where email = 'ana@example.org'",
    )
    .await;
    let again = register(&app, "ana@example.org", NEW_PASSWORD, "Eve").await;
    assert_eq!(again["accepted"], true);
    let shown = update(&app, &admin, &id, json!({})).await;
    assert_eq!(
        (&shown["account"]["roles"], &shown["account"]["tier"]),
        (&json!(["LISTENER"]), &json!("FREE"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_is_its_owners_to_open_again() {
    let app = TestApp::new().await;
    let admin = administrator(&app, "admin@example.org").await;
    app.member("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    execute(
        &app,
        "update accounts set status = 'CLOSED', erase_at = now() where email = 'ana@example.org'",
    )
    .await;
    for change in [
        json!({}),
        json!({ "suspended": true }),
        json!({ "suspended": false }),
        json!({ "roles": ["ADMIN"] }),
        json!({ "tier": "PREMIUM" }),
        json!({ "unlock": true }),
    ] {
        let (code, said) = refused(&app, &admin, &id, change).await;
        assert_eq!(code, "CONFLICT");
        assert!(said.contains("closed by its owner"), "{said}");
    }
    let shown = app
        .data_as(
            &admin.access,
            &format!("{{ node(id: \"{id}\") {{ ... on Account {{ status roles tier }} }} }}"),
        )
        .await["node"]
        .take();
    assert_eq!(
        shown,
        json!({ "status": "CLOSED", "roles": ["LISTENER"], "tier": "FREE" })
    );
}

/// Last wins, and both are recorded, each with what was before it.
#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_at_once_come_one_after_the_other() {
    let app = TestApp::new().await;
    let one = administrator(&app, "one@example.org").await;
    let two = administrator(&app, "two@example.org").await;
    app.member("ana@example.org").await;
    let id = id_of(&app, "ana@example.org").await;
    let (changed, events) = recorded_by(&app, async {
        tokio::join!(
            update(&app, &one, &id, json!({ "roles": ["ARTIST"] })),
            update(&app, &two, &id, json!({ "roles": ["MODERATOR"] })),
        )
    })
    .await;
    assert_eq!(
        (mistakes(&changed.0), mistakes(&changed.1)),
        (vec![], vec![])
    );
    let shown = |change: &Value| change["account"]["roles"].clone();
    let by_one = events[0].details["after"] == shown(&changed.0);
    let (first, last) = match by_one {
        true => (shown(&changed.0), shown(&changed.1)),
        false => (shown(&changed.1), shown(&changed.0)),
    };
    assert_eq!(actions(&events), ["role.changed", "role.changed"]);
    assert_eq!(
        events[0].details,
        json!({ "before": ["LISTENER"], "after": first })
    );
    assert_eq!(events[1].details, json!({ "before": first, "after": last }));
    let ana = app.sign_in("ana@example.org").await;
    assert_eq!(me(&app, &ana.access).await["roles"], last);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_administer_changes_nothing_and_has_tried() {
    let app = TestApp::new().await;
    app.member("ana@example.org").await;
    app.member("mod@example.org").await;
    execute(
        &app,
        "update accounts set roles = '{LISTENER,MODERATOR}' where email = 'mod@example.org'",
    )
    .await;
    let id = id_of(&app, "ana@example.org").await;
    let input = json!({ "accountId": id, "roles": ["ADMIN"], "reason": "Why not" });
    for email in ["ana@example.org", "mod@example.org"] {
        let access = app.sign_in(email).await.access;
        let narrowed = tokens::narrowed(&access, r#"check if scope("ACCOUNT_READ")"#);
        for access in [&access, &narrowed] {
            let (answer, events) =
                recorded_by(&app, app.call(Some(access), UPDATE, input.clone())).await;
            assert_eq!(answer.code(), "FORBIDDEN");
            let [event] = &events[..] else {
                panic!("{events:#?}")
            };
            // The one has no such role, the other is no token for it.
            assert!(matches!(&*event.action, "admin.refused" | "access.refused"));
            assert_eq!(event.details["field"], "updateAccountAsAdmin");
            assert_eq!(event.actor, Some(id_of(&app, email).await));
        }
    }
    let (answer, events) = recorded_by(&app, app.call(None, UPDATE, input)).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    // Anybody at all could fill the trail else.
    assert_eq!(actions(&events), NONE);
    assert_eq!(
        count(
            &app,
            "select count(*) from accounts where 'ADMIN' = any(roles)"
        )
        .await,
        0
    );
}

/// That a refusal stands on the trail with the account that it was about, if it was about one.
#[track_caller]
fn assert_refusal(event: &Recorded, account: &str, codes: &[&str]) {
    assert_eq!(
        event.details,
        json!({ "field": "updateAccountAsAdmin", "codes": codes })
    );
    let is_id = account.starts_with("account_");
    assert_eq!(event.subject.as_deref(), is_id.then_some(account));
}
