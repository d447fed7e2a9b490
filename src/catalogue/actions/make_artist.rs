//! The artists of accounts that have become one.

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::accounts::{Account, DisplayName, LONGEST_NAME, Role};
use crate::catalogue::model::ArtistId;
use crate::catalogue::slug::slug;
use crate::catalogue::sort_key;
use crate::catalogue::store::{self, NewArtist};
use crate::db::{self, Tx};

/// So many are tried in turn where a name or an address is taken; then a number is drawn, as many are called so.
const IN_TURN: u32 = 10;
/// Far more than it takes: a transaction that holds an account must come to an end.
const MOST_TRIES: u32 = 100;

/// Makes the artist of an account that has become one, where there is none yet: named after the account, with a number
/// behind it where another is called so. Part of the transaction that gives the role and holds the account.
pub fn artist_of_account<'t>(
    tx: &'t mut Tx<'_>,
    account: &'t Account,
    now: DateTime<Utc>,
) -> BoxFuture<'t, Result<(), db::Error>> {
    async move {
        if !account.has(Role::Artist) || store::has_artist(tx, account.id).await? {
            return Ok(());
        }
        let id = ArtistId(Uuid::now_v7());
        let (mut of_name, mut of_slug) = (1, 1);
        for _ in 0..MOST_TRIES {
            let name = numbered(&account.display_name, of_name);
            let new = NewArtist {
                id,
                account: account.id,
                slug: slug(&name, of_slug),
                sort_name: sort_key(&name),
                name,
                created_at: now,
            };
            if store::insert_artist(tx, &new).await? {
                return Ok(());
            }
            let taken = store::taken(tx, &new).await?;
            if taken.account {
                return Ok(());
            }
            // Neither where it was let go of meanwhile.
            if taken.name {
                (of_name, of_slug) = (next(of_name), 1);
            } else if taken.slug {
                of_slug = next(of_slug);
            }
        }
        let reason = format!(
            "none of {MOST_TRIES} names is free for the artist of {}",
            account.id
        );
        Err(db::Error::Unavailable(reason))
    }
    .boxed()
}

fn next(number: u32) -> u32 {
    match number < IN_TURN {
        true => number + 1,
        false => rand::random_range(1_000..1_000_000_000),
    }
}

/// The name with a number behind it, unless that is the first.
fn numbered(name: &str, number: u32) -> String {
    if number == 1 {
        return name.to_owned();
    }
    let behind = format!(" {number}");
    let room = LONGEST_NAME - behind.len();
    let mut cut: String = name.chars().take(room).collect();
    loop {
        let whole = cut.trim_end().to_owned() + &behind;
        // What a cut leaves is a name too: no half of a letter, and no web address. Nor is the number cut off where names are
        // sorted and told apart, which take much room for some letters.
        if DisplayName::parse(&whole).is_ok() && sort_key(&whole).ends_with(&behind) {
            return whole;
        }
        if cut.pop().is_none() {
            return format!("Artist{behind}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_behind_the_name() {
        assert_eq!(numbered("Kim Doe", 1), "Kim Doe");
        assert_eq!(numbered("Kim Doe", 12), "Kim Doe 12");
    }

    #[test]
    fn a_name_with_a_number_is_one_still() {
        for name in [
            "ü".repeat(80),
            "👩‍🎤".repeat(26),
            "ab ".repeat(26),
            format!("{} spam.company", "a".repeat(67)),
            "Zoe\u{308}".repeat(19),
            // Eighteen letters each where names are sorted.
            "ﷺ".repeat(12),
            "ﷺ".repeat(80),
        ] {
            for number in [1, 2, 10, 999_999_999] {
                let numbered = numbered(&name, number);
                let parsed = DisplayName::parse(&numbered);
                let parsed = parsed.unwrap_or_else(|fault| panic!("{numbered}: {fault}"));
                let behind = format!(" {number}");
                assert!(number == 1 || parsed.as_str().ends_with(&behind));
                assert!(number == 1 || sort_key(parsed.as_str()).ends_with(&behind));
            }
        }
    }
}
