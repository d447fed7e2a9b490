//! Pictures, which have the visibility of what they belong to.

use std::collections::HashSet;

use diesel::sql_types::Uuid as SqlUuid;
use uuid::Uuid;

use crate::catalogue::viewer::Viewer;
use crate::db::{Db, Error, Statement};
use crate::media::ImageId;

/// Which of these a viewer sees somewhere: of an artist, an album or a track, or as what a track is to look like.
pub async fn seen_images(
    db: &Db,
    viewer: Viewer,
    ids: &[ImageId],
) -> Result<HashSet<ImageId>, Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let read = Statement::<SqlUuid>::new("select a.image_id from artists a where a.image_id")
        .one_of::<SqlUuid, _>(ids.clone())
        .text(" and ");
    let read = viewer
        .seen_artists(read)
        .text(" union all select al.cover_id from albums al where al.cover_id")
        .one_of::<SqlUuid, _>(ids.clone())
        .text(" and ");
    let read = viewer
        .seen_albums(read)
        .text(" union all select t.cover_id from tracks t where t.cover_id")
        .one_of::<SqlUuid, _>(ids.clone())
        .text(" and ");
    let read = viewer
        .seen_tracks(read)
        .text(" union all select s.new_cover_id from submissions s where s.new_cover_id")
        .one_of::<SqlUuid, _>(ids)
        .text(" and ");
    let read = viewer.seen_submissions(read);
    let seen: Vec<ImageId> = db.load(viewer.freshness(), &read).await?;
    Ok(seen.into_iter().collect())
}
