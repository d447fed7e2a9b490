//! A connection to a PostgreSQL server, with a limit on every way of waiting for it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::config::SslMode;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Trust};
use super::{IDLE_IN_TRANSACTION_LIMIT, STATEMENT_LIMIT};

/// Unless the address says otherwise (`connect_timeout`).
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// What PostgreSQL takes for the cost of a page that does not follow the last: its default of 4 is that of a turning
/// disk, by which it rather reads all artists than a hundred of them. Before the address' own options, which may know
/// better.
const PAGE_COST: &str = "-c random_page_cost=1.1";

/// Where a server is, and how to speak to it.
#[derive(Clone)]
pub struct Server {
    // Boxed, as it is large and stands beside a handle in `Source`.
    config: Box<Config>,
    tls: Option<MakeRustlsConnect>,
    /// From the first attempt to reach it until it is ready for statements.
    patience: Duration,
}

/// What is announced on a channel.
pub struct News {
    news: mpsc::Receiver<()>,
    /// The connection ends with it.
    _client: Client,
}

impl News {
    /// Once for each time, or for several together; none once the connection has ended.
    pub async fn next(&mut self) -> Option<()> {
        self.news.recv().await
    }
}

impl Server {
    pub fn new(url: &SecretString) -> anyhow::Result<Self> {
        let (url, trust, root_file) = read_sslmode(url.expose_secret())?;
        // The driver's own words are kept out: they may repeat a part of the address, and so of the password.
        let mut config: Config = url.parse().map_err(|_| {
            anyhow::anyhow!(
                "it is no address of PostgreSQL, such as postgres://user:password@host:5432/name"
            )
        })?;
        let options = format!(
            "{PAGE_COST} {} -c statement_timeout={} -c idle_in_transaction_session_timeout={}",
            config.get_options().unwrap_or_default(),
            STATEMENT_LIMIT.as_millis(),
            IDLE_IN_TRANSACTION_LIMIT.as_millis(),
        );
        config.options(options.trim());
        if config.get_application_name().is_none() {
            config.application_name("empulse");
        }
        let a_host = *config.get_connect_timeout().unwrap_or(&CONNECT_LIMIT);
        config.connect_timeout(a_host);
        // One after the other, where there are several.
        let patience = a_host * config.get_hosts().len().max(1) as u32;
        // A host that vanished without a word is noticed by these, and by our own clock beside each statement.
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3);
        if config.get_tcp_user_timeout().is_none() {
            // The same for one that vanished with something of ours on the way, which keepalives wait for.
            config.tcp_user_timeout(2 * STATEMENT_LIMIT);
        }
        let tls = match trust {
            None => None,
            Some(trust) => Some(MakeRustlsConnect::new(tls::client_config(
                trust,
                root_file.as_deref(),
            )?)),
        };
        config.ssl_mode(match trust {
            None => SslMode::Disable,
            Some(Trust::Anyone) if config.get_ssl_mode() != SslMode::Require => SslMode::Prefer,
            Some(_) => SslMode::Require,
        });
        Ok(Self {
            config: Box::new(config),
            tls,
            patience,
        })
    }

    /// A database of the same server by another name.
    pub fn database(mut self, name: &str) -> Self {
        self.config.dbname(name);
        self
    }

    /// A plain client; its connection is driven by a task that ends with it.
    pub async fn connect(&self) -> anyhow::Result<Client> {
        Ok(self.open().await?.0)
    }

    /// The same, and whether the connection has ended.
    pub(super) async fn open(&self) -> anyhow::Result<(Client, Arc<AtomicBool>)> {
        // The driver's own limit ends where the socket is open; a frozen server would be waited for without end.
        match tokio::time::timeout(self.patience, self.greet()).await {
            Ok(connected) => Ok(connected?),
            Err(_) => anyhow::bail!("the server did not answer within {:?}", self.patience),
        }
    }

    /// Asks for a statement to be ended. Whether it was still running, nobody is told.
    pub async fn cancel(&self, statement: CancelToken) {
        let asked = async {
            match &self.tls {
                Some(tls) => statement.cancel_query(tls.clone()).await,
                None => statement.cancel_query(NoTls).await,
            }
        };
        match tokio::time::timeout(self.patience, asked).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a statement could not be cancelled"),
            Err(_) => tracing::debug!("a statement could not be cancelled in time"),
        }
    }

    /// Hears what is announced on a channel, by a connection of its own.
    pub(super) async fn listen(&self, channel: &'static str) -> anyhow::Result<News> {
        let listening = async {
            match &self.tls {
                Some(tls) => {
                    let (client, connection) = self.config.connect(tls.clone()).await?;
                    hear(client, connection, channel).await
                }
                None => {
                    let (client, connection) = self.config.connect(NoTls).await?;
                    hear(client, connection, channel).await
                }
            }
        };
        match tokio::time::timeout(self.patience, listening).await {
            Ok(heard) => Ok(heard?),
            Err(_) => anyhow::bail!("the server did not answer within {:?}", self.patience),
        }
    }

    async fn greet(&self) -> Result<(Client, Arc<AtomicBool>), tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(tls.clone()).await?;
                Ok((client, super::drive(connection)))
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                Ok((client, super::drive(connection)))
            }
        }
    }
}

async fn hear<S, T>(
    client: Client,
    mut connection: Connection<S, T>,
    channel: &'static str,
) -> Result<News, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Room for one: who has not taken it yet learns no more from a second.
    let (tell, news) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(_) = message {
                let _ = tell.try_send(());
            }
        }
    });
    client.batch_execute(&format!("listen {channel}")).await?;
    Ok(News {
        news,
        _client: client,
    })
}

/// The driver knows three modes; what it does not know (`verify-ca`, `verify-full`, `sslrootcert`) is taken out of the
/// address before it reads the rest.
fn read_sslmode(url: &str) -> anyhow::Result<(String, Option<Trust>, Option<String>)> {
    let Ok(mut parsed) = url::Url::parse(url) else {
        // A `key=value` text; only what the driver knows can be said there.
        return Ok((url.to_owned(), Some(Trust::Anyone), None));
    };
    let mut mode = "prefer".to_owned();
    let mut root_file = None;
    let mut kept = Vec::new();
    for (key, value) in parsed.query_pairs() {
        match &*key {
            "sslmode" => mode = value.into_owned(),
            "sslrootcert" => root_file = Some(value.into_owned()),
            _ => kept.push((key.into_owned(), value.into_owned())),
        }
    }
    let (trust, driver_mode) = match mode.as_str() {
        "disable" => (None, "disable"),
        "allow" | "prefer" => (Some(Trust::Anyone), "prefer"),
        "require" => (Some(Trust::Anyone), "require"),
        "verify-ca" => (Some(Trust::Authority), "require"),
        "verify-full" => (Some(Trust::Host), "require"),
        _ => anyhow::bail!("sslmode is one of disable, prefer, require, verify-ca and verify-full"),
    };
    kept.push(("sslmode".into(), driver_mode.into()));
    parsed.query_pairs_mut().clear().extend_pairs(kept);
    // The driver reads `%20` as a space, but not the `+` that a form would have.
    let query = parsed.query().unwrap_or_default().replace('+', "%20");
    parsed.set_query(Some(&query));
    Ok((parsed.into(), trust, root_file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sslmode_means_what_it_means_elsewhere() {
        for (query, trust) in [
            ("", Some(Trust::Anyone)),
            ("?sslmode=disable", None),
            ("?sslmode=require", Some(Trust::Anyone)),
            ("?sslmode=verify-ca", Some(Trust::Authority)),
            ("?sslmode=verify-full&connect_timeout=2", Some(Trust::Host)),
        ] {
            let (url, found, _) = read_sslmode(&format!("postgres://u:p%40ss@h/d{query}")).unwrap();
            assert_eq!(found, trust, "{query}");
            let config: Config = url.parse().unwrap();
            assert_eq!(config.get_password(), Some(&b"p@ss"[..]));
            assert_eq!(config.get_dbname(), Some("d"));
        }
        assert!(read_sslmode("postgres://h/d?sslmode=sometimes").is_err());
    }
}
