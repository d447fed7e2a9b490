//! A mail server. Neither a password nor a mail goes over a network in clear: `smtps://` is TLS from the first byte,
//! `smtp://` asks for it (STARTTLS) and does without the server where that is refused. Only a server on this very
//! machine that wants no password is spoken to without, as those that are for trying mails know no TLS.
//!
//! What a server says about a recipient or a mail with a 5 is its last word; all else may pass, a wrong password too:
//! mails wait until somebody has mended it.

mod address;
mod connection;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};

use self::address::Address;
pub use self::address::greeting_name;
use self::connection::{Broken, Connection};
use super::Error;
use super::compose::Mail;

/// For all of a mail, from the name's lookup to the server's word.
const LIMIT: Duration = Duration::from_secs(10);
/// A connection is kept for so long after a mail. Servers close theirs after a few minutes.
const KEPT: Duration = Duration::from_secs(30);
/// A kept one that does not answer within this is given up for a new one.
const STILL_THERE: Duration = Duration::from_secs(2);

pub struct Server {
    address: Address,
    /// What this end calls itself.
    here: String,
    kept: Kept,
}

/// The one connection that waits for the next mail.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Option<(Instant, Connection)>>>);

impl Kept {
    fn take(&self) -> Option<Connection> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take().map(|(_, connection)| connection)
    }

    fn put(&self, connection: Connection) {
        let now = Instant::now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, connection));
        let kept = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            sleep(KEPT).await;
            if let Some(connection) = unused(&kept, now) {
                connection.quit().await;
            }
        });
    }
}

/// The connection that was kept then, if it still is.
fn unused(kept: &Weak<Mutex<Option<(Instant, Connection)>>>, since: Instant) -> Option<Connection> {
    let kept = kept.upgrade()?;
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    match kept.take() {
        Some((put, connection)) if put == since => Some(connection),
        other => {
            *kept = other;
            None
        }
    }
}

impl Server {
    pub fn new(url: &SecretString, here: String) -> anyhow::Result<Self> {
        Ok(Self {
            address: Address::read(url)?,
            here,
            kept: Kept::default(),
        })
    }

    pub async fn send(&self, mail: &Mail) -> Result<(), Error> {
        match timeout(LIMIT, self.try_to_send(mail)).await {
            Ok(sent) => sent,
            Err(_) => Err(slow()),
        }
    }

    async fn try_to_send(&self, mail: &Mail) -> Result<(), Error> {
        if let Some(mut kept) = self.kept.take()
            && let Ok(Ok(())) = timeout(STILL_THERE, kept.reset()).await
        {
            match kept.send(mail).await {
                // It may have been about to close; nothing of the mail was taken.
                Err(Broken {
                    error: Error::Passing(_),
                    began: false,
                    is_over: true,
                }) => {}
                sent => return self.keep(kept, sent),
            }
        }
        let mut connection = Connection::open(&self.address, &self.here).await?;
        let sent = connection.send(mail).await;
        self.keep(connection, sent)
    }

    fn keep(&self, connection: Connection, sent: Result<(), Broken>) -> Result<(), Error> {
        if !matches!(&sent, Err(Broken { is_over: true, .. })) {
            self.kept.put(connection);
        }
        sent.map_err(|broken| broken.error)
    }

    /// As far as a mail would go, without one.
    pub async fn check(&self) -> Result<String, Error> {
        let opened = timeout(LIMIT, Connection::open(&self.address, &self.here)).await;
        let connection = opened.unwrap_or_else(|_| Err(slow()))?;
        connection.quit().await;
        Ok(format!(
            "takes mails, {}, {}",
            if self.address.tls.is_some() {
                "over TLS"
            } else {
                "without TLS, on this machine"
            },
            if self.address.credentials.is_some() {
                "signed in"
            } else {
                "not signed in"
            },
        ))
    }

    pub async fn close(&self) {
        if let Some(connection) = self.kept.take() {
            connection.quit().await;
        }
    }
}

fn slow() -> Error {
    Error::Passing(format!("the server took longer than {LIMIT:?}"))
}
