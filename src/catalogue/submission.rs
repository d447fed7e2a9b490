//! What artists hand in: its rows and words.

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::{Nullable, Text, Timestamptz, Uuid};

use super::model::{AlbumId, ArtistId, TrackId, TrackStatus};
use crate::accounts::AccountId;
use crate::db::keyset::{Position, SortValue};
use crate::media::{AudioId, ImageId};
use crate::{stored_enum, typed_id};

typed_id!(SubmissionId, "submission");

stored_enum!(SubmissionStatus {
    Processing = "PROCESSING",
    Failed = "FAILED",
    Pending = "PENDING",
    Approved = "APPROVED",
    Rejected = "REJECTED",
    ChangesRequested = "CHANGES_REQUESTED",
    Withdrawn = "WITHDRAWN",
});

/// A track that is to be published; or, of one that was, another title or cover.
#[derive(Debug, Clone, Queryable)]
pub struct Submission {
    pub id: SubmissionId,
    /// None where the track was deleted.
    pub track_id: Option<TrackId>,
    pub artist_id: ArtistId,
    /// None once the account is erased.
    pub submitted_by: Option<AccountId>,
    pub status: SubmissionStatus,
    pub audio_id: Option<AudioId>,
    /// What is to become of the track, once this is approved; none where it stays as it is.
    pub new_title: Option<String>,
    pub new_cover_id: Option<ImageId>,
    /// Why the file can't be used.
    pub failure: Option<String>,
    /// The artist's, for whoever reviews it.
    pub note: Option<String>,
    pub reviewed_by: Option<AccountId>,
    pub review_note: Option<String>,
    pub reviewed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

pub type SubmissionSql = (
    Uuid,
    Nullable<Uuid>,
    Uuid,
    Nullable<Uuid>,
    Text,
    Nullable<Uuid>,
    Nullable<Text>,
    Nullable<Uuid>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Uuid>,
    Nullable<Text>,
    Nullable<Timestamptz>,
    Timestamptz,
    Timestamptz,
);

/// Why a file failed that may be a good one: nobody could read it.
pub const NOT_READ: &str = "It could not be processed; send it again.";

impl Submission {
    /// Whether its file failed for no fault of its own.
    pub fn is_unread(&self) -> bool {
        self.failure.as_deref() == Some(NOT_READ) && self.audio_id.is_some()
    }

    /// Where it stands in every list of them.
    pub fn position(&self) -> Position {
        Position {
            value: SortValue::Time(self.created_at),
            id: self.id.0,
        }
    }
}

/// A submission of whoever asks, with what is known of its track.
#[derive(Debug, Clone, Queryable)]
pub struct OwnSubmission {
    pub submission: Submission,
    pub track: Option<TrackStatus>,
    pub album: Option<AlbumId>,
}

pub type OwnSubmissionSql = (SubmissionSql, Nullable<Text>, Nullable<Uuid>);

impl OwnSubmission {
    /// Its ID, and those of all that it is part of.
    pub fn touched(&self) -> Vec<String> {
        let submission = &self.submission;
        let mut touched = vec![submission.id.to_string(), submission.artist_id.to_string()];
        touched.extend(submission.track_id.map(|track| track.to_string()));
        touched.extend(self.album.map(|album| album.to_string()));
        touched
    }
}

/// What the queue is held to. Everything left out is no restriction.
#[derive(Debug, Clone, Default)]
pub struct SubmissionFilter {
    /// Any of these; none at all matches nothing.
    pub statuses: Option<Vec<SubmissionStatus>>,
    pub artist: Option<ArtistId>,
    /// A part of the track's title or of the artist's name.
    pub term: Option<Term>,
}

impl SubmissionFilter {
    /// Whether it is known without a look that there is none.
    pub fn matches_nothing(&self) -> bool {
        self.statuses.as_ref().is_some_and(Vec::is_empty)
    }
}

/// A part of a title or a name, folded as those are sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term(String);

/// Letters of the longest title.
pub const LONGEST_TERM: usize = 200;

/// Why nothing can be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermFault {
    #[error("no title and no name is longer than {LONGEST_TERM} letters.")]
    TooLong,
    #[error("no title and no name holds characters that can't be seen.")]
    Control,
}

impl Term {
    /// None where there is nothing in it to look for.
    pub fn parse(text: &str) -> Result<Option<Self>, TermFault> {
        // What is put together takes at most this many bytes a letter.
        if text.len() > 16 * LONGEST_TERM || text.chars().count() > LONGEST_TERM {
            return Err(TermFault::TooLong);
        }
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(TermFault::Control);
        }
        Ok((!text.is_empty()).then(|| Self(super::sort_key(text))))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For `like`.
    pub fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 2);
        pattern.push('%');
        for letter in self.0.chars() {
            if matches!(letter, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern.push('%');
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_a_part_and_nothing_in_it_is_a_pattern() {
        let pattern = |text: &str| Term::parse(text).unwrap().map(|term| term.pattern());
        assert_eq!(pattern("  Ana   BERG "), Some("%ana berg%".into()));
        assert_eq!(pattern(r"100%_\"), Some(r"%100\%\_\\%".into()));
        assert_eq!(pattern("Björk"), pattern("bjo\u{308}rk"));
        assert_eq!(pattern(" \t"), None);
    }

    #[test]
    fn what_no_title_can_be_is_refused() {
        let refused = |text: &str| Term::parse(text).unwrap_err();
        assert_eq!(refused(&"ä".repeat(201)), TermFault::TooLong);
        assert_eq!(refused(&" ".repeat(100_000)), TermFault::TooLong);
        assert_eq!(refused("a\0b"), TermFault::Control);
    }
}
