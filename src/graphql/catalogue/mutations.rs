//! What artists change of the catalogue.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::artist::Artist;
use super::mistakes::{CatalogueError, mendable};
use crate::accounts::Scope;
use crate::catalogue::{self, ArtistChange, ArtistId};
use crate::graphql::context::{operation, root, sent};
use crate::graphql::error::{Nullable, nullable};
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
                let change = ArtistChange {
                    artist,
                    name: sent(input.name),
                    biography: sent(input.biography),
                    links: sent(input.links).map(|sent| sent.map(links)),
                };
                let updated = catalogue::update_artist(
                    &operation.app,
                    account,
                    change,
                    &operation.caller.client,
                );
                Ok(Some(match mendable(updated.await)? {
                    Ok(artist) => UpdateArtistPayload {
                        artist: Some(Artist(artist)),
                        errors: Vec::new(),
                    },
                    Err(errors) => UpdateArtistPayload {
                        artist: None,
                        errors,
                    },
                }))
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
}

#[derive(SimpleObject)]
pub struct UpdateArtistPayload {
    artist: Option<Artist>,
    errors: Vec<CatalogueError>,
}
