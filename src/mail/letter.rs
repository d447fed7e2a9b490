//! How every mail looks: a greeting, a few paragraphs, at most one link, what is known of what happened, and who sent
//! it. The same words as text and as HTML. Nothing is loaded from anywhere and nobody is told that it was read.

use askama::Template;
use url::Url;

use super::{Error, Message};

/// What mails have in common.
#[derive(Debug, Clone)]
pub struct Look {
    /// The service's name.
    pub brand: String,
    /// Where it is at home.
    pub home: Url,
}

/// A mail before it has its look.
#[derive(Default)]
pub struct Letter {
    pub subject: String,
    /// Who is greeted by name, where the name can't be taken for anything else.
    pub name: Option<String>,
    pub paragraphs: Vec<String>,
    /// What the link does, and where it leads.
    pub link: Option<(&'static str, Url)>,
    /// Whom and what: "When", "26 November 2026, 01:12 UTC".
    pub facts: Vec<(&'static str, String)>,
    /// After all that: what to do if it was somebody else.
    pub closing: Vec<String>,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'l> {
    letter: &'l Letter,
    greeting: &'l str,
    look: &'l Look,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'l> {
    letter: &'l Letter,
    greeting: &'l str,
    look: &'l Look,
}

impl Letter {
    /// `id` stays the same whenever the same mail is sent again.
    pub fn message(
        mut self,
        id: impl Into<String>,
        to: impl Into<String>,
        look: &Look,
    ) -> Result<Message, Error> {
        for (_, fact) in &mut self.facts {
            *fact = inert(fact);
        }
        let greeting = match self
            .name
            .as_deref()
            .filter(|name| !name.is_empty() && inert(name) == **name)
        {
            Some(name) => format!("Hello {name},"),
            None => "Hello,".to_owned(),
        };
        let (letter, greeting) = (&self, greeting.as_str());
        let text = Text {
            letter,
            greeting,
            look,
        }
        .render()
        .map_err(unwritten)?;
        let html = Html {
            letter,
            greeting,
            look,
        }
        .render()
        .map_err(unwritten)?;
        Ok(Message {
            id: id.into(),
            to: to.into(),
            subject: self.subject,
            text,
            html,
        })
    }
}

fn unwritten(error: askama::Error) -> Error {
    Error::Lasting(format!("it could not be written: {error}"))
}

/// What somebody else wrote, as it may stand in a mail of ours: one line of bounded length that no mail program makes a
/// link of. Mail programs make links of what only looks like an address, even where it was escaped.
pub fn inert(text: &str) -> String {
    const LONGEST: usize = 200;
    let letters: Vec<char> = text
        .chars()
        .map(|c| {
            if c.is_control() || c.is_whitespace() {
                ' '
            } else {
                c
            }
        })
        .filter(|c| !is_invisible(*c))
        .take(LONGEST)
        .collect();
    let joins = |at: usize| {
        let is_word = |at: Option<usize>| {
            at.and_then(|at| letters.get(at))
                .is_some_and(|c| c.is_alphanumeric())
        };
        let is_digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
        // A version's dots lead nowhere as long as digits stand on both sides; an address of numbers is no secret.
        is_word(at.checked_sub(1))
            && is_word(Some(at + 1))
            && !(at > 0 && is_digit(at - 1) && is_digit(at + 1))
    };
    let made: String = letters
        .iter()
        .enumerate()
        .map(|(at, c)| match c {
            '/' | '\\' | '@' | '<' | '>' => ' ',
            ':' if letters.get(at + 1) == Some(&'/') => ' ',
            '.' | '。' | '．' | '｡' if joins(at) => ' ',
            c => *c,
        })
        .collect();
    made.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Letters without a shape, some of which turn the line around.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look() -> Look {
        Look {
            brand: "Empulse".into(),
            home: "https://www.example.org/".parse().unwrap(),
        }
    }

    #[test]
    fn the_text_and_the_html_say_the_same() {
        let letter = Letter {
            subject: "Confirm".into(),
            name: Some("Ana <b>".into()),
            paragraphs: vec!["Tea & cake for \"you\".".into()],
            link: Some((
                "Confirm it",
                "https://api.example.org/verify?token=abc".parse().unwrap(),
            )),
            facts: vec![("Device", "Firefox 128.0 <script>".into())],
            closing: vec!["Not you? Do nothing.".into()],
        };
        let message = letter
            .message("mail_1", "ana@example.org", &look())
            .unwrap();
        let text = "Hello,\n\nTea & cake for \"you\".\n\nConfirm it:\nhttps://api.example.org/verify?token=abc\n\n\
                    Device: Firefox 128.0 script\n\nNot you? Do nothing.\n\n-- \nEmpulse, https://www.example.org/";
        assert_eq!(message.text, text);
        for part in [
            "Hello,",
            "Tea &#38; cake for &#34;you&#34;.",
            "href=\"https://api.example.org/verify?token=abc\"",
            "Firefox 128.0 script",
            "Not you? Do nothing.",
        ] {
            assert!(message.html.contains(part), "{part}: {}", message.html);
        }
        assert!(!message.html.contains("<script") && !message.html.contains("src="));
    }

    #[test]
    fn what_others_wrote_leads_nowhere() {
        for (text, wanted) in [
            ("Ana", "Ana"),
            ("J. R. Smith", "J. R. Smith"),
            ("Zoë O'Hara-Ng", "Zoë O'Hara-Ng"),
            ("see https://evil.example/x", "see https evil example x"),
            ("www.evil.example", "www evil example"),
            ("evil。example", "evil example"),
            ("ana@evil.example", "ana evil example"),
            ("two\r\nlines\u{2028}here", "two lines here"),
            ("\u{202e}elpmaxe", "elpmaxe"),
            ("Mozilla/5.0 (X11; Linux)", "Mozilla 5.0 (X11; Linux)"),
            ("2001:db8::1", "2001:db8::1"),
            ("203.0.113.7", "203.0.113.7"),
        ] {
            assert_eq!(inert(text), wanted, "{text:?}");
        }
        assert_eq!(inert(&"x".repeat(1_000)).len(), 200);
    }
}
