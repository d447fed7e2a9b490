//! All SQL of files: one function, one statement.

mod direct;
mod images;
mod intake;
mod playback;
mod processing;
mod sweep;

pub use self::direct::direct_of;
pub(super) use self::direct::{
    any_direct, claim_direct, direct_came, direct_expired, direct_failed, direct_is_ready,
    direct_now, directs_over, forget_directs, insert_direct, open_directs, open_directs_now,
};
pub use self::images::{delete_images, images_by_ids};
pub(super) use self::intake::{insert_audio, insert_image, taken, taken_now};
pub use self::playback::{peaks_by_ids, playable_by_ids};
pub(super) use self::processing::{to_process, was_processed};
pub(super) use self::sweep::{
    Kind, count_turn, delete_unused, forget_gone, forget_those_back, gone, known, owner,
    put_off_gone, to_check, was_checked, was_not_checked,
};
pub use self::sweep::{REFERRERS, let_go};
