//! There is always somebody who administers and can sign in, whoever does what at once.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::*;

const ADMINISTRATORS: &str =
    "select count(*) from accounts where status = 'ACTIVE' and 'ADMIN' = any(roles)";

struct Administrator {
    signed_in: SignedIn,
    id: String,
}

/// So many, each signed in.
async fn administrators(app: &TestApp, many: usize) -> Vec<Administrator> {
    let mut all = Vec::new();
    for place in 0..many {
        let email = format!("admin{place}@example.org");
        let signed_in = administrator(app, &email).await;
        let id = id_of(app, &email).await;
        all.push(Administrator { signed_in, id });
    }
    all
}

/// What came of it: how many did it, and how often each code was said; a refusal of the whole field too.
async fn outcomes(
    app: &TestApp,
    changes: Vec<(&Administrator, &Administrator, Value)>,
) -> (usize, HashMap<String, usize>) {
    let answers = join_all(changes.into_iter().map(|(by, whom, change)| async move {
        let mut input = json!({ "accountId": whom.id, "reason": "A coup" });
        input
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        app.call(Some(&by.signed_in.access), UPDATE, input).await
    }))
    .await;
    let (mut done, mut refused) = (0, HashMap::new());
    for answer in answers {
        if answer.body["errors"].is_null() {
            match &mistakes(&answer.body["data"]["updateAccountAsAdmin"])[..] {
                [] => done += 1,
                [code] => *refused.entry(code.clone()).or_default() += 1,
                several => panic!("{several:?}"),
            }
        } else {
            *refused.entry(answer.code().to_owned()).or_default() += 1;
        }
    }
    (done, refused)
}

/// The request was let in while its sender administered; by the time that it is its turn the sender does not any more.
#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_who_demote_each_other_leave_one() {
    let app = TestApp::new().await;
    let [ana, ben] = &administrators(&app, 2).await[..] else {
        panic!()
    };
    for change in [json!({ "roles": [] }), json!({ "suspended": true })] {
        let both = vec![(ana, ben, change.clone()), (ben, ana, change)];
        let (done, refused) = outcomes(&app, both).await;
        assert_eq!(done, 1, "{refused:?}");
        assert_eq!(refused.values().sum::<usize>(), 1, "{refused:?}");
        assert!(
            refused
                .keys()
                .all(|code| matches!(&**code, "FORBIDDEN" | "UNAUTHENTICATED")),
            "{refused:?}"
        );
        assert_eq!(count(&app, ADMINISTRATORS).await, 1);
        let again = "update accounts set roles = '{LISTENER,ADMIN}', status = 'ACTIVE';
                     update sessions set ended_at = null, ended_because = null";
        execute(&app, again).await;
    }
}

/// Each of many tries to be the only one that is left, by whichever way.
#[tokio::test(flavor = "multi_thread")]
async fn however_many_turn_on_each_other_at_once_one_is_left() {
    let app = TestApp::new().await;
    if needs_server(&app, "however_many_turn_on_each_other_at_once_one_is_left") {
        return;
    }
    let all = administrators(&app, 6).await;
    for round in 0..5 {
        let mut changes = Vec::new();
        for (place, by) in all.iter().enumerate() {
            for (other, whom) in all.iter().enumerate() {
                if place == other {
                    continue;
                }
                changes.push((
                    by,
                    whom,
                    match (place + other + round) % 3 {
                        0 => json!({ "roles": ["MODERATOR"] }),
                        1 => json!({ "suspended": true }),
                        _ => json!({ "roles": [], "suspended": true }),
                    },
                ));
            }
        }
        let (done, refused) = outcomes(&app, changes).await;
        let left = count(&app, ADMINISTRATORS).await;
        assert!(left >= 1, "{done} done, {refused:?}");
        assert!(
            refused
                .keys()
                .all(|code| matches!(&**code, "FORBIDDEN" | "UNAUTHENTICATED")),
            "{refused:?}"
        );
        let again = "update accounts set roles = '{LISTENER,ADMIN}', status = 'ACTIVE';
                     update sessions set ended_at = null, ended_because = null";
        execute(&app, again).await;
    }
}

/// Nor is anybody kept waiting for ever: who closes an account holds it first, as who suspends it does.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_close_their_accounts_leave_one_too() {
    let app = TestApp::new().await;
    if needs_server(&app, "those_who_close_their_accounts_leave_one_too") {
        return;
    }
    const CLOSE: &str = "mutation ($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }";
    let all = administrators(&app, 4).await;
    for _ in 0..4 {
        let closings = all.iter().map(|one| {
            let input = json!({ "password": RIGHT });
            app.call(Some(&one.signed_in.access), CLOSE, input)
        });
        let changes = all.iter().zip(all.iter().cycle().skip(1));
        let changes = changes.map(|(by, whom)| (by, whom, json!({ "suspended": true })));
        let (closed, (_, refused)) =
            tokio::join!(join_all(closings), outcomes(&app, changes.collect()));
        let is_fair = |code: &str| matches!(code, "FORBIDDEN" | "UNAUTHENTICATED" | "CONFLICT");
        assert!(refused.keys().all(|code| is_fair(code)), "{refused:?}");
        for answer in closed {
            if !answer.body["errors"].is_null() {
                assert!(is_fair(answer.code()), "{:#}", answer.body);
            }
        }
        assert!(count(&app, ADMINISTRATORS).await >= 1);
        let again =
            "update accounts set roles = '{LISTENER,ADMIN}', status = 'ACTIVE', erase_at = null;
                     update sessions set ended_at = null, ended_because = null";
        execute(&app, again).await;
    }
}

/// As somebody could do it who writes to the database, or a command: whoever acts is nobody any more.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_one_who_can_sign_in_stays_although_others_have_the_role() {
    let app = TestApp::new().await;
    let [ana, ben] = &administrators(&app, 2).await[..] else {
        panic!()
    };
    // Ben has the role and can't sign in: he is no help.
    let shut_out = update(&app, &ana.signed_in, &ben.id, json!({ "suspended": true })).await;
    assert_eq!(mistakes(&shut_out), NONE);
    for change in [json!({ "roles": [] }), json!({ "suspended": true })] {
        let (code, said) = refused(&app, &ana.signed_in, &ana.id, change).await;
        assert_eq!(code, "FORBIDDEN", "{said}");
    }
    // Who is no use to anybody may lose it.
    let demoted = update(&app, &ana.signed_in, &ben.id, json!({ "roles": [] })).await;
    assert_eq!(mistakes(&demoted), NONE);
    assert_eq!(count(&app, ADMINISTRATORS).await, 1);
}
