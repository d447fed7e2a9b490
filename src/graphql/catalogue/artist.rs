use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, ScalarType, Value};

use super::SortDirection;
use super::album::{Album, AlbumConnection};
use super::track::{Track, TrackConnection, TrackOrder};
use crate::catalogue::{self, ArtistText};
use crate::db::keyset::Position;
use crate::graphql::at_hand::{Asked, AtHand, Show, leaf};
use crate::graphql::context::operation;
use crate::graphql::cursor::List;
use crate::graphql::error::{ApiError, Nullable};
use crate::graphql::image::{self, Image};
use crate::graphql::page::{Listed, Page, PageArguments, connection};
use crate::graphql::scalars::{DateTime, Url};

#[derive(Clone)]
pub struct Artist(pub Arc<catalogue::Artist>);

connection!(ArtistConnection, ArtistEdge, Artist);

impl Listed for Artist {
    fn position(&self, list: List) -> Position {
        match list {
            List::Artists(order) => order.position(&self.0),
            // Lists of other things.
            List::Tracks(_)
            | List::AlbumsOfArtist
            | List::TracksOfAlbum
            | List::TracksOfAccount
            | List::AuditLog
            | List::Accounts(_)
            | List::Submissions
            | List::SubmissionsOfAccount => catalogue::ArtistOrder::NEWEST.position(&self.0),
        }
    }
}

/// A person or a band that makes music.
#[Object]
impl Artist {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The name in the artist's address; it never changes.
    async fn slug(&self) -> &str {
        &self.0.slug
    }

    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn biography(&self, ctx: &Context<'_>) -> Result<String, ApiError> {
        Ok(self.text(ctx).await?.biography.clone())
    }

    /// Where else the artist is to be found.
    async fn links(&self, ctx: &Context<'_>) -> Result<Vec<Url>, ApiError> {
        Ok(self
            .text(ctx)
            .await?
            .links
            .iter()
            .cloned()
            .map(Url)
            .collect())
    }

    async fn image(&self, ctx: &Context<'_>) -> Nullable<Image> {
        image::of(ctx, self.0.image_id).await
    }

    /// Published ones, for everybody.
    async fn tracks(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        order_by: Option<TrackOrder>,
    ) -> Result<TrackConnection, ApiError> {
        let order = order_by.map_or(catalogue::TrackOrder::NEWEST, Into::into);
        let list = List::Tracks(order);
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list)?;
        let operation = operation(ctx)?;
        let page = operation
            .load(
                &operation.loaders.tracks_of_artists,
                (self.0.id, (order, window)),
            )
            .await?
            .ok_or_else(|| ApiError::internal("no page of an artist's tracks"))?;
        Ok(TrackConnection(Page::new(list, (*page).clone(), |track| {
            Track::of_artist(track, self.clone())
        })))
    }

    /// Those that the viewer may see, newest first.
    async fn albums(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<AlbumConnection, ApiError> {
        let list = List::AlbumsOfArtist;
        let window = PageArguments {
            first,
            after,
            last,
            before,
        }
        .window(list)?;
        let operation = operation(ctx)?;
        let page = operation
            .load(
                &operation.loaders.albums_of_artists,
                (self.0.id, (operation.viewer, window)),
            )
            .await?
            .ok_or_else(|| ApiError::internal("no page of an artist's albums"))?;
        Ok(AlbumConnection(Page::new(list, (*page).clone(), Album)))
    }

    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }
}

impl AtHand for Artist {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "id" => leaf(|artist: &Self| artist.0.id.to_string().into()),
            "slug" => leaf(|artist: &Self| artist.0.slug.as_str().into()),
            "name" => leaf(|artist: &Self| artist.0.name.as_str().into()),
            // Where there is none; else it is read.
            "image" => Some(Box::new(|artist: &Self| {
                artist.0.image_id.is_none().then_some(Value::Null)
            })),
            "createdAt" => leaf(|artist: &Self| DateTime(artist.0.created_at).to_value()),
            _ => None,
        }
    }
}

impl Artist {
    async fn text(&self, ctx: &Context<'_>) -> Result<Arc<ArtistText>, ApiError> {
        let operation = operation(ctx)?;
        operation
            .load(&operation.loaders.artist_texts, self.0.id)
            .await?
            // Erased between the two reads.
            .ok_or_else(|| ApiError::unavailable("an artist went while it was read"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "catalogue::ArtistOrderField")]
pub enum ArtistOrderField {
    CreatedAt,
    Name,
}

/// How a list of artists is ordered.
#[derive(InputObject)]
pub struct ArtistOrder {
    field: ArtistOrderField,
    direction: SortDirection,
}

impl From<ArtistOrder> for catalogue::ArtistOrder {
    fn from(order: ArtistOrder) -> Self {
        Self {
            field: order.field.into(),
            direction: order.direction.into(),
        }
    }
}
