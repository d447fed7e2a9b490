//! Artists, albums, tracks and genres.
//!
//! What everybody may see: every artist whose account is in use, the tracks that are published, and the albums with at least
//! one of those. Artists also see all of their own, and reviewers see everything. The statements in `store` say so themselves
//! for the [`Viewer`] that they are given, so that no caller can forget it.

mod actions;
mod fault;
mod genres;
mod isrc;
mod jobs;
mod mailing;
mod mails;
mod model;
pub mod news;
mod processing;
mod prose;
mod receipt;
mod review;
mod slug;
mod sort_key;
mod store;
mod submission;
mod title;
mod viewer;

pub use actions::{
    AdmittedAgain, AdmittedAlbum, AdmittedAlbumChange, AdmittedArtistChange, AdmittedTrack,
    AdmittedTrackEdit, AlbumChange, AlbumForm, ArtistChange, Decision, KeptFiles, Review,
    Submitted, TakeDown, TrackEdit, TrackForm, admit_again, admit_album, admit_album_change,
    admit_artist_change, admit_track, admit_track_edit, artist_of_account, count_again,
    count_submissions, count_track, create_album, delete_album, delete_track, list_submissions,
    resubmit_track, review_submission, submit_track, take_down_track, update_album, update_artist,
    update_track, withdraw_submission,
};
pub use fault::{Fault, Mistake, MistakeCode};
pub use genres::{Genres, KeptGenres};
pub use jobs::{CatalogueMail, register_jobs};
pub use model::{
    Album, AlbumId, AlbumKind, AlbumTotals, Artist, ArtistId, ArtistOrder, ArtistOrderField,
    ArtistText, Genre, GenreId, Track, TrackFilter, TrackId, TrackOrder, TrackOrderField,
    TrackStatus, TrackWithParents,
};
pub use news::{MediaProgressed, SubmissionChanged, of_account, of_media, of_submission};
pub use processing::process_track;
pub use receipt::Receipt;
pub use sort_key::sort_key;
pub use store::{
    album_totals, albums_by_ids, albums_of_artists, artist_of_own_album, artist_texts, artists,
    artists_by_ids, artists_by_slugs, artists_of_accounts, count_submissions_of_accounts,
    own_submission, place_of_own_track, seen_images, submission, submissions_by_ids,
    submissions_of_accounts, submissions_of_tracks, tracks, tracks_by_ids, tracks_of_accounts,
    tracks_of_albums, tracks_of_artists, tracks_of_audios, tracks_with_parents,
};
pub use submission::{
    OwnSubmission, Submission, SubmissionFilter, SubmissionId, SubmissionStatus, Term, TermFault,
};
pub use viewer::{REVIEWERS, Viewer};
