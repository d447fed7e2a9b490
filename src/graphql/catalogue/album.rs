use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, ScalarType, Value};

use super::artist::Artist;
use super::track::{Track, TrackConnection};
use crate::catalogue::{self, AlbumTotals};
use crate::db::keyset::Position;
use crate::graphql::at_hand::{Asked, AtHand, Show, leaf};
use crate::graphql::context::operation;
use crate::graphql::cursor::List;
use crate::graphql::error::{ApiError, Nullable};
use crate::graphql::image::{self, Image};
use crate::graphql::page::{Listed, Page, PageArguments, connection};
use crate::graphql::scalars::{BigInt, Date, DateTime};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalogue::AlbumKind")]
pub enum AlbumKind {
    Album,
    Ep,
    Single,
}

#[derive(Clone)]
pub struct Album(pub Arc<catalogue::Album>);

connection!(AlbumConnection, AlbumEdge, Album);

impl Listed for Album {
    fn position(&self, _: List) -> Position {
        self.0.position()
    }
}

/// Tracks that came out together.
#[Object]
impl Album {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn artist(&self, ctx: &Context<'_>) -> Result<Artist, ApiError> {
        let operation = operation(ctx)?;
        operation
            .artist(self.0.artist_id)
            .await?
            .map(Artist)
            .ok_or_else(|| ApiError::unavailable("an artist went while an album was read"))
    }

    async fn title(&self) -> &str {
        &self.0.title
    }

    async fn kind(&self) -> AlbumKind {
        self.0.kind.into()
    }

    async fn released_on(&self) -> Option<Date> {
        self.0.released_on.map(Date)
    }

    async fn cover(&self, ctx: &Context<'_>) -> Nullable<Image> {
        image::of(ctx, self.0.cover_id).await
    }

    /// Those that the viewer may see, as they stand on the album.
    async fn tracks(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<TrackConnection, ApiError> {
        let list = List::TracksOfAlbum;
        let window = PageArguments {
            first,
            after,
            ..PageArguments::default()
        }
        .window(list)?;
        let operation = operation(ctx)?;
        let page = operation
            .load(
                &operation.loaders.tracks_of_albums,
                (self.0.id, (operation.viewer, window)),
            )
            .await?
            .ok_or_else(|| ApiError::internal("no page of an album's tracks"))?;
        Ok(TrackConnection(Page::new(list, (*page).clone(), |track| {
            Track::of_album(track, self.clone())
        })))
    }

    /// Of the tracks that the viewer may see.
    async fn track_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        Ok(i32::try_from(self.totals(ctx).await?.tracks).unwrap_or(i32::MAX))
    }

    /// Of the tracks that the viewer may see.
    async fn total_duration_ms(&self, ctx: &Context<'_>) -> Result<BigInt, ApiError> {
        Ok(BigInt(self.totals(ctx).await?.duration_ms))
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

impl Album {
    async fn totals(&self, ctx: &Context<'_>) -> Result<AlbumTotals, ApiError> {
        let operation = operation(ctx)?;
        let totals = operation
            .load(
                &operation.loaders.album_totals,
                (self.0.id, operation.viewer),
            )
            .await?;
        Ok(totals.unwrap_or_default())
    }
}

impl AtHand for Album {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "id" => leaf(|album: &Self| album.0.id.to_string().into()),
            "title" => leaf(|album: &Self| album.0.title.as_str().into()),
            "kind" => leaf(|album: &Self| AlbumKind::from(album.0.kind).into()),
            "releasedOn" => leaf(|album: &Self| {
                let released_on = album.0.released_on.map(Date);
                released_on.map_or(Value::Null, |date| date.to_value())
            }),
            // Where there is none; else it is read.
            "cover" => Some(Box::new(|album: &Self| {
                album.0.cover_id.is_none().then_some(Value::Null)
            })),
            "createdAt" => leaf(|album: &Self| DateTime(album.0.created_at).to_value()),
            _ => None,
        }
    }
}
