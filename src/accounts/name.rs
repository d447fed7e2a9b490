//! Names that people give themselves.
//!
//! A name is shown to others beside what its bearer says and in mails, so it must not carry anything to click, nor look
//! like what it is not. Apart from that it is as free as names are: `Dr. Dre`, `St.Vincent`, `will.i.am`, `!!!`, `山田`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::characters::{is_hidden, is_joiner, is_variation};

/// Characters of a name at most, counted as Unicode does after composition (NFC).
pub const LONGEST_NAME: usize = 80;

/// Bytes beyond which nobody needs to look closer.
const ABSURD: usize = 16 * LONGEST_NAME;

/// Accents that may stand on one another; no script needs more.
const MARKS: usize = 4;

/// Ends by which a name with a dot is taken for a host even without a path. Only those that hosts mostly have and names
/// hardly ever: `will.i.am` ends with a country, too.
const HOSTS: [&str; 27] = [
    "app", "biz", "click", "cloud", "club", "com", "dev", "edu", "gov", "info", "io", "link",
    "live", "net", "online", "org", "ru", "shop", "site", "space", "store", "top", "vip",
    "website", "xyz", "zip", "рф",
];

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DisplayName(String);

/// Why a name is refused, for whoever typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    #[error("A name is needed: 1 to 80 characters.")]
    Empty,
    #[error("A name has at most 80 characters.")]
    TooLong,
    #[error("A name is one line of characters that can be seen.")]
    Hidden,
    #[error("A name has at most four accents on one letter.")]
    Stacked,
    #[error("A name holds no e-mail address.")]
    Address,
    #[error("A name holds no link and no web address.")]
    Link,
}

impl DisplayName {
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let text = text.trim();
        if text.len() > ABSURD {
            return Err(NameFault::TooLong);
        }
        let text: String = text.nfc().collect();
        check_visible(&text)?;
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if name.is_empty() || name.chars().all(is_combining_mark) {
            return Err(NameFault::Empty);
        }
        if name.chars().count() > LONGEST_NAME {
            return Err(NameFault::TooLong);
        }
        check_unclickable(&name)?;
        Ok(Self(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

fn check_visible(text: &str) -> Result<(), NameFault> {
    let mut marks = 0;
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // A joiner is fine where it joins: between characters of an emoji, or of a script that knows it. Between Latin
        // letters it does nothing but make two names look like one.
        let joins = is_joiner(character)
            && [before, characters.peek().copied()].iter().all(|beside| {
                beside.is_some_and(|beside| {
                    !beside.is_ascii() && (is_variation(beside) || !is_hidden(beside))
                })
            });
        // So is a choice of form, where there are several; keycaps have theirs on digits.
        let chooses = is_variation(character)
            && before.is_some_and(|before| {
                before.is_ascii_digit() || !(before.is_ascii() || is_hidden(before))
            });
        if is_hidden(character) && !joins && !chooses {
            return Err(NameFault::Hidden);
        }
        marks = if is_combining_mark(character) {
            marks + 1
        } else {
            0
        };
        if marks > MARKS {
            return Err(NameFault::Stacked);
        }
        before = Some(character);
    }
    Ok(())
}

/// Compares what a reader, or the program that makes links of text, would take for letters: full-width ones too.
fn check_unclickable(name: &str) -> Result<(), NameFault> {
    let plain: String = name
        .nfkc()
        .map(|character| if character == '。' { '.' } else { character })
        .flat_map(char::to_lowercase)
        .collect();
    let schemes = ["://", "http:", "https:", "javascript:"];
    if schemes.iter().any(|scheme| plain.contains(scheme)) {
        return Err(NameFault::Link);
    }
    for word in plain.split(|character: char| {
        character.is_whitespace() || "\"'()[]{}<>,;|„“”«»".contains(character)
    }) {
        if is_address(word) {
            return Err(NameFault::Address);
        }
        if is_link(word) {
            return Err(NameFault::Link);
        }
    }
    Ok(())
}

/// `name@host.example`; an `@` alone is a letter to some (`M@tt`).
fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, host)| {
        !local.is_empty()
            && host
                .split_once('.')
                .is_some_and(|(first, rest)| !first.is_empty() && !rest.is_empty())
    })
}

fn is_link(word: &str) -> bool {
    if word.starts_with("www.") || word.starts_with("mailto:") {
        return true;
    }
    let word = word.trim_start_matches('@');
    let end = word.find(['/', ':', '?', '#']).unwrap_or(word.len());
    let (host, rest) = word.split_at(end);
    let host = host.trim_end_matches(['.', '!']);
    let mut labels = host.rsplit('.');
    let (Some(top), Some(second)) = (labels.next(), labels.next()) else {
        return false;
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|character| character.is_alphanumeric() || character == '-')
    };
    if !host.split('.').all(is_label)
        || top.chars().count() < 2
        || !top.chars().all(char::is_alphabetic)
    {
        return false;
    }
    let has_path = rest.len() > 1 || rest == "/";
    has_path || (HOSTS.contains(&top) && second.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_taken() {
        for name in [
            "Ada",
            "Dr. Dre",
            "St.Vincent",
            "will.i.am",
            "AC/DC",
            "!!!",
            "M@tt",
            "Ke$ha",
            "deadmau5",
            "J.Lo",
            "R.E.M.",
            "¥$",
            "Sunn O)))",
            "🏳️‍🌈",
            "❤\u{fe0f} Ada",
            "1\u{fe0f}\u{20e3}",
            "葛\u{e0100}城",
            "山田太郎",
            "Владимир",
            "عمر",
            "Nguyễn Văn A",
            "Zoë",
            "O'Hara",
            "a",
            "Mr. & Mrs. Smith",
            "DJ / Producer",
            "+/-",
            "Blink-182: Live",
            "👩‍🎤",
            "می‌خواهم",
            "क्‍ष",
            "S.O.S.",
            "I.O",
            "1.000 Robota",
            "Godspeed You! Black Emperor",
            "...And You Will Know Us",
            "Anne-Marie (she/her)",
            "24/7",
            "@ada",
        ] {
            let parsed = DisplayName::parse(name).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            assert_eq!(parsed.as_str(), name.nfc().collect::<String>());
        }
    }

    #[test]
    fn space_is_tidied_and_characters_composed() {
        let parsed = DisplayName::parse("  Ada \u{a0}\u{2003} Lovelace ").unwrap();
        assert_eq!(parsed.as_str(), "Ada Lovelace");
        assert_eq!(
            DisplayName::parse("Zoe\u{308}").unwrap(),
            DisplayName::parse("Zoë").unwrap()
        );
    }

    #[test]
    fn a_name_has_1_to_80_characters() {
        assert_eq!(DisplayName::parse(" \n "), Err(NameFault::Empty));
        assert_eq!(DisplayName::parse("\u{301}"), Err(NameFault::Empty));
        assert!(DisplayName::parse(&"ü".repeat(80)).is_ok());
        assert!(DisplayName::parse(&"u\u{308}".repeat(80)).is_ok());
        assert!(DisplayName::parse(&"🎹".repeat(80)).is_ok());
        assert_eq!(DisplayName::parse(&"ü".repeat(81)), Err(NameFault::TooLong));
        assert_eq!(
            DisplayName::parse(&"ü".repeat(1 << 20)),
            Err(NameFault::TooLong)
        );
    }

    #[test]
    fn what_can_not_be_seen_is_refused() {
        for name in [
            "Ada\nLovelace",
            "Ada\tL",
            "Ada\u{0}",
            "Ada\u{202e}ecalevoL",
            "A\u{200b}da",
            "A\u{200d}da",
            "A\u{fe0f}da",
            "\u{fe0f}",
            "A\u{ad}da",
            "Ada\u{2066}",
            "\u{feff}Ada",
            "\u{3164}",
            "\u{2800}",
            "Ada\u{2028}L",
            "\u{200d}Ada",
            "Ada\u{e0041}",
            "\u{f8ff}",
            "\u{fffd}",
        ] {
            assert_eq!(DisplayName::parse(name), Err(NameFault::Hidden), "{name:?}");
        }
        let stacked = format!("Z{}algo", "\u{335}".repeat(5));
        assert_eq!(DisplayName::parse(&stacked), Err(NameFault::Stacked));
    }

    #[test]
    fn addresses_and_links_are_refused() {
        for name in [
            "ada@example.org",
            "Ada <ada@example.org>",
            "write ada@x.y",
            "ａｄａ＠ｅｘａｍｐｌｅ．ｏｒｇ",
        ] {
            assert_eq!(DisplayName::parse(name), Err(NameFault::Address), "{name}");
        }
        for name in [
            "http://spam.example",
            "See HTTPS://spam.example/x",
            "www.spam.example",
            "spam.example/free",
            "spam.example/",
            "t.me/spam",
            "(bit.ly/abc)",
            "Buy at shop.com",
            "SPAM.COM!",
            "free-music.net",
            "spam.example:8080",
            "spam。com",
            "ｓｐａｍ．ｃｏｍ",
            "spam.example?x=1",
            "a.b.co.uk/x",
            "mailto:ada",
            "ftp://x",
            "beats.xyz",
        ] {
            assert_eq!(DisplayName::parse(name), Err(NameFault::Link), "{name}");
        }
    }
}
