//! The words of the list of accounts: what it is held to, how it is ordered, and what it is searched for.

use chrono::{DateTime, Utc};
use diesel::Queryable;
use diesel::sql_types::Text;
use unicode_normalization::UnicodeNormalization;

use super::model::{Account, AccountSql, Role, Status, Tier};
use crate::db::keyset::{Direction, Position, SortValue};

/// What a list of accounts is held to. Everything left out is no restriction.
#[derive(Debug, Clone, Default)]
pub struct AccountFilter {
    pub term: Option<Term>,
    /// Any of these; none at all matches nothing.
    pub roles: Option<Vec<Role>>,
    pub statuses: Option<Vec<Status>>,
    pub tiers: Option<Vec<Tier>>,
    pub created_after: Option<DateTime<Utc>>,
    pub created_before: Option<DateTime<Utc>>,
}

impl AccountFilter {
    /// Whether it is known without a look that there is no such account.
    pub fn matches_nothing(&self) -> bool {
        self.roles.as_ref().is_some_and(Vec::is_empty)
            || self.statuses.as_ref().is_some_and(Vec::is_empty)
            || self.tiers.as_ref().is_some_and(Vec::is_empty)
    }

    /// Roles that not everybody has.
    pub fn rare_roles(&self) -> Option<&[Role]> {
        self.roles
            .as_deref()
            .filter(|roles| !roles.contains(&Role::Listener))
    }
}

/// A part of a name or of an address, without case and accents, as the column `search_text` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term(String);

/// Letters of the longest address.
const LONGEST_TERM: usize = 320;

/// Letters in a row that the index looks up.
const LOOKED_UP: usize = 3;

/// Why nothing can be looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TermFault {
    #[error("no name and no address is longer than {LONGEST_TERM} letters.")]
    TooLong,
    #[error("no name and no address holds characters that can't be seen.")]
    Control,
}

impl Term {
    /// None where there is nothing in it to look for.
    pub fn parse(text: &str) -> Result<Option<Self>, TermFault> {
        // What is put together takes at most this many bytes a letter.
        if text.len() > 4 * LONGEST_TERM || text.chars().count() > LONGEST_TERM {
            return Err(TermFault::TooLong);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let text = words.join(" ");
        if text.chars().any(char::is_control) {
            return Err(TermFault::Control);
        }
        let folded: String = text
            .nfkd()
            .filter(|letter| !('\u{300}'..='\u{36f}').contains(letter))
            .collect();
        Ok((!folded.is_empty()).then_some(Self(folded)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// For `like` too, of the column `search_letters`: without ASCII's signs and spaces. None where the index knows none of it.
    ///
    /// Of an address' host no more than it begins with. Hosts are few, and whatever many accounts hold is compared with
    /// each that holds the rest.
    pub fn letters(&self) -> Option<String> {
        let letters = match self.0.split_once('@') {
            Some((person, host)) if kept(person).count() >= LOOKED_UP => {
                kept(person).chain(kept(host).take(LOOKED_UP)).collect()
            }
            _ => kept(&self.0).collect::<String>(),
        };
        (letters.chars().count() >= LOOKED_UP).then(|| format!("%{letters}%"))
    }

    /// For `like`, once it is in lower case: what that is, is PostgreSQL's to say, as it was for the column.
    pub fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 2);
        pattern.push('%');
        for letter in self.0.chars() {
            if matches!(letter, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern.push('%');
        pattern
    }
}

fn kept(text: &str) -> impl Iterator<Item = char> {
    text.chars()
        .filter(|letter| !letter.is_ascii() || letter.is_ascii_alphanumeric())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccountOrderField {
    CreatedAt,
    DisplayName,
    Email,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccountOrder {
    pub field: AccountOrderField,
    pub direction: Direction,
}

/// An account as the list found it.
#[derive(Debug, Clone, Queryable)]
pub struct Listed {
    pub account: Account,
    pub search_text: String,
}

pub type ListedSql = (AccountSql, Text);

impl AccountOrder {
    pub const NEWEST: Self = Self {
        field: AccountOrderField::CreatedAt,
        direction: Direction::Descending,
    };

    /// Where an account stands in this order.
    pub fn position(self, listed: &Listed) -> Position {
        let account = &listed.account;
        Position {
            value: match self.field {
                AccountOrderField::CreatedAt => SortValue::Time(account.created_at),
                AccountOrderField::DisplayName => SortValue::Text(listed.search_text.clone()),
                AccountOrderField::Email => SortValue::Text(account.email_key.clone()),
            },
            id: account.id.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Option<String> {
        Term::parse(text).unwrap().map(|term| term.pattern())
    }

    #[test]
    fn what_is_looked_for_is_a_part_and_nothing_in_it_is_a_pattern() {
        assert_eq!(pattern("  ana   BERG "), Some("%ana BERG%".into()));
        assert_eq!(pattern(r"100%_\"), Some(r"%100\%\_\\%".into()));
        // It is taken apart first, and what it is made of may mean something.
        assert_eq!(pattern("％＿＼"), Some(r"%\%\_\\%".into()));
        assert_eq!(pattern("Björk"), pattern("Bjo\u{308}rk"));
        assert_eq!(pattern("Björk"), Some("%Bjork%".into()));
    }

    #[test]
    fn what_is_looked_up_is_letters_in_a_row() {
        let letters = |text: &str| Term::parse(text).unwrap().unwrap().letters();
        assert_eq!(letters("ana.b@ex.org"), Some("%anabexo%".into()));
        assert_eq!(letters("山田山@山.org"), Some("%山田山山or%".into()));
        assert_eq!(letters("ana@"), Some("%ana%".into()));
        // Where the person is hardly anything, the host says more.
        assert_eq!(letters("an@ex.org"), Some("%anexorg%".into()));
        assert_eq!(letters("@rare.org"), Some("%rareorg%".into()));
        assert_eq!(letters(r" a-B_c%\ "), Some("%aBc%".into()));
        assert_eq!(letters("山田山"), Some("%山田山%".into()));
        for few in ["ab", "a@b", "山田", "@@@@"] {
            assert_eq!(letters(few), None, "{few}");
        }
        // As the migration has it.
        let up = include_str!("../../migrations/2026-11-27-000005_admin/up.sql");
        let (_, from) = up.split_once("320), E'").unwrap();
        let (signs, _) = from.split_once("', '')").unwrap();
        let signs = signs.replace("''", "'").replace(r"\\", r"\");
        let all: String = ('\u{20}'..='\u{7e}')
            .filter(|sign| !sign.is_ascii_alphanumeric())
            .collect();
        assert_eq!(signs, all);
    }

    #[test]
    fn where_nothing_is_left_nothing_is_asked_for() {
        for blank in ["", " ", "\t\n", "\u{301}"] {
            assert_eq!(pattern(blank), None, "{blank:?}");
        }
    }

    #[test]
    fn what_no_name_and_no_address_can_be_is_refused() {
        let refused = |text: &str| Term::parse(text).unwrap_err();
        assert_eq!(refused(&"ä".repeat(321)), TermFault::TooLong);
        assert_eq!(refused(&" ".repeat(100_000)), TermFault::TooLong);
        assert!(Term::parse(&"😀".repeat(320)).is_ok());
        assert_eq!(refused("a\0b"), TermFault::Control);
        assert_eq!(refused("\u{7f}"), TermFault::Control);
    }
}
