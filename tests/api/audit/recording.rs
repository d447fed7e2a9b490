//! What an action records stands with it or not at all, and nothing takes it away again.

use empulse::accounts::AccountId;
use empulse::audit::{self, Event};
use empulse::db::Error;
use uuid::Uuid;

use super::{Bench, by, event, noon};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_stands_with_its_action_and_not_without() {
    let bench = Bench::new().await;
    let mut tx = bench.db.begin().await.unwrap();
    audit::record(&mut tx, event(1)).await.unwrap();
    tx.rollback().await;
    assert_eq!(bench.count("select count(*) from audit_pending").await, 0);
    assert_eq!(bench.count("select count(*) from audit_personal").await, 0);

    let mut tx = bench.db.begin().await.unwrap();
    audit::record(&mut tx, event(2)).await.unwrap();
    audit::record_all(&mut tx, vec![event(3), event(4)])
        .await
        .unwrap();
    audit::record_all(&mut tx, Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    audit::record_alone(&bench.db, event(5)).await.unwrap();
    let rows = bench
        .sql()
        .await
        .query("select details from audit_pending order by position", &[])
        .await
        .unwrap();
    let details: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let expected = [2, 3, 4, 5].map(|number| format!("{{\"number\":{number}}}"));
    assert_eq!(details, expected);
}

/// What each column holds of an event that has everything, and what stands apart.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_personal_stands_apart_under_its_owner() {
    let bench = Bench::new().await;
    let (actor, other) = (Uuid::from_u128(7), AccountId(Uuid::from_u128(8)));
    let event = |actor, about: bool| {
        let event =
            Event::new("test.happened", &by(actor), noon()).personal("email", "ana@example.org");
        if about { event.about(other) } else { event }
    };
    let client = bench.sql().await;
    for (actor, about, origin, facts) in [
        (Some(actor), true, Some(actor), Some(other.0)),
        (Some(actor), false, Some(actor), None),
        (None, true, Some(other.0), Some(other.0)),
        (None, false, None, None),
    ] {
        audit::record_alone(&bench.db, event(actor, about))
            .await
            .unwrap();
        let row = client
            .query_one(
                "select actor_id::text, subject_id, correlation_id, details, id::text, origin_commitment, facts_commitment
                 from audit_pending order by position desc limit 1",
                &[],
            )
            .await
            .unwrap();
        let text = |id: Option<Uuid>| id.map(|id| id.to_string());
        assert_eq!(row.get::<_, Option<String>>(0), text(actor));
        let subject = about.then(|| other.to_string());
        assert_eq!(row.get::<_, Option<String>>(1), subject);
        assert_eq!(row.get::<_, &str>(2), "by-this-id");
        assert_eq!(row.get::<_, &str>(3), "{}");
        let id: String = row.get(4);
        let commitments = [row.get::<_, Vec<u8>>(5), row.get(6)];
        let parts = client
            .query(
                "select whose::text, content, salt from audit_personal where event_id::text = $1 order by part",
                &[&id],
            )
            .await
            .unwrap();
        let whose: Vec<Option<String>> = parts.iter().map(|part| part.get(0)).collect();
        assert_eq!(whose, [text(facts), text(origin)]);
        let content: Vec<&str> = parts.iter().map(|part| part.get(1)).collect();
        assert_eq!(
            content,
            [
                r#"{"email":"ana@example.org"}"#,
                r#"{"ipAddress":"203.0.113.7","userAgent":"Lynx/2.9"}"#,
            ]
        );
        let salts: Vec<Vec<u8>> = parts.iter().map(|part| part.get(2)).collect();
        assert_ne!(salts[0], salts[1]);
        assert_ne!(commitments[0], commitments[1]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_looks_secret_or_is_an_address_stands_in_no_detail() {
    let bench = Bench::new().await;
    let reason = "asked for by ana@example.org, password=hunter22\0";
    let event = Event::new("test.happened", &by(None), noon())
        .detail("reason", reason)
        .detail("newPassword", "hunter22")
        .detail(
            "nested",
            serde_json::json!({ "token": "hunter22", "list": [reason] }),
        )
        .detail("long", "x".repeat(100_000));
    audit::record_alone(&bench.db, event).await.unwrap();
    let row = bench
        .sql()
        .await
        .query_one("select details from audit_pending", &[])
        .await
        .unwrap();
    let details: &str = row.get(0);
    assert!(!details.contains("hunter22"), "{details}");
    assert!(!details.contains("ana@"), "{details}");
    assert!(details.contains("asked for by"), "{details}");
    assert!(details.len() < 3_000);
}

/// As far as whoever writes to the tables can be held by them.
#[tokio::test(flavor = "multi_thread")]
async fn the_tables_take_nothing_back() {
    let bench = Bench::new().await;
    audit::record_alone(&bench.db, event(1)).await.unwrap();
    let client = bench.sql().await;
    for refused in [
        "update audit_pending set action = 'test.other'",
        "delete from audit_pending",
        "truncate audit_pending",
        "update audit_personal set content = '{}'",
        "truncate audit_personal",
        "update audit_events set action = 'test.other'",
        "delete from audit_events",
        "truncate audit_events",
    ] {
        let error = client.batch_execute(refused).await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "23001", "{refused}: {error}");
        assert!(error.message().contains("only added to"), "{refused}");
    }
}

/// An action that can't be told of is not done.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_not_taken_stops_its_action() {
    let bench = Bench::new().await;
    let many: Vec<String> = (0..100).map(|_| "x".repeat(2_000)).collect();
    let mut tx = bench.db.begin().await.unwrap();
    let recorded = audit::record(&mut tx, event(1).detail("many", many)).await;
    assert!(matches!(recorded, Err(Error::Refused(_))), "{recorded:?}");
}
