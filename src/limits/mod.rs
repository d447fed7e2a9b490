//! How often somebody may do something: quotas over a sliding window. One arithmetic (`window`), counted in this
//! process (`local`) or in Redis for all instances (`redis`), or there while it is up and else here (`failover`).
//! Who is asked what, and by which quota, is for the callers to know.

mod failover;
mod local;
mod redis;
mod window;

#[cfg(test)]
mod suite;

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::redis::RedisError;

pub use failover::FailoverLimiter;
pub use local::LocalLimiter;
pub use redis::RedisLimiter;

/// So much in so long. The limit is already multiplied by whatever factor applies to the caller.
#[derive(Clone, Debug)]
pub struct Quota {
    pub name: &'static str,
    pub limit: u64,
    pub window: Duration,
}

/// What came of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    pub limit: u64,
    pub remaining: u64,
    /// When the whole limit will be free again, if nothing else is charged.
    pub reset_after: Duration,
    /// When this very charge will fit, if nothing else is charged; none if it fits now or never will.
    pub retry_after: Option<Duration>,
    /// Counted by this instance alone, against its share of the limit.
    pub degraded: bool,
}

/// Nobody could count the charge. It is a refusal: a caller that goes on regardless has no limit at all.
#[derive(Debug, thiserror::Error)]
#[error("the limiter can't be asked")]
pub struct LimitError(#[from] RedisError);

#[async_trait]
pub trait Limiter: Send + Sync {
    /// Charges `cost` to `caller` if it fits into the quota; a charge that does not fit is not counted. A cost of
    /// 0 is a look. `caller` is any text that tells callers apart; it is kept and sent on only as a hash.
    ///
    /// # Errors
    /// When the one place that counts can't be reached. [`LocalLimiter`] counts in its own memory and never
    /// fails, and so neither does [`FailoverLimiter`]; [`RedisLimiter`] alone does.
    async fn charge(&self, quota: &Quota, caller: &str, cost: u64) -> Result<Decision, LimitError>;
}

/// A caller that can be told from others and not read: nobody's address stands in Redis or in a log.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Veiled([u8; 16]);

impl Veiled {
    fn new(caller: &str) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&Sha256::digest(caller)[..16]);
        Self(short)
    }
}

/// How a caller may be named in a log: the same for the same caller everywhere, and not to be read back.
pub fn veiled(caller: &str) -> String {
    URL_SAFE_NO_PAD.encode(Veiled::new(caller).0)
}
