//! What an operation asks for at its root, fragments followed.

use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};

/// The names of the root fields, as often as they stand there. The document holds one operation, and its fragments were
/// found not to go round in circles. The name of the type says nothing to anybody, and is left out.
pub fn fields(document: &ExecutableDocument) -> Vec<&str> {
    let mut found = Vec::new();
    for (_, operation) in document.operations.iter() {
        collect(&operation.node.selection_set.node, document, &mut found);
    }
    found
}

fn collect<'d>(
    selection: &'d SelectionSet,
    document: &'d ExecutableDocument,
    found: &mut Vec<&'d str>,
) {
    for item in &selection.items {
        match &item.node {
            Selection::Field(field) => match field.node.name.node.as_str() {
                "__typename" => {}
                name => found.push(name),
            },
            Selection::InlineFragment(fragment) => {
                collect(&fragment.node.selection_set.node, document, found);
            }
            Selection::FragmentSpread(spread) => {
                let fragment = document.fragments.get(&spread.node.fragment_name.node);
                if let Some(fragment) = fragment {
                    collect(&fragment.node.selection_set.node, document, found);
                }
            }
        }
    }
}
