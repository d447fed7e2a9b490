//! The pictures of somebody who leaves.

use super::exporting::{archive, export};
use super::*;
use crate::media::files::stored;
use crate::media::sweeping::hours_later;
use crate::pictures::{PROFILE, png, sets};

#[tokio::test(flavor = "multi_thread")]
async fn an_avatar_is_told_of_and_goes_with_its_account() {
    let app = TestApp::new().await;
    app.member(ANA).await;
    let access = app.sign_in(ANA).await.access;
    let set = sets(&app, &access, (PROFILE, json!({})), ("avatar", &png())).await;
    let avatar = set["account"]["user"]["avatar"]["id"].clone();
    let token = export(&app, ANA, &access).await;
    let told = archive(&app, &access, &token).await;
    assert_eq!(told["sections"]["accounts"][0]["avatarId"], avatar);
    let images = told["sections"]["images"].as_array().unwrap();
    assert_eq!(images.len(), 1);
    assert_eq!(
        (&images[0]["id"], &images[0]["width"]),
        (&avatar, &json!(500))
    );

    close(&app, &access).await;
    wait(&app, TimeDelta::days(30));
    erasing::erase_what_is_due(&app).await;
    assert_eq!(status_of(&app, ANA).await, None);
    assert_eq!(count(&app, "select count(*) from images").await, 0);
    assert_eq!(stored(&app, "image").await.len(), 4);
    hours_later(&app, 25).await;
    assert!(stored(&app, "image").await.is_empty());
}
