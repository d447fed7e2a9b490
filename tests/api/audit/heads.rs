//! Every hour the head is signed and put into the storage, and verifying the trail holds it against them all.

use empulse::audit::{self, By, Event};
use empulse::storage::{ContentType, Facts, Key};
use futures_util::TryStreamExt;

use crate::support::TestApp;

pub async fn sign(app: &TestApp) {
    let ask =
        "insert into jobs (id, kind, payload) values (gen_random_uuid(), 'audit.sign_head', '{}')";
    app.sql().await.batch_execute(ask).await.unwrap();
    assert!(app.run_jobs().await > 0);
}

async fn happens(app: &TestApp) {
    let event = Event::new("test.happened", &By::default(), app.app.clock.now());
    audit::record_alone(&app.app.db, event).await.unwrap();
}

async fn heads(app: &TestApp) -> Vec<Key> {
    let folder = Key::new(["audit", "heads"]).unwrap();
    let found: Vec<_> = app.app.storage.list(&folder).try_collect().await.unwrap();
    let mut keys: Vec<Key> = found.into_iter().map(|found| found.key).collect();
    keys.sort();
    keys
}

/// What the command says, and whether all of it fits.
pub async fn verify(app: &TestApp) -> (bool, String) {
    let (mut out, mut progress) = (Vec::new(), Vec::new());
    let fits = audit::verify_command(&app.app, &mut out, &mut progress)
        .await
        .unwrap();
    assert!(
        String::from_utf8(progress)
            .unwrap()
            .starts_with("reading the signed heads")
    );
    (fits, String::from_utf8(out).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_is_asked_for_once_an_hour_over_all_instances() {
    let app = TestApp::new().await;
    let other = app.instance(&[]).await;
    for app in [&app, &other] {
        let runner = empulse::worker::runner(&app.accounts);
        runner.run_schedules(&app.app.db).await.unwrap();
    }
    happens(&app).await;
    app.run_jobs().await;
    assert_eq!(heads(&app).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_head_stands_by_itself_and_all_are_checked() {
    let app = TestApp::new().await;
    // Of nothing there is no head.
    sign(&app).await;
    assert_eq!(heads(&app).await, []);
    let (fits, told) = verify(&app).await;
    assert!(fits, "{told}");
    assert!(
        told.starts_with("the trail fits: 0 events in one chain\nno signed head of ours"),
        "{told}"
    );
    for events in [3, 0, 2] {
        for _ in 0..events {
            happens(&app).await;
        }
        sign(&app).await;
    }
    let keys = heads(&app).await;
    assert_eq!(keys.len(), 3, "none was written over: {keys:?}");
    let got = app
        .app
        .storage
        .get(&keys[2])
        .await
        .unwrap()
        .into_bytes(4_096)
        .await
        .unwrap();
    let signed: serde_json::Value = serde_json::from_slice(&got).unwrap();
    let head: serde_json::Value = serde_json::from_str(signed["head"].as_str().unwrap()).unwrap();
    assert_eq!((&head["sequence"], &head["count"]), (&5.into(), &5.into()));
    let (fits, told) = verify(&app).await;
    assert!(fits, "{told}");
    assert!(
        told.starts_with(
            "the trail fits: 5 events in one chain\n3 signed heads of ours, the last signed "
        ),
        "{told}"
    );
    assert!(told.trim_end().ends_with(" for event 5"), "{told}");

    // One that somebody put there, and one that was altered.
    let facts = Facts::of(ContentType::JSON);
    let strange = Key::new(["audit", "heads", "strange.json"]).unwrap();
    let large = vec![b'x'; 5_000];
    for (key, bytes, why) in [
        (&strange, b"{}".to_vec(), "it is no signed head"),
        (&strange, large, "it is no signed head"),
        (
            &keys[0],
            String::from_utf8(got.to_vec())
                .unwrap()
                .replace("\\\"sequence\\\":5", "\\\"sequence\\\":4")
                .into_bytes(),
            "the signature is not of this",
        ),
    ] {
        app.app.storage.put(key, bytes, &facts).await.unwrap();
        let (fits, told) = verify(&app).await;
        assert!(!fits, "{told}");
        let first = told.lines().next().unwrap();
        assert!(
            first.starts_with(&format!("does not fit: the head {key} is none of ours: ")),
            "{told}"
        );
        assert!(first.ends_with(why), "{told}");
        assert!(
            told.contains("as far as it fits: 5 events in one chain"),
            "{told}"
        );
        app.app.storage.delete(key).await.unwrap();
    }
}

/// What the heads are for: by the database alone nobody can tell.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_cut_off_is_found() {
    let app = TestApp::new().await;
    for _ in 0..3 {
        happens(&app).await;
    }
    sign(&app).await;
    let cut = "alter table audit_events disable trigger user; delete from audit_events where sequence = 3;";
    app.sql().await.batch_execute(cut).await.unwrap();
    let (fits, told) = verify(&app).await;
    assert!(!fits);
    let first = told.lines().next().unwrap();
    assert!(first.starts_with("does not fit: the end of the trail is missing: it goes to event 2, and the head audit/heads/"), "{told}");
    assert!(first.ends_with(" for event 3"), "{told}");
}

/// Somebody tried to sign in while the account was erased.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_of_somebody_who_is_erased_is_erased_within_the_hour() {
    let app = TestApp::new().await;
    let ana = empulse::accounts::AccountId(uuid::Uuid::from_u128(1));
    let late = async || {
        let event = Event::new("test.happened", &super::by(None), app.app.clock.now()).about(ana);
        audit::record_alone(&app.app.db, event).await.unwrap();
    };
    let kept = async || {
        let sql = app.sql().await;
        let row = sql.query_one(
            "select count(*) from audit_personal where whose is not null",
            &[],
        );
        row.await.unwrap().get::<_, i64>(0)
    };
    let every_hour = async || {
        let ask = "insert into jobs (id, kind, payload) values (gen_random_uuid(), 'audit.erase_late', '{}')";
        app.sql().await.batch_execute(ask).await.unwrap();
        app.run_jobs().await;
    };
    late().await;
    every_hour().await;
    assert_eq!(kept().await, 1, "she is not erased");
    let mut tx = app.app.db.begin().await.unwrap();
    audit::erase_personal(&mut tx, ana, app.app.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    late().await;
    audit::link(&app.app.db).await.unwrap();
    assert_eq!(kept().await, 1);
    every_hour().await;
    assert_eq!(kept().await, 0);
    let (fits, told) = verify(&app).await;
    assert!(fits, "{told}");
    assert!(
        told.contains("2 personal parts erased, as the trail says"),
        "{told}"
    );
}
