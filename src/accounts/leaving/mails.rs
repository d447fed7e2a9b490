//! What the mails of leaving say.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use crate::accounts::mails::{Addressee, Circumstances, NOT_YOU, Stationery, moment, said};
use crate::mail::{Error, Letter, Message};

/// The account is closed, and will be erased.
pub struct Closed {
    pub erase_at: DateTime<Utc>,
    pub what: Circumstances,
}

impl Closed {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let mut facts = vec![("Erased after", moment(self.erase_at))];
        facts.extend(self.what.facts());
        let letter = Letter {
            subject: "Your account is closed".into(),
            paragraphs: said(&[
                "Your account was closed: every device is signed out, and nobody sees it any more. It will be erased, and \
                 then nothing brings it back.",
                "Until then you can stop that: sign in, and your account is open again with all that was in it. If you do not \
                 know your password any more, choose \"Forgot password\" there.",
            ]),
            link: Some(("Sign in", with.login())),
            facts,
            closing: said(&[
                "If it was not you, somebody knows your password: set a new one before you sign in, by \"Forgot password\".",
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// Somebody signed in to an account that was closed, or whoever runs the service opened it.
pub struct Reopened {
    pub what: Circumstances,
}

impl Reopened {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "Your account is open again".into(),
            paragraphs: said(&[
                "Your account was closed, and has been signed in to, or opened by whoever runs this service. So it is open \
                 again, and will not be erased.",
            ]),
            facts: self.what.facts(),
            closing: said(&[
                "If it was you, there is nothing to do; close it again if you did not mean to keep it.",
                NOT_YOU,
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// Nothing is kept of the account any more, the address that this goes to included.
pub struct Erased;

impl Erased {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "Your account is erased".into(),
            paragraphs: said(&[
                "Your account and what was kept about you are erased. This is the last mail: your address is not kept either.",
            ]),
            closing: said(&[
                "Should you want to come back, you are welcome to open a new account.",
            ]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}

/// The archive that somebody asked for.
pub struct ExportReady {
    pub token: SecretString,
    pub expires: DateTime<Utc>,
}

impl ExportReady {
    pub fn message(&self, to: &Addressee, with: &Stationery) -> Result<Message, Error> {
        let letter = Letter {
            subject: "Your data is ready".into(),
            paragraphs: said(&[
                "You asked for all that is kept about you. It is one file, and only you can fetch it: the link wants you to be \
                 signed in.",
            ]),
            link: Some(("Fetch your data", with.page("export", &self.token))),
            facts: vec![("The link works until", moment(self.expires))],
            closing: said(&[NOT_YOU]),
            ..Letter::default()
        };
        with.message(letter, to)
    }
}
