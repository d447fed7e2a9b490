//! Any object by its ID. The interface shows `id` alone: async-graphql does not run the guards of fields that are
//! reached through an interface.

use async_graphql::{Context, ID, Interface, Object};

use super::accounts::{self, Account, ApiToken, Session, TrustedDevice, User};
use super::audit::{AuditEvent, audit_event};
use super::catalogue::{
    self, Album, Artist, Audio, DirectUpload, Submission, Track, audio, direct_upload,
};
use super::context::{operation, root};
use super::error::{ApiError, Nullable, nullable};
use super::image::{Image, image};
use super::page::LARGEST_PAGE;
use crate::accounts::{AccountId, ApiTokenId, SessionId, TrustedDeviceId, UserId};
use crate::audit::AuditEventId;
use crate::catalogue::{AlbumId, ArtistId, SubmissionId, TrackId};
use crate::db::id::{AnyId, TypedId};
use crate::media::{AudioId, DirectUploadId, ImageId};

/// An object with an ID of its own: type-prefixed and time-ordered (a TypeID), such as
/// `track_01h455vb4pex5vsknk084sn02q`.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID"))]
pub enum Node {
    Account(Account),
    Album(Album),
    ApiToken(ApiToken),
    Artist(Artist),
    Audio(Audio),
    AuditEvent(AuditEvent),
    DirectUpload(DirectUpload),
    Image(Image),
    Session(Session),
    Submission(Submission),
    Track(Track),
    TrustedDevice(TrustedDevice),
    User(User),
}

#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its ID; null where there is none that the caller may see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Nullable<Node> {
        nullable(root(ctx, "node", async { find(ctx, &id).await }).await)
    }

    /// Objects by their IDs, in the order asked; at most 100.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        ids: Vec<ID>,
    ) -> Result<Vec<Nullable<Node>>, ApiError> {
        root(ctx, "nodes", async {
            if ids.len() > LARGEST_PAGE as usize {
                return Err(ApiError::BadRequest(format!(
                    "ids: {} are too many; at most {LARGEST_PAGE}.",
                    ids.len()
                )));
            }
            let found = ids.iter().map(|id| async { nullable(find(ctx, id).await) });
            Ok(futures_util::future::join_all(found).await)
        })
        .await
    }
}

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, ApiError> {
    let operation = operation(ctx)?;
    let AnyId { prefix, uuid } = AnyId::parse(id)?;
    Ok(match prefix.as_str() {
        AccountId::PREFIX => accounts::account(ctx, AccountId(uuid))
            .await?
            .map(Node::Account),
        UserId::PREFIX => operation
            .load(&operation.loaders.users, UserId(uuid))
            .await?
            .map(|row| Node::User(User { row, account: None })),
        SessionId::PREFIX => accounts::session(ctx, SessionId(uuid))
            .await?
            .map(Node::Session),
        TrustedDeviceId::PREFIX => accounts::trusted_device(ctx, TrustedDeviceId(uuid))
            .await?
            .map(Node::TrustedDevice),
        ApiTokenId::PREFIX => accounts::api_token(ctx, ApiTokenId(uuid))
            .await?
            .map(Node::ApiToken),
        AuditEventId::PREFIX => audit_event(ctx, AuditEventId(uuid))
            .await?
            .map(Node::AuditEvent),
        AlbumId::PREFIX => operation
            .album(AlbumId(uuid))
            .await?
            .map(|row| Node::Album(Album(row))),
        AudioId::PREFIX => audio(ctx, AudioId(uuid)).await?.map(Node::Audio),
        ImageId::PREFIX => image(ctx, ImageId(uuid)).await?.map(Node::Image),
        DirectUploadId::PREFIX => direct_upload(ctx, DirectUploadId(uuid))
            .await?
            .map(Node::DirectUpload),
        ArtistId::PREFIX => operation
            .artist(ArtistId(uuid))
            .await?
            .map(|row| Node::Artist(Artist(row))),
        SubmissionId::PREFIX => catalogue::submission(ctx, SubmissionId(uuid))
            .await?
            .map(Node::Submission),
        TrackId::PREFIX => operation
            .track(TrackId(uuid))
            .await?
            .map(|row| Node::Track(Track::alone(row))),
        _ => None,
    })
}
