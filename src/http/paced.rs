//! A body that is large, and takes as long as it takes, but not longer: it comes at a pace.

use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use poem::Body;
use tokio::time::{Instant, timeout_at};

/// How much may come, and how slowly.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Of the whole body.
    pub most: u64,
    /// Without a single byte.
    pub stalled: Duration,
    /// Of waiting for the client, for so many bytes. What its own side makes it wait for is not counted.
    pub window: Duration,
    pub least: u64,
    /// From now on until the end.
    pub total: Duration,
}

impl Pace {
    /// Of files: 64 kB a second over two minutes.
    pub const fn of_files(most: u64) -> Self {
        Self {
            most,
            stalled: Duration::from_secs(2 * 60),
            window: Duration::from_secs(2 * 60),
            least: 2 * 60 * 64_000,
            total: Duration::from_secs(2 * 60 * 60),
        }
    }
}

/// Why there is no more of a body.
#[derive(Debug)]
pub enum NotRead {
    TooSlow,
    TooMuch,
    Broken(io::Error),
}

pub struct Paced {
    body: BoxStream<'static, io::Result<Bytes>>,
    taken: u64,
    pace: Pace,
    ends: Instant,
    /// What is left of the window, and what came in it.
    window: Duration,
    came: u64,
}

impl Paced {
    pub fn new(body: Body, pace: Pace) -> Self {
        Self {
            body: body.into_bytes_stream().boxed(),
            taken: 0,
            pace,
            ends: Instant::now() + pace.total,
            window: pace.window,
            came: 0,
        }
    }

    /// What is to be counted on from here on. How much has come already stays.
    pub fn go_on_at(&mut self, pace: Pace) {
        self.pace = pace;
        self.ends = Instant::now() + pace.total;
        self.window = pace.window;
        self.came = 0;
    }

    /// How much has come.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// What comes next; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NotRead> {
        let Some(chunk) = self.chunk().await? else {
            return Ok(None);
        };
        self.taken += chunk.len() as u64;
        if self.taken > self.pace.most {
            return Err(NotRead::TooMuch);
        }
        self.came += chunk.len() as u64;
        Ok(Some(chunk))
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, NotRead> {
        let stalls = Instant::now() + self.pace.stalled;
        let body = &mut self.body;
        // Empty frames are no progress.
        let mut next = pin!(async {
            loop {
                match body.next().await {
                    Some(Ok(chunk)) if chunk.is_empty() => {}
                    next => return next,
                }
            }
        });
        loop {
            let began = Instant::now();
            let turns = began + self.window;
            let came = timeout_at(turns.min(stalls).min(self.ends), &mut next).await;
            let now = Instant::now();
            match came {
                Ok(Some(Ok(chunk))) => {
                    self.window = turns.saturating_duration_since(now);
                    return Ok(Some(chunk));
                }
                Ok(Some(Err(error))) => return Err(NotRead::Broken(error)),
                Ok(None) => return Ok(None),
                Err(_) if now < stalls && now < self.ends && self.came >= self.pace.least => {
                    self.window = self.pace.window;
                    self.came = 0;
                }
                Err(_) => return Err(NotRead::TooSlow),
            }
        }
    }
}
