//! Files of music that go from their sender straight to the storage: opened, sent part by part, completed, verified by a
//! job, and then handed in once, as any other file.
//!
//! An upload and the file that it becomes have one id, so the file's key is known before anything comes. A row of the
//! upload keeps that key from being swept; from the moment at which it is verified the file has a row of its own, which
//! stays for as long as the upload can be handed in or something refers to it.

mod complete;
mod fault;
mod hand_in;
mod model;
mod open;
mod sweep;
mod verify;

pub use self::complete::complete_direct;
pub use self::fault::DirectFault;
pub use self::hand_in::{claim_direct, direct_to_hand_in};
pub use self::model::{
    DirectFailure, DirectPart, DirectStatus, DirectUpload, DirectUploadId, OpenUploads,
};
pub use self::open::{DirectForm, open_direct};
pub(super) use self::sweep::sweep;
pub(super) use self::verify::{VerifyDirect, verify};
