//! The catalogue's rows and words.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::Queryable;
use diesel::sql_types::{
    Array, BigInt, Bool, Date, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid,
};
use serde::{Deserialize, Serialize};

use crate::db::keyset::{Direction, Position, SortValue};
use crate::media::{AudioId, ImageId};
use crate::{stored_enum, typed_id};

typed_id!(ArtistId, "artist");
typed_id!(AlbumId, "album");
typed_id!(TrackId, "track");

/// A number of ours for a genre; outside, genres are named by their slugs.
pub type GenreId = i16;

stored_enum!(AlbumKind {
    Album = "ALBUM",
    Ep = "EP",
    Single = "SINGLE",
});

stored_enum!(TrackStatus {
    Processing = "PROCESSING",
    Failed = "FAILED",
    InReview = "IN_REVIEW",
    ChangesRequested = "CHANGES_REQUESTED",
    Rejected = "REJECTED",
    Published = "PUBLISHED",
    Withdrawn = "WITHDRAWN",
    TakenDown = "TAKEN_DOWN",
});

#[derive(Debug, Clone, Queryable, Serialize, Deserialize)]
pub struct Genre {
    pub id: GenreId,
    pub slug: String,
    pub name: String,
}

pub type GenreSql = (SmallInt, Text, Text);

/// An artist as lists need one; the long texts are loaded apart, where they are asked for.
#[derive(Debug, Clone, Queryable)]
pub struct Artist {
    pub id: ArtistId,
    pub slug: String,
    pub name: String,
    pub sort_name: String,
    pub created_at: DateTime<Utc>,
    pub image_id: Option<ImageId>,
}

pub type ArtistSql = (Uuid, Text, Text, Text, Timestamptz, Nullable<Uuid>);

#[derive(Debug, Clone, Queryable)]
pub struct ArtistText {
    pub id: ArtistId,
    pub biography: String,
    pub links: Vec<String>,
}

pub type ArtistTextSql = (Uuid, Text, Array<Text>);

#[derive(Debug, Clone, Queryable)]
pub struct Album {
    pub id: AlbumId,
    pub artist_id: ArtistId,
    pub title: String,
    pub kind: AlbumKind,
    pub released_on: Option<NaiveDate>,
    pub created_at: DateTime<Utc>,
    pub cover_id: Option<ImageId>,
}

pub type AlbumSql = (
    Uuid,
    Uuid,
    Text,
    Text,
    Nullable<Date>,
    Timestamptz,
    Nullable<Uuid>,
);

/// Of the tracks that everybody may see.
#[derive(Debug, Clone, Copy, Default, Queryable)]
pub struct AlbumTotals {
    pub tracks: i64,
    pub duration_ms: i64,
}

#[derive(Debug, Clone, Queryable)]
pub struct Track {
    pub id: TrackId,
    pub artist_id: ArtistId,
    pub album_id: Option<AlbumId>,
    pub track_number: Option<i32>,
    pub genre_id: GenreId,
    pub title: String,
    pub sort_title: String,
    pub is_explicit: bool,
    pub isrc: Option<String>,
    pub status: TrackStatus,
    pub duration_ms: Option<i32>,
    pub play_count: i64,
    pub published_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The file that it is heard by.
    pub audio_id: Option<AudioId>,
    /// Its own.
    pub cover_id: Option<ImageId>,
}

pub type TrackSql = (
    Uuid,
    Uuid,
    Nullable<Uuid>,
    Nullable<Integer>,
    SmallInt,
    Text,
    Text,
    Bool,
    Nullable<Text>,
    Text,
    Nullable<Integer>,
    BigInt,
    Nullable<Timestamptz>,
    Timestamptz,
    Timestamptz,
    Nullable<Uuid>,
    Nullable<Uuid>,
);

/// A track with what a list's items mostly show beside it, read in the same statement.
#[derive(Debug, Clone, Queryable)]
pub struct TrackWithParents {
    pub track: Track,
    pub artist: Artist,
    pub album: Option<Album>,
}

pub type TrackWithParentsSql = (TrackSql, ArtistSql, Nullable<AlbumSql>);

/// What a list of tracks is held to. Everything left out is no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TrackFilter {
    /// Any of these; none at all matches nothing.
    pub genres: Option<Vec<GenreId>>,
    pub artist: Option<ArtistId>,
    pub is_explicit: Option<bool>,
    pub published_after: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrackOrderField {
    PlayCount,
    PublishedAt,
    Title,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackOrder {
    pub field: TrackOrderField,
    pub direction: Direction,
}

impl TrackOrder {
    pub const NEWEST: Self = Self {
        field: TrackOrderField::PublishedAt,
        direction: Direction::Descending,
    };

    /// Where a track stands in this order.
    pub fn position(self, track: &Track) -> Position {
        Position {
            value: match self.field {
                TrackOrderField::PlayCount => SortValue::Count(track.play_count),
                // What is listed is published, and has a time.
                TrackOrderField::PublishedAt => {
                    SortValue::Time(track.published_at.unwrap_or(track.created_at))
                }
                TrackOrderField::Title => SortValue::Text(track.sort_title.clone()),
            },
            id: track.id.0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArtistOrderField {
    CreatedAt,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArtistOrder {
    pub field: ArtistOrderField,
    pub direction: Direction,
}

impl ArtistOrder {
    pub const NEWEST: Self = Self {
        field: ArtistOrderField::CreatedAt,
        direction: Direction::Descending,
    };

    pub fn position(self, artist: &Artist) -> Position {
        Position {
            value: match self.field {
                ArtistOrderField::CreatedAt => SortValue::Time(artist.created_at),
                ArtistOrderField::Name => SortValue::Text(artist.sort_name.clone()),
            },
            id: artist.id.0,
        }
    }
}

impl Album {
    /// Where an album stands among its artist's.
    pub fn position(&self) -> Position {
        Position {
            value: SortValue::Time(self.created_at),
            id: self.id.0,
        }
    }
}

impl Track {
    /// Where a track stands among all of its artist's.
    pub fn position_among_own(&self) -> Position {
        Position {
            value: SortValue::Time(self.created_at),
            id: self.id.0,
        }
    }

    /// Where a track stands on its album.
    pub fn position_on_album(&self) -> Position {
        Position {
            // What stands on an album has a number.
            value: SortValue::Number(self.track_number.unwrap_or_default()),
            id: self.id.0,
        }
    }
}
