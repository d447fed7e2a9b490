//! A message as it goes over the wire. Whatever was put into it, it adds neither a header nor a recipient.

use chrono::{DateTime, Utc};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;

use super::{Error, Message};

/// Longer ones are no addresses (RFC 5321, 4.5.3.1).
const LONGEST_ADDRESS: usize = 254;

/// Whom mails come from.
pub struct Sender {
    name: Option<String>,
    address: String,
}

/// A mail in an envelope.
pub struct Mail {
    pub id: String,
    pub from: String,
    pub to: String,
    pub bytes: Vec<u8>,
}

impl Sender {
    /// An address, alone or after a name: `Empulse <no-reply@example.org>`, as the settings have checked it.
    pub fn new(mailbox: &str) -> Self {
        let (name, address) = match mailbox
            .strip_suffix('>')
            .and_then(|named| named.split_once('<'))
        {
            Some((name, address)) => (name.trim(), address),
            None => ("", mailbox),
        };
        Self {
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            address: address.trim().to_owned(),
        }
    }

    fn host(&self) -> &str {
        self.address
            .rsplit_once('@')
            .map_or("localhost", |(_, host)| host)
    }
}

pub fn mail(from: &Sender, message: &Message, now: DateTime<Utc>) -> Result<Mail, Error> {
    if message.id.is_empty()
        || !message
            .id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    {
        return Err(Error::Lasting("its id can't stand in a header".into()));
    }
    let to = recipient(&message.to)?;
    let subject: String = message
        .subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let bytes = MessageBuilder::new()
        .from(Address::new_address(
            from.name.as_deref(),
            from.address.as_str(),
        ))
        .to(to.as_str())
        .subject(subject)
        .date(now.timestamp())
        .message_id(format!("{}@{}", message.id, from.host()))
        // So that no holiday notice answers it.
        .header("Auto-Submitted", Raw::new("auto-generated"))
        .text_body(message.text.as_str())
        .html_body(message.html.as_str())
        .write_to_vec()
        .map_err(|error| Error::Lasting(error.to_string()))?;
    Ok(Mail {
        id: message.id.clone(),
        from: from.address.clone(),
        to,
        bytes,
    })
}

/// The address as mail servers know it: a host of another script in its own writing for them.
fn recipient(address: &str) -> Result<String, Error> {
    let is_plain = address.len() <= LONGEST_ADDRESS
        && !address
            .contains(|c: char| c.is_control() || c.is_whitespace() || "<>,;:\"\\()[]".contains(c));
    let parts = address.rsplit_once('@').filter(|(local, host)| {
        is_plain && !local.is_empty() && !local.contains('@') && !host.is_empty()
    });
    let Some((local, host)) = parts else {
        return Err(Error::Lasting(
            "its recipient has no address that mails go to".into(),
        ));
    };
    match idna::domain_to_ascii(host) {
        Ok(host) => Ok(format!("{local}@{host}")),
        Err(_) => Err(Error::Lasting(
            "its recipient's host has no name that is one".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::MessageParser;

    use super::*;

    fn message() -> Message {
        Message {
            id: "mail_1".into(),
            to: "ana@example.org".into(),
            subject: "Grüße".into(),
            text: "Hello\n.\nlong: ".to_owned() + &"x".repeat(3_000),
            html: "<p>Hello</p>".into(),
        }
    }

    fn composed(message: &Message) -> Result<Mail, Error> {
        let from = Sender::new("Émpulse Team <no-reply@example.org>");
        mail(&from, message, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_mail_says_whose_it_is_and_that_nobody_wrote_it() {
        let mail = composed(&message()).unwrap();
        assert_eq!(
            (mail.from.as_str(), mail.to.as_str()),
            ("no-reply@example.org", "ana@example.org")
        );
        let read = MessageParser::default().parse(&mail.bytes).unwrap();
        assert_eq!(read.message_id(), Some("mail_1@example.org"));
        assert_eq!(read.subject(), Some("Grüße"));
        assert_eq!(read.date().unwrap().to_timestamp(), 0);
        assert_eq!(read.body_html(0).unwrap(), "<p>Hello</p>");
        assert!(read.body_text(0).unwrap().starts_with("Hello"));
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(
            text.contains("Auto-Submitted: auto-generated\r\n"),
            "{text}"
        );
        for line in text.split("\r\n") {
            assert!(
                line.len() <= 998 && line.is_ascii() && !line.contains(['\r', '\n']),
                "{line:?}"
            );
        }
    }

    #[test]
    fn nothing_in_it_adds_a_header_or_a_recipient() {
        let evil = "Hi\r\nBcc: eve@example.org\r\n\r\nbody";
        let mail = composed(&Message {
            subject: evil.into(),
            ..message()
        })
        .unwrap();
        let read = MessageParser::default().parse(&mail.bytes).unwrap();
        assert!(read.bcc().is_none());
        for to in [
            "",
            "ana",
            "@example.org",
            "ana@",
            "ana@example.org\r\nRCPT TO:<eve@example.org>",
            "ana@example.org, eve@example.org",
            "<ana@example.org>",
            "ana@example.org> SIZE=1",
            "a b@example.org",
        ] {
            let made = composed(&Message {
                to: to.into(),
                ..message()
            });
            assert!(matches!(made, Err(Error::Lasting(_))), "{to:?}");
        }
        let made = composed(&Message {
            id: "a>\r\nX: y".into(),
            ..message()
        });
        assert!(matches!(made, Err(Error::Lasting(_))));
    }

    #[test]
    fn hosts_of_other_scripts_are_written_as_servers_know_them() {
        let mail = composed(&Message {
            to: "ana@bücher.example".into(),
            ..message()
        })
        .unwrap();
        assert_eq!(mail.to, "ana@xn--bcher-kva.example");
    }
}
