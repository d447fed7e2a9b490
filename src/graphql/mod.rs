//! The API. Resolvers decode ids, call the domain and encode; what an operation may cost is decided before it runs.

mod accounts;
mod api;
mod at_hand;
mod audit;
mod batch;
mod catalogue;
mod context;
mod cursor;
pub mod document;
mod documents;
mod engine;
mod error;
mod files;
mod image;
mod items;
mod live;
mod loaders;
mod node;
mod page;
mod quotas;
mod rate_limit;
mod repeats;
mod request;
mod roots;
mod scalars;
mod stale;
mod trusted;
mod usage;
mod user_error;
mod validation;

use async_graphql::{MergedObject, MergedSubscription, SDLExportOptions, Schema, SchemaBuilder};

pub use api::{Api, STALE_TOKEN};
pub use context::Budget;
pub use error::{ApiError, Nullable};
pub use files::{Delivery, Files, Handed, Handing, NotTaken, Said, Upload};
pub use items::Items;
pub use live::Told;
pub use repeats::{Kept, MUTATIONS};
pub use request::{Answer, Caller, CookieChange, Object, Outcome, Reply, Request};
pub use trusted::check_manifest;
pub use validation::validate;

/// All root fields, a part from each domain.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQuery,
    accounts::AccountQuery,
    accounts::AdministrationQuery,
    catalogue::CatalogueQuery,
    catalogue::SubmissionQuery,
    audit::AuditQuery,
    rate_limit::RateLimitQuery,
);

/// All root fields that change something.
#[derive(MergedObject, Default)]
pub struct Mutation(
    accounts::AccountMutation,
    accounts::AdministrationMutation,
    accounts::LeavingMutation,
    accounts::ApiTokenMutation,
    accounts::TwoFactorMutation,
    catalogue::CatalogueMutation,
    catalogue::OwnedMutation,
    catalogue::SubmissionMutation,
    catalogue::DirectMutation,
);

/// All root fields that go on telling.
#[derive(MergedSubscription, Default)]
pub struct Subscription(catalogue::CatalogueSubscription);

type ApiSchema = Schema<Query, Mutation, Subscription>;

fn builder() -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(
        Query::default(),
        Mutation::default(),
        Subscription::default(),
    )
    .register_output_type::<user_error::UserError>()
    // Depth is judged by ourselves before; this one also counts fragments, which ours does not.
    .limit_recursive_depth(64)
}

/// The schema that this version serves, as `schema.graphql` has it.
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .include_specified_by()
        .prefer_single_line_descriptions()
        .use_space_ident();
    let sdl = builder().finish().sdl_with_options(options);
    format!("{}\n", sdl.trim())
}
