//! What the mails of accounts say: who did what, when, from where as far as it is known, and what to do if it was
//! somebody else. Times are in UTC, since nobody knows where their readers are.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::device_name::device_name;
use super::model::Scope;
use crate::config::Config;
use crate::mail::{Error, Letter, Look, Message};

pub(super) const BRAND: &str = "Empulse";

/// What all of them need to know of this deployment: how they look, and where their links lead.
#[derive(Debug, Clone)]
pub struct Stationery {
    look: Look,
    public: Url,
    web: Url,
}

/// Whom a mail is for.
#[derive(Debug, Clone)]
pub struct Addressee {
    /// The mail's own id, the same each time that it is sent ([`Message::id`]).
    pub mail: String,
    pub email: String,
    /// Empty where it is not known.
    pub name: String,
}

/// When something happened, and from where, as far as it is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Circumstances {
    pub at: DateTime<Utc>,
    /// What it calls itself, its `User-Agent`; told in words of ours.
    #[serde(default)]
    pub device: Option<String>,
    #[serde(default)]
    pub ip_address: Option<IpAddr>,
}

impl Circumstances {
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("When", moment(self.at))];
        let device = self.device.as_deref().and_then(device_name);
        facts.extend(device.map(|device| ("Device", device)));
        facts.extend(self.ip_address.map(|ip| ("Address", ip.to_string())));
        facts
    }
}

impl Stationery {
    pub fn new(config: &Config) -> Self {
        Self {
            look: Look {
                brand: BRAND.to_owned(),
                home: config.web_url.clone(),
            },
            public: config.public_url.clone(),
            web: config.web_url.clone(),
        }
    }

    /// A letter as it goes to somebody.
    pub fn message(&self, letter: Letter, to: &Addressee) -> Result<Message, Error> {
        let name = Some(to.name.clone()).filter(|name| !name.is_empty());
        Letter { name, ..letter }.message(&to.mail, &to.email, &self.look)
    }

    /// The token goes to the server: the page asks for a click before it does anything.
    fn verify(&self, token: &SecretString) -> Url {
        let mut url = joined(&self.public, "verify");
        url.query_pairs_mut()
            .append_pair("token", token.expose_secret());
        url
    }

    pub(super) fn login(&self) -> Url {
        joined(&self.web, "login")
    }

    /// Behind the `#`, so that it stands in no server's log and goes to no other site.
    pub(super) fn page(&self, page: &str, token: &SecretString) -> Url {
        let mut url = joined(&self.web, page);
        let token: String =
            url::form_urlencoded::byte_serialize(token.expose_secret().as_bytes()).collect();
        url.set_fragment(Some(&format!("token={token}")));
        url
    }
}

/// A page below a base that may have a path of its own.
fn joined(base: &Url, page: &str) -> Url {
    let mut url = base.clone();
    let path = format!("{}/{page}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url
}

pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

pub fn said(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(super) const NOT_YOU: &str = "If this was not you, set a new password right away: choose \"Forgot password\" where you sign in. \
                       That signs out every device.";
const IGNORE: &str = "If you did not ask for this, you can ignore this mail; nothing changes.";

/// The address is to be confirmed by whoever reads its mail.
pub struct Verification {
    pub token: SecretString,
    pub expires: DateTime<Utc>,
}

impl Verification {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "Confirm your e-mail address".into(),
            paragraphs: said(&[
                "Somebody, hopefully you, made an account with this address. Confirm that it is yours, \
                                and you can sign in.",
            ]),
            link: Some(("Confirm my address", with.verify(&self.token))),
            facts: vec![("The link works until", moment(self.expires))],
            closing: said(&[
                "If it was not you, you can ignore this mail: without the link the account can't be used, \
                             and it is deleted after a few days.",
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// Somebody tried to register an address that has an account. Only its owner is told so.
pub struct AlreadyRegistered {
    pub what: Circumstances,
}

impl AlreadyRegistered {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "You already have an account".into(),
            paragraphs: said(&[
                "Somebody, perhaps you, tried to make a new account with this address, or asked to confirm it. \
                 There is one already, and its address is confirmed, so no other was made and nothing has changed.",
            ]),
            facts: self.what.facts(),
            closing: said(&[
                "If it was you, sign in as usual. If you do not know your password any more, choose \
                             \"Forgot password\" there.",
                "If it was not you, you need not do anything.",
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// The address was confirmed.
pub struct Welcome;

impl Welcome {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: format!("Welcome to {BRAND}"),
            paragraphs: said(&[
                "Your address is confirmed, and your account is ready. Enjoy the music.",
            ]),
            link: Some(("Start listening", with.web.clone())),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// Somebody asked for a new password.
pub struct PasswordReset {
    pub token: SecretString,
    pub expires: DateTime<Utc>,
    pub what: Circumstances,
}

impl PasswordReset {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let mut facts = vec![("The link works until", moment(self.expires))];
        facts.extend(self.what.facts());
        let letter = Letter {
            subject: "Set a new password".into(),
            paragraphs: said(&[
                "Somebody, hopefully you, asked to set a new password for your account. The link \
                                works once.",
            ]),
            link: Some((
                "Set a new password",
                with.page("reset-password", &self.token),
            )),
            facts,
            closing: said(&[IGNORE]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// The password is another.
pub struct PasswordChanged {
    pub what: Circumstances,
}

impl PasswordChanged {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "Your password was changed".into(),
            paragraphs: said(&[
                "The password of your account was changed. Other devices were signed out.",
            ]),
            facts: self.what.facts(),
            closing: said(&[NOT_YOU]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// To a new address, which becomes the account's when the link is followed.
pub struct ConfirmEmail {
    pub token: SecretString,
    pub expires: DateTime<Utc>,
}

impl ConfirmEmail {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "Confirm your new e-mail address".into(),
            paragraphs: said(&[
                "Somebody, hopefully you, wants to use this address for an account. Confirm it, and it \
                                takes the place of the old one.",
            ]),
            link: Some(("Use this address", with.page("confirm-email", &self.token))),
            facts: vec![("The link works until", moment(self.expires))],
            closing: said(&[IGNORE]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// To the old address: it is about to be replaced, or was; the link takes that back. The new one is not told, since
/// this mailbox may be why it is changed.
pub struct EmailChanging {
    pub token: SecretString,
    pub expires: DateTime<Utc>,
    pub what: Circumstances,
}

impl EmailChanging {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let mut facts = self.what.facts();
        facts.push(("The link works until", moment(self.expires)));
        let letter = Letter {
            subject: "The e-mail address of your account changes".into(),
            paragraphs: said(&[
                "Somebody who knows your password asked to replace this address by another. If it was \
                                you, there is nothing to do here.",
                "If it was not you, keep this address by this link, and then set a new password.",
            ]),
            link: Some(("Keep this address", with.page("undo-email", &self.token))),
            facts,
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// The account has another address now: to the one that it had.
pub struct EmailChanged {
    pub what: Circumstances,
}

impl EmailChanged {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "The e-mail address of your account was changed".into(),
            paragraphs: said(&[
                "Your account has another address now. Mails about it go there, and none come here any more.",
            ]),
            facts: self.what.facts(),
            closing: said(&[
                "If this was not you, follow the link in the mail that told you of the change before it was made; it works \
                 for seven days.",
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// A sign-in from a device that was not seen before.
pub struct NewDevice {
    pub what: Circumstances,
}

impl NewDevice {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "A new device signed in".into(),
            paragraphs: said(&[
                "Your account was signed in to from a device that we have not seen before.",
            ]),
            facts: self.what.facts(),
            closing: said(&["If it was you, there is nothing to do.", NOT_YOU]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// Too many wrong passwords, or wrong codes behind the right one.
pub struct Locked {
    pub until: DateTime<Utc>,
    pub knew_password: bool,
    pub what: Circumstances,
}

impl Locked {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let mut facts = vec![("Locked until", moment(self.until))];
        facts.extend(self.what.facts());
        let (paragraph, closing) = match self.knew_password {
            false => (
                "Somebody tried wrong passwords for your account too often, so it can't be signed in to for a few minutes. \
                 Devices that you used before still can.",
                "If it was you, wait, and try again. If it was not, your account is safe as long as your password is hard \
                 to guess; if in doubt, set a new one.",
            ),
            true => (
                "Somebody gave your right password and then wrong codes of your second factor, too often, so your account \
                 can't be signed in to for a few minutes. Devices that you used before still can.",
                "If it was you, wait, and try again; if your authenticator is lost, use one of your recovery codes. If it was \
                 not you, somebody knows your password, and only the code keeps them out: set a new one right away.",
            ),
        };
        let letter = Letter {
            subject: "Sign-in to your account is locked for a while".into(),
            paragraphs: said(&[paragraph]),
            facts,
            closing: said(&[closing]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// A sign-in beyond the number of sessions ended the one that was idle longest.
pub struct SessionLimit {
    /// Of the sign-in.
    pub what: Circumstances,
    /// What is known of the device that was signed out.
    pub ended: Option<String>,
}

impl SessionLimit {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let mut facts = self.what.facts();
        let ended = self.ended.as_deref().and_then(device_name);
        facts.extend(ended.map(|ended| ("Signed out", ended)));
        let letter = Letter {
            subject: "One of your devices was signed out".into(),
            paragraphs: said(&[
                "A new sign-in went beyond the number of devices that can be signed in to your account \
                                at a time. The one that was not used for longest was signed out.",
            ]),
            facts,
            closing: said(&["If it was you, there is nothing to do.", NOT_YOU]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// A refresh token came a second time: somebody may have copied it, so its session was ended.
pub struct TokenReused {
    pub what: Circumstances,
}

impl TokenReused {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "A device was signed out to keep your account safe".into(),
            paragraphs: said(&[
                "What keeps one of your devices signed in was used a second time, as happens when \
                                somebody has copied it. So that device was signed out; sign in again on it.",
            ]),
            facts: self.what.facts(),
            closing: said(&[
                "If you see devices in your account that are not yours, sign them out and set a new \
                             password.",
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// What became of a second factor.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorChange {
    Enabled,
    Disabled,
    CodesRenewed,
    CodeUsed { left: i64 },
}

impl FactorChange {
    /// Each has a limit of its own, so that many of one don't hide another.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Enabled => "second factor enabled",
            Self::Disabled => "second factor disabled",
            Self::CodesRenewed => "recovery codes renewed",
            Self::CodeUsed { .. } => "recovery code used",
        }
    }
}

/// The second factor was set up, taken away or changed, or given by what is for emergencies.
pub struct SecondFactorChanged {
    pub change: FactorChange,
    pub what: Circumstances,
}

impl SecondFactorChanged {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let mut facts = self.what.facts();
        let (subject, paragraph, closing) = match self.change {
            FactorChange::Enabled => (
                "Two-factor authentication is on",
                "Your account asks for a code of your authenticator after the password from now on. Keep the recovery codes \
                 where you find them without your phone.",
                "If this was not you, somebody knows your password: set a new one right away by \"Forgot password\", which \
                 signs out every device, and ask whoever runs this service to take the code away.",
            ),
            FactorChange::Disabled => (
                "Two-factor authentication is off",
                "Your account asks for nothing but the password any more. Its recovery codes no longer count.",
                "If this was not you, set a new password right away by \"Forgot password\", which signs out every device, \
                 and set up two-factor authentication anew.",
            ),
            FactorChange::CodesRenewed => (
                "Your recovery codes were renewed",
                "Your account has new recovery codes, and the old ones no longer count. Devices that were trusted are asked \
                 for a code again.",
                "If this was not you, set a new password right away by \"Forgot password\", which signs out every device, \
                 and then renew the codes yourself.",
            ),
            FactorChange::CodeUsed { left } => {
                facts.push(("Recovery codes left", left.to_string()));
                (
                    "A recovery code was used",
                    "One of your recovery codes was used in the place of a code of your authenticator. It does not count \
                     again. Renew the codes before the last is used.",
                    "If this was not you, somebody has your password and your codes: set a new password right away by \
                     \"Forgot password\", which signs out every device, and renew the codes.",
                )
            }
        };
        let letter = Letter {
            subject: subject.into(),
            paragraphs: said(&[paragraph]),
            facts,
            closing: said(&[closing]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// Somebody who knows the password made an API token. What they called it is not repeated: it could say anything.
pub struct ApiTokenMade {
    pub scopes: Vec<Scope>,
    pub expires: DateTime<Utc>,
    pub what: Circumstances,
}

impl ApiTokenMade {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let opened: Vec<_> = self.scopes.iter().map(|scope| opened_by(*scope)).collect();
        let mut facts = vec![
            ("It may", opened.join(", ")),
            ("It works until", moment(self.expires)),
        ];
        facts.extend(self.what.facts());
        let letter = Letter {
            subject: "An API token was made for your account".into(),
            paragraphs: said(&[
                "Somebody who knows your password made an API token. Whoever holds it can use your account without signing \
                 in, for what it may do.",
            ]),
            facts,
            closing: said(&[
                "If it was you, there is nothing to do. You can revoke it where you made it.",
                "If this was not you, set a new password right away: choose \"Forgot password\" where you sign in. That ends \
                 every API token and signs out every device.",
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// In words for those who have not read the API.
fn opened_by(scope: Scope) -> &'static str {
    match scope {
        Scope::AccountRead => "see your account",
        Scope::CatalogueWrite => "change your albums and tracks",
        Scope::PlaylistsRead => "see your playlists",
        Scope::PlaylistsWrite => "change your playlists",
        Scope::UploadsWrite => "upload music",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::leaving::{Closed, Erased, ExportReady, Reopened};

    fn stationery() -> Stationery {
        Stationery {
            look: Look {
                brand: BRAND.into(),
                home: "https://www.example.org/".parse().unwrap(),
            },
            public: "https://api.example.org/v1/".parse().unwrap(),
            web: "https://www.example.org".parse().unwrap(),
        }
    }

    fn at() -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_119_520, 0).unwrap()
    }

    fn what(device: &str) -> Circumstances {
        Circumstances {
            at: at(),
            device: Some(device.into()),
            ip_address: Some([203, 0, 113, 7].into()),
        }
    }

    /// Each of them by its name, with the link that it must have.
    fn all(name: &str, device: &str) -> Vec<(Message, Option<&'static str>)> {
        let with = stationery();
        let to = Addressee {
            mail: "mail_1".into(),
            email: "ana@example.org".into(),
            name: name.into(),
        };
        let token = || SecretString::from("a-b_c");
        let what = || what(device);
        let changed = |change| {
            let mail = SecondFactorChanged {
                change,
                what: what(),
            };
            (mail.message(&to, &with).unwrap(), None)
        };
        vec![
            (
                Verification {
                    token: token(),
                    expires: at(),
                }
                .message(&to, &with)
                .unwrap(),
                Some("https://api.example.org/v1/verify?token=a-b_c"),
            ),
            (
                AlreadyRegistered { what: what() }
                    .message(&to, &with)
                    .unwrap(),
                None,
            ),
            (Welcome.message(&to, &with).unwrap(), None),
            (
                PasswordReset {
                    token: token(),
                    expires: at(),
                    what: what(),
                }
                .message(&to, &with)
                .unwrap(),
                Some("https://www.example.org/reset-password#token=a-b_c"),
            ),
            (
                PasswordChanged { what: what() }
                    .message(&to, &with)
                    .unwrap(),
                None,
            ),
            (
                ConfirmEmail {
                    token: token(),
                    expires: at(),
                }
                .message(&to, &with)
                .unwrap(),
                Some("https://www.example.org/confirm-email#token=a-b_c"),
            ),
            (
                EmailChanging {
                    token: token(),
                    expires: at(),
                    what: what(),
                }
                .message(&to, &with)
                .unwrap(),
                Some("https://www.example.org/undo-email#token=a-b_c"),
            ),
            (
                NewDevice { what: what() }.message(&to, &with).unwrap(),
                None,
            ),
            (
                Locked {
                    until: at(),
                    knew_password: false,
                    what: what(),
                }
                .message(&to, &with)
                .unwrap(),
                None,
            ),
            (
                Locked {
                    until: at(),
                    knew_password: true,
                    what: what(),
                }
                .message(&to, &with)
                .unwrap(),
                None,
            ),
            (
                SessionLimit {
                    what: what(),
                    ended: Some(device.into()),
                }
                .message(&to, &with)
                .unwrap(),
                None,
            ),
            (
                TokenReused { what: what() }.message(&to, &with).unwrap(),
                None,
            ),
            (
                EmailChanged { what: what() }.message(&to, &with).unwrap(),
                None,
            ),
            changed(FactorChange::Enabled),
            changed(FactorChange::Disabled),
            changed(FactorChange::CodesRenewed),
            changed(FactorChange::CodeUsed { left: 9 }),
            (
                ApiTokenMade {
                    scopes: Scope::ALL.to_vec(),
                    expires: at(),
                    what: what(),
                }
                .message(&to, &with)
                .unwrap(),
                None,
            ),
            (
                Closed {
                    erase_at: at(),
                    what: what(),
                }
                .message(&to, &with)
                .unwrap(),
                Some("https://www.example.org/login"),
            ),
            (Reopened { what: what() }.message(&to, &with).unwrap(), None),
            (Erased.message(&to, &with).unwrap(), None),
            (
                ExportReady {
                    token: token(),
                    expires: at(),
                }
                .message(&to, &with)
                .unwrap(),
                Some("https://www.example.org/export#token=a-b_c"),
            ),
        ]
    }

    #[test]
    fn each_has_a_subject_both_forms_and_its_link_once() {
        for (message, link) in all("Ana", "Firefox on Linux") {
            assert!(!message.subject.is_empty() && !message.subject.contains('\n'));
            assert!(message.text.starts_with("Hello Ana,\n"), "{}", message.text);
            assert!(message.html.contains("Hello Ana,"), "{}", message.subject);
            let links = |link: &str| {
                (
                    message.text.matches(link).count(),
                    message.html.matches(&format!("\"{link}\"")).count(),
                )
            };
            match link {
                Some(link) => assert_eq!(links(link), (1, 1), "{}", message.text),
                None => assert!(!message.text.contains("token="), "{}", message.text),
            }
            assert_eq!(message.to, "ana@example.org");
        }
    }

    #[test]
    fn what_happened_is_told_with_its_time_and_place() {
        let user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let (message, _) = all("Ana", user_agent).remove(7);
        let facts =
            "When: 26 November 2025, 01:12 UTC\nDevice: Firefox on Linux\nAddress: 203.0.113.7\n";
        assert!(message.text.contains(facts), "{}", message.text);
    }

    #[test]
    fn names_and_devices_forge_neither_links_nor_lines() {
        let evil = "Ana</p><a href=\"https://evil.example\">\r\n\r\nGo to https://evil.example/ or www.evil.example";
        for (message, _) in all(evil, evil) {
            for part in [&message.text, &message.html] {
                assert!(!part.contains("evil.example"), "{part}");
                assert!(!part.contains("\nGo to"), "{part}");
            }
            assert!(message.text.starts_with("Hello,\n"), "{}", message.text);
            assert!(!message.subject.contains("evil"));
        }
    }
}
