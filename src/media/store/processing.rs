use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{
    BigInt, Binary, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid,
};

use crate::db::{Db, Error, Freshness, Statement};
use crate::media::measure::Measured;
use crate::media::model::AudioId;

/// A file, and what was done with it already.
#[derive(Debug, Queryable)]
pub struct Unprocessed {
    pub byte_size: i64,
    pub is_scanned: bool,
    pub is_measured: bool,
}

pub async fn to_process(db: &Db, id: AudioId) -> Result<Option<Unprocessed>, Error> {
    let read = Statement::<(BigInt, Bool, Bool)>::new(
        "select byte_size, scanned_at is not null, measured_at is not null from audios where id = ",
    )
    .bind::<SqlUuid, _>(id);
    let found = db.load(Freshness::Current, &read).await?;
    Ok(found.into_iter().next())
}

/// What was found, all of it at once; what was found before stays. Says whether the file is still known.
pub async fn was_processed(
    db: &Db,
    id: AudioId,
    scanned_at: Option<DateTime<Utc>>,
    measured: Option<Measured>,
    now: DateTime<Utc>,
) -> Result<bool, Error> {
    let mut write = Statement::<()>::new("update audios set scanned_at = coalesce(scanned_at, ")
        .bind::<Nullable<Timestamptz>, _>(scanned_at)
        .text(")");
    if let Some(found) = measured {
        write = write
            .text(", measured_at = ")
            .bind::<Timestamptz, _>(now)
            .text(", content_type = ")
            .bind::<Text, _>(found.content_type)
            .text(", codec = ")
            .bind::<Text, _>(found.codec)
            .text(", duration_ms = ")
            .bind::<Integer, _>(found.duration_ms)
            .text(", sample_rate_hz = ")
            .bind::<Integer, _>(found.sample_rate_hz)
            .text(", channels = ")
            .bind::<Integer, _>(found.channels)
            .text(", bitrate_kbps = ")
            .bind::<Nullable<Integer>, _>(found.bitrate_kbps)
            .text(", loudness_lufs = ")
            .bind::<Nullable<Double>, _>(found.loudness_lufs)
            .text(", true_peak_dbtp = ")
            .bind::<Nullable<Double>, _>(found.true_peak_dbtp)
            .text(", peaks = ")
            .bind::<Binary, _>(found.peaks);
    }
    let write = write.text(" where id = ").bind::<SqlUuid, _>(id);
    Ok(db.execute(&write).await? > 0)
}
