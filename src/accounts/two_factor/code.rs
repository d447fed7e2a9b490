//! What somebody types to show a second factor.

use secrecy::{ExposeSecret, SecretString};

use crate::accounts::secret::RecoveryCode;

const DIGITS: usize = 6;
/// Bytes beyond which nobody typed it.
const ABSURD: usize = 200;

pub enum Code {
    /// Six digits, of an authenticator.
    OneTime(SecretString),
    Recovery(RecoveryCode),
}

impl Code {
    /// None for what can be neither. Spaces and dashes are for people, wherever they stand.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let text = text.expose_secret();
        if text.len() > ABSURD {
            return None;
        }
        let kept = text.chars().filter(|letter| !sets_apart(*letter));
        let kept = SecretString::from(kept.collect::<String>());
        let letters = kept.expose_secret();
        match letters.len() {
            DIGITS if letters.bytes().all(|letter| letter.is_ascii_digit()) => {
                Some(Self::OneTime(kept))
            }
            _ => RecoveryCode::parse(letters).map(Self::Recovery),
        }
    }
}

/// Also the dashes that phones make of two, or of one.
fn sets_apart(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<String> {
        Some(match Code::parse(&text.into())? {
            Code::OneTime(digits) => digits.expose_secret().to_owned(),
            Code::Recovery(code) => code.text().expose_secret().to_owned(),
        })
    }

    #[test]
    fn spaces_dashes_and_case_are_for_people() {
        for text in [
            "012345",
            " 012 345\n",
            "012-345",
            "01\u{a0}23\u{2009}45",
            "012–345",
        ] {
            assert_eq!(kind(text).as_deref(), Some("012345"), "{text}");
        }
        for text in [
            "7kq2-m9xa-0b1c-z5yt",
            "7KQ2M9XA0B1CZ5YT",
            " 7kq2 m9xa 0b1c z5yt ",
            "7kq2—m9xa‐0b1c−z5yt",
            // What is read for a nought or a one.
            "7kq2-m9xa-Ob1c-z5yt",
            "7kq2-m9xa-obIc-z5yt",
            "7kq2-m9xa-oblc-z5yt",
        ] {
            assert_eq!(kind(text).as_deref(), Some("7kq2-m9xa-0b1c-z5yt"), "{text}");
        }
    }

    #[test]
    fn what_is_neither_is_none() {
        let long = " ".repeat(195) + "012345";
        for text in [
            "",
            "-",
            "01234",
            "0123456",
            "+12345",
            "٠١٢٣٤٥",
            "01234a",
            "7kq2-m9xa-0b1c-z5y",
            "7kq2-m9xa-0b1c-z5yt-0",
            "7kq2-m9xa-0b1c-z5yu",
            "7kq2-m9xa-0b1c-z5yé",
            &long,
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }
}
