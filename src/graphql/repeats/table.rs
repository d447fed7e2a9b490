//! Which mutations may be sent again under a key: each says so here, and one that does not is refused.

/// What becomes of a mutation's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// For a day, for whoever sends the same again.
    ForADay,
    /// It is shown once, so nothing may hold it; or it is of no use later. Why, for whoever sent a key.
    Never(&'static str),
}

const SECRET: Kept = Kept::Never("its answer holds secrets, which are shown once");
const COOKIES: Kept =
    Kept::Never("it changes cookies, which are not kept; to send it again does no harm");
const ADDRESSES: Kept =
    Kept::Never("its answer holds signed addresses, which are made anew each time");
const FRESH: Kept = Kept::Never("its answer is good once, and for a short time");

/// Every mutation that is served. A new one gets its row: [`Kept::Never`] where the answer holds tokens, codes, secrets,
/// tax data or signed addresses, or where cookies change.
pub const MUTATIONS: &[(&str, Kept)] = &[
    ("register", Kept::ForADay),
    ("verifyEmail", Kept::ForADay),
    ("resendVerification", Kept::ForADay),
    ("login", SECRET),
    ("completeTwoFactor", SECRET),
    ("refreshSession", SECRET),
    ("logout", COOKIES),
    ("revokeSession", Kept::ForADay),
    ("revokeAllSessions", Kept::ForADay),
    ("revokeTrustedDevice", Kept::ForADay),
    ("requestPasswordReset", Kept::ForADay),
    ("resetPassword", Kept::ForADay),
    ("changePassword", Kept::ForADay),
    ("changeEmail", Kept::ForADay),
    ("updateProfile", Kept::ForADay),
    ("beginTwoFactor", SECRET),
    ("confirmTwoFactor", SECRET),
    ("regenerateRecoveryCodes", SECRET),
    ("disableTwoFactor", Kept::ForADay),
    ("createApiToken", SECRET),
    ("revokeApiToken", Kept::ForADay),
    ("createChallenge", FRESH),
    ("requestDataExport", Kept::ForADay),
    ("deleteAccount", Kept::ForADay),
    ("updateAccountAsAdmin", Kept::ForADay),
    ("updateArtist", Kept::ForADay),
    ("createAlbum", Kept::ForADay),
    ("updateAlbum", Kept::ForADay),
    ("deleteAlbum", Kept::ForADay),
    ("updateTrack", Kept::ForADay),
    ("deleteTrack", Kept::ForADay),
    ("takeDownTrack", Kept::ForADay),
    ("submitTrack", Kept::ForADay),
    ("createDirectUpload", ADDRESSES),
    ("completeDirectUpload", ADDRESSES),
    ("resubmitTrack", Kept::ForADay),
    ("withdrawSubmission", Kept::ForADay),
    ("reviewSubmission", Kept::ForADay),
];

pub fn of(mutation: &str) -> Kept {
    let row = MUTATIONS.iter().find(|(name, _)| *name == mutation);
    row.map_or(SECRET, |(_, kept)| *kept)
}
