use async_graphql::{Context, Object};

use super::account::Account;
use crate::accounts::Actor;
use crate::graphql::at_hand::One;
use crate::graphql::context::{operation, root};
use crate::graphql::error::{Nullable, nullable};

#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// The caller's own account; null when nobody is signed in.
    async fn me(&self, ctx: &Context<'_>) -> Nullable<One<Account>> {
        nullable(
            root(ctx, "me", async {
                match operation(ctx)?.actor() {
                    Actor::Anonymous => Ok(None),
                    actor => Ok(Some(One(Account::of_caller(actor)?))),
                }
            })
            .await,
        )
    }
}
