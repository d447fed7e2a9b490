//! The catalogue's root fields.

use async_graphql::{Context, ID, Object};

use super::album::Album;
use super::artist::{Artist, ArtistConnection, ArtistOrder};
use super::genre::Genre;
use super::track::{Track, TrackConnection, TrackFilter, TrackOrder};
use crate::catalogue::{self, AlbumId, TrackId};
use crate::graphql::at_hand::One;
use crate::graphql::context::{Operation, operation, root};
use crate::graphql::cursor::List;
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::page::{Page, PageArguments};

/// More than there are genres.
const MOST_GENRES: usize = 100;

#[derive(Default)]
pub struct CatalogueQuery;

#[Object]
impl CatalogueQuery {
    /// A track that the caller may see: one that is published, or one of their own in any state.
    async fn track(&self, ctx: &Context<'_>, id: ID) -> Nullable<One<Track>> {
        nullable(
            root(ctx, "track", async {
                let operation = operation(ctx)?;
                let id: TrackId = id.parse()?;
                let track = operation.track(id).await?;
                Ok(track.map(Track::alone).map(One))
            })
            .await,
        )
    }

    /// Published tracks, newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "they are the field's own")]
    async fn tracks(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<TrackFilter>,
        order_by: Option<TrackOrder>,
    ) -> Result<TrackConnection, ApiError> {
        let shows_parents = shows_parents(ctx);
        root(ctx, "tracks", async {
            let operation = operation(ctx)?;
            let order = order_by.map_or(catalogue::TrackOrder::NEWEST, Into::into);
            let list = List::Tracks(order);
            let window = PageArguments {
                first,
                after,
                last,
                before,
            }
            .window(list)?;
            let filter = match filter {
                Some(filter) => read_filter(operation, filter).await?,
                None => catalogue::TrackFilter::default(),
            };
            let db = &operation.app.db;
            Ok(TrackConnection(if shows_parents {
                let slice = catalogue::tracks_with_parents(db, &filter, order, &window).await?;
                Page::new(list, slice, Track::with_parents)
            } else {
                let slice = catalogue::tracks(db, &filter, order, &window).await?;
                Page::new(list, slice, |track| Track::alone(track.into()))
            }))
        })
        .await
    }

    /// An album that the caller may see: one of which at least one track is published, or one of their own.
    async fn album(&self, ctx: &Context<'_>, id: ID) -> Nullable<One<Album>> {
        nullable(
            root(ctx, "album", async {
                let operation = operation(ctx)?;
                let id: AlbumId = id.parse()?;
                let album = operation.album(id).await?;
                Ok(album.map(Album).map(One))
            })
            .await,
        )
    }

    /// An artist by the name in its address.
    async fn artist(&self, ctx: &Context<'_>, slug: String) -> Nullable<Artist> {
        nullable(
            root(ctx, "artist", async {
                let operation = operation(ctx)?;
                if slug.contains('\0') {
                    return Ok(None);
                }
                let artist = operation
                    .load(&operation.loaders.artists_by_slug, (slug, operation.viewer))
                    .await?;
                Ok(artist.map(Artist))
            })
            .await,
        )
    }

    /// All artists, newest first unless ordered otherwise.
    async fn artists(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        order_by: Option<ArtistOrder>,
    ) -> Result<ArtistConnection, ApiError> {
        root(ctx, "artists", async {
            let operation = operation(ctx)?;
            let order = order_by.map_or(catalogue::ArtistOrder::NEWEST, Into::into);
            let list = List::Artists(order);
            let window = PageArguments {
                first,
                after,
                last,
                before,
            }
            .window(list)?;
            let slice = catalogue::artists(&operation.app.db, order, &window).await?;
            Ok(ArtistConnection(Page::new(list, slice, |artist| {
                Artist(artist.into())
            })))
        })
        .await
    }

    /// Every genre, by name.
    async fn genres(&self, ctx: &Context<'_>) -> Result<Vec<Genre>, ApiError> {
        root(ctx, "genres", async {
            let operation = operation(ctx)?;
            Ok(operation
                .genres()
                .await?
                .all()
                .iter()
                .map(Genre::from)
                .collect())
        })
        .await
    }
}

/// Whether a list's tracks are shown with their artist or album: then those are read in the same statement.
fn shows_parents(ctx: &Context<'_>) -> bool {
    let list = ctx.look_ahead();
    [list.field("nodes"), list.field("edges").field("node")]
        .iter()
        .any(|track| track.field("artist").exists() || track.field("album").exists())
}

async fn read_filter(
    operation: &Operation,
    filter: TrackFilter,
) -> Result<catalogue::TrackFilter, ApiError> {
    let genres = match filter.genre_slugs {
        Some(slugs) if slugs.len() > MOST_GENRES => {
            return Err(ApiError::BadRequest(format!(
                "filter.genreSlugs: {} are too many; at most {MOST_GENRES}.",
                slugs.len()
            )));
        }
        Some(slugs) => {
            let known = operation.genres().await?;
            let mut wanted = Vec::with_capacity(slugs.len());
            for slug in slugs {
                let genre = known.by_slug(&slug).ok_or_else(|| {
                    let slug: String = slug.chars().take(64).collect();
                    ApiError::BadRequest(format!(
                        "filter.genreSlugs: there is no genre \"{slug}\"; `genres` lists them all."
                    ))
                })?;
                wanted.push(genre.id);
            }
            wanted.sort_unstable();
            wanted.dedup();
            Some(wanted)
        }
        None => None,
    };
    Ok(catalogue::TrackFilter {
        genres,
        artist: filter.artist_id.map(|id| id.parse()).transpose()?,
        is_explicit: filter.is_explicit,
        published_after: filter.published_after.map(|time| time.0),
    })
}
