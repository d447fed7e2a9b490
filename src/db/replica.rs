//! A copy of the database for reads that may lag. One that does not answer is left alone until it does again, or each
//! read would wait for it first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::lines::Lines;
use super::probe::Probe;

const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub struct Replica {
    pub lines: Lines,
    pub probe: Probe,
    up: AtomicBool,
}

impl Replica {
    pub fn new(lines: Lines, probe: Probe) -> Arc<Self> {
        Arc::new(Self {
            lines,
            probe,
            up: AtomicBool::new(true),
        })
    }

    /// Whether a read is worth trying.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub fn falls(self: &Arc<Self>, reason: &str) {
        if self.up.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                reason,
                "the replica does not answer; reading from the primary"
            );
            tokio::spawn(watch(Arc::downgrade(self)));
        }
    }

    async fn answers(&self) -> bool {
        let asked = self.probe.ping();
        matches!(timeout(2 * LOOK_AGAIN, asked).await, Ok(Ok(_)))
    }
}

/// Until it answers, or nobody wants to know any more.
async fn watch(replica: Weak<Replica>) {
    loop {
        sleep(LOOK_AGAIN).await;
        let Some(replica) = replica.upgrade() else {
            return;
        };
        if replica.answers().await {
            replica.up.store(true, Ordering::Relaxed);
            tracing::info!("the replica answers again");
            return;
        }
    }
}
