//! The catalogue as clients see it.

mod album;
mod artist;
mod audio;
mod direct;
mod genre;
mod mistakes;
mod mutations;
mod owned;
mod query;
mod receipt;
mod submission;
mod submitting;
mod subscription;
mod taking;
mod track;

pub use album::Album;
pub use artist::Artist;
pub use audio::{Audio, audio};
pub use direct::{DirectMutation, DirectUpload, direct_upload};
pub use mistakes::CatalogueError;
pub use mutations::CatalogueMutation;
pub use owned::OwnedMutation;
pub use query::CatalogueQuery;
pub use submission::{
    Submission, SubmissionConnection, SubmissionQuery, submission, submissions_of,
};
pub use submitting::SubmissionMutation;
pub use subscription::CatalogueSubscription;
pub use track::{Track, TrackConnection, TrackStatus};

use super::page::SortDirection;
