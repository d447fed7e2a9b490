//! Whether what is written in a document, as arguments and as defaults of variables, is of the types that it stands for.
//! The engine's rules let pass what its resolvers then stumble over: integers out of range, lists for objects. By then
//! other fields have run.

use std::convert::Infallible;

use async_graphql::{
    Value,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};

use super::{
    limits::{Limits, Refusal},
    types::{TypeId, TypeModel},
    variables::{self, Path},
};

/// Refuses a document, valid otherwise, in which something written does not fit.
pub(super) fn check(
    ast: &ExecutableDocument,
    model: &TypeModel,
    limits: &Limits,
) -> Result<(), Refusal> {
    let checker = Checker { model, limits };
    for (_, operation) in ast.operations.iter() {
        for definition in &operation.node.variable_definitions {
            let definition = &definition.node;
            if let Some(default) = &definition.default_value {
                let path = Path::Default(&definition.name.node);
                variables::check_written(
                    &default.node,
                    &definition.var_type.node,
                    &path,
                    model,
                    limits,
                )?;
            }
        }
        checker.selections(
            &operation.node.selection_set.node,
            model.root(operation.node.ty),
        )?;
    }
    for fragment in ast.fragments.values() {
        let within = model.type_id(&fragment.node.type_condition.node.on.node);
        checker.selections(&fragment.node.selection_set.node, within)?;
    }
    Ok(())
}

struct Checker<'m> {
    model: &'m TypeModel,
    limits: &'m Limits,
}

impl Checker<'_> {
    /// Of introspection no types are known here; its one argument is a text, which the engine judges well.
    fn selections(&self, set: &SelectionSet, parent: Option<TypeId>) -> Result<(), Refusal> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    let definition = parent
                        .and_then(|parent| self.model.field_id(parent, &field.name.node))
                        .map(|id| self.model.field(id));
                    let known = field.arguments.iter().filter_map(|(name, value)| {
                        Some((definition?.argument(&name.node)?, value))
                    });
                    for (argument, value) in known {
                        let Ok(value) = value
                            .node
                            .clone()
                            .into_const_with(|_| Ok::<_, Infallible>(Value::Null));
                        let path = Path::Argument(&argument.name);
                        variables::check_written(
                            &value,
                            &argument.ty,
                            &path,
                            self.model,
                            self.limits,
                        )?;
                    }
                    let inner = definition.and_then(|definition| definition.named_type);
                    self.selections(&field.selection_set.node, inner)?;
                }
                Selection::InlineFragment(inline) => {
                    let within = match &inline.node.type_condition {
                        Some(condition) => self.model.type_id(&condition.node.on.node),
                        None => parent,
                    };
                    self.selections(&inline.node.selection_set.node, within)?;
                }
                // Each fragment is looked at by itself.
                Selection::FragmentSpread(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Document, tests::MODEL};
    use super::*;

    fn refusal(text: &str) -> Option<String> {
        let limits = Limits::default();
        let document = Document::read(text, &MODEL, &limits).unwrap();
        let refusal = document.check_written(&MODEL, &limits).err()?;
        Some(refusal.to_string())
    }

    #[test]
    fn what_fits_passes() {
        for text in [
            "{ tracks(first: 2147483647, after: null) { nodes { id } } }",
            "{ nodes(ids: [\"a\", 1]) { id } one: nodes(ids: \"a\") { id } }",
            "query ($n: Int = 5, $ids: [ID!]! = [\"a\"]) {
               tracks(first: $n) { nodes { id } } nodes(ids: $ids) { id } }",
            "query ($id: ID!) { nodes(ids: [$id, \"b\"]) { id } }",
            "mutation ($title: String!) {
               createPlaylist(input: { title: $title, trackIds: null }) { errors { code } } }",
            "mutation ($file: Upload) {
               submitTrack(input: { title: \"x\", audio: { upload: $file } }) { errors { code } } }",
            "{ __type(name: \"Track\") { name } search(query: \"x\", types: [ALBUM]) { edges { cursor } } }",
        ] {
            assert_eq!(refusal(text), None, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_where_it_is_written() {
        for (text, message) in [
            (
                "{ tracks(first: 2147483648) { nodes { id } } }",
                "Argument \"first\" got invalid value; Int cannot represent non 32-bit signed integer value.",
            ),
            (
                "{ ... on Query { artist(slug: \"x\") { ...F } } }
                 fragment F on Artist { tracks(first: 1e3) { nodes { id } } }",
                "Argument \"first\" got invalid value; Int cannot represent non-integer value.",
            ),
            (
                "mutation { createPlaylist(input: [[1]]) { errors { code } } }",
                "Argument \"input\" got invalid value; Expected type \"CreatePlaylistInput\" to be an object.",
            ),
            (
                "mutation ($id: ID!) {
                   createPlaylist(input: { title: 5, trackIds: [$id] }) { errors { code } } }",
                "Argument \"input.title\" got invalid value; String cannot represent a non string value.",
            ),
            (
                "query ($n: Int = 3000000000) { tracks(first: $n) { nodes { id } } }",
                "Variable \"$n\" has an invalid default; Int cannot represent non 32-bit signed integer value.",
            ),
        ] {
            assert_eq!(refusal(text).as_deref(), Some(message), "{text}");
        }
    }
}
