//! What goes on although its access token is too old: what signs in or out. A client whose token has run out could not
//! get a new one else.

use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};

/// The name of the type says nothing to anybody.
const BEARING: [&str; 5] = [
    "login",
    "completeTwoFactor",
    "refreshSession",
    "logout",
    "__typename",
];

/// Whether all that an operation does is to sign in or out. The document holds that operation alone.
pub fn is_borne_by(kind: OperationType, document: &ExecutableDocument) -> bool {
    kind == OperationType::Mutation
        && document
            .operations
            .iter()
            .all(|(_, operation)| all_bear(&operation.node.selection_set.node, document))
}

/// Its fragments were found not to go round in circles.
fn all_bear(selection: &SelectionSet, document: &ExecutableDocument) -> bool {
    selection.items.iter().all(|item| match &item.node {
        Selection::Field(field) => BEARING.contains(&field.node.name.node.as_str()),
        Selection::InlineFragment(fragment) => {
            all_bear(&fragment.node.selection_set.node, document)
        }
        Selection::FragmentSpread(spread) => document
            .fragments
            .get(&spread.node.fragment_name.node)
            .is_some_and(|fragment| all_bear(&fragment.node.selection_set.node, document)),
    })
}
