//! Leaving, and what goes with it: what is kept of a person is declared table by table ([`tables`]), shown to them in an
//! archive, and gone some time after they have closed their account.
//!
//! What must hold: a table that speaks of people is declared, or a test fails; an archive holds no secret, not even its
//! hash; what is erased is found in no table any more, whenever whoever erased it was stopped.

mod archive;
mod erasing;
mod exporting;
mod jobs;
mod mails;
mod tables;

pub use self::exporting::{ExportAddress, FOLDER as EXPORTS};
pub(super) use self::jobs::{MakeExport, register};
pub(super) use self::mails::{Closed, Erased, ExportReady, Reopened};
pub(super) use self::tables::Whose;
pub use self::tables::{Goes, OTHER_TRACES, PERSONAL_TABLES, PersonalTable};
