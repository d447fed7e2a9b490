//! One connection to a mail server, ready for mails.

use mail_send::smtp::AssertReply;
use mail_send::smtp::message::Parameters;
use mail_send::{Error as SmtpError, SmtpClient};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, EXT_SMTP_UTF8};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::LIMIT;
use super::address::Address;
use crate::mail::Error;
use crate::mail::compose::Mail;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub struct Connection {
    client: SmtpClient<Box<dyn Stream>>,
    takes_unicode: bool,
}

/// Why a mail was not taken.
pub struct Broken {
    pub error: Error,
    /// Whether the server may have all of it.
    pub began: bool,
    /// Whether the connection can't be used any more.
    pub is_over: bool,
}

impl Connection {
    /// Greeted, over TLS where that is asked for, and signed in.
    pub async fn open(address: &Address, here: &str) -> Result<Self, Error> {
        let stream = TcpStream::connect((address.host.as_str(), address.port))
            .await
            .map_err(|error| Error::Passing(format!("the server can't be reached: {error}")))?;
        // Commands are small and wait for their answers.
        let _ = stream.set_nodelay(true);
        let mut client = SmtpClient {
            stream,
            timeout: LIMIT,
        };
        let Some(tls) = &address.tls else {
            let is_here = client
                .stream
                .peer_addr()
                .is_ok_and(|peer| peer.ip().is_loopback());
            if !is_here {
                return Err(Error::Passing(
                    "its name leads to another machine, which is not spoken to without TLS".into(),
                ));
            }
            greeted(&mut client).await?;
            return Self::introduce(boxed(client), address, here).await;
        };
        if !tls.is_implicit {
            greeted(&mut client).await?;
            client.ehlo(here).await.map_err(opening)?;
            client
                .cmd("STARTTLS\r\n")
                .await
                .and_then(AssertReply::assert_positive_completion)
                .map_err(|error| {
                    Error::Passing(format!("the server does not begin TLS (STARTTLS): {error}"))
                })?;
        }
        let mut client = client
            .into_tls(&tls.config.clone().into(), &address.host)
            .await
            .map_err(|error| Error::Passing(format!("TLS with the server fails: {error}")))?;
        if tls.is_implicit {
            greeted(&mut client).await?;
        }
        Self::introduce(boxed(client), address, here).await
    }

    async fn introduce(
        mut client: SmtpClient<Box<dyn Stream>>,
        address: &Address,
        here: &str,
    ) -> Result<Self, Error> {
        let mut offered = client.ehlo(here).await.map_err(opening)?;
        if let Some(credentials) = &address.credentials {
            // The driver would begin others that are offered, and can't end them.
            offered.auth_mechanisms &= AUTH_PLAIN | AUTH_LOGIN;
            client
                .authenticate(&Given(credentials), &Given(&offered))
                .await
                .map_err(|error| {
                    Error::Passing(format!("the server does not let us in: {error}"))
                })?;
        }
        Ok(Self {
            takes_unicode: offered.has_capability(EXT_SMTP_UTF8),
            client,
        })
    }

    /// Whether it is still there, and has forgotten the last mail.
    pub async fn reset(&mut self) -> Result<(), Error> {
        self.client.rset().await.map_err(opening)
    }

    pub async fn send(&mut self, mail: &Mail) -> Result<(), Broken> {
        let mut parameters = Parameters::new();
        if !mail.to.is_ascii() {
            if !self.takes_unicode {
                return Err(Broken {
                    error: Error::Lasting("the server takes no addresses of other scripts".into()),
                    began: false,
                    is_over: false,
                });
            }
            parameters.add("SMTPUTF8");
        }
        // Of the sender it may think better tomorrow; what it says of the recipient and the mail is about these.
        let begun = self.client.mail_from(&mail.from, &parameters).await;
        begun.map_err(|error| broken(error, false, false))?;
        let to = self.client.rcpt_to(&mail.to, &Parameters::new()).await;
        to.map_err(|error| broken(error, true, false))?;
        let sent = self.client.data(&mail.bytes).await;
        sent.map_err(|error| broken(error, true, true))?;
        Ok(())
    }

    /// Takes leave; a server that does not answer is not waited for.
    pub async fn quit(self) {
        let _ = tokio::time::timeout(super::STILL_THERE, self.client.quit()).await;
    }
}

fn boxed(client: SmtpClient<impl Stream + 'static>) -> SmtpClient<Box<dyn Stream>> {
    SmtpClient {
        stream: Box::new(client.stream),
        timeout: client.timeout,
    }
}

async fn greeted(client: &mut SmtpClient<impl Stream>) -> Result<(), Error> {
    let greeting = client.read().await.map_err(opening)?;
    greeting.assert_positive_completion().map_err(opening)
}

fn opening(error: SmtpError) -> Error {
    Error::Passing(error.to_string())
}

fn broken(error: SmtpError, is_about_it: bool, began: bool) -> Broken {
    let (is_final, is_over) = match &error {
        // 421: it is about to close. 530, 535: it wants us signed in, which can be mended.
        SmtpError::UnexpectedReply(reply) => (
            is_about_it && reply.code() >= 500 && !matches!(reply.code(), 530 | 535),
            reply.code() == 421,
        ),
        _ => (false, true),
    };
    let said = error.to_string();
    Broken {
        error: if is_final {
            Error::Lasting(said)
        } else {
            Error::Passing(said)
        },
        began,
        is_over,
    }
}

/// The driver asks for what can be taken by reference rather than for a reference.
struct Given<'g, T>(&'g T);

impl<T> AsRef<T> for Given<'_, T> {
    fn as_ref(&self) -> &T {
        self.0
    }
}
