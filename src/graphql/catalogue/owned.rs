//! What artists change of their albums and tracks, and what moderators take down.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::album::{Album, AlbumKind};
use super::mistakes::{CatalogueError, Undone, told};
use super::taking::picture;
use super::track::Track;
use crate::accounts::{Account, AccountId, Scope};
use crate::catalogue::{
    self, AlbumChange, AlbumForm, AlbumId, ArtistId, TakeDown, TrackEdit, TrackId,
};
use crate::graphql::context::{Operation, operation, root, sent};
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::files::Upload;
use crate::graphql::image::is_file;
use crate::graphql::scalars::Date;

#[derive(Default)]
pub struct OwnedMutation;

#[Object]
impl OwnedMutation {
    /// Makes an album of the caller's own artist. Others see it once a track on it is published.
    async fn create_album(
        &self,
        ctx: &Context<'_>,
        input: CreateAlbumInput,
    ) -> Nullable<CreateAlbumPayload> {
        nullable(
            root(ctx, "createAlbum", async {
                let operation = operation(ctx)?;
                let artist: Option<ArtistId> = input.artist_id.parse().ok();
                let touched: Vec<String> = artist.iter().map(ToString::to_string).collect();
                let account = operation
                    .actor()
                    .as_artist(Scope::CatalogueWrite, &touched)?;
                let cover = input.cover.map(Some);
                let form = AlbumForm {
                    artist,
                    title: input.title,
                    kind: input.kind.into(),
                    released_on: input.released_on.map(|date| date.0),
                    has_file: is_file(&cover),
                };
                let app = &operation.app;
                let made = async {
                    let admitted = catalogue::admit_album(app, account, form).await?;
                    let cover = picture(operation, account, cover, "cover").await?;
                    let (cover, client) = (cover.flatten(), &operation.caller.client);
                    Ok(catalogue::create_album(app, account, admitted, cover, client).await?)
                };
                let (album, errors) = told(made.await)?;
                let album = album.map(Album);
                Ok(Some(CreateAlbumPayload { album, errors }))
            })
            .await,
        )
    }

    /// Changes an album of the caller's own artist, and the order of its tracks.
    async fn update_album(
        &self,
        ctx: &Context<'_>,
        input: UpdateAlbumInput,
    ) -> Nullable<UpdateAlbumPayload> {
        nullable(
            root(ctx, "updateAlbum", async {
                let operation = operation(ctx)?;
                let album: Option<AlbumId> = input.album_id.parse().ok();
                let account = who_touches_album(operation, album).await?;
                let parsed = |ids: Vec<ID>| ids.iter().map(|id| id.parse().ok()).collect();
                let cover = sent(input.cover);
                let change = AlbumChange {
                    album,
                    title: sent(input.title),
                    kind: sent(input.kind).map(|kind| kind.map(Into::into)),
                    released_on: sent(input.released_on).map(|date| date.map(|date| date.0)),
                    tracks: sent(input.track_ids).map(|ids| ids.map(parsed)),
                    has_file: is_file(&cover),
                };
                let app = &operation.app;
                let done = async {
                    let admitted = catalogue::admit_album_change(app, account, change).await?;
                    let cover = picture(operation, account, cover, "cover").await?;
                    let client = &operation.caller.client;
                    Ok(catalogue::update_album(app, account, admitted, cover, client).await?)
                };
                let (album, errors) = told(done.await)?;
                let album = album.map(Album);
                Ok(Some(UpdateAlbumPayload { album, errors }))
            })
            .await,
        )
    }

    /// Deletes an album of the caller's own artist; its tracks stay, on none.
    async fn delete_album(
        &self,
        ctx: &Context<'_>,
        input: DeleteAlbumInput,
    ) -> Nullable<DeleteAlbumPayload> {
        nullable(
            root(ctx, "deleteAlbum", async {
                let operation = operation(ctx)?;
                let album: Option<AlbumId> = input.album_id.parse().ok();
                let account = who_touches_album(operation, album).await?;
                let client = &operation.caller.client;
                let done = catalogue::delete_album(&operation.app, account, album, client).await;
                let (deleted, errors) = told(done.map_err(Undone::from))?;
                let deleted_id = deleted.map(|id| ID(id.to_string()));
                Ok(Some(DeleteAlbumPayload { deleted_id, errors }))
            })
            .await,
        )
    }

    /// Changes a track of the caller's own artist. Another title or cover of one that was published is reviewed first,
    /// while the old one shows.
    async fn update_track(
        &self,
        ctx: &Context<'_>,
        input: UpdateTrackInput,
    ) -> Nullable<UpdateTrackPayload> {
        nullable(
            root(ctx, "updateTrack", async {
                let operation = operation(ctx)?;
                let track: Option<TrackId> = input.track_id.parse().ok();
                let album = sent(input.album_id)
                    .map(|album| album.map(|album| album.parse::<AlbumId>().ok()));
                let account = who_touches_track(operation, track).await?;
                if let Some(Some(Some(album))) = album {
                    who_touches_album(operation, Some(album)).await?;
                }
                let cover = sent(input.cover);
                let edit = TrackEdit {
                    track,
                    title: sent(input.title),
                    genre: sent(input.genre_slug),
                    is_explicit: sent(input.is_explicit),
                    isrc: sent(input.isrc),
                    album,
                    has_file: is_file(&cover),
                };
                let genres = operation.genres().await?;
                let app = &operation.app;
                let done = async {
                    let admitted = catalogue::admit_track_edit(app, account, edit, &genres).await?;
                    let cover = picture(operation, account, cover, "cover").await?;
                    let client = &operation.caller.client;
                    Ok(catalogue::update_track(app, account, admitted, cover, client).await?)
                };
                let (track, errors) = told(done.await)?;
                let track = track.map(Track::alone);
                Ok(Some(UpdateTrackPayload { track, errors }))
            })
            .await,
        )
    }

    /// Deletes a track of the caller's own artist in whatever state, and its files. What waits for a review is taken back.
    async fn delete_track(
        &self,
        ctx: &Context<'_>,
        input: DeleteTrackInput,
    ) -> Nullable<DeleteTrackPayload> {
        nullable(
            root(ctx, "deleteTrack", async {
                let operation = operation(ctx)?;
                let track: Option<TrackId> = input.track_id.parse().ok();
                let account = who_touches_track(operation, track).await?;
                let client = &operation.caller.client;
                let done = catalogue::delete_track(&operation.app, account, track, client).await;
                let (deleted, errors) = told(done.map_err(Undone::from))?;
                let deleted_id = deleted.map(|id| ID(id.to_string()));
                Ok(Some(DeleteTrackPayload { deleted_id, errors }))
            })
            .await,
        )
    }

    /// Takes a published track down, for moderators and administrators; only they can lift it.
    async fn take_down_track(
        &self,
        ctx: &Context<'_>,
        input: TakeDownTrackInput,
    ) -> Nullable<TakeDownTrackPayload> {
        nullable(
            root(ctx, "takeDownTrack", async {
                let operation = operation(ctx)?;
                let moderator = operation.actor().with_role(catalogue::REVIEWERS)?;
                let take_down = TakeDown {
                    track: input.track_id.parse().ok(),
                    is_taken_down: input.taken_down,
                    reason: input.reason,
                };
                let client = &operation.caller.client;
                let done =
                    catalogue::take_down_track(&operation.app, moderator, take_down, client).await;
                let (track, errors) = told(done.map_err(Undone::from))?;
                let track = track.map(Track::alone);
                Ok(Some(TakeDownTrackPayload { track, errors }))
            })
            .await,
        )
    }
}

/// Whose an album is to be, where their token opens it: a narrowed one may open some of the artist's things alone.
async fn who_touches_album(
    operation: &Operation,
    album: Option<AlbumId>,
) -> Result<&std::sync::Arc<Account>, ApiError> {
    let mut touched: Vec<String> = album.iter().map(ToString::to_string).collect();
    if let Some((account, album)) = caller(operation).zip(album) {
        let db = &operation.app.db;
        let artist = catalogue::artist_of_own_album(db, account, album).await?;
        touched.extend(artist.iter().map(ToString::to_string));
    }
    Ok(operation
        .actor()
        .as_artist(Scope::CatalogueWrite, &touched)?)
}

/// The same for a track.
async fn who_touches_track(
    operation: &Operation,
    track: Option<TrackId>,
) -> Result<&std::sync::Arc<Account>, ApiError> {
    let mut touched: Vec<String> = track.iter().map(ToString::to_string).collect();
    if let Some((account, track)) = caller(operation).zip(track) {
        let db = &operation.app.db;
        if let Some((artist, album)) = catalogue::place_of_own_track(db, account, track).await? {
            touched.push(artist.to_string());
            touched.extend(album.iter().map(ToString::to_string));
        }
    }
    Ok(operation
        .actor()
        .as_artist(Scope::CatalogueWrite, &touched)?)
}

fn caller(operation: &Operation) -> Option<AccountId> {
    operation.actor().account_id()
}

#[derive(InputObject)]
pub struct CreateAlbumInput {
    artist_id: ID,
    title: String,
    kind: AlbumKind,
    released_on: Option<Date>,
    cover: Option<Upload>,
}

#[derive(SimpleObject)]
pub struct CreateAlbumPayload {
    album: Option<Album>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct UpdateAlbumInput {
    album_id: ID,
    title: MaybeUndefined<String>,
    kind: MaybeUndefined<AlbumKind>,
    released_on: MaybeUndefined<Date>,
    /// Null takes it away.
    cover: MaybeUndefined<Upload>,
    /// Exactly the album's tracks, in their new order.
    track_ids: MaybeUndefined<Vec<ID>>,
}

#[derive(SimpleObject)]
pub struct UpdateAlbumPayload {
    album: Option<Album>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct DeleteAlbumInput {
    album_id: ID,
}

#[derive(SimpleObject)]
pub struct DeleteAlbumPayload {
    deleted_id: Option<ID>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct UpdateTrackInput {
    track_id: ID,
    title: MaybeUndefined<String>,
    genre_slug: MaybeUndefined<String>,
    is_explicit: MaybeUndefined<bool>,
    isrc: MaybeUndefined<String>,
    /// Null takes it off its album; on another it is the last.
    album_id: MaybeUndefined<ID>,
    /// Null takes it away at once.
    cover: MaybeUndefined<Upload>,
}

#[derive(SimpleObject)]
pub struct UpdateTrackPayload {
    track: Option<Track>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct DeleteTrackInput {
    track_id: ID,
}

#[derive(SimpleObject)]
pub struct DeleteTrackPayload {
    deleted_id: Option<ID>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct TakeDownTrackInput {
    track_id: ID,
    /// False lifts it again.
    #[graphql(default = true)]
    taken_down: bool,
    /// For the artist, and for the audit trail.
    reason: String,
}

#[derive(SimpleObject)]
pub struct TakeDownTrackPayload {
    track: Option<Track>,
    errors: Vec<CatalogueError>,
}
