//! A claim by itself: who has it, what is left of it, and who may have it then.

use super::*;

struct Asking {
    ana: Ana,
    account: uuid::Uuid,
    key: Key,
}

impl Asking {
    async fn new() -> Self {
        let ana = Ana::signed_in().await;
        let id = ana.app.sql().await;
        let id = id.query_one("select id::text from accounts", &[]).await;
        let id: String = id.unwrap().get(0);
        Self {
            account: id.parse().unwrap(),
            key: Key::read([KEY.as_bytes()]).unwrap().unwrap(),
            ana,
        }
    }

    async fn begin(&self, input: &str) -> Begun {
        let app = &self.ana.app.app;
        let input = Input::of(&app.keys, &[input.as_bytes()]);
        Claim::begin(app, self.account, self.key, &input)
            .await
            .unwrap()
    }

    async fn claims(&self) -> Claim {
        match self.begin("this").await {
            Begun::Ours(claim) => claim,
            other => panic!("{}", name(&other)),
        }
    }

    async fn finds(&self, input: &str) -> &'static str {
        name(&self.begin(input).await)
    }

    /// Something is written, as an action does.
    async fn writes(&self) -> Result<(), empulse::db::Error> {
        let db = &self.ana.app.app.db;
        let write = empulse::db::Statement::<()>::new(
            "update accounts set display_name = display_name || '!'",
        );
        db.execute(&write).await.map(drop)
    }
}

fn name(begun: &Begun) -> &'static str {
    match begun {
        Begun::Ours(_) => "ours",
        Begun::Answered { .. } => "answered",
        Begun::Running => "running",
        Begun::Unanswered => "unanswered",
        Begun::OtherInput => "other",
    }
}

fn half_a_minute() -> TimeDelta {
    TimeDelta::seconds(30)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_before_it_wrote_is_for_the_next_with_the_same_input() {
    let asking = Asking::new().await;
    let _left = asking.claims().await;
    assert_eq!(asking.finds("this").await, "running");
    assert_eq!(asking.finds("that").await, "other");
    wait(&asking.ana.app, half_a_minute());
    assert_eq!(asking.finds("that").await, "other");
    assert_eq!(asking.finds("this").await, "ours");
    assert_eq!(asking.finds("this").await, "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_left_after_it_wrote_is_for_nobody() {
    let asking = Asking::new().await;
    let left = asking.claims().await;
    left.run(asking.writes()).await.unwrap().unwrap();
    drop(left);
    assert_eq!(asking.finds("this").await, "running");
    wait(&asking.ana.app, half_a_minute());
    assert_eq!(asking.finds("this").await, "unanswered");
    wait(&asking.ana.app, TimeDelta::hours(24));
    assert_eq!(asking.finds("this").await, "ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_over_can_neither_write_nor_answer() {
    let asking = Asking::new().await;
    let slow = asking.claims().await;
    wait(&asking.ana.app, half_a_minute());
    let next = asking.claims().await;
    let written = slow.run(asking.writes()).await.unwrap();
    assert!(
        matches!(written, Err(empulse::db::Error::Overtaken)),
        "{written:?}"
    );
    slow.end(Ended::Answered(b"slow".to_vec())).await;
    assert_eq!(asking.finds("this").await, "running");
    next.run(asking.writes()).await.unwrap().unwrap();
    next.end(Ended::Answered(b"next".to_vec())).await;
    match asking.begin("this").await {
        Begun::Answered { answer, .. } => assert_eq!(answer, b"next"),
        other => panic!("{}", name(&other)),
    }
    assert_eq!(asking.ana.name().await, "Kim Doe!", "written once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_kept_only_if_something_stands() {
    let asking = Asking::new().await;
    asking
        .claims()
        .await
        .end(Ended::Refused(b"no".to_vec()))
        .await;
    let claim = asking.claims().await;
    claim.end(Ended::Unanswered).await;
    let claim = asking.claims().await;
    claim.run(asking.writes()).await.unwrap().unwrap();
    claim.end(Ended::Refused(b"in part".to_vec())).await;
    assert_eq!(asking.finds("this").await, "answered");
}

/// What is counted whatever comes of it says nothing of the work.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_apart_is_no_part_of_it() {
    let asking = Asking::new().await;
    let claim = asking.claims().await;
    claim
        .run(empulse::db::apart(asking.writes()))
        .await
        .unwrap()
        .unwrap();
    claim.end(Ended::Unanswered).await;
    assert_eq!(asking.finds("this").await, "ours");
}

/// A transaction that is rolled back takes its mark along.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_was_not_done() {
    let asking = Asking::new().await;
    let claim = asking.claims().await;
    let refused = empulse::db::Statement::<()>::new("update accounts set display_name = ''");
    let db = &asking.ana.app.app.db;
    assert!(claim.run(db.execute(&refused)).await.unwrap().is_err());
    claim.end(Ended::Unanswered).await;
    assert_eq!(asking.finds("this").await, "ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_files_were_is_kept_beside_the_answer_and_goes_with_it() {
    let asking = Asking::new().await;
    let keys = &asking.ana.app.app.keys;
    let (these, others) = (Input::of(keys, &[b"these"]), Input::of(keys, &[b"others"]));
    let mut claim = asking.claims().await;
    claim.had_files(these.clone());
    claim.end(Ended::Answered(b"so".to_vec())).await;
    let Begun::Answered {
        answer,
        files: Some(files),
    } = asking.begin("this").await
    else {
        panic!("they are not kept");
    };
    assert_eq!(answer, b"so");
    assert!(files.are(&these) && !files.are(&others));
    // A day later the key is free, for what has none as well.
    wait(&asking.ana.app, TimeDelta::hours(25));
    asking
        .claims()
        .await
        .end(Ended::Answered(b"again".to_vec()))
        .await;
    let again = asking.begin("this").await;
    assert!(matches!(again, Begun::Answered { files: None, .. }));
}
