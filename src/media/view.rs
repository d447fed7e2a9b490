//! A picture as it is looked at: what is known of it, and an address for each of its sizes.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel::Queryable;
use url::Url;

use super::keys;
use super::model::{ImageId, ImageSize};
use crate::app::App;
use crate::storage::{ContentType, Shown, StorageError};

/// Whoever asks on the same day gets an address with the same end, so that a browser finds what it has. It is good for a
/// day at least: a page stays open for long, and nothing says there when its pictures end.
const DAY: TimeDelta = TimeDelta::days(1);

/// What there is to know of a picture before it is loaded.
#[derive(Debug, Clone, Queryable)]
pub struct Viewable {
    pub id: ImageId,
    /// Of all of its sizes.
    pub content_type: String,
    /// Of the original.
    pub width: i32,
    pub height: i32,
    pub thumb_hash: Vec<u8>,
}

/// An address that shows it in a size.
pub async fn image_address(
    app: &App,
    image: &Viewable,
    size: ImageSize,
) -> Result<Url, StorageError> {
    let key = keys::image_key(image.id, size);
    let content_type = ContentType::read(&image.content_type).unwrap_or(ContentType::OCTETS);
    let extension = match content_type.as_str() {
        "image/png" => "png",
        _ => "jpg",
    };
    let name = format!("{}.{extension}", size.name());
    let shown = Shown::new(&name, content_type, false);
    let now = app.clock.now();
    let left = (good_until(now) - now).to_std().unwrap_or(Duration::ZERO);
    app.storage.signed_address(&key, &shown, left).await
}

fn good_until(now: DateTime<Utc>) -> DateTime<Utc> {
    // Days divide every time that there is.
    now.duration_trunc(DAY).unwrap_or(now) + DAY + DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_good_for_one_day_to_two() {
        for (now, until) in [
            ("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"),
            ("2026-01-01T23:59:59.999Z", "2026-01-03T00:00:00Z"),
            ("2026-12-31T12:30:00Z", "2027-01-02T00:00:00Z"),
        ] {
            let until: DateTime<Utc> = until.parse().unwrap();
            assert_eq!(good_until(now.parse().unwrap()), until, "{now}");
        }
    }
}
