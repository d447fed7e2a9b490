//! What the mails of the catalogue say: what became of a track, and what its artist can do. What others wrote stands in
//! them as words alone.

use crate::accounts::{Addressee, Stationery, said};
use crate::mail::{Error, Letter, Message, inert};

/// What all of them are about.
pub struct About {
    pub title: String,
    /// What was to be another of a track that was published; none where it is about all of the track.
    pub change: Option<Change>,
}

pub struct Change {
    /// None where it is about the cover alone.
    pub title: Option<String>,
}

impl About {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("Track", self.title.clone())];
        let wanted = self.change.as_ref();
        let wanted = wanted.and_then(|change| change.title.clone());
        // Once it was approved the track has it.
        let wanted = wanted.filter(|title| *title != self.title);
        facts.extend(wanted.map(|title| ("New title", title)));
        facts
    }

    /// What is said of a whole track, or of a change.
    fn either(&self, track: &'static str, change: &'static str) -> &'static str {
        match self.change {
            None => track,
            Some(_) => change,
        }
    }
}

/// Something was handed in.
pub struct Received {
    pub about: About,
    /// Whether its file is still to be read.
    pub is_read: bool,
}

impl Received {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let next = match self.is_read {
            false => {
                "Its file is read next: that takes a few minutes. Then it waits for its review, and we write to you once \
                 somebody has decided."
            }
            true => "It waits for its review now, and we write to you once somebody has decided.",
        };
        let stays = "What everybody sees and hears stays as it is until somebody has decided; we write to you then.";
        let about = &self.about;
        let subject = about.either(
            "We have received your track",
            "We have received the change of your track",
        );
        let letter = Letter {
            subject: subject.into(),
            paragraphs: said(&["What you handed in has arrived.", about.either(next, stays)]),
            facts: self.about.facts(),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// The file can't be used, or nobody could read it.
pub struct Failed {
    pub about: About,
    /// None where the file may be a good one, and is read once more when it is asked for.
    pub reason: Option<String>,
}

impl Failed {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let (subject, paragraph) = match self.reason {
            Some(_) => (
                "The file of your track can't be used",
                "The file that you handed in can't be used, so nobody reviews it. Send another one for the same submission, \
                 and all else of it stays.",
            ),
            None => (
                "The file of your track could not be read",
                "The file that you handed in could not be read, which need not be its fault, so nobody reviews it yet. Hand the \
                 same submission in again without a file, and it is read once more.",
            ),
        };
        let mut facts = self.about.facts();
        facts.extend(self.reason.clone().map(|reason| ("Why", reason)));
        let letter = Letter {
            subject: subject.into(),
            paragraphs: said(&[paragraph]),
            facts,
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// A reviewer wants something to be otherwise.
pub struct ChangesRequested {
    pub about: About,
    pub note: String,
}

impl ChangesRequested {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let about = &self.about;
        let mut paragraphs = said(&[about.either(
            "Your track was reviewed, and something is to be changed before it can be published. This is what the reviewer wrote:",
            "The change of your track was reviewed, and something of it is to be otherwise; the track stays as it is until \
             then. This is what the reviewer wrote:",
        )]);
        paragraphs.extend(quoted(&self.note));
        let subject = about.either(
            "Your track needs changes",
            "The change of your track needs changes",
        );
        let closing = about.either(
            "Change it, and hand the same submission in again.",
            "Change the track once more: that is handed in by itself. Or hand the same submission in again as it is, and say why.",
        );
        let letter = Letter {
            subject: subject.into(),
            paragraphs,
            facts: about.facts(),
            closing: said(&[closing]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// It is out.
pub struct Approved {
    pub about: About,
    pub note: Option<String>,
}

impl Approved {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let about = &self.about;
        let mut paragraphs = said(&[about.either(
            "Your track was reviewed and approved. What you handed in is to be seen and heard by everybody now.",
            "The change of your track was reviewed and approved, and the track has it now.",
        )]);
        if let Some(note) = &self.note {
            paragraphs.extend(said(&["This is what the reviewer wrote:"]));
            paragraphs.extend(quoted(note));
        }
        let subject = about.either(
            "Your track was approved",
            "The change of your track was approved",
        );
        let letter = Letter {
            subject: subject.into(),
            paragraphs,
            facts: about.facts(),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// It is not to be published.
pub struct Rejected {
    pub about: About,
    pub note: String,
}

impl Rejected {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let about = &self.about;
        let mut paragraphs = said(&[about.either(
            "Your track was reviewed and rejected. This is what the reviewer wrote:",
            "The change of your track was reviewed and rejected; the track stays as it is. This is what the reviewer wrote:",
        )]);
        paragraphs.extend(quoted(&self.note));
        let subject = about.either(
            "Your track was rejected",
            "The change of your track was rejected",
        );
        let letter = Letter {
            subject: subject.into(),
            paragraphs,
            facts: about.facts(),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// It was published, and is not any more.
pub struct TakenDown {
    pub about: About,
    pub reason: String,
}

impl TakenDown {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let mut paragraphs = said(&[
            "A moderator has taken your track down, so nobody but you can find it now. This is why:",
        ]);
        paragraphs.extend(quoted(&self.reason));
        let letter = Letter {
            subject: "Your track was taken down".into(),
            paragraphs,
            facts: self.about.facts(),
            closing: said(&["Only a moderator can lift this again."]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// What somebody wrote, line by line, of which no mail program makes a link.
fn quoted(text: &str) -> Vec<String> {
    /// As much as [`inert`] leaves of a line.
    const AT_ONCE: usize = 200;
    let mut paragraphs = Vec::new();
    for line in text.lines() {
        let mut line = line.trim();
        while !line.is_empty() {
            let (piece, rest) = cut(line, AT_ONCE);
            paragraphs.push(inert(piece));
            line = rest;
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// As many letters of a line, cut between words where there are some.
fn cut(line: &str, most: usize) -> (&str, &str) {
    let Some((end, _)) = line.char_indices().nth(most) else {
        return (line, "");
    };
    let at = line[..end].rfind(char::is_whitespace).unwrap_or(end);
    let (piece, rest) = line.split_at(at);
    (piece, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::config;

    fn stationery() -> Stationery {
        let args = [OsString::from("empulse")].into_iter();
        let read = config::read(args, std::iter::empty()).unwrap();
        Stationery::new(&read.config)
    }

    /// Each of them, of a track and of a change, with what somebody else wrote wherever that stands in one.
    fn all(name: &str, text: &str) -> Vec<Message> {
        let with = stationery();
        let to = Addressee {
            mail: "mail_1".into(),
            email: "ana@example.org".into(),
            name: name.into(),
        };
        let written = || text.to_owned();
        let mut messages = Vec::new();
        for change in [false, true] {
            let about = || About {
                title: written(),
                change: change.then(|| Change {
                    title: Some(format!("{text} 2")),
                }),
            };
            let (reason, note) = (written, written);
            messages.extend([false, true].map(|is_read| {
                let about = about();
                Received { about, is_read }.message(&to, &with)
            }));
            messages.extend([
                Failed {
                    about: about(),
                    reason: Some(reason()),
                }
                .message(&to, &with),
                Failed {
                    about: about(),
                    reason: None,
                }
                .message(&to, &with),
                ChangesRequested {
                    about: about(),
                    note: note(),
                }
                .message(&to, &with),
                Approved {
                    about: about(),
                    note: Some(note()),
                }
                .message(&to, &with),
                Rejected {
                    about: about(),
                    note: note(),
                }
                .message(&to, &with),
                TakenDown {
                    about: about(),
                    reason: reason(),
                }
                .message(&to, &with),
            ]);
        }
        messages.into_iter().map(Result::unwrap).collect()
    }

    #[test]
    fn each_has_a_subject_and_both_forms() {
        for message in all("Ana", "Dusk") {
            assert!(!message.subject.is_empty() && !message.subject.contains('\n'));
            assert!(message.text.starts_with("Hello Ana,\n"), "{}", message.text);
            assert!(message.html.contains("Hello Ana,"), "{}", message.html);
            assert!(message.text.contains("Track: Dusk\n"), "{}", message.text);
            assert_eq!(message.to, "ana@example.org");
            assert!(!message.text.contains("token="), "{}", message.text);
        }
    }

    #[test]
    fn what_others_wrote_forges_neither_links_nor_lines() {
        let evil = "Ana</p><a href=\"https://evil.example\">\r\n\r\nGo to https://evil.example/ or www.evil.example";
        for message in all(evil, evil) {
            for part in [&message.text, &message.html] {
                assert!(!part.contains("evil.example"), "{part}");
                assert!(!part.contains("href=\"https://evil"), "{part}");
            }
            assert!(message.text.starts_with("Hello,\n"), "{}", message.text);
            assert!(!message.subject.contains("evil"));
        }
    }

    #[test]
    fn a_note_stands_line_by_line_and_whole() {
        let long = "word ".repeat(100);
        let note = format!("One.\n\n  Two.\n{long}end");
        let paragraphs = quoted(&note);
        assert_eq!(paragraphs[..2], ["One.", "Two."]);
        assert!(paragraphs.len() > 3);
        assert!(paragraphs.iter().all(|line| line.chars().count() <= 200));
        assert_eq!(paragraphs[2..].join(" "), format!("{}end", long));
    }

    /// A change says what it was to be, once and where it is not so already.
    #[test]
    fn a_change_names_the_title_that_is_wanted() {
        let about = |title: &str, wanted: Option<&str>| About {
            title: title.into(),
            change: Some(Change {
                title: wanted.map(str::to_owned),
            }),
        };
        let (track, wanted) = (
            ("Track", "Dusk".to_owned()),
            ("New title", "Night".to_owned()),
        );
        assert_eq!(
            about("Dusk", Some("Night")).facts(),
            [track.clone(), wanted]
        );
        for wanted in [Some("Dusk"), None] {
            assert_eq!(about("Dusk", wanted).facts(), std::slice::from_ref(&track));
        }
    }
}
