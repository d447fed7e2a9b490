//! Background jobs: each is done once as far as anybody can tell, whatever becomes of who does it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use empulse::db::Db;
use empulse::jobs::{self, Attempt, BackOff, Failure, Job, Lane, New, Pace, Registry, Runner};
use empulse::telemetry::Metrics;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::support::database::TestDatabase;

const LEASE: Duration = Duration::from_millis(1_500);

#[derive(Debug, Serialize, Deserialize)]
struct Note {
    number: u32,
}

impl Job for Note {
    const KIND: &'static str = "note";
    const ATTEMPTS: u32 = 3;
    const LIMIT: Duration = Duration::from_secs(5);
}

/// How often each note was done.
#[derive(Clone, Default)]
struct Done(Arc<Mutex<HashMap<u32, u32>>>);

impl Done {
    fn add(&self, number: u32) {
        *self.0.lock().unwrap().entry(number).or_default() += 1;
    }

    fn count(&self, number: u32) -> u32 {
        self.0.lock().unwrap().get(&number).copied().unwrap_or(0)
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

struct Bench {
    db: Arc<Db>,
    database: TestDatabase,
}

impl Bench {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        Self {
            db: Arc::new(open(&database)),
            database,
        }
    }

    async fn enqueue(&self, job: &impl Job) {
        let mut tx = self.db.begin().await.unwrap();
        jobs::enqueue(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn sql(&self, statement: &str) {
        let client = self.database.source.client().await.unwrap();
        client.batch_execute(statement).await.unwrap();
    }

    /// The state, attempts and error of the one job that there is.
    async fn only(&self) -> (String, i32, Option<String>) {
        let client = self.database.source.client().await.unwrap();
        let row = client
            .query_one("select state, attempts, last_error from jobs", &[])
            .await
            .unwrap();
        (row.get(0), row.get(1), row.get(2))
    }

    async fn left(&self) -> i64 {
        let client = self.database.source.client().await.unwrap();
        let count = client.query_one("select count(*) from jobs", &[]).await;
        count.unwrap().get(0)
    }
}

/// As another instance would open it.
fn open(database: &TestDatabase) -> Db {
    Db::open(database.source.clone(), None, 10, Metrics::detached())
}

fn pace() -> Pace {
    Pace {
        lease: LEASE,
        heard: Duration::from_millis(100),
        unheard: Duration::from_millis(100),
        back_off: BackOff {
            first: Duration::from_millis(100),
            longest: Duration::from_millis(100),
        },
        drain: Duration::from_secs(2),
        ..Pace::default()
    }
}

/// For what is not about time: a machine that is busy with other tests loses no lease, and tries nothing again by itself.
fn unhurried() -> Pace {
    Pace {
        lease: Duration::from_secs(30),
        back_off: BackOff {
            first: Duration::from_secs(60),
            longest: Duration::from_secs(60),
        },
        ..pace()
    }
}

fn runner<F>(handle: impl Fn(Note, Attempt) -> F + Send + Sync + 'static) -> Runner
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    paced(pace(), handle)
}

fn paced<F>(pace: Pace, handle: impl Fn(Note, Attempt) -> F + Send + Sync + 'static) -> Runner
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let mut registry = Registry::default();
    registry.on(handle);
    Runner::with_pace(registry, Metrics::detached(), pace)
}

/// Counts what it does.
fn counting(done: &Done) -> Runner {
    let done = done.clone();
    runner(move |note, _| {
        done.add(note.number);
        async { Ok(()) }
    })
}

/// A runner that runs until it is dropped or stopped.
struct Running {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(runner: Runner, db: Arc<Db>) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move { runner.run(&db, stopped).await });
        Self { stop, task }
    }

    async fn stops(mut self) {
        self.stop.cancel();
        let stopped = timeout(Duration::from_secs(10), &mut self.task).await;
        stopped.expect("it stops").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "never so: {what}"
        );
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_done_once_and_forgotten() {
    let bench = Bench::new().await;
    let done = Done::default();
    let runner = counting(&done);
    for number in 0..20 {
        bench.enqueue(&Note { number }).await;
    }
    assert_eq!(runner.run_due(&bench.db).await.unwrap(), 20);
    assert_eq!(runner.run_due(&bench.db).await.unwrap(), 0);
    for number in 0..20 {
        assert_eq!(done.count(number), 1);
    }
    assert_eq!(bench.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_never_done() {
    let bench = Bench::new().await;
    let done = Done::default();
    let runner = counting(&done);
    let mut tx = bench.db.begin().await.unwrap();
    jobs::enqueue(&mut tx, &Note { number: 1 }).await.unwrap();
    tx.rollback().await;
    let mut tx = bench.db.begin().await.unwrap();
    jobs::enqueue(&mut tx, &Note { number: 2 }).await.unwrap();
    drop(tx);
    bench.enqueue(&Note { number: 3 }).await;
    assert_eq!(runner.run_due(&bench.db).await.unwrap(), 1);
    assert_eq!((done.count(3), done.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_instances_never_do_the_same_at_once() {
    let bench = Bench::new().await;
    let done = Done::default();
    let running: Vec<Running> = (0..3)
        .map(|_| {
            let counted = done.clone();
            let runner = paced(unhurried(), move |note, _| {
                let counted = counted.clone();
                async move {
                    counted.add(note.number);
                    sleep(Duration::from_millis(u64::from(note.number % 7))).await;
                    Ok(())
                }
            });
            Running::start(runner, Arc::new(open(&bench.database)))
        })
        .collect();
    for number in 0..200 {
        bench.enqueue(&Note { number }).await;
    }
    eventually("all are done", async || bench.left().await == 0).await;
    for number in 0..200 {
        assert_eq!(done.count(number), 1, "{number}");
    }
    for running in running {
        running.stops().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_begins_at_once() {
    let bench = Bench::new().await;
    let done = Done::default();
    let counted = done.clone();
    let patient = Pace {
        heard: Duration::from_secs(60),
        unheard: Duration::from_secs(60),
        ..pace()
    };
    let runner = paced(patient, move |note, _| {
        counted.add(note.number);
        async { Ok(()) }
    });
    // Another instance' pool, unless there is but one process that can have the database.
    let others = match bench.database.source.is_embedded() {
        true => bench.db.clone(),
        false => Arc::new(open(&bench.database)),
    };
    let running = Running::start(runner, others);
    sleep(Duration::from_millis(500)).await;
    for number in 0..3 {
        bench.enqueue(&Note { number }).await;
        let asked = Instant::now();
        eventually("it was announced", async || done.count(number) == 1).await;
        assert!(
            asked.elapsed() < Duration::from_secs(10),
            "{:?}",
            asked.elapsed()
        );
    }
    running.stops().await;
}

/// What takes long.
#[derive(Debug, Serialize, Deserialize)]
struct Song {}

impl Job for Song {
    const KIND: &'static str = "song";
    const LANE: Lane = Lane::Heavy;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_long_holds_up_nothing_that_is_soon_done() {
    let bench = Bench::new().await;
    let (done, begun, go) = (
        Done::default(),
        Arc::new(AtomicU32::new(0)),
        CancellationToken::new(),
    );
    let mut registry = Registry::default();
    let (counted, goes) = (begun.clone(), go.clone());
    registry.on(move |_: Song, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        let goes = goes.clone();
        async move {
            goes.cancelled().await;
            Ok(())
        }
    });
    let counted = done.clone();
    registry.on(move |note: Note, _| {
        counted.add(note.number);
        async { Ok(()) }
    });
    let two = Pace {
        heavy_at_once: 2,
        lease: Duration::from_secs(30),
        ..pace()
    };
    for _ in 0..12 {
        bench.enqueue(&Song {}).await;
    }
    let runner = Runner::with_pace(registry, Metrics::detached(), two);
    let running = Running::start(runner, bench.db.clone());
    let has_begun = || begun.load(Ordering::SeqCst);
    eventually("two have begun", async || has_begun() == 2).await;
    for number in 0..20 {
        bench.enqueue(&Note { number }).await;
    }
    eventually("the notes are done", async || done.len() == 20).await;
    assert_eq!(has_begun(), 2, "no more than there are places");
    // Those that wait have used up no try.
    let client = bench.database.source.client().await.unwrap();
    let waiting =
        "select count(*) from jobs where kind = 'song' and state = 'READY' and attempts = 0";
    let waiting = client.query_one(waiting, &[]).await.unwrap();
    assert_eq!(waiting.get::<_, i64>(0), 10);
    go.cancel();
    eventually("the songs are done", async || bench.left().await == 0).await;
    assert_eq!(has_begun(), 12);
    running.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_left_behind_is_taken_up_by_another() {
    let bench = Bench::new().await;
    let done = Done::default();
    let begun = Arc::new(Notify::new());
    let tell = begun.clone();
    let stuck = runner(move |_, _| {
        tell.notify_one();
        std::future::pending()
    });
    bench.enqueue(&Note { number: 1 }).await;
    let running = Running::start(stuck, bench.db.clone());
    begun.notified().await;
    // As if the process were killed: nothing more is heard of it.
    drop(running);
    let other = counting(&done);
    assert_eq!(other.run_due(&bench.db).await.unwrap(), 0);
    sleep(LEASE + Duration::from_millis(100)).await;
    assert_eq!(other.run_due(&bench.db).await.unwrap(), 1);
    assert_eq!(done.count(1), 1);
    assert_eq!(bench.left().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_job_is_kept_by_who_lives() {
    let bench = Bench::new().await;
    let done = Done::default();
    let counted = done.clone();
    let begun = Arc::new(Notify::new());
    let tell = begun.clone();
    let long = runner(move |note, attempt| {
        let counted = counted.clone();
        tell.notify_one();
        async move {
            assert_eq!(attempt.number, 1);
            sleep(LEASE * 5 / 2).await;
            counted.add(note.number);
            Ok(())
        }
    });
    bench.enqueue(&Note { number: 1 }).await;
    let running = Running::start(long, bench.db.clone());
    begun.notified().await;
    let others = counting(&Done::default());
    eventually("it is done", async || {
        assert_eq!(others.run_due(&bench.db).await.unwrap(), 0);
        done.count(1) == 1
    })
    .await;
    eventually("it is forgotten", async || bench.left().await == 0).await;
    running.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_lost_a_job_is_stopped_and_says_nothing_of_it() {
    let bench = Bench::new().await;
    let done = Done::default();
    let counted = done.clone();
    let begun = Arc::new(Notify::new());
    let tell = begun.clone();
    let slow = runner(move |note, _| {
        let (counted, tell) = (counted.clone(), tell.clone());
        async move {
            tell.notify_one();
            sleep(Duration::from_secs(2)).await;
            counted.add(note.number);
            Ok(())
        }
    });
    bench.enqueue(&Note { number: 1 }).await;
    let running = Running::start(slow, bench.db.clone());
    begun.notified().await;
    let another = "update jobs set lease = '01890a5d-ac96-774b-bcce-b302099a8057', due_at = now() + interval '1 hour'";
    bench.sql(another).await;
    sleep(Duration::from_millis(2_500)).await;
    assert_eq!(done.count(1), 0, "it went on");
    let (state, ..) = bench.only().await;
    assert_eq!(state, "RUNNING");
    running.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_same_thing_one_waits_or_runs() {
    let bench = Bench::new().await;
    let done = Done::default();
    let runner = counting(&done);
    let enqueue = async |number, key: &str| {
        let mut tx = bench.db.begin().await.unwrap();
        let new = New::of(&Note { number }).unwrap().unique(key);
        let made = new.enqueue(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        made.is_some()
    };
    assert!(enqueue(1, "a").await);
    assert!(!enqueue(2, "a").await);
    assert!(enqueue(3, "b").await);
    assert_eq!(runner.run_due(&bench.db).await.unwrap(), 2);
    assert_eq!((done.count(1), done.count(2), done.count(3)), (1, 0, 1));
    assert!(enqueue(4, "a").await, "what is done holds up nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_later_waits() {
    let bench = Bench::new().await;
    let done = Done::default();
    let runner = counting(&done);
    let mut tx = bench.db.begin().await.unwrap();
    let new = New::of(&Note { number: 1 })
        .unwrap()
        .after(Duration::from_millis(1_500));
    new.enqueue(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(runner.run_due(&bench.db).await.unwrap(), 0);
    sleep(Duration::from_millis(1_600)).await;
    assert_eq!(runner.run_due(&bench.db).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_and_dies_with_its_last_error() {
    let bench = Bench::new().await;
    let tries = Arc::new(Mutex::new(Vec::new()));
    let tried = tries.clone();
    let failing = runner(move |_, attempt: Attempt| {
        tried
            .lock()
            .unwrap()
            .push((attempt.number, attempt.is_last));
        let error = Failure::passing(format!("try {} for ana@example.org", attempt.number));
        async { Err(error) }
    });
    bench.enqueue(&Note { number: 1 }).await;
    for _ in 0..5 {
        failing.run_due(&bench.db).await.unwrap();
        sleep(Duration::from_millis(150)).await;
    }
    assert_eq!(*tries.lock().unwrap(), [(1, false), (2, false), (3, true)]);
    let (state, attempts, error) = bench.only().await;
    let error = error.unwrap();
    assert_eq!((state.as_str(), attempts), ("DEAD", 3));
    assert!(
        error.starts_with("try 3 for") && !error.contains("ana@"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_mended_is_not_tried_again() {
    let bench = Bench::new().await;
    let failing = runner(|_, _| async { Err(Failure::lasting("no such account")) });
    bench.enqueue(&Note { number: 1 }).await;
    assert_eq!(failing.run_due(&bench.db).await.unwrap(), 1);
    let dead = ("DEAD".to_owned(), 1, Some("no such account".to_owned()));
    assert_eq!(bench.only().await, dead);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_early_is_put_off_and_was_no_try() {
    let bench = Bench::new().await;
    let early = runner(|_, attempt| async move {
        assert_eq!(attempt.number, 1);
        Err(Failure::NotYet(
            Duration::from_secs(600),
            "not today".into(),
        ))
    });
    bench.enqueue(&Note { number: 1 }).await;
    // More often than it is tried.
    for _ in 0..5 {
        assert_eq!(early.run_due(&bench.db).await.unwrap(), 1);
        bench.sql("update jobs set due_at = now()").await;
    }
    let put_off = ("READY".to_owned(), 0, Some("not today".to_owned()));
    assert_eq!(bench.only().await, put_off);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_try_that_failed() {
    let bench = Bench::new().await;
    let panicking = paced(unhurried(), |_, attempt| async move {
        assert!(attempt.number > 1, "the first one trips");
        Ok(())
    });
    bench.enqueue(&Note { number: 1 }).await;
    assert_eq!(panicking.run_due(&bench.db).await.unwrap(), 1);
    let (state, attempts, error) = bench.only().await;
    assert_eq!((state.as_str(), attempts), ("READY", 1));
    assert!(error.unwrap().contains("the first one trips"));
    bench.sql("update jobs set due_at = now()").await;
    assert_eq!(panicking.run_due(&bench.db).await.unwrap(), 1);
    assert_eq!(bench.left().await, 0);
}

#[derive(Debug, Serialize, Deserialize)]
struct Hasty {}

impl Job for Hasty {
    const KIND: &'static str = "hasty";
    const ATTEMPTS: u32 = 1;
    const LIMIT: Duration = Duration::from_millis(50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_that_takes_too_long_has_failed() {
    let bench = Bench::new().await;
    let mut registry = Registry::default();
    registry.on(|_: Hasty, _| std::future::pending());
    let hasty = Runner::with_pace(registry, Metrics::detached(), pace());
    bench.enqueue(&Hasty {}).await;
    assert_eq!(hasty.run_due(&bench.db).await.unwrap(), 1);
    let (state, _, error) = bench.only().await;
    assert_eq!(state, "DEAD");
    assert!(error.unwrap().contains("not done within"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_every_instance_that_takes_it_dies_at_last() {
    let bench = Bench::new().await;
    let done = Done::default();
    bench.enqueue(&Note { number: 1 }).await;
    // Taken three times by somebody who was not heard of again.
    bench
        .sql("update jobs set state = 'RUNNING', attempts = 3, lease = '01890a5d-ac96-774b-bcce-b302099a8057'")
        .await;
    assert_eq!(counting(&done).run_due(&bench.db).await.unwrap(), 1);
    let (state, _, error) = bench.only().await;
    assert_eq!((state.as_str(), done.len()), ("DEAD", 0));
    assert!(error.unwrap().contains("never seen to its end"));
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_other_releases_are_read_as_far_as_they_go() {
    let bench = Bench::new().await;
    let done = Done::default();
    bench
        .sql(
            "insert into jobs (id, kind, payload) values \
             (gen_random_uuid(), 'note', '{\"number\": 1, \"of_a_later_release\": [1, 2]}'), \
             (gen_random_uuid(), 'of_a_later_release', '{}'), \
             (gen_random_uuid(), 'note', '{\"number\": \"one\"}'), \
             (gen_random_uuid(), 'note', '[]')",
        )
        .await;
    assert_eq!(counting(&done).run_due(&bench.db).await.unwrap(), 3);
    assert_eq!((done.count(1), done.len()), (1, 1));
    let client = bench.database.source.client().await.unwrap();
    let rows = client
        .query(
            "select kind, state, last_error from jobs order by state, id",
            &[],
        )
        .await
        .unwrap();
    let found: Vec<(&str, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(
        found,
        [
            ("note", "DEAD"),
            ("note", "DEAD"),
            ("of_a_later_release", "READY")
        ]
    );
    for row in &rows[..2] {
        assert!(row.get::<_, &str>(2).contains("payload can't be read"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_slot_of_a_schedule_is_asked_for_once() {
    let bench = Bench::new().await;
    let done = Done::default();
    let scheduled = || {
        let counted = done.clone();
        let mut registry = Registry::default();
        registry.on(move |note: Note, _| {
            counted.add(note.number);
            async { Ok(()) }
        });
        registry.every("often", Duration::from_secs(1), || Note { number: 1 });
        registry.every("rarely", Duration::from_secs(7 * 86_400), || Note {
            number: 2,
        });
        Runner::with_pace(registry, Metrics::detached(), unhurried())
    };
    let began = Instant::now();
    let running: Vec<Running> = (0..3)
        .map(|_| Running::start(scheduled(), Arc::new(open(&bench.database))))
        .collect();
    eventually("some slots have passed", async || done.count(1) >= 3).await;
    for running in running {
        running.stops().await;
    }
    let slots = began.elapsed().as_secs() as u32 + 2;
    assert!(done.count(1) <= slots, "{} in {slots} slots", done.count(1));
    assert_eq!(done.count(2), 1);
    // Asked in one moment.
    let (one, two) = (scheduled(), scheduled());
    bench
        .sql("delete from job_schedules where name = 'rarely'")
        .await;
    let (one, two) = tokio::join!(one.run_schedules(&bench.db), two.run_schedules(&bench.db));
    assert!((1..=3).contains(&(one.unwrap() + two.unwrap())));
    let client = bench.database.source.client().await.unwrap();
    let rare = "select count(*) from jobs where unique_key = 'every:rarely'";
    assert_eq!(
        client.query_one(rare, &[]).await.unwrap().get::<_, i64>(0),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_sees_out_what_runs_and_gives_back_what_does_not_end() {
    let bench = Bench::new().await;
    let done = Done::default();
    let counted = done.clone();
    let begun = Arc::new(Notify::new());
    let tell = begun.clone();
    let slow = paced(unhurried(), move |note, _| {
        let (counted, tell) = (counted.clone(), tell.clone());
        async move {
            tell.notify_one();
            let takes = if note.number == 1 { 500 } else { 60_000 };
            sleep(Duration::from_millis(takes)).await;
            counted.add(note.number);
            Ok(())
        }
    });
    bench.enqueue(&Note { number: 1 }).await;
    bench.enqueue(&Note { number: 2 }).await;
    let running = Running::start(slow, bench.db.clone());
    begun.notified().await;
    eventually("both run", async || {
        let client = bench.database.source.client().await.unwrap();
        let both = "select count(*) = 2 from jobs where state = 'RUNNING'";
        client.query_one(both, &[]).await.unwrap().get(0)
    })
    .await;
    running.stops().await;
    assert_eq!((done.count(1), done.count(2)), (1, 0));
    assert_eq!(bench.only().await, ("READY".to_owned(), 0, None));
}
