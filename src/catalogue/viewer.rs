//! Who looks at the catalogue, which decides what there is to be found.

use crate::accounts::{AccountId, Actor, Role, Scope};

/// Who sees all there is, decides upon what was handed in, and takes down what was published.
pub const REVIEWERS: &[Role] = &[Role::Moderator, Role::Admin];

/// Made once for each operation, and asked for by every read of what not everybody may see. Everybody sees the tracks that are
/// published, of artists that are shown, and the albums that hold one of these. All else of the catalogue is for whose it is
/// and for reviewers; for anybody else there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Viewer {
    Everybody,
    /// An artist by their account: what everybody sees, and all of their own.
    Artist(AccountId),
    Reviewer,
}

impl Viewer {
    /// By the rights that count for this request: a role that needs a second factor is none without, no API token reviews, and
    /// what a token does not open it does not show. A narrowed one that asks what is touched opens nothing here.
    pub fn of(actor: &Actor) -> Self {
        if actor.with_role(REVIEWERS).is_ok() {
            return Self::Reviewer;
        }
        // Who changes something of theirs, or hands it in, also looks at it.
        let scopes = [
            Scope::AccountRead,
            Scope::CatalogueWrite,
            Scope::UploadsWrite,
        ];
        let opened = scopes
            .into_iter()
            .find_map(|scope| actor.as_artist(scope, &[]).ok());
        opened.map_or(Self::Everybody, |account| Self::Artist(account.id))
    }
}
