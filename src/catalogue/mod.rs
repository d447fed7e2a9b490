//! Artists, albums, tracks and genres.
//!
//! What everybody may see: every artist, the tracks that are published, and the albums with at least one of those. The
//! statements in `store` say so themselves, so that no caller can forget it.

mod actions;
mod fault;
mod genres;
mod model;
mod prose;
mod slug;
mod sort_key;
mod store;

pub use actions::{ArtistChange, artist_of_account, update_artist};
pub use fault::{Fault, Mistake, MistakeCode};
pub use genres::{Genres, KeptGenres};
pub use model::{
    Album, AlbumId, AlbumKind, AlbumTotals, Artist, ArtistId, ArtistOrder, ArtistOrderField,
    ArtistText, Genre, GenreId, Track, TrackFilter, TrackId, TrackOrder, TrackOrderField,
    TrackStatus, TrackWithParents,
};
pub use sort_key::sort_key;
pub use store::{
    album_totals, albums_by_ids, albums_of_artists, artist_texts, artists, artists_by_ids,
    artists_by_slugs, artists_of_accounts, tracks, tracks_by_ids, tracks_of_albums,
    tracks_of_artists, tracks_with_parents,
};
