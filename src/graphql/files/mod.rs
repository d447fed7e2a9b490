//! Files on their way from a request's body to the resolvers that want them.
//!
//! Whoever reads the body makes a place for each file ([`Files::expect`]) and puts the [`Upload`] that stands for it into
//! the variables; then the operation begins, before the first byte of a file is read. A resolver trades the upload for
//! the file ([`Files::take`]), which is read only from then on. What nobody takes is not read, or passed over where
//! another file behind it is wanted.
//!
//! - A body has one order. A resolver that has several files takes them in it ([`Upload`]s sort so). One that wants a file
//!   passes over those before it that were not taken: whoever had them may have been refused. Who wants one of them later
//!   is refused.
//! - Files of several operations come in one body too. An operation that ends gives up its places, so nobody waits for it.
//! - A file has an end that is told. One whose pieces just stop coming is broken.
//! - Between the reader and the resolver there are at most [`PIECES`] pieces of a file.

mod handing;
mod taken;
mod upload;

pub use self::handing::{Delivery, Files, Handed, Handing, NotTaken, Said};
pub use self::taken::Hashes;
pub use self::upload::Upload;

/// How many pieces of a file may wait for whoever takes them.
const PIECES: usize = 4;
