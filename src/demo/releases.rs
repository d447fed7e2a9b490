//! When an artist released what: how many tracks, in albums of which size, on which days.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::dice::Dice;
use super::rows::AlbumKind;

/// The day on which every catalogue ends. Fixed, so that one made next year is the same.
pub(super) const TODAY: NaiveDate =
    NaiveDate::from_ymd_opt(2026, 11, 1).expect("a day of the calendar");
pub(super) const NOW: DateTime<Utc> = TODAY.and_time(NaiveTime::MIN).and_utc();

const THIRTY_YEARS: u32 = 10_950;
/// Nothing comes out later than this before today, so that the hours that it takes to publish all of it are over.
const LAST_DAYS: u32 = 3;

pub(super) struct Release {
    /// None for one track that stands alone.
    pub kind: Option<AlbumKind>,
    pub size: u32,
    pub released_on: Option<NaiveDate>,
    /// When its first track came in, and when that was published; the others follow within hours.
    pub created_at: DateTime<Utc>,
    pub published_at: DateTime<Utc>,
    /// Not out yet: no track of it is published.
    pub is_pending: bool,
}

/// All that an artist brought out, from the first on. Never empty.
pub(super) fn draw_releases(dice: &mut Dice, is_star: bool) -> Vec<Release> {
    let sizes = draw_sizes(dice, is_star);
    let career_days = draw_career_days(dice, is_star);
    let count = sizes.len() as u32;
    (0..count)
        .zip(sizes)
        .map(|(index, size)| {
            if index + 1 == count && size > 1 && dice.per_mille(45) {
                draw_pending(dice, size)
            } else {
                let still_to_come = f64::from(count - index) - dice.fraction();
                let share = still_to_come / f64::from(count);
                let days_ago = LAST_DAYS + (f64::from(career_days) * share) as u32;
                draw_published(dice, size, days_ago)
            }
        })
        .collect()
}

fn draw_track_count(dice: &mut Dice, is_star: bool) -> u32 {
    if is_star {
        return dice.between(100, 400);
    }
    match dice.below(100) {
        0..14 => dice.between(1, 4),
        14..84 => dice.between(5, 20),
        84..98 => dice.between(21, 60),
        _ => dice.between(61, 99),
    }
}

fn draw_sizes(dice: &mut Dice, is_star: bool) -> Vec<u32> {
    let mut left = draw_track_count(dice, is_star);
    let mut sizes = Vec::new();
    while left > 0 {
        let size = match dice.below(100) {
            0..26 => 1,
            26..40 => dice.between(2, 3),
            40..60 => dice.between(4, 6),
            _ => dice.between(7, 16),
        };
        let size = size.min(left);
        left -= size;
        sizes.push(size);
    }
    sizes
}

/// Most began lately, some a long time ago.
fn draw_career_days(dice: &mut Dice, is_star: bool) -> u32 {
    let share = dice.fraction();
    let (least, share) = if is_star {
        (1_500.0, share)
    } else {
        (40.0, share * share)
    };
    let most = f64::from(THIRTY_YEARS - LAST_DAYS);
    (least + (most - least) * share) as u32
}

fn kind_of(size: u32) -> Option<AlbumKind> {
    match size {
        1 => None,
        2..=3 => Some(AlbumKind::Single),
        4..=6 => Some(AlbumKind::Ep),
        _ => Some(AlbumKind::Album),
    }
}

fn draw_published(dice: &mut Dice, size: u32, days_ago: u32) -> Release {
    let released_on = TODAY - Days::new(days_ago.into());
    let midnight = released_on.and_time(NaiveTime::MIN).and_utc();
    let published_at = midnight + TimeDelta::seconds(dice.below(36 * 3_600).into());
    let reviewed_for = TimeDelta::milliseconds(dice.between(86_400_000, 1_728_000_000).into());
    Release {
        kind: kind_of(size),
        size,
        released_on: Some(released_on),
        created_at: published_at - reviewed_for,
        published_at,
        is_pending: false,
    }
}

fn draw_pending(dice: &mut Dice, size: u32) -> Release {
    let released_on = dice
        .per_mille(500)
        .then(|| TODAY + Days::new(dice.between(5, 90).into()));
    let waiting_for = TimeDelta::milliseconds(dice.between(432_000_000, 3_456_000_000).into());
    Release {
        kind: kind_of(size),
        size,
        released_on,
        created_at: NOW - waiting_for,
        published_at: NOW,
        is_pending: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_come_in_order_and_within_thirty_years() {
        for seed in 0..2_000 {
            let releases = draw_releases(&mut Dice::new(seed, 0), seed % 64 == 0);
            assert!(!releases.is_empty());
            let published: Vec<_> = releases.iter().filter(|one| !one.is_pending).collect();
            assert!(published.is_sorted_by_key(|one| one.released_on));
            for release in published {
                let released_on = release.released_on.unwrap();
                assert!(released_on >= TODAY - Days::new(THIRTY_YEARS.into()));
                assert!(release.published_at >= released_on.and_time(NaiveTime::MIN).and_utc());
                assert!(release.created_at + TimeDelta::days(1) <= release.published_at);
                assert!(release.published_at + TimeDelta::hours(6) < NOW);
            }
        }
    }

    #[test]
    fn sizes_are_skewed() {
        let mut dice = Dice::new(1, 1);
        let counts: Vec<u32> = (0..1_000)
            .map(|_| draw_track_count(&mut dice, false))
            .collect();
        let usual = counts
            .iter()
            .filter(|count| (5..=20).contains(*count))
            .count();
        assert!((640..760).contains(&usual), "{usual}");
        assert!(draw_track_count(&mut dice, true) >= 100);
        assert!(
            draw_sizes(&mut dice, true)
                .iter()
                .all(|size| (1..=16).contains(size))
        );
    }
}
