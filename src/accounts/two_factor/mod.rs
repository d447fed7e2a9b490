//! What a second factor is made of: the secret that an authenticator shares with us, the codes that come of it, and the
//! picture that hands it over.

mod code;
mod picture;
mod totp;

pub use self::code::Code;
pub use self::picture::as_svg;
pub use self::totp::OneTimeSecret;
