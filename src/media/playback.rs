//! A file of music as it is heard: what was measured of it, and an address that plays it.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel::Queryable;
use url::Url;

use super::keys;
use super::model::AudioId;
use crate::app::App;
use crate::storage::{ContentType, Shown, StorageError};

/// Whoever asks within the same hour gets an address with the same end, so that a player that asks again goes on with what
/// it has. It is good for an hour at least.
const HOUR: TimeDelta = TimeDelta::hours(1);

/// Letters of it in the name of a file: a longer name is cut at its end, where it says what the file is.
const LONGEST_TITLE: usize = 140;

/// A file that was measured.
#[derive(Debug, Clone, Queryable)]
pub struct Playable {
    pub id: AudioId,
    pub content_type: String,
    pub byte_size: i64,
    pub sha256: Vec<u8>,
    pub codec: String,
    pub duration_ms: i32,
    pub sample_rate_hz: i32,
    pub channels: i32,
    pub bitrate_kbps: Option<i32>,
    pub loudness_lufs: Option<f64>,
    pub true_peak_dbtp: Option<f64>,
}

impl Playable {
    /// What the name of such a file ends in.
    fn extension(&self) -> &'static str {
        let is = |part| self.content_type.contains(part);
        match self.codec.as_str() {
            "PCM" => "wav",
            "FLAC" if is("ogg") => "oga",
            "FLAC" => "flac",
            "MP3" => "mp3",
            "AAC" if is("mp4") => "m4a",
            "AAC" => "aac",
            "Opus" => "opus",
            _ => "ogg",
        }
    }
}

/// Until when an address is good that somebody asks for now.
pub fn good_until(now: DateTime<Utc>) -> DateTime<Utc> {
    // Hours divide every time that there is.
    now.duration_trunc(HOUR).unwrap_or(now) + HOUR + HOUR
}

/// An address that plays it until then. Who saves it finds it under its title.
pub async fn stream_address(
    app: &App,
    audio: &Playable,
    title: &str,
    until: DateTime<Utc>,
) -> Result<Url, StorageError> {
    let key = keys::audio_key(audio.id);
    let content_type = ContentType::read(&audio.content_type).unwrap_or(ContentType::OCTETS);
    let title: String = title.chars().take(LONGEST_TITLE).collect();
    let name = format!("{title}.{}", audio.extension());
    let shown = Shown::new(&name, content_type, false);
    let left = (until - app.clock.now()).to_std().unwrap_or(Duration::ZERO);
    app.storage.signed_address(&key, &shown, left).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_good_for_one_hour_to_two() {
        for (now, until) in [
            ("2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z"),
            ("2026-01-01T10:59:59.999Z", "2026-01-01T12:00:00Z"),
            ("2026-12-31T23:30:00Z", "2027-01-01T01:00:00Z"),
        ] {
            let until: DateTime<Utc> = until.parse().unwrap();
            assert_eq!(good_until(now.parse().unwrap()), until, "{now}");
        }
    }
}
