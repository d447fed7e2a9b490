//! The three cookies of a browser that is signed in: the refresh token, the proof that a page of ours could read the
//! cookies (CSRF), and the mark of a known device.
//!
//! Each name begins with `__Host-`, so a browser takes it from this host alone, over https, for every path; nobody on a
//! neighbouring host can put one there.

use std::time::Duration;

use poem::http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::token;

const REFRESH: &str = "__Host-refresh";
const CSRF: &str = "__Host-csrf";
const DEVICE: &str = "__Host-device";

/// What a page sends beside the refresh cookie, to show that it could read the other one.
pub const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The cookies of ours that came with a request.
///
/// A browser can hold only one cookie of each of these names. Where one came twice with different values, something
/// else has written the header; neither is believed, and it counts as not sent. So does a value that none of our
/// tokens can have.
#[derive(Debug, Default)]
pub struct Cookies {
    refresh: Option<SecretString>,
    csrf: Option<SecretString>,
    device: Option<SecretString>,
}

impl Cookies {
    pub fn of(headers: &HeaderMap) -> Self {
        Self {
            refresh: only(headers, REFRESH),
            csrf: only(headers, CSRF),
            device: only(headers, DEVICE),
        }
    }

    pub fn refresh(&self) -> Option<&SecretString> {
        self.refresh.as_ref()
    }

    pub fn device(&self) -> Option<&SecretString> {
        self.device.as_ref()
    }

    /// The CSRF token, if the request says the same in the cookie and in the header. Whose it is remains to be checked:
    /// it is bound to the session.
    pub fn csrf(&self, headers: &HeaderMap) -> Option<&SecretString> {
        let cookie = self.csrf.as_ref()?;
        let mut told = headers.get_all(CSRF_HEADER).iter();
        let (Some(header), None) = (told.next(), told.next()) else {
            return None;
        };
        let same = cookie
            .expose_secret()
            .as_bytes()
            .ct_eq(header.as_bytes())
            .into();
        if same { Some(cookie) } else { None }
    }
}

/// The one value of a name. HTTP/2 may cut the header into several, and a browser sends all of its cookies.
fn only(headers: &HeaderMap, name: &str) -> Option<SecretString> {
    let mut found: Option<&[u8]> = None;
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    for pair in pairs {
        let pair = pair.trim_ascii();
        let Some(value) = pair
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
        else {
            continue;
        };
        match found {
            Some(known) if known != value => return None,
            _ => found = Some(value),
        }
    }
    let value = std::str::from_utf8(found?).ok()?;
    token::is_one(value).then(|| value.into())
}

/// A cookie that an answer sets, or takes away.
#[derive(Clone, Debug)]
pub enum SetCookie {
    Refresh {
        token: SecretString,
        /// How long it is good for; without, the browser forgets it when it closes.
        kept: Option<Duration>,
    },
    /// Always until the browser closes: `GET /csrf` gives it again.
    Csrf(SecretString),
    Device(SecretString),
    NoRefresh,
    NoCsrf,
}

/// A mistake of ours: what should be written as a cookie holds what no token does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value of the cookie {0} holds what none of our tokens does")]
pub struct Unwritable(&'static str);

impl SetCookie {
    /// A value for `Set-Cookie`, marked as sensitive.
    pub fn header(&self) -> Result<HeaderValue, Unwritable> {
        let (name, value, script_reads, age) = match self {
            Self::Refresh { token, kept } => (REFRESH, Some(token), false, *kept),
            Self::Csrf(token) => (CSRF, Some(token), true, None),
            Self::Device(token) => (DEVICE, Some(token), false, Some(YEAR)),
            Self::NoRefresh => (REFRESH, None, false, Some(Duration::ZERO)),
            Self::NoCsrf => (CSRF, None, true, Some(Duration::ZERO)),
        };
        let value = value.map(ExposeSecret::expose_secret);
        if value.is_some_and(|value| !token::is_one(value)) {
            return Err(Unwritable(name));
        }
        let mut text = format!("{name}={}", value.unwrap_or_default());
        if let Some(age) = age {
            text.push_str(&format!("; Max-Age={}", age.as_secs()));
        }
        text.push_str("; Path=/; Secure; SameSite=Strict");
        if !script_reads {
            text.push_str("; HttpOnly");
        }
        let mut header = HeaderValue::try_from(text).map_err(|_| Unwritable(name))?;
        header.set_sensitive(true);
        Ok(header)
    }
}

/// Puts all of them into an answer, or none.
pub fn set(cookies: &[SetCookie], answer: &mut HeaderMap) -> Result<(), Unwritable> {
    let written = cookies
        .iter()
        .map(SetCookie::header)
        .collect::<Result<Vec<_>, _>>()?;
    for header in written {
        answer.append(header::SET_COOKIE, header);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(cookies: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_static(cookie));
        }
        headers
    }

    fn text(secret: Option<&SecretString>) -> Option<&str> {
        secret.map(ExposeSecret::expose_secret)
    }

    fn written(cookie: &SetCookie) -> String {
        cookie.header().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn cookies_are_found_among_others_and_in_several_headers() {
        let headers = sent(&[
            "theme=dark; __Host-refresh=emp_r-1;a=b=c",
            "__Host-device=d_2",
            "__host-csrf=lower; __Host-csrf2=longer; x__Host-csrf=before",
        ]);
        let cookies = Cookies::of(&headers);
        assert_eq!(text(cookies.refresh()), Some("emp_r-1"));
        assert_eq!(text(cookies.device()), Some("d_2"));
        assert_eq!(text(cookies.csrf.as_ref()), None);
    }

    #[test]
    fn one_that_stands_twice_counts_only_if_both_say_the_same() {
        let twice = Cookies::of(&sent(&["__Host-refresh=a; __Host-refresh=a"]));
        assert_eq!(text(twice.refresh()), Some("a"));
        for cookies in [
            &["__Host-refresh=a; __Host-refresh=b"][..],
            &["__Host-refresh=a", "__Host-refresh=b"],
            &["__Host-refresh=a; __Host-refresh="],
            &["__Host-refresh=a; __Host-refresh=b; __Host-refresh=a"],
        ] {
            assert_eq!(text(Cookies::of(&sent(cookies)).refresh()), None);
        }
    }

    #[test]
    fn a_value_that_no_token_has_counts_as_none() {
        for cookie in [
            "__Host-refresh",
            "__Host-refresh=",
            "__Host-refresh=\"quoted\"",
            "__Host-refresh=two words",
            "__Host-refresh=a,b",
            "__Host-refresh=a%20b",
        ] {
            assert_eq!(text(Cookies::of(&sent(&[cookie])).refresh()), None);
        }
        let mut headers = HeaderMap::new();
        let long = format!("{REFRESH}={}", "a".repeat(513));
        headers.insert(header::COOKIE, long.try_into().unwrap());
        assert_eq!(text(Cookies::of(&headers).refresh()), None);
        let odd = HeaderValue::from_bytes(b"__Host-refresh=\xff\xfe").unwrap();
        headers.insert(header::COOKIE, odd);
        assert_eq!(text(Cookies::of(&headers).refresh()), None);
    }

    #[test]
    fn the_csrf_token_must_stand_in_the_header_too() {
        let told = |values: &[&'static str]| {
            let mut headers = sent(&["__Host-csrf=abc"]);
            for value in values {
                headers.append(CSRF_HEADER, HeaderValue::from_static(value));
            }
            text(Cookies::of(&headers).csrf(&headers)).is_some()
        };
        assert!(told(&["abc"]));
        for wrong in [
            &[][..],
            &[""],
            &["abd"],
            &["abcd"],
            &["ab"],
            &["abc", "abc"],
        ] {
            assert!(!told(wrong), "{wrong:?}");
        }
        let mut only_header = HeaderMap::new();
        only_header.insert(CSRF_HEADER, HeaderValue::from_static("abc"));
        assert!(Cookies::of(&only_header).csrf(&only_header).is_none());
    }

    #[test]
    fn what_is_set_stays_with_this_host_and_this_site() {
        let month = Some(Duration::from_secs(30 * 24 * 60 * 60));
        for (cookie, expected) in [
            (
                SetCookie::Refresh {
                    token: "emp_r-1".into(),
                    kept: month,
                },
                "__Host-refresh=emp_r-1; Max-Age=2592000; Path=/; Secure; SameSite=Strict; HttpOnly",
            ),
            (
                SetCookie::Refresh {
                    token: "emp_r-1".into(),
                    kept: None,
                },
                "__Host-refresh=emp_r-1; Path=/; Secure; SameSite=Strict; HttpOnly",
            ),
            (
                SetCookie::Csrf("c.1".into()),
                "__Host-csrf=c.1; Path=/; Secure; SameSite=Strict",
            ),
            (
                SetCookie::Device("d".into()),
                "__Host-device=d; Max-Age=31536000; Path=/; Secure; SameSite=Strict; HttpOnly",
            ),
            (
                SetCookie::NoRefresh,
                "__Host-refresh=; Max-Age=0; Path=/; Secure; SameSite=Strict; HttpOnly",
            ),
            (
                SetCookie::NoCsrf,
                "__Host-csrf=; Max-Age=0; Path=/; Secure; SameSite=Strict",
            ),
        ] {
            assert_eq!(written(&cookie), expected);
        }
    }

    #[test]
    fn what_is_set_is_read_back() {
        let value = written(&SetCookie::Device("emp_d-9".into()));
        let mut headers = HeaderMap::new();
        let pair = value.split(';').next().unwrap();
        headers.insert(header::COOKIE, pair.try_into().unwrap());
        assert_eq!(text(Cookies::of(&headers).device()), Some("emp_d-9"));
    }

    #[test]
    fn nothing_is_written_that_could_be_more_than_a_value() {
        for value in ["", "a; Domain=example.com", "a\r\nX: y", "ä", "a b", "a,b"] {
            let mut answer = HeaderMap::new();
            let cookies = [SetCookie::NoCsrf, SetCookie::Csrf(value.into())];
            assert_eq!(set(&cookies, &mut answer), Err(Unwritable(CSRF)));
            assert!(answer.is_empty(), "all or nothing");
        }
    }

    #[test]
    fn no_value_shows() {
        let headers = sent(&["__Host-refresh=s3cret"]);
        let cookie = SetCookie::Csrf("s3cret".into());
        let shown = format!(
            "{:?} {cookie:?} {:?} {}",
            Cookies::of(&headers),
            cookie.header(),
            Unwritable(CSRF)
        );
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
