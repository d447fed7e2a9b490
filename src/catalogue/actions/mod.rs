//! What is done to the catalogue, one file an action. Who may do it is asked before, by a guard of `Actor`.

mod acting;
mod albums;
mod change;
mod make_artist;
mod queue;
mod review_submission;
mod submission;
mod submit_track;
mod take_down_track;
mod tracks;
mod update_artist;
mod withdraw_submission;

pub use albums::{
    AdmittedAlbum, AdmittedAlbumChange, AlbumChange, AlbumForm, admit_album, admit_album_change,
    create_album, delete_album, update_album,
};
pub use make_artist::artist_of_account;
pub use queue::{count_submissions, list_submissions};
pub use review_submission::{Decision, Review, review_submission};
pub use submission::{Held, hold};
pub use submit_track::{
    AdmittedAgain, AdmittedTrack, KeptFiles, Submitted, TrackForm, admit_again, admit_track,
    count_again, count_track, resubmit_track, submit_track,
};
pub use take_down_track::{TakeDown, take_down_track};
pub use tracks::{AdmittedTrackEdit, TrackEdit, admit_track_edit, delete_track, update_track};
pub use update_artist::{AdmittedArtistChange, ArtistChange, admit_artist_change, update_artist};
pub use withdraw_submission::withdraw_submission;
