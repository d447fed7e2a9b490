//! What nobody completes or hands in comes to its end, and leaves nothing.

use chrono::TimeDelta;

use super::{Place, parts};
use crate::accounts::{execute, mistakes};
use crate::media::files::{WAV, stored};
use crate::media::sweeping::hours_later;

async fn what_is_left_goes(place: &mut Place) {
    let open = place.opens(2 * super::PART).await;
    let url = parts(&open)[1]["url"].as_str().unwrap();
    let etag = super::etag(&place.puts(url, vec![7; super::PART]).await);
    let ready = place.brings(WAV).await;
    place.app.run_jobs().await;
    // One that is verified still, by whoever has its job.
    let verifying = place.brings(WAV).await;
    execute(
        &place.app,
        "update jobs set due_at = now() + interval '1 year' where kind = 'media.verify_direct'",
    )
    .await;
    hours_later(&place.app, 23).await;
    place.ana.access = place.app.sign_in(crate::submissions::ANA).await.access;
    assert_eq!(place.status(&open).await, "OPEN");
    assert_eq!(place.status(&ready).await, "READY");
    assert!(place.unfinished().await > 0);
    // Over by the clock, before anybody looks after it.
    place.app.app.clock.advance(TimeDelta::hours(1));
    place.ana.access = place.app.sign_in(crate::submissions::ANA).await.access;
    for upload in [&open, &ready] {
        assert_eq!(place.status(upload).await, "EXPIRED");
    }
    let late = place.completes(&open, &[etag.clone(), etag]).await;
    assert_eq!(mistakes(&late), ["INVALID_STATE directUploadId"]);
    hours_later(&place.app, 2).await;
    assert_eq!(place.unfinished().await, 0);
    assert_eq!(place.count("audios").await, 0);
    hours_later(&place.app, 25).await;
    // What is verified still is nobody's to sweep.
    place.ana.access = place.app.sign_in(crate::submissions::ANA).await.access;
    assert_eq!(place.status(&verifying).await, "VERIFYING");
    assert_eq!(stored(&place.app, "audio").await.len(), 1);
    execute(&place.app, "update jobs set due_at = now()").await;
    place.app.run_jobs().await;
    assert_eq!(place.status(&verifying).await, "READY");
    assert_eq!(place.count("direct_uploads").await, 3);
    hours_later(&place.app, 7 * 24).await;
    assert_eq!(place.count("direct_uploads").await, 1);
    hours_later(&place.app, 2 * 24).await;
    hours_later(&place.app, 7 * 24).await;
    assert_eq!(place.count("direct_uploads").await, 0);
    assert_eq!(stored(&place.app, "audio").await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_goes_from_a_folder() {
    what_is_left_goes(&mut Place::folder().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_goes_from_a_bucket() {
    what_is_left_goes(&mut Place::bucket().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_verifies_any_more_is_ended() {
    let place = Place::folder().await;
    place.brings(WAV).await;
    execute(
        &place.app,
        "delete from jobs where kind = 'media.verify_direct'",
    )
    .await;
    hours_later(&place.app, 24).await;
    assert_eq!(stored(&place.app, "audio").await.len(), 1);
    hours_later(&place.app, 2).await;
    assert_eq!(stored(&place.app, "audio").await.len(), 0);
    assert_eq!(
        place.count("direct_uploads where status = 'EXPIRED'").await,
        1
    );
}
