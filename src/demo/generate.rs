//! A catalogue out of a seed: the same rows each time, and those of a smaller one within a larger one.
//!
//! Everything of an artist follows from the seed and the artist's number. So artists can be made one by one, in any
//! order, and nothing is kept of those before.

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use uuid::{Builder, Uuid};

use super::biography::{Subject, draw_biography, draw_links};
use super::dice::{Dice, mix};
use super::genres::{Affinity, Genre};
use super::names::{ArtistName, Names};
use super::releases::{NOW, Release, draw_releases};
use super::rows::{Album, AlbumKind, Artist, Status, Track};
use super::titles::{Language, VERSIONS, title};
use crate::catalogue::sort_key;

/// Beyond this, ISRCs would begin to repeat.
pub const MAX_TRACKS: u32 = 10_000_000;

/// Of as many artists, one is a star: popular for long, with a hundred tracks and more.
const STAR_EVERY: u32 = 64;

/// An imagined catalogue of exactly so many tracks.
#[derive(Clone)]
pub struct Catalogue {
    seed: u64,
    tracks: u32,
    names: Names,
}

/// An artist and all that is theirs, in the order in which it came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Discography {
    pub artist: Artist,
    pub albums: Vec<Album>,
    pub tracks: Vec<Track>,
}

impl Catalogue {
    /// `tracks` of at most [`MAX_TRACKS`].
    pub fn new(seed: u64, tracks: u32) -> Self {
        Self {
            seed,
            tracks,
            names: Names::new(seed),
        }
    }

    pub fn tracks(&self) -> u32 {
        self.tracks
    }

    /// All artists with what they made, until the tracks are reached; the last one may be cut short.
    pub fn discographies(&self) -> impl Iterator<Item = Discography> {
        let mut left = self.tracks as usize;
        (0..).map_while(move |index| {
            (left > 0).then(|| {
                let mut discography = self.discography(index);
                discography.cut_to(left);
                left -= discography.tracks.len();
                discography
            })
        })
    }

    fn discography(&self, index: u32) -> Discography {
        let mut dice = Dice::new(self.seed, index);
        let ArtistName {
            name,
            slug,
            language,
        } = self.names.artist(index);
        let is_star = self.is_star(index);
        let releases = draw_releases(&mut dice, is_star);
        let began_at = releases.iter().map(|release| release.created_at).min();
        let created_at =
            began_at.unwrap_or(NOW) - TimeDelta::seconds(dice.between(3_600, 2_592_000).into());
        let affinity = Affinity::draw(&mut dice);

        let mut studio = Studio {
            names: &self.names,
            artist_index: index,
            artist_id: draw_id(&mut dice, created_at),
            language,
            affinity,
            popularity: draw_popularity(&mut dice, is_star),
            dice,
            albums: Vec::new(),
            tracks: Vec::new(),
        };
        for release in &releases {
            studio.bring_out(release);
        }

        let Studio {
            mut dice,
            artist_id,
            albums,
            tracks,
            ..
        } = studio;
        let biography = draw_biography(
            &mut dice,
            &Subject {
                name: &name,
                language,
                affinity,
                since: created_at.year(),
                albums: &albums,
            },
        );
        Discography {
            artist: Artist {
                id: artist_id,
                sort_name: sort_key(&name),
                biography,
                links: draw_links(&mut dice, &slug),
                name,
                slug,
                created_at,
                updated_at: created_at,
            },
            albums,
            tracks,
        }
    }

    fn is_star(&self, index: u32) -> bool {
        let block = index / STAR_EVERY;
        // Not the first of a block: the smallest catalogues should have more artists than one.
        let star = 8 + mix(!self.seed, block) as u32 % (STAR_EVERY - 8);
        index % STAR_EVERY == star
    }
}

impl Discography {
    fn cut_to(&mut self, tracks: usize) {
        if tracks < self.tracks.len() {
            self.tracks.truncate(tracks);
            let kept = self.tracks.iter().rev().find_map(|track| track.album_id);
            let albums = kept.and_then(|id| self.albums.iter().position(|album| album.id == id));
            self.albums.truncate(albums.map_or(0, |last| last + 1));
        }
    }
}

/// Where one artist's music is made, release by release.
struct Studio<'a> {
    names: &'a Names,
    artist_index: u32,
    artist_id: Uuid,
    language: Language,
    affinity: Affinity,
    popularity: f64,
    dice: Dice,
    albums: Vec<Album>,
    tracks: Vec<Track>,
}

impl Studio<'_> {
    fn bring_out(&mut self, release: &Release) {
        let first = self.tracks.len();
        let release_title = title(self.language, &mut self.dice);
        let album_id = release
            .kind
            .map(|kind| self.make_album(release, kind, &release_title));
        let title_track = match release.kind {
            None | Some(AlbumKind::Single) => 0,
            // Half of the time past the end: an album need not have one.
            Some(_) => self.dice.below(release.size * 2),
        };
        let take = self.dice.below(VERSIONS.len() as u32);

        for position in 0..release.size {
            let mut title = if position == title_track {
                release_title.clone()
            } else if release.kind == Some(AlbumKind::Single) {
                let version = VERSIONS[(take + position) as usize % VERSIONS.len()];
                format!("{release_title} ({version})")
            } else {
                self.draw_track_title()
            };
            while self.tracks[first..]
                .iter()
                .any(|track| track.title == title)
            {
                title.push_str(" (Reprise)");
            }
            let place = album_id.map(|id| (id, position as i32 + 1));
            let track = self.make_track(release, position, title, place);
            self.tracks.push(track);
        }
    }

    fn make_album(&mut self, release: &Release, kind: AlbumKind, title: &str) -> Uuid {
        let created_at = release.created_at
            - TimeDelta::milliseconds(self.dice.between(30_000, 1_800_000).into());
        let id = draw_id(&mut self.dice, created_at);
        let title = if kind == AlbumKind::Ep && self.dice.per_mille(250) {
            format!("{title} EP")
        } else {
            title.to_owned()
        };
        self.albums.push(Album {
            id,
            artist_id: self.artist_id,
            title,
            kind,
            released_on: release.released_on,
            created_at,
            updated_at: created_at,
        });
        id
    }

    fn draw_track_title(&mut self) -> String {
        let mut title = title(self.language, &mut self.dice);
        match self.dice.below(1_000) {
            0..35 if self.artist_index > 0 => {
                let guest = self.names.artist(self.dice.below(self.artist_index)).name;
                title.push_str(" (feat. ");
                title.push_str(&guest);
                title.push(')');
            }
            35..65 => {
                title.push_str(" (");
                title.push_str(self.dice.pick(&VERSIONS));
                title.push(')');
            }
            _ => {}
        }
        title
    }

    fn make_track(
        &mut self,
        release: &Release,
        position: u32,
        title: String,
        place: Option<(Uuid, i32)>,
    ) -> Track {
        let genre = self.affinity.of_track(&mut self.dice);
        let status = draw_status(&mut self.dice, release.is_pending);
        let History {
            created_at,
            published_at,
            updated_at,
        } = self.draw_history(release, position, status);
        let duration_ms = match status {
            // Not measured yet, or not measurable.
            Status::Processing | Status::Failed => None,
            _ => Some(draw_duration_ms(&mut self.dice, genre)),
        };
        let has_isrc = self.dice.per_mille(940);
        let ordinal = self.tracks.len() as u32;
        Track {
            id: draw_id(&mut self.dice, created_at),
            artist_id: self.artist_id,
            album_id: place.map(|(album_id, _)| album_id),
            track_number: place.map(|(_, number)| number),
            genre_id: genre.id,
            sort_title: sort_key(&title),
            title,
            is_explicit: self.dice.per_mille(genre.explicit_per_mille),
            isrc: has_isrc.then(|| isrc(self.artist_index, ordinal, created_at.year())),
            status,
            duration_ms,
            play_count: published_at.map_or(0, |since| self.draw_plays(since, updated_at, status)),
            published_at,
            created_at,
            updated_at,
        }
    }

    fn draw_history(&mut self, release: &Release, position: u32, status: Status) -> History {
        let was_published = match status {
            Status::Published | Status::TakenDown => true,
            Status::Withdrawn => self.dice.per_mille(500),
            _ => false,
        };
        if !was_published {
            return History::of_waiting(self.draw_waiting_since(release, status));
        }
        let each_takes = self.dice.between(60_000, 600_000);
        let created_at =
            release.created_at + TimeDelta::milliseconds((position * each_takes).into());
        let published_at = release.published_at
            + TimeDelta::seconds((position * self.dice.between(5, 120)).into());
        let updated_at = if status == Status::Published {
            published_at
        } else {
            let seconds = (NOW - published_at).num_seconds() as f64 * self.dice.fraction();
            published_at + TimeDelta::seconds(seconds as i64)
        };
        History {
            created_at,
            published_at: Some(published_at),
            updated_at,
        }
    }

    /// A track that waits came in lately, also on an older album, as a late addition; nothing is processed for long.
    fn draw_waiting_since(&mut self, release: &Release, status: Status) -> DateTime<Utc> {
        let at_most_hours = match status {
            Status::Processing => 1,
            Status::InReview => 10 * 24,
            Status::Failed | Status::ChangesRequested => 30 * 24,
            _ => 400 * 24,
        };
        let waiting_for = self.dice.between(60, at_most_hours * 3_600);
        let jitter = self.dice.below(1_000);
        let since =
            NOW - TimeDelta::seconds(waiting_for.into()) + TimeDelta::milliseconds(jitter.into());
        since.max(release.created_at)
    }

    /// Plays follow Zipf's law twice, among artists and among one's tracks, and grow with the days.
    fn draw_plays(
        &mut self,
        since: DateTime<Utc>,
        updated_at: DateTime<Utc>,
        status: Status,
    ) -> i64 {
        let until = if status == Status::Published {
            NOW
        } else {
            updated_at
        };
        let hours = (until - since).num_hours() as f64;
        let hit = 1.0 / self.dice.fraction().max(0.000_001).sqrt();
        (hours / 30.0 * self.popularity * hit) as i64
    }
}

struct History {
    created_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
}

impl History {
    fn of_waiting(since: DateTime<Utc>) -> Self {
        Self {
            created_at: since,
            published_at: None,
            updated_at: since,
        }
    }
}

/// Time-ordered by when the row was made, as the service's own ids are.
fn draw_id(dice: &mut Dice, created_at: DateTime<Utc>) -> Uuid {
    let millis = created_at.timestamp_millis().unsigned_abs();
    Builder::from_unix_timestamp_millis(millis, &dice.bytes()).into_uuid()
}

fn draw_popularity(dice: &mut Dice, is_star: bool) -> f64 {
    let popularity = 1.0 / dice.fraction().max(0.000_05);
    if is_star {
        20.0 + 4.0 * popularity
    } else {
        popularity
    }
}

fn draw_status(dice: &mut Dice, is_pending: bool) -> Status {
    const OF_PENDING: [(Status, u32); 5] = [
        (Status::InReview, 60),
        (Status::ChangesRequested, 20),
        (Status::Processing, 10),
        (Status::Rejected, 6),
        (Status::Failed, 4),
    ];
    const OF_OTHERS: [(Status, u32); 8] = [
        (Status::Published, 982),
        (Status::InReview, 5),
        (Status::Withdrawn, 4),
        (Status::TakenDown, 2),
        (Status::ChangesRequested, 2),
        (Status::Rejected, 2),
        (Status::Processing, 1),
        (Status::Failed, 2),
    ];
    let weighted: &[(Status, u32)] = if is_pending { &OF_PENDING } else { &OF_OTHERS };
    dice.pick_weighted(weighted, |(_, weight)| *weight).0
}

/// Log-normal around the genre's median, between half a minute and twenty.
fn draw_duration_ms(dice: &mut Dice, genre: &Genre) -> i32 {
    let mut seconds = f64::from(genre.median_seconds);
    for _ in 0..8 {
        seconds *= dice.factor(0.18);
    }
    (seconds.clamp(30.0, 1_200.0) * 1_000.0) as i32
}

/// A recording's code: each artist is a registrant of their own, and numbers their recordings without repeating one.
fn isrc(artist_index: u32, ordinal: u32, year: i32) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const REGISTRANTS: u32 = 36 * 36 * 36;
    const COUNTRIES: [&str; 24] = [
        "AU", "BE", "BR", "CA", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IN", "IT", "JP", "KR",
        "MX", "NG", "NL", "NO", "NZ", "PL", "SE", "US", "ZA",
    ];
    // Both factors share no divisor with what they are reduced by: different numbers stay different.
    let registrant = (artist_index % REGISTRANTS) * 28_837 % REGISTRANTS;
    let designation = (ordinal * 7_919 + artist_index % 100_000) % 100_000;
    let country = COUNTRIES[((registrant + artist_index / REGISTRANTS) % 24) as usize];
    let digit = |place: u32| char::from(DIGITS[(registrant / place % 36) as usize]);
    format!(
        "{country}{}{}{}{:02}{designation:05}",
        digit(36 * 36),
        digit(36),
        digit(1),
        year % 100
    )
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use chrono::NaiveTime;

    use super::*;

    fn all(seed: u64, tracks: u32) -> Vec<Discography> {
        Catalogue::new(seed, tracks).discographies().collect()
    }

    fn tracks(discographies: &[Discography]) -> Vec<&Track> {
        discographies.iter().flat_map(|one| &one.tracks).collect()
    }

    #[test]
    fn a_seed_makes_the_same_catalogue_each_time() {
        assert_eq!(all(5, 800), all(5, 800));
        assert_ne!(all(5, 800), all(6, 800));
    }

    #[test]
    fn a_catalogue_has_exactly_the_tracks_that_were_asked_for() {
        for count in [0, 1, 17, 500, 2_000] {
            assert_eq!(tracks(&all(1, count)).len(), count as usize);
        }
    }

    #[test]
    fn a_larger_catalogue_contains_the_smaller_one() {
        let small = all(1, 777);
        let large = all(1, 2_000);
        let (last, whole) = small.split_last().unwrap();
        assert_eq!(whole, &large[..whole.len()]);
        let same = &large[whole.len()];
        assert_eq!(last.artist, same.artist);
        assert_eq!(last.albums, same.albums[..last.albums.len()]);
        assert_eq!(last.tracks, same.tracks[..last.tracks.len()]);
    }

    #[test]
    fn albums_are_of_two_to_sixteen_tracks_in_order_and_some_tracks_have_none() {
        let discographies: Vec<_> = all(1, 3_000);
        let (_, whole) = discographies.split_last().unwrap();
        for Discography {
            artist,
            albums,
            tracks,
        } in whole
        {
            let mut numbers: HashMap<Uuid, Vec<i32>> = HashMap::new();
            for track in tracks {
                assert_eq!(track.artist_id, artist.id);
                assert_eq!(track.album_id.is_some(), track.track_number.is_some());
                if let (Some(album), Some(number)) = (track.album_id, track.track_number) {
                    numbers.entry(album).or_default().push(number);
                }
            }
            assert_eq!(numbers.len(), albums.len());
            for album in albums {
                let numbers = &numbers[&album.id];
                assert!((2..=16).contains(&numbers.len()));
                assert!(numbers.iter().copied().eq(1..=numbers.len() as i32));
                assert!(album.created_at >= artist.created_at);
            }
        }
        assert!(tracks(whole).iter().any(|track| track.album_id.is_none()));
    }

    #[test]
    fn a_cut_leaves_no_album_without_a_track() {
        for count in 1..400 {
            let discographies = all(3, count);
            let last = discographies.last().unwrap();
            let used: HashSet<_> = last
                .tracks
                .iter()
                .filter_map(|track| track.album_id)
                .collect();
            assert_eq!(
                used,
                last.albums
                    .iter()
                    .map(|album| album.id)
                    .collect::<HashSet<_>>()
            );
        }
    }

    #[test]
    fn rows_keep_what_the_tables_demand() {
        let discographies = all(1, 20_000);
        let mut isrcs = HashSet::new();
        let mut ids = HashSet::new();
        for track in tracks(&discographies) {
            assert!(ids.insert(track.id));
            assert!(
                (1..=200).contains(&track.title.chars().count()),
                "{}",
                track.title
            );
            assert!((1..=200).contains(&track.sort_title.chars().count()));
            assert!(track.play_count >= 0);
            if track.status == Status::Published {
                assert!(track.published_at.is_some() && track.duration_ms.is_some());
            }
            if let Some(isrc) = &track.isrc {
                assert!(isrcs.insert(isrc), "{isrc} twice");
                assert_eq!(isrc.len(), 12);
                assert!(isrc[..2].bytes().all(|letter| letter.is_ascii_uppercase()));
                assert!(isrc[5..].bytes().all(|digit| digit.is_ascii_digit()));
            }
        }
        for Discography { artist, albums, .. } in &discographies {
            assert!(ids.insert(artist.id));
            assert!((1..=80).contains(&artist.name.chars().count()));
            assert!((1..=80).contains(&artist.slug.len()));
            assert!(artist.links.len() <= 4);
            assert!(artist.biography.len() <= 5_000);
            for album in albums {
                assert!(ids.insert(album.id));
                assert!((1..=200).contains(&album.title.chars().count()));
            }
        }
    }

    #[test]
    fn ids_carry_the_time_of_their_row() {
        for track in tracks(&all(1, 200)) {
            let (seconds, nanos) = track.id.get_timestamp().unwrap().to_unix();
            let millis = seconds * 1_000 + u64::from(nanos) / 1_000_000;
            assert_eq!(track.id.get_version_num(), 7);
            assert_eq!(millis as i64, track.created_at.timestamp_millis());
        }
    }

    #[test]
    fn nothing_is_published_before_its_release_or_made_after_today() {
        for Discography {
            artist,
            albums,
            tracks,
        } in all(1, 5_000)
        {
            let released: HashMap<_, _> = albums
                .iter()
                .map(|album| (album.id, album.released_on))
                .collect();
            for track in &tracks {
                assert!(artist.created_at < track.created_at);
                assert!(track.created_at <= track.updated_at && track.updated_at <= NOW);
                let Some(published_at) = track.published_at else {
                    continue;
                };
                assert!(track.created_at < published_at && published_at <= NOW);
                if let Some(album_id) = track.album_id {
                    let day = released[&album_id].unwrap();
                    assert!(published_at >= day.and_time(NaiveTime::MIN).and_utc());
                }
            }
        }
    }

    #[test]
    fn about_three_in_a_hundred_tracks_are_not_published_in_every_way() {
        let discographies = all(1, 20_000);
        let mut by_status: HashMap<Status, usize> = HashMap::new();
        for track in tracks(&discographies) {
            *by_status.entry(track.status).or_default() += 1;
        }
        assert_eq!(by_status.len(), 8, "{by_status:?}");
        let others = 20_000 - by_status[&Status::Published];
        assert!((400..=800).contains(&others), "{by_status:?}");

        let hidden = discographies
            .iter()
            .flat_map(|one| one.albums.iter().map(move |album| (one, album)))
            .filter(|(one, album)| {
                one.tracks
                    .iter()
                    .filter(|track| track.album_id == Some(album.id))
                    .all(|track| track.status != Status::Published)
            })
            .count();
        assert!((5..=80).contains(&hidden), "{hidden} albums show nothing");
    }

    #[test]
    fn figures_are_skewed_as_in_life() {
        let discographies = all(1, 20_000);
        let large = discographies
            .iter()
            .filter(|one| one.tracks.len() >= 100)
            .count();
        assert!(
            (5..=30).contains(&large),
            "{large} of {}",
            discographies.len()
        );

        let tracks = tracks(&discographies);
        let mut durations: Vec<_> = tracks
            .iter()
            .filter_map(|track| track.duration_ms)
            .collect();
        durations.sort_unstable();
        let median = durations[durations.len() / 2];
        assert!((195_000..=225_000).contains(&median), "{median}");

        let mut plays: Vec<_> = tracks.iter().map(|track| track.play_count).collect();
        plays.sort_unstable_by_key(|count| std::cmp::Reverse(*count));
        let total: i64 = plays.iter().sum();
        let of_top_tenth: i64 = plays[..2_000].iter().sum();
        assert!(of_top_tenth * 10 > total * 7, "{of_top_tenth} of {total}");
    }

    #[test]
    fn no_album_has_a_title_twice() {
        let mut seen = HashSet::new();
        let mut twice = 0;
        for track in tracks(&all(1, 20_000)) {
            if track.album_id.is_some() && !seen.insert((track.album_id, &track.title)) {
                twice += 1;
            }
        }
        assert_eq!(twice, 0);
    }
}
