//! However many write at once, and whoever chains it, there is one chain without gaps.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use empulse::audit;
use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::{Bench, event};

/// The numbers of the events in the chain's order.
async fn numbers(bench: &Bench) -> Vec<u32> {
    let rows = bench
        .sql()
        .await
        .query(
            "select (details::json ->> 'number')::text, sequence from audit_events order by sequence",
            &[],
        )
        .await
        .unwrap();
    for (at, row) in (1..).zip(&rows) {
        assert_eq!(row.get::<_, i64>(1), at, "no number is left out");
    }
    let number = |row: &tokio_postgres::Row| row.get::<_, &str>(0).parse().unwrap();
    rows.iter().map(number).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_chained_in_its_order() {
    let bench = Bench::new().await;
    assert_eq!(audit::link(&bench.db).await.unwrap(), 0);
    // More than one transaction moves.
    for some in [0..1u32, 1..4, 4..2_504] {
        let mut tx = bench.db.begin().await.unwrap();
        let count = some.len();
        audit::record_all(&mut tx, some.map(event).collect())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(audit::link(&bench.db).await.unwrap(), count);
    }
    assert_eq!(numbers(&bench).await, (0..2_504).collect::<Vec<_>>());
    assert_eq!(bench.count("select count(*) from audit_pending").await, 0);
    let report = bench.verify().await;
    assert_eq!(
        (report.events, report.waiting, report.misfits),
        (2_504, 0, vec![])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_committed_late_comes_later_and_loses_nothing() {
    let bench = Bench::new().await;
    if bench.needs_server("what_is_committed_late_comes_later_and_loses_nothing") {
        return;
    }
    let mut late = bench.db.begin().await.unwrap();
    audit::record(&mut late, event(1)).await.unwrap();
    for number in [2, 3] {
        audit::record_alone(&bench.db, event(number)).await.unwrap();
        assert_eq!(audit::link(&bench.db).await.unwrap(), 1);
    }
    late.commit().await.unwrap();
    assert_eq!(audit::link(&bench.db).await.unwrap(), 1);
    assert_eq!(numbers(&bench).await, [2, 3, 1]);
    assert_eq!(bench.verify().await.misfits, []);
}

/// Several instances, each with many who write, and each chaining at once what it can get. What one writes comes in its
/// order; what was rolled back comes nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn many_writers_and_instances_make_one_chain() {
    let bench = Bench::new().await;
    let stop = CancellationToken::new();
    let instances: Vec<Arc<Bench>> = (0..4).map(|_| Arc::new(bench.instance())).collect();
    let chaining: Vec<_> = instances
        .iter()
        .map(|instance| {
            let (db, stop) = (instance.db.clone(), stop.clone());
            tokio::spawn(async move { audit::keep_chained(&db, stop).await })
        })
        .collect();
    let writers = (0..16u32).map(|writer| {
        let db = instances[writer as usize % instances.len()].db.clone();
        tokio::spawn(async move {
            for turn in 0..20u32 {
                let number = writer * 1_000 + turn;
                match turn % 4 {
                    0 => audit::record_alone(&db, event(number)).await.unwrap(),
                    kind => {
                        let mut tx = db.begin().await.unwrap();
                        audit::record(&mut tx, event(number)).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(u64::from(number % 7))).await;
                        match kind {
                            1 => tx.rollback().await,
                            2 => tx.commit().await.unwrap(),
                            // Left in the middle, as by a client that has gone.
                            _ if turn % 8 == 3 => drop(tx),
                            _ => tx.commit().await.unwrap(),
                        }
                    }
                }
            }
        })
    });
    for written in join_all(writers).await {
        written.unwrap();
    }
    stop.cancel();
    for chained in join_all(chaining).await {
        chained.unwrap();
    }
    let mut of_writers: HashMap<u32, Vec<u32>> = HashMap::new();
    for number in numbers(&bench).await {
        of_writers
            .entry(number / 1_000)
            .or_default()
            .push(number % 1_000);
    }
    let expected: Vec<u32> = (0..20)
        .filter(|turn| turn % 4 != 1 && turn % 8 != 3)
        .collect();
    for writer in 0..16 {
        assert_eq!(of_writers[&writer], expected);
    }
    let report = bench.verify().await;
    assert_eq!((report.waiting, report.misfits), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_chains_at_once_moves_each_event_once() {
    let bench = Bench::new().await;
    let instances: Vec<Bench> = (0..8).map(|_| bench.instance()).collect();
    for round in 0..5u32 {
        let mut tx = bench.db.begin().await.unwrap();
        let events = (0..300).map(|number| event(round * 300 + number)).collect();
        audit::record_all(&mut tx, events).await.unwrap();
        tx.commit().await.unwrap();
        let moved = join_all(instances.iter().map(|instance| audit::link(&instance.db))).await;
        let moved: usize = moved.into_iter().map(Result::unwrap).sum();
        assert_eq!(moved, 300);
    }
    assert_eq!(numbers(&bench).await, (0..1_500).collect::<Vec<_>>());
    assert_eq!(bench.verify().await.misfits, []);
}

/// As if killed at any moment of it.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_stopped_while_chaining_leaves_each_event_moved_or_waiting() {
    let bench = Bench::new().await;
    for round in 0..40u32 {
        let mut tx = bench.db.begin().await.unwrap();
        let events = (0..50).map(|number| event(round * 50 + number)).collect();
        audit::record_all(&mut tx, events).await.unwrap();
        tx.commit().await.unwrap();
        let linking = tokio::time::timeout(
            Duration::from_micros(u64::from(round) * 250),
            audit::link(&bench.db),
        );
        let _ = linking.await;
    }
    audit::link(&bench.db).await.unwrap();
    assert_eq!(numbers(&bench).await, (0..2_000).collect::<Vec<_>>());
    assert_eq!(bench.verify().await.misfits, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_chained_a_moment_later_without_being_asked_for() {
    let bench = Bench::new().await;
    // Of another that was killed.
    audit::record_alone(&bench.instance().db, event(0))
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let (db, stopped) = (bench.db.clone(), stop.clone());
    let chaining = tokio::spawn(async move { audit::keep_chained(&db, stopped).await });
    for number in 1..=3 {
        audit::record_alone(&bench.db, event(number)).await.unwrap();
        let chained = async {
            while numbers(&bench).await.len() <= number as usize {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        // Long before anybody looks by themselves.
        tokio::time::timeout(Duration::from_secs(3), chained)
            .await
            .unwrap();
    }
    // The last word of one who stops.
    audit::record_alone(&bench.instance().db, event(4))
        .await
        .unwrap();
    stop.cancel();
    chaining.await.unwrap();
    assert_eq!(numbers(&bench).await, [0, 1, 2, 3, 4]);
}
