//! The connection by which health asks. Beside those that reads share: a database whose connections are all busy is not
//! away.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::{Error, Source};

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

    /// The round trip of the smallest statement.
    pub async fn ping(&self) -> Result<Duration, Error> {
        // Taken out: one that is left before it has answered is not asked again.
        let kept = self.client().take();
        let (client, took) = match answered(kept).await {
            Some(answered) => answered,
            None => {
                let away = |error: anyhow::Error| Error::Unavailable(format!("{error:#}"));
                let client = self.source.client().await.map_err(away)?;
                let started = Instant::now();
                let asked = client.simple_query(PING).await;
                asked.map_err(|error| Error::Unavailable(error.to_string()))?;
                (client, started.elapsed())
            }
        };
        *self.client() = Some(client);
        Ok(took)
    }

    fn client(&self) -> MutexGuard<'_, Option<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client and how long it took to answer; none where it does not answer any more.
async fn answered(kept: Option<Client>) -> Option<(Client, Duration)> {
    let client = kept.filter(|client| !client.is_closed())?;
    let started = Instant::now();
    client.simple_query(PING).await.ok()?;
    Some((client, started.elapsed()))
}
