//! One pass over a document's text before it is parsed: linear, without allocation, without recursion.
//! The parser behind it recurses on every bracket and has limits for selections only, so what this scan
//! takes for code must be all that the parser takes for code: the two agree on strings, block strings
//! and comments, and a string without an end is refused here.

use super::limits::{Limits, Refusal, at_most};

/// What the text holds, counted to its end so that a refusal can name the true number.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scan {
    tokens: u64,
    directives: u64,
    brackets: u64,
    longest_word: u64,
}

/// Refuses a text that is too long or too nested to be given to the parser.
pub(super) fn check(text: &str, limits: &Limits) -> Result<(), Refusal> {
    at_most(
        limits.text_bytes,
        text.len() as u64,
        "length of the document in bytes",
    )?;
    let scan = scan(text)?;
    at_most(
        limits.tokens,
        scan.tokens,
        "number of tokens in the document",
    )?;
    at_most(
        limits.brackets,
        scan.brackets,
        "nesting of brackets in the document",
    )?;
    at_most(
        limits.directives,
        scan.directives,
        "number of directives in the document",
    )?;
    at_most(
        limits.word_bytes,
        scan.longest_word,
        "length of the longest name or number in bytes",
    )
}

fn scan(text: &str) -> Result<Scan, Refusal> {
    let mut scan = Scan::default();
    let mut open = 0_u64;
    for token in tokens(text) {
        scan.tokens += 1;
        match token? {
            b"{" | b"[" | b"(" => {
                open += 1;
                scan.brackets = scan.brackets.max(open);
            }
            // A closing bracket too many ends the parse, so the count may start anew after it.
            b"}" | b"]" | b")" => open = open.saturating_sub(1),
            b"@" => scan.directives += 1,
            token if is_word(token[0]) || token[0] == b'-' => {
                scan.longest_word = scan.longest_word.max(token.len() as u64);
            }
            _ => {}
        }
    }
    Ok(scan)
}

/// The text's tokens, up to a string that has no end. What the parser would not take comes byte by byte.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Result<&[u8], Refusal>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            match ignored_length(&bytes[at..]) {
                0 => break,
                ignored => at += ignored,
            }
        }
        let rest = &bytes[at..];
        let length = match *rest.first()? {
            b'"' => match string_length(rest) {
                Some(length) => length,
                None => {
                    let refusal = unterminated(text, at);
                    at = bytes.len();
                    return Some(Err(refusal));
                }
            },
            b'.' if rest.starts_with(b"...") => 3,
            byte if is_word(byte) || byte == b'-' => word_length(rest),
            _ => 1,
        };
        at += length;
        Some(Ok(&rest[..length]))
    })
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|&&byte| belongs(byte)).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn ignored_length(rest: &[u8]) -> usize {
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    match rest {
        [b' ' | b'\t' | b'\r' | b'\n' | b',', ..] => 1,
        [b'#', ..] => run(rest, |byte| byte != b'\n' && byte != b'\r'),
        _ if rest.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
        _ => 0,
    }
}

/// The parser takes `1-1` for two numbers, so a sign belongs to this one only at its start or after its
/// `e`: else a long list could pass for one word.
fn word_length(rest: &[u8]) -> usize {
    if rest[0] != b'-' && !rest[0].is_ascii_digit() {
        return run(rest, is_word);
    }
    let mut before = b'e';
    rest.iter()
        .take_while(|&&byte| {
            let is_sign = matches!(byte, b'+' | b'-') && matches!(before, b'e' | b'E');
            before = byte;
            is_sign || byte == b'.' || is_word(byte)
        })
        .count()
}

/// The length of the string that the bytes start with, quotes included; none if it has no end.
fn string_length(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"\"\"\"") {
        let mut at = 3;
        loop {
            let ahead = rest.get(at..)?;
            match ahead {
                [b'"', b'"', b'"', ..] => return Some(at + 3),
                [b'\\', b'"', b'"', b'"', ..] => at += 4,
                [] => return None,
                _ => at += 1,
            }
        }
    }
    let mut at = 1;
    loop {
        match rest.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn unterminated(text: &str, at: usize) -> Refusal {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Refusal::Parse {
        message: "Syntax error: unterminated string".into(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(text: &str) -> (u64, u64, u64) {
        let scan = scan(text).unwrap();
        (scan.tokens, scan.brackets, scan.directives)
    }

    #[test]
    fn tokens_are_counted_as_the_specification_has_them() {
        assert_eq!(counted(""), (0, 0, 0));
        assert_eq!(counted("\u{feff} ,\t\r\n"), (0, 0, 0));
        assert_eq!(counted("{ a }"), (3, 1, 0));
        assert_eq!(
            counted("query Q($a: [Int!]! = [-1.5e+3]) { ...F }"),
            (20, 2, 0)
        );
        assert_eq!(counted("[1-1-2e+5-0.5]"), (6, 1, 0));
        assert_eq!(counted("{a:b(c:$d)@skip(if:true){e}}"), (21, 2, 1));
    }

    #[test]
    fn strings_and_comments_hide_what_they_hold() {
        assert_eq!(counted(r#"{ a(b: "[[[ @ # \" \\") }"#), (8, 2, 0));
        assert_eq!(
            counted("{ a(b: \"\"\"[[[ \" \\\"\"\" \n @\"\"\") }"),
            (8, 2, 0)
        );
        assert_eq!(counted("{ a # [[[ \" @\r b }"), (4, 1, 0));
        assert_eq!(counted(r#"{ a(b: "") c }"#), (9, 2, 0));
    }

    #[test]
    fn nesting_is_the_deepest_of_all_kinds_of_brackets() {
        assert_eq!(counted("{a(b:[{c:[1]}])}").1, 5);
        assert_eq!(counted("{}{}[]()").1, 1);
        assert_eq!(counted("}}}}{{").1, 2);
    }

    #[test]
    fn a_string_without_an_end_is_refused_where_it_begins() {
        for text in [
            "{ a\n  b(c: \"x",
            "{ a\n  b(c: \"x\n\")",
            "{ a\n  b(c: \"\"\"x\"\"",
            "{ a\n  b(c: \"\\",
        ] {
            assert_eq!(
                scan(text),
                Err(Refusal::Parse {
                    message: "Syntax error: unterminated string".into(),
                    line: 2,
                    column: 8,
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn each_limit_is_exact() {
        let limits = Limits::default();
        let refusal = |text: &str| {
            check(text, &limits)
                .err()
                .map(|refusal| refusal.to_string())
        };

        assert_eq!(refusal(&"a ".repeat(2_000)), None);
        assert_eq!(
            refusal(&"a ".repeat(2_001)).as_deref(),
            Some("The number of tokens in the document is 2001; at most 2000 is allowed.")
        );
        assert_eq!(refusal(&"[".repeat(64)), None);
        assert_eq!(
            refusal(&"[".repeat(65)).as_deref(),
            Some("The nesting of brackets in the document is 65; at most 64 is allowed.")
        );
        assert_eq!(refusal(&"@a ".repeat(50)), None);
        assert_eq!(
            refusal(&"@a ".repeat(51)).as_deref(),
            Some("The number of directives in the document is 51; at most 50 is allowed.")
        );
        assert_eq!(refusal(&" ".repeat(65_536)), None);
        assert_eq!(
            refusal(&" ".repeat(65_537)).as_deref(),
            Some("The length of the document in bytes is 65537; at most 65536 is allowed.")
        );
        assert_eq!(refusal(&"a".repeat(255)), None);
        assert_eq!(
            refusal(&"1".repeat(256)).as_deref(),
            Some(
                "The length of the longest name or number in bytes is 256; at most 255 is allowed."
            )
        );
    }
}
