//! Puzzles that tell people from robots, where somebody tries too often: our own, or those of a provider that the operator
//! set up. Nothing here fails open: an answer that can't be checked is not taken.

mod altcha;
mod service;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use self::altcha::{Altcha, Effort};
use self::service::Service;
use crate::config;
use crate::stored_enum;

/// How long a puzzle can be solved, and how long at least its solution must be remembered as used.
const LIFE: TimeDelta = TimeDelta::minutes(10);

pub struct Challenges(Kind);

enum Kind {
    Altcha(Altcha),
    Service(Box<Service>),
}

stored_enum! {
    Provider { Altcha = "ALTCHA", Hcaptcha = "HCAPTCHA", Turnstile = "TURNSTILE" }
}

/// What a client needs to have its user solve one.
#[derive(Debug, Clone)]
pub struct Offer {
    pub provider: Provider,
    /// Of a provider's widget.
    pub site_key: Option<String>,
    /// What ALTCHA's widget is given as its challenge.
    pub parameters: Option<serde_json::Value>,
    /// A provider's widget fetches its puzzles itself, and knows when they end.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A right answer. It counts once: whoever takes it keeps `once_key` until `expires_at`, under a unique constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solved {
    pub once_key: [u8; 32],
    pub expires_at: DateTime<Utc>,
}

/// Why an answer is not taken; for whoever gave it, but for the last, which nobody can mend but the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeFault {
    #[error(
        "The challenge is not solved by this. Get a new one by createChallenge and solve that."
    )]
    Wrong,
    #[error("The challenge has expired. Get a new one by createChallenge and solve that.")]
    Expired,
    #[error("the solution can't be checked: {0}")]
    Unavailable(String),
}

impl Challenges {
    /// `secrets` sign our own puzzles: the first those to come, the others those that were made before. They are of use
    /// for ten minutes only, so one that is derived from a key may go when the key goes.
    pub fn open(config: &config::Config, secrets: Vec<[u8; 32]>) -> anyhow::Result<Self> {
        let kind = match &config.challenge {
            config::Challenge::Altcha => Kind::Altcha(Altcha::new(secrets, Effort::USUAL)?),
            config::Challenge::Turnstile { site, secret } => {
                Kind::Service(Box::new(Service::turnstile(site, secret, hosts(config))?))
            }
            config::Challenge::Hcaptcha { site, secret } => {
                Kind::Service(Box::new(Service::hcaptcha(site, secret, hosts(config))?))
            }
        };
        Ok(Self(kind))
    }

    pub fn create(&self, now: DateTime<Utc>) -> Offer {
        match &self.0 {
            Kind::Altcha(altcha) => altcha.create(now),
            Kind::Service(service) => service.offer(),
        }
    }

    /// Whether answers could be judged just now.
    pub async fn check(&self) -> anyhow::Result<String> {
        match &self.0 {
            Kind::Altcha(_) => Ok("ALTCHA, made and judged here".to_owned()),
            Kind::Service(service) => service.check().await,
        }
    }

    /// Judges a widget's answer. It takes a third of a millisecond, or a provider's time: 30 s at most.
    pub async fn verify(
        &self,
        response: &str,
        now: DateTime<Utc>,
        remote_ip: Option<IpAddr>,
        correlation_id: &str,
    ) -> Result<Solved, ChallengeFault> {
        match &self.0 {
            Kind::Altcha(altcha) => altcha.verify(response, now),
            Kind::Service(service) => {
                service
                    .verify(response, now, remote_ip, correlation_id)
                    .await
            }
        }
    }
}

/// Where our widget can stand.
fn hosts(config: &config::Config) -> Vec<String> {
    let origins = config
        .allowed_origins
        .iter()
        .filter_map(|origin| url::Url::parse(origin).ok());
    origins
        .chain([config.public_url.clone(), config.web_url.clone()])
        .filter_map(|url| url.host_str().map(str::to_owned))
        .collect()
}
