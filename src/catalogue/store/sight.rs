//! What a viewer sees, as conditions. They are written here alone, and every statement about tracks or albums has one.

use diesel::sql_types::Uuid as SqlUuid;

use crate::accounts::AccountId;
use crate::catalogue::viewer::Viewer;
use crate::db::{Freshness, Statement};

/// Whether everybody may see a track.
macro_rules! track_is_public {
    () => {
        "t.status = 'PUBLISHED' and t.artist_is_shown"
    };
}
pub(super) use track_is_public;

/// Whether everybody may see an album: whether it has anything to be heard.
macro_rules! album_is_public {
    () => {
        concat!(
            "exists (select from tracks t where t.album_id = al.id and ",
            track_is_public!(),
            ")"
        )
    };
}

impl Viewer {
    /// Holds a statement to the tracks `t` that are to be seen.
    pub(super) fn seen_tracks<ST>(self, read: Statement<ST>) -> Statement<ST> {
        match self {
            Self::Everybody => read.text(track_is_public!()),
            Self::Artist(account) => {
                let read = read.text("(t.artist_id = ");
                artist_of(read, account).text(concat!(" or ", track_is_public!(), ")"))
            }
            Self::Reviewer => read.text("true"),
        }
    }

    /// Holds a statement to the submissions `s` that are to be seen: none of them is for everybody.
    pub(super) fn seen_submissions<ST>(self, read: Statement<ST>) -> Statement<ST> {
        match self {
            Self::Everybody => read.text("false"),
            Self::Artist(account) => artist_of(read.text("s.artist_id = "), account),
            Self::Reviewer => read.text("true"),
        }
    }

    /// Holds a statement to the albums `al` that are to be seen.
    pub(super) fn seen_albums<ST>(self, read: Statement<ST>) -> Statement<ST> {
        match self {
            Self::Everybody => read.text(album_is_public!()),
            Self::Artist(account) => {
                let read = read.text("(al.artist_id = ");
                artist_of(read, account).text(concat!(" or ", album_is_public!(), ")"))
            }
            Self::Reviewer => read.text("true"),
        }
    }

    /// Holds a statement to the artists `a` that are to be seen. Whoever is signed in is shown already.
    pub(super) fn seen_artists<ST>(self, read: Statement<ST>) -> Statement<ST> {
        match self {
            Self::Everybody | Self::Artist(_) => read.text("a.is_shown"),
            Self::Reviewer => read.text("true"),
        }
    }

    /// Whoever sees what is not out also works on it: a copy that is a little behind would not show what they just did.
    pub fn freshness(self) -> Freshness {
        match self {
            Self::Everybody => Freshness::MayLag,
            Self::Artist(_) | Self::Reviewer => Freshness::Current,
        }
    }
}

/// Found once for a statement, however many rows it looks at.
fn artist_of<ST>(read: Statement<ST>, account: AccountId) -> Statement<ST> {
    read.text("(select own.id from artists own where own.account_id = ")
        .bind::<SqlUuid, _>(account.0)
        .text(")")
}
