//! The archive of all that is kept about somebody: one JSON document, written row by row, so that it takes the same memory
//! however much there is. Its shape is public, and has a version.

use std::slice;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::Stream;
use futures_util::stream::try_unfold;
use serde_json::{Map, Value, json};

use super::tables::{PERSONAL_TABLES, PersonalTable};
use crate::accounts::model::AccountId;
use crate::accounts::store;
use crate::db::{Db, Error, id};

/// Goes up when what a program reads it by changes: not for a section or a field that is new.
const VERSION: u32 = 1;

/// The document, piece by piece.
pub fn archive(
    db: &Db,
    account: AccountId,
    now: DateTime<Utc>,
) -> impl Stream<Item = Result<Bytes, Error>> {
    let archive = Archive {
        db,
        account,
        next: Some(Piece::Head(now)),
        sections: PERSONAL_TABLES.iter(),
    };
    try_unfold(archive, |mut archive| async move {
        Ok(archive.piece().await?.map(|piece| (piece, archive)))
    })
}

struct Archive<'d> {
    db: &'d Db,
    account: AccountId,
    next: Option<Piece>,
    sections: slice::Iter<'static, PersonalTable>,
}

enum Piece {
    Head(DateTime<Utc>),
    Rows {
        section: &'static PersonalTable,
        /// The last row that was written, by its key.
        behind: Option<String>,
        is_first: bool,
    },
}

impl Archive<'_> {
    async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let (text, more) = match self.next.take() {
            None => return Ok(None),
            Some(Piece::Head(now)) => (self.head(now), None),
            Some(Piece::Rows {
                section,
                behind,
                is_first,
            }) => {
                let rows = store::personal_rows(self.db, section, self.account, behind).await?;
                let is_last = rows.len() < store::SOME_ROWS;
                let last = rows.last().map(|(key, _)| key.clone());
                let mut text = String::new();
                let mut between = if is_first { "\n" } else { ",\n" };
                for (_, row) in rows {
                    text.push_str(between);
                    text.push_str(&as_shown(section, row).to_string());
                    between = ",\n";
                }
                let more = (!is_last).then_some(Piece::Rows {
                    section,
                    behind: last,
                    is_first: false,
                });
                if is_last {
                    text.push_str("\n]");
                }
                (text, more)
            }
        };
        Ok(Some(self.go_on(text, more)))
    }

    fn head(&self, now: DateTime<Utc>) -> String {
        let now = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (format, account) = (json!("empulse-export"), json!(self.account.to_string()));
        format!(
            "{{\"format\":{format},\"version\":{VERSION},\"madeAt\":{},\"account\":{account},\"sections\":{{\n",
            json!(now),
        )
    }

    /// The piece, with the beginning of the next section or the end of the document behind it.
    fn go_on(&mut self, mut text: String, more: Option<Piece>) -> Bytes {
        self.next = more;
        if self.next.is_none() {
            let between = if text.ends_with(']') { ",\n" } else { "" };
            match self.sections.next() {
                Some(section) => {
                    text.push_str(between);
                    text.push_str(&format!("{}:[", json!(camel(section.table))));
                    self.next = Some(Piece::Rows {
                        section,
                        behind: None,
                        is_first: true,
                    });
                }
                None => text.push_str("\n}}\n"),
            }
        }
        text.into()
    }
}

/// A row as the API would say it: names in its manner, ids with their prefix.
fn as_shown(section: &PersonalTable, row: Value) -> Value {
    let Value::Object(row) = row else {
        return row;
    };
    let shown = row.into_iter().map(|(column, value)| {
        let prefix = section.ids.iter().find(|(id, _)| *id == column);
        let typed = prefix.and_then(|(_, prefix)| id::typed(prefix, value.as_str()?.parse().ok()?));
        (camel(&column), typed.map_or(value, Value::String))
    });
    Value::Object(shown.collect::<Map<_, _>>())
}

/// `user_agent` as `userAgent`.
fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn names_are_in_the_manner_of_the_api() {
        for (column, name) in [
            ("id", "id"),
            ("user_agent", "userAgent"),
            ("has_password_hash", "hasPasswordHash"),
            ("sign_in_failures", "signInFailures"),
        ] {
            assert_eq!(camel(column), name);
        }
    }

    #[test]
    fn every_id_has_a_prefix_that_ids_can_have() {
        for table in PERSONAL_TABLES {
            for (column, prefix) in table.ids {
                assert!(table.shown.contains(column), "{}.{column}", table.table);
                let id = Uuid::from_u128(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);
                let typed = id::typed(prefix, id).unwrap();
                assert_eq!(typed, format!("{prefix}_01h2xcejqtf2nbrexx3vqjhp41"));
                let row = json!({ *column: id, "other": id });
                let shown = as_shown(table, row);
                assert_eq!(
                    shown,
                    json!({ camel(column): typed, "other": id.to_string() })
                );
            }
        }
    }

    #[test]
    fn no_column_is_both_shown_and_withheld() {
        for table in PERSONAL_TABLES {
            for column in table.withheld {
                assert!(!table.shown.contains(column), "{}.{column}", table.table);
            }
        }
    }
}
