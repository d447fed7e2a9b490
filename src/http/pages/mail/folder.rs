//! The mails that were written to the data folder instead of being sent.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::SystemTime;

use mail_parser::{Address, Message, MessageParser, PartType};
use serde::Serialize;
use url::Url;

/// Of the newest.
const LISTED: usize = 100;

/// Our mails are a few kilobytes; what is larger is shown as far as this.
const READ: u64 = 1 << 20;
const HEADERS_READ: u64 = 1 << 16;

const LINKS: usize = 50;

#[derive(Debug, Serialize)]
pub struct Listed {
    pub name: String,
    pub to: String,
    pub subject: String,
    pub date: String,
}

#[derive(Debug, Serialize)]
pub struct Letter {
    pub name: String,
    pub from: String,
    pub to: String,
    pub subject: String,
    pub date: String,
    pub text: String,
    /// In the order of the text.
    pub links: Vec<String>,
    #[serde(skip)]
    pub html: Option<String>,
}

/// The newest first. A folder that is not there yet holds none.
pub fn list(folder: &Path) -> io::Result<Vec<Listed>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found: Vec<(SystemTime, String)> = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // One that is removed meanwhile is not worth failing for.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if is_name(&name) && metadata.is_file() {
            found.push((metadata.modified()?, name));
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    found.truncate(LISTED);
    let listed = found.into_iter().filter_map(|(_, name)| {
        let bytes = read(folder, &name, HEADERS_READ).ok()??;
        let message = MessageParser::default().parse_headers(&bytes)?;
        Some(Listed {
            to: mailboxes(message.to()),
            subject: message.subject().unwrap_or_default().to_owned(),
            date: date(&message),
            name,
        })
    });
    Ok(listed.collect())
}

/// One of them; nothing where there is none of this name.
pub fn letter(folder: &Path, name: &str) -> io::Result<Option<Letter>> {
    let Some(bytes) = read(folder, name, READ)? else {
        return Ok(None);
    };
    let Some(message) = MessageParser::default().parse(&bytes) else {
        return Ok(None);
    };
    let text = message.body_text(0).unwrap_or_default().into_owned();
    let html = message.html_part(0).and_then(|part| match &part.body {
        PartType::Html(html) => Some(html.as_ref().to_owned()),
        _ => None,
    });
    Ok(Some(Letter {
        name: name.to_owned(),
        from: mailboxes(message.from()),
        to: mailboxes(message.to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        date: date(&message),
        links: links(&text),
        text,
        html,
    }))
}

/// A file's beginning, if it is a plain file of the folder. A name leads nowhere else: it has no separator, and what is
/// only a link to a file is none.
fn read(folder: &Path, name: &str, most: u64) -> io::Result<Option<Vec<u8>>> {
    if !is_name(name) {
        return Ok(None);
    }
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn is_name(name: &str) -> bool {
    name.len() <= 200
        && name.ends_with(".eml")
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn date(message: &Message) -> String {
    message
        .date()
        .map(mail_parser::DateTime::to_rfc3339)
        .unwrap_or_default()
}

fn mailboxes(address: Option<&Address>) -> String {
    let Some(address) = address else {
        return String::new();
    };
    let all = address.iter().map(|one| {
        let address = one.address().unwrap_or_default();
        match one.name() {
            Some(name) => format!("{name} <{address}>"),
            None => address.to_owned(),
        }
    });
    all.collect::<Vec<_>>().join(", ")
}

/// Addresses that stand in a text, each once.
fn links(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for word in text.split(|letter: char| letter.is_whitespace() || "<>\"'()".contains(letter)) {
        let word = word.trim_end_matches(['.', ',', ';', ':', '!', '?']);
        let is_link = word.starts_with("https://") || word.starts_with("http://");
        if is_link && Url::parse(word).is_ok() && found.iter().all(|known| known != word) {
            found.push(word.to_owned());
        }
        if found.len() == LINKS {
            break;
        }
    }
    found
}

#[cfg(test)]
pub mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    pub const MAIL: &str = "From: Empulse <no-reply@localhost>\r\n\
        To: \"Ada <b>\" <ada@example.com>\r\n\
        Subject: =?utf-8?Q?Confirm_=E2=80=93_now?=\r\n\
        Date: Thu, 26 Nov 2026 10:00:00 +0000\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: multipart/alternative; boundary=x\r\n\r\n\
        --x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        Open http://localhost:8000/verify?token=3Demp_v=\r\n-1.\r\nOr https://example.com/?a&b, twice: https://example.com/?a&b\r\n\
        --x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
        <html><head><title>x</title></head><body><a href=\"http://localhost:8000/verify?token=emp_v-1\">Go</a></body></html>\r\n\
        --x--\r\n";

    /// A folder of its own, gone at the end.
    pub struct Folder(pub PathBuf);

    impl Folder {
        pub fn new() -> Self {
            let path = std::env::temp_dir().join(format!("empulse-mail-{}", uuid::Uuid::now_v7()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub fn write(&self, name: &str, text: &str, age: u64) {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_newest_stand_first_and_only_so_many() {
        let folder = Folder::new();
        for age in 0..=LISTED {
            folder.write(&format!("m{age:03}.eml"), MAIL, age as u64);
        }
        folder.write(".hidden.eml", MAIL, 0);
        folder.write("m.eml.part", MAIL, 0);
        folder.write("m.txt", MAIL, 0);
        fs::create_dir(folder.0.join("folder.eml")).unwrap();
        let listed = list(&folder.0).unwrap();
        assert_eq!(listed.len(), LISTED);
        assert_eq!(listed[0].name, "m000.eml");
        assert_eq!(listed[LISTED - 1].name, "m099.eml");
        assert_eq!(listed[0].to, "Ada <b> <ada@example.com>");
        assert_eq!(listed[0].subject, "Confirm – now");
        assert_eq!(listed[0].date, "2026-11-26T10:00:00Z");
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_empty() {
        let folder = Folder::new();
        assert!(list(&folder.0.join("none")).unwrap().is_empty());
        assert!(letter(&folder.0.join("none"), "m.eml").unwrap().is_none());
    }

    #[test]
    fn a_letter_is_decoded_and_its_links_found() {
        let folder = Folder::new();
        folder.write("m.eml", MAIL, 0);
        let letter = letter(&folder.0, "m.eml").unwrap().unwrap();
        assert_eq!(letter.from, "Empulse <no-reply@localhost>");
        assert!(
            letter
                .text
                .starts_with("Open http://localhost:8000/verify?token=emp_v-1.")
        );
        assert_eq!(
            letter.links,
            [
                "http://localhost:8000/verify?token=emp_v-1",
                "https://example.com/?a&b"
            ]
        );
        assert!(letter.html.unwrap().contains("<title>x</title>"));
    }

    #[test]
    fn a_mail_of_text_alone_has_no_markup() {
        let folder = Folder::new();
        folder.write("m.eml", "To: a@b.c\r\nSubject: s\r\n\r\nhello\r\n", 0);
        let letter = letter(&folder.0, "m.eml").unwrap().unwrap();
        assert_eq!(letter.text.trim_end(), "hello");
        assert!(letter.html.is_none() && letter.links.is_empty());
    }

    #[test]
    fn nothing_outside_the_folder_can_be_read() {
        let folder = Folder::new();
        let inner = folder.0.join("mail");
        fs::create_dir(&inner).unwrap();
        folder.write("secret.eml", MAIL, 0);
        for name in [
            "../secret.eml",
            "..",
            "",
            ".eml",
            "/etc/passwd",
            "a/b.eml",
            "a\\b.eml",
            "secret.eml\0.eml",
        ] {
            assert!(letter(&inner, name).unwrap().is_none(), "{name}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.0.join("secret.eml"), inner.join("link.eml"))
                .unwrap();
            assert!(letter(&inner, "link.eml").unwrap().is_none());
            assert!(list(&inner).unwrap().is_empty());
        }
    }

    #[test]
    fn a_large_file_is_read_as_far_as_the_limit() {
        let folder = Folder::new();
        let large = format!("Subject: s\r\n\r\n{}", "a".repeat(3 << 20));
        folder.write("m.eml", &large, 0);
        let letter = letter(&folder.0, "m.eml").unwrap().unwrap();
        assert!(letter.text.len() as u64 <= READ);
        assert_eq!(list(&folder.0).unwrap()[0].subject, "s");
    }
}
