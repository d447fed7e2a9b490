//! How an operator learns that the storage is well.

use empulse::storage::check;

use super::s3::{BUCKET, Fault, KEY_ID, S3Server, SECRET};
use crate::support::{Answer, Folder, TestApp, config};

fn settings(server: &S3Server) -> [(&'static str, String); 4] {
    [
        ("EMPULSE_STORAGE_URL", format!("s3://{BUCKET}/some/prefix")),
        ("AWS_ENDPOINT_URL", server.url()),
        ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
    ]
}

fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_stores_reads_and_deletes() {
    let folder = Folder::new();
    let data = folder.path().to_str().unwrap();
    let said = check(&config(&[("EMPULSE_DATA_DIR", data)])).await.unwrap();
    assert_eq!(said, format!("files are kept in {data}/files"));
    let left = std::fs::read_dir(folder.path().join("files")).unwrap();
    assert_eq!(left.count(), 0);

    let server = S3Server::start().await;
    let settings = settings(&server);
    let said = check(&config(&borrowed(&settings))).await.unwrap();
    assert_eq!(said, "files are kept in the bucket bucket");
    for kind in ["put", "get", "delete"] {
        assert_eq!(server.plan.seen(kind), 1, "{kind}");
    }
    let left = std::fs::read_dir(server.path("some/prefix/_empulse")).unwrap();
    assert_eq!(left.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_names_what_fails() {
    let server = S3Server::start().await;
    let settings = settings(&server);
    for (kind, said) in [
        (
            "put",
            "a file can't be stored: the storage refuses: 403 Forbidden: AccessDenied",
        ),
        (
            "get",
            "a file can't be read back: the storage refuses: 403 Forbidden: AccessDenied",
        ),
        (
            "delete",
            "a file can't be deleted: the storage refuses: 403 Forbidden: AccessDenied",
        ),
    ] {
        server
            .plan
            .fail(kind, Fault::Status(403, "AccessDenied"), 1);
        let error = check(&config(&borrowed(&settings))).await.unwrap_err();
        assert_eq!(format!("{error:#}"), said);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_a_bucket_and_goes_on_without() {
    let server = S3Server::start().await;
    let settings = settings(&server);
    let app = TestApp::with(&borrowed(&settings)).await;
    let ready = async || {
        let asked = app.client.get(app.url("/health/ready")).send();
        Answer::of(asked.await.unwrap()).await
    };
    let answer = ready().await;
    let storage = &answer.body["dependencies"]["storage"];
    assert_eq!((answer.status, &answer.body["status"]), (200, &"up".into()));
    assert_eq!(
        (&storage["state"], &storage["kind"]),
        (&"up".into(), &"s3".into())
    );

    drop(server);
    let answer = ready().await;
    let storage = &answer.body["dependencies"]["storage"];
    assert_eq!(
        (answer.status, &answer.body["status"]),
        (200, &"degraded".into())
    );
    assert_eq!(
        (&storage["state"], &storage["kind"]),
        (&"down".into(), &"s3".into())
    );
    // A bucket's files are fetched from the bucket.
    let media = app.client.get(app.url("/media/a")).send().await.unwrap();
    assert_eq!(media.status(), 404);
}
