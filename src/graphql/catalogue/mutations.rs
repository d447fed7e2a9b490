//! What artists change of the catalogue.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::artist::Artist;
use super::mistakes::{CatalogueError, told};
use super::taking::picture;
use crate::accounts::Scope;
use crate::catalogue::{self, ArtistChange, ArtistId};
use crate::graphql::context::{operation, root, sent};
use crate::graphql::error::{Nullable, nullable};
use crate::graphql::files::Upload;
use crate::graphql::image::is_file;
use crate::graphql::scalars::Url;

#[derive(Default)]
pub struct CatalogueMutation;

#[Object]
impl CatalogueMutation {
    /// Changes what is told of the caller's own artist; its slug never changes.
    async fn update_artist(
        &self,
        ctx: &Context<'_>,
        input: UpdateArtistInput,
    ) -> Nullable<UpdateArtistPayload> {
        nullable(
            root(ctx, "updateArtist", async {
                let operation = operation(ctx)?;
                let artist: Option<ArtistId> = input.artist_id.parse().ok();
                let touched: Vec<String> = artist.iter().map(ToString::to_string).collect();
                let account = operation
                    .actor()
                    .as_artist(Scope::CatalogueWrite, &touched)?;
                let links = |links: Vec<Url>| links.into_iter().map(|link| link.0).collect();
                let image = sent(input.image);
                let change = ArtistChange {
                    artist,
                    name: sent(input.name),
                    biography: sent(input.biography),
                    links: sent(input.links).map(|sent| sent.map(links)),
                    has_file: is_file(&image),
                };
                let app = &operation.app;
                let updated = async {
                    let admitted = catalogue::admit_artist_change(app, account, change).await?;
                    let image = picture(operation, account, image, "image").await?;
                    let client = &operation.caller.client;
                    let updated =
                        catalogue::update_artist(app, account, admitted, image, client).await?;
                    Ok(updated)
                };
                let (artist, errors) = told(updated.await)?;
                let artist = artist.map(Artist);
                Ok(Some(UpdateArtistPayload { artist, errors }))
            })
            .await,
        )
    }
}

#[derive(InputObject)]
pub struct UpdateArtistInput {
    artist_id: ID,
    name: MaybeUndefined<String>,
    biography: MaybeUndefined<String>,
    links: MaybeUndefined<Vec<Url>>,
    /// Null takes it away.
    image: MaybeUndefined<Upload>,
}

#[derive(SimpleObject)]
pub struct UpdateArtistPayload {
    artist: Option<Artist>,
    errors: Vec<CatalogueError>,
}
