//! Why a password may not be set.

/// For whoever chose it. What holds a name or an address counts as compromised in the API, which has no code of its own
/// for it: it is what is guessed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    #[error("A password has at least 12 characters, of any kind.")]
    TooShort,
    #[error("A password has at most 128 characters.")]
    TooLong,
    #[error(
        "This password, or one that it is made of, is among the commonest known from breaches, and is tried first by \
         whoever breaks in. Choose another: three or four words that do not belong together do well."
    )]
    Compromised,
    #[error("A password must not hold your name. Choose another that has nothing to do with you.")]
    HoldsName,
    #[error(
        "A password must not hold your e-mail address, or the part of it before the @. Choose another that has nothing to \
         do with you."
    )]
    HoldsAddress,
}
