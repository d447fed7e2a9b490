//! What a caller may ask for in a while. Operations are charged in points, by what they may return. What costs no
//! points is work all the same: a document that is not known is read and judged, a request that is refused or asks for
//! introspection alone is answered. That is counted by itself, so that it can neither be had without end nor eat up
//! the points of somebody who mends a query.

use std::time::Duration;

use super::context::Budget;
use super::error::ApiError;
use super::request::Caller;
use crate::app::App;
use crate::limits::{Decision, Quota};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

const POINTS: &str = "points";
const UNPRICED: &str = "unpriced";
const UNPRICED_A_MINUTE: u64 = 1_000;
const REGISTERED: &str = "registered";
/// Kibibytes: some hundred operations as clients write them.
const REGISTERED_AN_HOUR: u64 = 1_000;

const KEPT: &str = "kept-answers";
/// Kibibytes, for a day each: as many mutations as a script sends in an hour that does more than one a second.
const KEPT_AN_HOUR: u64 = 5_000;

/// A request that is over a limit, and what is told of that limit.
pub struct Refused {
    pub error: ApiError,
    pub budget: Option<Budget>,
}

/// Charges for operations.
pub async fn points(app: &App, caller: &Caller, price: u64) -> Result<Budget, Refused> {
    let limit = caller.actor.points_a_minute();
    let Some(decision) = charge(app, caller, POINTS, limit, MINUTE, price).await? else {
        return Ok(Budget::unlimited(POINTS, limit, price));
    };
    let budget = Budget::of(POINTS, &decision, price);
    if decision.allowed {
        return Ok(budget);
    }
    if price > decision.limit {
        // Waiting does not help, so nobody is told to.
        return Err(Refused {
            error: ApiError::TooComplex(format!(
                "The price of the request is {price}; the whole budget of a minute is {}.",
                decision.limit
            )),
            budget: Some(budget),
        });
    }
    Err(refused(app, &decision, budget))
}

/// Charges for what costs no points.
pub async fn unpriced(app: &App, caller: &Caller, count: u64) -> Result<(), Refused> {
    // Never more than fits at all, or waiting would not help.
    let count = count.min(app.scaled(UNPRICED_A_MINUTE).unwrap_or(count));
    match charge(app, caller, UNPRICED, UNPRICED_A_MINUTE, MINUTE, count).await? {
        Some(decision) if !decision.allowed => {
            let budget = Budget::of(UNPRICED, &decision, count);
            Err(refused(app, &decision, budget))
        }
        _ => Ok(()),
    }
}

/// Whether so many bytes of documents may be kept for this caller beside those that are. Where they may not, nobody is
/// refused: the document runs, and is asked for again by whoever names it later.
pub async fn may_register(app: &App, caller: &Caller, bytes: u64) -> bool {
    let kibibytes = bytes.div_ceil(1 << 10);
    match charge(app, caller, REGISTERED, REGISTERED_AN_HOUR, HOUR, kibibytes).await {
        Ok(Some(decision)) => decision.allowed,
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Whether an answer of so many bytes may be kept for this caller beside those that are. Where it may not, it is answered
/// all the same; who sends its request again is told that it was done.
pub async fn may_keep(app: &App, caller: &Caller, bytes: u64) -> bool {
    let kibibytes = bytes.div_ceil(1 << 10);
    match charge(app, caller, KEPT, KEPT_AN_HOUR, HOUR, kibibytes).await {
        Ok(Some(decision)) => decision.allowed,
        Ok(None) => true,
        Err(_) => false,
    }
}

/// None where limits are lifted.
async fn charge(
    app: &App,
    caller: &Caller,
    name: &'static str,
    limit: u64,
    window: Duration,
    cost: u64,
) -> Result<Option<Decision>, Refused> {
    let Some(limit) = app.scaled(limit) else {
        return Ok(None);
    };
    let quota = Quota {
        name,
        limit,
        window,
    };
    let charged = app.limiter.charge(&quota, &caller.limit_key(), cost).await;
    let decision = charged.map_err(|error| Refused {
        error: ApiError::unavailable(error.to_string()),
        budget: None,
    })?;
    app.metrics.limiter_degraded(decision.degraded);
    Ok(Some(decision))
}

fn refused(app: &App, decision: &Decision, budget: Budget) -> Refused {
    app.metrics.rate_limit_refusal(budget.quota);
    Refused {
        error: ApiError::RateLimited {
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after: decision.retry_after.unwrap_or(decision.reset_after),
        },
        budget: Some(budget),
    }
}
