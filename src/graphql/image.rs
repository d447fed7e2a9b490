//! Pictures as clients see them, and how one comes in. A picture has the visibility of what it belongs to.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::context::{Operation, operation};
use super::error::{ApiError, Nullable, nullable};
use super::files::Upload;
use super::scalars::Url;
use crate::accounts::Account;
use crate::media::{self, ImageId, IntakeFault, Viewable};

/// How large a picture is wanted: a square out of its middle, or all of it. One that is smaller is not made larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "media::ImageSize")]
pub enum ImageSize {
    /// 64 × 64.
    Small,
    /// 320 × 320.
    Medium,
    /// 1000 × 1000.
    Large,
    Original,
}

#[derive(Clone)]
pub struct Image(Arc<Viewable>);

/// The picture of something that the caller may see, for a field of it.
pub async fn of(ctx: &Context<'_>, id: Option<ImageId>) -> Nullable<Image> {
    let id = id?;
    nullable(by_id(ctx, id).await)
}

/// A picture by its id, if the caller may see what it belongs to.
pub async fn image(ctx: &Context<'_>, id: ImageId) -> Result<Option<Image>, ApiError> {
    let operation = operation(ctx)?;
    let key = (id, operation.viewer);
    match operation.load(&operation.loaders.seen_images, key).await? {
        Some(()) => by_id(ctx, id).await,
        None => Ok(None),
    }
}

async fn by_id(ctx: &Context<'_>, id: ImageId) -> Result<Option<Image>, ApiError> {
    let operation = operation(ctx)?;
    let key = (id, operation.viewer);
    let row = operation.load(&operation.loaders.images, key).await?;
    Ok(row.map(Image))
}

/// A picture in four sizes.
#[Object]
impl Image {
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// Signed, and good for a day at least.
    async fn url(
        &self,
        ctx: &Context<'_>,
        #[graphql(default_with = "ImageSize::Medium")] size: ImageSize,
    ) -> Result<Url, ApiError> {
        let app = &operation(ctx)?.app;
        let signed = media::image_address(app, &self.0, size.into()).await;
        signed
            .map(|url| Url(url.into()))
            .map_err(|error| match error.may_pass() {
                true => ApiError::unavailable(format!("no address could be signed: {error}")),
                false => ApiError::internal(format!("no address could be signed: {error}")),
            })
    }

    /// Of the original.
    async fn width(&self) -> i32 {
        self.0.width
    }

    /// Of the original.
    async fn height(&self) -> i32 {
        self.0.height
    }

    /// A tiny stand-in to paint while the picture loads (ThumbHash, base64).
    async fn placeholder(&self) -> Option<String> {
        Some(STANDARD.encode(&self.0.thumb_hash))
    }
}

/// The picture that was sent for a part of an input, kept, and nothing refers to it yet: none where it is left out, or to be
/// none. What is wrong with it is told apart from what stops the operation.
pub async fn taken(
    operation: &Operation,
    account: &Account,
    sent: Option<Option<Upload>>,
) -> Result<Result<Option<Option<ImageId>>, IntakeFault>, ApiError> {
    let Some(Some(upload)) = sent else {
        return Ok(Ok(sent.map(|_| None)));
    };
    let file = operation.take(&upload).await?;
    let image = media::take_image(&operation.app, account, file).await;
    Ok(image.map(|image| Some(Some(image.id))))
}

/// Whether a file came for a part of an input.
pub fn is_file(sent: &Option<Option<Upload>>) -> bool {
    matches!(sent, Some(Some(_)))
}
