use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, ScalarType, Value};

use super::SortDirection;
use super::album::Album;
use super::artist::Artist;
use super::audio::{self, Audio};
use super::genre::Genre;
use super::submission::Submission;
use crate::catalogue::{self, TrackWithParents};
use crate::db::keyset::Position;
use crate::graphql::at_hand::{Asked, AtHand, Show, leaf};
use crate::graphql::context::operation;
use crate::graphql::cursor::List;
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::image::{self, Image};
use crate::graphql::page::{Listed, connection};
use crate::graphql::scalars::{BigInt, DateTime};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalogue::TrackStatus")]
pub enum TrackStatus {
    /// Its file is being read, scanned and measured.
    Processing,
    /// Its file can't be used; the submission says why.
    Failed,
    InReview,
    ChangesRequested,
    Rejected,
    Published,
    /// By its artist.
    Withdrawn,
    /// By a moderator.
    TakenDown,
}

/// A track, with its parents as far as they were read along.
#[derive(Clone)]
pub struct Track {
    row: Arc<catalogue::Track>,
    artist: Option<Artist>,
    album: Option<Album>,
}

connection!(TrackConnection, TrackEdge, Track);

impl Track {
    pub fn alone(row: Arc<catalogue::Track>) -> Self {
        Self {
            row,
            artist: None,
            album: None,
        }
    }

    pub fn with_parents(row: TrackWithParents) -> Self {
        Self {
            row: Arc::new(row.track),
            artist: Some(Artist(Arc::new(row.artist))),
            album: row.album.map(|album| Album(Arc::new(album))),
        }
    }

    pub fn of_artist(row: Arc<catalogue::Track>, artist: Artist) -> Self {
        Self {
            artist: Some(artist),
            ..Self::alone(row)
        }
    }

    pub fn of_album(row: Arc<catalogue::Track>, album: Album) -> Self {
        Self {
            album: Some(album),
            ..Self::alone(row)
        }
    }
}

impl Listed for Track {
    fn position(&self, list: List) -> Position {
        match list {
            List::Tracks(order) => order.position(&self.row),
            List::TracksOfAlbum => self.row.position_on_album(),
            List::TracksOfAccount => self.row.position_among_own(),
            // Lists of other things.
            List::Artists(_)
            | List::AlbumsOfArtist
            | List::AuditLog
            | List::Accounts(_)
            | List::Submissions
            | List::SubmissionsOfAccount => catalogue::TrackOrder::NEWEST.position(&self.row),
        }
    }
}

/// A piece of music.
#[Object]
impl Track {
    pub async fn id(&self) -> ID {
        ID(self.row.id.to_string())
    }

    async fn title(&self) -> &str {
        &self.row.title
    }

    async fn artist(&self, ctx: &Context<'_>) -> Result<Artist, ApiError> {
        if let Some(artist) = &self.artist {
            return Ok(artist.clone());
        }
        let operation = operation(ctx)?;
        operation
            .artist(self.row.artist_id)
            .await?
            .map(Artist)
            .ok_or_else(|| ApiError::unavailable("an artist went while a track was read"))
    }

    async fn album(&self, ctx: &Context<'_>) -> Nullable<Album> {
        if let Some(album) = &self.album {
            return Some(Ok(album.clone()));
        }
        let id = self.row.album_id?;
        nullable(
            async {
                let operation = operation(ctx)?;
                let album = operation.album(id).await?;
                Ok(album.map(Album))
            }
            .await,
        )
    }

    /// Its place on the album.
    async fn track_number(&self) -> Option<i32> {
        self.row.track_number
    }

    async fn genre(&self, ctx: &Context<'_>) -> Result<Genre, ApiError> {
        let genres = operation(ctx)?.genres().await?;
        genres
            .by_id(self.row.genre_id)
            .map(Genre::from)
            .ok_or_else(|| {
                ApiError::internal(format!("no genre has the number {}", self.row.genre_id))
            })
    }

    async fn is_explicit(&self) -> bool {
        self.row.is_explicit
    }

    /// The International Standard Recording Code, where there is one.
    async fn isrc(&self) -> Option<&str> {
        self.row.isrc.as_deref()
    }

    async fn status(&self) -> TrackStatus {
        self.row.status.into()
    }

    async fn duration_ms(&self) -> Option<i32> {
        self.row.duration_ms
    }

    /// Its own; where it has none, its album's may be shown.
    async fn cover(&self, ctx: &Context<'_>) -> Nullable<Image> {
        image::of(ctx, self.row.cover_id).await
    }

    /// Null until it is processed.
    async fn audio(&self, ctx: &Context<'_>) -> Nullable<Audio> {
        nullable(audio::of_track(ctx, self.row.clone()).await)
    }

    async fn play_count(&self) -> BigInt {
        BigInt(self.row.play_count)
    }

    /// For its artist, administrators and moderators.
    async fn submission(&self, ctx: &Context<'_>) -> Nullable<Submission> {
        nullable(
            async {
                let operation = operation(ctx)?;
                let key = (self.row.id, operation.viewer);
                let newest = operation.load(&operation.loaders.submissions_of_tracks, key);
                Ok(newest.await?.map(Submission))
            }
            .await,
        )
    }

    async fn published_at(&self) -> Option<DateTime> {
        self.row.published_at.map(DateTime)
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.row.created_at)
    }

    async fn updated_at(&self) -> DateTime {
        DateTime(self.row.updated_at)
    }
}

impl AtHand for Track {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "id" => leaf(|track: &Self| track.row.id.to_string().into()),
            "title" => leaf(|track: &Self| track.row.title.as_str().into()),
            // Where they were read along.
            "artist" => {
                let shape = field.shape::<Artist>()?;
                Some(Box::new(move |track| shape.show(track.artist.as_ref()?)))
            }
            "album" => {
                let shape = field.shape::<Album>()?;
                Some(Box::new(move |track| {
                    match (&track.album, track.row.album_id) {
                        (Some(album), _) => shape.show(album),
                        (None, None) => Some(Value::Null),
                        (None, Some(_)) => None,
                    }
                }))
            }
            "trackNumber" => leaf(|track: &Self| track.row.track_number.into()),
            "genre" => {
                let genres = operation(field.context).ok()?.kept_genres.peek()?;
                let shape = field.shape::<Genre>()?;
                Some(Box::new(move |track| {
                    shape.show(&genres.by_id(track.row.genre_id)?.into())
                }))
            }
            "isExplicit" => leaf(|track: &Self| track.row.is_explicit.into()),
            "isrc" => leaf(|track: &Self| track.row.isrc.as_deref().into()),
            "status" => leaf(|track: &Self| TrackStatus::from(track.row.status).into()),
            "durationMs" => leaf(|track: &Self| track.row.duration_ms.into()),
            // Where there is none; else it is read.
            "cover" => Some(Box::new(|track: &Self| {
                track.row.cover_id.is_none().then_some(Value::Null)
            })),
            "audio" => Some(Box::new(|track: &Self| {
                track.row.audio_id.is_none().then_some(Value::Null)
            })),
            "playCount" => leaf(|track: &Self| BigInt(track.row.play_count).to_value()),
            "publishedAt" => leaf(|track: &Self| {
                let published_at = track.row.published_at.map(DateTime);
                published_at.map_or(Value::Null, |time| time.to_value())
            }),
            "createdAt" => leaf(|track: &Self| DateTime(track.row.created_at).to_value()),
            "updatedAt" => leaf(|track: &Self| DateTime(track.row.updated_at).to_value()),
            _ => None,
        }
    }
}

/// What a list of tracks is held to; what is left out restricts nothing.
#[derive(InputObject)]
pub struct TrackFilter {
    /// Any of these genres; an empty list matches nothing.
    pub genre_slugs: Option<Vec<String>>,
    pub artist_id: Option<ID>,
    pub is_explicit: Option<bool>,
    pub published_after: Option<DateTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalogue::TrackOrderField")]
pub enum TrackOrderField {
    PlayCount,
    PublishedAt,
    Title,
}

/// How a list of tracks is ordered.
#[derive(InputObject)]
pub struct TrackOrder {
    field: TrackOrderField,
    direction: SortDirection,
}

impl From<TrackOrder> for catalogue::TrackOrder {
    fn from(order: TrackOrder) -> Self {
        Self {
            field: order.field.into(),
            direction: order.direction.into(),
        }
    }
}
