//! Cursors: a row's place in one order, as an opaque text that says of which order it is.
//!
//! A cursor holds nothing that its reader has not just been shown. It is checked, not signed: whoever makes one up gets
//! a page of what everybody may see, from a place of their choice.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::error::ApiError;
use crate::accounts::{AccountOrder, AccountOrderField};
use crate::catalogue::{ArtistOrder, ArtistOrderField, TrackOrder, TrackOrderField};
use crate::db::keyset::{Direction, Position, SortValue};

/// The orders that there are cursors of. The numbers stand in cursors that clients keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    Tracks(TrackOrder),
    Artists(ArtistOrder),
    AlbumsOfArtist,
    TracksOfAlbum,
    TracksOfAccount,
    AuditLog,
    Accounts(AccountOrder),
    Submissions,
    SubmissionsOfAccount,
}

/// From year 1 to 9999, in microseconds.
const TIMES: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;
const VERSION: u8 = 1;
const CHECK: usize = 4;
/// Longer than any that we make.
const LONGEST: usize = 4_096;

impl List {
    fn tag(self) -> u8 {
        let (list, direction) = match self {
            Self::Tracks(order) => (
                match order.field {
                    TrackOrderField::PublishedAt => 0x10,
                    TrackOrderField::PlayCount => 0x12,
                    TrackOrderField::Title => 0x14,
                },
                order.direction,
            ),
            Self::Artists(order) => (
                match order.field {
                    ArtistOrderField::CreatedAt => 0x20,
                    ArtistOrderField::Name => 0x22,
                },
                order.direction,
            ),
            Self::AlbumsOfArtist => (0x30, Direction::Descending),
            Self::TracksOfAlbum => (0x40, Direction::Ascending),
            Self::TracksOfAccount => (0x90, Direction::Descending),
            Self::AuditLog => (0x50, Direction::Descending),
            Self::Accounts(order) => (
                match order.field {
                    AccountOrderField::CreatedAt => 0x60,
                    AccountOrderField::DisplayName => 0x62,
                    AccountOrderField::Email => 0x64,
                },
                order.direction,
            ),
            Self::Submissions => (0x80, Direction::Ascending),
            Self::SubmissionsOfAccount => (0xb0, Direction::Descending),
        };
        list | u8::from(direction == Direction::Descending)
    }

    pub fn cursor(self, position: &Position) -> String {
        let mut bytes = vec![VERSION, self.tag()];
        bytes.extend_from_slice(position.id.as_bytes());
        match &position.value {
            SortValue::Time(time) => {
                bytes.push(b't');
                bytes.extend_from_slice(&time.timestamp_micros().to_be_bytes());
            }
            SortValue::Count(count) => {
                bytes.push(b'c');
                bytes.extend_from_slice(&count.to_be_bytes());
            }
            SortValue::Number(number) => {
                bytes.push(b'n');
                bytes.extend_from_slice(&number.to_be_bytes());
            }
            SortValue::Text(text) => {
                bytes.push(b's');
                bytes.extend_from_slice(text.as_bytes());
            }
        }
        let check = check(&bytes);
        bytes.extend_from_slice(&check);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn position(self, argument: &str, cursor: &str) -> Result<Position, ApiError> {
        let unknown = || {
            ApiError::BadRequest(format!(
                "{argument}: this is not a cursor; take one from `pageInfo` or an edge of the same list."
            ))
        };
        if cursor.len() > LONGEST {
            return Err(unknown());
        }
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(cursor)
            .map_err(|_| unknown())?;
        let (bytes, given) = bytes.split_last_chunk::<CHECK>().ok_or_else(unknown)?;
        if check(bytes) != *given {
            return Err(unknown());
        }
        let [VERSION, tag, rest @ ..] = bytes else {
            return Err(unknown());
        };
        if *tag != self.tag() {
            return Err(ApiError::BadRequest(format!(
                "{argument}: this cursor is of another list or order; begin again without it."
            )));
        }
        let (id, value) = rest.split_first_chunk::<16>().ok_or_else(unknown)?;
        let value = match value {
            [b't', micros @ ..] => micros
                .try_into()
                .ok()
                .map(i64::from_be_bytes)
                // PostgreSQL's range is narrower than that of the type that holds it here.
                .filter(|micros| TIMES.contains(micros))
                .and_then(DateTime::from_timestamp_micros)
                .map(SortValue::Time),
            [b'c', count @ ..] => count
                .try_into()
                .ok()
                .map(|count| SortValue::Count(i64::from_be_bytes(count))),
            [b'n', number @ ..] => number
                .try_into()
                .ok()
                .map(|number| SortValue::Number(i32::from_be_bytes(number))),
            [b's', text @ ..] => str::from_utf8(text)
                .ok()
                .filter(|text| !text.contains('\0'))
                .map(|text| SortValue::Text(text.to_owned())),
            _ => None,
        }
        .filter(|value| self.holds(value))
        .ok_or_else(unknown)?;
        Ok(Position {
            value,
            id: Uuid::from_bytes(*id),
        })
    }

    /// Whether a value is of the kind that this order sorts by: a made-up cursor must not reach the database as a
    /// statement that fails.
    fn holds(self, value: &SortValue) -> bool {
        match self {
            Self::Tracks(order) => match order.field {
                TrackOrderField::PublishedAt => matches!(value, SortValue::Time(_)),
                TrackOrderField::PlayCount => matches!(value, SortValue::Count(_)),
                TrackOrderField::Title => matches!(value, SortValue::Text(_)),
            },
            Self::Artists(order) => match order.field {
                ArtistOrderField::CreatedAt => matches!(value, SortValue::Time(_)),
                ArtistOrderField::Name => matches!(value, SortValue::Text(_)),
            },
            Self::AlbumsOfArtist
            | Self::TracksOfAccount
            | Self::AuditLog
            | Self::Submissions
            | Self::SubmissionsOfAccount => matches!(value, SortValue::Time(_)),
            Self::TracksOfAlbum => matches!(value, SortValue::Number(_)),
            Self::Accounts(order) => match order.field {
                AccountOrderField::CreatedAt => matches!(value, SortValue::Time(_)),
                AccountOrderField::DisplayName | AccountOrderField::Email => {
                    matches!(value, SortValue::Text(_))
                }
            },
        }
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::new_with_prefix(b"empulse cursor")
        .chain_update(bytes)
        .finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest[..CHECK]);
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_TITLE: List = List::Tracks(TrackOrder {
        field: TrackOrderField::Title,
        direction: Direction::Ascending,
    });

    fn position(value: SortValue) -> Position {
        Position {
            value,
            id: Uuid::from_u128(7),
        }
    }

    #[test]
    fn a_cursor_leads_back_to_its_place() {
        let time = DateTime::from_timestamp_micros(1_764_000_000_123_456).unwrap();
        for (list, value) in [
            (List::Tracks(TrackOrder::NEWEST), SortValue::Time(time)),
            (BY_TITLE, SortValue::Text("ängelhölm ✨".into())),
            (List::TracksOfAlbum, SortValue::Number(3)),
            (List::AlbumsOfArtist, SortValue::Time(time)),
            (List::TracksOfAccount, SortValue::Time(time)),
        ] {
            let place = position(value);
            assert_eq!(list.position("after", &list.cursor(&place)).unwrap(), place);
        }
    }

    #[test]
    fn a_cursor_of_another_order_is_refused_by_that_name() {
        let cursor = BY_TITLE.cursor(&position(SortValue::Text("a".into())));
        let error = List::Tracks(TrackOrder::NEWEST)
            .position("after", &cursor)
            .unwrap_err();
        assert!(
            error.to_string().contains("another list or order"),
            "{error}"
        );
    }

    #[test]
    fn what_was_altered_or_made_up_is_no_cursor() {
        let cursor = BY_TITLE.cursor(&position(SortValue::Text("a".into())));
        for index in 0..cursor.len() {
            let mut altered: Vec<u8> = cursor.clone().into_bytes();
            altered[index] = if altered[index] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert!(BY_TITLE.position("after", &altered).is_err(), "{altered}");
        }
        for text in ["", "x", "AAAA", "éé", &"A".repeat(10_000)] {
            assert!(BY_TITLE.position("after", text).is_err());
        }
        for micros in [i64::MIN, -200_000_000_000_000_000, 253_402_300_800_000_000] {
            let list = List::AlbumsOfArtist;
            let mut bytes = vec![VERSION, list.tag()];
            bytes.extend_from_slice(&[0; 16]);
            bytes.push(b't');
            bytes.extend_from_slice(&micros.to_be_bytes());
            bytes.extend_from_slice(&check(&bytes));
            let made_up = BASE64_URL_SAFE_NO_PAD.encode(bytes);
            assert!(list.position("after", &made_up).is_err(), "{micros}");
        }
        let wrong_kind = BY_TITLE.cursor(&position(SortValue::Count(1)));
        assert!(BY_TITLE.position("after", &wrong_kind).is_err());
    }
}
