//! The header of one part.

use super::fault::Fault;

/// What a part says of itself. Names prove nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub name: String,
    pub file_name: Option<String>,
    pub content_type: Option<String>,
}

impl Head {
    /// Reads the lines of a header, without the empty one behind them.
    pub fn read(lines: &[u8]) -> Result<Self, Fault> {
        let mut disposition = None;
        let mut head = Self::default();
        for line in String::from_utf8_lossy(lines).split("\r\n") {
            let Some((name, value)) = line.split_once(':') else {
                return Err(Fault::malformed("a line in a part's header is no header"));
            };
            let value = value.trim();
            let is_first = match name.trim().to_ascii_lowercase().as_str() {
                "content-disposition" => disposition.replace(value.to_owned()).is_none(),
                "content-type" => head.content_type.replace(value.to_owned()).is_none(),
                // What mail does with what is not text. RFC 7578 has no such thing any more.
                "content-transfer-encoding" => match value.to_ascii_lowercase().as_str() {
                    "7bit" | "8bit" | "binary" => true,
                    _ => return Err(Fault::malformed("the parts of a form are sent as they are")),
                },
                _ => true,
            };
            if !is_first {
                return Err(Fault::malformed("a part's header says something twice"));
            }
        }
        if head.content_type.as_deref().is_some_and(is_multipart) {
            return Err(Fault::malformed("parts within parts are not taken"));
        }
        let Some((kind, mut rest)) = disposition.as_deref().map(kind) else {
            return Err(Fault::malformed("a part has no Content-Disposition"));
        };
        if !kind.eq_ignore_ascii_case("form-data") {
            return Err(Fault::malformed("a part is no form-data"));
        }
        let mut name = None;
        while let Some((key, value, behind)) = parameter(rest)? {
            rest = behind;
            let is_first = match key.to_ascii_lowercase().as_str() {
                "name" => name.replace(value).is_none(),
                "filename" => head.file_name.replace(value).is_none(),
                _ => true,
            };
            if !is_first {
                return Err(Fault::malformed("a part has two names"));
            }
        }
        head.name = name.ok_or_else(|| Fault::malformed("a part has no name"))?;
        Ok(head)
    }
}

fn is_multipart(content_type: &str) -> bool {
    let (family, _) = content_type.split_once('/').unwrap_or_default();
    family.trim().eq_ignore_ascii_case("multipart")
}

/// What stands before the parameters, and those.
fn kind(value: &str) -> (&str, &str) {
    let (kind, rest) = value.split_at(value.find(';').unwrap_or(value.len()));
    (kind.trim(), rest)
}

/// The next of `; name=value`, and what is behind it.
fn parameter(text: &str) -> Result<Option<(&str, String, &str)>, Fault> {
    let wrong = || Fault::malformed("a Content-Disposition can't be read");
    let text = text.trim_start();
    if text.is_empty() {
        return Ok(None);
    }
    let text = text.strip_prefix(';').ok_or_else(wrong)?.trim_start();
    if text.is_empty() {
        return Ok(None);
    }
    let (key, text) = text.split_once('=').ok_or_else(wrong)?;
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = kind(text);
        return Ok(Some((key.trim(), value.to_owned(), rest)));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => {
                let rest = quoted.get(at + 1..).unwrap_or_default();
                return Ok(Some((key.trim(), value, rest)));
            }
            // Browsers write these as %22 and leave a backslash as it is; curl escapes both.
            '\\' => match letters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            letter => value.push(letter),
        }
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(name: &str, file_name: Option<&str>, content_type: Option<&str>) -> Head {
        Head {
            name: name.to_owned(),
            file_name: file_name.map(str::to_owned),
            content_type: content_type.map(str::to_owned),
        }
    }

    #[test]
    fn the_headers_that_clients_write_are_read() {
        for (lines, expected) in [
            (
                "Content-Disposition: form-data; name=\"operations\"",
                head("operations", None, None),
            ),
            (
                "content-disposition:form-data;name=map",
                head("map", None, None),
            ),
            (
                "Content-Disposition: form-data; name=\"0\"; filename=\"a b;c.wav\"\r\nContent-Type: audio/wav",
                head("0", Some("a b;c.wav"), Some("audio/wav")),
            ),
            (
                "Content-Type: image/png\r\nContent-Disposition: Form-Data ; filename=\"ä\\\"\\\\.png\" ; NAME=\"1\";",
                head("1", Some("ä\"\\.png"), Some("image/png")),
            ),
            (
                "Content-Disposition: form-data; name=\"1\"; filename=\"C:\\music\\a.mp3\"\r\nX-Else: 1",
                head("1", Some("C:\\music\\a.mp3"), None),
            ),
            (
                "Content-Disposition: form-data; name=\"1\"\r\nContent-Transfer-Encoding: binary",
                head("1", None, None),
            ),
        ] {
            assert_eq!(Head::read(lines.as_bytes()), Ok(expected), "{lines}");
        }
        let latin = b"Content-Disposition: form-data; name=\"1\"; filename=\"\xe4\"";
        assert_eq!(Head::read(latin), Ok(head("1", Some("\u{fffd}"), None)));
    }

    #[test]
    fn what_is_no_header_of_a_part_is_refused() {
        for lines in [
            "",
            "Content-Type: image/png",
            "Content-Disposition",
            "Content-Disposition: form-data",
            "Content-Disposition: attachment; name=\"1\"",
            "Content-Disposition: form-data; filename=\"a\"",
            "Content-Disposition: form-data; name=\"1",
            "Content-Disposition: form-data; name=\"1\\\"",
            "Content-Disposition: form-data; name",
            "Content-Disposition: form-data; name=\"1\" filename=\"a\"",
            "Content-Disposition: form-data; name=\"1\"; name=\"2\"",
            "Content-Disposition: form-data; name=\"1\"\r\nContent-Disposition: form-data; name=\"1\"",
            "Content-Disposition: form-data; name=\"1\"\r\nContent-Type: multipart/mixed; boundary=a",
            "Content-Disposition: form-data; name=\"1\"\r\nContent-Transfer-Encoding: base64",
            "Content-Disposition: form-data; name=\"1\"\r\n folded",
        ] {
            assert!(Head::read(lines.as_bytes()).is_err(), "{lines}");
        }
    }
}
