//! Turnstile and hCaptcha: the widget's answer is a token, and the provider says whether it is right, and only once.

mod answer;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use reqwest::{Client, StatusCode, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use self::answer::Answer;
use super::{ChallengeFault, LIFE, Offer, Provider, Solved};

const TURNSTILE: &str = "https://challenges.cloudflare.com/turnstile/v0/siteverify";
const HCAPTCHA: &str = "https://api.hcaptcha.com/siteverify";

/// For the whole exchange.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_TO_CONNECT: Duration = Duration::from_secs(5);

/// Bytes of a token: Turnstile's have 2,048 at most, hCaptcha's some thousands.
const LONGEST_TOKEN: usize = 16 << 10;

/// Bytes of a provider's answer that are read.
const LONGEST_ANSWER: usize = 64 << 10;

pub(super) struct Service {
    kind: Provider,
    site: String,
    secret: SecretString,
    /// Where a puzzle of ours can have been solved.
    hosts: Vec<String>,
    url: Url,
    patience: Duration,
    client: Client,
}

impl Service {
    pub(super) fn turnstile(
        site: &str,
        secret: &SecretString,
        hosts: Vec<String>,
    ) -> anyhow::Result<Self> {
        Self::at(TURNSTILE, Provider::Turnstile, site, secret, hosts)
    }

    pub(super) fn hcaptcha(
        site: &str,
        secret: &SecretString,
        hosts: Vec<String>,
    ) -> anyhow::Result<Self> {
        Self::at(HCAPTCHA, Provider::Hcaptcha, site, secret, hosts)
    }

    fn at(
        url: &str,
        kind: Provider,
        site: &str,
        secret: &SecretString,
        hosts: Vec<String>,
    ) -> anyhow::Result<Self> {
        // The program has one installed by now; the client would panic without.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            rustls::crypto::aws_lc_rs::default_provider()
                .install_default()
                .ok();
        }
        let client = Client::builder()
            .connect_timeout(PATIENCE_TO_CONNECT)
            // A secret is not sent to wherever an answer points.
            .redirect(redirect::Policy::none())
            .build()
            .context("the client of the challenge's provider can't be made")?;
        Ok(Self {
            kind,
            site: site.to_owned(),
            secret: secret.clone(),
            hosts,
            url: url.parse()?,
            patience: PATIENCE,
            client,
        })
    }

    pub(super) fn offer(&self) -> Offer {
        Offer {
            provider: self.kind,
            site_key: Some(self.site.clone()),
            parameters: None,
            expires_at: None,
        }
    }

    pub(super) async fn verify(
        &self,
        token: &str,
        now: DateTime<Utc>,
        remote_ip: Option<IpAddr>,
        correlation_id: &str,
    ) -> Result<Solved, ChallengeFault> {
        let right = !token.is_empty()
            && token.len() <= LONGEST_TOKEN
            && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !right {
            return Err(ChallengeFault::Wrong);
        }
        let asked =
            tokio::time::timeout(self.patience, self.ask(token, remote_ip, correlation_id)).await;
        let answer = asked
            .map_err(|_| "no answer in time".to_owned())
            .and_then(|asked| asked.map_err(|error| format!("{error:#}")))
            .map_err(|why| {
                tracing::warn!(
                    provider = self.kind.as_str(),
                    why,
                    "the challenge's provider can't be asked"
                );
                ChallengeFault::Unavailable(format!("{} does not answer", self.kind.as_str()))
            })?;
        answer.judge(&self.hosts)?;
        let mut once = Sha256::new_with_prefix(format!("{}\0", self.kind.as_str()));
        once.update(token);
        Ok(Solved {
            once_key: once.finalize().into(),
            // No provider takes a token for so long.
            expires_at: now + LIFE,
        })
    }

    /// Whether it judges for us. There is no question for that, so it is asked about a token that it can't have given.
    pub(super) async fn check(&self) -> anyhow::Result<String> {
        let provider = self.kind.as_str();
        let asked = self.ask("empulse-check", None, "empulse-check");
        let answer = tokio::time::timeout(self.patience, asked)
            .await
            .with_context(|| format!("{provider} does not answer"))??;
        match answer.judge(&self.hosts) {
            Err(ChallengeFault::Unavailable(_)) => anyhow::bail!(
                "{provider} refuses to judge ({}); is EMPULSE_CHALLENGE right?",
                answer.errors()
            ),
            Err(ChallengeFault::Wrong | ChallengeFault::Expired) => {
                Ok(format!("{provider} judges"))
            }
            Ok(()) => anyhow::bail!(
                "{provider} takes a solution that is none; EMPULSE_CHALLENGE names keys for tests"
            ),
        }
    }

    async fn ask(
        &self,
        token: &str,
        remote_ip: Option<IpAddr>,
        correlation_id: &str,
    ) -> anyhow::Result<Answer> {
        let mut form = vec![
            ("secret", self.secret.expose_secret().to_owned()),
            ("response", token.to_owned()),
        ];
        if self.kind == Provider::Hcaptcha {
            // Else a token of any of the account's sites would do.
            form.push(("sitekey", self.site.clone()));
        }
        if let Some(ip) = remote_ip {
            form.push(("remoteip", ip.to_string()));
        }
        let request = self.client.post(self.url.clone()).form(&form);
        let request = request.header("X-Correlation-ID", correlation_id);
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response
            .chunk()
            .await
            .map_err(reqwest::Error::without_url)?
        {
            anyhow::ensure!(
                body.len() + part.len() <= LONGEST_ANSWER,
                "its answer is too long"
            );
            body.extend_from_slice(&part);
        }
        // A refused secret comes with 400 from one of them, with its reason in the body; nothing else than 200 says yes.
        let answer: Answer = serde_json::from_slice(&body)
            .with_context(|| format!("it answered {status} with what is not its JSON"))?;
        anyhow::ensure!(
            status == StatusCode::OK || !answer.is_success(),
            "it answered {status} and success"
        );
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
