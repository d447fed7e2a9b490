//! Texts that people write, of more than a line.

use unicode_normalization::UnicodeNormalization;

use crate::accounts::is_hidden;

/// Longer than it may be, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// A text as it is kept: composed (NFC), its lines ended alike, without control characters and without blanks around it. One of
/// which nothing can be seen is empty.
pub fn prose(text: &str, longest: usize) -> Result<String, TooLong> {
    // What is put together takes at most this many bytes a character.
    if text.len() > 16 * longest {
        return Err(TooLong);
    }
    let text: String = text
        .replace("\r\n", "\n")
        .replace('\r', "\n")
        .nfc()
        .filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'))
        .collect();
    let mut text = text.trim();
    if text
        .chars()
        .all(|letter| letter.is_whitespace() || is_hidden(letter))
    {
        text = "";
    }
    match text.chars().count() <= longest {
        true => Ok(text.to_owned()),
        false => Err(TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_as_it_is_meant() {
        assert_eq!(prose(" one\r\ntwo\u{0}\u{7f} \n", 80).unwrap(), "one\ntwo");
        assert_eq!(
            prose("one\rtwo\r\n\r\nthree\tfour", 80).unwrap(),
            "one\ntwo\n\nthree\tfour"
        );
        assert_eq!(prose("Bjo\u{308}rk", 5).unwrap(), "Björk");
        assert_eq!(prose("\u{1}\n ", 5).unwrap(), "");
        assert_eq!(prose("\u{200b} \u{2060}", 5).unwrap(), "");
        assert_eq!(prose("👩\u{200d}🎤", 5).unwrap(), "👩\u{200d}🎤");
    }

    #[test]
    fn a_text_is_as_long_as_it_has_characters() {
        assert_eq!(prose(&"😀".repeat(5), 5).unwrap().chars().count(), 5);
        assert_eq!(prose(&"😀".repeat(6), 5), Err(TooLong));
        assert_eq!(prose(&format!("{}a", " ".repeat(10_000)), 5), Err(TooLong));
    }
}
