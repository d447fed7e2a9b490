//! What nobody may read in a log line, a span or a metric, and how it is taken out: by the name of
//! a field, by the shape of a text, and by type. The lists stand here alone, so that there is one
//! place to look when something must not be shown.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// What stands where a secret stood.
pub const REDACTED: &str = "[redacted]";

/// A value that may be carried through logging but never shows itself.
#[derive(Clone, Copy, Default)]
pub struct Redacted<T>(pub T);

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// A field is secret when one of these words stands anywhere in its name.
const WORDS: [&str; 32] = [
    // Whoever reads one of these can act as its owner.
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "secrets",
    "token",
    "tokens",
    "jwt",
    "biscuit",
    "credential",
    "credentials",
    "otp",
    "totp",
    "apikey",
    // In the address of a stored file, it opens that.
    "signature",
    // The headers that carry them.
    "authorization",
    "cookie",
    "cookies",
    "csrf",
    // Opens what is encrypted, or signs what others believe.
    "pepper",
    "keyring",
    "keyrings",
    "dsn",
    // Tells who somebody is, or where to find them.
    "email",
    "emails",
    "recipient",
    "recipients",
    "phone",
    // Tax data of artists.
    "ssn",
    "iban",
];

/// As above, but the meaning lies in two words that follow each other.
const PAIRS: [(&str, &str); 29] = [
    ("api", "key"),
    ("access", "key"),
    ("private", "key"),
    ("signing", "key"),
    ("signing", "keys"),
    ("encryption", "key"),
    ("encryption", "keys"),
    ("data", "key"),
    ("master", "key"),
    ("secret", "key"),
    ("key", "material"),
    ("recovery", "code"),
    ("recovery", "codes"),
    // Cookies of ours whose own name says nothing: `__Host-refresh`, `__Host-device`.
    ("host", "refresh"),
    ("host", "device"),
    // Addresses of stores: they carry a user and a password.
    ("database", "url"),
    ("replica", "url"),
    ("redis", "url"),
    ("smtp", "url"),
    ("connection", "string"),
    // Of people. Where the service itself listens is no secret; it goes by another name.
    ("e", "mail"),
    ("mail", "address"),
    ("postal", "address"),
    ("ip", "address"),
    ("client", "address"),
    ("remote", "address"),
    ("remote", "addr"),
    ("client", "ip"),
    ("tax", "number"),
];

/// Too common inside other names to be secret anywhere but alone.
const ALONE: [&str; 2] = ["address", "ip"];

/// A name that ends so tells something about a secret, not the secret: `token_count`, `api_key.id`.
const ABOUT: [&str; 11] = [
    "count", "length", "len", "bytes", "id", "kind", "state", "ttl", "ms", "seconds", "expires",
];

/// Whether a field of this name is shown to nobody.
pub fn is_secret(name: &str) -> bool {
    let mut found = false;
    let mut previous = "";
    let mut count = 0;
    for word in words(name) {
        found |= one_of(&WORDS, word)
            || PAIRS.iter().any(|(first, second)| {
                first.eq_ignore_ascii_case(previous) && second.eq_ignore_ascii_case(word)
            });
        previous = word;
        count += 1;
    }
    found |= count == 1 && one_of(&ALONE, previous);
    found && !one_of(&ABOUT, previous)
}

/// The text of a field as it may be shown.
pub fn field<'a>(name: &str, value: &'a str) -> Cow<'a, str> {
    if is_secret(name) {
        Cow::Borrowed(REDACTED)
    } else {
        mask(value)
    }
}

/// A text without what looks like a credential or an e-mail address in it.
///
/// Errors of libraries bring such texts along: a connection string that does not parse, a header that
/// was refused, an address that a mail server does not know. It masks too much rather than too little.
pub fn mask(text: &str) -> Cow<'_, str> {
    // All of them have a mark in them; most values of fields are plain words.
    if text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
    {
        return Cow::Borrowed(text);
    }
    let mut masked = Cow::Borrowed(text);
    for find in [userinfo, scheme_credentials, named_value, email_address] {
        if let Some(replaced) = replace_all(&masked, find) {
            masked = Cow::Owned(replaced);
        }
    }
    masked
}

/// The first place at or after the offset that must be masked.
type Find = fn(&str, usize) -> Option<Range<usize>>;

fn replace_all(text: &str, find: Find) -> Option<String> {
    let mut secret = find(text, 0)?;
    let mut masked = String::with_capacity(text.len());
    let mut shown_until = 0;
    loop {
        masked.push_str(&text[shown_until..secret.start]);
        masked.push_str(REDACTED);
        shown_until = secret.end;
        match find(text, shown_until) {
            Some(next) => secret = next,
            None => break,
        }
    }
    masked.push_str(&text[shown_until..]);
    Some(masked)
}

/// `user:password` in `scheme://user:password@host`.
///
/// Everything up to the last `@` before a space or a quote goes: a password with a bare `/` or `#` makes
/// a URL invalid, and it is the messages about invalid URLs that print it.
fn userinfo(text: &str, from: usize) -> Option<Range<usize>> {
    let mut search = from;
    while let Some(found) = text[search..].find("://") {
        let start = search + found + 3;
        let end = end_of_run(text, start, |c| c.is_whitespace() || "\"`<>".contains(c));
        if let Some(at) = text[start..end].rfind('@')
            && at > 0
        {
            return Some(start..start + at);
        }
        search = end;
    }
    None
}

/// What follows `Bearer` or `Basic`.
fn scheme_credentials(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut search = from;
    while let Some(found) = bytes[search..]
        .iter()
        .position(|b| b.eq_ignore_ascii_case(&b'b'))
    {
        let start = search + found;
        search = start + 1;
        let begins_word = start == 0 || !bytes[start - 1].is_ascii_alphanumeric();
        let Some(scheme) = ["bearer", "basic"].into_iter().find(|scheme| {
            begins_word
                && bytes.len() >= start + scheme.len()
                && bytes[start..start + scheme.len()].eq_ignore_ascii_case(scheme.as_bytes())
        }) else {
            continue;
        };
        let after = start + scheme.len();
        let value = end_of_run(text, after, |c| !(c.is_whitespace() || ":=\"'".contains(c)));
        let end = end_of_run(text, value, |c| {
            !(c.is_ascii_alphanumeric() || "-._~+/=".contains(c))
        });
        if value > after && end > value {
            return Some(value..end);
        }
    }
    None
}

/// The value in `password=…`, `?token=…`, `password: "…"`, `secret: Some("…")`, `"cookie":"…"`,
/// `key_material: [1, 2]`.
///
/// After a colon only what is quoted, a number or a list is a value: `unknown token: expected a name` is
/// prose.
fn named_value(text: &str, from: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut search = from;
    while let Some(found) = bytes[search..]
        .iter()
        .position(|b| matches!(b, b'=' | b':'))
    {
        let separator = search + found;
        search = separator + 1;
        let name = name_before(text, separator, from);
        if name.is_empty() || !is_secret(&text[name.clone()]) {
            continue;
        }
        let mut value = end_of_run(text, separator + 1, |c| c != ' ');
        // Wrappers such as `Some(`. A name must not reach over the next separator, or a text of nothing
        // but separators would be read anew for each of them.
        loop {
            let wrapper = end_of_run(text, value, |c| !(c.is_ascii_alphanumeric() || c == '_'));
            if bytes.get(wrapper) != Some(&b'(') {
                break;
            }
            value = wrapper + 1;
        }
        let end = match text[value..].chars().next() {
            Some('\\') if text[value + 1..].starts_with('"') => {
                value += 2;
                text[value..].find("\\\"").map(|at| value + at)
            }
            Some(quote @ ('"' | '\'')) => {
                value += 1;
                closing_quote(text, value, quote)
            }
            Some('[') => text[value..].find(']').map(|at| value + at + 1),
            Some('0'..='9') if bytes[separator] == b':' => {
                Some(end_of_run(text, value, |c| !c.is_ascii_alphanumeric()))
            }
            _ if bytes[separator] == b':' => continue,
            _ => {
                let in_query =
                    name.start > 0 && matches!(bytes[name.start - 1], b'?' | b'&' | b'#');
                Some(end_of_run(text, value, |c| {
                    c.is_whitespace() || c == '"' || (in_query && "&#'<>)".contains(c))
                }))
            }
        };
        // A value that is cut off before its closing mark is secret to the end.
        let end = end.unwrap_or(text.len());
        if end > value && &text[value..end] != REDACTED {
            return Some(value..end);
        }
    }
    None
}

/// The name that stands before a separator, without quotes and spaces between.
fn name_before(text: &str, separator: usize, from: usize) -> Range<usize> {
    let end = from
        + text[from..separator]
            .trim_end_matches([' ', '"', '\'', '\\'])
            .len();
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = from + text[from..end].trim_end_matches(is_part).len();
    start..end
}

fn closing_quote(text: &str, from: usize, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text[from..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(from + at),
            _ => {}
        }
    }
    None
}

/// `somebody@example.org`; the domain's last label begins with a letter, so that `crate@1.2.3` stays.
fn email_address(text: &str, from: usize) -> Option<Range<usize>> {
    let mut search = from;
    while let Some(found) = text[search..].find('@') {
        let at = search + found;
        search = at + 1;
        let start = from
            + text[from..at]
                .trim_end_matches(|c: char| c.is_alphanumeric() || "._%+-".contains(c))
                .len();
        let run = end_of_run(text, search, |c| !(c.is_alphanumeric() || ".-".contains(c)));
        let domain = text[search..run].trim_end_matches(['.', '-']);
        let is_domain = domain
            .rsplit_once('.')
            .is_some_and(|(_, last)| last.starts_with(char::is_alphabetic));
        if start < at && is_domain {
            return Some(start..search + domain.len());
        }
    }
    None
}

fn end_of_run(text: &str, from: usize, ends: impl Fn(char) -> bool) -> usize {
    text[from..].find(ends).map_or(text.len(), |at| from + at)
}

fn one_of(list: &[&str], word: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// `db.apiKey_id` → `db`, `api`, `Key`, `id`.
fn words(name: &str) -> impl Iterator<Item = &str> {
    let mut rest = name;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| !c.is_alphanumeric());
        let mut previous_is_lower = false;
        let end = rest
            .find(|c: char| {
                let boundary = !c.is_alphanumeric() || (previous_is_lower && c.is_uppercase());
                previous_is_lower = c.is_lowercase();
                boundary
            })
            .unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        rest = tail;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "password",
            "new_password",
            "accessToken",
            "refresh_token",
            "client.secret",
            "http.request.header.authorization",
            "Set-Cookie",
            "api_key",
            "apiKey",
            "DATABASE_URL",
            "EMPULSE_SIGNING_KEYS",
            "email",
            "e-mail",
            "address",
            "client_ip",
            "__Host-refresh",
            "__Host-csrf",
        ] {
            assert!(is_secret(name), "{name} should be secret");
        }
    }

    #[test]
    fn names_about_secrets_and_ordinary_names_are_shown() {
        for name in [
            "token_count",
            "api_key.id",
            "password_ms",
            "correlation_id",
            "server.address",
            "listen",
            "key",
            "track_id",
            "zip",
            "tokenizer",
        ] {
            assert!(!is_secret(name), "{name} should be shown");
        }
    }

    #[test]
    fn credentials_in_texts_are_masked() {
        for (text, shown) in [
            (
                "bad url postgres://empulse:s3cret@db:5432/empulse?sslmode=require",
                "bad url postgres://[redacted]@db:5432/empulse?sslmode=require",
            ),
            (
                "redis://:p/a#s@s@cache/0 and smtp://u:p@mail",
                "redis://[redacted]@cache/0 and smtp://[redacted]@mail",
            ),
            (
                "Authorization: Bearer En0KEwoEdXNlcg== refused",
                "Authorization: Bearer [redacted] refused",
            ),
            ("bEARER\tabc.def-ghi", "bEARER\t[redacted]"),
            ("basic dXNlcjpw", "basic [redacted]"),
            (
                "host=db user=empulse password=hunter2 dbname=x",
                "host=db user=empulse password=[redacted] dbname=x",
            ),
            ("password = 'hun ter2' x", "password = '[redacted]' x"),
            (
                "GET /verify?token=abc&next=/home",
                "GET /verify?token=[redacted]&next=/home",
            ),
            (
                "https://x.y/media/a?name=b&signature=abc and ?X-Amz-Signature=d&x=e",
                "https://x.y/media/a?name=b&signature=[redacted] and ?X-Amz-Signature=[redacted]&x=e",
            ),
            (
                "https://x.y/reset-password#token=abc",
                "https://x.y/reset-password#token=[redacted]",
            ),
            (
                r#"Input { password: "hunter\"2", name: "x" }"#,
                r#"Input { password: "[redacted]", name: "x" }"#,
            ),
            (
                r#"{"refreshToken":"abc","id":1}"#,
                r#"{"refreshToken":"[redacted]","id":1}"#,
            ),
            (r#"secret: Some("abc")"#, r#"secret: Some("[redacted]")"#),
            (r#"{"otp":123456,"n":7}"#, r#"{"otp":[redacted],"n":7}"#),
            (
                r#""{\"token\":\"abc\"}""#,
                r#""{\"token\":\"[redacted]\"}""#,
            ),
            (
                "key_material: [1, 2, 3], n: 4",
                "key_material: [redacted], n: 4",
            ),
            ("password: \"cut off", "password: \"[redacted]"),
            (
                "__Host-refresh=abc; theme=dark",
                "__Host-refresh=[redacted] theme=dark",
            ),
            (
                "550 no such user <ana.b+c@mail.example.org>.",
                "550 no such user <[redacted]>.",
            ),
        ] {
            assert_eq!(mask(text), shown, "{text}");
        }
    }

    #[test]
    fn ordinary_texts_stay_as_they_are() {
        for text in [
            "",
            "listening on http://127.0.0.1:8000",
            "unexpected token: expected a name",
            "serde@1.0.2",
            "a == b, c: d",
            "über ? & = : @ // ://",
            "the bearer",
            "track_01h455vb4pex5vsknk084sn02q",
        ] {
            assert!(
                matches!(mask(text), Cow::Borrowed(_)),
                "{text}: {}",
                mask(text)
            );
        }
    }

    /// A caller may send as much of any of these as a body holds.
    #[test]
    fn masking_takes_time_in_proportion_to_the_text() {
        for part in [
            "token:",
            "token: ",
            "=",
            "://",
            "@a",
            "bearer ",
            "secret: Some(",
            "token=\\\"",
        ] {
            let text = part.repeat(1_000_000 / part.len());
            let began = std::time::Instant::now();
            mask(&text);
            // Read anew at each separator, it would take minutes.
            assert!(began.elapsed().as_secs() < 10, "{part}");
        }
    }

    #[test]
    fn masking_twice_changes_nothing_more() {
        for text in [
            "password=a",
            "postgres://u:p@h",
            "Bearer abc",
            r#"token: "a""#,
            "key_material: [1]",
            "a@b.cd",
        ] {
            let once = mask(text).into_owned();
            assert_eq!(mask(&once), once);
        }
    }

    #[test]
    fn a_redacted_value_shows_nothing() {
        let value = Redacted("hunter2");
        assert_eq!(format!("{value} {value:?}"), "[redacted] [redacted]");
    }
}
