//! Whatever is done to the trail behind its back is found, and named by the first event that does not fit.

use chrono::TimeDelta;
use empulse::accounts::AccountId;
use empulse::audit::{self, Event, FoundHead, Head, SignedHead};
use uuid::Uuid;

use super::{Bench, by, event, keys, noon};

/// Ten events that are chained, and a head of them.
async fn ten() -> (Bench, SignedHead) {
    let bench = Bench::new().await;
    for number in 1..=10 {
        let event = event(number)
            .concerning(Uuid::from_u128(8))
            .personal("email", "ana@example.org");
        audit::record_alone(&bench.db, event).await.unwrap();
    }
    audit::link(&bench.db).await.unwrap();
    let head = bench.head().await;
    (bench, head)
}

/// What is found once this was done by whoever owns the tables.
async fn found_after(tampering: &str) -> Vec<String> {
    let (bench, head) = ten().await;
    bench.tamper(tampering).await;
    let report = bench.verify_with(vec![found(head)]).await;
    report.misfits.iter().map(ToString::to_string).collect()
}

fn found(head: SignedHead) -> FoundHead {
    FoundHead {
        place: "head-of-ten".into(),
        signed: Ok(head),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_where_nothing_was_done() {
    let (bench, head) = ten().await;
    let report = bench.verify_with(vec![found(head)]).await;
    assert_eq!(report.misfits, []);
    assert_eq!((report.events, report.heads, report.erased), (10, 1, 0));
    assert_eq!(report.last_head.unwrap().sequence, 10);
    // Nor where there is nothing at all.
    let report = Bench::new().await.verify().await;
    assert_eq!((report.events, report.misfits), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_event_that_does_not_fit_is_named_and_how() {
    let ids = "(select id from audit_events where sequence = 5)";
    let swap = |one: i64, other: i64| {
        format!(
            "update audit_events set sequence = 999 where sequence = {one};
             update audit_events set sequence = {one} where sequence = {other};
             update audit_events set sequence = {other} where sequence = 999"
        )
    };
    for (tampering, expected) in [
        ("delete from audit_events where sequence = 5".into(), "event 5 is missing"),
        ("delete from audit_events where sequence between 1 and 3".into(), "events 1 to 3 are missing"),
        ("update audit_events set details = '{}' where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set action = 'test.other' where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set actor_id = null where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set person_id = actor_id where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set subject_id = 'account_1' where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set correlation_id = null where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set created_at = created_at + interval '1 microsecond' where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set facts_commitment = null where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set hash = previous where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set id = gen_random_uuid() where sequence = 5".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        ("update audit_events set details = '{}' where sequence in (5, 8)".into(), "event 5 (*) was altered: its hash is not that of what it says"),
        (swap(5, 6), "event 5 (*) was moved: it came after event 6"),
        (swap(3, 9), "event 3 (*) was moved: it came after event 8"),
        (swap(1, 10), "event 1 (*) was moved: it came after event 9"),
        (swap(1, 2), "event 1 (*) was moved: it came after event 2"),
        (
            "delete from audit_events where sequence = 5;
             update audit_events set sequence = sequence - 1 where sequence > 5".into(),
            "what stood before event 5 (*) is missing: the event that it was chained to is nowhere",
        ),
        (
            "delete from audit_events where sequence = 1;
             update audit_events set sequence = sequence - 1".into(),
            "what stood before event 1 (*) is missing: the event that it was chained to is nowhere",
        ),
        // One that is put in between.
        (
            "update audit_events set sequence = sequence + 100 where sequence > 4;
             update audit_events set sequence = sequence - 99 where sequence > 100;
             insert into audit_events select 5, gen_random_uuid(), action, actor_id, subject_id, person_id, correlation_id, details,
               origin_commitment, facts_commitment, created_at, (select hash from audit_events where sequence = 4), hash
             from audit_events where sequence = 6".into(),
            "event 5 (*) was altered: its hash is not that of what it says",
        ),
        ("delete from audit_events where sequence > 8".into(), "the end of the trail is missing: it goes to event 8, and the head head-of-ten was signed * for event 10"),
        ("delete from audit_events".into(), "the end of the trail is missing: it goes to event 0, and the head head-of-ten was signed * for event 10"),
        (format!("update audit_personal set content = '{{}}' where part = 'FACTS' and event_id = {ids}"), "what is personal in event 5 (*) was altered"),
        (format!("update audit_personal set salt = sha256(salt) where part = 'ORIGIN' and event_id = {ids}"), "where it came from in event 5 (*) was altered"),
        (format!("update audit_personal set whose = null where part = 'FACTS' and event_id = {ids}"), "what is personal in event 5 (*) was altered"),
        (format!("delete from audit_personal where part = 'FACTS' and event_id = {ids}"), "what is personal in event 5 (*) is gone, and no later event says that it was erased"),
        ("delete from audit_personal".into(), "where it came from in event 1 (*) is gone, and no later event says that it was erased"),
        // Of another event.
        (
            format!(
                "update audit_personal p set salt = o.salt, content = o.content from audit_personal o
                 where p.part = 'FACTS' and p.event_id = {ids} and o.part = 'FACTS'
                   and o.event_id = (select id from audit_events where sequence = 6)"
            ),
            "what is personal in event 5 (*) was altered",
        ),
    ] {
        let found = found_after(&tampering).await;
        let [only] = found.as_slice() else {
            panic!("{tampering}: {found:?}");
        };
        let mut rest = only.as_str();
        for part in expected.split('*') {
            let at = rest.find(part).unwrap_or_else(|| panic!("{tampering}: {only}"));
            rest = &rest[at + part.len()..];
        }
        assert_eq!(rest, "", "{tampering}: {only}");
    }
}

/// A part that was never there is none of the event's.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_can_be_added() {
    let bench = Bench::new().await;
    audit::record_alone(&bench.db, event(1)).await.unwrap();
    audit::link(&bench.db).await.unwrap();
    bench
        .tamper(
            "insert into audit_personal select event_id, 'FACTS', whose, salt, '{\"email\":\"eve@example.org\"}' from audit_personal",
        )
        .await;
    let report = bench.verify().await;
    let told: Vec<String> = report.misfits.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("what is personal in event 1 ("),
        "{told:?}"
    );
    assert!(told[0].ends_with(") was altered"), "{told:?}");
}

/// Whoever can write to the database can make a chain that fits by itself. The heads are what it does not fit.
#[tokio::test(flavor = "multi_thread")]
async fn a_trail_that_was_written_anew_does_not_fit_its_heads() {
    let bench = Bench::new().await;
    let mut heads = Vec::new();
    for number in 1..=9 {
        audit::record_alone(&bench.db, event(number)).await.unwrap();
        audit::link(&bench.db).await.unwrap();
        if number % 3 == 0 {
            let signed = Ok(bench.head().await);
            heads.push(FoundHead {
                place: format!("head-{number}"),
                signed,
            });
        }
    }
    bench
        .tamper("delete from audit_events where sequence > 4")
        .await;
    for number in 5..=9 {
        audit::record_alone(&bench.db, event(100 + number))
            .await
            .unwrap();
    }
    audit::link(&bench.db).await.unwrap();
    assert_eq!(
        bench.verify().await.misfits,
        [],
        "without heads nobody can tell"
    );
    let report = bench.verify_with(heads).await;
    let told: Vec<String> = report.misfits.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("the trail was written anew after event 3, at event 6 or before: the head head-6, signed "),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_counts_by_its_signature_alone() {
    let (bench, head) = ten().await;
    // One that cannot be told to be ours fits all the same, beside one that is.
    let by_another = SignedHead::sign(&keys("b"), &head.head().unwrap()).unwrap();
    let heads = vec![found(head.clone()), found(by_another.clone())];
    let report = bench.verify_with(heads).await;
    assert_eq!(
        (report.heads, report.unknown_heads, report.misfits),
        (1, 1, vec![])
    );
    // Alone it vouches for nothing.
    let report = bench.verify_with(vec![found(by_another)]).await;
    let told: Vec<String> = report.misfits.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("no head is signed by a key that is known"));
    // One that does not fit says nothing of the trail, and keeps nobody from walking it to its end.
    for sequence in [5, 11] {
        let strange = Head {
            sequence,
            count: sequence,
            ..head.head().unwrap()
        };
        let strange = SignedHead::sign(&keys("b"), &strange).unwrap();
        let heads = vec![found(head.clone()), found(strange)];
        let report = bench.verify_with(heads).await;
        assert_eq!((report.events, report.heads), (10, 1));
        let told: Vec<String> = report.misfits.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "the head head-of-ten is none of ours: it was signed by the key key-b, which is not among the signing keys"
            ]
        );
    }
    // One that was altered, and one that is no head at all.
    let text = String::from_utf8(head.to_bytes().unwrap()).unwrap();
    let altered = text.replace("\\\"sequence\\\":10", "\\\"sequence\\\":11");
    assert_ne!(altered, text);
    for (bytes, why) in [
        (altered.as_bytes(), "the signature is not of this"),
        (b"{}", "it is no signed head"),
    ] {
        let place = "head-of-ten".to_owned();
        let signed = SignedHead::read(bytes);
        let report = bench.verify_with(vec![FoundHead { place, signed }]).await;
        assert_eq!(report.events, 10, "the chain is walked all the same");
        let told: Vec<String> = report.misfits.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [format!("the head head-of-ten is none of ours: {why}")]
        );
    }
}

/// What happened is chained as it came, whatever the clocks of the instances say.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_breaks_nothing() {
    let bench = Bench::new().await;
    for hours in [0, 5, -48, 1, 2] {
        let at = noon() + TimeDelta::hours(hours) + TimeDelta::nanoseconds(1_234_567);
        let event = Event::new("test.happened", &by(None), at);
        audit::record_alone(&bench.db, event).await.unwrap();
        audit::link(&bench.db).await.unwrap();
    }
    let head = found(bench.head().await);
    let report = bench.verify_with(vec![head]).await;
    assert_eq!((report.events, report.misfits), (5, vec![]));
}

/// An auditor needs to read, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_read_can_verify() {
    let (bench, head) = ten().await;
    if bench.needs_server("who_may_only_read_can_verify") {
        return;
    }
    audit::record_alone(&bench.db, event(11)).await.unwrap();
    bench.becomes_read_only().await;
    let auditor = bench.instance();
    let report = auditor.verify_with(vec![found(head)]).await;
    assert_eq!(
        (report.events, report.waiting, report.misfits),
        (10, 1, vec![])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_is_told_from_what_was_made_away_with() {
    let bench = Bench::new().await;
    let (ana, ben) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let happens = async |actor: Option<Uuid>, about: Option<Uuid>| {
        let mut event = Event::new("test.happened", &by(actor), noon());
        if let Some(about) = about {
            event = event
                .about(AccountId(about))
                .personal("email", "ana@example.org");
        }
        audit::record_alone(&bench.db, event).await.unwrap();
    };
    let parts = async |whose: &str| {
        let sql = format!("select count(*) from audit_personal where whose {whose}");
        bench.count(&sql).await
    };
    let of = |person: Uuid| format!("= '{person}'");
    let erase = async |person: Uuid| {
        let mut tx = bench.db.begin().await.unwrap();
        let erased = audit::erase_personal(&mut tx, AccountId(person), noon())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        erased
    };
    // By her; about her by another; about her by nobody known; nothing of hers, twice.
    happens(Some(ana), None).await;
    happens(Some(ben), Some(ana)).await;
    happens(None, Some(ana)).await;
    happens(Some(ben), None).await;
    happens(None, None).await;
    assert_eq!(
        (
            parts(&of(ana)).await,
            parts(&of(ben)).await,
            parts("is null").await
        ),
        (4, 2, 1)
    );
    // Some of it chained already, some not.
    audit::link(&bench.db).await.unwrap();
    happens(Some(ana), Some(ana)).await;
    assert_eq!(erase(ana).await, 6);
    assert_eq!(
        (
            parts(&of(ana)).await,
            parts(&of(ben)).await,
            parts("is null").await
        ),
        (0, 2, 1)
    );
    let report = bench.verify().await;
    assert_eq!(
        (report.events, report.erased, report.misfits),
        (7, 6, vec![])
    );
    // Nothing more to erase, nothing more to tell.
    assert_eq!(erase(ana).await, 0);
    assert_eq!(bench.verify().await.events, 7);
    // What an erasure did not cover is not excused by it.
    happens(Some(ana), None).await;
    audit::link(&bench.db).await.unwrap();
    bench
        .tamper(&format!("delete from audit_personal where whose = '{ana}'"))
        .await;
    let gone = bench.verify().await.misfits;
    assert_eq!(gone.len(), 1);
    assert!(
        gone[0]
            .to_string()
            .starts_with("where it came from in event 8 ("),
        "{gone:?}"
    );
    happens(Some(ana), None).await;
    assert_eq!(erase(ana).await, 1);
    assert_eq!(bench.verify().await.misfits, []);
    bench
        .tamper(&format!("delete from audit_personal where whose = '{ben}'"))
        .await;
    let gone = bench.verify().await.misfits;
    assert!(
        gone[0]
            .to_string()
            .starts_with("where it came from in event 2 ("),
        "{gone:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn much_is_erased_in_pieces() {
    let bench = Bench::new().await;
    let mut tx = bench.db.begin().await.unwrap();
    audit::record_all(&mut tx, (0..2_500).map(event).collect())
        .await
        .unwrap();
    let erased = audit::erase_personal(&mut tx, AccountId(Uuid::from_u128(7)), noon()).await;
    assert_eq!(erased.unwrap(), 2_500);
    tx.commit().await.unwrap();
    let report = bench.verify().await;
    assert_eq!(
        (report.events, report.erased, report.misfits),
        (2_501, 2_500, vec![])
    );
}

/// Heads are signed every hour: where none is, though much happened since, something is wrong with them or the trail.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_head_covers_for_long_does_not_fit() {
    let bench = Bench::new().await;
    let happens = async |hours: i64| {
        let at = noon() + TimeDelta::hours(hours);
        let event = Event::new("test.happened", &by(None), at);
        audit::record_alone(&bench.db, event).await.unwrap();
        audit::link(&bench.db).await.unwrap();
    };
    happens(0).await;
    let first = found(bench.head().await);
    happens(2).await;
    let told = async |heads: Vec<FoundHead>| -> Vec<String> {
        let report = bench.verify_with(heads).await;
        report.misfits.iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(vec![]).await, [""; 0]);
    happens(4).await;
    let without = told(vec![]).await;
    assert_eq!(without.len(), 1, "{without:?}");
    assert!(
        without[0].starts_with("no head was signed for what happened from 2025-11-26 12:00:00 UTC to 2025-11-26 16:00:00 UTC"),
        "{without:?}"
    );
    happens(6).await;
    let told = told(vec![first]).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("no head was signed for what happened from 2025-11-26 14:00:00 UTC to 2025-11-26 18:00:00 UTC"),
        "{told:?}"
    );
}

/// Whoever can add a row to those that wait, and no more, can keep all of them waiting; that does not go unseen.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_nothing_can_be_added_to_does_not_fit() {
    let (bench, head) = ten().await;
    let again = "insert into audit_pending (id, action, details, created_at)
                 select id, action, details, created_at from audit_events where sequence = 10";
    bench.sql().await.batch_execute(again).await.unwrap();
    audit::record_alone(&bench.db, event(11)).await.unwrap();
    assert!(audit::link(&bench.db).await.is_err());
    let report = bench.verify_with(vec![found(head)]).await;
    assert_eq!((report.events, report.waiting), (10, 2));
    let told: Vec<String> = report.misfits.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("what was recorded can't be chained: "),
        "{told:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_long_does_not_fit_for_who_may_only_read() {
    let (bench, head) = ten().await;
    if bench.needs_server("what_waits_for_long_does_not_fit_for_who_may_only_read") {
        return;
    }
    let at = noon() - TimeDelta::minutes(11);
    let event = Event::new("test.happened", &by(None), at);
    audit::record_alone(&bench.db, event).await.unwrap();
    bench.becomes_read_only().await;
    let report = bench.instance().verify_with(vec![found(head)]).await;
    let told: Vec<String> = report.misfits.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("what was recorded at 2025-11-26 11:49:00 UTC waits"),
        "{told:?}"
    );
}

/// Tries by an address that nobody has, and what administrators looked for: nobody could ask for their erasure.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_nobody_is_erased_by_its_age() {
    let bench = Bench::new().await;
    let happens = async |days: i64, actor: Option<Uuid>| {
        let at = noon() - TimeDelta::days(days);
        let event =
            Event::new("test.happened", &by(actor), at).personal("email", "ana@example.org");
        audit::record_alone(&bench.db, event).await.unwrap();
    };
    let somebody = Uuid::from_u128(7);
    happens(31, None).await;
    happens(31, Some(somebody)).await;
    happens(29, None).await;
    audit::link(&bench.db).await.unwrap();
    audit::erase_nobodys(&bench.db, noon()).await.unwrap();
    let left = "select count(*) from audit_personal";
    // Both parts of the first; what was looked for of the second, and not where they were as they did.
    assert_eq!(bench.count(left).await, 3);
    audit::link(&bench.db).await.unwrap();
    let head = found(bench.head().await);
    let verify = async || {
        let place = head.place.clone();
        let signed = head.signed.clone();
        bench.verify_with(vec![FoundHead { place, signed }]).await
    };
    let report = verify().await;
    assert_eq!(
        (report.events, report.erased, report.misfits),
        (4, 3, vec![])
    );
    // Nothing more, and nothing told of it.
    audit::erase_nobodys(&bench.db, noon()).await.unwrap();
    assert_eq!(verify().await.events, 4);
    // What was not old enough is not excused.
    bench
        .tamper("delete from audit_personal where whose is null")
        .await;
    let gone = verify().await.misfits;
    assert_eq!(gone.len(), 1);
    assert!(gone[0].to_string().contains("in event 3 ("), "{gone:?}");
}
