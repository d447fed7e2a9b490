//! Which tracks a visitor comes upon first.

use std::cmp::Reverse;
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::generate::Catalogue;
use super::rows::{Status, Track};

#[derive(Clone, Copy)]
struct Candidate {
    id: Uuid,
    published_at: Option<DateTime<Utc>>,
    plays: i64,
}

impl Candidate {
    fn of(track: &Track) -> Option<Self> {
        let is_heard = !matches!(track.status, Status::Processing | Status::Failed);
        let published_at = track
            .published_at
            .filter(|_| track.status == Status::Published);
        is_heard.then_some(Self {
            id: track.id,
            published_at,
            plays: track.play_count,
        })
    }

    fn newest(&self) -> impl Ord + use<> {
        Reverse((self.published_at, self.id))
    }

    fn most_played(&self) -> impl Ord + use<> {
        let plays = self.published_at.map(|_| self.plays);
        Reverse((plays, self.id))
    }
}

impl Catalogue {
    /// As many tracks as there are that have a file, in the order in which visitors come upon them: by turns the newest and
    /// the most played, then those that are not published.
    pub fn seen_first(&self, most: usize) -> Vec<Uuid> {
        let mut candidates = Vec::new();
        for discography in self.discographies() {
            candidates.extend(discography.tracks.iter().filter_map(Candidate::of));
            // So that those of a large catalogue are never all in memory.
            if candidates.len() > 4 * most + 10_000 {
                candidates = by_turns(candidates, most);
            }
        }
        let seen = by_turns(candidates, most).into_iter().take(most);
        seen.map(|candidate| candidate.id).collect()
    }
}

/// So many of the newest and as many of the most played by turns, each once.
fn by_turns(candidates: Vec<Candidate>, most: usize) -> Vec<Candidate> {
    let (mut newest, mut played) = (candidates.clone(), candidates);
    newest.sort_unstable_by_key(Candidate::newest);
    played.sort_unstable_by_key(Candidate::most_played);
    let pairs = newest.into_iter().zip(played).take(most);
    let mut known = HashSet::new();
    pairs
        .flat_map(|(new, played)| [new, played])
        .filter(|candidate| known.insert(candidate.id))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(catalogue: &Catalogue) -> Vec<Track> {
        let all = catalogue.discographies();
        all.flat_map(|discography| discography.tracks).collect()
    }

    #[test]
    fn the_newest_and_the_most_played_come_first() {
        let catalogue = Catalogue::new(1, 2_000);
        let mut tracks = tracks(&catalogue);
        let seen = catalogue.seen_first(40);
        assert_eq!(seen.len(), 40);
        tracks.retain(|track| track.status == Status::Published);
        tracks.sort_by_key(|track| Reverse(track.published_at));
        let newest: Vec<_> = tracks[..20].iter().map(|track| track.id).collect();
        tracks.sort_by_key(|track| Reverse(track.play_count));
        let played: Vec<_> = tracks[..20].iter().map(|track| track.id).collect();
        for id in newest.iter().chain(&played) {
            assert!(seen.contains(id));
        }
    }

    #[test]
    fn whoever_wants_all_gets_each_that_has_a_file_once() {
        let catalogue = Catalogue::new(1, 20_000);
        let seen = catalogue.seen_first(20_000);
        let known: HashSet<_> = seen.iter().copied().collect();
        assert_eq!(known.len(), seen.len());
        let has_file = |track: &Track| !matches!(track.status, Status::Processing | Status::Failed);
        let tracks = tracks(&catalogue);
        let expected: HashSet<_> = tracks
            .iter()
            .filter(|track| has_file(track))
            .map(|track| track.id)
            .collect();
        assert_eq!(known, expected);
        // What is thrown away on the way changes nothing.
        assert_eq!(catalogue.seen_first(50), seen[..50]);
    }
}
