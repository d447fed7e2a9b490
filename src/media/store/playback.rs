use std::collections::HashMap;

use diesel::sql_types::{BigInt, Binary, Double, Integer, Nullable, Text, Uuid as SqlUuid};

use crate::db::{Db, Error, Freshness, Statement};
use crate::media::model::AudioId;
use crate::media::playback::Playable;

type PlayableSql = (
    SqlUuid,
    Text,
    BigInt,
    Binary,
    Text,
    Integer,
    Integer,
    Integer,
    Nullable<Integer>,
    Nullable<Double>,
    Nullable<Double>,
);

/// Those that were measured. Whether somebody may hear them is asked above.
pub async fn playable_by_ids(
    db: &Db,
    freshness: Freshness,
    ids: &[AudioId],
) -> Result<HashMap<AudioId, Playable>, Error> {
    let read = Statement::<PlayableSql>::new(
        "select id, content_type, byte_size, sha256, codec, duration_ms, sample_rate_hz, channels, bitrate_kbps, \
         loudness_lufs, true_peak_dbtp from audios where measured_at is not null and id",
    )
    .one_of::<SqlUuid, _>(ids.iter().map(|id| id.0).collect());
    let rows: Vec<Playable> = db.load(freshness, &read).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Their pictures, which are longer than all the rest.
pub async fn peaks_by_ids(
    db: &Db,
    freshness: Freshness,
    ids: &[AudioId],
) -> Result<HashMap<AudioId, Vec<u8>>, Error> {
    let read = Statement::<(SqlUuid, Binary)>::new(
        "select id, peaks from audios where measured_at is not null and id",
    )
    .one_of::<SqlUuid, _>(ids.iter().map(|id| id.0).collect());
    let rows: Vec<(AudioId, Vec<u8>)> = db.load(freshness, &read).await?;
    Ok(rows.into_iter().collect())
}
