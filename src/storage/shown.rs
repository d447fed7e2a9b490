//! How a file is shown to whoever fetches it: under which name and type, and whether to be kept or looked at.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// Characters of a name; what is longer tells no more.
const LONGEST_NAME: usize = 150;

/// A media type that can stand in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType(Cow<'static, str>);

impl ContentType {
    pub const JSON: Self = Self(Cow::Borrowed("application/json"));
    /// Bytes of which nothing is known.
    pub const OCTETS: Self = Self(Cow::Borrowed("application/octet-stream"));
    pub const TEXT: Self = Self(Cow::Borrowed("text/plain; charset=utf-8"));
    pub const ZIP: Self = Self(Cow::Borrowed("application/zip"));

    /// One that is written in the code.
    pub fn of(text: &'static str) -> Self {
        debug_assert!(Self::read(text).is_some(), "{text:?}");
        Self(Cow::Borrowed(text))
    }

    /// `type/subtype` and perhaps parameters.
    pub fn read(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim_end();
        let (kind, rest) = essence.split_once('/')?;
        let is_right = is_token(kind)
            && is_token(rest)
            && text.len() <= 200
            && text
                .bytes()
                .all(|byte| byte == b' ' || byte.is_ascii_graphic());
        is_right.then(|| Self(Cow::Owned(text.to_owned())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// What is said of a file along with its bytes. A bucket keeps it; a folder has no place for it, and gives what
/// [`Shown`] says.
#[derive(Debug, Clone)]
pub struct Facts {
    pub content_type: ContentType,
}

impl Facts {
    pub fn of(content_type: ContentType) -> Self {
        Self { content_type }
    }
}

/// What a signed address promises of its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub(super) file_name: String,
    pub(super) content_type: ContentType,
    pub(super) attachment: bool,
}

impl Shown {
    /// The name is somebody's own perhaps: whatever could deceive in it is replaced.
    pub fn new(file_name: &str, content_type: ContentType, attachment: bool) -> Self {
        Self {
            file_name: harmless(file_name),
            content_type,
            attachment,
        }
    }

    pub fn content_type(&self) -> &ContentType {
        &self.content_type
    }

    pub fn is_attachment(&self) -> bool {
        self.attachment
    }

    /// The header `Cache-Control` for an address that is good for so long. What is played may be kept by whoever plays
    /// it, as players go back and forth; what is saved is kept already.
    pub fn cache_control(&self, valid_for: Duration) -> String {
        match self.attachment {
            true => "private, no-store, no-transform".to_owned(),
            false => format!("private, max-age={}, no-transform", valid_for.as_secs()),
        }
    }

    /// The header `Content-Disposition` by RFC 6266. Who doesn't read the encoded name (RFC 8187) finds a plain one
    /// before it.
    pub fn disposition(&self) -> String {
        let kind = if self.attachment {
            "attachment"
        } else {
            "inline"
        };
        // Quotes and backslashes are escaped by nobody in the same way, and some decode what looks encoded.
        let is_plain = |letter: char| {
            letter == ' ' || letter.is_ascii_graphic() && !matches!(letter, '"' | '\\' | '%')
        };
        let plain: String = self
            .file_name
            .chars()
            .map(|letter| if is_plain(letter) { letter } else { '_' })
            .collect();
        let mut said = format!("{kind}; filename=\"{plain}\"");
        if plain != self.file_name {
            said.push_str("; filename*=UTF-8''");
            for byte in self.file_name.bytes() {
                match byte {
                    b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|'
                    | b'~' => {
                        said.push(byte.into());
                    }
                    _ if byte.is_ascii_alphanumeric() => said.push(byte.into()),
                    _ => {
                        // Writing into a string does not fail.
                        let _ = write!(said, "%{byte:02X}");
                    }
                }
            }
        }
        said
    }
}

/// Without what ends a header, is a path, or turns the reading direction so that `gpj.exe` looks like a picture.
fn harmless(name: &str) -> String {
    let hides = |letter: char| {
        letter.is_control()
            || matches!(letter, '/' | '\\')
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let name: String = name
        .trim()
        .chars()
        .take(LONGEST_NAME)
        .map(|letter| if hides(letter) { '_' } else { letter })
        .collect();
    match name.trim_matches('.').is_empty() {
        true => "file".to_owned(),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_is_one() {
        for right in [
            "audio/mpeg",
            "text/plain; charset=utf-8",
            "application/vnd.api+json",
            "audio/ogg; codecs=\"opus\"",
        ] {
            assert_eq!(ContentType::read(right).unwrap().as_str(), right);
        }
        for wrong in [
            "",
            "audio",
            "/",
            "a/",
            "/b",
            "a b/c",
            "a/b\r\nX: y",
            "a/b; é",
            "a/b/c",
            "a/\0",
            "text/ plain",
        ] {
            assert_eq!(ContentType::read(wrong), None, "{wrong:?}");
        }
        for ours in [
            ContentType::JSON,
            ContentType::OCTETS,
            ContentType::TEXT,
            ContentType::ZIP,
        ] {
            assert_eq!(ContentType::read(ours.as_str()), Some(ours));
        }
    }

    #[test]
    fn names_are_told_so_that_every_client_reads_them() {
        let told = |name: &str| Shown::new(name, ContentType::OCTETS, true).disposition();
        for (name, disposition) in [
            ("a.mp3", r#"attachment; filename="a.mp3""#),
            ("a song (1).mp3", r#"attachment; filename="a song (1).mp3""#),
            (
                "Köln.mp3",
                r#"attachment; filename="K_ln.mp3"; filename*=UTF-8''K%C3%B6ln.mp3"#,
            ),
            (
                "50% \"off\".txt",
                r#"attachment; filename="50_ _off_.txt"; filename*=UTF-8''50%25%20%22off%22.txt"#,
            ),
            (
                "a\r\nSet-Cookie: b",
                r#"attachment; filename="a__Set-Cookie: b""#,
            ),
            (
                "../../etc/passwd",
                r#"attachment; filename=".._.._etc_passwd""#,
            ),
            ("c:\\x\0", r#"attachment; filename="c:_x_""#),
            ("\u{202e}3pm.exe", r#"attachment; filename="_3pm.exe""#),
            ("", r#"attachment; filename="file""#),
            (" .. ", r#"attachment; filename="file""#),
        ] {
            assert_eq!(told(name), disposition, "{name:?}");
        }
        assert!(told(&"é".repeat(400)).len() < 1200);
        let shown = Shown::new("a", ContentType::OCTETS, false);
        assert_eq!(shown.disposition(), r#"inline; filename="a""#);
    }
}
