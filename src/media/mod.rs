//! Music and pictures as bytes: what comes in, what it is, and how it is had again.
//!
//! A file is looked at while it comes in and stored under a key of ours, by its kind and id. What says more of it (which
//! track it is, whether anybody may hear it) is above.

mod checksum;
mod direct;
mod incoming;
mod intake;
mod jobs;
mod keys;
mod kind;
mod measure;
mod model;
mod picture;
mod playback;
mod process;
mod scan;
mod store;
mod view;

pub use self::checksum::{Checksum, NoChecksum};
pub use self::direct::{
    DirectFailure, DirectFault, DirectForm, DirectPart, DirectStatus, DirectUpload, DirectUploadId,
    claim_direct, complete_direct, direct_to_hand_in, open_direct,
};
pub use self::incoming::{Broken, Incoming};
pub use self::intake::{IntakeFault, take_audio, take_image, take_own_audio, take_own_image};
pub use self::jobs::register_jobs;
pub use self::measure::{BUCKETS, buckets};
pub use self::model::{Audio, AudioId, Image, ImageId, ImageSize};
pub use self::playback::{Playable, good_until, stream_address};
pub use self::process::{Progress, Stage, Unprocessed, process};
pub use self::store::{
    REFERRERS, delete_images, direct_of, images_by_ids, let_go, peaks_by_ids, playable_by_ids,
};
pub use self::view::{Viewable, image_address};
