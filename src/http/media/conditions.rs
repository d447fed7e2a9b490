//! Requests that depend on which version somebody has (RFC 9110, 13), in the order in which that document looks at them.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use poem::http::{HeaderMap, HeaderName, HeaderValue, header};
use poem::web::headers::{Header as _, LastModified};

/// A version of a file, as its headers tell.
#[derive(Debug, Clone)]
pub struct Version {
    /// Without quotes; a strong one.
    pub etag: String,
    pub modified: DateTime<Utc>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Goes,
    /// 304: who asks has it.
    NotModified,
    /// 412: who asks wants another.
    Failed,
}

impl Version {
    pub fn etag_header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("\"{}\"", self.etag)).ok()
    }

    pub fn modified_header(&self) -> Option<HeaderValue> {
        let text = self
            .modified
            .format("%a, %d %b %Y %H:%M:%S GMT")
            .to_string();
        HeaderValue::from_str(&text).ok()
    }

    /// In whole seconds, as headers have it.
    fn modified_second(&self) -> SystemTime {
        let second = u64::try_from(self.modified.timestamp()).unwrap_or(0);
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    /// For reading requests.
    pub fn judge(&self, headers: &HeaderMap) -> Verdict {
        match Tags::of(headers, header::IF_MATCH) {
            Some(tags) if !tags.hold(&self.etag, Strength::Strong) => return Verdict::Failed,
            Some(_) => {}
            None => {
                let since = date(headers, header::IF_UNMODIFIED_SINCE);
                if since.is_some_and(|since| self.modified_second() > since) {
                    return Verdict::Failed;
                }
            }
        }
        let is_known = match Tags::of(headers, header::IF_NONE_MATCH) {
            Some(tags) => tags.hold(&self.etag, Strength::Weak),
            None => date(headers, header::IF_MODIFIED_SINCE)
                .is_some_and(|since| self.modified_second() <= since),
        };
        match is_known {
            true => Verdict::NotModified,
            false => Verdict::Goes,
        }
    }

    /// Whether a part is wanted of this version; if not, who asks would put two versions together.
    pub fn allows_range(&self, headers: &HeaderMap, now: DateTime<Utc>) -> bool {
        let mut values = headers.get_all(header::IF_RANGE).iter();
        let Some(value) = values.next() else {
            return true;
        };
        if values.next().is_some() {
            return false;
        }
        let text = value.to_str().unwrap_or_default();
        if text.contains('"') {
            return text == format!("\"{}\"", self.etag);
        }
        // A time says which version only if no other can have been made within its second.
        let is_settled = now - self.modified >= chrono::TimeDelta::seconds(1);
        is_settled && read_date(value) == Some(self.modified_second())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Strength {
    Strong,
    Weak,
}

/// The tags that a header lists.
enum Tags<'a> {
    Any,
    Listed(Vec<&'a str>),
}

impl<'a> Tags<'a> {
    fn of(headers: &'a HeaderMap, name: HeaderName) -> Option<Self> {
        let mut listed = Vec::new();
        let mut values = headers.get_all(name).iter().peekable();
        values.peek()?;
        for value in values {
            // What is not text is a tag of nobody here, as is what is not written as one.
            let mut rest = value.to_str().unwrap_or_default();
            if rest.trim() == "*" {
                return Some(Self::Any);
            }
            // A tag may hold commas, so that it is read up to its quote.
            while let Some((before, after)) = rest.split_once('"') {
                let Some((tag, after)) = after.split_once('"') else {
                    break;
                };
                let start = rest.len() - after.len() - tag.len() - 2;
                let is_weak = before.ends_with("W/");
                let start = if is_weak { start - 2 } else { start };
                listed.push(&rest[start..rest.len() - after.len()]);
                rest = after;
            }
        }
        Some(Self::Listed(listed))
    }

    fn hold(&self, etag: &str, strength: Strength) -> bool {
        let Self::Listed(tags) = self else {
            return true;
        };
        tags.iter().any(|tag| {
            let opaque = match strength {
                Strength::Weak => tag.strip_prefix("W/").unwrap_or(tag),
                Strength::Strong => tag,
            };
            opaque
                .strip_prefix('"')
                .and_then(|tag| tag.strip_suffix('"'))
                == Some(etag)
        })
    }
}

/// The only one of a name; what is no time was not said.
fn date(headers: &HeaderMap, name: HeaderName) -> Option<SystemTime> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => read_date(value),
        _ => None,
    }
}

/// In any of the three forms that HTTP has had.
fn read_date(value: &HeaderValue) -> Option<SystemTime> {
    let date = LastModified::decode(&mut std::iter::once(value)).ok()?;
    Some(date.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn version() -> Version {
        Version {
            etag: "1a-2b,c".into(),
            // Some way into the second that the header tells.
            modified: DateTime::from_timestamp(784_111_777, 600_000_000).unwrap(),
        }
    }

    fn headers(said: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in said {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_version_is_told() {
        assert_eq!(version().etag_header().unwrap(), "\"1a-2b,c\"");
        assert_eq!(version().modified_header().unwrap(), DATE);
    }

    #[test]
    fn conditions_are_judged_in_their_order() {
        use Verdict::{Failed, Goes, NotModified};
        let tag = "\"1a-2b,c\"";
        let weak = "W/\"1a-2b,c\"";
        for (said, verdict) in [
            (&[][..], Goes),
            (&[("if-none-match", tag)], NotModified),
            (&[("if-none-match", weak)], NotModified),
            (&[("if-none-match", "*")], NotModified),
            (
                &[("if-none-match", "\"x\", W/\"y\" , \"1a-2b,c\"")],
                NotModified,
            ),
            (
                &[("if-none-match", "\"x\""), ("if-none-match", tag)],
                NotModified,
            ),
            (&[("if-none-match", "\"x\"")], Goes),
            (&[("if-none-match", "1a-2b,c")], Goes),
            (&[("if-none-match", "\"1a-2b,c")], Goes),
            (&[("if-none-match", "\"1A-2B,C\"")], Goes),
            (&[("if-none-match", "")], Goes),
            (&[("if-match", tag)], Goes),
            (&[("if-match", "*")], Goes),
            (&[("if-match", "\"x\", \"1a-2b,c\"")], Goes),
            (&[("if-match", weak)], Failed),
            (&[("if-match", "\"x\"")], Failed),
            (&[("if-match", "")], Failed),
            (&[("if-modified-since", DATE)], NotModified),
            (&[("if-modified-since", LATER)], NotModified),
            (&[("if-modified-since", EARLIER)], Goes),
            (&[("if-modified-since", "yesterday")], Goes),
            (
                &[("if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT")],
                NotModified,
            ),
            (
                &[("if-modified-since", "Sun Nov  6 08:49:37 1994")],
                NotModified,
            ),
            (&[("if-unmodified-since", DATE)], Goes),
            (&[("if-unmodified-since", EARLIER)], Failed),
            (&[("if-unmodified-since", "yesterday")], Goes),
            // Tags count more than times.
            (
                &[("if-none-match", "\"x\""), ("if-modified-since", LATER)],
                Goes,
            ),
            (&[("if-match", tag), ("if-unmodified-since", EARLIER)], Goes),
            // And the first of the two more than the second.
            (&[("if-match", "\"x\""), ("if-none-match", tag)], Failed),
            (&[("if-match", tag), ("if-none-match", tag)], NotModified),
            (
                &[("if-unmodified-since", EARLIER), ("if-none-match", tag)],
                Failed,
            ),
        ] {
            assert_eq!(version().judge(&headers(said)), verdict, "{said:?}");
        }
    }

    #[test]
    fn a_part_is_of_the_version_that_was_begun_with() {
        let now = version().modified + chrono::TimeDelta::minutes(1);
        for (said, allows) in [
            (&[][..], true),
            (&[("if-range", "\"1a-2b,c\"")], true),
            (&[("if-range", "W/\"1a-2b,c\"")], false),
            (&[("if-range", "\"x\"")], false),
            (&[("if-range", "1a-2b,c")], false),
            (&[("if-range", DATE)], true),
            (&[("if-range", LATER)], false),
            (&[("if-range", EARLIER)], false),
            (&[("if-range", "")], false),
            (
                &[("if-range", "\"1a-2b,c\""), ("if-range", "\"1a-2b,c\"")],
                false,
            ),
        ] {
            assert_eq!(
                version().allows_range(&headers(said), now),
                allows,
                "{said:?}"
            );
        }
        let at_once = version().modified + chrono::TimeDelta::milliseconds(300);
        assert!(!version().allows_range(&headers(&[("if-range", DATE)]), at_once));
        assert!(version().allows_range(&headers(&[("if-range", "\"1a-2b,c\"")]), at_once));
    }
}
