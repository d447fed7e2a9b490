//! Any object by its ID. The interface shows `id` alone: async-graphql does not run the guards of fields that are
//! reached through an interface.

use async_graphql::{Context, ID, Interface, Object};

use super::catalogue::{Album, Artist, Track};
use super::context::{Operation, operation, root};
use super::error::{ApiError, Nullable, nullable};
use super::page::LARGEST_PAGE;
use crate::catalogue::{AlbumId, ArtistId, TrackId};
use crate::db::id::{AnyId, TypedId};

/// An object with an ID of its own: type-prefixed and time-ordered (a TypeID), such as
/// `track_01h455vb4pex5vsknk084sn02q`.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    Album(Album),
    Artist(Artist),
    Track(Track),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its ID; null where there is none that the caller may see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Nullable<Node> {
        nullable(root(ctx, "node", async { find(operation(ctx)?, &id).await }).await)
    }

    /// Objects by their IDs, in the order asked; at most 100.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        ids: Vec<ID>,
    ) -> Result<Vec<Nullable<Node>>, ApiError> {
        root(ctx, "nodes", async {
            let operation = operation(ctx)?;
            if ids.len() > LARGEST_PAGE as usize {
                return Err(ApiError::BadRequest(format!(
                    "ids: {} are too many; at most {LARGEST_PAGE}.",
                    ids.len()
                )));
            }
            let found = ids
                .iter()
                .map(|id| async { nullable(find(operation, id).await) });
            Ok(futures_util::future::join_all(found).await)
        })
        .await
    }
}

async fn find(operation: &Operation, id: &str) -> Result<Option<Node>, ApiError> {
    let AnyId { prefix, uuid } = AnyId::parse(id)?;
    Ok(match prefix.as_str() {
        AlbumId::PREFIX => operation
            .load(&operation.loaders.albums, AlbumId(uuid))
            .await?
            .map(|row| Node::Album(Album(row))),
        ArtistId::PREFIX => operation
            .load(&operation.loaders.artists, ArtistId(uuid))
            .await?
            .map(|row| Node::Artist(Artist(row))),
        TrackId::PREFIX => operation
            .load(&operation.loaders.tracks, TrackId(uuid))
            .await?
            .map(|row| Node::Track(Track::alone(row))),
        _ => None,
    })
}
