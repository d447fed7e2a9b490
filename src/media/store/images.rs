use std::collections::HashMap;

use diesel::sql_types::{Array, Binary, Integer, Text, Uuid as SqlUuid};
use uuid::Uuid;

use crate::db::{Db, Error, Freshness, Statement, Tx};
use crate::media::model::ImageId;
use crate::media::view::Viewable;

type ViewableSql = (SqlUuid, Text, Integer, Integer, Binary);

/// Whether somebody may see them is asked above.
pub async fn images_by_ids(
    db: &Db,
    freshness: Freshness,
    ids: &[ImageId],
) -> Result<HashMap<ImageId, Viewable>, Error> {
    let read = Statement::<ViewableSql>::new(
        "select id, content_type, width, height, thumb_hash from images where id",
    )
    .one_of::<SqlUuid, _>(uuids(ids));
    let rows: Vec<Viewable> = db.load(freshness, &read).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Deletes pictures that others took the place of, or that nobody wants any more. Whatever refers to one refers to none then.
pub async fn delete_images(tx: &mut Tx<'_>, ids: &[ImageId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let write = Statement::<()>::new("delete from images where id = any(")
        .bind::<Array<SqlUuid>, _>(uuids(ids))
        .text(")");
    tx.execute(&write).await?;
    Ok(())
}

fn uuids(ids: &[ImageId]) -> Vec<Uuid> {
    ids.iter().map(|id| id.0).collect()
}
