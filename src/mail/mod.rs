//! Messages, and how they leave: to a mail server (`smtp`), or as files in the data folder (`folder`) where none is set
//! up. What a mail says belongs to the domain; how all of them look is [`Letter`]'s business.
//!
//! A mail is sent by a job, so it may be sent twice when an instance dies between the server's word and the job's end.
//! Both carry the same Message-ID, made from [`Message::id`], by which mailboxes know them for one.

mod compose;
mod folder;
mod letter;
mod smtp;

use anyhow::Context;

pub use self::letter::{Letter, Look, inert};
use crate::clock::Clock;
use crate::config::Config;
use crate::jobs::Failure;

/// A mail, ready but for who sends it.
#[derive(Clone)]
pub struct Message {
    /// Stays the same whenever the same mail is sent again: letters, digits, `-`, `_` and `.`.
    pub id: String,
    /// An address alone.
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
}

/// What it says is for its reader: links in it open accounts.
impl std::fmt::Debug for Message {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Message")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// May pass: a server that is away, busy, or set up wrongly.
    #[error("the mail could not be sent now: {0}")]
    Passing(String),
    /// The server won't have it, now or later.
    #[error("the mail can't be sent: {0}")]
    Lasting(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Passing(_) => Self::passing(error),
            Error::Lasting(_) => Self::lasting(error),
        }
    }
}

/// Sends messages, in the form that the settings name.
pub struct Mailer {
    from: compose::Sender,
    clock: Clock,
    way: Way,
}

enum Way {
    Server(smtp::Server),
    Folder(folder::Folder),
}

impl Mailer {
    /// Nothing has to be up: a server that is away now can come later.
    pub fn open(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let way = match &config.smtp_url {
            Some(url) => {
                let here = smtp::greeting_name(&config.public_url);
                Way::Server(smtp::Server::new(url, here).context("SMTP_URL")?)
            }
            None => Way::Folder(folder::Folder::new(config.data_dir.join("mail"))),
        };
        Ok(Self {
            from: compose::Sender::new(&config.mail_from),
            clock,
            way,
        })
    }

    /// Gives it to the server, or writes its file. Takes up to 10 s.
    pub async fn send(&self, message: &Message) -> Result<(), Error> {
        let now = self.clock.now();
        let mail = compose::mail(&self.from, message, now)?;
        match &self.way {
            Way::Server(server) => server.send(&mail).await,
            Way::Folder(folder) => folder.write(mail, now).await,
        }
    }

    /// Tries the way without sending anything, and says what was found.
    pub async fn check(&self) -> Result<String, Error> {
        match &self.way {
            Way::Server(server) => server.check().await,
            Way::Folder(folder) => folder.check(),
        }
    }

    /// Takes leave of the server.
    pub async fn close(&self) {
        if let Way::Server(server) = &self.way {
            server.close().await;
        }
    }
}
