//! What administrators ask of accounts: the list of all, and changes to one.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::account::{Account, AccountStatus, Role, Tier, Viewer};
use super::mistakes::{AccountError, mendable};
use crate::accounts::{self, AccountChange, Listed as Row};
use crate::audit::By;
use crate::catalogue;
use crate::db::keyset::Position;
use crate::graphql::at_hand::{Asked, AtHand, Rows, Show, leaf};
use crate::graphql::context::{Operation, operation, root, sent};
use crate::graphql::cursor::List;
use crate::graphql::error::{ApiError, Nullable, nullable};
use crate::graphql::page::{Listed, Page, PageArguments, PageInfo, SortDirection};
use crate::graphql::scalars::DateTime;

/// Whoever asks, where they administer: so that what they see of others is recorded as seen by them.
pub fn overseer(operation: &Operation) -> Option<By> {
    let principal = operation.actor().with_role(&[accounts::Role::Admin]).ok()?;
    Some(operation.caller.client.by(principal.account.id))
}

#[derive(Default)]
pub struct AdministrationQuery;

#[Object]
impl AdministrationQuery {
    /// Accounts, for administrators; newest first unless ordered otherwise.
    #[expect(clippy::too_many_arguments, reason = "they are the field's own")]
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        filter: Option<AccountFilter>,
        order_by: Option<AccountOrder>,
    ) -> Nullable<AccountConnection> {
        nullable(
            root(ctx, "accounts", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().with_role(&[accounts::Role::Admin])?;
                let client = &operation.caller.client;
                let order = order_by.map_or(accounts::AccountOrder::NEWEST, Into::into);
                let list = List::Accounts(order);
                let window = PageArguments {
                    first,
                    after,
                    last,
                    before,
                }
                .window(list)?;
                let filter = filter.map(read_filter).transpose()?.unwrap_or_default();
                let slice = operation
                    .accounts
                    .list_accounts(principal, &filter, order, &window, client)
                    .await?;
                let page = Page::new(list, slice, |row: Row| Found {
                    place: order.position(&row),
                    account: Account {
                        viewer: Viewer::administrator_of_list(principal, row.account.id),
                        row: Arc::new(row.account),
                    },
                });
                Ok(Some(AccountConnection { page, filter }))
            })
            .await,
        )
    }
}

#[derive(Default)]
pub struct AdministrationMutation;

#[Object]
impl AdministrationMutation {
    async fn update_account_as_admin(
        &self,
        ctx: &Context<'_>,
        input: UpdateAccountAsAdminInput,
    ) -> Nullable<UpdateAccountAsAdminPayload> {
        nullable(
            root(ctx, "updateAccountAsAdmin", async {
                let operation = operation(ctx)?;
                let principal = operation.actor().with_role(&[accounts::Role::Admin])?;
                let client = &operation.caller.client;
                let roles = |roles: Vec<Role>| roles.into_iter().map(Into::into).collect();
                let change = AccountChange {
                    account: input.account_id.parse().ok(),
                    roles: sent(input.roles).map(|sent| sent.map(roles)),
                    tier: sent(input.tier).map(|sent| sent.map(Into::into)),
                    is_suspended: sent(input.suspended),
                    unlocks: sent(input.unlock),
                    reason: input.reason,
                };
                let changed = operation.accounts.change_account(
                    principal,
                    change,
                    catalogue::artist_of_account,
                    client,
                );
                Ok(Some(match mendable(changed.await)? {
                    Ok(row) => UpdateAccountAsAdminPayload {
                        account: Some(Account {
                            viewer: Viewer::administrator(principal, row.id),
                            row,
                        }),
                        errors: Vec::new(),
                    },
                    Err(errors) => UpdateAccountAsAdminPayload {
                        account: None,
                        errors,
                    },
                }))
            })
            .await,
        )
    }
}

/// An account and where it stands in the list that it was found in.
struct Found {
    account: Account,
    place: Position,
}

impl Listed for Found {
    fn position(&self, _: List) -> Position {
        self.place.clone()
    }
}

pub struct AccountConnection {
    page: Page<Found>,
    filter: accounts::AccountFilter,
}

/// A page of a list of `Account`.
#[Object]
impl AccountConnection {
    /// The page's items, each with its cursor.
    async fn edges(&self) -> Rows<'_, AccountEdge<'_>> {
        let edges = self.page.nodes.iter().map(|found| AccountEdge {
            page: &self.page,
            found,
        });
        Rows(edges.collect())
    }

    /// The page's items.
    async fn nodes(&self) -> Rows<'_, Account> {
        let nodes = self.page.nodes.iter().map(|found| found.account.clone());
        Rows(nodes.collect())
    }

    async fn page_info(&self) -> PageInfo {
        self.page.info()
    }

    /// Counted only when it is asked for.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i32, ApiError> {
        let operation = operation(ctx)?;
        let count = accounts::count_accounts(&operation.app, &self.filter).await?;
        i32::try_from(count)
            .map_err(|_| ApiError::internal("more accounts than a client can count"))
    }
}

#[derive(Clone)]
pub struct AccountEdge<'a> {
    page: &'a Page<Found>,
    found: &'a Found,
}

/// An `Account` in a list.
#[Object]
impl AccountEdge<'_> {
    /// For `after` and `before` of the same list.
    async fn cursor(&self) -> String {
        self.page.cursor(self.found)
    }

    async fn node(&self) -> &Account {
        &self.found.account
    }
}

impl AtHand for AccountEdge<'_> {
    fn show(field: &Asked<'_>) -> Option<Show<Self>> {
        match field.name {
            "cursor" => leaf(|edge: &Self| edge.page.cursor(edge.found).into()),
            "node" => {
                let shape = field.shape::<Account>()?;
                Some(Box::new(move |edge: &Self| shape.show(&edge.found.account)))
            }
            _ => None,
        }
    }
}

/// What a list of accounts is held to; what is left out restricts nothing.
#[derive(InputObject)]
pub struct AccountFilter {
    /// Part of the address or the name.
    query: Option<String>,
    /// Any of these; an empty list matches nothing.
    roles: Option<Vec<Role>>,
    /// Any of these; an empty list matches nothing.
    statuses: Option<Vec<AccountStatus>>,
    /// Any of these; an empty list matches nothing.
    tiers: Option<Vec<Tier>>,
    created_after: Option<DateTime>,
    created_before: Option<DateTime>,
}

fn read_filter(filter: AccountFilter) -> Result<accounts::AccountFilter, ApiError> {
    let term = filter.query.as_deref().map(accounts::Term::parse);
    let term = term
        .transpose()
        .map_err(|fault| ApiError::BadRequest(format!("filter.query: {fault}")))?;
    Ok(accounts::AccountFilter {
        term: term.flatten(),
        roles: filter.roles.map(all),
        statuses: filter.statuses.map(all),
        tiers: filter.tiers.map(all),
        created_after: filter.created_after.map(|time| time.0),
        created_before: filter.created_before.map(|time| time.0),
    })
}

fn all<T: Into<U>, U: Ord>(values: Vec<T>) -> Vec<U> {
    let mut values: Vec<U> = values.into_iter().map(Into::into).collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "accounts::AccountOrderField")]
pub enum AccountOrderField {
    CreatedAt,
    DisplayName,
    Email,
}

/// How a list of accounts is ordered.
#[derive(InputObject)]
pub struct AccountOrder {
    field: AccountOrderField,
    direction: SortDirection,
}

impl From<AccountOrder> for accounts::AccountOrder {
    fn from(order: AccountOrder) -> Self {
        Self {
            field: order.field.into(),
            direction: order.direction.into(),
        }
    }
}

#[derive(InputObject)]
pub struct UpdateAccountAsAdminInput {
    account_id: ID,
    /// The whole set.
    roles: MaybeUndefined<Vec<Role>>,
    tier: MaybeUndefined<Tier>,
    suspended: MaybeUndefined<bool>,
    /// Lift a lock before its time.
    unlock: MaybeUndefined<bool>,
    reason: String,
}

#[derive(SimpleObject)]
pub struct UpdateAccountAsAdminPayload {
    account: Option<Account>,
    errors: Vec<AccountError>,
}
