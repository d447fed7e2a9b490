//! Puzzles that tell people from robots, where somebody tries too often.
use crate::config::Config;
use crate::stored_enum;
use chrono::{DateTime, Utc};
use std::net::IpAddr;
stored_enum!(Provider { Altcha = "ALTCHA", Hcaptcha = "HCAPTCHA", Turnstile = "TURNSTILE" });
pub struct Offer {
    pub provider: Provider,
    pub site_key: Option<String>,
    pub parameters: Option<serde_json::Value>,
    pub expires_at: Option<DateTime<Utc>>,
}
pub struct Solved {
    pub once_key: [u8; 32],
    pub expires_at: DateTime<Utc>,
}
#[derive(Debug, thiserror::Error)]
pub enum ChallengeFault {
    #[error("wrong")]
    Wrong,
    #[error("expired")]
    Expired,
    #[error("{0}")]
    Unavailable(String),
}
pub struct Challenges;
impl Challenges {
    pub fn open(_: &Config, _: Vec<[u8; 32]>) -> anyhow::Result<Self> {
        Ok(Self)
    }
    pub fn create(&self, _: DateTime<Utc>) -> Offer {
        Offer {
            provider: Provider::Altcha,
            site_key: None,
            parameters: None,
            expires_at: None,
        }
    }
    pub async fn verify(
        &self,
        _: &str,
        _: DateTime<Utc>,
        _: Option<IpAddr>,
    ) -> Result<Solved, ChallengeFault> {
        Err(ChallengeFault::Wrong)
    }
}
