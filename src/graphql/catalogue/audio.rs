use std::sync::Arc;

use async_graphql::{Context, ID, Object};
use chrono::Utc;

use crate::catalogue;
use crate::graphql::context::operation;
use crate::graphql::error::ApiError;
use crate::graphql::scalars::{BigInt, DateTime, Url};
use crate::media::{self, AudioId, BUCKETS, Playable};

/// A file that somebody may hear, as part of what.
#[derive(Clone)]
pub struct Audio {
    row: Arc<Playable>,
    track: Arc<catalogue::Track>,
    /// Decided once, so that the address ends when its neighbour says so.
    good_until: chrono::DateTime<Utc>,
}

/// The file of a track that the caller may see; none until it was measured.
pub async fn of_track(
    ctx: &Context<'_>,
    track: Arc<catalogue::Track>,
) -> Result<Option<Audio>, ApiError> {
    let Some(id) = track.audio_id else {
        return Ok(None);
    };
    let operation = operation(ctx)?;
    let viewer = operation.viewer;
    let row = operation.load(&operation.loaders.audios, (id, viewer));
    let row = row.await?;
    let good_until = media::good_until(operation.app.clock.now());
    Ok(row.map(|row| Audio {
        row,
        track,
        good_until,
    }))
}

/// A file by its id, if the caller may see its track.
pub async fn audio(ctx: &Context<'_>, id: AudioId) -> Result<Option<Audio>, ApiError> {
    let operation = operation(ctx)?;
    let track = operation.load(&operation.loaders.tracks_of_audios, (id, operation.viewer));
    match track.await? {
        Some(track) => of_track(ctx, track).await,
        None => Ok(None),
    }
}

/// A file of music, as it was measured when it came in.
#[Object]
impl Audio {
    pub async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    /// Signed, and good for as long as `streamUrlExpiresAt` says; takes HTTP range requests.
    async fn stream_url(&self, ctx: &Context<'_>) -> Result<Url, ApiError> {
        let app = &operation(ctx)?.app;
        let title = &self.track.title;
        let signed = media::stream_address(app, &self.row, title, self.good_until).await;
        signed
            .map(|url| Url(url.into()))
            .map_err(|error| match error.may_pass() {
                true => ApiError::unavailable(format!("no address could be signed: {error}")),
                false => ApiError::internal(format!("no address could be signed: {error}")),
            })
    }

    async fn stream_url_expires_at(&self) -> DateTime {
        DateTime(self.good_until)
    }

    async fn content_type(&self) -> &str {
        &self.row.content_type
    }

    async fn codec(&self) -> &str {
        &self.row.codec
    }

    async fn byte_size(&self) -> BigInt {
        BigInt(self.row.byte_size)
    }

    /// SHA-256 of the file, in hexadecimal, computed as it streamed in.
    async fn sha256(&self) -> String {
        self.row
            .sha256
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    async fn duration_ms(&self) -> i32 {
        self.row.duration_ms
    }

    async fn sample_rate_hz(&self) -> i32 {
        self.row.sample_rate_hz
    }

    async fn channels(&self) -> i32 {
        self.row.channels
    }

    /// Of the sound alone, on average.
    async fn bitrate_kbps(&self) -> Option<i32> {
        self.row.bitrate_kbps
    }

    /// Integrated loudness by EBU R 128; null where there is nothing but silence.
    async fn loudness_lufs(&self) -> Option<f64> {
        self.row.loudness_lufs
    }

    /// Null where there is nothing but silence.
    async fn true_peak_dbtp(&self) -> Option<f64> {
        self.row.true_peak_dbtp
    }

    /// Peaks from 0 to 255, for a picture of the sound, each of a bucket of time; 1 to 2,000 buckets.
    async fn waveform(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 200)] buckets: i32,
    ) -> Result<Vec<i32>, ApiError> {
        let count = usize::try_from(buckets).ok();
        let count = count
            .filter(|count| BUCKETS.contains(count))
            .ok_or_else(|| {
                ApiError::BadRequest(format!(
                    "buckets: {buckets} is not from {} to {}.",
                    BUCKETS.start(),
                    BUCKETS.end()
                ))
            })?;
        let operation = operation(ctx)?;
        let peaks = operation
            .load(&operation.loaders.peaks, (self.row.id, operation.viewer))
            .await?;
        let peaks = peaks.ok_or_else(|| ApiError::unavailable("a file went while it was read"))?;
        let picture = media::buckets(&peaks, count);
        Ok(picture.into_iter().map(i32::from).collect())
    }
}
