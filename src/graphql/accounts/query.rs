use async_graphql::{Context, Object};

use super::account::Account;
use crate::accounts::{Actor, Scope};
use crate::graphql::context::{operation, root};
use crate::graphql::error::{Nullable, nullable};

#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// The caller's own account; null when nobody is signed in.
    async fn me(&self, ctx: &Context<'_>) -> Nullable<Account> {
        nullable(
            root(ctx, "me", async {
                let actor = operation(ctx)?.actor();
                match actor {
                    Actor::Anonymous => Ok(None),
                    Actor::SignedIn(_) => {
                        Ok(Some(Account::of(actor.with_scope(Scope::AccountRead)?)))
                    }
                }
            })
            .await,
        )
    }
}
