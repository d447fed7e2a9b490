//! What is done to the catalogue, one file an action. Who may do it is asked before, by a guard of `Actor`.

mod make_artist;
mod update_artist;

pub use make_artist::artist_of_account;
pub use update_artist::{ArtistChange, update_artist};
