//! Mails as their readers get them.

use std::path::Path;

use mail_parser::MessageParser;

#[derive(Debug, Clone)]
pub struct Mail {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Mail {
    /// By the names of their files, which are those of their times.
    pub fn all_in(folder: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let mut files: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "eml"))
            .collect();
        files.sort();
        files.iter().map(|file| Self::read(file)).collect()
    }

    fn read(file: &Path) -> Self {
        let bytes = std::fs::read(file).unwrap();
        let message = MessageParser::default().parse(&bytes).unwrap();
        let to = message.to().and_then(|to| to.first()).unwrap();
        Self {
            to: to.address().unwrap().to_owned(),
            subject: message.subject().unwrap().to_owned(),
            text: message.body_text(0).unwrap().into_owned(),
            html: message.body_html(0).unwrap().into_owned(),
        }
    }

    /// The token of its link.
    #[track_caller]
    pub fn token(&self) -> String {
        let (_, after) = self
            .text
            .split_once("token=")
            .unwrap_or_else(|| panic!("no link: {}", self.text));
        after
            .split(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_')))
            .next()
            .unwrap()
            .to_owned()
    }
}
