//! The connection by which health asks. Beside those that reads share: a database whose connections are all busy is not
//! away.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_postgres::Client;

use super::{CALL_LIMIT, Error, Source};

const PING: &str = "select 1";

pub struct Probe {
    source: Source,
    client: Mutex<Option<Client>>,
}

impl Probe {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            client: Mutex::default(),
        }
    }

    /// The round trip of the smallest statement. One at a time: however many ask, there is one connection.
    pub async fn ping(&self) -> Result<Duration, Error> {
        let mut client = self.client.lock().await;
        // Taken out: one that is left before it has answered is not asked again.
        let kept = client.take();
        let asked = async {
            if let Some(answered) = answered(kept).await {
                return Ok(answered);
            }
            let client = self.source.client().await?;
            let started = Instant::now();
            client.simple_query(PING).await?;
            Ok((client, started.elapsed()))
        };
        let asked = tokio::time::timeout(CALL_LIMIT, asked).await;
        let asked: anyhow::Result<_> = asked
            .unwrap_or_else(|_| Err(anyhow::anyhow!("it did not answer within {CALL_LIMIT:?}")));
        let (answering, took) = asked.map_err(|error| Error::Unavailable(format!("{error:#}")))?;
        *client = Some(answering);
        Ok(took)
    }
}

/// The client and how long it took to answer; none where it does not answer any more.
async fn answered(kept: Option<Client>) -> Option<(Client, Duration)> {
    let client = kept.filter(|client| !client.is_closed())?;
    let started = Instant::now();
    client.simple_query(PING).await.ok()?;
    Some((client, started.elapsed()))
}
