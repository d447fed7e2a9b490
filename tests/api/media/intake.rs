//! What is taken stands whole, with a row; what is refused leaves nothing.

use empulse::media::{Broken, Checksum, IntakeFault, take_audio, take_image};
use futures_util::future::join;
use sha2::{Digest, Sha256};

use super::files::{WAV, count, file, member, over_bucket, picture, read, stored};
use crate::storage::s3::{Fault, S3Server};
use crate::support::TestApp;

async fn a_file_is_kept_as_it_came(app: &TestApp) {
    let account = member(app).await;
    // More than fits into one part.
    let mut bytes = WAV.to_vec();
    bytes.resize(9 << 20, 3);
    let sha256 = Sha256::digest(&bytes);
    let expected = Checksum(sha256.into());
    let audio = take_audio(
        &app.app,
        &account,
        file(&bytes, 70_001, None),
        Some(expected),
    )
    .await
    .unwrap();
    assert_eq!(audio.content_type, "audio/wav");
    assert_eq!((audio.byte_size, &audio.sha256[..]), (9 << 20, &sha256[..]));
    let key = format!("audio/{}", audio.id.0.simple());
    assert_eq!(stored(app, "audio").await, std::slice::from_ref(&key));
    assert!(read(app, &key).await.unwrap() == bytes);

    let image = take_image(&app.app, &account, file(&picture(), 999, None))
        .await
        .unwrap();
    assert_eq!((image.width, image.height), (500, 400));
    let keys = ["large", "medium", "original", "small"]
        .map(|size| format!("image/{}/{size}", image.id.0.simple()));
    assert_eq!(stored(app, "image").await, keys);
    let mut size = 0;
    for key in &keys {
        let bytes = read(app, key).await.unwrap();
        size += bytes.len() as i64;
        assert_eq!(
            image::guess_format(&bytes).unwrap().to_mime_type(),
            image.content_type
        );
    }
    assert_eq!(image.byte_size, size);
    let original = read(app, &keys[2]).await.unwrap();
    assert_eq!(image.sha256[..], Sha256::digest(&original)[..]);
    assert_eq!(
        (count(app, "audios").await, count(app, "images").await),
        (1, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_kept_as_it_came_in_a_folder() {
    a_file_is_kept_as_it_came(&TestApp::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_kept_as_it_came_in_a_bucket() {
    let server = S3Server::start().await;
    a_file_is_kept_as_it_came(&over_bucket(&server).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_leaves_nothing() {
    let app = TestApp::new().await;
    let account = member(&app).await;
    let audio = async |incoming, expected: Option<Checksum>| {
        take_audio(&app.app, &account, incoming, expected)
            .await
            .err()
    };
    let mut long = WAV.to_vec();
    long.resize(9 << 20, 0);
    assert!(matches!(
        audio(file(b"", 1, None), None).await,
        Some(IntakeFault::Empty)
    ));
    assert!(matches!(
        audio(file(b"MZ\x90\0 a program", 4, None), None).await,
        Some(IntakeFault::Unsupported { .. })
    ));
    assert!(matches!(
        audio(file(&picture(), 100, None), None).await,
        Some(IntakeFault::Unsupported { .. })
    ));
    assert!(matches!(
        audio(file(&long, 65_536, None), Some(Checksum([0; 32]))).await,
        Some(IntakeFault::ChecksumMismatch)
    ));
    for broken in [
        Broken::Left,
        Broken::TooSlow,
        Broken::TooMuch,
        Broken::Malformed,
        Broken::NotTaken,
    ] {
        let came = audio(file(&long, 65_536, Some(broken)), None).await;
        assert!(matches!(came, Some(IntakeFault::Incomplete(why)) if why == broken));
    }
    let image = async |incoming| take_image(&app.app, &account, incoming).await.err();
    assert!(matches!(
        image(file(WAV, 100, None)).await,
        Some(IntakeFault::Unsupported { .. })
    ));
    let half = &picture()[..200];
    assert!(matches!(
        image(file(half, 100, None)).await,
        Some(IntakeFault::BrokenPicture(_))
    ));
    let mut large = picture();
    large.resize((20 << 20) + 1, 0);
    assert!(matches!(
        image(file(&large, 65_536, None)).await,
        Some(IntakeFault::TooLarge { most: 20_971_520 })
    ));
    app.app.storage.close().await;
    assert_eq!(
        (
            stored(&app, "audio").await.len(),
            stored(&app, "image").await.len()
        ),
        (0, 0)
    );
    assert_eq!(
        (count(&app, "audios").await, count(&app, "images").await),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_room_is_taken_once() {
    let app = TestApp::new().await;
    let account = member(&app).await;
    let fill = async |left: usize| {
        let sql = app.sql().await;
        let taken = 50_000_000_000_i64 - left as i64;
        sql.execute("delete from audios", &[]).await.unwrap();
        sql.execute(
            "insert into audios (id, account_id, content_type, byte_size, sha256, received_at) \
             select $1::text::uuid, id, 'audio/wav', $2, decode(repeat('00', 32), 'hex'), now() from accounts",
            &[&uuid::Uuid::now_v7().to_string(), &taken],
        )
        .await
        .unwrap();
    };
    let take = || take_audio(&app.app, &account, file(WAV, 1000, None), None);
    fill(WAV.len()).await;
    let (one, other) = join(take(), take()).await;
    assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
    let refused = one.err().or(other.err());
    assert!(matches!(
        refused,
        Some(IntakeFault::NoRoom {
            most: 50_000_000_000
        })
    ));
    assert_eq!(stored(&app, "audio").await.len(), 1);
    // None at all, and too little: neither is stored.
    assert!(matches!(take().await, Err(IntakeFault::NoRoom { .. })));
    fill(WAV.len() - 1).await;
    assert!(matches!(take().await, Err(IntakeFault::NoRoom { .. })));
    assert_eq!(stored(&app, "audio").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_over_meanwhile_keeps_nothing() {
    let app = TestApp::new().await;
    let account = member(&app).await;
    let sql = app.sql().await;
    sql.execute("update accounts set status = 'SUSPENDED'", &[])
        .await
        .unwrap();
    let taken = take_audio(&app.app, &account, file(WAV, 1000, None), None).await;
    assert!(matches!(taken, Err(IntakeFault::Refused(_))));
    let taken = take_image(&app.app, &account, file(&picture(), 1000, None)).await;
    assert!(matches!(taken, Err(IntakeFault::Refused(_))));
    assert_eq!(
        (
            stored(&app, "audio").await.len(),
            stored(&app, "image").await.len()
        ),
        (0, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_leaves_no_row() {
    let server = S3Server::start().await;
    let app = over_bucket(&server).await;
    let account = member(&app).await;
    server
        .plan
        .fail("put", Fault::Status(403, "AccessDenied"), 100);
    let taken = take_audio(&app.app, &account, file(WAV, 1000, None), None).await;
    assert!(matches!(taken, Err(IntakeFault::Storage(_))));
    assert_eq!(count(&app, "audios").await, 0);
}
