//! PostgreSQL stops, crashes, freezes and returns under load.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use crate::support::{Asked, Came, Cluster, Folder, Load, PAGE, Service, run, summary};

/// A read moves on after 0.2 s, and has 5.5 s there by our own clock; the rest is for a machine that is busy with other
/// tests. Whoever waited twice would need 11 s.
const LONGEST_ANSWER: Duration = Duration::from_secs(8);
/// From the database's return until nothing fails any more.
const RECOVERY: Duration = Duration::from_secs(3);
const CALLERS: usize = 8;

/// A service over a cluster of its own, with a catalogue, and the answer that callers should get.
struct Scene {
    cluster: Cluster,
    service: Service,
    expected: Value,
    _folder: Folder,
}

impl Scene {
    async fn set(what: &str) -> Option<Self> {
        let cluster = Cluster::start(what)?;
        let folder = Folder::new();
        let (url, data) = (cluster.url(), folder.at("data"));
        let filled = run(
            &["demo", "--tracks", "300", "--sound", "0"],
            &[("DATABASE_URL", &url), ("EMPULSE_DATA_DIR", &data)],
        );
        assert_eq!(filled.code, Some(0), "{filled:?}");
        let service = Service::ready(&folder, &[("DATABASE_URL", &url)]).await;
        let expected = service.data(PAGE).await;
        Some(Self {
            cluster,
            service,
            expected,
            _folder: folder,
        })
    }

    async fn readiness(&self) -> (u16, String) {
        let answer = self.service.get("/health/ready").await.unwrap();
        (
            answer.status,
            answer.body["status"].as_str().unwrap().to_owned(),
        )
    }

    /// That each caller got the right answer, or was told in time to come back.
    fn judge(&self, asked: &[Asked], codes: &[&str]) {
        for one in asked {
            assert!(one.took <= LONGEST_ANSWER, "{one:?}");
            match &one.came {
                Came::Data(data) => assert_eq!(data, &self.expected),
                Came::Errors(errors) => {
                    for (code, retry_after) in errors {
                        assert!(codes.contains(&code.as_str()), "{one:?}");
                        assert_eq!(retry_after.is_some(), code == "UNAVAILABLE", "{one:?}");
                    }
                }
                Came::Nothing(_) => panic!("{one:?}"),
            }
        }
    }
}

fn failed(asked: &[Asked]) -> usize {
    asked
        .iter()
        .filter(|one| !matches!(one.came, Came::Data(_)))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_crashes_under_load_is_told_as_unavailable_and_found_again() {
    let Some(scene) = Scene::set("PostgreSQL crashing under load").await else {
        return;
    };
    let load = Load::start(&scene.service, CALLERS, PAGE);
    sleep(Duration::from_secs(1)).await;
    scene.cluster.stop("immediate");
    let gone = Instant::now();
    sleep(Duration::from_millis(500)).await;
    assert_eq!(scene.readiness().await, (503, "down".to_owned()));
    assert_eq!(scene.service.get("/health/live").await.unwrap().status, 200);
    sleep(Duration::from_secs(3)).await;
    scene.cluster.run();
    let back = Instant::now();
    sleep(RECOVERY + Duration::from_secs(2)).await;
    let asked = load.end().await;

    println!("a crash: {}", summary(&asked));
    scene.judge(&asked, &["UNAVAILABLE"]);
    let (before, rest): (Vec<Asked>, Vec<Asked>) =
        asked.into_iter().partition(|one| one.began < gone);
    let (during, after): (Vec<Asked>, Vec<Asked>) = rest
        .into_iter()
        .partition(|one| one.began < back + RECOVERY);
    println!(
        "  before: {}; until {RECOVERY:?} after: {}; then: {}",
        summary(&before),
        summary(&during),
        summary(&after)
    );
    assert!(failed(&before) + failed(&during) > 0, "the outage was seen");
    assert_eq!(failed(&after), 0);
    assert!(after.len() > CALLERS);
    assert_eq!(scene.readiness().await, (200, "up".to_owned()));
    scene.service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quick_restart_is_ridden_out() {
    let Some(scene) = Scene::set("PostgreSQL restarting under load").await else {
        return;
    };
    // Nobody asks while the pool's connections die.
    scene.cluster.restart();
    let asked = Instant::now();
    assert_eq!(scene.service.data(PAGE).await, scene.expected);
    println!(
        "the first read after a restart took {:.1?}",
        asked.elapsed()
    );

    let load = Load::start(&scene.service, CALLERS, PAGE);
    sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    scene.cluster.restart();
    println!("a restart took {:.1?}", began.elapsed());
    sleep(Duration::from_secs(4)).await;
    let asked = load.end().await;
    println!("a quick restart: {}", summary(&asked));
    scene.judge(&asked, &["UNAVAILABLE"]);
    assert_eq!(
        failed(&asked),
        0,
        "reads are tried again, and wait for a connection a little"
    );
    scene.service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_the_database_waits_for_it() {
    let Some(cluster) = Cluster::prepare("a start while PostgreSQL is down") else {
        return;
    };
    let folder = Folder::new();
    let mut service = Service::start(&folder, &[("DATABASE_URL", &cluster.url())]).await;
    assert_eq!(service.get("/health/live").await.unwrap().status, 200);
    let ready = service.get("/health/ready").await.unwrap();
    assert_eq!((ready.status, &ready.body["status"]), (503, &"down".into()));
    for query in [PAGE, "{ __typename }"] {
        let answer = service.ask(query).await.unwrap();
        assert_eq!((answer.status, answer.code()), (503, "UNAVAILABLE"));
        assert_eq!(answer.body["errors"][0]["extensions"]["retryAfter"], 1);
    }
    let waiting = service.process.line("waiting for the database").await;
    let why = waiting["error"].as_str().unwrap();
    assert!(why.contains("Connection refused"), "{why}");
    cluster.run();
    let began = Instant::now();
    let ready = service.becomes_ready(Duration::from_secs(10)).await;
    println!("ready {:.1?} after the database came", began.elapsed());
    assert_eq!(ready["status"], "up");
    assert_eq!(
        service.data("{ tracks { nodes { id } } }").await["tracks"]["nodes"],
        Value::Array(Vec::new())
    );
    assert_eq!(service.process.lines("waiting for the database").len(), 1);
    service.stops().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_a_database_that_never_came() {
    let Some(cluster) = Cluster::prepare("a stop while PostgreSQL is down") else {
        return;
    };
    let folder = Folder::new();
    let mut service = Service::start(&folder, &[("DATABASE_URL", &cluster.url())]).await;
    service.process.signal("TERM");
    let (status, _) = service.process.ends_within(Duration::from_secs(2)).await;
    assert_eq!(status.code(), Some(0), "{}", service.process.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_freezes_costs_each_caller_a_bounded_wait() {
    let Some(scene) = Scene::set("PostgreSQL freezing under load").await else {
        return;
    };
    let load = Load::start(&scene.service, CALLERS, PAGE);
    sleep(Duration::from_millis(500)).await;
    scene.cluster.freeze();
    let frozen = Instant::now();
    // What needs no database is served as ever.
    while frozen.elapsed() < Duration::from_secs(7) {
        for answer in [
            scene.service.get("/health/live").await,
            scene.service.ask("{ __typename }").await,
        ] {
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.took < Duration::from_secs(1), "{answer:?}");
        }
        sleep(Duration::from_millis(250)).await;
    }
    let probed = Instant::now();
    assert_eq!(scene.readiness().await, (503, "down".to_owned()));
    assert!(
        probed.elapsed() < Duration::from_secs(3),
        "{:?}",
        probed.elapsed()
    );
    scene.cluster.thaw();
    let back = Instant::now();
    sleep(RECOVERY + Duration::from_secs(2)).await;
    let asked = load.end().await;

    println!("a freeze: {}", summary(&asked));
    scene.judge(&asked, &["UNAVAILABLE", "TIMEOUT"]);
    let (before, after): (Vec<Asked>, Vec<Asked>) = asked
        .into_iter()
        .partition(|one| one.began < back + RECOVERY);
    assert!(failed(&before) > 0, "the freeze was seen");
    assert_eq!(failed(&after), 0, "{}", summary(&after));
    assert!(after.len() > CALLERS);
    assert_eq!(scene.readiness().await, (200, "up".to_owned()));
    scene.service.stops().await;
}
