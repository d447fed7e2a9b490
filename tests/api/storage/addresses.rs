//! Addresses that a bucket signs, fetched by a client that knows nothing else.

use std::time::Duration;

use empulse::storage::{ContentType, Facts, Shown};
use object_store::aws::AmazonS3Builder;
use object_store::{Attribute, ObjectStoreExt as _};
use reqwest::{Response, Url};

use super::s3::{BUCKET, KEY_ID, S3Server, SECRET};
use super::{PATIENCE, bytes, in_bucket, key, octets, open};

const MINUTE: Duration = Duration::from_secs(60);

fn shown(attachment: bool) -> Shown {
    let audio = ContentType::read("audio/mpeg").unwrap();
    Shown::new("Köln & \"mehr\".mp3", audio, attachment)
}

async fn fetch(url: Url) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_client_fetches_what_was_signed() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    assert!(storage.gate().is_none());
    let (key, stored) = (key("tracks/a.mp3"), bytes(5_000));
    storage.put(&key, stored.clone(), &octets()).await.unwrap();
    for (attachment, kind, cached) in [
        (true, "attachment", "private, no-store, no-transform"),
        (false, "inline", "private, max-age=60, no-transform"),
    ] {
        let url = storage
            .signed_address(&key, &shown(attachment), MINUTE)
            .await
            .unwrap();
        assert_eq!(url.path(), "/bucket/some/prefix/tracks/a.mp3");
        let answer = fetch(url).await;
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "audio/mpeg");
        assert_eq!(header("cache-control"), cached);
        assert_eq!(
            header("content-disposition"),
            format!(
                "{kind}; filename=\"K_ln & _mehr_.mp3\"; filename*=UTF-8''K%C3%B6ln%20&%20%22mehr%22.mp3"
            )
        );
        assert_eq!(answer.bytes().await.unwrap(), stored);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_opened_by_it() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    for name in ["a", "b"] {
        storage.put(&key(name), name, &octets()).await.unwrap();
    }
    let url = storage
        .signed_address(&key("a"), &shown(true), MINUTE)
        .await
        .unwrap();
    let altered = |from: &str, to: &str| -> Url {
        assert!(url.as_str().contains(from), "{from} in {url}");
        url.as_str().replacen(from, to, 1).parse().unwrap()
    };
    for other in [
        altered("prefix/a?", "prefix/b?"),
        altered("attachment", "inline"),
        altered("mpeg", "html"),
        altered("Expires=60", "Expires=6000"),
        altered("Signature=", "Signature=0"),
        altered("X-Amz-Date=2", "X-Amz-Date=3"),
        format!("{}/{BUCKET}/some/prefix/a", server.url())
            .parse()
            .unwrap(),
        format!("{}/{BUCKET}?list-type=2", server.url())
            .parse()
            .unwrap(),
    ] {
        let answer = fetch(other.clone()).await;
        let status = answer.status().as_u16();
        assert!((400..500).contains(&status), "{status} {other}");
    }
    assert_eq!(fetch(url.clone()).await.text().await.unwrap(), "a");
    // Nor is anything done by it but reading.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for request in [
        client.delete(url.clone()),
        client.put(url.clone()).body("x"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    assert_eq!(fetch(url).await.text().await.unwrap(), "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    storage.put(&key("a"), "a", &octets()).await.unwrap();
    let second = Duration::from_secs(1);
    let url = storage
        .signed_address(&key("a"), &shown(true), second)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(2100)).await;
    assert_eq!(fetch(url).await.status(), 403);
    // S3 takes none that is longer than a week.
    let long = storage
        .signed_address(&key("a"), &shown(true), MINUTE * 100_000)
        .await
        .unwrap();
    assert!(long.as_str().contains("X-Amz-Expires=604800"), "{long}");
}

/// Whoever else looks into the bucket finds what a file is.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_what_a_file_is() {
    let server = S3Server::start().await;
    let storage = in_bucket(&server, PATIENCE);
    let json = Facts::of(ContentType::JSON);
    storage.put(&key("small"), "{}", &json).await.unwrap();
    storage
        .put(&key("large"), bytes((8 << 20) + 1), &json)
        .await
        .unwrap();
    let other = AmazonS3Builder::new()
        .with_endpoint(server.url())
        .with_allow_http(true)
        .with_bucket_name(BUCKET)
        .with_access_key_id(KEY_ID)
        .with_secret_access_key(SECRET)
        .build()
        .unwrap();
    for name in ["small", "large"] {
        let got = other
            .get(&format!("some/prefix/{name}").into())
            .await
            .unwrap();
        let found = got.attributes.get(&Attribute::ContentType).unwrap();
        assert_eq!(&**found, "application/json", "{name}");
    }
}

#[tokio::test]
async fn addresses_are_where_the_bucket_is_found() {
    let credentials = [
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    for (settings, address) in [
        (
            &[
                ("EMPULSE_STORAGE_URL", "s3://music/a"),
                ("AWS_REGION", "eu-central-1"),
            ][..],
            "https://music.s3.eu-central-1.amazonaws.com/a/x?",
        ),
        (
            &[
                ("EMPULSE_STORAGE_URL", "s3://music"),
                ("AWS_DEFAULT_REGION", "eu-west-1"),
            ],
            "https://music.s3.eu-west-1.amazonaws.com/x?",
        ),
        (
            &[("EMPULSE_STORAGE_URL", "s3://music/")],
            "https://music.s3.us-east-1.amazonaws.com/x?",
        ),
        // No certificate covers a bucket's dots.
        (
            &[("EMPULSE_STORAGE_URL", "s3://my.music")],
            "https://s3.us-east-1.amazonaws.com/my.music/x?",
        ),
        (
            &[
                ("EMPULSE_STORAGE_URL", "s3://music"),
                ("AWS_REGION", "auto"),
                (
                    "AWS_ENDPOINT_URL",
                    "https://account.r2.cloudflarestorage.com/",
                ),
            ],
            "https://account.r2.cloudflarestorage.com/music/x?",
        ),
        (
            &[
                ("EMPULSE_STORAGE_URL", "s3://music"),
                ("AWS_ENDPOINT_URL", "http://elsewhere:1"),
                ("AWS_ENDPOINT_URL_S3", "https://minio.example.org:9000"),
                ("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "true"),
            ],
            "https://music.minio.example.org:9000/x?",
        ),
    ] {
        let settings: Vec<_> = settings.iter().chain(&credentials).copied().collect();
        let storage = open(&settings, PATIENCE);
        let url = storage
            .signed_address(&key("x"), &shown(true), MINUTE)
            .await
            .unwrap();
        assert!(url.as_str().starts_with(address), "{url}");
    }
}
