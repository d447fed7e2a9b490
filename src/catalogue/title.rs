//! What tracks and albums are called.

use unicode_normalization::UnicodeNormalization;

use crate::accounts::{is_hidden, turns_text};

/// In characters.
pub const LONGEST_TITLE: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TitleFault {
    #[error("A title is needed.")]
    Empty,
    #[error("A title has at most {LONGEST_TITLE} characters.")]
    TooLong,
    #[error("A title holds no characters that turn the direction of text.")]
    Turned,
}

/// A title as it is kept: one line, composed (NFC), with single spaces and no control characters, and something in it to be
/// seen.
pub fn title(text: &str) -> Result<String, TitleFault> {
    // What is put together takes at most this many bytes a character.
    if text.len() > 16 * LONGEST_TITLE {
        return Err(TitleFault::TooLong);
    }
    if text.chars().any(turns_text) {
        return Err(TitleFault::Turned);
    }
    let blank = |letter: char| match letter.is_control() {
        true => ' ',
        false => letter,
    };
    let text: String = text.chars().map(blank).nfc().collect();
    let title = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if title
        .chars()
        .all(|letter| letter == ' ' || is_hidden(letter))
    {
        return Err(TitleFault::Empty);
    }
    match title.chars().count() <= LONGEST_TITLE {
        true => Ok(title),
        false => Err(TitleFault::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(title("  One\r\n\ttwo \u{0}").unwrap(), "One two");
        assert_eq!(title("Bjo\u{308}rk").unwrap(), "Björk");
        assert_eq!(
            title("One\u{0}two\u{85}\u{1} three").unwrap(),
            "One two three"
        );
        for empty in [
            "",
            " \n ",
            "\u{0}\u{7f}",
            " \u{1} ",
            "\u{200b}",
            "\u{ad} \u{2060}",
            "\u{3164}\u{2800}",
        ] {
            assert_eq!(title(empty), Err(TitleFault::Empty), "{empty:?}");
        }
        // Joiners are part of how some things are written.
        for whole in ["👩\u{200d}🎤", "می\u{200c}خواهم", "1\u{fe0f}\u{20e3}"] {
            assert_eq!(title(whole).unwrap(), whole);
        }
    }

    #[test]
    fn nothing_in_a_title_turns_what_stands_behind_it() {
        for turned in ["\u{202e}live", "Dusk\u{2066}", "\u{200f}", "a\u{61c}b"] {
            assert_eq!(title(turned), Err(TitleFault::Turned), "{turned:?}");
        }
        assert_eq!(title("שלום (live)").unwrap(), "שלום (live)");
    }

    #[test]
    fn a_title_is_as_long_as_it_has_characters() {
        assert!(title(&"😀".repeat(200)).is_ok());
        assert_eq!(title(&"😀".repeat(201)), Err(TitleFault::TooLong));
        assert_eq!(title(&"a".repeat(100_000)), Err(TitleFault::TooLong));
    }
}
