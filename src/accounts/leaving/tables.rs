//! What is kept of people. Each table that holds something of theirs stands here with each of its columns; a test compares
//! this with the database.

use crate::accounts::model::{AccountId, ApiTokenId, SessionId, TrustedDeviceId, UserId};
use crate::db::id::TypedId;

/// A table with rows that are somebody's, each a `k` in its SQL.
#[derive(Debug, Clone, Copy)]
pub struct PersonalTable {
    pub table: &'static str,
    /// What tells rows of one person apart, as text: some are read at a time, in its order.
    pub key: &'static str,
    /// Whose a row is: a condition, with `$1` for the account's id, `$2` for the same as clients know it, and `$3` for that
    /// of the user.
    pub whose: &'static str,
    /// Shown to them as they are.
    pub shown: &'static [&'static str],
    /// Those of the shown that are ids, with the prefix that they have outside.
    pub ids: &'static [(&'static str, &'static str)],
    /// What works as a secret, tells of one, is of somebody else, or is bytes that tell nobody anything: they are shown whether there is
    /// something.
    pub withheld: &'static [&'static str],
    pub goes: Goes,
}

/// What becomes of them when the account is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    Deleted,
    /// They say nothing of anybody any more then; why.
    Stays(&'static str),
}

const ID: &str = "k.id::text";
const OF_ACCOUNT: &str = "k.account_id = $1";
const ACCOUNT: (&str, &str) = ("account_id", AccountId::PREFIX);
const OF_ARTIST: &str = "k.artist_id = (select id from artists where account_id = $1)";
const ARTIST: (&str, &str) = ("artist_id", "artist");
const AUDIO: (&str, &str) = ("audio_id", "audio");
const IMAGE: &str = "image";

/// In the order in which they are erased: what is found by others goes before them, and the account is the last.
pub const PERSONAL_TABLES: &[PersonalTable] = &[
    PersonalTable {
        table: "sign_in_failures",
        key: "encode(k.subject, 'hex')",
        // As attempts are counted: by the hash of an address, of a known device, or of a session.
        whose: "k.subject in (\
                select sha256('address\\000'::bytea || convert_to(email_key, 'UTF8')) from accounts where id = $1 union all \
                select sha256('device\\000'::bytea || uuid_send(id)) from known_devices where account_id = $1 union all \
                select sha256('session\\000'::bytea || uuid_send(id)) from sessions where account_id = $1)",
        shown: &["failures", "last_at", "locked_until", "is_told"],
        ids: &[],
        withheld: &["subject"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "second_steps",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "device_id",
            "is_remembered",
            "by_cookie",
            "tries",
            "created_at",
            "expires_at",
        ],
        ids: &[
            ("id", "second_step"),
            ACCOUNT,
            ("device_id", TrustedDeviceId::PREFIX),
        ],
        withheld: &["token_hash"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "recovery_codes",
        key: "encode(k.code_hash, 'hex')",
        whose: OF_ACCOUNT,
        shown: &["account_id"],
        ids: &[ACCOUNT],
        withheld: &["code_hash"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "sessions",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "generation",
            "rotated_at",
            "is_remembered",
            "by_cookie",
            "has_second_factor",
            "user_agent",
            "ip_address",
            "created_at",
            "last_used_at",
            "expires_at",
            "ended_at",
            "ended_because",
        ],
        ids: &[("id", SessionId::PREFIX), ACCOUNT],
        withheld: &["token_hash", "previous_hash"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "api_tokens",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "name",
            "scopes",
            "created_at",
            "last_used_at",
            "expires_at",
            "ended_at",
        ],
        ids: &[("id", ApiTokenId::PREFIX), ACCOUNT],
        withheld: &[],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "known_devices",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "user_agent",
            "created_at",
            "last_used_at",
            "trusted_at",
            "trusted_until",
        ],
        ids: &[("id", TrustedDeviceId::PREFIX), ACCOUNT],
        withheld: &["token_hash"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "mailed_tokens",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "purpose",
            "email",
            "email_key",
            "created_at",
            "expires_at",
        ],
        ids: &[("id", "mailed_token"), ACCOUNT],
        withheld: &["token_hash"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "idempotency_keys",
        key: "encode(k.key, 'hex')",
        whose: OF_ACCOUNT,
        shown: &["account_id", "held_until", "is_done", "expires_at"],
        ids: &[ACCOUNT],
        // What was answered may be about somebody else, and is forgotten within a day.
        withheld: &["key", "input", "attempt", "answer", "files"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "data_exports",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "requested_at",
            "made_at",
            "expires_at",
            "size_bytes",
        ],
        ids: &[("id", "data_export"), ACCOUNT],
        withheld: &["token_hash"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "audit_personal",
        key: "k.event_id::text || k.part",
        whose: "k.whose = $1",
        shown: &["event_id", "part", "whose", "content"],
        ids: &[("event_id", "audit"), ("whose", AccountId::PREFIX)],
        withheld: &["salt"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "audit_pending",
        key: ID,
        whose: OF_TRAIL,
        shown: &[
            "position",
            "id",
            "action",
            "subject_id",
            "person_id",
            "correlation_id",
            "details",
            "created_at",
        ],
        ids: &[("id", "audit"), ("person_id", AccountId::PREFIX)],
        withheld: &["actor_id", "origin_commitment", "facts_commitment"],
        goes: Goes::Stays(CHAINED),
    },
    PersonalTable {
        table: "audit_events",
        key: ID,
        whose: OF_TRAIL,
        shown: &[
            "sequence",
            "id",
            "action",
            "subject_id",
            "person_id",
            "correlation_id",
            "details",
            "created_at",
        ],
        ids: &[("id", "audit"), ("person_id", AccountId::PREFIX)],
        withheld: &[
            "actor_id",
            "origin_commitment",
            "facts_commitment",
            "previous",
            "hash",
        ],
        goes: Goes::Stays(CHAINED),
    },
    PersonalTable {
        table: "submissions",
        key: ID,
        whose: "k.submitted_by = $1 or k.artist_id = (select id from artists where account_id = $1)",
        shown: &[
            "id",
            "track_id",
            "artist_id",
            "submitted_by",
            "status",
            "audio_id",
            "new_title",
            "new_sort_title",
            "new_cover_id",
            "failure",
            "note",
            "review_note",
            "reviewed_at",
            "created_at",
            "updated_at",
        ],
        ids: &[
            ("id", "submission"),
            ("track_id", "track"),
            ARTIST,
            ("submitted_by", AccountId::PREFIX),
            AUDIO,
            ("new_cover_id", IMAGE),
        ],
        // Who reviewed it is somebody else.
        withheld: &["reviewed_by"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "tracks",
        key: ID,
        whose: OF_ARTIST,
        shown: &[
            "id",
            "artist_id",
            "album_id",
            "track_number",
            "genre_id",
            "title",
            "sort_title",
            "is_explicit",
            "isrc",
            "status",
            "duration_ms",
            "play_count",
            "published_at",
            "created_at",
            "updated_at",
            "cover_id",
            "audio_id",
            "artist_is_shown",
        ],
        ids: &[
            ("id", "track"),
            ARTIST,
            ("album_id", "album"),
            ("cover_id", IMAGE),
            AUDIO,
        ],
        withheld: &[],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "audios",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "content_type",
            "byte_size",
            "received_at",
            "scanned_at",
            "measured_at",
            "codec",
            "duration_ms",
            "sample_rate_hz",
            "channels",
            "bitrate_kbps",
            "loudness_lufs",
            "true_peak_dbtp",
            "checked_at",
            "damaged_at",
            "check_at",
        ],
        ids: &[("id", "audio"), ACCOUNT],
        withheld: &["sha256", "peaks"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "direct_uploads",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "status",
            "byte_size",
            "part_size",
            "failure",
            "claimed_at",
            "created_at",
            "expires_at",
        ],
        ids: &[("id", "direct_upload"), ACCOUNT],
        withheld: &["handle", "sha256"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "albums",
        key: ID,
        whose: OF_ARTIST,
        shown: &[
            "id",
            "artist_id",
            "title",
            "kind",
            "released_on",
            "created_at",
            "updated_at",
            "cover_id",
        ],
        ids: &[("id", "album"), ARTIST, ("cover_id", IMAGE)],
        withheld: &[],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "artists",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "slug",
            "name",
            "sort_name",
            "biography",
            "links",
            "created_at",
            "updated_at",
            "account_id",
            "is_shown",
            "image_id",
        ],
        ids: &[("id", "artist"), ACCOUNT, ("image_id", IMAGE)],
        withheld: &[],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "images",
        key: ID,
        whose: OF_ACCOUNT,
        shown: &[
            "id",
            "account_id",
            "content_type",
            "byte_size",
            "width",
            "height",
            "received_at",
            "checked_at",
            "damaged_at",
            "check_at",
        ],
        ids: &[("id", IMAGE), ACCOUNT],
        withheld: &["sha256", "thumb_hash"],
        goes: Goes::Deleted,
    },
    PersonalTable {
        table: "accounts",
        key: ID,
        whose: "k.id = $1",
        shown: &[
            "id",
            "email",
            "email_key",
            "display_name",
            "roles",
            "tier",
            "status",
            "email_verified_at",
            "totp_begun_at",
            "two_factor_at",
            "created_at",
            "updated_at",
            "search_text",
            "search_letters",
            "erase_at",
            "avatar_id",
        ],
        ids: &[("id", AccountId::PREFIX), ("avatar_id", IMAGE)],
        withheld: &["password_hash", "totp_secret", "totp_last_step"],
        goes: Goes::Deleted,
    },
];

const OF_TRAIL: &str = "k.actor_id = $1 or k.person_id = $1 or k.subject_id in ($2, $3)";

const CHAINED: &str = "what happened stays in one chain that can be verified; what was personal in it stood apart, and an id \
                       that nothing knows any more is nobody's";

/// Tables that may say something of a person in another way, and what becomes of that.
pub const OTHER_TRACES: &[(&str, &str)] = &[
    (
        "jobs",
        "mails that wait or were given up: what speaks of somebody who is erased is deleted, and an archive leaves out what is gone \
         once it is sent",
    ),
    (
        "gone_files",
        "which files of theirs are to be deleted, a day after their rows",
    ),
];

impl PersonalTable {
    /// The condition, cut where values stand in it: each piece of text, and which value follows.
    pub fn whose_in_pieces(&self) -> impl Iterator<Item = (&'static str, Option<Whose>)> {
        let mut rest = Some(self.whose);
        std::iter::from_fn(move || {
            let text = rest?;
            let Some((before, behind)) = text.split_once('$') else {
                rest = None;
                return Some((text, None));
            };
            let value = match behind.get(..1) {
                Some("1") => Whose::Id,
                Some("2") => Whose::Account,
                _ => Whose::User,
            };
            rest = behind.get(1..);
            Some((before, Some(value)))
        })
    }
}

/// What an account goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Id,
    Account,
    User,
}

impl Whose {
    /// As text, where it is one.
    pub fn text(self, account: AccountId) -> String {
        match self {
            Self::Id => account.0.to_string(),
            Self::Account => account.to_string(),
            Self::User => UserId(account.0).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_has_its_values_where_they_stand() {
        let table = PersonalTable {
            whose: OF_TRAIL,
            ..PERSONAL_TABLES[0]
        };
        let pieces: Vec<_> = table.whose_in_pieces().collect();
        assert_eq!(
            pieces,
            [
                ("k.actor_id = ", Some(Whose::Id)),
                (" or k.person_id = ", Some(Whose::Id)),
                (" or k.subject_id in (", Some(Whose::Account)),
                (", ", Some(Whose::User)),
                (")", None),
            ]
        );
    }
}
