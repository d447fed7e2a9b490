//! What is refused of a file is refused before it has come: its sender says how much there is, and sends only its beginning.

use std::io;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::uploading::{AUDIO, SUBMIT, left};
use super::{ANA, Ana};
use crate::accounts::{execute, mistakes, only_field};
use crate::support::{Answer, TestApp};
use crate::uploads;

/// What comes of a file, if anybody asks for it.
const BEGINNING: usize = 64 << 10;
const A_GIB: usize = 1 << 30;

/// Answered to whoever hands in one file that they say is this long.
async fn answered(
    app: &TestApp,
    access: Option<&str>,
    variables: &Value,
    (path, begins): (&str, &[u8]),
    length: usize,
) -> Answer {
    let whole = uploads::request(app, SUBMIT, variables, &[(path, b"")]);
    let whole = whole.build().unwrap();
    let around = whole.body().unwrap().as_bytes().unwrap();
    let mut body = around[..around.len() - b"\r\n--x--\r\n".len()].to_vec();
    body.extend_from_slice(begins);
    body.resize(body.len() + BEGINNING - begins.len(), 0);
    let comes = stream::once(async { Ok::<_, io::Error>(body) }).chain(stream::pending());
    let mut request = uploads::request(app, SUBMIT, variables, &[])
        .header("content-length", around.len() + length)
        .body(reqwest::Body::wrap_stream(comes));
    if let Some(access) = access {
        request = request.bearer_auth(access);
    }
    let answer = timeout(Duration::from_secs(20), request.send()).await;
    Answer::of(answer.expect("answered only for more").unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_for_its_beginning() {
    let app = TestApp::new().await;
    let ana = Ana::new(&app, ANA).await;
    app.member("lis@example.org").await;
    let listener = app.sign_in("lis@example.org").await.access;
    let good = ana.input("First Light");
    let flac = (AUDIO, b"fLaC".as_slice());

    // Who may not.
    let answer = answered(&app, None, &good, flac, A_GIB).await;
    assert_eq!(answer.code(), "UNAUTHENTICATED");
    let answer = answered(&app, Some(&listener), &good, flac, A_GIB).await;
    assert_eq!(answer.code(), "FORBIDDEN");

    let told = async |variables: &Value, file: (&str, &[u8]), length: usize| {
        let answer = answered(&app, Some(&ana.access), variables, file, length).await;
        mistakes(&only_field(answer.data()))
    };
    // What is said of it.
    let mut untitled = good.clone();
    untitled["input"]["title"] = json!(" ");
    assert_eq!(told(&untitled, flac, A_GIB).await, ["REQUIRED title"]);
    // What it is.
    for begins in [&b""[..], b"MZ", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"] {
        let told = told(&good, (AUDIO, begins), A_GIB).await;
        assert_eq!(told, ["UNSUPPORTED_MEDIA audio upload"], "{begins:?}");
    }
    // How long it is: behind its last boundary there may be some more.
    let told_long = told(&good, flac, A_GIB + 2048).await;
    assert_eq!(told_long, ["TOO_LARGE audio upload"]);
    assert_eq!(left(&app).await, [0; 6]);
    // What there is room for.
    execute(
        &app,
        "insert into audios (id, account_id, content_type, byte_size, sha256, received_at)
         select gen_random_uuid(), id, 'audio/flac', 49990000000, sha256('x'), now() from accounts
         where email = 'ana@example.org'",
    )
    .await;
    let told_full = told(&good, flac, 10_010_000).await;
    assert_eq!(told_full, ["TOO_LARGE audio upload"]);
}
