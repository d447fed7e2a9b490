//! Files that go from the client straight to the storage.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};

use super::mistakes::{CatalogueError, told};
use crate::accounts::{Refused, Scope};
use crate::catalogue::Fault;
use crate::graphql::context::{operation, root};
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::scalars::{BigInt, DateTime, Url};
use crate::media::{self, DirectForm, DirectUploadId};

#[derive(Default)]
pub struct DirectMutation;

#[Object]
impl DirectMutation {
    /// Opens an upload that goes from the client straight to object storage.
    async fn create_direct_upload(
        &self,
        ctx: &Context<'_>,
        input: CreateDirectUploadInput,
    ) -> Nullable<CreateDirectUploadPayload> {
        nullable(
            root(ctx, "createDirectUpload", async {
                let operation = operation(ctx)?;
                let account = operation.actor().as_artist(Scope::UploadsWrite, &[])?;
                let form = DirectForm {
                    file_name: input.filename,
                    content_type: input.content_type,
                    byte_size: input.byte_size.0,
                    sha256: input.sha256,
                };
                let client = &operation.caller.client;
                let opened = media::open_direct(&operation.app, account, form, client).await;
                let opened = opened.map_err(|fault| Fault::of_direct(fault, "").into());
                let (upload, errors) = told(opened)?;
                let direct_upload = upload.map(DirectUpload);
                Ok(Some(CreateDirectUploadPayload {
                    direct_upload,
                    errors,
                }))
            })
            .await,
        )
    }

    /// Says that a direct upload has arrived, and starts to verify it; `submitTrack` takes one that is still being verified.
    async fn complete_direct_upload(
        &self,
        ctx: &Context<'_>,
        input: CompleteDirectUploadInput,
    ) -> Nullable<CompleteDirectUploadPayload> {
        nullable(
            root(ctx, "completeDirectUpload", async {
                let operation = operation(ctx)?;
                let id: Option<DirectUploadId> = input.direct_upload_id.parse().ok();
                let touched: Vec<String> = id.iter().map(ToString::to_string).collect();
                let account = operation.actor().as_artist(Scope::UploadsWrite, &touched)?;
                let completed = media::complete_direct(
                    &operation.app,
                    account,
                    id,
                    &input.etags,
                    &operation.caller.client,
                );
                let completed = completed.await;
                let completed =
                    completed.map_err(|fault| Fault::of_direct(fault, "directUploadId").into());
                let (upload, errors) = told(completed)?;
                let direct_upload = upload.map(DirectUpload);
                Ok(Some(CompleteDirectUploadPayload {
                    direct_upload,
                    errors,
                }))
            })
            .await,
        )
    }
}

/// An upload of the caller's own.
pub async fn direct_upload(
    ctx: &Context<'_>,
    id: DirectUploadId,
) -> Result<Option<DirectUpload>, ApiError> {
    let operation = operation(ctx)?;
    let opened = operation
        .actor()
        .to_touch(Scope::UploadsWrite, &[id.to_string()]);
    let account = match opened {
        Ok(account) => account,
        Err(refused @ Refused::Unavailable(_)) => return Err(refused.into()),
        Err(_) => return Ok(None),
    };
    let upload = media::direct_of(&operation.app.db, account.id, id).await?;
    Ok(upload.map(DirectUpload))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "media::DirectStatus")]
pub enum DirectUploadStatus {
    Open,
    Verifying,
    Ready,
    Failed,
    Expired,
}

#[derive(Clone)]
pub struct DirectUpload(media::DirectUpload);

/// Where the client sends its bytes: each part by HTTP PUT to its own signed URL.
#[Object]
impl DirectUpload {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    async fn status(&self, ctx: &Context<'_>) -> Result<DirectUploadStatus, ApiError> {
        let now = operation(ctx)?.app.clock.now();
        Ok(self.0.status(now).into())
    }

    async fn part_size(&self) -> BigInt {
        BigInt(self.0.part_size)
    }

    async fn parts(&self, ctx: &Context<'_>) -> Result<Vec<DirectUploadPart>, ApiError> {
        let parts = self.0.parts(&operation(ctx)?.app).await;
        let parts = parts.map_err(|error| match error.may_pass() {
            true => ApiError::unavailable(format!("no address could be signed: {error}")),
            false => ApiError::internal(format!("no address could be signed: {error}")),
        })?;
        Ok(parts.into_iter().map(DirectUploadPart).collect())
    }

    async fn expires_at(&self) -> DateTime {
        DateTime(self.0.expires_at)
    }
}

pub struct DirectUploadPart(media::DirectPart);

/// Signed anew at each reading, for its exact length.
#[Object]
impl DirectUploadPart {
    async fn number(&self) -> i32 {
        i32::try_from(self.0.number).unwrap_or(i32::MAX)
    }

    async fn byte_size(&self) -> BigInt {
        BigInt(self.0.byte_size)
    }

    async fn url(&self) -> Url {
        Url(self.0.url.to_string())
    }

    async fn headers(&self) -> Vec<HttpHeader> {
        // Most clients send it by themselves; it is told to those that would send a stream in chunks instead.
        vec![HttpHeader {
            name: "Content-Length",
            value: self.0.byte_size.to_string(),
        }]
    }
}

#[derive(SimpleObject)]
pub struct HttpHeader {
    name: &'static str,
    value: String,
}

#[derive(InputObject)]
pub struct CreateDirectUploadInput {
    filename: String,
    content_type: String,
    byte_size: BigInt,
    /// Where known beforehand; verified on arrival.
    sha256: Option<String>,
}

#[derive(SimpleObject)]
pub struct CreateDirectUploadPayload {
    direct_upload: Option<DirectUpload>,
    errors: Vec<CatalogueError>,
}

#[derive(InputObject)]
pub struct CompleteDirectUploadInput {
    direct_upload_id: ID,
    /// The ETag that each PUT was answered with, in the parts' order.
    etags: Vec<String>,
}

#[derive(SimpleObject)]
pub struct CompleteDirectUploadPayload {
    direct_upload: Option<DirectUpload>,
    errors: Vec<CatalogueError>,
}
