use async_graphql::Interface;

use super::accounts::AccountError;
use super::catalogue::CatalogueError;

/// What went wrong with one part of an input, for a person to read and a program to act on.
#[derive(Interface)]
#[graphql(
    field(name = "message", ty = "&String", desc = "For a person, safe to show."),
    field(
        name = "path",
        ty = "&Vec<String>",
        desc = "The input field it is about, as a path from `input`; empty where it is about the whole."
    )
)]
pub enum UserError {
    Account(AccountError),
    Catalogue(CatalogueError),
}
