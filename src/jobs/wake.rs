//! How a runner learns that there is something to do, sooner than by asking.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use super::store::CHANNEL;
use crate::db::Db;

/// A server that can't be listened to is asked again after this.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// What any instance announces.
#[derive(Default)]
pub struct Ear {
    heard: Notify,
    is_open: AtomicBool,
}

impl Ear {
    /// Listens for as long as it is polled, and anew where the connection has ended.
    pub async fn listen(&self, db: &Db) {
        let _closes = Closes(&self.is_open);
        loop {
            match db.source().listen(CHANNEL).await {
                Ok(Some(mut news)) => {
                    self.is_open.store(true, Ordering::Release);
                    // What was announced before was not heard.
                    self.heard.notify_one();
                    while news.next().await.is_some() {
                        self.heard.notify_one();
                    }
                    self.is_open.store(false, Ordering::Release);
                }
                // Nobody but this process has it, and that is told otherwise.
                Ok(None) => std::future::pending().await,
                Err(error) => {
                    tracing::debug!(error = format!("{error:#}"), "announcements can't be heard");
                }
            }
            sleep(LISTEN_AGAIN).await;
        }
    }

    pub async fn hears(&self) {
        self.heard.notified().await;
    }

    /// Whether everything that is announced is heard.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }
}

struct Closes<'e>(&'e AtomicBool);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
