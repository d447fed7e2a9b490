//! E-mail addresses: as they are written, and as they are compared.
//!
//! Two addresses are one where mail servers would deliver to one: letters' case does not count, and neither does the
//! spelling of a host of another script (`münchen.de`, `xn--mnchen-3ya.de`). Dots and `+tags` are the person's own affair
//! and stay: they are one mailbox at some providers and two at others.

use std::fmt;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use super::characters::is_hidden;

/// Bytes of an address, and of what stands before its `@`, that SMTP takes (RFC 5321).
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;

/// Bytes beyond which nobody needs to look closer.
const ABSURD: usize = 4 * LONGEST;

/// An address that a mail server could take. It is personal data: `Debug` shows hardly any of it, and there is no
/// `Display`, so that it gets into a log or a message only by intent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    local: String,
    /// As people read it: lower case, in its own script.
    domain: String,
    /// As DNS knows it.
    host: String,
}

/// Why an address is refused, for whoever typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailFault {
    #[error("An e-mail address is needed, such as name@example.org.")]
    Empty,
    #[error("An e-mail address has exactly one @, as in name@example.org.")]
    At,
    #[error("An e-mail address has a name before its @, as in name@example.org.")]
    NoLocal,
    #[error("An e-mail address has at most 254 characters, and at most 64 of them before its @.")]
    TooLong,
    #[error("An e-mail address holds no spaces and no invisible characters.")]
    Hidden,
    #[error(
        "Before its @, an e-mail address may have letters from a to z, digits, single dots between them, and any of \
         !#$%&'*+-/=?^_`{{|}}~, without quotes or comments."
    )]
    Local,
    #[error("After its @, an e-mail address has a full name, such as example.org.")]
    NoDomain,
    #[error(
        "After its @, an e-mail address has a name such as example.org: letters, digits and hyphens, with single dots \
         between its parts and none at its end."
    )]
    Domain,
    #[error(
        "After its @, an e-mail address has a name such as example.org, not the numbers of an IP address."
    )]
    Numeric,
}

impl EmailAddress {
    pub fn parse(text: &str) -> Result<Self, EmailFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(EmailFault::Empty);
        }
        if text.len() > ABSURD {
            return Err(EmailFault::TooLong);
        }
        let text: String = text.nfc().collect();
        if text
            .chars()
            .any(|character| character.is_whitespace() || is_hidden(character))
        {
            return Err(EmailFault::Hidden);
        }
        let (local, domain) = text.split_once('@').ok_or(EmailFault::At)?;
        if domain.contains('@') {
            return Err(EmailFault::At);
        }
        check_local(local)?;
        let host = host(domain)?;
        if local.len() + 1 + host.len() > LONGEST {
            return Err(EmailFault::TooLong);
        }
        let domain = if domain.is_ascii() {
            host.clone()
        } else {
            idna::domain_to_unicode(&host).0
        };
        Ok(Self {
            local: local.to_owned(),
            domain,
            host,
        })
    }

    /// As its owner writes it, apart from the case of the host. What mails and people are shown.
    pub fn as_written(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// What is compared, and unique among accounts: the same for every spelling of one address. Mail goes to the address
    /// as written, never to this.
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.host)
    }

    /// As SMTP and the headers of mails take it: ASCII throughout.
    pub fn for_smtp(&self) -> String {
        format!("{}@{}", self.local, self.host)
    }

    /// What stands before the `@`.
    pub fn local(&self) -> &str {
        &self.local
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: String = self.local.chars().take(1).collect();
        write!(out, "{first}***@{}", self.host)
    }
}

/// ASCII only, although there is a standard for more (RFC 6531): half of all mail servers refuse such addresses still, and
/// an account that no mail reaches can't be verified.
fn check_local(local: &str) -> Result<(), EmailFault> {
    if local.is_empty() {
        return Err(EmailFault::NoLocal);
    }
    if local.len() > LONGEST_LOCAL {
        return Err(EmailFault::TooLong);
    }
    let right = local.split('.').all(|part| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    });
    right.then_some(()).ok_or(EmailFault::Local)
}

/// The host in DNS's spelling.
fn host(domain: &str) -> Result<String, EmailFault> {
    if domain.is_empty() {
        return Err(EmailFault::NoDomain);
    }
    if domain.contains(['[', ']', ':']) {
        return Err(EmailFault::Numeric);
    }
    let host = Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .map_err(|_| EmailFault::Domain)?;
    let (_, top) = host.rsplit_once('.').ok_or(EmailFault::NoDomain)?;
    // No top-level domain is a number, so this is an IP address, in one of the many ways to write one.
    if top.bytes().all(|byte| byte.is_ascii_digit()) || top.starts_with("0x") {
        return Err(EmailFault::Numeric);
    }
    Ok(host.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
    }

    fn fault(text: &str) -> EmailFault {
        match EmailAddress::parse(text) {
            Err(fault) => fault,
            Ok(address) => panic!("{text:?} was taken as {}", address.as_written()),
        }
    }

    #[test]
    fn an_address_stays_as_it_is_written() {
        let address = parse("  Ada.Lovelace+music@Example.ORG\n");
        assert_eq!(address.as_written(), "Ada.Lovelace+music@example.org");
        assert_eq!(address.key(), "ada.lovelace+music@example.org");
        assert_eq!(address.for_smtp(), "Ada.Lovelace+music@example.org");
    }

    #[test]
    fn spellings_of_one_address_have_one_key() {
        let key = parse("info@münchen.de").key();
        assert_eq!(key, "info@xn--mnchen-3ya.de");
        for other in [
            "INFO@MÜNCHEN.DE",
            "info@xn--mnchen-3ya.de",
            "Info@XN--MNCHEN-3YA.de",
            "info@mu\u{308}nchen.de",
            "info@münchen。de",
        ] {
            assert_eq!(parse(other).key(), key, "{other}");
        }
        assert_eq!(parse("info@MÜNCHEN.de").as_written(), "info@münchen.de");
        assert_eq!(parse("info@münchen.de").for_smtp(), key);
    }

    #[test]
    fn tags_and_dots_make_another_address() {
        assert_ne!(
            parse("a.b@example.org").key(),
            parse("ab@example.org").key()
        );
        assert_ne!(
            parse("ab+c@example.org").key(),
            parse("ab@example.org").key()
        );
    }

    #[test]
    fn unusual_but_right_addresses_are_taken() {
        for text in [
            "o'hara@example.org",
            "x@y.co",
            "a@sub.sub.example.museum",
            "first-last@ex-ample.org",
            "1234@123.example",
            "user%host@example.org",
            "a@example.xn--p1ai",
        ] {
            parse(text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        let cases = [
            ("", EmailFault::Empty),
            (" \t ", EmailFault::Empty),
            ("ada", EmailFault::At),
            ("ada@b@example.org", EmailFault::At),
            ("@example.org", EmailFault::NoLocal),
            ("ada@", EmailFault::NoDomain),
            ("ada@localhost", EmailFault::NoDomain),
            ("ada lovelace@example.org", EmailFault::Hidden),
            ("ada@exam ple.org", EmailFault::Hidden),
            (
                "ada@example.org\r\nBcc: eve@example.org",
                EmailFault::Hidden,
            ),
            ("ada\u{0}@example.org", EmailFault::Hidden),
            ("ada\u{200b}@example.org", EmailFault::Hidden),
            ("ada\u{202e}@example.org", EmailFault::Hidden),
            ("a\u{ad}da@example.org", EmailFault::Hidden),
            ("\"ada\"@example.org", EmailFault::Local),
            ("ada(comment)@example.org", EmailFault::Local),
            ("<ada>@example.org", EmailFault::Local),
            ("ada,eve@example.org", EmailFault::Local),
            ("ada;eve@example.org", EmailFault::Local),
            (".ada@example.org", EmailFault::Local),
            ("ada.@example.org", EmailFault::Local),
            ("ada..l@example.org", EmailFault::Local),
            ("jörg@example.org", EmailFault::Local),
            ("ada@.example.org", EmailFault::Domain),
            ("ada@example..org", EmailFault::Domain),
            ("ada@example.org.", EmailFault::Domain),
            ("ada@-example.org", EmailFault::Domain),
            ("ada@exam_ple.org", EmailFault::Domain),
            ("ada@example.org>", EmailFault::Domain),
            ("ada@xn--a.org", EmailFault::Domain),
            ("ada@[192.0.2.1]", EmailFault::Numeric),
            ("ada@[IPv6:2001:db8::1]", EmailFault::Numeric),
            ("ada@192.0.2.1", EmailFault::Numeric),
            ("ada@example.0x7f", EmailFault::Numeric),
        ];
        for (text, expected) in cases {
            assert_eq!(fault(text), expected, "{text:?}");
        }
    }

    #[test]
    fn lengths_are_those_of_smtp() {
        let local = "a".repeat(64);
        parse(&format!("{local}@example.org"));
        assert_eq!(fault(&format!("a{local}@example.org")), EmailFault::TooLong);

        let label = "b".repeat(63);
        let domain = format!("{label}.{label}.{}", "c".repeat(61));
        assert_eq!(parse(&format!("{local}@{domain}")).key().len(), 254);
        assert_eq!(fault(&format!("{local}@{domain}c")), EmailFault::TooLong);
        assert_eq!(
            fault(&format!("a@{}.org", "b".repeat(64))),
            EmailFault::Domain
        );
        assert_eq!(fault(&"a@b.c".repeat(1 << 18)), EmailFault::TooLong);
    }

    #[test]
    fn debug_shows_hardly_anything() {
        assert_eq!(
            format!("{:?}", parse("Ada@example.org")),
            "A***@example.org"
        );
    }
}
