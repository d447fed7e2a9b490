//! What a file is called. Names are made here and never by a client, of a few plain characters: they mean the same in a
//! folder of any system, in a bucket and in an address, and none of them leads anywhere else.

use std::fmt;
use std::str::FromStr;

/// Bytes of a whole key; S3 takes 1,024, a prefix included.
const LONGEST: usize = 512;
/// Bytes between two slashes. File systems take 255, and one that is being written has a longer name.
const LONGEST_SEGMENT: usize = 200;

/// Below it stand the storage's own files, which nobody gets at by a key.
const RESERVED: &str = "_empulse";

/// A file's name: segments of `a-z`, `0-9`, `_`, `-` and `.`, with slashes between.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file's key has segments of a-z, 0-9, _, - and ., none that begins or ends with a dot")]
pub struct KeyError;

impl Key {
    /// Of segments that stand below each other, such as a kind, an id and a name.
    pub fn new<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let mut text = String::new();
        for segment in segments {
            let segment = segment.as_ref();
            if !is_segment(segment) {
                return Err(KeyError);
            }
            if !text.is_empty() {
                text.push('/');
            }
            text.push_str(segment);
        }
        let is_ours = text.split('/').next() == Some(RESERVED);
        match text.is_empty() || text.len() > LONGEST || is_ours {
            true => Err(KeyError),
            false => Ok(Self(text)),
        }
    }

    /// Of a thing by its id, below the folder of its kind: a plain word of ours.
    pub fn of_id(kind: &'static str, id: uuid::Uuid) -> Self {
        debug_assert!(is_segment(kind) && kind != RESERVED, "{kind:?}");
        Self(format!("{kind}/{}", id.simple()))
    }

    /// One more segment, a plain word of ours.
    #[must_use]
    pub fn with(&self, name: &'static str) -> Self {
        debug_assert!(is_segment(name), "{name:?}");
        Self(format!("{self}/{name}"))
    }

    /// One of the storage's own.
    pub(super) fn reserved(name: &str) -> Self {
        Self(format!("{RESERVED}/{name}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_segment(text: &str) -> bool {
    (1..=LONGEST_SEGMENT).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.'))
        && !text.starts_with('.')
        && !text.ends_with('.')
        && !text.contains("..")
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::new(text.split('/'))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Key({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_segments() {
        let key = Key::new([
            "exports",
            "export_01h455vb4pex5vsknk084sn02q",
            "archive.json",
        ])
        .unwrap();
        assert_eq!(
            key.as_str(),
            "exports/export_01h455vb4pex5vsknk084sn02q/archive.json"
        );
        assert_eq!(key.as_str().parse(), Ok(key));
        assert_eq!("a".parse::<Key>().unwrap().as_str(), "a");
        let key = Key::of_id("things", uuid::Uuid::nil()).with("small");
        assert_eq!(
            key.as_str(),
            "things/00000000000000000000000000000000/small"
        );
        assert_eq!(key.as_str().parse(), Ok(key));
        assert_eq!("a.b-c_9/x".parse::<Key>().unwrap().to_string(), "a.b-c_9/x");
    }

    #[test]
    fn nothing_leads_anywhere_else() {
        let long_segment = "a".repeat(LONGEST_SEGMENT + 1);
        let long = ["a".repeat(LONGEST_SEGMENT).as_str(); 3].join("/");
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/../b",
            "a/./b",
            ".a",
            "a.",
            "a..b",
            "A",
            "é",
            "a b",
            "a\\b",
            "a\0b",
            "a%2fb",
            "a%2e",
            "a?b",
            "a#1",
            "a:b",
            "a*",
            "~",
            "a\n",
            "_empulse",
            "_empulse/a",
            &long_segment,
            &long,
        ] {
            assert_eq!(text.parse::<Key>(), Err(KeyError), "{text:?}");
        }
        assert_eq!(Key::new(["a/b"]), Err(KeyError));
        assert_eq!(Key::new(["a", ""]), Err(KeyError));
        assert_eq!(Key::new([""; 0]), Err(KeyError));
        assert!("a/_empulse".parse::<Key>().is_ok());
        assert!("_empulse2".parse::<Key>().is_ok());
    }
}
