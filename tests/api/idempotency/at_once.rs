//! Several at once, over several instances, and those who hang up.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_over_two_instances_one_is_done() {
    let ana = Ana::signed_in().await;
    ana.app.run_jobs().await;
    let other = ana.app.instance(&[]).await;
    for round in 0..3 {
        let key = format!("round-{round}");
        let before = mails(&ana.app).await;
        let body = moving();
        let all = (0..16).map(|number| {
            let app = if number % 2 == 0 { &ana.app } else { &other };
            sends(app, Some(&ana.access), &key, &body)
        });
        let answers = futures_util::future::join_all(all).await;
        let first = answers
            .iter()
            .find(|answer| answer.status == 200 && !answer.is_replayed())
            .unwrap();
        let mut ran = 0;
        for answer in &answers {
            match answer.status {
                200 if answer.is_replayed() => answer.repeats(first),
                200 => ran += 1,
                _ => assert_eq!(answer.refused(), conflict()),
            }
        }
        assert_eq!(ran, 1);
        assert_eq!(mails(&ana.app).await - before, 2);
        sends(&other, Some(&ana.access), &key, &body)
            .await
            .repeats(first);
    }
}

/// Holds the account, so that whatever changes it waits.
async fn holding(app: &TestApp) -> tokio_postgres::Client {
    let lock = app.sql().await;
    lock.batch_execute("begin; select from accounts for no key update")
        .await
        .unwrap();
    lock
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_first_runs_there_is_a_conflict_and_who_hung_up_has_the_answer_later() {
    let ana = Ana::signed_in().await;
    if needs_server(&ana.app, "a repeat while the first runs") {
        return;
    }
    let lock = holding(&ana.app).await;
    let body = naming("Ana");
    let request = graphql(&ana.app, &body)
        .header("idempotency-key", KEY)
        .bearer_auth(&ana.access)
        .send();
    let first = tokio::spawn(request);
    waiting(&ana.app, 1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let again = ana.sends(KEY, &body).await;
    assert_eq!(again.refused(), conflict());
    assert!(again.text.contains("still runs"), "{again:?}");
    // What differs is told first: to wait would not help.
    assert_eq!(
        ana.sends(KEY, &naming("Ben")).await.refused(),
        bad_request()
    );
    lock.batch_execute("commit").await.unwrap();
    let mut told = ana.sends(KEY, &body).await;
    while told.status == 409 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        told = ana.sends(KEY, &body).await;
    }
    assert!(told.is_replayed(), "{told:?}");
    assert_eq!(
        told.body()["data"]["updateProfile"]["account"]["user"]["displayName"],
        "Ana"
    );
    assert_eq!(ana.name().await, "Ana");
}

/// Whoever is not heard of may only have been slow; then what it does late must not stand beside what another did.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_taken_over_writes_nothing() {
    let ana = Ana::signed_in().await;
    if needs_server(&ana.app, "a repeat that takes over") {
        return;
    }
    ana.app.run_jobs().await;
    let lock = holding(&ana.app).await;
    let body = moving();
    let send = || {
        let request = graphql(&ana.app, &body)
            .header("idempotency-key", KEY)
            .bearer_auth(&ana.access);
        tokio::spawn(told(request))
    };
    let first = send();
    waiting(&ana.app, 1).await;
    wait(&ana.app, TimeDelta::seconds(25));
    assert_eq!(ana.sends(KEY, &body).await.refused(), conflict());
    wait(&ana.app, TimeDelta::seconds(6));
    let second = send();
    waiting(&ana.app, 2).await;
    lock.batch_execute("commit").await.unwrap();
    let (first, second) = (first.await.unwrap(), second.await.unwrap().ran());
    assert_eq!(first.code(), "CONFLICT");
    assert_eq!(mails(&ana.app).await, 2);
    ana.sends(KEY, &body).await.repeats(&second);
}
