//! What is sent twice is done once, and whoever sends it again has the first answer.
//!
//! Whoever sends something names it by a [`Key`]. The first who comes with it claims it, by a row of which there is one
//! for each account and key, before anything is done; the others find that row. What must hold:
//!
//! - Nothing runs twice. Whatever the work writes marks the row in the same transaction ([`db::witnessed`]), and only if
//!   the claim is still that attempt's. So another may take over what was left (its process was killed, say) as soon as it
//!   has not shown for a while that it lives: if anything of it stands, the row says so, and if anything were to stand
//!   later, it is rolled back. Times decide how soon, not whether, so the machines' clocks need not agree.
//! - An answer is kept for a day. What was only refused, or failed by our fault, and wrote nothing, gives its key back,
//!   since it may go otherwise the next time. What wrote something and could not say what has no answer: whoever sends it
//!   again is told that, rather than that it is done anew.
//! - Files are part of what was sent, and are known only once they have come. The claim is made before; what they were is kept
//!   beside the answer, for whoever comes next to be compared with. An answer that was given without reading all of them holds if
//!   something was done.
//! - A key is its account's, whichever session or token it comes by. What it was used for ([`Input`]) holds the sender's
//!   rights too: an answer is told only to whoever may as much as the one who had it first.
//!
//! [`db::witnessed`]: crate::db::witnessed

mod claim;
mod forget;
mod input;
mod key;
mod store;

pub use self::claim::{Begun, Claim, Ended, Files};
pub use self::forget::{forget_answers, register_jobs};
pub use self::input::Input;
pub use self::key::{Key, KeyFault};
pub use self::store::LONGEST_ANSWER;
