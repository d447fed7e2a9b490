//! How often an address may do what accounts are attacked by.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::fault::Fault;
use super::model::{Account, Tier};
use crate::app::App;
use crate::limits::{Decision, Quota};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What is counted, and how much of it an hour allows.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    name: &'static str,
    an_hour: u64,
}

const fn counted(name: &'static str, an_hour: u64) -> Counted {
    Counted { name, an_hour }
}

pub const SIGN_INS: Counted = counted("sign-ins", 20);
/// Codes that follow a password, apart from the sign-ins that they are the second step of.
pub const SECOND_STEPS: Counted = counted("second-steps", 20);
pub const REGISTRATIONS: Counted = counted("registrations", 10);
/// Registrations that need no challenge.
pub const EASY_REGISTRATIONS: Counted = counted("easy-registrations", 3);
pub const RESETS_BY_ADDRESS: Counted = counted("password-resets", 20);
pub const RESETS_OF_ACCOUNT: Counted = counted("password-resets-of-an-account", 5);
pub const VERIFICATIONS_BY_ADDRESS: Counted = counted("verification-mails", 20);
pub const PRESSED_BUTTONS: Counted = counted("pressed-buttons", 60);
pub const ADDRESS_CHANGES: Counted = counted("address-changes", 10);
pub const PASSWORD_CHANGES: Counted = counted("password-changes", 10);
pub const FACTOR_CHANGES: Counted = counted("second-factor-changes", 10);
pub const CLOSINGS: Counted = counted("closings", 10);
/// Changes of what everybody is told of somebody, each of which is recorded.
pub const PUBLIC_CHANGES: Counted = counted("public-changes", 100);
const API_TOKENS: Counted = counted("api-tokens", 20);
/// Refusals of one account that are told to it, and recorded.
pub const REFUSALS: Counted = counted("refusals", 60);
pub const MAILS: Counted = counted("mails-of-a-kind", 5);

pub fn api_tokens(tier: Tier) -> Counted {
    match tier {
        Tier::Free => API_TOKENS,
        Tier::Premium => Counted {
            an_hour: 100,
            ..API_TOKENS
        },
    }
}

/// Ways in for files, each of which is counted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploading {
    SubmitTrack,
    ResubmitTrack,
    DirectUpload,
}

impl Uploading {
    fn counted(self, tier: Tier) -> Counted {
        let name = match self {
            Self::SubmitTrack => "submitted-tracks",
            Self::ResubmitTrack => "resubmitted-tracks",
            Self::DirectUpload => "direct-uploads",
        };
        counted(
            name,
            match tier {
                Tier::Free => 20,
                Tier::Premium => 100,
            },
        )
    }
}

/// Counts a file that is to come; refused where there were many.
pub async fn charge_upload(app: &App, account: &Account, what: Uploading) -> Result<(), Fault> {
    charge(app, what.counted(account.tier), &account.id.to_string()).await
}

/// Archives of what is kept about an account.
pub const DATA_EXPORTS: ADay = ADay {
    name: "data-exports",
    a_day: 1,
};

/// What is counted where it stands instead of by the limiter, so that what could not be done costs nobody their day.
#[derive(Debug, Clone, Copy)]
pub struct ADay {
    name: &'static str,
    a_day: u64,
}

impl ADay {
    pub const LENGTH: TimeDelta = TimeDelta::days(1);

    /// Refused where enough were asked for within a day; the newest of them first.
    pub fn fits(self, app: &App, asked: &[DateTime<Utc>], now: DateTime<Utc>) -> Result<(), Fault> {
        let Some(limit) = app.scaled(self.a_day) else {
            return Ok(());
        };
        let oldest = usize::try_from(limit)
            .ok()
            .and_then(|limit| asked.get(limit - 1));
        let Some(oldest) = oldest else {
            return Ok(());
        };
        app.metrics.rate_limit_refusal(self.name);
        Err(Fault::Limited {
            limit,
            remaining: 0,
            retry_after: (*oldest + Self::LENGTH - now).to_std().unwrap_or_default(),
        })
    }
}

/// Charges one; refused where it does not fit, or where nobody can count.
pub async fn charge(app: &App, what: Counted, whose: &str) -> Result<(), Fault> {
    match decide(app, what, whose).await? {
        Some(decision) if !decision.allowed => {
            app.metrics.rate_limit_refusal(what.name);
            Err(Fault::Limited {
                limit: decision.limit,
                remaining: decision.remaining,
                retry_after: decision.retry_after.unwrap_or(decision.reset_after),
            })
        }
        _ => Ok(()),
    }
}

/// Charges one if it fits.
pub async fn fits(app: &App, what: Counted, whose: &str) -> Result<bool, Fault> {
    Ok(decide(app, what, whose)
        .await?
        .is_none_or(|decision| decision.allowed))
}

/// None where limits are lifted.
async fn decide(app: &App, what: Counted, whose: &str) -> Result<Option<Decision>, Fault> {
    let Some(limit) = app.scaled(what.an_hour) else {
        return Ok(None);
    };
    let quota = Quota {
        name: what.name,
        limit,
        window: HOUR,
    };
    let charged = app.limiter.charge(&quota, whose, 1).await;
    let decision = charged.map_err(|error| Fault::Unavailable(error.to_string()))?;
    app.metrics.limiter_degraded(decision.degraded);
    Ok(Some(decision))
}
