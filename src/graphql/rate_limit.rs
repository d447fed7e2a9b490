//! The caller's budget, as a query.

use async_graphql::{Context, Object, SimpleObject};

use super::context::{operation, root};
use super::error::ApiError;
use super::scalars::DateTime;

/// The budget of the caller. An operation is charged by what it may return, not by the request.
#[derive(SimpleObject)]
pub struct RateLimit {
    /// The points of one window.
    limit: i32,
    /// What this operation was charged.
    cost: i32,
    remaining: i32,
    reset_at: DateTime,
}

#[derive(Default)]
pub struct RateLimitQuery;

#[Object]
impl RateLimitQuery {
    /// What is left of the caller's budget, as of this request.
    async fn rate_limit(&self, ctx: &Context<'_>) -> Result<RateLimit, ApiError> {
        root(ctx, "rateLimit", async {
            let operation = operation(ctx)?;
            let budget = &operation.budget;
            let points = |points| i32::try_from(points).unwrap_or(i32::MAX);
            Ok(RateLimit {
                limit: points(budget.limit),
                cost: points(budget.cost),
                remaining: points(budget.remaining),
                reset_at: DateTime(budget.reset_at),
            })
        })
        .await
    }
}
