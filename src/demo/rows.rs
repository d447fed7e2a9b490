//! The rows of a catalogue as the tables have them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::copy_text::CopyText;

/// A row of a table, in the two forms in which databases take many at once: COPY's text, and JSON by `Serialize`.
pub(super) trait Row: Serialize {
    const TABLE: &'static str;
    /// In the order in which `write` has the cells.
    const COLUMNS: &'static str;

    fn write(&self, copy: &mut CopyText);
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Artist {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub sort_name: String,
    pub biography: String,
    pub links: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Album {
    pub id: Uuid,
    pub artist_id: Uuid,
    pub title: String,
    pub kind: AlbumKind,
    pub released_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Track {
    pub id: Uuid,
    pub artist_id: Uuid,
    pub album_id: Option<Uuid>,
    pub track_number: Option<i32>,
    pub genre_id: i16,
    pub title: String,
    pub sort_title: String,
    pub is_explicit: bool,
    pub isrc: Option<String>,
    pub status: Status,
    pub duration_ms: Option<i32>,
    pub play_count: i64,
    pub published_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlbumKind {
    Album,
    Ep,
    Single,
}

impl AlbumKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Album => "ALBUM",
            Self::Ep => "EP",
            Self::Single => "SINGLE",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Processing,
    Failed,
    InReview,
    ChangesRequested,
    Rejected,
    Published,
    Withdrawn,
    TakenDown,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Failed => "FAILED",
            Self::InReview => "IN_REVIEW",
            Self::ChangesRequested => "CHANGES_REQUESTED",
            Self::Rejected => "REJECTED",
            Self::Published => "PUBLISHED",
            Self::Withdrawn => "WITHDRAWN",
            Self::TakenDown => "TAKEN_DOWN",
        }
    }
}

impl Row for Artist {
    const TABLE: &'static str = "artists";
    const COLUMNS: &'static str =
        "id, slug, name, sort_name, biography, links, created_at, updated_at";

    fn write(&self, copy: &mut CopyText) {
        copy.uuid(self.id)
            .word(&self.slug)
            .text(&self.name)
            .text(&self.sort_name)
            .text(&self.biography)
            .texts(&self.links)
            .instant(self.created_at)
            .instant(self.updated_at)
            .end_row();
    }
}

impl Row for Album {
    const TABLE: &'static str = "albums";
    const COLUMNS: &'static str = "id, artist_id, title, kind, released_on, created_at, updated_at";

    fn write(&self, copy: &mut CopyText) {
        copy.uuid(self.id)
            .uuid(self.artist_id)
            .text(&self.title)
            .word(self.kind.as_str())
            .optional(self.released_on, CopyText::date)
            .instant(self.created_at)
            .instant(self.updated_at)
            .end_row();
    }
}

impl Row for Track {
    const TABLE: &'static str = "tracks";
    const COLUMNS: &'static str = "id, artist_id, album_id, track_number, genre_id, title, \
        sort_title, is_explicit, isrc, status, duration_ms, play_count, published_at, created_at, \
        updated_at";

    fn write(&self, copy: &mut CopyText) {
        copy.uuid(self.id)
            .uuid(self.artist_id)
            .optional(self.album_id, CopyText::uuid)
            .optional(self.track_number, CopyText::integer)
            .integer(self.genre_id)
            .text(&self.title)
            .text(&self.sort_title)
            .boolean(self.is_explicit)
            .optional(self.isrc.as_deref(), CopyText::word)
            .word(self.status.as_str())
            .optional(self.duration_ms, CopyText::integer)
            .integer(self.play_count)
            .optional(self.published_at, CopyText::instant)
            .instant(self.created_at)
            .instant(self.updated_at)
            .end_row();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_states_and_kinds_alike() {
        for status in [
            Status::Processing,
            Status::Failed,
            Status::InReview,
            Status::ChangesRequested,
            Status::Rejected,
            Status::Published,
            Status::Withdrawn,
            Status::TakenDown,
        ] {
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        for kind in [AlbumKind::Album, AlbumKind::Ep, AlbumKind::Single] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
